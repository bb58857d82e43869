"""Whether agents have stopped getting better, told apart from a benchmark that has nothing left to solve.

What looks like a plateau of agents is often one of a benchmark: nobody solves its broken tasks. So abilities are
measured in log odds on tasks that do tell agents apart, a benchmark counts only while its best agent fails a part of
these, and growth must have slowed on at least two benchmarks at the same time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import inf

import numpy as np

from reeve.stats.ability import abilities
from reeve.stats.runs import Floats, Runs
from reeve.units import plural

__all__ = ["Plateau", "PlateauFound", "Suite", "plateau"]

PERIOD_DAYS = 91
FEWEST_PERIODS = 6
FEWEST_SUITES = 2
HEADROOM = 0.1
"""The share of the telling tasks that the best agent of a suite must fail for the suite to count."""

BEFORE, AFTER = 3, 2  # periods of every suite that must lie on either side of a kink
LOST = np.arange(1, 5) / 4.0
"""Shares of the growth that may be lost at the kink; 1: it stops."""

LEVEL = 0.05
GOOD_POWER = 0.8
DAYS_A_YEAR = 365.25
SIMULATIONS = 1000


class PlateauFound(StrEnum):
    """What the test says."""

    SEEN = "seen"
    NOT_SEEN = "not-seen"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Suite:
    """One benchmark: of how many quarters there is a best agent, and what is left to solve.

    `headroom` is the share of the telling tasks that its best agent fails; `never` of its tasks were solved by nobody.
    `growth` is in log odds a year; None where the suite does not count, and `reason` says why.
    """

    name: str
    quarters: int
    headroom: float
    never: int
    growth: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Plateau:
    """The answer, and how much it is worth.

    `p_value` is how often steady growth would look at least as much like a plateau. Where none was seen, `power` is how
    often the test would have seen growth stop for good, on all suites, when a third of the time that they have in
    common was left; where one was, `since` when growth slowed and `lost` which share of it.
    """

    found: PlateauFound
    suites: tuple[Suite, ...]
    p_value: float | None
    power: float | None
    since: date | None
    lost: float | None
    reason: str


def plateau(suites: Mapping[str, Runs], released: Mapping[str, date], *, seed: int) -> Plateau:
    """Compare steady growth of the best agent of each quarter with growth that slows on one day, suite by suite.

    Assumes that the abilities of best agents scatter around their line normally, independently, alike within a suite.
    The statistic is that of the suite with the second-largest gain in log likelihood at the best common kink, so that
    no single suite can bring it about; its p-value is that of the least favourable case, in which one suite has reached
    its ceiling while agents go on as before. Refuses without two suites with headroom and best agents of six quarters.
    """
    enough = len(suites) >= FEWEST_SUITES
    judged = [_judged(name, runs, released) for name, runs in sorted(suites.items()) if enough]
    series = [found for found, _ in judged if found is not None]
    described = tuple(suite for _, suite in judged)
    kinks = _kinks(series)
    if len(series) < FEWEST_SUITES or not len(kinks):
        have = f"of {plural(len(suites), 'suite')} {len(series)} can be used" if suites else "the records name no suite"
        reason = (
            f"telling agents from benchmarks needs {FEWEST_SUITES} suites with headroom and dated agents, and {have}"
        )
        return Plateau(PlateauFound.CANNOT_TELL, described, None, None, None, None, reason)
    return _tested(series, kinks, described, np.random.default_rng(seed))


def _tested(
    series: Sequence["_Series"], kinks: Floats, described: tuple[Suite, ...], rng: np.random.Generator
) -> Plateau:
    shapes = [_Shapes.of(each, kinks) for each in series]
    gains = np.array([shape.gains(each.ability[None])[0] for shape, each in zip(shapes, series, strict=True)])
    second = np.sort(gains, axis=0)[-2]
    at = int(second.argmax())
    steady = np.array([_simulated(each, shape, rng).max(axis=1) for each, shape in zip(series, shapes, strict=True)])
    worst = [np.delete(steady, one, axis=0).max(axis=0) for one in range(len(series))]
    p_value = max(float((1 + (each >= second[at]).sum()) / (1 + SIMULATIONS)) for each in worst)
    needed = max(float(np.quantile(each, 1.0 - LEVEL)) for each in worst)
    stop = _two_thirds(series)
    stopped = np.array([_simulated(each, shape, rng, stop) for each, shape in zip(series, shapes, strict=True)])
    power = float((np.sort(stopped, axis=0)[-2].max(axis=1) >= needed).mean())
    if p_value <= LEVEL:
        since, lost = date.fromordinal(round(kinks[at // len(LOST)])), float(LOST[at % len(LOST)])
        return Plateau(PlateauFound.SEEN, described, p_value, None, since, lost, "")
    reason = "" if power >= GOOD_POWER else f"a plateau would have been seen in {power:.0%} of cases only"
    return Plateau(PlateauFound.NOT_SEEN, described, p_value, power, None, None, reason)


# ---------------------------------------------------------------- suites


@dataclass(frozen=True, slots=True)
class _Series:
    """The best agent of each quarter: when it was released, and its ability."""

    day: Floats
    ability: Floats

    @property
    def line(self) -> tuple[float, Floats, float]:
        """Give the slope a day, the line on each day, and the standard deviation around it."""
        off = self.day - self.day.mean()
        slope = float(off @ self.ability / (off @ off))
        fitted = self.ability.mean() + slope * off
        return slope, fitted, float(np.sqrt(((self.ability - fitted) ** 2).sum() / (len(off) - 2)))


def _judged(name: str, runs: Runs, released: Mapping[str, date]) -> tuple[_Series | None, Suite]:
    """Give the series of a suite that can be used; of any other why it cannot."""
    found = abilities(runs)
    if found is None:
        return None, Suite(name, 0, 0.0, 0, None, "no task tells two agents apart")
    dated = [place for place, agent in enumerate(runs.agents) if agent in released and found.tried[place]]
    best: dict[int, tuple[float, int]] = {}
    for place in dated:
        day = released[runs.agents[place]].toordinal()
        quarter = day // PERIOD_DAYS
        best[quarter] = max(best.get(quarter, (-inf, 0)), (float(found.ability[place]), day))
    series = _Series(
        np.array([float(best[quarter][1]) for quarter in sorted(best)]),
        np.array([best[quarter][0] for quarter in sorted(best)]),
    )
    headroom = 1.0 - found.solved_by_best
    reason = ""
    if headroom < HEADROOM:
        reason = f"its best agent fails only {headroom:.0%} of the tasks that can be solved"
    elif len(best) < FEWEST_PERIODS:
        reason = f"it has dated agents of {plural(len(best), 'quarter')}, not of {FEWEST_PERIODS}"
    elif series.line[0] <= 0:
        reason = "agents have not grown better at it at all"
    growth = None if reason else series.line[0] * DAYS_A_YEAR
    return None if reason else series, Suite(name, len(best), headroom, found.never, growth, reason)


def _kinks(series: Sequence[_Series]) -> Floats:
    """Give the days on which growth could have slowed, with enough quarters of every suite on either side."""
    days = np.unique(np.concatenate([each.day for each in series])) if series else np.array([])
    enough = [
        all((each.day <= day).sum() >= BEFORE and (each.day > day).sum() >= AFTER for each in series) for day in days
    ]
    return days[np.array(enough, dtype=np.bool_)]


def _two_thirds(series: Sequence[_Series]) -> float:
    """Give the day when a third is left of the time that all suites cover."""
    first, last = max(each.day[0] for each in series), min(each.day[-1] for each in series)
    return float(first + (last - first) * 2.0 / 3.0)


# ---------------------------------------------------------------- kinks


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The courses that a suite's abilities could have taken: one for each kink and share lost, and steady growth."""

    steady: Floats
    kinked: Floats  # kinks x shares lost, then days

    @classmethod
    def of(cls, series: _Series, kinks: Floats) -> "_Shapes":
        after = np.maximum(series.day[None] - kinks[:, None], 0.0)
        kinked = series.day[None, None] - LOST[None, :, None] * after[:, None, :]
        return cls(_unit(series.day[None]), _unit(kinked.reshape(-1, len(series.day))))

    def gains(self, abilities: Floats) -> Floats:
        """Give twice the gain in log likelihood over steady growth, of data sets x shapes; none where it falls."""
        off = abilities - abilities.mean(axis=1, keepdims=True)
        whole = (off**2).sum(axis=1, keepdims=True)
        along, steady = off @ self.kinked.T, off @ self.steady.T
        gain = np.log((whole - steady**2) / (whole - along**2)) * abilities.shape[1]
        return np.where(along > 0, np.maximum(gain, 0.0), 0.0)


def _unit(courses: Floats) -> Floats:
    off = courses - courses.mean(axis=1, keepdims=True)
    found: Floats = off / np.sqrt((off**2).sum(axis=1, keepdims=True))
    return found


def _simulated(series: _Series, shapes: _Shapes, rng: np.random.Generator, stop: float = inf) -> Floats:
    """Give the gains in simulated lives of a suite: steady growth, which may stop on a day."""
    slope, fitted, scatter = series.line
    fitted = fitted - slope * np.maximum(series.day - stop, 0.0)
    return shapes.gains(fitted + scatter * rng.standard_normal((SIMULATIONS, len(fitted))))
