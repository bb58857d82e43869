"""The ends of an interval from resamples, those that gave no value counted against it."""

from math import ceil, floor, inf, isfinite

import numpy as np

from reeve.stats.runs import Floats

__all__ = ["CONFIDENCE", "ends"]

CONFIDENCE = 0.95


def ends(values: Floats, missing: int = 0) -> tuple[float | None, float | None]:
    """Give the ends of the middle 95 % of values, interpolated as `numpy.quantile` does by default.

    A missing value could be anything: it counts as the lowest for the low end and as the highest for the high end. An
    end is None where that, or an infinite value, decides it.

    >>> ends(np.arange(41.0))
    (1.0, 39.0)
    >>> ends(np.arange(40.0), missing=2)
    (None, None)
    """
    ascending = np.sort(values)
    tail = (1.0 - CONFIDENCE) / 2.0
    low = _quantile(np.concatenate([np.full(missing, -inf), ascending]), tail)
    return low, _quantile(np.concatenate([ascending, np.full(missing, inf)]), 1.0 - tail)


def _quantile(ascending: Floats, share: float) -> float | None:
    if not len(ascending):
        return None
    place = round(share * (len(ascending) - 1), 9)  # 0.975 * 40 is not 39 to a computer
    below, above = float(ascending[floor(place)]), float(ascending[ceil(place)])
    if not (isfinite(below) and isfinite(above)):
        return None
    return below + (above - below) * (place - floor(place))
