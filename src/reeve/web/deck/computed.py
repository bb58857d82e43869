"""Figures that take long: computed when somebody looks and facts have come since, and shown as they were meanwhile."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from reeve.errors import ReeveError
from reeve.web.figures import Computing, Figures, Plot

__all__ = ["Computed", "Known"]

REST = 2.0
"""After a computation so many times as long as it took passes before the next: a run that is followed costs a third of
a core for it at most."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known now; `figures` None: nothing yet. `problem` is why the last computation came to nothing."""

    figures: Figures | None = None
    plots: Mapping[str, Plot] = field(default_factory=dict)
    computing: bool = False
    problem: str = ""


class Computed:
    """Keeps what was computed last, and computes anew beside it; `last` gives the `seq` of the newest fact."""

    def __init__(self, last: Callable[[], int], computing: Computing) -> None:
        self._last = last
        self._computing = computing
        self._lock = threading.Lock()
        self._known = Known()
        self._seq = -1  # that the last computation knew, whatever came of it
        self._rests_until = 0.0
        self._changes = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> Known:
        """Return what is known, at once; where facts have come since, it is computed anew from now on."""
        seq = self._last()
        with self._lock:
            if seq > self._seq and not self._known.computing and not self._closed.is_set():
                self._known = replace(self._known, computing=True)
                self._thread = threading.Thread(target=self._compute, name="figures", daemon=True)
                self._thread.start()
            return self._known

    def _compute(self) -> None:
        if self._closed.wait(max(0.0, self._rests_until - time.monotonic())):
            return
        began, seq, problem = time.monotonic(), self._last(), ""
        try:
            for found in self._computing(self._closed.is_set):
                if isinstance(found, Figures):
                    self._tell(figures=found)
                else:
                    self._tell(plots=found)
        except ReeveError as error:
            problem = str(error)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        ended = time.monotonic()
        self._rests_until = ended + REST * (ended - began)
        with self._lock:
            self._seq = seq
        self._tell(computing=False, problem=problem)

    def _tell(self, **changes: object) -> None:
        with self._lock:
            self._known = replace(self._known, **changes)  # type: ignore[arg-type]
            self._changes += 1

    @property
    def changes(self) -> int:
        """Return what changes whenever more is known."""
        return self._changes

    def close(self) -> None:
        """End what is under way, and begin nothing any more."""
        self._closed.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
