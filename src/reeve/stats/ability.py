"""Ability of agents and difficulty of tasks on one scale, on which a ceiling of the tasks is no ceiling of ability.

A share of tasks solved cannot grow beyond those that can be solved; log odds can. Reference: Rasch 1960, "Probabilistic
Models for Some Intelligence and Attainment Tests".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reeve.stats.runs import Floats, Ints, Runs

__all__ = ["Abilities", "abilities"]

SPREAD = 3.0
"""Standard deviation that abilities and difficulties are expected to have, in log odds: wide, so that it decides only
where an agent solves all or none of the tasks."""

MOST_ROUNDS = 500
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Abilities:
    """Log odds of success = ability of the agent - difficulty of the task.

    `ability` has one number for each of `runs.agents`; it means something where `tried` is true. Only tasks that some
    agents solved and some did not count: the others say nothing about differences. `never` of the tasks were never
    solved; `solved_by_best` is the share of the counted tasks which the best agent solves.
    """

    ability: Floats
    tried: npt.NDArray[np.bool_]
    tasks: int
    never: int
    solved_by_best: float


def abilities(runs: Runs) -> Abilities | None:
    """Estimate abilities by penalised joint likelihood; None where no task tells two agents apart.

    Assumes that runs are independent given ability and difficulty, and that tasks tell agents apart equally well.
    Scores between 0 and 1 count as that part of a success.

    >>> runs = Runs.of(["a", "a", "b", "b"], ["t", "u", "t", "u"], ["f"] * 4, [1.0] * 4, [1, 1, 1, 0])
    >>> a, b = abilities(runs).ability
    >>> bool(a > b)
    True
    """
    pairs, pair = runs.pairs
    task, agent = np.divmod(pairs, len(runs.agents))
    tries = np.bincount(pair).astype(np.float64)
    solved = np.bincount(pair, weights=runs.score).astype(np.float64)
    tries_of, solved_of = (np.bincount(task, weights=each, minlength=len(runs.tasks)) for each in (tries, solved))
    telling = (solved_of > 0) & (solved_of < tries_of)
    if not telling.any() or len(runs.agents) < 2:
        return None
    kept = telling[task]
    numbers = np.cumsum(telling) - 1
    task, agent, tries, solved = numbers[task[kept]], agent[kept], tries[kept], solved[kept]
    ability, ease = np.zeros(len(runs.agents)), np.zeros(int(telling.sum()))
    for _ in range(MOST_ROUNDS):
        before = ability
        ability = _improved(ability, agent, ease[task], tries, solved)
        ease = _improved(ease, task, ability[agent], tries, solved)
        ease -= ease.mean()
        if np.abs(ability - before).max() < TOLERANCE:
            break
    tried = np.bincount(agent, minlength=len(ability)) > 0
    best = ability[tried].max()
    solved_by_best = float((1.0 / (1.0 + np.exp(-ease - best))).mean())
    return Abilities(ability, tried, len(ease), int((solved_of == 0).sum()), solved_by_best)


def _improved(own: Floats, owner: Ints, other: Floats, tries: Floats, solved: Floats) -> Floats:
    """Take one Newton step, of at most 1, in each own number, the other side being fixed."""
    chance = 1.0 / (1.0 + np.exp(-own[owner] - other))
    slope = np.bincount(owner, weights=solved - tries * chance, minlength=len(own)) - own / SPREAD**2
    curvature = np.bincount(owner, weights=tries * chance * (1.0 - chance), minlength=len(own)) + 1.0 / SPREAD**2
    return np.asarray(own + np.clip(slope / curvature, -1.0, 1.0), dtype=np.float64)
