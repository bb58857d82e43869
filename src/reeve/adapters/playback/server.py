"""The server as a program of its own, and as an object for tests."""

import asyncio
import signal
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import TracebackType
from typing import Self

from aiohttp import web

from reeve.adapters.playback.front import Front
from reeve.adapters.playback.messages import Source
from reeve.adapters.playback.player import Player
from reeve.adapters.playback.script import Script, script_of
from reeve.adapters.playback.scripted import Scripted
from reeve.adapters.playback.seen import Seen

__all__ = ["PlaybackServer", "Serving", "listening", "serve"]

MAX_SEEN = 100_000
STOPPING_SECONDS = 0.2
"""How long answers under way may go on when the server ends."""


Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Opened = AbstractAsyncContextManager[Answering]
"""What answers requests, opened inside the loop that serves them."""


@asynccontextmanager
async def listening(answer: Answering, host: str, port: int) -> AsyncIterator[str]:
    """Serve requests while the context is open; gives the address. Port 0: a free one."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=STOPPING_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        found = runner.addresses[0]
        yield f"http://{f'[{found[0]}]' if ':' in found[0] else found[0]}:{found[1]}"
    finally:
        await runner.cleanup()


def serve(opened: Opened, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve requests until the process is told to end (SIGINT, SIGTERM); `ready` is told the address."""
    asyncio.run(_served(opened, host, port, ready))


async def _served(opened: Opened, host: str, port: int, ready: Callable[[str], None]) -> None:
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    async with opened as answer, listening(answer, host, port) as address:
        ready(address)
        await over.wait()


class Serving:
    """Serves requests in a thread of this process while the context is open, at `address`."""

    def __init__(self, opened: Opened, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.address = ""
        self._opened, self._place = opened, (host, port)
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="playback", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            raise self._problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            except BaseException as problem:  # raised where the context is entered
                self._problem = problem
            finally:
                self._ready.set()

    async def _serve(self) -> None:
        async with self._opened as answer, listening(answer, *self._place) as self.address:
            self._ready.set()
            await self._over.wait()


class PlaybackServer(Serving):
    """A playback server in a thread of this process, while the context is open.

    `script` is a Script, plain data as in `script_of`, several of either by name, or None where every prompt carries
    a marker; `source` answers in its stead. `seen` are the requests so far, the newest 100,000.
    """

    def __init__(
        self,
        script: object = None,
        *,
        key: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        source: Source | None = None,
    ) -> None:
        self._records: deque[Seen] = deque(maxlen=MAX_SEEN)
        front = Front(source or Scripted(Player(_scripts(script))), record=self._records.append, key=key)
        super().__init__(nullcontext(front), host=host, port=port)

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The requests so far, in the order in which they were answered."""
        return tuple(self._records)


def _scripts(script: object) -> Mapping[str, Script]:
    if script is None:
        return {}
    if isinstance(script, Script):
        return {"": script}
    if isinstance(script, Mapping) and "turns" not in script:
        return {name: each if isinstance(each, Script) else script_of(each) for name, each in script.items()}
    return {"": script_of(script)}
