"""What people found about results that may land without a look, read from draws and reviews, and kept up to date."""

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.ports import Fact, Store
from reeve.records import Cell, Draw, Judged, Review, ReviewKind

__all__ = ["News", "Results"]

WRONG = (ReviewKind.REJECT, ReviewKind.AGAIN, ReviewKind.REVERT, ReviewKind.WRONG)


@dataclass(frozen=True, slots=True)
class News:
    """What changed since somebody asked last: results with their place among those of their cell.

    `mark` is what to ask with next time. `through` is the seq of the last fact about any result, `answers` how often
    a person has said something about one.
    """

    changed: tuple[tuple[Cell, int, Judged], ...]
    mark: int
    through: int
    answers: int


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
        self._place: dict[str, tuple[Cell, int]] = {}  # attempt -> where its result is
        self._of_cell: defaultdict[Cell, list[Judged]] = defaultdict(list)
        self._drawn_at: dict[str, int] = {}  # attempt -> seq of its draw
        self._said: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)  # attempt -> seq and wrong, each time
        self._answers: list[int] = []  # seq of all that was said
        self._changes: list[tuple[Cell, int]] = []
        self._last: dict[Cell, int] = {}  # seq of the last fact about any of its results
        self._waiting: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)  # task -> its draws before a look

    def all(self) -> dict[Cell, tuple[tuple[Judged, ...], int]]:
        """Return the results of every cell with the seq of the last fact about any of its own.

        The cells are in the order in which they came.
        """
        with self._lock:
            self._read()
            return {cell: (tuple(found), self._last[cell]) for cell, found in self._of_cell.items()}

    def news(self, mark: int = 0) -> News:
        """Return every result that came or changed since the mark of the last time, once each."""
        with self._lock:
            self._read()
            changed = dict.fromkeys(self._changes[mark:])
            return News(
                tuple((cell, place, self._of_cell[cell][place]) for cell, place in changed),
                len(self._changes),
                max(self._last.values(), default=0),
                len(self._answers),
            )

    def after_answers(self, count: int) -> Iterator[Judged]:
        """Give the results of all cells as they were known when people had said so much and no more."""
        with self._lock:
            self._read()
            through = self._answers[count - 1] if count else 0
            attempts = [attempt for attempt, seq in self._drawn_at.items() if seq < through]
            return iter([Judged(self._judged(each).draw, self._known(each, through)) for each in attempts])

    @property
    def audits_waiting(self) -> int:
        """Count the results that landed without a look, were drawn, and have no answer."""
        with self._lock:
            self._read()
            results = (result for found in self._of_cell.values() for result in found)
            return sum(each.wrong is None for each in results if each.draw.unseen and each.draw.audited)

    def draw_of(self, attempt: str) -> Draw | None:
        """Return what was drawn for a result; None: nothing."""
        with self._lock:
            self._read()
            return self._judged(attempt).draw if attempt in self._place else None

    def _judged(self, attempt: str) -> Judged:
        cell, place = self._place[attempt]
        return self._of_cell[cell][place]

    def _known(self, attempt: str, through: int) -> bool | None:
        """Return what was known of a result at a fact."""
        said = self._said.get(attempt, [])
        upto = bisect_right(said, (through, True))
        return said[upto - 1][1] if upto else None

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
        if draw.attempt in self._place:
            return  # a result is drawn for once
        of_cell = self._of_cell[draw.cell]
        self._place[draw.attempt] = (draw.cell, len(of_cell))
        self._drawn_at[draw.attempt] = fact.seq
        of_cell.append(Judged(draw, None))
        self._change(draw.attempt, fact.seq)
        if not draw.unseen:
            self._waiting[draw.task].append((fact.seq, draw.attempt))

    def _reviewed(self, seq: int, review: Review) -> None:
        if review.attempt in self._place:
            self._say(seq, review.attempt, wrong=review.kind in WRONG)
        if review.kind in (ReviewKind.ACCEPT, ReviewKind.REJECT, ReviewKind.AGAIN):
            before = self._waiting[review.task]
            place = bisect_left(before, (seq, "")) - 1
            if place >= 0 and before[place][1] != review.attempt and self._judged(before[place][1]).wrong is None:
                self._say(seq, before[place][1], wrong=True)

    def _say(self, seq: int, attempt: str, *, wrong: bool) -> None:
        cell, place = self._place[attempt]
        self._of_cell[cell][place] = Judged(self._of_cell[cell][place].draw, wrong)
        self._said[attempt].append((seq, wrong))
        self._answers.append(seq)
        self._change(attempt, seq)

    def _change(self, attempt: str, seq: int) -> None:
        cell, place = self._place[attempt]
        self._changes.append((cell, place))
        self._last[cell] = max(seq, self._last.get(cell, 0))
