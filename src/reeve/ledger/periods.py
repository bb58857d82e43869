"""What people and agents spend for each task that lands, period by period.

A period counts what happened in it: minutes when a person decided, money when an attempt ended, tasks when they landed.
So what was spent on tasks that never land is in it too, which is what landing one task really takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

__all__ = ["Happened", "Period", "periods"]

HOUR, DAY = 3600.0, 86400.0
WIDTHS_SECONDS = (HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY)
MOST_PERIODS = 60

When = tuple[float, float]
"""A time in UTC, and how much of something it was."""


@dataclass
class Happened:
    """What a ledger has of it, in any order."""

    landed: list[float] = field(default_factory=list)
    minutes: list[When] = field(default_factory=list)
    usd: list[When] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Period:
    """One period, and all up to its end. None: nothing landed by then, or nobody said what it cost."""

    begins_utc: float
    ends_utc: float
    landed: int
    minutes: float
    usd: float
    minutes_per_landed: float | None
    usd_per_landed: float | None
    minutes_per_landed_so_far: float | None
    usd_per_landed_so_far: float | None


def periods(happened: Happened) -> tuple[Period, ...]:
    """Divide the time from the first of it to the last into periods of an hour, a quarter of a day, a day or weeks.

    They are as short as gives at most 60; only beyond that many spans of four weeks there are more.
    """
    times = [*happened.landed, *(at for at, _ in happened.minutes), *(at for at, _ in happened.usd)]
    if not times:
        return ()
    width = next((width for width in WIDTHS_SECONDS if _count(times, width) <= MOST_PERIODS), WIDTHS_SECONDS[-1])
    first, count = min(times) // width, _count(times, width)
    landed = _sums([(at, 1.0) for at in happened.landed], first, width, count)
    minutes, usd = (_sums(each, first, width, count) for each in (happened.minutes, happened.usd))
    rows = zip(landed, minutes, usd, *map(accumulate, (landed, minutes, usd)), strict=True)
    priced = bool(happened.usd)
    return tuple(
        Period(
            begins_utc=(first + place) * width,
            ends_utc=(first + place + 1) * width,
            landed=int(some),
            minutes=spent,
            usd=cost,
            minutes_per_landed=spent / some if some else None,
            usd_per_landed=cost / some if some and priced else None,
            minutes_per_landed_so_far=all_spent / all_some if all_some else None,
            usd_per_landed_so_far=all_cost / all_some if all_some and priced else None,
        )
        for place, (some, spent, cost, all_some, all_spent, all_cost) in enumerate(rows)
    )


def _count(times: Sequence[float], width: float) -> int:
    return int(max(times) // width - min(times) // width) + 1


def _sums(happened: Sequence[When], first: float, width: float, count: int) -> list[float]:
    found = [0.0] * count
    for at, amount in happened:
        found[int(at // width - first)] += amount
    return found
