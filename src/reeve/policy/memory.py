"""How much memory an attempt is expected to need, by what earlier ones of its kind have used at their peak."""

from collections.abc import Sequence
from math import ceil

__all__ = ["MARGIN", "RECENT", "expected_memory_mb"]

EXCEEDED_RATE = 0.05
"""How often an attempt may need more than is expected, before the margin."""

MARGIN = 1.2
"""Peaks are sampled, tasks differ, and one attempt in twenty exceeds the quantile: a fifth more is held."""

RECENT = 200
"""So many of the newest peaks count: agents and repositories change without changing their names."""

UNKNOWN_SHARE = 0.5
"""Of the limit of the task; what is held at least while too few attempts are known."""


def expected_memory_mb(peaks_mb: Sequence[float], limit_mb: float) -> float:
    """Return the memory in MB to hold for the next attempt, given peaks of earlier ones, oldest first.

    With n of them and the next exchangeable, it exceeds the k-th smallest with a probability of 1 - k/(n+1) at most,
    whatever the distribution. So k = ceil(0.95 (n+1)) is taken, times MARGIN. Below 19 peaks there is no such k: then
    the largest, times MARGIN, or half the limit if that is more. None: the limit, which is never exceeded, since the
    sandbox ends what does.

    >>> expected_memory_mb([], limit_mb=2048)
    2048
    >>> expected_memory_mb([100.0, 300.0], limit_mb=1000)
    500.0
    >>> expected_memory_mb([100.0] * 19 + [900.0], limit_mb=2000)
    1080.0
    """
    peaks = sorted(peaks_mb[-RECENT:])
    if not peaks:
        return limit_mb
    place = ceil((1 - EXCEEDED_RATE) * (len(peaks) + 1))
    expected = MARGIN * peaks[min(place, len(peaks)) - 1]
    if place > len(peaks):
        expected = max(expected, UNKNOWN_SHARE * limit_mb)
    return min(expected, limit_mb)
