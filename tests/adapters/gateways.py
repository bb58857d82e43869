"""What the tests of the gateway share: a provider that answers as it is told, and an attempt with a door."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from reeve.adapters.gateway.handover import connect
from reeve.adapters.gateway.process import GatewayProcess
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.ledger.codec import decode
from reeve.records import Api, Door, Limits, Pause, Provider, Request

KEY = "sk-the-real-key-of-the-owner"
TOKEN = "token-of-this-attempt-alone"
PATHS = {
    "anthropic": "/v1/messages",
    "responses": "/v1/responses",
    "chat": "/v1/chat/completions",
    "gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
}

PROVIDER = {"anthropic": "anthropic", "responses": "openai", "chat": "openai", "gemini": "gemini"}
MODEL = {"anthropic": "claude-sonnet-4-5", "responses": "gpt-5", "chat": "gpt-5", "gemini": "gemini-2.5-flash"}


def asked(name: str, *, stream: bool = True) -> dict[str, object]:
    if name == "gemini":
        return {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    options = {"stream_options": {"include_usage": True}} if name == "chat" and stream else {}
    return {"model": MODEL[name], "stream": stream, "max_tokens": 100, "messages": []} | options


@dataclass
class Asked:
    """A request as the provider saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Upstream:
    """A provider on loopback; `answer` gets each request and writes to the connection by `send`."""

    def __init__(self, port: int = 0) -> None:
        self.seen: list[Asked] = []
        self.answer: Callable[[Asked, Callable[[bytes], None]], None] = plain(200, {})
        self.gone = threading.Event()  # a write failed: the gateway is not there any more
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                del args

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
                outer.seen.append(asked)
                self.close_connection = True
                try:
                    outer.answer(asked, self._send)
                except OSError:
                    outer.gone.set()

            def _send(self, data: bytes) -> None:
                self.wfile.write(data)
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one  # noqa: N815 - the names http.server calls

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def head(status: int, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Whatever",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Connection: close",
    ]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def plain(status: int, body: object, headers: Mapping[str, str] | None = None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda asked, send: send(head(status, {"Content-Type": "application/json", **(headers or {})}, content))


def events(*pieces: bytes, headers: Mapping[str, str] | None = None):
    """Stream: the head, then each piece as it is; the connection's end is the stream's."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head(200, {"Content-Type": "text/event-stream", **(headers or {})}))
        for piece in pieces:
            send(piece)

    return answer


def event(message: object, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + json.dumps(message).encode() + b"\n\n"


def said(name: str, text: str = "hello", *, input_tokens: int = 11, output_tokens: int = 7) -> bytes:
    """A whole stream of each API, in which a few tokens are cached and a few were thought."""
    if name == "anthropic":
        usage = {"input_tokens": input_tokens, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}
        return b"".join(
            event(each, each["type"])
            for each in (
                {"type": "message_start", "message": {"usage": {**usage, "output_tokens": 1}}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": output_tokens},
                },
                {"type": "message_stop"},
            )
        )
    if name == "responses":
        usage = {
            "input_tokens": input_tokens + 5,
            "input_tokens_details": {"cached_tokens": 5},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 2},
        }
        return event({"type": "response.output_text.delta", "delta": text}) + event(
            {"type": "response.completed", "response": {"id": "r", "status": "completed", "usage": usage}}
        )
    if name == "chat":
        usage = {
            "prompt_tokens": input_tokens + 5,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens": output_tokens,
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        return (
            event({"choices": [{"index": 0, "delta": {"content": text}}], "usage": None})
            + event({"choices": [], "usage": usage})
            + b"data: [DONE]\n\n"
        )
    usage = {
        "promptTokenCount": input_tokens + 5,
        "cachedContentTokenCount": 5,
        "candidatesTokenCount": output_tokens - 2,
        "thoughtsTokenCount": 2,
    }
    return event(
        {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}], "usageMetadata": usage}
    )


@dataclass
class Attempt:
    """An attempt whose two sockets were handed over; `ask` is what its agent does."""

    door: Door
    api: socket.socket
    proxy: socket.socket
    runner: socket.socket

    def connect(self, which: str = "api") -> socket.socket:
        connection = socket.create_connection(getattr(self, which).getsockname(), timeout=30)
        connection.settimeout(30)
        return connection

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.api.getsockname(), timeout=30)

    def ask(self, path: str, body: object = None, *, method: str = "POST", headers: Mapping[str, str] | None = None):
        """One request on a connection of its own; returns status, headers (their names in lower case) and body."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(self.client()) as client:
            client.request(method, path, content, {"x-api-key": TOKEN} if headers is None else dict(headers))
            with client.getresponse() as answer:
                headers = {name.lower(): value for name, value in answer.getheaders()}
                return answer.status, headers, answer.read()

    def close(self) -> None:
        for each in (self.runner, self.api, self.proxy):
            each.close()


def hand_over(folder: Path, attempt: str, *sockets: socket.socket) -> tuple[socket.socket, bytes]:
    """What a runner does; returns its connection and what it was told."""
    runner = connect(folder)
    runner.settimeout(30)
    socket.send_fds(runner, [json.dumps({"attempt": attempt}).encode() + b"\n"], [each.fileno() for each in sockets])
    return runner, runner.recv(4096)


@dataclass
class Site:
    """A gateway with its provider under every name, and the ledger beside it."""

    folder: Path
    upstream: Upstream
    gateway: GatewayProcess
    attempts: list[Attempt] = field(default_factory=list)

    def attempt(
        self,
        name: str = "fix.1",
        *,
        limits: Limits | None = None,
        providers: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
    ) -> Attempt:
        names = providers or ("anthropic", "openai", "gemini")
        door = Door(name, name.rpartition(".")[0], self.gateway.socket, TOKEN, names, hosts, limits or Limits())
        self.gateway.open(door)
        api, proxy = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        runner, answer = hand_over(self.folder / "gateway", name, api, proxy)
        assert answer == b"ok\n"
        attempt = Attempt(door, api, proxy, runner)
        self.attempts.append(attempt)
        return attempt

    def requests(self, name: str | None = None) -> list[Request]:
        found = [decode(Request, fact.body) for fact in self.store().facts("request")]
        return [each for each in found if name in (None, each.attempt)]

    def pauses(self) -> list[Pause]:
        return [decode(Pause, fact.body) for fact in self.store().facts("pause")]

    def store(self) -> SqliteStore:
        return SqliteStore(self.folder / "store")

    def settled(self, count: int, name: str | None = None) -> list[Request]:
        """Wait until so many requests are facts."""
        return eventually(lambda: found if len(found := self.requests(name)) >= count else None)


def eventually(look: Callable[[], object], seconds: float = 30.0):
    """Wait for something that becomes true by itself; generous, because it ends as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


def providers(url: str) -> dict[str, Provider]:
    return {
        "anthropic": Provider("anthropic", Api.ANTHROPIC, url, KEY),
        "openai": Provider("openai", Api.OPENAI, url, KEY),
        "gemini": Provider("gemini", Api.GEMINI, url, KEY),
    }


@contextmanager
def site(folder: Path, **options: object) -> Iterator[Site]:
    """Run a gateway; `options` as GatewayProcess takes them."""
    upstream = Upstream()
    gateway = GatewayProcess(
        folder / "gateway", folder / "store", providers(upstream.url), **{"run": "run-1", **options}
    )
    found = Site(folder, upstream, gateway)
    try:
        yield found
    finally:
        gateway.shutdown()
        for attempt in found.attempts:
            attempt.close()
        upstream.close()
