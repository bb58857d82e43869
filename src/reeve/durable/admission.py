"""Memory is held for an attempt before it starts, so that a machine is never filled until its kernel kills.

Nothing of it is stored: what an attempt will need follows from the ledger, what is free from the machine. An attempt
that runs holds what it was expected to need; of that, what it uses already is gone from the free memory and is not
counted twice. Checks hold nothing: their peaks are not known, the workers bound their number, and what they use shows.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeve.durable.journal import Journal
from reeve.ledger.codec import decode
from reeve.policy.memory import RECENT, expected_memory_mb
from reeve.ports import Memory, Store
from reeve.records import Ending, Order, Tight

__all__ = ["Admission", "Room", "Rooms", "first_waiting"]

LOOK_EVERY_SECONDS = 0.5  # while somebody waits; an attempt that ends wakes them at once
RECENT_FACTS = 30_000
"""So far back a look goes at first: some thousand attempts, and as quick on a ledger of a million as on a new one."""

UNTYPICAL = (Ending.INTERRUPTED, Ending.SANDBOX_FAILED)


@dataclass(frozen=True, slots=True)
class Room:
    """What an attempt needs and what is free for it, in MB; `total_mb` is what all attempts together may ever have."""

    need_mb: float
    free_mb: float
    total_mb: float
    alone: bool  # no other attempt runs

    @property
    def fits(self) -> bool:
        """The attempt can start."""
        return self.need_mb <= self.free_mb

    def __str__(self) -> str:
        free, total = (_gigabytes(max(each, 0.0)) for each in (self.free_mb, self.total_mb))
        return f"needs {_gigabytes(self.need_mb)}, {free} of {total} free"


class Rooms:
    """What attempts need, by the ledger, and what is free for them, by the machine.

    `attempts` is the folder of their private folders: also those that another process started hold what they need.
    """

    def __init__(self, store: Store, memory: Memory, attempts: Path, reserve_mb: float) -> None:
        self._store = store
        self._memory = memory
        self._attempts = attempts
        self._reserve_mb = reserve_mb
        self._seen: int | None = None  # None: nothing yet
        self._peaks: defaultdict[tuple[str, str, str], deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    def need_mb(self, order: Order) -> float:
        """Say what an attempt is expected to need, by those of the same agent in its version on the same repository."""
        self._learn()
        versions: list[Any] = [fact.body for fact in self._store.facts(kind="task", task=order.task)]
        ordered = next((body for body in reversed(versions) if body["digest"] == order.digest), versions[-1])
        peaks = self._peaks[order.agent.name, order.agent.version, order.base.repo]
        return expected_memory_mb(tuple(peaks), ordered["limits"]["memory_mb"])

    def alive(self) -> Mapping[str, float]:
        """Name the attempts of which something runs, of whichever process, with what they use."""
        return {folder.name: used for folder, used in self._memory.used_mb(self._folders()).items()}

    def of(self, order: Order, held: Mapping[str, float]) -> Room:
        """Say what an attempt needs and what is free; `held` are those that have been let in, with what they need."""
        need, total = self.need_mb(order), self._memory.total_mb() - self._reserve_mb
        free = self._memory.free_mb() - self._reserve_mb
        others = [folder.name for folder in self._folders() if folder.name != order.attempt]
        holding = {**{name: self._need_of(name) for name in others if name not in held}, **held}
        if need <= free - sum(holding.values()):  # most of the time: nobody has to look at every process
            return Room(need, free - sum(holding.values()), total, alone=not holding)
        alive = self.alive()
        # Looked at again, and only now: what begins between the two looks must count twice rather than not at all.
        free = self._memory.free_mb() - self._reserve_mb
        holding = {name: mb for name, mb in holding.items() if name in alive or name in held}
        to_come = sum(max(mb - alive.get(name, 0.0), 0.0) for name, mb in holding.items())
        return Room(need, free - to_come, total, alone=not holding)

    def _folders(self) -> list[Path]:
        return list(self._attempts.iterdir()) if self._attempts.is_dir() else []

    def _need_of(self, attempt: str) -> float:
        fact = self._store.fact("order", attempt)
        return 0.0 if fact is None else self.need_mb(decode(Order, fact.body))

    def _learn(self) -> None:
        """Read the peaks of attempts that have ended since, at first those of the newest facts: few count anyway."""
        if self._seen is None:
            self._seen = max(self._store.last() - RECENT_FACTS, 0)
        for fact in self._store.facts(kind="attempt", after=self._seen):
            self._seen = fact.seq
            body: Any = fact.body
            if body["peak_memory_mb"] > 0 and body["ending"] not in UNTYPICAL:
                key = body["agent"]["name"], body["agent"]["version"], body["base"]["repo"]
                self._peaks[key].append(body["peak_memory_mb"])


class Admission:
    """Lets the attempts of one run in, in the order in which they came: a large one waits, and none passes it by."""

    def __init__(self, journal: Journal, rooms: Rooms) -> None:
        self._journal = journal
        self._rooms = rooms
        self._queue: deque[str] = deque()
        self._held: dict[str, float] = {}
        self._first: Room | None = None  # as the first of the queue found it
        self._changed = threading.Condition()

    @contextmanager
    def held(self, order: Order, *, running: bool, go_on: Callable[[], None]) -> Iterator[None]:
        """Hold what an attempt is expected to need until it has ended; waits until that is free.

        One that is `running` already holds it at once. Where no other runs, one that does not fit is let in, and that
        is a fact. `go_on` is called while waiting, and raises when waiting is of no use any more.
        """
        with self._changed:
            self._queue.append(order.attempt)
            try:
                while not (running or (self._queue[0] == order.attempt and self._may_start(order))):
                    self._changed.wait(LOOK_EVERY_SECONDS)
                    go_on()
                self._held[order.attempt] = self._rooms.need_mb(order)
            finally:
                self._queue.remove(order.attempt)
                self._first = None
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                del self._held[order.attempt]
                self._changed.notify_all()

    def waits(self, attempt: str) -> str:
        """Say what memory an attempt waits for; "": for none."""
        queue, first = list(self._queue), self._first
        if attempt not in queue or first is None:
            return ""
        return f"for memory: {first}" if attempt == queue[0] else f"for memory, behind {queue[0]}"

    def _may_start(self, order: Order) -> bool:
        self._first = room = self._rooms.of(order, self._held)
        if room.fits or not room.alone:
            return room.fits
        tight = Tight(order.attempt, round(room.need_mb, 1), round(room.free_mb, 1))
        self._journal.once(Tight, "tight", order.attempt, order.task, lambda: tight)
        return True


def first_waiting(rooms: Rooms, ordered: Sequence[Order]) -> tuple[Order, Room] | None:
    """Find the attempt that waits for memory, if any, among those of a run that have not ended, oldest first.

    The others are let in behind it. It is what the run itself finds, from the same facts: nobody has to ask it.
    """
    alive = rooms.alive()
    held: dict[str, float] = {}
    for order in (each for each in ordered if each.attempt not in alive):
        room = rooms.of(order, held)
        if not (room.fits or room.alone):
            return order, room
        held[order.attempt] = room.need_mb
    return None


def _gigabytes(mb: float) -> str:
    return f"{mb / 1024:.1f} GB"
