"""Runs of agents at tasks as columns: what the estimators of time horizons work on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Ints", "Runs", "coded", "distinct"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True)
class Runs:
    """One run a row: which agent, at which task, with which success.

    `agents`, `tasks` and `families` are names, sorted by code point; the columns `agent` and `task` hold places in
    them, and `family` the place of each task's family. `minutes` is how long the task takes a person (above 0),
    `score` how far the run succeeded (0 to 1). Raises ValueError for columns that do not fit each other.
    """

    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    families: tuple[str, ...]
    family: Ints
    agent: Ints
    task: Ints
    minutes: Floats
    score: Floats

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.agent, self.task, self.minutes, self.score)}
        if len(lengths) != 1 or len(self.family) != len(self.tasks):
            raise ValueError(f"the columns of runs differ in length: {sorted(lengths)}")
        if not np.all((self.minutes > 0) & np.isfinite(self.minutes)):
            raise ValueError("human minutes lie above 0 and below infinity")
        if not np.all((self.score >= 0) & (self.score <= 1)):
            raise ValueError("a score lies between 0 and 1")

    @classmethod
    def of(
        cls,
        agent: Sequence[str],
        task: Sequence[str],
        family: Sequence[str],
        minutes: Sequence[float] | Floats,
        score: Sequence[float] | Floats,
    ) -> "Runs":
        """Make runs of plain columns; raises ValueError where a task stands in two families.

        >>> Runs.of(["a", "a"], ["t2", "t1"], ["f", "f"], [30.0, 2.0], [0, 1]).tasks
        ('t1', 't2')
        """
        agents, agent_codes = coded(agent)
        tasks, task_codes = coded(task)
        families, family_codes = coded(family)
        family_of = np.zeros(len(tasks), dtype=np.int64)
        family_of[task_codes] = family_codes
        if not np.array_equal(family_of[task_codes], family_codes):
            raise ValueError("a task belongs to one family")
        columns = (np.asarray(minutes, dtype=np.float64), np.asarray(score, dtype=np.float64))
        return cls(agents, tasks, families, family_of, agent_codes, task_codes, *columns)

    def part(self, kept: npt.NDArray[np.bool_]) -> "Runs":
        """Give some of the runs, with the names that these have."""
        task = self.task[kept]
        coded_names = ((self.agents, self.agent[kept]), (self.tasks, task), (self.families, self.family[task]))
        agents, tasks, families = ([names[code] for code in codes.tolist()] for names, codes in coded_names)
        return Runs.of(agents, tasks, families, self.minutes[kept], self.score[kept])

    def __len__(self) -> int:
        return len(self.agent)

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """All pairs of task and agent with runs, as task * number of agents + agent, and each run's place there."""
        return distinct(self.task * len(self.agents) + self.agent)

    @cached_property
    def weights(self) -> Floats:
        """The published weight of each run; the weights of one agent's runs add up to 1.

        1 / (runs of the agent at the task x square root of the number of the agent's tasks in the family), so that
        neither a task that was run often nor a family of many like tasks decides the curve alone.
        """
        pairs, pair = self.pairs
        tasks, agents = np.divmod(pairs, len(self.agents))
        cousins = self.family[tasks] * len(self.agents) + agents
        raw = (1.0 / (np.bincount(pair) * np.sqrt(np.bincount(cousins)[cousins])))[pair]
        return raw / np.bincount(self.agent, weights=raw)[self.agent]


def coded(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Give the distinct names, sorted by code point, and the place of each given name among them."""
    found = sorted(set(names))
    place = {name: number for number, name in enumerate(found)}
    return tuple(found), np.fromiter(map(place.__getitem__, names), dtype=np.int64, count=len(names))


def distinct(values: npt.NDArray[Number]) -> tuple[npt.NDArray[Number], Ints]:
    """Give the distinct values, ascending, and the place of each value among them.

    As `numpy.unique` with the inverse, which would first import the masked arrays, at a tenth of the time of all.
    """
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    new = np.concatenate([[True], ascending[1:] != ascending[:-1]])
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.cumsum(new) - 1
    return ascending[new], places
