"""What a curve over the length of tasks sees of runs: weights at points, as observed and in resamples.

A point is an agent with a number of human minutes. Tables of any size come down to their points, and from there on all
cost the same; what remains is drawing the runs, for which large tables have faster ways with the same distribution.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite

import numpy as np
import numpy.typing as npt

from reeve.stats.logistic import fit
from reeve.stats.resample import Resampler
from reeve.stats.runs import Floats, Ints, Runs, distinct

__all__ = ["MANY_RUNS", "RESAMPLES", "Curves", "Mask", "Points", "affordable_resamples", "fit_curves"]

RESAMPLES = 1000
FEWEST_RESAMPLES = 100

MANY_RUNS = 100_000
"""Above this resamples are drawn in ways of our own: the same distribution, other random numbers than published."""

MANY_POINTS = 20_000
BINS_A_DOUBLING = 16
"""Of the length of tasks, in resamples of tables with many runs and points: a curve moves by some 0.01 % through it."""

CELLS_AT_ONCE = 2_000_000  # of resamples x points, to bound memory

# What a resample costs on one core, from measurements: the order of magnitude decides, not the machine.
NANOSECONDS_A_RUN, NANOSECONDS_A_PAIR, NANOSECONDS_A_POINT = 20, 60, 200
AFFORDABLE_NANOSECONDS = 2.5e9

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
    x: Floats  # points x variables; those of a horizon are log2 of human minutes alone
    point: Ints  # of each run

    @classmethod
    def of(cls, runs: Runs, x: Floats | None = None) -> "Points":
        """Give a point to every distinct row of agent and variables; `x` is runs x variables."""
        variables = _log2_minutes(runs) if x is None else x
        key = runs.agent
        for column in variables.T:
            values, place = distinct(column)
            key = distinct(key * len(values) + place)[1]  # numbered anew, so that no product overflows
        found, point = distinct(key)
        one = np.empty(len(found), dtype=np.int64)
        one[point] = np.arange(len(runs))
        return cls(runs, runs.agent[one], variables[one], point)

    @classmethod
    def for_resamples(cls, runs: Runs, x: Floats | None = None) -> "Points":
        """Give the same, or, where both runs and points are many, one to each agent and bin of each variable.

        A bin lies at the mean of its runs, by weight.
        """
        exact = cls.of(runs, x)
        if len(runs) <= MANY_RUNS or len(exact.agent) <= MANY_POINTS:
            return exact
        variables = _log2_minutes(runs) if x is None else x
        coarse = cls.of(runs, np.floor(variables * BINS_A_DOUBLING))
        weight = np.bincount(coarse.point, weights=runs.weights)
        sums = [np.bincount(coarse.point, weights=runs.weights * column) for column in variables.T]
        return cls(runs, coarse.agent, np.stack(sums, axis=1) / weight[:, None], coarse.point)

    def of_agents(self) -> Iterator[slice]:
        """Give the place of each agent's points."""
        borders = np.searchsorted(self.agent, np.arange(len(self.runs.agents) + 1)).tolist()
        return (slice(start, end) for start, end in pairwise(borders))

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
        """Fit every agent in every data set that has both outcomes, into `curves` and `fitted`.

        `curves` is data sets x agents x (intercept and one slope for each variable); slopes alone are penalised.
        """
        penalties = np.array([0.0, *[penalty] * self.x.shape[1]])
        for agent, own in enumerate(self.of_agents()):
            total, success = totals[:, own], successes[:, own]
            both = (success > 0).any(axis=1) & (success < total).any(axis=1)
            design = np.column_stack([np.ones(len(self.x[own])), self.x[own]])
            if both.any():
                curves[both, agent] = fit(design, total[both], success[both], penalties).coefficients
            fitted[:, agent] = both

    # ------------------------------------------------------------ drawing

    @cached_property
    def alike(self) -> bool:
        """All runs of an agent at a task are at one point."""
        point, _ = self._pairs
        return bool(np.all(point[self.runs.pairs[1]] == self.point))

    @cached_property
    def countable(self) -> bool:
        """All runs of an agent at a task are alike but for success or failure."""
        return self.alike and bool(np.all(self.runs.score % 1.0 == 0.0))

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
        return self._of_pairs(*resampler.gains(seed)) if self.alike else self._of_rows(resampler.rows(seed))

    def _unordered(self, resampler: Resampler, seed: int) -> tuple[Floats, Floats]:
        return self._of_rows(resampler.unordered_rows(seed))

    def _counted(self, resampler: Resampler, seed: int) -> tuple[Floats, Floats]:
        return self._of_pairs(*resampler.successes(seed))

    def _of_pairs(self, drawn: Ints, good: Floats) -> tuple[Floats, Floats]:
        point, weight = self._pairs
        return self._at_points(point, drawn * weight, good * weight)

    def _of_rows(self, rows: Ints) -> tuple[Floats, Floats]:
        return self._at_points(self.point.take(rows), self.runs.weights.take(rows), self._gained.take(rows))

    def _at_points(self, point: Ints, total: Floats, success: Floats) -> tuple[Floats, Floats]:
        count = len(self.agent)
        sums = [np.bincount(point, weights=each, minlength=count) for each in (total, success)]
        return np.array(sums[:1], dtype=np.float64), np.array(sums[1:], dtype=np.float64)


def _log2_minutes(runs: Runs) -> Floats:
    return np.log2(runs.minutes)[:, None]


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of all agents: the exact optimum of the observed runs, and those of resamples.

    `observed` is agents x (intercept and slopes), `drawn` resamples x agents x the same; they mean something where
    `has` and `fitted` are true: where an agent had successes and failures.
    """

    observed: Floats
    has: Mask
    drawn: Floats
    fitted: Mask


def fit_curves(
    runs: Runs,
    x: Floats | None = None,
    *,
    penalty: float,
    resamples: int,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Curves:
    """Fit the curves of all agents over variables (runs x variables; None: log2 of human minutes).

    Raises ValueError for a penalty or a number of resamples that cannot be.
    """
    if not (penalty > 0 and isfinite(penalty)):
        raise ValueError(f"a penalty is above 0, not {penalty!r}: without one, some curves have no optimum")
    if resamples < 0:
        raise ValueError(f"a number of resamples is not negative, unlike {resamples!r}")
    exact = Points.of(runs, x)
    width, agents = exact.x.shape[1] + 1, len(runs.agents)
    observed, has = np.zeros((1, agents, width)), np.zeros((1, agents), dtype=np.bool_)
    exact.fit(*exact.observed(), penalty, observed, has)
    drawn, fitted = np.zeros((resamples, agents, width)), np.zeros((resamples, agents), dtype=np.bool_)
    points, done = Points.for_resamples(runs, x), 0
    for totals, successes in points.resampled(seed, resamples):
        part = slice(done, done + len(totals))
        points.fit(totals, successes, penalty, drawn[part], fitted[part])
        done += len(totals)
        progress(done)
    return Curves(observed[0], has[0], drawn, fitted)
