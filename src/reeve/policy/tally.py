"""The results of one cell, counted in the order of their draws; what changes is counted again, and little before it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reeve.policy.levels import belongs, levels_of
from reeve.records import Judged, Level, Policy
from reeve.stats.anytime import Alarm, Bets
from reeve.stats.levels import Levels
from reeve.stats.risk import Refused, Threshold

__all__ = ["PASSED_OVER", "Tally"]

PASSED_OVER = 10
"""An audit without an answer counts as wrong, for the certificates, once so many drawn after it have one: whoever
leaves out what is hard to judge must not gain by it, and a wrong one more can only make them harder to get."""

MARK = 256
"""So many results lie between two states that are kept: what is said of an old one is counted anew from the last."""


@dataclass(slots=True)
class Counted:
    """What has been counted of the results up to a place, since the cell was last begun at zero.

    `audits` and `wrong` are by level. `open` are the audits without an answer that were not passed over: how many
    answers there were when each was drawn, and its levels.
    """

    heard: Bets  # of those that landed without a look: what their audits found
    known: Bets  # of the same: what anybody found, each right until then
    audits: list[int]
    wrong: list[int]
    open: deque[tuple[int, tuple[int, ...]]]
    answered: int = 0
    waiting: int = 0
    unseen: int = 0
    escapes: int = 0
    begun: int = 0  # place of the first result
    drawn_before: int = 0  # audits before it
    alarmed: bool = False

    def copy(self) -> "Counted":
        """Return one that changes by itself."""
        return replace(self, audits=self.audits.copy(), wrong=self.wrong.copy(), open=self.open.copy())


class Tally:
    """Counts results for the levels and alarms of an owner. Equal results give equal counts, in whatever steps.

    Two alarms hear what landed without a look. One hears what the audits of the uniform stream found; the other hears
    all of it, each as right unless somebody found it wrong, by whatever way: that it misses some makes it slower,
    never false. Each has half of the chance of a false alarm.
    """

    def __init__(self, owner: Policy) -> None:
        self.levels: tuple[Level, ...] = levels_of(owner)
        self.certificates = Levels(
            tuple(level.share for level in self.levels), owner.highest_escape_rate, owner.confidence
        )
        self._alarm = Alarm(owner.highest_escape_rate, (1.0 + owner.confidence) / 2.0)
        self._results: list[Judged] = []
        self._drawn: list[int] = []  # places of the audits
        self._now = self._begin(0, 0, alarmed=False)
        self._place = 0  # of the next to be counted
        self._marks: list[tuple[int, int, Counted]] = []  # place, audits before it, state
        self._turns = 0  # how often the audits changed
        self._thresholds: dict[tuple[str, int], Threshold | Refused] = {}

    def put(self, place: int, result: Judged) -> None:
        """Take in a result, or what is known of an old one now."""
        if place == len(self._results):
            self._results.append(result)
            return
        self._results[place] = result
        if place < self._place:
            self._rewind(place)

    def extend(self, results: Sequence[Judged]) -> "Tally":
        """Take in results in the order of their draws."""
        self._results.extend(results)
        return self

    def counted(self) -> Counted:
        """Count all that was taken in; what is returned is not to be changed."""
        for place in range(self._place, len(self._results)):
            if place % MARK == 0:
                self._marks.append((place, len(self._drawn), self._now.copy()))
            self._count(place, self._results[place])
        self._place = len(self._results)
        return self._now

    def audits(self) -> list[tuple[Judged, bool]]:
        """List the audits that count since the cell was last begun, as they were drawn, with what was found."""
        now = self.counted()
        later, found = now.answered, []
        for place in self._drawn[now.drawn_before :]:
            result = self._results[place]
            if result.wrong is not None:
                later -= 1
                found.append((result, result.wrong))
            elif later >= PASSED_OVER:
                found.append((result, True))
        return found

    def threshold(self, fit: str, find: Callable[[], Threshold | Refused]) -> Threshold | Refused:
        """Return what is found with a fit for the audits as they are; most results are none, and change nothing."""
        self.counted()
        key = (fit, self._turns)
        if key not in self._thresholds:
            self._thresholds = {key: find()}
        return self._thresholds[key]

    def _begin(self, place: int, drawn: int, *, alarmed: bool) -> Counted:
        zeros = [0] * len(self.levels)
        start = self._alarm.begin()
        return Counted(start, start, zeros, zeros.copy(), deque(), begun=place, drawn_before=drawn, alarmed=alarmed)

    def _rewind(self, place: int) -> None:
        while self._marks[-1][0] > place:
            self._marks.pop()
        self._place, drawn, self._now = self._marks.pop()
        del self._drawn[drawn:]
        self._turns += 1

    def _count(self, place: int, result: Judged) -> None:
        now, draw = self._now, result.draw
        if draw.uniform:
            self._drawn.append(place)
            self._turns += 1
            self._audit(result)
        if not draw.unseen:
            return
        now.unseen += 1
        now.escapes += result.wrong is True
        now.known = self._alarm.hear(now.known, wrong=result.wrong is True)
        if draw.uniform and result.wrong is not None:
            now.heard = self._alarm.hear(now.heard, wrong=result.wrong)
        if self._alarm.goes_off(now.known) or self._alarm.goes_off(now.heard):
            self._now = self._begin(place + 1, len(self._drawn), alarmed=True)
            self._turns += 1

    def _audit(self, result: Judged) -> None:
        now = self._now
        inside = tuple(place for place, level in enumerate(self.levels) if belongs(result.draw, level))
        if result.wrong is None:
            now.waiting += 1
            now.open.append((now.answered, inside))
            return
        now.answered += 1
        _add(now, inside, wrong=result.wrong)
        while now.open and now.answered - now.open[0][0] >= PASSED_OVER:
            _add(now, now.open.popleft()[1], wrong=True)


def _add(now: Counted, inside: Sequence[int], *, wrong: bool) -> None:
    for place in inside:
        now.audits[place] += 1
        now.wrong[place] += wrong
