"""The chance that a result is right, from what had been found by the time it came; never from what was found later."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.trust.lives import Life, Result
from reeve.policy.confidence import part_of_task
from reeve.records import Fit
from reeve.stats.calibration import FEWEST_OF_EACH, fit_model, isotonic
from reeve.stats.fitted import chance_of
from reeve.stats.risk import Refused

UNKNOWN = 0.5  # before there is anything to fit to
Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """The chance that a result is right, the fit that made it (None: nothing was known), and of what."""

    chance: float
    fit: Fit | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)


Known = list[tuple[Row, bool]]  # what a result was described by, and whether it was right


class Scores:
    """Scores the results of one life, each before anything is found out about it, and never again.

    The model is fitted anew, to whatever people found out so far, each time that this has grown by a quarter. Which
    tasks it learns from is dealt as reeve deals them: a quarter to fit to, a quarter to calibrate on, half kept apart.
    """

    def __init__(self, life: Life) -> None:
        self._features = (*life.features, "task's record", "task known", "agent's record", "agent known")
        self._right, self._wrong = Counter[str](), Counter[str]()
        self._parts: tuple[Known, Known, Known] = ([], [], [])
        self._fit_now: Fit | None = None
        self._next_fit = 2 * FEWEST_OF_EACH

    def row(self, result: Result) -> Row:
        """Describe a result as it could be described when it came."""
        parts: list[float] = []
        for key in (f"task {result.task}", f"agent {result.version}"):
            right, wrong = self._right[key], self._wrong[key]
            parts += [(right + 1.0) / (right + wrong + 2.0), min(right + wrong, 20) / 20.0]
        return (*result.evidence, *parts)

    def score(self, row: Row) -> Scored:
        """Give the chance that a result which passed is right. The verdicts of these lives have none of their own."""
        evidence = {"verdict": UNKNOWN} | dict(zip(self._features, row, strict=True))
        if self._fit_now is None:
            return Scored(UNKNOWN, None, evidence)
        return Scored(chance_of(self._fit_now, evidence), self._fit_now, evidence)

    def found(self, result: Result, row: Row) -> None:
        """Take in what a person found out about a result."""
        for key in (f"task {result.task}", f"agent {result.version}"):
            (self._wrong if result.wrong else self._right)[key] += 1
        self._parts[part_of_task(result.task)].append((row, not result.wrong))
        known = sum(map(len, self._parts[:2]))
        if known >= self._next_fit:
            self._next_fit = known * 5 // 4
            self._fit_now = self._fit(known) or self._fit_now

    def _fit(self, known: int) -> Fit | None:
        to_fit, to_calibrate, _ = self._parts
        model = fit_model(self._features, [row for row, _ in to_fit], [right for _, right in to_fit])
        if isinstance(model, Refused):
            return None
        chances = [model.chance(row) for row, _ in to_calibrate]
        steps = isotonic(chances, [right for _, right in to_calibrate])
        if isinstance(steps, Refused):
            return None
        return Fit(
            version=str(known),
            features=model.features,
            means=model.means,
            scales=model.scales,
            coefficients=model.coefficients,
            edges=steps.edges,
            chances=steps.chances,
            right=model.right,
            wrong=model.wrong,
            calibrated=len(to_calibrate),
            auc=UNKNOWN,
            auc_low=0.0,
            auc_high=1.0,
        )
