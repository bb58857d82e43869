"""How long a task may take a person for an agent to succeed at it with a given probability: the time horizon.

The published method, at its exact optimum: success is a logistic curve of the logarithm of human minutes, fitted to all
runs of an agent with weights that no single task or family rules; the interval comes from the published bootstrap.
Reference: METR, "Measuring AI Ability to Complete Long Tasks", arXiv:2503.14499.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, log

import numpy as np

from reeve.stats.ends import CONFIDENCE, ends
from reeve.stats.points import MANY_RUNS, RESAMPLES, Mask, fit_curves
from reeve.stats.runs import Floats, Runs
from reeve.units import plural

__all__ = ["LEVELS", "PENALTY", "PUBLISHED_SEED", "RESAMPLES", "AgentHorizon", "Horizon", "Horizons", "horizons"]

PENALTY = 1e-5
"""On half the square of the slope, next to a mean log loss; the newest published form (0.1 before it)."""

PUBLISHED_SEED = 42
"""Resample i is drawn with this seed + i."""

LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True, slots=True)
class Horizon:
    """The human minutes at which an agent succeeds with probability `success`, with the ends of its interval.

    None where there is none to give; `beyond` says that it lies outside of the lengths of the tasks that were tried.
    """

    success: float
    minutes: float | None
    low_minutes: float | None
    high_minutes: float | None
    beyond: bool


@dataclass(frozen=True, slots=True)
class AgentHorizon:
    """The curve of one agent: logit of success = intercept + slope x log2(human minutes).

    `successes` adds up scores, which may be parts. `reason` says why something is None; empty where all is there.
    """

    agent: str
    runs: int
    successes: float
    tasks: int
    shortest_minutes: float
    longest_minutes: float
    intercept: float | None
    slope: float | None
    horizons: tuple[Horizon, ...]
    reason: str

    def horizon(self, success: float) -> Horizon:
        """Return the horizon at one of the levels that were asked for; raises KeyError at any other."""
        for each in self.horizons:
            if each.success == success:
                return each
        raise KeyError(success)


@dataclass(frozen=True, slots=True)
class Horizons:
    """All agents, and the curves of all resamples, which share their draws between agents.

    `curves` is resamples x agents x (intercept, slope); it means something where `fitted` (resamples x agents) is true:
    where the agent had successes and failures in that resample. `as_published` says whether they were drawn with the
    random numbers of the published code.
    """

    agents: tuple[AgentHorizon, ...]
    curves: Floats
    fitted: Mask
    as_published: bool

    def log2_minutes(self, success: float) -> tuple[Floats, Mask]:
        """Give log2 of the horizon in every resample, for every agent, and where it means something."""
        known = self.fitted & (self.curves[:, :, 1] < 0)
        slope = np.where(known, self.curves[:, :, 1], -1.0)
        return (log(success / (1.0 - success)) - self.curves[:, :, 0]) / slope, known


def horizons(
    runs: Runs,
    *,
    penalty: float = PENALTY,
    resamples: int = RESAMPLES,
    seed: int = PUBLISHED_SEED,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[int], None] = lambda _: None,
) -> Horizons:
    """Estimate the horizons of all agents, each with an interval of 95 %; `progress` is told the resamples done.

    Assumes that an agent's chance depends on human minutes by a logistic curve, that tasks were drawn by family from
    all that one wants to speak about, and that runs of one agent at one task are exchangeable. The point is the exact
    optimum (within 1e-9). An interval holds the middle 95 % of the resamples, without correction: with few families
    it is somewhat too narrow. Resamples without a curve, or with one that does not fall, count at both ends, against
    the interval, where the published code leaves them out. An agent that always or never succeeds has no curve, and
    no point; its runs still bound its horizons on one side (`_one_end`).

    >>> minutes = [1, 2, 4, 8, 16, 32, 64, 128]
    >>> names = [f"t{m}" for m in minutes]
    >>> runs = Runs.of(["a"] * 8, names, names, minutes, [1, 1, 1, 0, 1, 0, 0, 0])
    >>> round(horizons(runs, resamples=100).agents[0].horizon(0.5).minutes, 3)
    11.314
    """
    found = fit_curves(runs, penalty=penalty, resamples=resamples, seed=seed, progress=progress)
    agents = tuple(
        _agent(
            runs, place, found.observed[place] if has else None, found.drawn[:, place], found.fitted[:, place], levels
        )
        for place, has in enumerate(found.has)
    )
    return Horizons(agents, found.drawn, found.fitted, as_published=len(runs) <= MANY_RUNS)


# ---------------------------------------------------------------- one agent


def _agent(
    runs: Runs, place: int, curve: Floats | None, curves: Floats, fitted: Mask, levels: Sequence[float]
) -> AgentHorizon:
    own = runs.agent == place
    minutes, successes = runs.minutes[own], float(runs.score[own].sum())
    shortest, longest = float(minutes.min()), float(minutes.max())
    refusal = _refusal(successes, len(minutes), shortest, longest, curve)
    if curve is None:
        found = tuple(_one_end(runs, own, level, always=successes > 0) for level in levels)
    elif refusal:
        found = tuple(Horizon(level, None, None, None, beyond=False) for level in levels)
    else:
        found = tuple(_horizon(curve, curves, fitted, level) for level in levels)
    return AgentHorizon(
        agent=runs.agents[place],
        runs=len(minutes),
        successes=successes,
        tasks=int(np.count_nonzero(np.bincount(runs.task[own]))),
        shortest_minutes=shortest,
        longest_minutes=longest,
        intercept=None if curve is None or shortest == longest else float(curve[0]),
        slope=None if curve is None or shortest == longest else float(curve[1]),
        horizons=tuple(replace(each, beyond=_outside(each.minutes, shortest, longest)) for each in found),
        reason=refusal or _open_ends(found, curves, fitted),
    )


def _one_end(runs: Runs, own: Mask, level: float, *, always: bool) -> Horizon:
    """Bound the horizon of an agent that succeeded in all runs from below, of one that failed in all from above.

    Assumes that success falls with length, and independent families, each of which counts once. Were the horizon
    below L, n families of tasks of at least L would all succeed with a chance of at most level^n: where that is below
    2.5 %, the horizon is at least L. Of failures the same, with 1 - level and tasks of at most L. The count of
    families rests on the tasks, not on how they went, so one look is all there is.
    """
    family, minutes = runs.family[runs.task[own]], runs.minutes[own]
    furthest = np.full(len(runs.families), -inf if always else inf)
    (np.maximum if always else np.minimum).at(furthest, family, minutes)
    lengths = np.sort(furthest[np.isfinite(furthest)])
    needed = ceil(log((1.0 - CONFIDENCE) / 2.0) / log(level if always else 1.0 - level))
    if len(lengths) < needed:
        return Horizon(level, None, None, None, beyond=False)
    end = float(lengths[-needed] if always else lengths[needed - 1])
    return Horizon(level, None, end if always else None, None if always else end, beyond=False)


def _refusal(successes: float, count: int, shortest: float, longest: float, curve: Floats | None) -> str:
    """Say why there is no horizon, or nothing."""
    if curve is None:
        what = "failed" if successes == 0 else "succeeded"
        lengths = f"{shortest:g}" if shortest == longest else f"{shortest:g} to {longest:g}"
        where = f"in {'its only run' if count == 1 else f'all {count} runs'}, at tasks of {lengths} minutes"
        return f"it {what} {where}: where success turns into failure cannot be seen"
    if shortest == longest:
        return f"all its tasks take the same time ({shortest:g} min): how success falls with length cannot be seen"
    if curve[1] >= 0:
        return f"its success does not fall with the length of tasks (slope {curve[1]:+.3g}): there is no horizon"
    return ""


def _horizon(curve: Floats, curves: Floats, fitted: Mask, level: float) -> Horizon:
    falls = fitted & (curves[:, 1] < 0)
    value = _minutes(curve[None], level)[0]
    low, high = ends(_minutes(curves[falls], level), missing=int((~falls).sum()))
    return Horizon(level, _sayable(value), _sayable(low), _sayable(high), beyond=False)


def _minutes(curves: Floats, level: float) -> Floats:
    with np.errstate(over="ignore", under="ignore"):  # to infinity or 0, neither of which is told as a horizon
        found: Floats = np.exp2((log(level / (1.0 - level)) - curves[:, 0]) / curves[:, 1])
    return found


def _sayable(minutes: float | None) -> float | None:
    return float(minutes) if minutes is not None and 0.0 < minutes < inf else None


def _outside(minutes: float | None, shortest: float, longest: float) -> bool:
    return minutes is not None and not shortest <= minutes <= longest


def _open_ends(found: Sequence[Horizon], curves: Floats, fitted: Mask) -> str:
    """Say why a horizon or an end of an interval is missing, or nothing."""
    beyond = [f"p{each.success * 100:g}" for each in found if each.minutes is None]
    if beyond:
        return f"{', '.join(beyond)} cannot be told: the curve is so flat that it lies beyond all numbers"
    missing = [
        f"p{each.success * 100:g} has no {end} end"
        for each in found
        for end, value in (("lower", each.low_minutes), ("upper", each.high_minutes))
        if value is None
    ]
    if not missing:
        return ""
    if not len(curves):
        return "no intervals: no resamples were asked for"
    which = "no intervals" if len(missing) == 2 * len(found) else ", ".join(missing)
    without = len(curves) - int((fitted & (curves[:, 1] < 0)).sum())
    return f"{which}: {without} of {plural(len(curves), 'resample')} have no curve that falls"
