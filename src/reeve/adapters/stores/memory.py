"""The ledger in memory: the fake of the port Store, for trying things out and for tests of the pure stages."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from reeve.errors import LedgerError
from reeve.ports import Fact

__all__ = ["MemoryStore"]


class MemoryStore:
    """Port Store without a disk; gone with the process."""

    def __init__(self, watch: Callable[[Fact], None] | None = None) -> None:
        self.watch = watch
        self._facts: dict[tuple[str, str], Fact] = {}
        self._artefacts: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def append(self, fact: Fact) -> Fact:
        """Store a fact; the first one of a `(kind, key)` stays, and is returned."""
        with self._lock:
            if (found := self._facts.get((fact.kind, fact.key))) is not None:
                return found
            stored = replace(fact, seq=len(self._facts) + 1)
            self._facts[fact.kind, fact.key] = stored
        if self.watch is not None:
            self.watch(stored)
        return stored

    def fact(self, kind: str, key: str) -> Fact | None:
        """Read one fact by its identity."""
        return self._facts.get((kind, key))

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        """Read facts in the order they were stored."""
        with self._lock:
            return [
                fact
                for fact in self._facts.values()
                if (kind is None or fact.kind == kind) and (task is None or fact.task == task) and fact.seq > after
            ]

    def last(self) -> int:
        """Return the `seq` of the newest fact; 0: there is none."""
        with self._lock:
            return len(self._facts)

    def put(self, content: bytes) -> str:
        """Store an artefact under the SHA-256 of its content."""
        digest = hashlib.sha256(content).hexdigest()
        self._artefacts[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        """Read an artefact back."""
        try:
            return self._artefacts[digest]
        except KeyError as error:
            raise LedgerError(f"reading the artefact {digest}: there is none") from error
