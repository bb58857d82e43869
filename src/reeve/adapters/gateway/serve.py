"""The process of the gateway: what it is told on standard input, and what it says on standard output."""

import asyncio
import ctypes
import fcntl
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeve.adapters.gateway.configuration import Configuration
from reeve.adapters.gateway.counting import Counting
from reeve.adapters.gateway.doors import Doors
from reeve.adapters.gateway.models import upstream
from reeve.adapters.gateway.proxy import Dial, Proxy, dial
from reeve.errors import GatewayError, ReeveError
from reeve.ledger.codec import decode, encode
from reeve.ports import Fact, Spent
from reeve.records import Door

__all__ = ["serve"]

LINE_BYTES = 16 << 20
LOCK_SECONDS = 15.0
PR_SET_DUMPABLE = 4


class Voice:
    """Says lines on standard output."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def say(self, message: Mapping[str, Any]) -> None:
        """Say one line."""
        self._writer.write(json.dumps(message).encode() + b"\n")

    def spent(self, attempt: str, spent: Spent) -> None:
        """Say what an attempt has spent."""
        self.say({"spent": attempt, **encode(spent)})

    def paused(self, fact: Fact) -> None:
        """Say that a provider has asked everybody to wait."""
        self.say({"paused": encode(fact)})

    async def end(self) -> None:
        """Have everything said, unless nobody listens any more."""
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


def serve(dial_host: Dial = dial) -> None:
    """Run until standard input closes.

    `dial_host` takes the place of looking hosts up and connecting to them. It is for tests, which start a program of
    their own: no setting and no line on standard input leads here.
    """
    os.umask(0o077)
    # Nobody but root reads the keys out of this process: no core, no tracing, no /proc/PID/mem.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    asyncio.run(_serve(dial_host))


async def _serve(dial_host: Dial) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdout)
    voice = Voice(asyncio.StreamWriter(transport, protocol, None, loop))
    try:
        await _run(told, voice, dial_host)
    except (ReeveError, OSError) as error:
        voice.say({"failed": str(error)})
    await voice.end()


async def _run(told: asyncio.StreamReader, voice: Voice, dial_host: Dial) -> None:
    configuration = decode(Configuration, json.loads(await told.readline()))
    folder = Path(configuration.folder)
    lock = await _only(folder)
    counting = Counting(configuration, voice.spent, voice.paused)
    await counting.start()
    under_way: set[asyncio.Task[None]] = set()
    async with upstream() as session:
        doors = Doors(counting, session, Proxy(counting, dial_host), folder)
        voice.say({"ready": os.getpid()})
        try:
            while line := await told.readline():
                task = asyncio.create_task(_obey(json.loads(line), doors, counting, voice))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            await doors.end()
            await counting.end()
            os.close(lock)


async def _obey(message: Mapping[str, Any], doors: Doors, counting: Counting, voice: Voice) -> None:
    """Open or close a door; what it spent until then is said before that is."""
    attempt = message["open"]["attempt"] if "open" in message else message["close"]
    try:
        if "open" in message:
            await doors.open(decode(Door, message["open"]))
        else:
            await doors.close(attempt)
    except ReeveError as error:
        voice.say({"failed": str(error), "attempt": attempt})
        return
    counting.tell()
    voice.say({"opened" if "open" in message else "closed": attempt})


async def _only(folder: Path) -> int:
    """Hold the one right to be the gateway of a folder; one that is about to end is waited for."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor = os.open(folder / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout(LOCK_SECONDS):
            while not _locked(descriptor):  # noqa: ASYNC110 - the kernel tells nobody when a lock is free
                await asyncio.sleep(0.05)
    except TimeoutError:
        os.close(descriptor)
        raise GatewayError(f"another gateway works in {folder}; end the `reeve run` that it belongs to") from None
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
