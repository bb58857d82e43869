"""Facts on their way into the ledger: written by a thread in batches, so that no stream waits for a disk."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reeve.errors import LedgerError
from reeve.ledger.codec import encode
from reeve.ports import Fact, Store
from reeve.records import Pause, Request

__all__ = ["Body", "Recorder", "pause_fact"]

BATCH = 64
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Body:
    """What was asked and what was answered, where the owner wants it kept."""

    request: bytes
    answer: bytes

    def artefact(self) -> bytes:
        """Put both into one piece of JSON."""
        return json.dumps(
            {each: getattr(self, each).decode("utf-8", "replace") for each in ("request", "answer")}
        ).encode()


def pause_fact(pause: Pause, task: str) -> Fact:
    """Make a pause the fact that it is."""
    return Fact("pause", f"{pause.provider}:{pause.at_utc:.6f}", task, encode(pause), pause.at_utc)


class Recorder:
    """Writes facts in the order they were given; `stored` is called with the number of each request that is safe."""

    def __init__(self, store: Store, stored: Callable[[int], None]) -> None:
        self._store = store
        self._stored = stored
        self._waiting: list[tuple[Request | Pause, str, Body | None]] = []
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task = asyncio.create_task(self._work())

    def record(self, what: Request | Pause, task: str, body: Body | None = None) -> None:
        """Write a fact soon."""
        self._waiting.append((what, task, body))
        self._empty.clear()
        self._more.set()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything given so far is written; False: it takes longer."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, timeout_seconds: float) -> None:
        """Write what waits, then end."""
        await self.flush(timeout_seconds)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._more.wait()
            batch = self._waiting[:BATCH]
            try:
                done = await asyncio.to_thread(self._write, batch)
            except LedgerError as error:
                # What was reserved is in a file of its own meanwhile: nothing is lost, it counts in full.
                print(f"gateway: {error}; trying again", file=sys.stderr)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            del self._waiting[: len(batch)]
            for number in done:
                self._stored(number)
            if not self._waiting:
                self._more.clear()
                self._empty.set()

    def _write(self, batch: Sequence[tuple[Request | Pause, str, Body | None]]) -> list[int]:
        """Runs in a thread of its own."""
        done = []
        for what, task, body in batch:
            if isinstance(what, Pause):
                self._store.append(pause_fact(what, task))
                continue
            request = what if body is None else replace(what, body=self._store.put(body.artefact()))
            self._store.append(Fact("request", str(request.number), task, encode(request), request.at_utc))
            done.append(request.number)
        return done
