"""The chance that a result is right, from what had been found by the time it came; never from what was found later."""

from collections import Counter

from bench.trust.lives import Life, Result
from reeve.stats.calibration import FEWEST_OF_EACH, Calibration, Model, fit_model, isotonic, part_of
from reeve.stats.risk import Refused

UNKNOWN = 0.5  # before there is anything to fit to
Row = tuple[float, ...]
Known = list[tuple[Row, bool]]  # what a result was described by, and whether it was right
PARTS = (2.0, 1.0)  # of the tasks: to fit the model to, and to calibrate it on


class Scores:
    """Scores the results of one life, each before anything is found out about it, and never again.

    The model is fitted anew, to whatever people found out so far, each time that this has grown by a quarter.
    """

    def __init__(self, life: Life, seed: int) -> None:
        self._features = (*life.features, "task's record", "task known", "agent's record", "agent known")
        self._seed = seed
        self._right, self._wrong = Counter[str](), Counter[str]()
        self._parts: tuple[Known, Known] = ([], [])
        self._fitted: tuple[Model, Calibration] | None = None
        self._next_fit = 2 * FEWEST_OF_EACH

    def row(self, result: Result) -> Row:
        """Describe a result as it could be described when it came."""
        parts: list[float] = []
        for key in (f"task {result.task}", f"agent {result.version}"):
            right, wrong = self._right[key], self._wrong[key]
            parts += [(right + 1.0) / (right + wrong + 2.0), min(right + wrong, 20) / 20.0]
        return (*result.evidence, *parts)

    def score(self, row: Row) -> float:
        """Give the chance that a result which passed is right."""
        if self._fitted is None:
            return UNKNOWN
        model, calibration = self._fitted
        return calibration.chance(model.chance(row))

    def found(self, result: Result, row: Row) -> None:
        """Take in what a person found out about a result."""
        for key in (f"task {result.task}", f"agent {result.version}"):
            (self._wrong if result.wrong else self._right)[key] += 1
        self._parts[part_of(result.task, PARTS, self._seed)].append((row, not result.wrong))
        known = sum(map(len, self._parts))
        if known >= self._next_fit:
            self._next_fit = known * 5 // 4
            self._fitted = self._fit() or self._fitted

    def _fit(self) -> tuple[Model, Calibration] | None:
        to_fit, to_calibrate = self._parts
        model = fit_model(self._features, [row for row, _ in to_fit], [right for _, right in to_fit])
        if isinstance(model, Refused):
            return None
        chances = [model.chance(row) for row, _ in to_calibrate]
        calibration = isotonic(chances, [right for _, right in to_calibrate])
        return None if isinstance(calibration, Refused) else (model, calibration)
