"""Traffic that is recorded on its way to a model, and played again without one."""

import http.client
import json
import re
import socket
import threading
from contextlib import contextmanager

import pytest
from asking import APIS, ask, send

from reeve.adapters.playback.likeness import likeness
from reeve.adapters.playback.messages import Received
from reeve.adapters.playback.recorder import recorder
from reeve.adapters.playback.recording import Exchange, Recorded, is_recording, read_recording
from reeve.adapters.playback.script import Delay, ScriptError, marker
from reeve.adapters.playback.server import PlaybackServer, Serving

SECRET = "sk-the-real-key-of-somebody"
SCRIPT = [[{"thought": "Hm."}, {"text": "Größe \U0001f642 " * 30}, {"run": "ls"}, {"delay": 0.02}, {"text": "."}]]


@contextmanager
def recording(upstream, path):
    """A recorder in front of an upstream."""
    with path.open("a") as file, Serving(recorder(upstream, file.write)) as serving:
        yield serving.address


def exchange(body, text, path="/v1/messages", *, seconds=0.0):
    received = Received("POST", path, "", {}, body)
    chunks = [(seconds, b"data: "), (seconds + 1, text + b"\n\n")]
    return Exchange(received, 200, {"content-type": "text/event-stream"}, chunks)


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", APIS)
def test_what_was_recorded_is_played_again_without_the_model(api, stream, tmp_path):
    path = tmp_path / "some.jsonl"
    with PlaybackServer(SCRIPT, key=SECRET) as upstream, recording(upstream.address, path) as address:
        heard = ask(api, address, "Look around.", stream=stream, key=SECRET)
    assert SECRET not in path.read_text()
    assert is_recording(path)
    with PlaybackServer(source=Recorded(read_recording(path))) as server:
        assert ask(api, server.address, "Look around.", stream=stream, key="no key at all") == heard


def test_every_byte_passes_in_both_directions_and_nothing_is_added(tmp_path):
    path = tmp_path / "some.jsonl"
    body = json.dumps(
        {"model": "m", "stream": True, "messages": [{"role": "user", "content": marker(SCRIPT)}]}
    ).encode()
    with PlaybackServer() as upstream, recording(f"{upstream.address}/base", path) as address:
        through = send(
            address, "/v1/messages?beta=true&key=abc", body, headers={"anthropic-version": "1", "x-own": "2"}
        )
        (seen,) = upstream.seen
        assert send(upstream.address, "/base/v1/messages?beta=true", body)[2] == through[2]
    assert seen.path == "/base/v1/messages?beta=true"
    assert {"anthropic-version", "x-own", "accept-encoding"} < set(seen.headers)
    (recorded,) = read_recording(path)
    assert b"".join(content for _, content in recorded.chunks) == through[2]
    assert (recorded.received.body, recorded.whole) == (body, True)
    assert recorded.received.query == "beta=true"
    assert "x-own" not in path.read_text()


def test_errors_of_the_provider_are_recorded_too(tmp_path):
    path = tmp_path / "some.jsonl"
    body = json.dumps(
        {"messages": [{"role": "user", "content": marker([[{"error": {"status": 429, "retry_after": 3}}]])}]}
    ).encode()
    with PlaybackServer() as upstream, recording(upstream.address, path) as address:
        assert send(address, "/v1/messages", body)[0] == 429
    with PlaybackServer(source=Recorded(read_recording(path))) as server:
        status, headers, _ = send(server.address, "/v1/messages", body)
    assert (status, headers["retry-after"]) == (429, "3")


def test_an_upstream_that_is_not_there_is_an_error_of_the_gateway(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    path = tmp_path / "some.jsonl"
    with recording(address, path) as recorder_address:
        status, _, said = send(recorder_address, "/v1/messages", b"{}")
    assert (status, path.read_text()) == (502, "")
    assert "cannot be asked" in json.loads(said)["error"]["message"]


def test_an_upstream_that_breaks_off_is_seen_to_break_off_and_is_asked_for_plain_text(tmp_path):
    path = tmp_path / "some.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = []
        threading.Thread(target=_half_an_answer, args=[listener, asked], daemon=True).start()
        upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
        broken = pytest.raises((OSError, http.client.HTTPException))
        with recording(upstream, path) as address, broken:
            send(address, "/v1/messages", b"{}", headers={"accept-encoding": "gzip"})
    assert b"accept-encoding: identity" in asked[0].lower()
    (recorded,) = read_recording(path)
    assert (recorded.whole, recorded.chunks[0][1]) == (False, b"half")


def _half_an_answer(listener, asked):
    connection, _ = listener.accept()
    with connection:
        asked.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


# ---------------------------------------------------------------- playing


def test_repeats_are_played_in_their_order_and_the_last_one_stays():
    played = Recorded(
        [exchange(b'{"a": 1}', b"first"), exchange(b'{"b": 1}', b"other"), exchange(b'{"a": 1}', b"second")]
    )
    received = Received("POST", "/v1/messages", "", {}, b'{"a": 1}')
    answers = [b"".join(played.answer(received).chunks) for _ in range(3)]
    assert answers == [b"data: first\n\n", b"data: second\n\n", b"data: second\n\n"]


def test_what_was_not_recorded_is_said_to_be_missing():
    with PlaybackServer(source=Recorded([exchange(b'{"a": 1}', b"first")])) as server:
        status, _, said = send(server.address, "/v1/messages", b'{"a": 2}')
    assert status == 404
    message = json.loads(said)["error"]["message"]
    assert re.search("holds no answer to this POST /v1/messages: of its requests, 1 are to this address", message)


def test_the_real_pace_is_that_of_the_provider():
    received = Received("POST", "/v1/messages", "", {}, b"{}")
    at_once = Recorded([exchange(b"{}", b"x", seconds=2.5)]).answer(received)
    as_it_came = Recorded([exchange(b"{}", b"x", seconds=2.5)], real_pace=True).answer(received)
    assert (at_once.before_seconds, list(at_once.chunks)) == (0.0, [b"data: ", b"x\n\n"])
    assert as_it_came.before_seconds == 2.5
    assert list(as_it_came.chunks) == [b"data: ", Delay(before_seconds=1.0), b"x\n\n"]


def test_a_recording_that_is_none_is_named_with_its_line(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(exchange(b"{}", b"x").line + '{"recorded": 1, "method": 3}\n')
    with pytest.raises(ScriptError, match=r"some.jsonl:2: method: must be a string"):
        read_recording(path)
    path.write_bytes(exchange(b"{}", b"x").line.encode() + b"\xff\n")
    with pytest.raises(ScriptError, match=r"some.jsonl:2: not UTF-8"):
        read_recording(path)


def test_bytes_that_are_no_text_are_recorded_too(tmp_path):
    path = tmp_path / "some.jsonl"
    content = bytes(range(256))
    path.write_text(exchange(content, content).line)
    (recorded,) = read_recording(path)
    assert recorded.received.body == content
    assert recorded.chunks[1][1] == content + b"\n\n"


# ---------------------------------------------------------------- the same request


def asked(body):
    return likeness("POST", "/v1/x", json.dumps(body).encode())


def result(text, kind):
    """One message with what a tool returned, as each API writes it."""
    return {
        "anthropic": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": text, "content": text}]},
        "responses": {"type": "function_call_output", "id": text, "call_id": text, "output": text},
        "chat": {"role": "tool", "tool_call_id": text, "content": text},
        "gemini": {"functionResponse": {"id": text, "name": "run", "response": {"output": text}}},
    }[kind]


@pytest.mark.parametrize("kind", APIS)
def test_sessions_days_and_durations_make_no_other_request(kind):
    today = {"model": "m", "messages": ["Today is 2026-11-24."], "metadata": {"user_id": "a"}, "prompt_cache_key": "x"}
    later = {"prompt_cache_key": "y", "messages": ["Today is 2027-01-02."], "model": "m", "user": "somebody"}
    first, second = "Chunk ID: abcdef\n2 passed in 0.01s", "Chunk ID: 741c60\n2 passed in 11.5s"
    before, after = {"id": "msg_a", "text": "Run them."}, {"id": "msg_b", "text": "Run them."}
    assert asked(today | {"input": [before, result(first, kind)]}) == asked(
        later | {"input": [after, result(second, kind)]}
    )
    assert asked(today | {"input": [result(first, kind)]}) != asked(later | {"input": [result("1 failed", kind)]})


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"messages": ["task 2"]}, {"tools": [{"name": "run"}]}, {"stream": True}]
)
def test_another_question_is_another_request(change):
    assert asked({"model": "m", "messages": ["task 1"]} | change) != asked({"model": "m", "messages": ["task 1"]})


def test_a_body_that_is_no_json_counts_as_it_is():
    deep = b"[" * 100_000
    assert likeness("POST", "/x", deep) == likeness("POST", "/x", deep) != likeness("POST", "/x", b"[")
