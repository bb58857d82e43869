"""The engine: a step is done when its fact is in the ledger, and is skipped from then on.

There is no second account of where a task stands. Whoever starts again, after a kill -9 at any moment, asks
the same questions in the same order; those whose fact is there are answered from the ledger, the first that
has none is done, and so the loop goes on where it was. docs/decisions/0001-steps-are-facts.md argues it.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from reeve.ledger.codec import decode, encode
from reeve.ports import Clock, Fact, Store

__all__ = ["Journal"]

Record = TypeVar("Record")


def _go_on(point: str) -> None:
    """Pass a crash point; tests of recovery pass something that ends the process."""
    del point


class Journal:
    """Durable steps on a store.

    `reach` is called with a name at every moment where a crash could matter: ``<kind>.before`` when the work of
    a step is done and its fact is not yet stored, and ``<kind>.after`` when it is.
    """

    def __init__(self, store: Store, clock: Clock, reach: Callable[[str], None] = _go_on) -> None:
        self.store = store
        self.reach = reach
        self._clock = clock
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def once(self, record: type[Record], kind: str, key: str, task: str, work: Callable[[], Record]) -> Record:
        """Return the record of a step, doing its work only if it has no fact yet; one thread at a time per key."""
        with self._lock_of(kind, key):
            found = self.find(record, kind, key)
            return self.add(kind, key, task, work()) if found is None else found

    def add(self, kind: str, key: str, task: str, record: Record) -> Record:
        """Store the fact of a step; the first one that was stored stays, and is returned."""
        self.reach(f"{kind}.before")
        stored = self.store.append(Fact(kind, key, task, encode(record), self._clock.now()))
        self.reach(f"{kind}.after")
        return decode(type(record), stored.body)

    def find(self, record: type[Record], kind: str, key: str) -> Record | None:
        """Read the record of a step, or None where it is not done."""
        fact = self.store.fact(kind, key)
        return None if fact is None else decode(record, fact.body)

    def all(self, record: type[Record], kind: str, task: str, after: int = 0) -> Sequence[Record]:
        """Read all records of a kind of one task, oldest first."""
        return [decode(record, fact.body) for fact in self.store.facts(kind=kind, task=task, after=after)]

    def _lock_of(self, kind: str, key: str) -> AbstractContextManager[bool]:
        with self._guard:
            return self._locks[kind, key]
