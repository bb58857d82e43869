"""The scripted model, as the vendors' own clients understand it."""

import hashlib
import json
import time
import urllib.request

import anthropic
import openai
import pytest
from asking import APIS, ask, send
from google.genai import errors as google_errors

from reeve.adapters.playback.script import ENDED, marker
from reeve.adapters.playback.server import PlaybackServer

REFUSALS = {
    "anthropic": anthropic.APIStatusError,
    "responses": openai.APIStatusError,
    "chat": openai.APIStatusError,
    "gemini": google_errors.APIError,
}
FIRST = [
    {"thought": "The sum is wrong, says the test. " * 9},
    {"text": "I look first. Größe: 🙂 " * 9},
    {"read": "calc.py"},
    {"run": "pytest -q"},
    {"usage": {"input": 1000, "output": 90, "cached": 400, "cache_written": 100, "reasoning": 30}},
]
STOPS = {
    "anthropic": ("tool_use", "end_turn"),
    "responses": ("completed", "completed"),
    "chat": ("tool_calls", "stop"),
    "gemini": ("STOP", "STOP"),
}


@pytest.fixture(scope="module")
def server():
    with PlaybackServer() as server:
        yield server


@pytest.fixture(params=APIS)
def api(request):
    return request.param


def status_of(error):
    return getattr(error, "status_code", None) or error.code


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_clients_of_the_vendors_read_every_kind_of_step(server, api, stream):
    heard = ask(api, f"{server.address}/some/prefix", f"Fix it. {marker([FIRST])}", stream=stream)
    assert heard.thought == FIRST[0]["thought"]
    assert heard.text == FIRST[1]["text"]
    assert heard.calls == [("read", {"path": "calc.py"}), ("run", {"command": "pytest -q"})]
    assert (heard.input, heard.output, heard.cached, heard.reasoning) == (1000, 90, 400, 30)
    assert heard.stop == STOPS[api][0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_script_without_calls_is_for_requests_without_tools_too(server, api, stream):
    heard = ask(api, server.address, marker([[{"text": "Hello."}]]), stream=stream, tools={})
    assert (heard.text, heard.calls, heard.stop) == ("Hello.", [], STOPS[api][1])


def test_a_request_without_tools_gets_a_title_where_the_script_is_for_an_agent(server, api):
    assert ask(api, server.address, marker([FIRST]), stream=True, tools={}).text == "Playback"


def test_tokens_that_no_script_says_follow_from_the_lengths_and_are_always_the_same(server, api):
    short, again, longer = (
        ask(api, server.address, marker([[{"text": "word " * count}]]), stream=True) for count in (10, 10, 1000)
    )
    assert short == again
    assert 0 < short.output < longer.output
    assert 0 < short.input < longer.input


def test_the_same_request_gets_the_same_bytes(server):
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": marker([FIRST[:2]])}]})
    first, second = (send(server.address, "/v1/messages", body.encode()) for _ in range(2))
    assert first[2] == second[2]
    assert b"event: message_stop" in first[2]


def test_a_chat_stream_says_its_tokens_only_where_it_is_asked_as_openai_does(server):
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": marker([[{"text": "Hello."}]])}]}
    silent = send(server.address, "/v1/chat/completions", json.dumps(body).encode())[2]
    asked = send(
        server.address, "/v1/chat/completions", json.dumps(body | {"stream_options": {"include_usage": True}}).encode()
    )[2]
    assert b'"usage"' not in silent
    assert b'"completion_tokens":' in asked
    assert silent.endswith(b"data: [DONE]\n\n")


def test_small_questions_are_answered_too(server):
    client = anthropic.Anthropic(base_url=server.address, api_key="k", max_retries=0)
    with client:
        assert [model.id for model in client.models.list()] == ["playback"]
        counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "how long is this"}])
        assert counted.input_tokens > 0
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="k") as client:
        assert [model.id for model in client.models.list()] == ["playback"]
    assert send(server.address, "/api/hello", None, method="HEAD")[0] == 200
    assert json.loads(send(server.address, "/v1beta/models", None, method="GET")[2])["models"]
    assert send(server.address, "/v1beta/models/m:countTokens", b"{}")[0] == 200


def test_behind_its_end_a_script_says_so(server, api):
    script = [[{"text": "One."}]]
    body = {"model": "m", "messages": [{"role": "user", "content": marker(script)}]}
    body["messages"] += [{"role": "assistant", "content": "One."}, {"role": "user", "content": "And now?"}]
    assert ENDED.encode() in send(server.address, "/v1/messages", json.dumps(body).encode())[2]


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_failure_without_an_end_comes_again_and_again(server, api, stream):
    prompt = marker([[{"error": {"status": 429, "retry_after": 7, "message": "slowly, please"}}], [{"text": "never"}]])
    for _ in range(4):
        with pytest.raises(REFUSALS[api], match="slowly, please") as refused:
            ask(api, server.address, prompt, stream=stream)
        assert status_of(refused.value) == 429
        assert refused.value.response.headers["retry-after"] == "7"


def test_a_failure_that_ends_is_counted_for_each_request(server, api):
    prompt = marker([[{"error": {"status": 529, "times": 2}}, {"text": f"At last, {api}."}]])
    for _ in range(2):  # and what has succeeded fails anew, for the next session that asks the same
        for _ in range(2):
            with pytest.raises(REFUSALS[api]) as refused:
                ask(api, server.address, prompt, stream=True)
            assert status_of(refused.value) == 529
        assert ask(api, server.address, prompt, stream=True).text == f"At last, {api}."


def test_a_stream_that_fails_half_way_is_not_taken_for_an_answer(server, api):
    prompt = marker([[{"text": "Half an answer"}, {"error": {"status": 529, "message": "overloaded in the middle"}}]])
    said = "response.completed" if api == "responses" else "overloaded in the middle"
    with pytest.raises(Exception, match=said):  # each client has an error of its own for it
        ask(api, server.address, prompt, stream=True)
    assert server.seen[-1].cut
    with pytest.raises(REFUSALS[api]):
        ask(api, server.address, prompt, stream=False)


def test_a_stream_of_responses_says_that_it_failed(server):
    prompt = marker([[{"text": "Half an answer"}, {"error": {"status": 429, "message": "in the middle"}}]])
    body = json.dumps({"stream": True, "input": prompt}).encode()
    last = send(server.address, "/v1/responses", body)[2].strip().split(b"\n\n")[-1]
    assert last.startswith(b"event: response.failed\n")
    failed = json.loads(last.partition(b"data: ")[2])["response"]
    assert failed["error"] == {"code": "rate_limit_exceeded", "message": "in the middle"}


def test_who_tries_again_is_known_whatever_the_order_of_the_keys(server):
    prompt = marker([[{"error": {"status": 503, "times": 1}}, {"text": "At last."}]])
    body = {"model": "tries again", "messages": [{"role": "user", "content": prompt}]}
    first, second = json.dumps(body).encode(), json.dumps(dict(reversed(body.items()))).encode()
    assert [send(server.address, "/v1/messages", each)[0] for each in (first, second)] == [503, 200]


def test_a_delay_goes_before_and_between(server, api):
    script = [
        [
            {"delay": {"before_seconds": 0.01, "between_seconds": 0.001}},
            {"text": "slow " * 100},
            {"delay": 0.01},
            {"text": "."},
        ]
    ]
    assert ask(api, server.address, marker(script), stream=True).text.replace("\n\n", "") == "slow " * 100 + "."


# ---------------------------------------------------------------- the key, the record


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_only_the_demanded_key_opens(api, stream):
    with PlaybackServer([[{"text": "Welcome."}]], key="the-real-key") as server:
        with pytest.raises(REFUSALS[api]) as refused:
            ask(api, server.address, "Hello", stream=stream, key="a-token-of-inside")
        assert status_of(refused.value) == 401
        assert ask(api, server.address, "Hello", stream=stream, key="the-real-key").text == "Welcome."
        refusal, welcome = server.seen
    assert (refusal.status, welcome.status) == (401, 200)
    assert welcome.key == hashlib.sha256(b"the-real-key").hexdigest()[:12]
    assert not [seen for seen in (refusal, welcome) if "the-real-key" in seen.line or "a-token-of" in seen.line]
    assert (welcome.api, welcome.model, welcome.stream) == (api, "some-model", stream)


def test_a_second_key_beside_the_right_one_is_refused():
    with PlaybackServer([[{"text": "Welcome."}]], key="right") as server:
        body = json.dumps({"model": "m", "messages": []}).encode()
        right, other = {"x-api-key": "right"}, {"authorization": "Bearer left-over"}
        assert send(server.address, "/v1/messages", body, headers=right)[0] == 200
        assert send(server.address, "/v1/messages", body, headers=right | other)[0] == 401
        assert send(server.address, "/v1beta/models/m:generateContent?key=right", b'{"contents": []}')[0] == 200
        assert server.seen[-1].path == "/v1beta/models/m:generateContent"


def test_the_record_is_there_when_the_answer_is(api):
    with PlaybackServer([FIRST]) as server:
        ask(api, server.address, "Hello", stream=True)
        (seen,) = server.seen
    assert (seen.turn, seen.input_tokens, seen.output_tokens) == (0, 1000, 90)
    assert (seen.cached_tokens, seen.cache_written_tokens, seen.reasoning_tokens) == (400, 100, 30)
    assert json.loads(seen.line)["headers"] == sorted(json.loads(seen.line)["headers"])


def test_a_client_that_leaves_half_way_is_seen_to_have_left():
    script = [[{"delay": {"between_seconds": 0.01}}, *({"text": "word " * 50} for _ in range(200))]]
    with PlaybackServer(script) as server:
        request = urllib.request.Request(f"{server.address}/v1/messages", b'{"stream": true, "messages": []}')
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.readline() == b"event: message_start\n"
        until = time.monotonic() + 30
        while not server.seen:
            assert time.monotonic() < until, "it was never noticed"
            time.sleep(0.01)
        assert (server.seen[0].cut, server.seen[0].turn) == (True, 0)


# ---------------------------------------------------------------- hostile requests


DEEP = b"[" * 100_000
HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe",
    DEEP,
    b'{"messages": ' + DEEP,
    b'{"messages": 7, "input": {}, "contents": "x", "tools": {"a": 1}, "stream": "yes", "model": []}',
    b'{"messages": [1, null, {"role": [], "content": [{"type": {}, "text": 3}]}], "contents": [{"parts": [[], {"functionCall": 1}]}]}',
    b'{"input": [{"type": "function_call", "call_id": {}}, {"type": 9}, {"role": "user", "content": [{"text": "\\ud800"}]}]}',
    json.dumps(
        {"tools": [{"name": "\ud800"}], "messages": [{"role": "user", "content": marker([[{"run": "ls"}]])}]}
    ).encode(),
    json.dumps({"messages": [{"role": "user", "content": "[[playback:%%%]]"}]}).encode(),
    json.dumps({"messages": [{"role": "user", "content": "[[playback:AAAA]]"}]}).encode(),
    json.dumps({"messages": [{"role": "user", "content": "[[playback:" + "A" * 2_000_000 + "]]"}]}).encode(),
    json.dumps({"messages": [{"role": "user", "content": "[[playback:" + "W3" * 40_000}]}).encode(),
]
ADDRESSES = ["/v1/messages", "/v1/responses", "/v1/chat/completions", "/v1beta/models/m:streamGenerateContent?alt=sse"]


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_request_breaks_the_server(server, path):
    for body in HOSTILE:
        status, _, said = send(server.address, path, body)
        assert status in (200, 400)
        assert json.loads(said) if status == 400 else said
    assert ask("anthropic", server.address, marker([[{"text": "Still here."}]]), stream=True).text == "Still here."


def test_what_is_too_large_or_unknown_is_refused_in_the_form_of_the_api(server):
    status, _, said = send(server.address, "/v1/messages", b" " * (2**25 + 1))
    assert (status, json.loads(said)["error"]["type"]) == (413, "request_too_large")
    assert send(server.address, "/v1/nothing", b"{}")[0] == 404
    assert send(server.address, "/v1/messages", None, method="GET")[0] == 405
    assert b"alt=sse" in send(server.address, "/v1beta/models/m:streamGenerateContent", b"{}")[2]
    kept = json.dumps({"previous_response_id": "resp_1", "input": "go on"}).encode()
    assert b"previous_response_id" in send(server.address, "/v1/responses", kept)[2]
