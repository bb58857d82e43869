"""The stream of events: one look at the ledger for all who listen, and each hears what came since its last event."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from reeve.ledger.seeded import TELLING
from reeve.ports import Fact

__all__ = ["Heard", "Stream"]

LOOK_SECONDS = 0.1
BEAT_SECONDS = 15.0
REMEMBERED = 2_000
FAR = 5_000
MOST_LISTENERS = 64


@dataclass(frozen=True, slots=True)
class Heard:
    """Some facts that came together: those after `before` up to `seq`, and of which tasks."""

    before: int
    seq: int
    tasks: tuple[str, ...]
    kinds: tuple[str, ...]

    def line(self) -> bytes:
        """Return it as server-sent event."""
        body = json.dumps({"seq": self.seq, "tasks": self.tasks, "kinds": self.kinds}, separators=(",", ":"))
        return f"id: {self.seq}\nevent: facts\ndata: {body}\n\n".encode()


class Stream:
    """Server-sent events about new facts; whoever comes back names the last event it has heard and misses nothing.

    `last` gives the `seq` of the newest fact, `after` the facts after a `seq`; `deeds` changes with what a person does.
    """

    def __init__(
        self, last: Callable[[], int], after: Callable[[int], Sequence[Fact]], deeds: Callable[[], object]
    ) -> None:
        self._last, self._after, self._deeds = last, after, deeds
        self._seq = -1
        self._recent: deque[Heard] = deque(maxlen=REMEMBERED)
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None
        self._listeners = 0
        self._deed = 0

    @property
    def full(self) -> bool:
        """No more can listen: each costs a connection, and a person has few windows."""
        return self._listeners >= MOST_LISTENERS

    async def listen(self, since: int) -> AsyncIterator[bytes]:
        """Yield events after a `seq`, and a beat where nothing happens."""
        self._listeners += 1
        try:
            if self._looking is None or self._looking.done():
                # Nobody looked meanwhile: what this one has missed is read with the first look, unless it is too much.
                last = await asyncio.to_thread(self._last)
                self._recent.clear()
                self._seq = since if last - FAR < since <= last else last
                self._looking = asyncio.create_task(self._look())
            seq, deed = since, self._deed
            yield b"retry: 1000\n\n"
            while True:
                for heard in self._missed(seq):
                    seq = heard.seq
                    yield heard.line()
                if deed != self._deed:
                    deed = self._deed
                    yield b"event: deed\ndata: {}\n\n"
                if not await self._wait(seq, deed):
                    yield b": still here\n\n"
        finally:
            self._listeners -= 1

    def _missed(self, seq: int) -> list[Heard]:
        """Find what came after a `seq`; where more came than is remembered, one event says that all may be new."""
        if seq >= self._seq:
            return []
        if not self._recent or seq < self._recent[0].before:
            return [Heard(seq, self._seq, (), ("all",))]
        return [heard for heard in self._recent if heard.seq > seq]

    async def _wait(self, seq: int, deed: int) -> bool:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                async with self._changed:
                    await self._changed.wait_for(lambda: self._seq > seq or self._deed != deed)
        except TimeoutError:
            return False
        return True

    async def _look(self) -> None:
        """Look for new facts for as long as somebody listens."""
        deeds = self._deeds()
        while self._listeners:
            last = await asyncio.to_thread(self._last)
            if last > self._seq:
                facts = [fact for fact in await asyncio.to_thread(self._after, self._seq) if fact.kind not in TELLING]
                tasks = tuple(dict.fromkeys(fact.task for fact in facts if fact.task))
                self._recent.append(Heard(self._seq, last, tasks, tuple(dict.fromkeys(fact.kind for fact in facts))))
                await self._tell(seq=last)
            if (now := self._deeds()) != deeds:
                deeds = now
                await self._tell(deed=self._deed + 1)
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, *, seq: int | None = None, deed: int | None = None) -> None:
        async with self._changed:
            self._seq = self._seq if seq is None else seq
            self._deed = self._deed if deed is None else deed
            self._changed.notify_all()
