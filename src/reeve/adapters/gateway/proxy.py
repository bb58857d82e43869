"""The door to other hosts: CONNECT to exactly those that the owner lists, and so many bytes and no more."""

import asyncio
import re
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from reeve.adapters.gateway.addresses import Dial, dial
from reeve.adapters.gateway.counting import Counting, Visitor
from reeve.adapters.gateway.exchange import Exchange, Refused
from reeve.records import RequestOutcome

__all__ = ["Dial", "Proxy", "dial"]

HEAD_BYTES = 8 << 10
HEAD_SECONDS = 15.0
IDLE_SECONDS = 300.0
LINGER_SECONDS = 2.0
PIECE_BYTES = 64 << 10
CONNECT = re.compile(rb"CONNECT ([A-Za-z0-9.-]+):([0-9]{1,5}) HTTP/1\.[01]")
REASONS = {400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 502: "Bad Gateway"}


class Proxy:
    """Serves the tunnels of all attempts."""

    def __init__(self, counting: Counting, dial_host: Dial) -> None:
        self._counting = counting
        self._dial = dial_host

    async def serve(self, visitor: Visitor, connection: socket.socket) -> None:
        """Serve one connection from its first byte to its last."""
        reader, writer = await asyncio.open_connection(sock=connection, limit=HEAD_BYTES)
        try:
            try:
                async with asyncio.timeout(HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, TimeoutError, OSError):
                return  # nothing was asked
            except asyncio.LimitOverrunError:
                head = b""
            await self._tunnel(visitor, head, reader, writer)
        except OSError:
            return  # whoever asked is gone, and that is written down already
        finally:
            writer.transport.abort()

    async def _tunnel(
        self, visitor: Visitor, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line = head.split(b"\r\n", 1)[0]
        words = line.decode("latin-1").split(" ")
        method, target = (words[0], words[1]) if len(words) == 3 else ("?", line.decode("latin-1"))
        exchange = Exchange(self._counting, visitor, method=method, path="", host=target, provider="")
        try:
            host, port = _listed(line, visitor.door.hosts)
            exchange.request = replace(exchange.request, host=f"{host}:{port}")
            await self._through(exchange, host, port, len(head), (reader, writer))
        except Refused as refused:
            exchange.settle(refused.outcome, status=refused.status, reason=str(refused))
            await _say(reader, writer, refused.status, str(refused))
        except OSError as error:
            exchange.settle(RequestOutcome.UNREACHABLE, status=502, reason=str(error))
            await _say(reader, writer, 502, str(error))
        except asyncio.CancelledError as ended:
            exchange.settle(RequestOutcome.CANCELLED, reason=str(ended.args[0]) if ended.args else "the attempt ended")
            raise
        finally:
            exchange.settle(RequestOutcome.UNREACHABLE, reason="the gateway itself failed at it")

    async def _through(
        self,
        exchange: Exchange,
        host: str,
        port: int,
        head_bytes: int,
        agent: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        allowance = self._counting.traffic.allowance(exchange.request.attempt, exchange.request.host)

        def take(count: int) -> bool:
            before = allowance.reserved
            if not allowance.take(count):
                return False
            exchange.bytes_sent += count
            if allowance.reserved != before:
                self._counting.write_down(replace(exchange.request, bytes_sent=allowance.reserved))
            return True

        try:
            if not take(head_bytes):
                raise Refused(403, _used_up(host), RequestOutcome.OVER_BUDGET)
            there = await self._dial(host, port)
            try:
                agent[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                outcome, reason = await _both_ways(agent, there, take, exchange.received)
            finally:
                there[1].transport.abort()
            exchange.settle(outcome, status=200, reason=_used_up(host) if outcome is RequestOutcome.CUT_OFF else reason)
        finally:
            allowance.settle()


def _listed(line: bytes, hosts: Collection[str]) -> tuple[str, int]:
    """Read what is asked for; only letters, digits, points and hyphens can be a name, so nothing can hide in it."""
    found = CONNECT.fullmatch(line)
    if found is None:
        if re.match(rb"[A-Z]+ [a-z]+://", line):
            raise Refused(405, "plain HTTP does not go through here; ask with https, and so with CONNECT")
        raise Refused(400, "expected CONNECT name:port HTTP/1.1")
    host, port = found[1].decode().lower(), int(found[2])
    if f"{host}:{port}" not in hosts:
        raise Refused(403, f"{host}:{port} is not listed in [network] hosts of reeve.toml")
    return host, port


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(
    agent: Streams, there: Streams, take: Callable[[int], bool], received: Callable[[bytes], None]
) -> tuple[RequestOutcome, str]:
    """Carry bytes until both sides have ended, one breaks, nothing comes for long, or there is nothing left to send."""
    loop = asyncio.get_running_loop()
    moved = loop.time()

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, may: Callable[[bytes], bool]) -> bool:
        nonlocal moved
        while piece := await source.read(PIECE_BYTES):
            moved = loop.time()
            if not may(piece):
                return False
            sink.write(piece)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()
        return True

    def back(piece: bytes) -> bool:
        received(piece)
        return True

    out = asyncio.create_task(carry(agent[0], there[1], lambda piece: take(len(piece))))
    home = asyncio.create_task(carry(there[0], agent[1], back))
    waiting: set[asyncio.Task[bool]] = {out, home}
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=5.0, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is not None:
                    return RequestOutcome.ANSWERED, f"one side broke off: {type(task.exception()).__name__}"
                if not task.result():
                    return RequestOutcome.CUT_OFF, ""
            if loop.time() - moved > IDLE_SECONDS:
                return RequestOutcome.ANSWERED, f"nothing was said for {IDLE_SECONDS:g} seconds"
    finally:
        for task in (out, home):
            task.cancel()
        await asyncio.gather(out, home, return_exceptions=True)
    return RequestOutcome.ANSWERED, ""


def _used_up(host: str) -> str:
    return (
        f"what may be sent to {host} is used up, by this attempt or by the run; [network] of reeve.toml has the limits"
    )


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, message: str) -> None:
    """Answer and end; what is still being sent is read first, or the kernel would take the answer back."""
    body = f"{message}\n".encode()
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    with suppress(OSError, TimeoutError):
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(PIECE_BYTES):
                pass
