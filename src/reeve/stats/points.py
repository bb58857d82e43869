"""What a curve over the length of tasks sees of runs: weights at points, as observed and in resamples.

A point is an agent with a number of human minutes. Tables of any size come down to their points, and from there on all
cost the same; what remains is drawing the runs, for which large tables have faster ways with the same distribution.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from reeve.stats.logistic import fit
from reeve.stats.resample import Resampler
from reeve.stats.runs import Floats, Ints, Runs, distinct

__all__ = ["MANY_RUNS", "RESAMPLES", "Mask", "Points", "affordable_resamples"]

RESAMPLES = 1000
FEWEST_RESAMPLES = 100

MANY_RUNS = 100_000
"""Above this resamples are drawn in ways of our own: the same distribution, other random numbers than published."""

MANY_POINTS = 20_000
BINS_A_DOUBLING = 16
"""Of the length of tasks, in resamples of tables with many runs and points: a curve moves by some 0.01 % through it."""

CELLS_AT_ONCE = 2_000_000  # of resamples x points, to bound memory

# What a resample costs on one core, from measurements: the order of magnitude decides, not the machine.
NANOSECONDS_A_RUN, NANOSECONDS_A_PAIR, NANOSECONDS_A_POINT = 15, 60, 300
AFFORDABLE_NANOSECONDS = 3e9

Mask = npt.NDArray[np.bool_]
Draw = Callable[[Resampler, int], tuple[Floats, Floats]]


def affordable_resamples(runs: Runs) -> int:
    """Say how many resamples take some seconds: 1000 for all but very large tables, and never fewer than 100.

    It depends on the shape of the table alone, so that equal tables get equal numbers everywhere.
    """
    if len(runs) <= MANY_RUNS:
        return RESAMPLES
    points = Points.for_resamples(runs)
    drawing = NANOSECONDS_A_PAIR * len(runs.pairs[0]) if points.countable else NANOSECONDS_A_RUN * len(runs)
    cost = drawing + NANOSECONDS_A_POINT * len(points.agent)
    return int(min(RESAMPLES, max(FEWEST_RESAMPLES, AFFORDABLE_NANOSECONDS // cost)))


@dataclass(frozen=True)
class Points:
    """The points of runs, ordered by agent: of its runs, a curve sees only the weights there."""

    runs: Runs
    agent: Ints  # of each point; ascending
    log2_minutes: Floats
    point: Ints  # of each run

    @classmethod
    def of(cls, runs: Runs) -> "Points":
        """Give a point to every distinct pair of agent and human minutes."""
        lengths, length = distinct(runs.minutes)
        found, point = distinct(runs.agent * len(lengths) + length)
        agent, length_of = np.divmod(found, len(lengths))
        return cls(runs, agent, np.log2(lengths[length_of]), point)

    @classmethod
    def for_resamples(cls, runs: Runs) -> "Points":
        """Give the same, or, where both runs and points are many, one to each agent and bin of lengths.

        A bin lies at the mean length of its runs, by weight.
        """
        exact = cls.of(runs)
        if len(runs) <= MANY_RUNS or len(exact.agent) <= MANY_POINTS:
            return exact
        x = np.log2(runs.minutes)
        bins = np.floor((x - x.min()) * BINS_A_DOUBLING).astype(np.int64)
        width = int(bins.max()) + 1
        found, point = distinct(runs.agent * width + bins)
        weight = np.bincount(point, weights=runs.weights)
        return cls(runs, found // width, np.bincount(point, weights=runs.weights * x) / weight, point)

    def observed(self) -> tuple[Floats, Floats]:
        """Give the weights of all runs and of successful ones at each point, as one data set."""
        return self._at_points(self.point, self.runs.weights, self._gained)

    def resampled(self, seed: int, resamples: int) -> Iterator[tuple[Floats, Floats]]:
        """Give the same for resamples, some of them at a time."""
        draw, resampler = self._draw, Resampler(self.runs)
        chunk = max(1, min(100, CELLS_AT_ONCE // len(self.agent)))
        for start in range(0, resamples, chunk):
            drawn = [draw(resampler, seed + number) for number in range(start, min(start + chunk, resamples))]
            yield np.concatenate([total for total, _ in drawn]), np.concatenate([success for _, success in drawn])

    def fit(self, totals: Floats, successes: Floats, penalty: float, curves: Floats, fitted: Mask) -> None:
        """Fit every agent in every data set that has both outcomes, into `curves` and `fitted`."""
        borders = np.searchsorted(self.agent, np.arange(len(self.runs.agents) + 1))
        for agent, (start, end) in enumerate(pairwise(borders)):
            total, success = totals[:, start:end], successes[:, start:end]
            both = (success > 0).any(axis=1) & (success < total).any(axis=1)
            design = np.stack([np.ones(end - start), self.log2_minutes[start:end]], axis=1)
            if both.any():
                curves[both, agent] = fit(design, total[both], success[both], np.array([0.0, penalty])).coefficients
            fitted[:, agent] = both

    # ------------------------------------------------------------ drawing

    @cached_property
    def countable(self) -> bool:
        """All runs of an agent at a task are alike but for success or failure."""
        point, _ = self._pairs
        return bool(np.all(point[self.runs.pairs[1]] == self.point) and np.all(self.runs.score % 1.0 == 0.0))

    @cached_property
    def _gained(self) -> Floats:
        return self.runs.weights * self.runs.score

    @cached_property
    def _pairs(self) -> tuple[Ints, Floats]:
        """Give the point and the weight of one run of each pair of task and agent."""
        pairs, pair = self.runs.pairs
        point, weight = np.empty(len(pairs), dtype=np.int64), np.empty(len(pairs))
        point[pair], weight[pair] = self.point, self.runs.weights
        return point, weight

    @property
    def _draw(self) -> Draw:
        if len(self.runs) <= MANY_RUNS:
            return self._published
        return self._counted if self.countable else self._unordered

    def _published(self, resampler: Resampler, seed: int) -> tuple[Floats, Floats]:
        return self._of_rows(resampler.rows(seed))

    def _unordered(self, resampler: Resampler, seed: int) -> tuple[Floats, Floats]:
        return self._of_rows(resampler.unordered_rows(seed))

    def _counted(self, resampler: Resampler, seed: int) -> tuple[Floats, Floats]:
        (point, weight), (drawn, good) = self._pairs, resampler.successes(seed)
        return self._at_points(point, drawn * weight, good * weight)

    def _of_rows(self, rows: Ints) -> tuple[Floats, Floats]:
        return self._at_points(self.point.take(rows), self.runs.weights.take(rows), self._gained.take(rows))

    def _at_points(self, point: Ints, total: Floats, success: Floats) -> tuple[Floats, Floats]:
        count = len(self.agent)
        sums = [np.bincount(point, weights=each, minlength=count) for each in (total, success)]
        return np.array(sums[:1], dtype=np.float64), np.array(sums[1:], dtype=np.float64)
