"""Lengths of work, and the intervals of horizons, as a person reads them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reeve.stats.horizon import Horizon

__all__ = ["BEYOND", "BEYOND_WORDS", "ends_of", "length", "two_digits"]

MOST_HOURS = 100_000  # an interval may end anywhere; a life of work is long enough a word
BEYOND = "*"
BEYOND_WORDS = "beyond the lengths of the tasks that were tried: no measurement"


def ends_of(at: "Horizon") -> str:
    """Say the interval of a horizon; nothing where it has none."""
    if at.low_minutes is None and at.high_minutes is None:
        return ""
    low = "no lower end" if at.low_minutes is None else length(at.low_minutes)
    return f"{low} to {'no upper end' if at.high_minutes is None else length(at.high_minutes)}"


def length(minutes: float | None) -> str:
    """Say a length of work with two digits: ``0.8 s``, ``43 s``, ``4.7 min``, ``15 h``."""
    if minutes is None:
        return "-"
    if minutes > MOST_HOURS * 60:
        return f"over {MOST_HOURS:,} h"
    for size, unit in ((60.0, "h"), (1.0, "min")):
        if minutes >= size * 2:
            return f"{two_digits(minutes / size)} {unit}"
    return f"{two_digits(minutes * 60)} s"


def two_digits(value: float) -> str:
    """Say a number with two digits, more only where it is whole."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
