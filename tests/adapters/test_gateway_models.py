"""Model calls through the gateway: passed on with the real key, passed back unchanged, counted."""

import gzip
import hashlib
import http.client
import json
import socket
import threading
import zlib

import pytest
from gateways import (
    KEY,
    MODEL,
    PATHS,
    PROVIDER,
    TOKEN,
    Upstream,
    asked,
    event,
    events,
    eventually,
    head,
    plain,
    said,
    site,
)

from reeve.records import RequestOutcome

CREDENTIAL = {
    "anthropic": ("x-api-key", KEY),
    "responses": ("Authorization", f"Bearer {KEY}"),
    "chat": ("Authorization", f"Bearer {KEY}"),
    "gemini": ("x-goog-api-key", KEY),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for all stories that need no budget of their own; each has an attempt of its own."""
    with site(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def story(shared, request):
    """The gateway, and an attempt with the name of the test."""
    digest = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    name = f"story-{digest}.1"
    attempt = shared.attempt(name)
    shared.upstream.seen.clear()
    shared.upstream.gone.clear()
    yield shared, attempt
    shared.gateway.close(name)


# ---------------------------------------------------------------- what is passed on and back


@pytest.mark.parametrize("name", PATHS)
def test_a_streamed_answer_comes_back_byte_for_byte_and_is_counted(story, name):
    site, attempt = story
    stream = said(name)
    site.upstream.answer = events(stream)
    status, headers, body = attempt.ask(f"/{PROVIDER[name]}{PATHS[name]}", asked(name))
    assert (status, headers["content-type"], body) == (200, "text/event-stream", stream)
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.status, fact.complete) == (RequestOutcome.ANSWERED, 200, True)
    assert (fact.input_tokens, fact.cached_tokens, fact.output_tokens) == (11, 5, 7)
    assert (fact.model, fact.provider, fact.task) == (MODEL[name], PROVIDER[name], attempt.door.task)
    assert (fact.bytes_sent, fact.bytes_received) == (len(json.dumps(asked(name))), len(stream))
    assert fact.first_byte_seconds is not None
    assert 0 < fact.first_byte_seconds <= fact.seconds
    assert fact.usd is not None
    assert fact.usd > 0
    spent = eventually(lambda: found if (found := site.gateway.spent(attempt.door.attempt)).answers else None)
    assert (spent.tokens, spent.usd, spent.answers, spent.refused) == (fact.tokens, fact.usd, 1, "")


@pytest.mark.parametrize("name", PATHS)
def test_the_token_is_replaced_by_the_key_wherever_the_api_has_it(story, name):
    site, attempt = story
    site.upstream.answer = events(said(name))
    path = f"/{PROVIDER[name]}{PATHS[name]}"
    for offered in (
        {"x-api-key": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"x-goog-api-key": TOKEN},
        {"X-Api-Key": TOKEN, "Authorization": "Bearer other", "Cookie": "a=b", "X-Auth-Token": "c", "api-key": "d"},
    ):
        assert attempt.ask(path, asked(name), headers=offered)[0] == 200
    with_query = f"{path}{'&' if '?' in path else '?'}key={TOKEN}&beta=true"
    assert attempt.ask(with_query, asked(name), headers={})[0] == 200
    header, value = CREDENTIAL[name]
    for seen in site.upstream.seen:
        sent = {each.lower(): text for each, text in seen.headers.items()}
        assert sent[header.lower()] == value
        assert TOKEN not in str(seen)
        assert not {"cookie", "x-auth-token", "api-key"} & set(sent)
        assert [each for each in sent if each in ("authorization", "x-api-key", "x-goog-api-key")] == [header.lower()]
    assert "key=" not in site.upstream.seen[-1].path
    assert "beta=true" in site.upstream.seen[-1].path


@pytest.mark.parametrize("name", PATHS)
def test_without_the_token_nothing_leaves_and_the_api_says_so_in_its_own_words(story, name):
    site, attempt = story
    for offered in (
        {},
        {"x-api-key": "wrong"},
        {"Authorization": TOKEN},
        {"x-api-key": TOKEN[:-1]},
        {"x-api-key": KEY},
    ):
        status, _, body = attempt.ask(f"/{PROVIDER[name]}{PATHS[name]}", asked(name), headers=offered)
        error = json.loads(body)["error"]
        assert status == 401
        assert error["message"] == "the token of this attempt is needed as the API key"
        kind = {"anthropic": "type", "gemini": "status"}.get(name, "code")
        assert error[kind] in ("authentication_error", "invalid_api_key", "UNAUTHENTICATED")
    assert site.upstream.seen == []
    assert {each.outcome for each in site.settled(5, attempt.door.attempt)} == {RequestOutcome.REFUSED}


def test_what_belongs_to_one_connection_or_names_who_pays_is_not_passed_on(story):
    site, attempt = story
    site.upstream.answer = events(said("responses"))
    offered = {
        "Authorization": f"Bearer {TOKEN}",
        "Connection": "keep-alive, X-Private",
        "X-Private": "1",
        "Proxy-Authorization": "Basic x",
        "Accept-Encoding": "gzip, br",
        "OpenAI-Organization": "org-other",
        "X-HTTP-Method-Override": "DELETE",
        "User-Agent": "an-agent/1.0",
        "anthropic-beta": "something",
    }
    attempt.ask("/openai/v1/responses", asked("responses"), headers=offered)
    sent = {name.lower(): value for name, value in site.upstream.seen[0].headers.items()}
    assert (sent["user-agent"], sent["anthropic-beta"], sent["accept-encoding"]) == (
        "an-agent/1.0",
        "something",
        "identity",
    )
    assert not {"x-private", "proxy-authorization", "openai-organization", "x-http-method-override"} & set(sent)


def test_the_body_and_the_rest_of_the_query_are_passed_on_as_they_are(story):
    site, attempt = story
    site.upstream.answer = events(said("anthropic"))
    body = b'{ "model" :"claude-sonnet-4-5","stream":true,\n "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9"}]}'
    attempt.ask("/anthropic/v1/messages?beta=true&x=%2F%20+", body)
    assert (site.upstream.seen[0].body, site.upstream.seen[0].path) == (body, "/v1/messages?beta=true&x=%2F%20+")


@pytest.mark.parametrize("name", PATHS)
def test_an_error_of_the_provider_is_passed_back_unchanged_and_costs_nothing(story, name):
    site, attempt = story
    site.upstream.answer = plain(500, {"error": {"message": "no"}}, {"x-request-id": "r1"})
    status, headers, body = attempt.ask(f"/{PROVIDER[name]}{PATHS[name]}", asked(name))
    assert (status, headers["x-request-id"], json.loads(body)) == (500, "r1", {"error": {"message": "no"}})
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.status, fact.usd, fact.tokens) == (RequestOutcome.PROVIDER_ERROR, 500, 0.0, 0)


def test_a_key_that_a_provider_repeats_is_not_passed_back(story):
    site, attempt = story
    site.upstream.answer = plain(401, {"error": f"the key {KEY} is wrong"}, {"x-echo": KEY})
    status, headers, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    assert (status, body) == (401, b'{"error": "the key *** is wrong"}')
    assert KEY not in str(headers)


def test_a_redirection_is_told_without_the_key_and_not_followed(story):
    site, attempt = story
    said = {"error": f"go on with {KEY}"}
    site.upstream.answer = plain(302, said, {"Location": f"{site.upstream.url}/?key={KEY}"})
    status, headers, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    assert (status, body) == (302, b'{"error": "go on with ***"}')
    assert "location" not in headers
    assert len(site.upstream.seen) == 1
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.status, fact.tokens) == (RequestOutcome.PROVIDER_ERROR, 302, 0)


@pytest.mark.parametrize("cut", [1, 5, len(KEY) - 1, len(KEY)])
def test_a_key_within_a_good_answer_becomes_stars_wherever_it_is_cut(story, cut):
    site, attempt = story
    half, rest = f"sk-the-{KEY}"[: 7 + cut].encode(), f"{KEY[cut:]} sk-the-r".encode()
    site.upstream.answer = events(half, rest)
    _, _, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    assert body == b"sk-the-" + b"*" * len(KEY) + b" sk-the-r"


def test_what_is_sent_with_questions_that_cost_nothing_is_bounded_and_counted(story):
    site, attempt = story
    body = json.dumps({"model": "claude-sonnet-4-5", "messages": [{"content": "x" * (30 << 20)}]}).encode()
    found = [attempt.ask("/anthropic/v1/messages/count_tokens", body)[0] for _ in range(3)]
    assert found == [200, 200, 403]
    facts = site.settled(3, attempt.door.attempt)
    assert sum(fact.bytes_sent for fact in facts if fact.outcome is RequestOutcome.ANSWERED) == 2 * len(body)
    assert facts[2].outcome is RequestOutcome.OVER_BUDGET
    assert "cost nothing" in facts[2].reason


def test_an_error_in_the_middle_of_a_stream_is_known_as_one(story):
    site, attempt = story
    error = event({"type": "error", "error": {"type": "overloaded_error", "message": "too much"}}, "error")
    site.upstream.answer = events(said("anthropic")[:200], b"\n\n", error)
    assert attempt.ask("/anthropic/v1/messages", asked("anthropic"))[2].endswith(error)
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.reason) == (RequestOutcome.PROVIDER_ERROR, "in its answer: overloaded_error")


def test_an_answer_in_one_piece_is_counted(story):
    site, attempt = story
    usage = {"prompt_tokens": 16, "prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens": 7}
    site.upstream.answer = plain(200, {"object": "chat.completion", "choices": [], "usage": usage})
    status, headers, body = attempt.ask("/openai/v1/chat/completions", asked("chat", stream=False))
    assert (status, headers["content-length"]) == (200, str(len(body)))
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.input_tokens, fact.cached_tokens, fact.output_tokens, fact.complete) == (11, 5, 7, True)


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_an_answer_that_comes_compressed_all_the_same_is_unpacked_counted_and_without_the_key(story, encoding, wbits):
    site, attempt = story
    packing = zlib.compressobj(wbits=wbits)
    packed = packing.compress(said("anthropic", f"a key is {KEY}")) + packing.flush()
    site.upstream.answer = events(packed[:70], packed[70:], headers={"Content-Encoding": encoding})
    status, headers, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    assert (status, "content-encoding" in headers) == (200, False)
    assert body == said("anthropic", f"a key is {'*' * len(KEY)}")
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.output_tokens, fact.complete, fact.bytes_received) == (7, True, len(packed))


def test_an_error_that_comes_compressed_is_searched_for_the_key_too(story):
    site, attempt = story
    site.upstream.answer = plain(401, gzip.compress(f"the key {KEY} is wrong".encode()), {"Content-Encoding": "gzip"})
    assert attempt.ask("/anthropic/v1/messages", asked("anthropic"))[::2] == (401, b"the key *** is wrong")


@pytest.mark.parametrize(
    ("encoding", "content", "why"),
    [
        ("zstd", b"\x28\xb5\x2f\xfd", "compressed as 'zstd'"),
        ("gzip, gzip", gzip.compress(gzip.compress(KEY.encode())), "compressed as 'gzip, gzip'"),
        ("gzip", KEY.encode(), "compressed, and broken"),
        ("gzip", gzip.compress(b" " * (64 << 20)), "more than 4 MB"),
    ],
    ids=["unknown", "twice", "broken", "bomb"],
)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_cannot_be_looked_into_is_not_passed_on(story, encoding, content, why, status):
    site, attempt = story
    site.upstream.answer = plain(status, content, {"Content-Encoding": encoding})
    try:
        found = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
        assert (found[0], why.encode() in found[2]) == (502, True)
    except (http.client.HTTPException, ConnectionError):
        pass  # its head was passed on by then
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, why in fact.reason) == (RequestOutcome.UNREACHABLE, True)


CHAT = "/openai/v1/chat/completions"
PART = event({"choices": [{"index": 0, "delta": {"content": "hello"}}], "usage": None})
SAYS_USAGE = event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
DONE = b"data: [DONE]\n\n"
SILENT = {"model": "gpt-5", "stream": True, "messages": [{"role": "user", "content": "a { and \\u00e9"}]}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("options", [None, {}, {"include_usage": False, "include_obfuscation": False}])
def test_a_chat_that_does_not_ask_for_its_usage_is_counted_exactly_and_sees_none(story, options, newline):
    site, attempt = story
    whole = b"".join((PART, SAYS_USAGE, DONE)).replace(b"\n", newline)
    site.upstream.answer = events(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    question = SILENT | ({} if options is None else {"stream_options": options})
    status, _, body = attempt.ask(CHAT, question)
    assert (status, body) == (200, (PART + DONE).replace(b"\n", newline))
    sent = json.loads(site.upstream.seen[0].body)
    assert sent == question | {"stream_options": (options or {}) | {"include_usage": True}}
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.input_tokens, fact.output_tokens, fact.complete) == (11, 7, True)


def test_a_chat_that_asks_for_its_usage_sees_it_and_nothing_is_changed(story):
    site, attempt = story
    site.upstream.answer = events(PART, SAYS_USAGE, DONE)
    body = json.dumps(asked("chat")).encode()
    assert attempt.ask(CHAT, body)[2] == PART + SAYS_USAGE + DONE
    assert site.upstream.seen[0].body == body


def test_a_provider_that_cannot_say_the_usage_is_asked_as_the_agent_asked_and_not_twice(story):
    site, attempt = story

    def answer(seen, send):
        refused = b"stream_options" in seen.body
        (plain(400, {"error": "unknown field stream_options"}) if refused else events(PART, DONE))(seen, send)

    site.upstream.answer = answer
    assert [attempt.ask(CHAT, SILENT)[::2] for _ in range(2)] == [(200, PART + DONE)] * 2
    assert ["stream_options" in str(each.body) for each in site.upstream.seen] == [True, False, False]
    assert [fact.complete for fact in site.settled(2, attempt.door.attempt)] == [False, False]


def test_a_long_event_of_a_chat_is_not_held_back_and_what_is_said_with_the_usage_stays(story):
    site, attempt = story
    long = event({"choices": [{"index": 0, "delta": {"content": "x" * 200_000}}]})
    last = event({"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    site.upstream.answer = events(long[:150_000], long[150_000:], last, SAYS_USAGE.rstrip())
    assert attempt.ask(CHAT, SILENT)[2] == long + last


def test_an_answer_without_a_word_on_usage_is_estimated_and_says_so(story):
    site, attempt = story
    site.upstream.answer = events(event({"choices": [{"delta": {"content": "x" * 300}}]}), b"data: [DONE]\n\n")
    attempt.ask("/openai/v1/chat/completions", asked("chat"))
    (fact,) = site.settled(1, attempt.door.attempt)
    sent = -(-len(json.dumps(asked("chat"))) // 3)
    assert (fact.outcome, fact.complete, fact.output_tokens) == (RequestOutcome.ANSWERED, False, None)
    assert fact.tokens == sent + 100
    assert fact.usd == pytest.approx((sent * 1.25 + 100 * 10) / 1e6)


def test_asking_about_models_costs_nothing_and_is_a_fact(story):
    site, attempt = story
    site.upstream.answer = plain(200, {"data": []})
    assert attempt.ask("/openai/v1/models", method="GET")[0] == 200
    site.upstream.answer = plain(200, {"input_tokens": 5})
    assert attempt.ask("/anthropic/v1/messages/count_tokens", {"model": "claude-sonnet-4-5"})[0] == 200
    facts = site.settled(2, attempt.door.attempt)
    assert [(each.outcome, each.tokens, each.usd) for each in facts] == [(RequestOutcome.ANSWERED, 0, 0.0)] * 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/anthropic/v1/files", 404),
        ("HEAD", "/anthropic/api/hello", 404),
        ("POST", "/unknown/v1/messages", 404),
        ("POST", "/", 404),
        ("POST", "//anthropic/v1/messages", 404),
        ("POST", "/anthropic/v1/messages/../files", 404),
        ("DELETE", "/anthropic/v1/models/x", 404),
    ],
)
def test_whatever_else_is_asked_for_does_not_leave(story, method, path, status):
    site, attempt = story
    assert attempt.ask(path, {"model": "m"}, method=method)[0] == status
    assert site.upstream.seen == []
    assert site.settled(1, attempt.door.attempt)[0].outcome is RequestOutcome.REFUSED


def test_an_attempt_reaches_only_the_providers_of_its_agent(shared):
    attempt = shared.attempt("narrow.1", providers=("gemini",))
    shared.upstream.seen.clear()
    status, _, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    assert (status, shared.upstream.seen) == (404, [])
    assert b"there are /gemini" in body


def test_a_question_that_has_the_provider_reach_another_host_is_refused(story):
    site, attempt = story
    evil = {**asked("anthropic"), "mcp_servers": [{"type": "url", "url": "https://evil.example/all-of-the-repository"}]}
    status, _, body = attempt.ask("/anthropic/v1/messages", evil)
    assert (status, site.upstream.seen) == (400, [])
    assert b"another host" in body


# ---------------------------------------------------------------- while it streams


def test_the_head_and_each_piece_come_as_soon_as_they_are_there(story):
    site, attempt = story
    steps = [threading.Event() for _ in range(3)]

    def answer(asked, send):
        send(head(200, {"Content-Type": "text/event-stream"}))
        for step in steps:
            assert step.wait(30)
            send(event({"type": "ping", "step": steps.index(step)}))

    site.upstream.answer = answer
    client = attempt.client()
    client.request("POST", "/anthropic/v1/messages", json.dumps(asked("anthropic")), {"x-api-key": TOKEN})
    response = client.getresponse()  # the head alone, while nothing else was sent
    assert response.status == 200
    for number, step in enumerate(steps):
        step.set()
        assert response.read1() == event({"type": "ping", "step": number})
    assert response.read() == b""
    client.close()


def endless(asked, send):
    """Answer until whoever asked is gone."""
    send(head(200, {"Content-Type": "text/event-stream"}))
    start = {"usage": {"input_tokens": 1000, "output_tokens": 1}}
    send(event({"type": "message_start", "message": start}))
    while True:
        send(event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x" * 30}}))


def test_an_agent_that_goes_away_half_way_ends_the_call_and_pays_for_what_passed(story):
    site, attempt = story
    site.upstream.answer = endless
    client = attempt.client()
    client.request("POST", "/anthropic/v1/messages", json.dumps(asked("anthropic")), {"x-api-key": TOKEN})
    response = client.getresponse()
    response.read(2000)
    response.close()
    client.close()
    assert site.upstream.gone.wait(30)
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.complete, fact.input_tokens) == (RequestOutcome.CANCELLED, False, 1000)
    assert fact.tokens > 1000 + 1, "what passed is more than what was reported"
    assert fact.usd == pytest.approx((1000 * 3 + (fact.tokens - 1000) * 15) / 1e6)


def test_an_attempt_that_is_closed_ends_its_calls_and_they_are_facts_by_then(shared):
    attempt = shared.attempt("closing.1")
    shared.upstream.gone.clear()
    shared.upstream.answer = endless
    client = attempt.client()
    client.request("POST", "/anthropic/v1/messages", json.dumps(asked("anthropic")), {"x-api-key": TOKEN})
    client.getresponse().read(500)
    shared.gateway.close("closing.1")
    (fact,) = shared.requests("closing.1")
    assert (fact.outcome, fact.reason) == (RequestOutcome.CANCELLED, "the attempt ended")
    assert shared.gateway.spent("closing.1").tokens == fact.tokens
    assert shared.upstream.gone.wait(30)
    client.close()
    address = attempt.api.getsockname()
    attempt.api.close()
    with pytest.raises(ConnectionRefusedError):  # the gateway does not listen on it either
        socket.create_connection(address)


def test_a_provider_that_breaks_off_breaks_the_answer_off(story):
    site, attempt = story

    def answer(asked, send):
        send(head(200, {"Content-Type": "text/event-stream", "Content-Length": "5000"}) + said("anthropic")[:150])

    site.upstream.answer = answer
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        attempt.ask("/anthropic/v1/messages", asked("anthropic"))
    (fact,) = site.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.complete) == (RequestOutcome.UNREACHABLE, False)


def test_a_provider_that_is_not_there_is_said_so_and_costs_nothing(tmp_path):
    with site(tmp_path) as found:
        found.upstream.close()
        attempt = found.attempt()
        status, _, body = attempt.ask("/anthropic/v1/messages", asked("anthropic"))
        assert (status, json.loads(body)["error"]["type"]) == (502, "api_error")
        (fact,) = found.settled(1)
        assert (fact.outcome, fact.usd, fact.tokens) == (RequestOutcome.UNREACHABLE, 0.0, 0)
        found.upstream = Upstream()


def test_many_calls_of_one_connection_are_answered_one_after_the_other(story):
    site, attempt = story
    site.upstream.answer = events(said("anthropic"))
    client = attempt.client()
    for _ in range(5):
        client.request("POST", "/anthropic/v1/messages", json.dumps(asked("anthropic")), {"x-api-key": TOKEN})
        assert client.getresponse().read() == said("anthropic")
    client.close()
    facts = site.settled(5, attempt.door.attempt)
    assert len({each.number for each in facts}) == 5


# ---------------------------------------------------------------- what agents send who mean no good


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /anthropic/v1/messages HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /anthropic/v1/messages HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["tls", "version", "length", "smuggled", "line", "headers"],
)
def test_garbage_ends_its_own_connection_and_nothing_else(story, garbage):
    site, attempt = story
    with attempt.connect() as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(1 << 16)
        except ConnectionResetError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.")
        assert b"200" not in answer[:20]
    assert site.upstream.seen == []
    site.upstream.answer = events(said("anthropic"))
    assert attempt.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200


def test_a_body_that_is_too_large_or_compressed_is_refused(story):
    site, attempt = story
    with attempt.connect() as connection:
        connection.sendall(
            b"POST /anthropic/v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: %b\r\nContent-Length: 99999999\r\n\r\n"
            % TOKEN.encode()
        )
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413")
    packed = gzip.compress(json.dumps(asked("anthropic")).encode())
    headers = {"x-api-key": TOKEN, "Content-Encoding": "gzip"}
    assert attempt.ask("/anthropic/v1/messages", packed, headers=headers)[0] == 415
    assert site.upstream.seen == []


def test_an_agent_that_waits_for_leave_to_send_gets_it(story):
    site, attempt = story
    site.upstream.answer = events(said("anthropic"))
    body = json.dumps(asked("anthropic")).encode()
    with attempt.connect() as connection:
        connection.sendall(
            b"POST /anthropic/v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: %b\r\nContent-Length: %d\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n" % (TOKEN.encode(), len(body))
        )
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_more_connections_than_an_attempt_may_have_wait_and_others_are_served_meanwhile(shared):
    crowd, quiet = shared.attempt("crowd.1"), shared.attempt("quiet.1")
    held = [crowd.connect() for _ in range(200)]
    shared.upstream.answer = events(said("anthropic"))
    assert quiet.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200
    for connection in held:
        connection.close()
    assert crowd.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200


def test_of_endless_refusals_the_ledger_keeps_a_thousand(shared):
    attempt = shared.attempt("flood.1")
    client = attempt.client()
    for _ in range(1050):
        client.request("GET", "/anthropic/v1/files", headers={"x-api-key": TOKEN})
        assert client.getresponse().read()
    client.close()
    shared.gateway.close("flood.1")
    assert len(shared.requests("flood.1")) == 1000


# ---------------------------------------------------------------- bodies


def test_bodies_are_kept_only_if_the_owner_says_so_and_never_a_secret(shared, tmp_path):
    shared.upstream.answer = events(said("anthropic"))
    shared.attempt("nobody.1").ask("/anthropic/v1/messages", asked("anthropic"))
    assert shared.settled(1, "nobody.1")[0].body == ""
    with site(tmp_path, keep_bodies=True) as found:
        found.upstream.answer = events(said("anthropic", f"your key is {KEY}"))
        body = {**asked("anthropic"), "messages": [{"role": "user", "content": f"my token is {TOKEN}"}]}
        found.attempt().ask("/anthropic/v1/messages", body)
        (fact,) = found.settled(1)
        kept = json.loads(found.store().get(fact.body))
        assert "my token is ***" in kept["request"]
        assert "your key is ***" in kept["answer"]


def test_keys_and_tokens_stand_in_no_file_no_argument_and_no_environment(tmp_path):
    with site(tmp_path) as found:
        found.upstream.answer = events(said("anthropic"))
        found.attempt().ask(f"/anthropic/v1/messages?key={TOKEN}", asked("anthropic"))
        found.settled(1)
        process = found.gateway.pid
        for what in ("cmdline", "environ"):
            with open(f"/proc/{process}/{what}", "rb") as file:
                assert KEY.encode() not in file.read()
        for path in tmp_path.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert KEY.encode() not in content, path
                assert TOKEN.encode() not in content, path
