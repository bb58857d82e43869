"""The doors of all attempts: opened by the host, connected by the runner of each, closed by either."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp

from reeve.adapters.gateway.counting import Counting, Visitor
from reeve.adapters.gateway.handover import HandOver, listen, receive
from reeve.adapters.gateway.models import ModelDoor
from reeve.adapters.gateway.proxy import Proxy
from reeve.records import Door

__all__ = ["Doors"]

API_CONNECTIONS = 64  # of one attempt at one time; further ones wait in the kernel
PROXY_CONNECTIONS = 64
AGAIN_SECONDS = 0.05


class Places:
    """How many connections an attempt may have at one time."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    async def accept(self, listening: socket.socket, begin: Callable[[socket.socket], Awaitable[object]]) -> None:
        """Accept for as long as the socket listens; who begins a connection lets go of its place at its end."""
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:
                self.let_go()
                await asyncio.sleep(AGAIN_SECONDS)  # too many open files, or the other side is gone already
                continue
            except asyncio.CancelledError:
                self.let_go()
                raise
            try:
                await begin(connection)
            except OSError:
                connection.close()
                self.let_go()

    def let_go(self) -> None:
        """One connection is over."""
        self._free.release()


class OpenDoor:
    """One attempt: what its connections are answered by, wherever they are accepted."""

    def __init__(self, counting: Counting, visitor: Visitor, session: aiohttp.ClientSession, proxy: Proxy) -> None:
        self.visitor = visitor
        self._api_places = Places(API_CONNECTIONS)
        self._proxy_places = Places(PROXY_CONNECTIONS)
        self._models = ModelDoor(counting, visitor, session, self._api_places.let_go)
        self._proxy = proxy
        self._accepting: list[asyncio.Task[None]] = []
        self._tunnels: set[asyncio.Task[None]] = set()
        self._handed_over: HandOver | None = None

    async def accept(self, handed_over: HandOver) -> None:
        """Accept on these sockets from now on, and no more on those of before."""
        await self.stop_accepting()
        self._handed_over = handed_over
        self._accepting = [
            asyncio.create_task(self._api_places.accept(handed_over.api, self._begin_api)),
            asyncio.create_task(self._proxy_places.accept(handed_over.proxy, self._begin_tunnel)),
        ]

    async def stop_accepting(self, only: HandOver | None = None) -> None:
        """Close the sockets; with `only`, if they are those."""
        if self._handed_over is None or (only is not None and only is not self._handed_over):
            return
        handed_over, self._handed_over = self._handed_over, None
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        handed_over.close()

    async def close(self, reason: str) -> None:
        """End every connection; what was under way is settled when this returns."""
        await self.stop_accepting()
        under_way = {*self.visitor.under_way, *self._tunnels}
        for task in under_way:
            task.cancel(reason)
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._models.server.shutdown(0.1)

    async def _begin_api(self, connection: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._models.server, connection)

    async def _begin_tunnel(self, connection: socket.socket) -> None:
        task = asyncio.create_task(self._proxy.serve(self.visitor, connection))
        self._tunnels.add(task)
        task.add_done_callback(self._tunnel_over)

    def _tunnel_over(self, task: "asyncio.Task[None]") -> None:
        self._tunnels.discard(task)
        self._proxy_places.let_go()


class Doors:
    """All doors, and the socket on which runners hand theirs over."""

    def __init__(self, counting: Counting, session: aiohttp.ClientSession, proxy: Proxy, folder: Path) -> None:
        self._counting = counting
        self._session = session
        self._proxy = proxy
        self._doors: dict[str, OpenDoor] = {}
        self._runners: set[asyncio.Task[None]] = set()
        self._listening = listen(folder)
        self._accepting = asyncio.create_task(self._accept())

    async def open(self, door: Door) -> Visitor:
        """Serve an attempt from now on, as soon as its runner hands over; again for one that is served."""
        visitor = await self._counting.open(door)
        if door.attempt not in self._doors:
            self._doors[door.attempt] = OpenDoor(self._counting, visitor, self._session, self._proxy)
        return visitor

    async def close(self, attempt: str) -> None:
        """Serve an attempt no more; everything of it is settled and written down when this returns."""
        door = self._doors.pop(attempt, None)
        if door is not None:
            await door.close("the attempt ended")
        await self._counting.flush()
        self._counting.close(attempt)

    async def end(self) -> None:
        """Close everything; connections under way are settled."""
        self._accepting.cancel()
        for task in self._runners:
            task.cancel()
        await asyncio.gather(self._accepting, *self._runners, return_exceptions=True)
        self._listening.close()
        await asyncio.gather(*(door.close("the gateway ended") for door in self._doors.values()))

    # ------------------------------------------------------------ runners

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except OSError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            connection.setblocking(False)
            task = asyncio.create_task(self._hear(connection))
            self._runners.add(task)
            task.add_done_callback(self._runners.discard)

    async def _hear(self, connection: socket.socket) -> None:
        """One runner: its hand-over, then its silence, until it ends."""
        loop = asyncio.get_running_loop()
        with connection, suppress(OSError):
            try:
                handed_over = await receive(connection)
            except (ValueError, TimeoutError) as error:
                await loop.sock_sendall(connection, _refusal(str(error) or "nothing came"))
                return
            door = self._doors.get(handed_over.attempt)
            if door is None:
                handed_over.close()
                await loop.sock_sendall(connection, _refusal("no such attempt is open; it may be later"))
                return
            await door.accept(handed_over)
            try:
                await loop.sock_sendall(connection, b"ok\n")
                while await loop.sock_recv(connection, 4096):
                    pass
            finally:
                await door.stop_accepting(handed_over)


def _refusal(message: str) -> bytes:
    return json.dumps({"error": message}).encode() + b"\n"
