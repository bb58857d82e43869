"""One attempt and many attempts are different numbers: unbiased pass@k and pass^k."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import comb

__all__ = ["Tallies", "Tally", "TooFewAttempts", "mean_pass_at_k", "mean_pass_hat_k", "pass_at_k", "pass_hat_k"]


class TooFewAttempts(ValueError):  # noqa: N818 - named after what was found
    """There is not enough data for the estimate that was asked for."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one task was attempted and how often it passed.

    The number of attempts must have been fixed before the first one ran: retrying only what failed makes every
    estimate below too low, and stopping at the first success makes it too high.
    """

    attempts: int
    passed: int

    def __post_init__(self) -> None:
        if not 0 <= self.passed <= self.attempts:
            raise ValueError(f"{self.passed!r} passed of {self.attempts!r} attempts cannot be")


Tallies = Iterable[Tally] | Mapping[Tally, int]
"""One tally for each task, or how many tasks have each tally."""


def pass_at_k(tally: Tally, k: int) -> float:
    """Estimate the probability that at least one of `k` attempts passes: 1 - C(n-c, k) / C(n, k).

    Assumes that the attempts at a task are exchangeable. Unbiased for every n >= k, unlike 1 - (1 - c/n)**k, which
    is too low. Reference: Chen et al. 2021, arXiv:2107.03374. Raises TooFewAttempts when n < k.

    >>> pass_at_k(Tally(attempts=4, passed=1), k=2)
    0.5
    """
    _enough(tally, k)
    return 1.0 - comb(tally.attempts - tally.passed, k) / comb(tally.attempts, k)


def pass_hat_k(tally: Tally, k: int) -> float:
    """Estimate the probability that all of `k` attempts pass (pass^k): C(c, k) / C(n, k).

    Assumes that the attempts at a task are exchangeable. Unbiased for every n >= k, unlike (c/n)**k, which is too
    high. Reference: Yao et al. 2024, arXiv:2406.12045. Raises TooFewAttempts when n < k.

    >>> pass_hat_k(Tally(attempts=4, passed=3), k=2)
    0.5
    """
    _enough(tally, k)
    return comb(tally.passed, k) / comb(tally.attempts, k)


def mean_pass_at_k(tallies: Tallies, k: int) -> float:
    """Average pass@k over tasks, each task with the same weight; unbiased, as a mean of unbiased estimates.

    Raises TooFewAttempts for no task, and for a task with fewer than `k` attempts: leaving that one out would
    choose the tasks by how they went.
    """
    return _mean(pass_at_k, tallies, k)


def mean_pass_hat_k(tallies: Tallies, k: int) -> float:
    """Average pass^k over tasks; as `mean_pass_at_k`."""
    return _mean(pass_hat_k, tallies, k)


def _mean(estimate: Callable[[Tally, int], float], tallies: Tallies, k: int) -> float:
    """Estimate once for each tally: a million tasks have few that differ."""
    tasks = Counter(tallies)
    if not tasks:
        raise TooFewAttempts("no task has an attempt that could be judged")
    return sum(estimate(tally, k) * number for tally, number in tasks.items()) / tasks.total()


def _enough(tally: Tally, k: int) -> None:
    if k < 1:
        raise ValueError(f"k is a number of attempts, at least 1, not {k!r}")
    if tally.attempts < k:
        raise TooFewAttempts(f"{k} attempts cannot be judged from {tally.attempts}")
