"""A probability that a result is right, from what is known about it: fitted here, calibrated there, and judged.

The three must never share a task: a model that has seen a task knows its answer. `part_of` deals whole clusters of
tasks into parts, the same way for ever, so that a ledger that grows moves nothing from one part to another.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import exp, fsum, isfinite

import numpy as np

from reeve.stats import logistic
from reeve.stats.intervals import Estimate, TooFewScores, auc, clopper_pearson
from reeve.stats.risk import Refused
from reeve.stats.runs import Floats

__all__ = ["Bin", "Calibration", "Model", "Quality", "brier", "fit_model", "isotonic", "part_of", "quality"]

FEWEST_OF_EACH = 10
"""Right and wrong results below which nothing is fitted."""

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression: the chance that a result is right, from its features.

    `coefficients` are those of the standardised features, after the intercept; `means` and `scales` are those of the
    data it was fitted to. `right` and `wrong` count them.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    right: int
    wrong: int

    def chance(self, row: Sequence[float]) -> float:
        """Give the chance that a result with these features, in their order, is right.

        Raises ValueError for another number of features and for values that are no numbers.
        """
        if len(row) != len(self.features) or not all(map(isfinite, row)):
            raise ValueError(f"{len(self.features)} features that are numbers are asked for, not {tuple(row)!r}")
        parts = zip(self.coefficients[1:], row, self.means, self.scales, strict=True)
        z = self.coefficients[0] + fsum(b * (value - mean) / scale for b, value, mean, scale in parts)
        small = exp(-abs(z))
        return 1.0 / (1.0 + small) if z >= 0.0 else small / (1.0 + small)


def fit_model(features: Sequence[str], rows: Rows, correct: Sequence[bool], penalty: float = 1.0) -> Model | Refused:
    """Fit P(correct) to features by logistic regression, ridge `penalty` / 2 on each squared standardised coefficient.

    Assumes that the log-odds are linear in the features; nothing is promised about its chances, which is why they
    are calibrated on other data and only then compared with a threshold. The exact optimum (`logistic.fit`). A feature
    that never changes gets the coefficient 0. Refused with fewer than 10 right or 10 wrong results. Raises
    ValueError for rows of another length than `features`, values that are no numbers, and a penalty not above 0.
    Reference: Hoerl and Kennard 1970; le Cessie and van Houwelingen 1992, Applied Statistics 41, 191-201.

    >>> found = fit_model(["passed"], [[1], [0]] * 20, [True, False] * 10 + [True] * 10 + [False] * 10)
    >>> round(found.chance([1]), 2), round(found.chance([0]), 2)
    (0.73, 0.27)
    """
    if penalty <= 0.0 or not isfinite(penalty):
        raise ValueError(f"a penalty lies above 0, not at {penalty!r}")
    values, right = _matrix(features, rows, correct), sum(map(bool, correct))
    wrong = len(correct) - right
    if min(right, wrong) < FEWEST_OF_EACH:
        return Refused(f"{right} right and {wrong} wrong results; at least {FEWEST_OF_EACH} of each are needed")
    means, scales = values.mean(axis=0), values.std(axis=0)
    steady = scales <= 1e-12 * (1.0 + np.abs(means))
    scales[steady] = 1.0
    design = np.column_stack([np.ones(len(values)), np.where(steady, 0.0, (values - means) / scales)])
    success = np.array([[float(bool(each)) for each in correct]])
    penalties = np.array([0.0] + [penalty] * len(features))
    found = logistic.fit(design, np.ones_like(success), success, penalties).coefficients[0]
    coefficients = np.where([False, *steady], 0.0, found)
    return Model(tuple(features), _plain(means), _plain(scales), _plain(coefficients), right, wrong)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A step function that never falls: from a score to the share of right results among those that score so.

    The chance from `edges[i]` on is `chances[i]`; below the first edge it is the first chance.
    """

    edges: tuple[float, ...]
    chances: tuple[float, ...]

    def chance(self, score: float) -> float:
        """Give the calibrated chance; raises ValueError for nan."""
        if score != score:  # noqa: PLR0124 - nan
            raise ValueError("a score is a number: nan was found")
        return self.chances[max(bisect_right(self.edges, score) - 1, 0)]


def isotonic(scores: Sequence[float], correct: Sequence[bool]) -> Calibration | Refused:
    """Calibrate scores: the best fit of a function that never falls, by pooling neighbours that are out of order.

    Assumes that a higher score is never less often right, and that the scores come from a model that saw none of
    these results. Least squares and maximum likelihood at once; consistent, but with few results its ends are too sure
    (0 and 1 are possible), which is why what may be accepted is tested with `risk.fixed_sequence` on a third part.
    Reference: Ayer et al. 1955, Annals of Mathematical Statistics 26, 641-647; Zadrozny and Elkan 2002. Refused with
    fewer than 10 right or 10 wrong results. Raises ValueError for scores that are no numbers.

    >>> found = isotonic([n / 40 for n in range(40)], [n % 4 < (2 if n < 20 else 3) for n in range(40)])
    >>> found.chance(0.1), found.chance(0.9)
    (0.5, 0.75)
    """
    _alike(scores, correct)
    right = sum(map(bool, correct))
    if min(right, len(correct) - right) < FEWEST_OF_EACH:
        wrong = len(correct) - right
        return Refused(f"{right} right and {wrong} wrong results; at least {FEWEST_OF_EACH} of each are needed")
    right_at, all_at = Counter[float](), Counter(scores)
    for score, good in zip(scores, correct, strict=True):
        right_at[score] += bool(good)
    blocks: list[tuple[float, int, int]] = []  # first score, right, all
    for score in sorted(all_at):
        block = (score, right_at[score], all_at[score])
        while blocks and blocks[-1][1] * block[2] >= block[1] * blocks[-1][2]:
            first, goods, size = blocks.pop()
            block = (first, goods + block[1], size + block[2])
        blocks.append(block)
    return Calibration(tuple(block[0] for block in blocks), tuple(block[1] / block[2] for block in blocks))


def part_of(cluster: str, shares: Sequence[float], seed: int) -> int:
    """Deal a cluster (a task, or the family of tasks it belongs to) into one of the parts, by its name alone.

    The parts get about these `shares` of the clusters. No cluster is ever in two, and what is dealt stays where it is
    however many come later. Raises ValueError for shares that are not above 0.

    >>> [part_of(name, [1, 1, 1], seed=7) for name in ("parser", "parser", "lexer", "cli", "docs")]
    [2, 2, 2, 1, 0]
    """
    if not shares or not all(share > 0.0 and isfinite(share) for share in shares):
        raise ValueError(f"shares lie above 0, not at {tuple(shares)!r}")
    place = int.from_bytes(sha256(f"{seed}\0{cluster}".encode()).digest()[:8], "big") / 2**64 * fsum(shares)
    for number, share in enumerate(shares):
        place -= share
        if place < 0.0:
            return number
    return len(shares) - 1


@dataclass(frozen=True, slots=True)
class Bin:
    """Results whose chance lies from `low` to `high`: how many, what chance was said, what share was right."""

    low: float
    high: float
    count: int
    mean_chance: float
    correct: Estimate


@dataclass(frozen=True, slots=True)
class Quality:
    """How good chances are on data they were not made from.

    `brier` is the mean squared error (0 is best), `brier_of_base_rate` that of saying the base rate for all. `auc` is
    None where all results are right or all wrong. Bins without results are left out.
    """

    count: int
    base_rate: float
    brier: float
    brier_of_base_rate: float
    auc: Estimate | None
    bins: tuple[Bin, ...]


def quality(chances: Sequence[float], correct: Sequence[bool], bins: int = 10) -> Quality | Refused:
    """Judge chances on results they were not made from: reliability bins, Brier score, area under the ROC curve.

    Assumes independent results; where one task gives many, the intervals are too narrow. Those of the bins are exact
    (`clopper_pearson`), that of the area is DeLong's. Refused without results. Raises ValueError for a chance outside
    [0, 1]. Reference: Brier 1950, Monthly Weather Review 78, 1-3.

    >>> found = quality([0.9, 0.8, 0.3, 0.1], [True, True, True, False], bins=2)
    >>> round(found.brier, 4), [(each.count, each.correct.value) for each in found.bins]
    (0.1375, [(2, 0.5), (2, 1.0)])
    """
    _alike(chances, correct)
    if bins < 1:
        raise ValueError(f"at least one bin is asked for, not {bins!r}")
    if not chances:
        return Refused("there is no result to judge the chances by")
    right = [chance for chance, good in zip(chances, correct, strict=True) if good]
    wrong = [chance for chance, good in zip(chances, correct, strict=True) if not good]
    base = len(right) / len(chances)
    try:
        area = auc(right, wrong)
    except TooFewScores:
        area = None
    return Quality(
        len(chances), base, brier(chances, correct), base * (1.0 - base), area, _bins(chances, correct, bins)
    )


def brier(chances: Sequence[float], correct: Sequence[bool]) -> float:
    """Give the mean squared difference of chance and outcome; raises ValueError without any, or outside [0, 1]."""
    _alike(chances, correct)
    if not chances or not all(0.0 <= chance <= 1.0 for chance in chances):
        raise ValueError("a Brier score is that of one chance or more, each from 0 to 1")
    return fsum((chance - bool(good)) ** 2 for chance, good in zip(chances, correct, strict=True)) / len(chances)


def _bins(chances: Sequence[float], correct: Sequence[bool], bins: int) -> tuple[Bin, ...]:
    inside: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for chance, good in zip(chances, correct, strict=True):
        inside[min(int(chance * bins), bins - 1)].append((chance, bool(good)))
    return tuple(
        Bin(
            low=number / bins,
            high=(number + 1) / bins,
            count=len(some),
            mean_chance=fsum(chance for chance, _ in some) / len(some),
            correct=clopper_pearson(sum(good for _, good in some), len(some)),
        )
        for number, some in enumerate(inside)
        if some
    )


def _matrix(features: Sequence[str], rows: Rows, correct: Sequence[bool]) -> Floats:
    if len(rows) != len(correct) or any(len(row) != len(features) for row in rows):
        raise ValueError(f"each result has one row of the {len(features)} features {list(features)!r}")
    values = np.array([list(map(float, row)) for row in rows], dtype=np.float64).reshape(len(rows), len(features))
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0].tolist()
        raise ValueError(
            f"feature {features[column]!r} of result {row + 1} is {values[row, column].item()!r}, no number"
        )
    return values


def _alike(scores: Sequence[float], correct: Sequence[bool]) -> None:
    if len(scores) != len(correct):
        raise ValueError(f"{len(scores)} scores and {len(correct)} outcomes do not belong together")
    if not all(map(isfinite, scores)):
        raise ValueError("a score is a number: nan or infinity was found")


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, values))
