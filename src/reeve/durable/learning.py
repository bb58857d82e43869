"""What the ledger teaches about cells, kept up to date: a decision costs what is new, and not what is known."""

import threading
from collections.abc import Sequence

from reeve.ledger.audits import Results
from reeve.policy.confidence import answers_to_fit, fit_of
from reeve.policy.learn import learn
from reeve.policy.tally import Tally
from reeve.records import Cell, Fit, Judged, Policy
from reeve.stats.risk import Refused

__all__ = ["Learner", "fit_now"]


def fit_now(results: Results) -> Fit | Refused:
    """Return the fit that a decision goes by now: made of the first answers, as they were known then."""
    return _fit(results, answers_to_fit(results.news(0).answers))


class Learner:
    """Learns policies from results. What it returns depends on the facts and on nothing that it was asked before."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._lock = threading.Lock()
        self._owner: Policy | None = None
        self._mark = 0
        self._tallies: dict[Cell, Tally] = {}
        self._fit: tuple[int, Fit | Refused] | None = None

    def policy(self, owner: Policy, cell: Cell) -> Policy:
        """Return the owner's policy with what is known of a cell now."""
        with self._lock:
            self._begin(owner)
            news = self.results.news(self._mark)
            self._mark = news.mark
            for each, place, result in news.changed:
                self._tally(owner, each).put(place, result)
            fit = self._fit_of(answers_to_fit(news.answers))
            return learn(owner, self._tally(owner, cell), cell, news.through, fit)

    def _begin(self, owner: Policy) -> None:
        """Forget what was counted for other numbers of the owner's."""
        known = self._owner
        if known is None or _numbers(known) != _numbers(owner):
            self._owner, self._mark, self._tallies = owner, 0, {}

    def _tally(self, owner: Policy, cell: Cell) -> Tally:
        if cell not in self._tallies:
            self._tallies[cell] = Tally(owner)
        return self._tallies[cell]

    def _fit_of(self, answers: int) -> Fit | Refused:
        if self._fit is None or self._fit[0] != answers:
            self._fit = (answers, _fit(self.results, answers))
        return self._fit[1]


def _fit(results: Results, answers: int) -> Fit | Refused:
    known: Sequence[Judged] = tuple(results.after_answers(answers))
    return fit_of(known)


def _numbers(owner: Policy) -> tuple[float, float]:
    return owner.highest_escape_rate, owner.confidence
