"""What a person does from a page. Some of it takes minutes, since what is landed is proved first: pages do not wait."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Protocol

from reeve.errors import ReeveError
from reeve.records import WordKind

__all__ = ["Act", "Acts", "Desk"]

KEPT = 200


class Acts(Protocol):
    """The deeds of the command line; each returns one sentence on what came of it, or raises a ReeveError."""

    def accept(self, wanted: str, minutes: float | None) -> str:
        """Land a result; `minutes` None: those since the first look."""

    def reject(self, wanted: str, why: str, minutes: float | None) -> str:
        """Turn a result down."""

    def again(self, wanted: str, why: str, minutes: float | None) -> str:
        """Send a result back; the next attempts are told why."""

    def retry(self, wanted: str, why: str) -> str:
        """Have a task that failed attempted once more, whether anybody looked at it or not; `why` may be empty."""

    def defer(self, wanted: str, how_long: str, why: str) -> str:
        """Put off what a person is asked about a task; `how_long` as for `reeve defer --for`."""

    def bring_back(self, wanted: str) -> str:
        """Take back what was put off."""

    def revert(self, wanted: str, why: str, minutes: float | None) -> str:
        """Take back what landed."""

    def audit(self, wanted: str, why: str, minutes: float | None, *, ok: bool) -> str:
        """Say whether a result that has landed is right; `why` not, if it is not."""

    def say(self, attempt: str, kind: WordKind, text: str) -> str:
        """Say a word to a running attempt."""

    def stop(self, attempt: str, why: str) -> str:
        """End an attempt."""


@dataclass(frozen=True, slots=True)
class Act:
    """One deed: what, on which task or attempt, and what came of it; `ok` None: it is under way."""

    number: int
    what: str
    on: str
    began_utc: float
    ok: bool | None = None
    said: str = ""


class Desk:
    """Does one deed after the other, and remembers the last ones; a person who did two things sees both through."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._acts: OrderedDict[int, Act] = OrderedDict()
        self._lock = threading.Lock()
        self._number = 0
        self._last: Future[None] | None = None

    def do(self, what: str, on: str, deed: Callable[[], str]) -> Act:
        """Begin a deed; it is under way when this returns."""
        with self._lock:
            self._number += 1
            act = Act(self._number, what, on, time.time())
            self._acts[act.number] = act
            while len(self._acts) > KEPT:
                self._acts.popitem(last=False)
            self._last = self._pool.submit(self._run, act, deed)
        return act

    def settle(self, seconds: float) -> None:
        """Wait until all deeds begun so far have ended, at most so long."""
        with self._lock:
            last = self._last
        if last is not None:
            wait([last], seconds)

    def _run(self, act: Act, deed: Callable[[], str]) -> None:
        try:
            done = replace(act, ok=True, said=deed())
        except ReeveError as error:
            done = replace(act, ok=False, said=str(error))
        except Exception as error:
            done = replace(act, ok=False, said=f"{type(error).__name__}: {error}")
        with self._lock:
            self._acts[act.number] = done

    def act(self, number: int) -> Act | None:
        """Look up one deed; None: never begun, or long ago."""
        return self._acts.get(number)

    def under_way(self) -> tuple[Act, ...]:
        """List the deeds that have not come to their end."""
        with self._lock:
            return tuple(act for act in self._acts.values() if act.ok is None)

    def recent(self, on: str) -> Act | None:
        """Return the last deed on a task or one of its attempts; None: there was none."""
        with self._lock:
            found = [act for act in self._acts.values() if act.on.partition(".")[0] == on.partition(".")[0]]
        return found[-1] if found else None

    @property
    def state(self) -> tuple[int, int]:
        """Return what changes whenever a deed begins or ends."""
        with self._lock:
            return self._number, sum(act.ok is not None for act in self._acts.values())

    def close(self) -> None:
        """Wait for what is under way: a landing that has begun is not broken off."""
        self._pool.shutdown(wait=True, cancel_futures=True)
