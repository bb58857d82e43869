"""How sure a measured share is: the exact interval of a binomial share, and the area under a ROC curve with its own."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, log1p, sqrt
from statistics import NormalDist

__all__ = ["Estimate", "TooFewScores", "auc", "clopper_pearson"]

HALVINGS = 60  # of the interval from 0 to 1: far below the 1e-9 that is promised


class TooFewScores(ValueError):  # noqa: N818 - named after what was found
    """There is not enough data for the estimate that was asked for."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Give the share of hits with its exact interval: both tails hold at most (1 - confidence) / 2 for every share.

    Assumes independent trials with one probability. Covers at least as often as promised for every number of trials,
    unlike the normal approximation; it is wider than need be in return. The ends are roots of the binomial sums found
    by bisection, correct to 1e-9 for up to 100,000 trials. Reference: Clopper and Pearson 1934, Biometrika 26,
    404-413. Raises TooFewScores without any trial.

    >>> found = clopper_pearson(hits=0, trials=30)
    >>> found.value, found.low, round(found.high, 4)
    (0.0, 0.0, 0.1157)
    """
    if trials < 1:
        raise TooFewScores("a share of no trials cannot be judged")
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits!r} hits in {trials!r} trials cannot be")
    tail = _tail(confidence)
    # The chance of at least `hits` grows with the share; the chance of at most `hits` shrinks with it.
    low = 0.0 if hits == 0 else _root(lambda share: _sum(hits, trials, trials, share) - tail)
    high = 1.0 if hits == trials else _root(lambda share: tail - _sum(0, hits, trials, share))
    return Estimate(hits / trials, low, high)


def auc(positives: Sequence[float], negatives: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Give the probability that a positive scores above a negative, ties counted half, with its interval.

    That is the area under the ROC curve. Assumes independent scores. The interval is DeLong's, cut at 0 and 1: right
    for large samples. Where it would have no width because all pairs say the same, the exact interval of as many
    disjoint pairs as there are takes its place, which is wider than need be. Reference: DeLong, DeLong and
    Clarke-Pearson 1988, Biometrics 44, 837-845. Raises TooFewScores with fewer than two on either side.

    >>> auc([0.9, 0.8, 0.7], [0.1, 0.8]).value
    0.75
    """
    fewest = min(len(positives), len(negatives))
    if fewest < 2:
        raise TooFewScores(f"an area cannot be judged from {len(positives)} positives and {len(negatives)} negatives")
    above = _shares_below(positives, sorted(negatives))
    below = [1.0 - share for share in _shares_below(negatives, sorted(positives))]
    value = _mean(above)
    variance = _variance(above) / len(above) + _variance(below) / len(below)
    tail = _tail(confidence)
    if variance == 0.0 and value in (0.0, 1.0):
        exact = clopper_pearson(round(value * fewest), fewest, confidence)
        return Estimate(value, exact.low, exact.high)
    reach = NormalDist().inv_cdf(1.0 - tail) * sqrt(variance)
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach))


def _tail(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence!r}")
    return (1.0 - confidence) / 2.0


def _sum(first: int, last: int, trials: int, share: float) -> float:
    """Add up the binomial probabilities of `first` to `last` hits."""
    whole, yes, no = lgamma(trials + 1), log(share), log1p(-share)
    return fsum(
        exp(whole - lgamma(hits + 1) - lgamma(trials - hits + 1) + hits * yes + (trials - hits) * no)
        for hits in range(first, last + 1)
    )


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return (low + high) / 2.0


def _shares_below(scores: Sequence[float], ascending: Sequence[float]) -> list[float]:
    """Give for each score the share of the others below it, equal ones counted half: a search, not all pairs."""
    halves = [bisect_left(ascending, score) + bisect_right(ascending, score) for score in scores]
    return [count / (2 * len(ascending)) for count in halves]


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
