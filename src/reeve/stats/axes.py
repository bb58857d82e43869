"""Success over two axes: how complex a task is, and how long the chain of actions is that it needs.

A long chain may fail where each of its steps is easy, and a hard step may fail in a short one: the minutes of a person
mix both. The length of the chain must be known before the run and be the same for every run of the task (the steps of
a reference, or of a plan): the number of actions that an agent took is a symptom of how it went, and predicts nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from reeve.stats.ends import ends
from reeve.stats.horizon import LEVELS, PENALTY, PUBLISHED_SEED
from reeve.stats.points import RESAMPLES, Curves, Mask, fit_curves
from reeve.stats.runs import Floats, Ints, Runs

__all__ = ["AgentAxes", "Axes", "Band", "Cell", "ChainHorizon", "Effect", "axes"]

MINUTES, FILES, CHAIN, TOGETHER = "human_minutes", "files_touched", "chain_steps", "human_minutes x chain_steps"
BANDS = 3
MOST_LENGTH = 2.0**60  # steps; beyond is nothing that anything has done


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much the log odds of success change with each doubling of `variable`, with the ends of its interval.

    That of `human_minutes x chain_steps` says by how much more where both double; below zero: complexity and length
    together are worse than each alone.
    """

    variable: str
    per_doubling: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ChainHorizon:
    """The length of chain at which an agent succeeds with probability `success`, at a task of its typical complexity.

    None where there is none; `beyond` says that it lies outside of the lengths that were tried.
    """

    success: float
    steps: float | None
    low_steps: float | None
    high_steps: float | None
    beyond: bool


@dataclass(frozen=True, slots=True)
class Band:
    """Tasks from `low` to `high`, both included, of one variable."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of an agent at tasks of one band of minutes and one of chains, by their place in `Axes`.

    `observed` is the share of successes, by weight; `chance` that of the curve at the same tasks, with its interval.
    None without runs, or without a curve.
    """

    minutes_band: int
    chain_band: int
    runs: int
    observed: float | None
    chance: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class AgentAxes:
    """One agent. `reason` says why something is None or missing; empty where all is there."""

    agent: str
    runs: int
    intercept: float | None
    effects: tuple[Effect, ...]
    typical_minutes: float
    chains: tuple[ChainHorizon, ...]
    cells: tuple[Cell, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Axes:
    """All agents, over common bands. `left_out` runs are at tasks whose chain, or files, nobody knows."""

    agents: tuple[AgentAxes, ...]
    minutes_bands: tuple[Band, ...]
    chain_bands: tuple[Band, ...]
    left_out: int


def axes(
    runs: Runs,
    chain_steps: Mapping[str, float],
    files_touched: Mapping[str, float],
    *,
    penalty: float = PENALTY,
    resamples: int = RESAMPLES,
    seed: int = PUBLISHED_SEED,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[int], None] = lambda _: None,
) -> Axes:
    """Fit success over human minutes, files touched (where known) and length of chain, by task; all above 0.

    Logit of success = intercept + a log2 minutes + b log2 files + c log2 steps + d (log2 minutes)(log2 steps), the
    product taken around the means of the table. Weights, penalty and resamples are those of `horizons`, and so is what
    is assumed; besides, that each variable acts by its doublings. An agent whose tasks do not tell the variables apart
    gets no effects. Raises ValueError where no run is at a task with a known chain.
    """
    named = set(chain_steps) & set(files_touched) if files_touched else set(chain_steps)
    known = np.array([task in named for task in runs.tasks])[runs.task]
    if not known.any():
        raise ValueError("no run is at a task whose chain of actions is known")
    some = runs.part(known)
    steps = np.array([chain_steps[task] for task in some.tasks])[some.task]
    columns = {MINUTES: some.minutes}
    if files_touched:
        columns[FILES] = np.array([files_touched[task] for task in some.tasks])[some.task]
    columns[CHAIN] = steps
    x = np.log2(np.column_stack(list(columns.values())))
    x = np.column_stack([x, (x[:, 0] - x[:, 0].mean()) * (x[:, -1] - x[:, -1].mean())])
    table = _Table(some, x, (*columns, TOGETHER), steps, _bands(some.minutes, some.task), _bands(steps, some.task))
    curves = fit_curves(some, x, penalty=penalty, resamples=resamples, seed=seed, progress=progress)
    agents = tuple(table.agent(place, curves, levels) for place in range(len(some.agents)))
    return Axes(agents, table.minutes_bands, table.chain_bands, int((~known).sum()))


def _bands(values: Floats, task: Ints) -> tuple[Band, ...]:
    """Divide tasks into bands of about equal numbers; fewer where values are few."""
    of_tasks = values[np.unique(task, return_index=True)[1]]
    quantiles = np.quantile(of_tasks, np.arange(1, BANDS) / BANDS, method="inverted_cdf")
    borders = np.unique(quantiles[quantiles < of_tasks.max()]).tolist()
    below, upto = [-np.inf, *borders], [*borders, np.inf]
    parts = [values[(values > low) & (values <= high)] for low, high in zip(below, upto, strict=True)]
    return tuple(Band(float(part.min()), float(part.max())) for part in parts)


# ---------------------------------------------------------------- one agent


@dataclass(frozen=True, slots=True)
class _Table:
    runs: Runs
    x: Floats  # runs x variables
    variables: tuple[str, ...]
    steps: Floats  # of each run
    minutes_bands: tuple[Band, ...]
    chain_bands: tuple[Band, ...]

    def agent(self, place: int, curves: Curves, levels: Sequence[float]) -> AgentAxes:
        own = self.runs.agent == place
        reason = _refusal(self.x[own], has=bool(curves.has[place]))
        one = None if reason else curves.observed[place]
        drawn = curves.drawn[curves.fitted[:, place], place]
        missing = int((~curves.fitted[:, place]).sum())
        typical = np.median(self.x[own], axis=0)
        chains = (self._chain(own, typical, one, drawn, missing, level) for level in levels if one is not None)
        return AgentAxes(
            agent=self.runs.agents[place],
            runs=int(own.sum()),
            intercept=None if one is None else float(one[0]),
            effects=() if one is None else self._effects(one, drawn, missing),
            typical_minutes=float(2.0 ** typical[0]),
            chains=tuple(chains),
            cells=tuple(
                self._cell(own, places, one, drawn, missing)
                for places in np.ndindex(len(self.minutes_bands), len(self.chain_bands))
            ),
            reason=reason,
        )

    def _effects(self, one: Floats, drawn: Floats, missing: int) -> tuple[Effect, ...]:
        return tuple(
            Effect(name, float(one[1 + number]), *ends(drawn[:, 1 + number], missing))
            for number, name in enumerate(self.variables)
        )

    def _chain(
        self, own: Mask, typical: Floats, one: Floats, drawn: Floats, missing: int, level: float
    ) -> ChainHorizon:
        """Solve for the chain at the typical minutes and files of the agent's tasks."""
        solve = _Chain(typical, self._mean(0), self._mean(-2), log(level / (1.0 - level)))
        value, falls = solve.of(one[None])
        steps = _sayable(float(value[0])) if falls[0] else None
        if steps is None:
            return ChainHorizon(level, None, None, None, beyond=False)
        values, fall = solve.of(drawn)
        low, high = ends(values[fall], missing + int((~fall).sum()))
        tried = self.steps[own]
        beyond = not tried.min() <= steps <= tried.max()
        return ChainHorizon(level, steps, _sayable(low), _sayable(high), beyond=bool(beyond))

    def _mean(self, column: int) -> float:
        return float(self.x[:, column].mean())

    def _cell(self, own: Mask, places: tuple[int, ...], one: Floats | None, drawn: Floats, missing: int) -> Cell:
        minutes, chain = self.minutes_bands[places[0]], self.chain_bands[places[1]]
        here = own & _within(self.runs.minutes, minutes) & _within(self.steps, chain)
        if not here.any():
            return Cell(places[0], places[1], 0, None, None, None, None)
        weight = self.runs.weights[here] / self.runs.weights[here].sum()
        observed = float(weight @ self.runs.score[here])
        if one is None:
            return Cell(places[0], places[1], int(here.sum()), observed, None, None, None)
        x, place = np.unique(self.x[here], axis=0, return_inverse=True)
        share = np.bincount(place.reshape(-1), weights=weight)
        low, high = ends(_chance(drawn, x) @ share, missing)
        return Cell(
            places[0], places[1], int(here.sum()), observed, float((_chance(one[None], x) @ share)[0]), low, high
        )


@dataclass(frozen=True, slots=True)
class _Chain:
    """Lengths of chain at which curves reach a level, all else being typical."""

    typical: Floats
    mean_minutes: float
    mean_steps: float
    logit: float

    def of(self, curves: Floats) -> tuple[Floats, Mask]:
        """Give log2 of the steps in 2^, and where success falls with the chain."""
        minutes = self.typical[0] - self.mean_minutes
        other = self.typical[:-2]  # minutes, and files where known
        slope = curves[:, -2] + curves[:, -1] * minutes
        level = curves[:, 0] + curves[:, 1:-2] @ other - curves[:, -1] * minutes * self.mean_steps
        falls = slope < 0
        with np.errstate(over="ignore", under="ignore"):
            steps: Floats = np.exp2((self.logit - level) / np.where(falls, slope, -1.0))
        return steps, falls


def _refusal(x: Floats, *, has: bool) -> str:
    if not has:
        return "it succeeded or failed in all runs: what makes the difference cannot be seen"
    design = np.column_stack([np.ones(len(x)), x])
    if np.linalg.matrix_rank(np.unique(design, axis=0)) < design.shape[1]:
        return "its tasks do not tell complexity and chain apart: they differ in too few ways"
    return ""


def _within(values: Floats, band: Band) -> Mask:
    found: npt.NDArray[np.bool_] = (values >= band.low) & (values <= band.high)
    return found


def _chance(curves: Floats, x: Floats) -> Floats:
    z = curves @ np.column_stack([np.ones(len(x)), x]).T
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -500.0, 500.0))), dtype=np.float64)


def _sayable(steps: float | None) -> float | None:
    return steps if steps is not None and 1.0 / MOST_LENGTH < steps < MOST_LENGTH else None
