"""Agents that mean no good at the door to models: nothing they write becomes a second request, another header or a stall."""

import json
import socket

import pytest
from gateways import TOKEN, asked, event, events, eventually, head, plain, said, site

from reeve.records import RequestOutcome

BODY = json.dumps(asked("anthropic")).encode()
LINE = b"POST /anthropic/v1/messages HTTP/1.1\r\n"
KEYED = b"Host: x\r\nx-api-key: " + TOKEN.encode() + b"\r\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with site(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def story(shared, request):
    shared.upstream.seen.clear()
    shared.upstream.gone.clear()
    shared.upstream.answer = events(said("anthropic"))
    attempt = shared.attempt(f"h{abs(hash(request.node.name))}.1")
    yield shared, attempt
    shared.gateway.close(attempt.door.attempt)


def raw(attempt, content: bytes, *, ends: bool = False) -> bytes:
    """Send bytes as they are, with `ends` and nothing more, and return all that comes back until the gateway ends it."""
    with attempt.connect() as connection:
        answer = b""
        try:
            connection.sendall(content)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                answer += piece
        except ConnectionError:
            pass
        return answer


LENGTH = b"Content-Length: %d\r\n" % len(BODY)


@pytest.mark.parametrize(
    "content",
    [
        LINE + KEYED + LENGTH + b"Content-Length: 3\r\n\r\n" + BODY,
        LINE + KEYED + b"Content-Length: 3, %d\r\n\r\n" % len(BODY) + BODY,
        LINE + KEYED + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
        LINE + KEYED + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
        LINE + KEYED + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + BODY,
        LINE + KEYED + LENGTH + b"X-A: b\r\n X-Evil: folded\r\n\r\n" + BODY,
        LINE + KEYED + LENGTH + b"X-A: b\rX-Evil: 1\r\n\r\n" + BODY,
        LINE + KEYED + LENGTH + b"X-A: b\x00c\r\n\r\n" + BODY,
        LINE + KEYED + LENGTH + b"X A: b\r\n\r\n" + BODY,
        LINE + KEYED + LENGTH + b": b\r\n\r\n" + BODY,
        LINE.replace(b"/anthropic", b"http://127.0.0.1/anthropic") + KEYED + LENGTH + b"\r\n" + BODY,
        LINE.replace(b"/anthropic", b"//anthropic") + KEYED + LENGTH + b"\r\n" + BODY,
        LINE.replace(b"/v1/", b"/v1/../v1/") + KEYED + LENGTH + b"\r\n" + BODY,
        LINE.replace(b"/v1/", b"/%2e%2e/v1/") + KEYED + LENGTH + b"\r\n" + BODY,
        LINE.replace(b"messages", b"messages%0d%0aX-Evil:1") + KEYED + LENGTH + b"\r\n" + BODY,
        LINE + KEYED + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
        LINE + KEYED + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY,
        LINE + KEYED + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + BODY,
    ],
)
def test_a_head_or_body_that_can_be_read_in_two_ways_does_not_leave(story, content):
    found, attempt = story
    answer = raw(attempt, content, ends=True)
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert found.upstream.seen == []
    assert attempt.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200, "others are served as before"


def test_a_body_in_chunks_leaves_as_one_with_its_length_and_without_trailers(story):
    found, attempt = story
    chunks = b"".join(
        b"%x;ext=1\r\n%b\r\n" % (len(BODY[at : at + 7]), BODY[at : at + 7]) for at in range(0, len(BODY), 7)
    )
    answer = raw(
        attempt,
        LINE
        + KEYED
        + b"Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: close\r\n\r\n"
        + chunks
        + b"0\r\nX-Evil: 1\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 200")
    (seen,) = found.upstream.seen
    assert seen.body == BODY
    names = {name.lower() for name in seen.headers}
    assert ("content-length" in names, names & {"transfer-encoding", "x-evil", "te", "trailer"}) == (True, set())


def test_what_follows_a_body_is_a_request_of_its_own_and_needs_the_token_too(story):
    found, attempt = story
    second = LINE + b"Host: x\r\nConnection: close\r\n" + LENGTH + b"\r\n" + BODY
    answer = raw(attempt, LINE + KEYED + LENGTH + b"\r\n" + BODY + second)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 401") == 1
    assert len(found.upstream.seen) == 1
    facts = found.settled(2, attempt.door.attempt)
    assert [each.outcome for each in facts] == [RequestOutcome.ANSWERED, RequestOutcome.REFUSED]


def test_what_is_escaped_stays_escaped_on_its_way(story):
    found, attempt = story
    attempt.ask("/anthropic/v1/messages?beta=true%0d%0aX-Evil:%201&key=mine", asked("anthropic"))
    (seen,) = found.upstream.seen
    assert seen.path == "/v1/messages?beta=true%0d%0aX-Evil:%201"
    assert "x-evil" not in {name.lower() for name in seen.headers}


def test_an_agent_cannot_talk_its_way_into_another_protocol(story):
    found, attempt = story
    more = b"Connection: close, Upgrade, X-Drop\r\nUpgrade: websocket\r\nX-Drop: 1\r\n"
    answer = raw(attempt, LINE + KEYED + LENGTH + more + b"\r\n" + BODY)
    assert b"101" not in answer[:15]
    for seen in found.upstream.seen:
        assert not {name.lower() for name in seen.headers} & {"upgrade", "x-drop"}


def test_a_request_that_comes_byte_by_byte_is_one(story):
    found, attempt = story
    with attempt.connect() as connection:
        for byte in LINE + KEYED + LENGTH + b"Connection: close\r\n\r\n" + BODY:
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert [each.body for each in found.upstream.seen] == [BODY]


def test_half_a_body_never_leaves_and_costs_nothing(story):
    found, attempt = story
    with attempt.connect() as connection:
        connection.sendall(LINE + KEYED + LENGTH + b"\r\n" + BODY[:-1])
    (fact,) = found.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.tokens, fact.usd) == (RequestOutcome.CANCELLED, 0, 0.0)
    assert found.upstream.seen == []


def test_whoever_does_not_read_stalls_itself_and_nobody_else_and_pays_for_what_came(story):
    found, attempt = story
    piece = event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x" * 60_000}})

    def answer(asked, send):
        if b"stall" not in asked.body:
            plain(200, {"type": "message", "usage": {"input_tokens": 1, "output_tokens": 1}})(asked, send)
            return
        send(head(200, {"Content-Type": "text/event-stream"}))
        while True:
            send(piece)

    found.upstream.answer = answer
    with attempt.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalling = json.dumps({**asked("anthropic"), "max_tokens": 10**6, "system": "stall"}).encode()
        connection.sendall(LINE + KEYED + b"Content-Length: %d\r\n\r\n" % len(stalling) + stalling)
        assert connection.recv(10)
        assert attempt.ask("/anthropic/v1/messages", asked("anthropic", stream=False))[0] == 200
    assert found.upstream.gone.wait(30), "the provider is told to stop"
    facts = {each.outcome: each for each in found.settled(2, attempt.door.attempt)}
    assert facts[RequestOutcome.CANCELLED].tokens >= 20_000, "at least the piece that was on its way"


def test_many_that_begin_and_never_go_on_keep_nobody_else_out(story):
    found, attempt = story
    other = found.attempt(f"{attempt.door.task}-other.1")
    held = [attempt.connect() for _ in range(80)]
    for connection in held:
        connection.sendall(LINE)
    assert other.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200
    for connection in held:
        connection.close()
    assert eventually(lambda: attempt.ask("/anthropic/v1/messages", asked("anthropic"))[0] == 200)
