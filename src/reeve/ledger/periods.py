"""What people and agents spend for each task that lands, period by period.

A period counts what happened in it: minutes when a person decided, money when an attempt ended, tasks when they landed.
So what was spent on tasks that never land is in it too, which is what landing one task really takes.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

__all__ = ["Amounts", "Happened", "Period", "periods"]

HOUR, DAY = 3600.0, 86400.0
WIDTHS_SECONDS = (HOUR, 6 * HOUR, DAY, 7 * DAY, 28 * DAY)
MOST_PERIODS = 60

When = tuple[float, float]
"""A time in UTC, and how much of something it was."""


class Amounts:
    """Many of these in little memory: sixteen bytes each."""

    def __init__(self, some: Iterable[When] = ()) -> None:
        self._numbers = array("d")
        self.add(some)

    def add(self, some: Iterable[When]) -> None:
        """Take in some more."""
        for when in some:
            self._numbers.extend(when)

    def __iter__(self) -> Iterator[When]:
        return zip(self._numbers[0::2], self._numbers[1::2], strict=True)

    def __len__(self) -> int:
        return len(self._numbers) // 2


@dataclass
class Happened:
    """What a ledger has of it, in any order."""

    landed: Amounts = field(default_factory=Amounts)
    minutes: Amounts = field(default_factory=Amounts)
    usd: Amounts = field(default_factory=Amounts)


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
    kinds = (happened.landed, happened.minutes, happened.usd)
    some = [each for each in kinds if each]
    if not some:
        return ()
    ends = min(min(each)[0] for each in some), max(max(each)[0] for each in some)
    width = next((width for width in WIDTHS_SECONDS if _count(*ends, width) <= MOST_PERIODS), WIDTHS_SECONDS[-1])
    first, count = ends[0] // width, _count(*ends, width)
    landed, minutes, usd = (_sums(each, first, width, count) for each in kinds)
    rows = zip(landed, minutes, usd, *map(accumulate, (landed, minutes, usd)), strict=True)
    priced = bool(happened.usd)
    return tuple(
        Period(
            begins_utc=(first + place) * width,
            ends_utc=(first + place + 1) * width,
            landed=int(done),
            minutes=spent,
            usd=cost,
            minutes_per_landed=spent / done if done else None,
            usd_per_landed=cost / done if done and priced else None,
            minutes_per_landed_so_far=all_spent / all_some if all_some else None,
            usd_per_landed_so_far=all_cost / all_some if all_some and priced else None,
        )
        for place, (done, spent, cost, all_some, all_spent, all_cost) in enumerate(rows)
    )


def _count(earliest: float, latest: float, width: float) -> int:
    return int(latest // width - earliest // width) + 1


def _sums(happened: Amounts, first: float, width: float, count: int) -> list[float]:
    found = [0.0] * count
    for at, amount in happened:
        found[int(at // width - first)] += amount
    return found
