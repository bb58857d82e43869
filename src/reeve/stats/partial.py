"""Rates of many small cells at once: each leans on the others as far as they are alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from reeve.stats.intervals import clopper_pearson
from reeve.stats.pass_at_k import Tally
from reeve.stats.risk import Refused
from reeve.stats.runs import Floats

__all__ = ["PooledRate", "Spread", "partially_pooled", "spread"]

Cell = TypeVar("Cell")

FEWEST_CELLS = 3
MEANS = 32
CONCENTRATIONS = 24
LARGEST_CONCENTRATION = 2000.0
NEGLIGIBLE = 1e-3  # of the weight of the likeliest
HALVINGS = 30  # of the interval from 0 to 1: correct to 1e-9


@dataclass(frozen=True, slots=True)
class PooledRate:
    """A cell's rate with the ends of its interval; `weight_of_own` is how much of it is its own data (0 to 1).

    `pooled` is False where there were too few cells to lean on: then it is the plain share and the exact interval.
    """

    value: float
    low: float
    high: float
    weight_of_own: float
    pooled: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """The beta distribution that the true rates of cells follow: `mean`, and `concentration` (a + b)."""

    mean: float
    concentration: float


def partially_pooled(cells: Mapping[Cell, Tally], confidence: float = 0.95) -> Mapping[Cell, PooledRate | Refused]:
    """Estimate the rate of each cell (an agent version, a kind of task, a repository) with the help of the others.

    Assumes that results in a cell are independent with one chance, and that these chances are draws from one beta
    distribution: nothing is known beforehand that sets a cell apart. Then the interval covers the true rate of a
    randomly chosen cell with about `confidence`; that of the most extreme cell may be covered less often, which is the
    price of pooling, so nothing is certified by it. Empirical Bayes with the two parameters of the beta distribution
    not plugged in but summed over, each weighed by its likelihood under a vague prior (uniform in the mean, and in
    the concentration as Gelman et al., Bayesian Data Analysis, 5.3, have it): with few cells plugged-in intervals are
    too narrow. Reference: Casella 1985, The American Statistician 39, 83-87.

    With fewer than 3 cells that have results each stands alone; a cell without results is refused then, and gets
    what the others say otherwise.

    >>> found = partially_pooled({"a": Tally(40, 30), "b": Tally(40, 28), "c": Tally(2, 0)})
    >>> found["c"].value > 0.3, found["c"].weight_of_own < found["a"].weight_of_own
    (True, True)
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence!r}")
    if sum(tally.attempts > 0 for tally in cells.values()) < FEWEST_CELLS:
        return {cell: _alone(tally, confidence) for cell, tally in cells.items()}
    a, b, weight = _weighed(list(cells.values()))
    kept = weight > NEGLIGIBLE * weight.max()
    a, b, weight = a[kept], b[kept], weight[kept] / weight[kept].sum()
    return {cell: _pooled(tally, a, b, weight, confidence) for cell, tally in cells.items()}


def spread(tallies: Sequence[Tally]) -> Spread | Refused:
    """Estimate how the chances of tasks (or cells) spread around their mean: the posterior means of both.

    Assumptions and prior are those of `partially_pooled`. What matters for trying again: with a low concentration
    tasks are solved always or never, and a failure says much; with a high one all are alike. Refused with fewer than 3
    tallies with attempts, and where none was attempted twice: then the spread cannot be seen.

    >>> found = spread([Tally(5, 5), Tally(5, 0), Tally(5, 5), Tally(5, 0), Tally(5, 4), Tally(5, 1)])
    >>> 0.3 < found.mean < 0.7, found.concentration < 5
    (True, True)
    """
    tried = [tally for tally in tallies if tally.attempts]
    if len(tried) < FEWEST_CELLS or max(tally.attempts for tally in tried) < 2:
        most = max((tally.attempts for tally in tried), default=0)
        return Refused(f"{len(tried)} tasks were attempted, at most {most} times; {FEWEST_CELLS} and 2 are the fewest")
    a, b, weight = _weighed(tried)
    mean, log_concentration = float((weight * a / (a + b)).sum()), float((weight * np.log(a + b)).sum())
    return Spread(mean, float(np.exp(log_concentration)))


def _weighed(tallies: Sequence[Tally]) -> tuple[Floats, Floats, Floats]:
    """Give a grid of beta distributions and the posterior weight of each."""
    from scipy.special import betaln  # SciPy takes longer to import than most commands take

    means = (np.arange(MEANS) + 0.5) / MEANS
    means = np.sin(means * np.pi / 2.0) ** 2  # denser where rates are near 0 or 1
    logs = np.linspace(np.log(0.2), np.log(LARGEST_CONCENTRATION), CONCENTRATIONS)
    mean, concentration = (each.ravel() for each in np.meshgrid(means, np.exp(logs), indexing="ij"))
    a, b = mean * concentration, (1.0 - mean) * concentration
    alike = Counter((tally.passed, tally.attempts - tally.passed) for tally in tallies)
    passed, failed = (np.array(column, dtype=np.float64) for column in zip(*alike, strict=True))
    times = np.array(list(alike.values()), dtype=np.float64)
    likelihood = (betaln(a[:, None] + passed, b[:, None] + failed) - betaln(a, b)[:, None]) @ times
    # d mean of the sine grid, d concentration of the log grid, and (a + b)**-2.5 times a + b for mean and concentration
    width = np.sqrt(mean * (1.0 - mean))
    log_weight = likelihood + np.log(width) - 0.5 * np.log(concentration)
    weight = np.exp(log_weight - log_weight.max())
    return a, b, np.asarray(weight / weight.sum(), dtype=np.float64)


def _pooled(tally: Tally, a: Floats, b: Floats, weight: Floats, confidence: float) -> PooledRate:
    from scipy.special import betainc

    after_a, after_b = a + tally.passed, b + tally.attempts - tally.passed
    value = float((weight * after_a / (after_a + after_b)).sum())
    own = float((weight * tally.attempts / (a + b + tally.attempts)).sum())
    tails = np.array([(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    low, high = np.zeros(2), np.ones(2)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        below = (weight * betainc(after_a, after_b, middle[:, None])).sum(axis=1) < tails
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    ends: npt.NDArray[np.float64] = (low + high) / 2.0
    return PooledRate(value, float(ends[0]), float(ends[1]), own, pooled=True)


def _alone(tally: Tally, confidence: float) -> PooledRate | Refused:
    if not tally.attempts:
        return Refused("nothing was attempted here, and too few other cells to lean on have results")
    found = clopper_pearson(tally.passed, tally.attempts, confidence)
    return PooledRate(found.value, found.low, found.high, weight_of_own=1.0, pooled=False)
