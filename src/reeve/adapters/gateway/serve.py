"""The process of the gateway: what it is told on standard input, and what it says on standard output."""

import asyncio
import fcntl
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeve.adapters.gateway.configuration import Configuration
from reeve.adapters.gateway.counting import Counting, Visitor
from reeve.adapters.gateway.doors import Doors
from reeve.adapters.gateway.models import upstream
from reeve.adapters.gateway.proxy import Dial, Proxy, dial
from reeve.errors import ReeveError
from reeve.ledger.codec import decode, encode
from reeve.records import Door

__all__ = ["serve"]

LINE_BYTES = 16 << 20
LOCK_SECONDS = 10.0
TELL_SECONDS = 0.02
"""What an attempt has spent is told so much later at most: many changes are one line."""


class Voice:
    """Says lines on standard output, and of attempts that changed several times in a moment only the last state."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._changed: dict[str, Visitor] = {}
        self._counting: Counting | None = None

    def tells_of(self, counting: Counting) -> None:
        """Name what knows the states."""
        self._counting = counting

    def changed(self, visitor: Visitor) -> None:
        """Tell of an attempt soon."""
        if not self._changed:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self.tell)
        self._changed[visitor.door.attempt] = visitor

    def tell(self) -> None:
        """Tell of all that changed."""
        assert self._counting is not None
        for attempt, visitor in self._changed.items():
            self.say({"spent": attempt, **encode(self._counting.spent(visitor))})
        self._changed.clear()

    def say(self, message: Mapping[str, Any]) -> None:
        """Say one line."""
        self._writer.write(json.dumps(message).encode() + b"\n")


def serve(dial_host: Dial = dial) -> int:
    """Run until standard input closes; `dial_host` takes the place of resolving and connecting, for tests alone."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the keys
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    try:
        asyncio.run(_serve(dial_host))
    except (ReeveError, OSError) as error:
        print(json.dumps({"failed": str(error)}), flush=True)
        return 1
    return 0


async def _serve(dial_host: Dial) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    voice = Voice(asyncio.StreamWriter(transport, protocol, None, loop))
    configuration = decode(Configuration, json.loads(await told.readline()))
    folder = Path(configuration.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = await _only(folder / "gateway.lock")
    counting = Counting(configuration, voice.changed)
    voice.tells_of(counting)
    await counting.start()
    async with upstream() as session:
        doors = Doors(counting, session, Proxy(counting, dial_host), folder)
        voice.say({"ready": os.getpid()})
        try:
            while line := await told.readline():
                await _obey(json.loads(line), doors, voice)
        finally:
            await doors.end()
            await counting.end()
            os.close(lock)


async def _obey(message: Mapping[str, Any], doors: Doors, voice: Voice) -> None:
    if "open" in message:
        visitor = await doors.open(decode(Door, message["open"]))
        voice.changed(visitor)
        voice.tell()
        voice.say({"opened": visitor.door.attempt})
    elif "close" in message:
        await doors.close(message["close"])
        voice.tell()
        voice.say({"closed": message["close"]})


async def _only(path: Path) -> int:
    """Hold the one right to be the gateway of a folder; one that is about to end is waited for."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for left in range(int(LOCK_SECONDS / 0.05), -1, -1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                os.close(descriptor)
                raise
            await asyncio.sleep(0.05)
        else:
            break
    return descriptor
