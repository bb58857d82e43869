"""How fast horizons grow with the date of release: doubling time and projection, each with its interval.

An agent counts if nothing released before it had a longer horizon, as in the published method from 2026 on: the trend
is that of the best there was. Reference: METR, "Measuring AI Ability to Complete Long Tasks", arXiv:2503.14499.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf, log2

import numpy as np
import numpy.typing as npt

from reeve.stats.ends import ends
from reeve.stats.horizon import Horizons
from reeve.stats.runs import Floats, Ints

__all__ = ["Projection", "Trend", "frontier", "trend"]

FEWEST = 3
"""Agents for a trend: two lie on a line whatever they are."""

FLOOR_MINUTES = 1e-3
"""Shorter horizons are drawn up to this one, and left out of resamples, as published."""

AHEAD_DAYS = (182, 365, 730)
MOST_DOUBLINGS = 60  # from a minute; beyond is nothing that a clock has measured


@dataclass(frozen=True, slots=True)
class Projection:
    """The horizon to be expected of the best agent released on a day, if all goes on as it did; None: no end."""

    on: date
    minutes: float
    low_minutes: float | None
    high_minutes: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """Doubling time of the horizon in days, with its interval; None where there is none, and `reason` says why.

    The interval is for other tasks and other agents; `tasks_low_days` and `tasks_high_days` are for other tasks alone,
    as the published interval is. `agents` are those that the trend runs through, by date of release; `left_out` are
    those with a horizon beyond the lengths of their tasks: it is no measurement, and may be off by any factor.
    """

    agents: tuple[str, ...]
    left_out: tuple[str, ...]
    doubling_days: float | None
    low_days: float | None
    high_days: float | None
    tasks_low_days: float | None
    tasks_high_days: float | None
    r_squared: float | None
    projections: tuple[Projection, ...]
    reason: str


def frontier(released: Mapping[str, date], minutes: Mapping[str, float]) -> tuple[str, ...]:
    """Name the agents that no agent released before or on the same day surpasses, by date; ties are kept.

    >>> days = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]
    >>> frontier(dict(zip("abc", days)), {"a": 5.0, "b": 4.0, "c": 5.0})
    ('a', 'c')
    """
    found: list[str] = []
    best = 0.0
    for day in sorted({released[agent] for agent in minutes if agent in released}):
        of_day = sorted(agent for agent in minutes if released.get(agent) == day)
        best = max(best, *(minutes[agent] for agent in of_day))
        found += [agent for agent in of_day if minutes[agent] >= best]
    return tuple(found)


def trend(horizons: Horizons, released: Mapping[str, date], *, seed: int, success: float = 0.5) -> Trend:
    """Fit log2 of the horizon at `success` over dates of release by least squares, for the agents of the frontier.

    Assumes that the horizon of the best agents doubles at a steady pace, and that agents scatter around it alike and
    independently. The interval mixes two sources: the lines of the resamples (other tasks), and around each of them
    what the scatter of its agents allows (Student's t). Where that scatter is itself partly noise of the tasks it
    counts twice, and the interval is wider than need be. `seed` fixes the draws. Refuses with fewer than three agents.
    """
    names = [each.agent for each in horizons.agents]
    values, left_out = _measured(horizons, released, success)
    agents = frontier(released, {agent: max(minutes, FLOOR_MINUTES) for agent, minutes in values.items()})
    if len(agents) < FEWEST or released[agents[0]] == released[agents[-1]]:
        needs = f"a trend needs {FEWEST} agents that were the best when they were released, and more than one day"
        found = "no agent has a date of release" if not released else f"found {', '.join(agents) or 'none'}"
        return _refused(agents, left_out, f"{needs}; {found}")
    days = np.array([released[agent].toordinal() for agent in agents], dtype=np.float64)
    observed = np.log2([[max(values[agent], FLOOR_MINUTES) for agent in agents]])
    line = _Lines.through(days, observed, np.ones_like(observed, dtype=np.bool_))
    places = [names.index(agent) for agent in agents]
    drawn, known = horizons.log2_minutes(success)
    drawn, usable = drawn[:, places], known[:, places] & (drawn[:, places] >= log2(FLOOR_MINUTES))
    first, last_day = np.where(usable, days, inf).min(axis=1), np.where(usable, days, -inf).max(axis=1)
    kept = (usable.sum(axis=1) >= FEWEST) & (first < last_day)
    lines = _Lines.through(days, drawn[kept], usable[kept])
    missing = int((~kept).sum())
    rng = np.random.default_rng(seed)
    low, high = _days(*ends(lines.slope + lines.slope_error * rng.standard_t(lines.count - 2), missing))
    tasks_low, tasks_high = _days(*ends(lines.slope, missing))
    slope, last = float(line.slope[0]), released[agents[-1]]
    projections = (_projection(last + timedelta(ahead), line, lines, missing, rng) for ahead in AHEAD_DAYS)
    return Trend(
        agents=agents,
        left_out=left_out,
        doubling_days=1.0 / slope if slope > 0 else None,
        low_days=low,
        high_days=high,
        tasks_low_days=tasks_low,
        tasks_high_days=tasks_high,
        r_squared=float(line.explained[0]),
        projections=tuple(each for each in projections if each is not None),
        reason=_why(slope, low, high, len(horizons.curves)),
    )


def _measured(
    horizons: Horizons, released: Mapping[str, date], success: float
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Give the horizons that can carry a trend, and the agents whose horizon only an extrapolation knows."""
    found, left_out = {}, []
    for each in horizons.agents:
        at = each.horizon(success)
        if each.agent not in released or at.minutes is None:
            continue
        if at.beyond:
            left_out.append(each.agent)
        else:
            found[each.agent] = at.minutes
    return found, tuple(left_out)


def _refused(agents: tuple[str, ...], left_out: tuple[str, ...], reason: str) -> Trend:
    return Trend(agents, left_out, None, None, None, None, None, None, (), reason)


def _why(slope: float, low: float | None, high: float | None, resamples: int) -> str:
    if slope <= 0:
        return "horizons do not grow with the date of release"
    if not resamples:
        return "no interval: no resamples were asked for"
    if low is None:
        return "the interval has no ends: the runs do not say whether horizons grow"
    return "" if high is not None else "the interval has no upper end: no growth at all is among what the runs allow"


def _days(low_slope: float | None, high_slope: float | None) -> tuple[float | None, float | None]:
    """Turn doublings a day into days for a doubling: the ends change places."""
    fastest = 1.0 / high_slope if high_slope is not None and high_slope > 0 else None
    return fastest, 1.0 / low_slope if low_slope is not None and low_slope > 0 else None


# ---------------------------------------------------------------- lines


@dataclass(frozen=True, slots=True)
class _Lines:
    """Least-squares lines of log2 minutes over days, one for each data set."""

    slope: Floats
    day: Floats  # the mean of the days
    level: Floats  # the mean of log2 minutes
    spread: Floats  # the sum of squared distances of the days from their mean
    scatter: Floats  # standard deviation of agents around the line
    count: Ints  # agents
    explained: Floats  # share of the variance

    @classmethod
    def through(cls, days: Floats, values: Floats, known: npt.NDArray[np.bool_]) -> "_Lines":
        """Draw lines through at least three values each, of data sets x agents."""
        count = known.sum(axis=1)
        day = (known * days).sum(axis=1) / count
        level = np.where(known, values, 0.0).sum(axis=1) / count
        off_day = np.where(known, days - day[:, None], 0.0)
        off_level = np.where(known, values - level[:, None], 0.0)
        spread, whole = (off_day**2).sum(axis=1), (off_level**2).sum(axis=1)
        slope = (off_day * off_level).sum(axis=1) / spread
        rest = ((off_level - slope[:, None] * off_day) ** 2).sum(axis=1)
        explained = 1.0 - np.divide(rest, whole, out=np.zeros_like(rest), where=whole > 0)
        return cls(slope, day, level, spread, np.sqrt(rest / (count - 2)), count, explained)

    @property
    def slope_error(self) -> Floats:
        return self.scatter / np.sqrt(self.spread)

    def at(self, day: float) -> Floats:
        return self.level + self.slope * (day - self.day)

    def error_at(self, day: float) -> Floats:
        """Give the standard deviation of one more agent on that day around the line."""
        return self.scatter * np.sqrt(1.0 + 1.0 / self.count + (day - self.day) ** 2 / self.spread)


def _projection(on: date, line: _Lines, lines: _Lines, missing: int, rng: np.random.Generator) -> Projection | None:
    day = float(on.toordinal())
    low, high = ends(lines.at(day) + lines.error_at(day) * rng.standard_t(lines.count - 2), missing)
    minutes = _minutes(float(line.at(day)[0]))
    return None if minutes is None else Projection(on, minutes, _minutes(low), _minutes(high))


def _minutes(log2_minutes: float | None) -> float | None:
    return 2.0**log2_minutes if log2_minutes is not None and abs(log2_minutes) < MOST_DOUBLINGS else None
