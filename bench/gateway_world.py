"""A provider and an agent, and a real gateway process between them. As a program: a provider that always says the same."""

import asyncio
import json
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reeve.adapters.gateway.handover import connect
from reeve.adapters.gateway.process import GatewayProcess
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.ledger.codec import decode
from reeve.records import Api, Door, Limits, Provider, Request

__all__ = [
    "DELTA",
    "EVENTS",
    "START",
    "STOP",
    "Answer",
    "Attempt",
    "Streams",
    "World",
    "ask",
    "chunked",
    "connected",
    "event",
    "provider",
    "question",
    "world",
]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, bool]]
"""Answers one request, given its body; says whether the connection can go on."""

TOKEN, KEY = "token-of-an-attempt", "sk-key-of-the-owner"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
BUFFER_BYTES = 1 << 20
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
START = {"type": "message_start", "message": {"usage": {"input_tokens": 12_000, "output_tokens": 1}}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word " * 8}}
STOP = {"type": "message_stop"}


def event(message: object) -> bytes:
    """One event, as one chunk of HTTP."""
    data = b"data: " + json.dumps(message).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Attempt:
    """An attempt whose door is open."""

    name: str
    api: socket.socket
    proxy: socket.socket
    runner: socket.socket

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.api.getsockname()
        return host, port

    def close(self) -> None:
        for each in (self.runner, self.api, self.proxy):
            each.close()


@dataclass
class World:
    """A gateway on a ledger of its own, with its provider at `url` under the names of all APIs."""

    folder: Path
    gateway: GatewayProcess
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def process(self) -> int:
        pid = self.gateway.pid
        assert pid is not None
        return pid

    def attempt(self, name: str) -> Attempt:
        names = ("anthropic", "openai", "gemini")
        self.gateway.open(Door(name, name.rpartition(".")[0], self.gateway.socket, TOKEN, names, (), Limits()))
        api, proxy = (socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(2))
        runner = connect(self.folder / "gateway")
        socket.send_fds(runner, [json.dumps({"attempt": name}).encode() + b"\n"], [api.fileno(), proxy.fileno()])
        if (said := runner.recv(4096)) != b"ok\n":
            raise RuntimeError(f"handing over the sockets of {name}: {said!r}")
        self.attempts.append(Attempt(name, api, proxy, runner))
        return self.attempts[-1]

    def requests(self) -> list[Request]:
        """Close all doors, after which every request is a fact, and return those."""
        for attempt in self.attempts:
            self.gateway.close(attempt.name)
        return [decode(Request, fact.body) for fact in SqliteStore(self.folder / "store").facts("request")]


@contextmanager
def world(url: str, prices: str) -> Iterator[World]:
    """Run a gateway before a provider."""
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as name:
        folder = Path(name)
        (folder / "prices.toml").write_text(prices)
        providers = {
            each.name: each
            for each in (
                Provider("anthropic", Api.ANTHROPIC, url, KEY),
                Provider("openai", Api.OPENAI, url, KEY),
                Provider("gemini", Api.GEMINI, url, KEY),
            )
        }
        gateway = GatewayProcess(
            folder / "gateway", folder / "store", providers, run="bench", prices=folder / "prices.toml"
        )
        found = World(folder, gateway)
        try:
            yield found
        finally:
            gateway.shutdown()
            for attempt in found.attempts:
                attempt.close()


# ---------------------------------------------------------------- the provider


@asynccontextmanager
async def provider(serve: Serve) -> AsyncIterator[str]:
    """Listen as a provider; gives its address."""

    open_ones: set[asyncio.Task[None] | None] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            goes_on = True
            while goes_on:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                goes_on = await serve(await reader.readexactly(int(length[1]) if length else 0), reader, writer)
        writer.close()
        open_ones.discard(asyncio.current_task())

    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=BUFFER_BYTES, backlog=1024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        left = [task for task in open_ones if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left)


def chunked(content: bytes, random: Random) -> bytes:
    """Cut into chunks of HTTP at any byte."""
    cuts = sorted(random.sample(range(1, len(content)), min(4, len(content) - 1)))
    pieces = [content[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


# ---------------------------------------------------------------- the agent


@dataclass(frozen=True)
class Answer:
    """What an agent got; `whole` is false where the connection broke off."""

    status: int
    body: bytes
    whole: bool = True


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Streams]:
    """Connect, and let go at the end, however it comes."""
    reader, writer = await asyncio.open_connection(*address, limit=BUFFER_BYTES)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def question(path: str, body: bytes, *, last: bool = False) -> bytes:
    ends = "Connection: close\r\n" if last else ""
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nx-api-key: {TOKEN}\r\nContent-Type: application/json\r\n{ends}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(streams: Streams, path: str, body: bytes, *, until: int | None = None, last: bool = False) -> Answer:
    """Ask once; with `until`, read so many bytes of the answer and no more."""
    reader, writer = streams
    writer.write(question(path, body, last=last))
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except asyncio.IncompleteReadError:
        return Answer(0, b"", whole=False)
    status = int(head.split(b" ", 2)[1])
    content = bytearray()
    try:
        if b"transfer-encoding: chunked" in head:
            while until is None or len(content) < until:
                size = int(await reader.readuntil(b"\r\n"), 16)
                content += (await reader.readexactly(size + 2))[:-2]
                if not size:
                    break
        elif (length := LENGTH.search(head)) is not None:
            content += await reader.readexactly(int(length[1]))
        else:
            content += await reader.read(-1)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(status, bytes(content), whole=False)
    return Answer(status, bytes(content))


async def _always_the_same() -> None:
    said = EVENTS + event(START) + event(DELTA) + event(STOP) + b"0\r\n\r\n"

    async def serve(body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        del body, reader
        writer.write(said)
        return True

    async with provider(serve) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_always_the_same())
