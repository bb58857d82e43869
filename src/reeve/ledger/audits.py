"""What people found about results that may land without a look, read from draws and reviews, and kept up to date."""

import threading
from bisect import bisect_left
from collections import defaultdict

from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.ports import Fact, Store
from reeve.records import Cell, Draw, Judged, Review, ReviewKind

__all__ = ["Results"]

WRONG = (ReviewKind.REJECT, ReviewKind.AGAIN, ReviewKind.REVERT, ReviewKind.WRONG)


class Results:
    """The results of all cells with what is known of them, in the order in which they were drawn for.

    Reads only what is new since it was last asked. With `through`, nothing after that fact exists: what a decision
    knew can be read again. A review speaks of the result it names; one that turns a task down, or accepts another of
    its attempts, also says that the result which waited for it was not right.
    """

    def __init__(self, store: Store, through: int | None = None) -> None:
        self._store = store
        self._through = through
        self._lock = threading.Lock()
        self._seen = {"review": 0, "draw": 0, SEEDED: 0}
        self._seeded: set[str] = set()  # tasks; what people say of these says nothing of any cell
        self._draws: dict[str, Draw] = {}  # by attempt
        self._wrong: dict[str, bool] = {}
        self._changed: dict[str, int] = {}  # attempt -> seq of the last fact about it
        self._of_cell: defaultdict[Cell, list[str]] = defaultdict(list)
        self._waiting: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)  # task -> its draws before a look

    def known(self) -> tuple[dict[Cell, tuple[Judged, ...]], int]:
        """Return the results of every cell at one moment, and the seq of the last fact about any of them."""
        found = self.all()
        return {cell: judged for cell, (judged, _) in found.items()}, max((seq for _, seq in found.values()), default=0)

    def all(self) -> dict[Cell, tuple[tuple[Judged, ...], int]]:
        """Return the results of every cell with the seq of the last fact about any of its own.

        The cells are in the order in which they came.
        """
        with self._lock:
            self._read()
            return {cell: self._judged(cell) for cell in self._of_cell}

    @property
    def audits_waiting(self) -> int:
        """Count the results that landed without a look, were drawn, and have no answer."""
        with self._lock:
            self._read()
            drawn = (draw for draw in self._draws.values() if draw.unseen and draw.audited)
            return sum(draw.attempt not in self._wrong for draw in drawn)

    def draw_of(self, attempt: str) -> Draw | None:
        """Return what was drawn for a result; None: nothing."""
        with self._lock:
            self._read()
            return self._draws.get(attempt)

    def _judged(self, cell: Cell) -> tuple[tuple[Judged, ...], int]:
        attempts = self._of_cell.get(cell, [])
        found = tuple(Judged(self._draws[attempt], self._wrong.get(attempt)) for attempt in attempts)
        return found, max((self._changed[attempt] for attempt in attempts), default=0)

    def _read(self) -> None:
        """Read until nothing is new: then no fact is missing before the last one that was seen.

        Reviews first, since a draw comes before what is said about it.
        """
        while True:
            reviews, draws = self._news("review"), self._news("draw")
            self._seeded |= {fact.task for fact in self._news(SEEDED)}  # last: it comes before its draw
            for fact in draws:
                if fact.task not in self._seeded:
                    self._drawn(fact)
            for fact in reviews:
                if fact.task not in self._seeded:
                    self._reviewed(fact.seq, decode(Review, fact.body))
            if not reviews and not draws:
                return

    def _news(self, kind: str) -> list[Fact]:
        facts = self._store.facts(kind=kind, after=self._seen[kind])
        found = [fact for fact in facts if self._through is None or fact.seq <= self._through]
        if found:
            self._seen[kind] = found[-1].seq
        return found

    def _drawn(self, fact: Fact) -> None:
        draw = decode(Draw, fact.body)
        self._draws[draw.attempt] = draw
        self._changed[draw.attempt] = fact.seq
        self._of_cell[draw.cell].append(draw.attempt)
        if not draw.unseen:
            self._waiting[draw.task].append((fact.seq, draw.attempt))

    def _reviewed(self, seq: int, review: Review) -> None:
        if review.attempt in self._draws:
            self._say(seq, review.attempt, wrong=review.kind in WRONG)
        if review.kind in (ReviewKind.ACCEPT, ReviewKind.REJECT, ReviewKind.AGAIN):
            before = self._waiting[review.task]
            place = bisect_left(before, (seq, "")) - 1
            if place >= 0 and before[place][1] != review.attempt and before[place][1] not in self._wrong:
                self._say(seq, before[place][1], wrong=True)

    def _say(self, seq: int, attempt: str, *, wrong: bool) -> None:
        self._wrong[attempt] = wrong
        self._changed[attempt] = seq
