"""The runs that horizons are made of, as columns of numbers: a million of them in thirty megabytes."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from math import log2
from statistics import fmean
from typing import TYPE_CHECKING

from reeve.ledger.tracks import Run
from reeve.web.figures import Observed

if TYPE_CHECKING:
    from reeve.stats.runs import Runs

__all__ = ["RunColumns"]


class RunColumns:
    """Runs task by task, in the order of the ledger."""

    def __init__(self) -> None:
        self._agents: dict[tuple[str, str], int] = {}
        self._tasks: list[str] = []
        self._tasks_of: Counter[int] = Counter()  # agent -> tasks with runs of it
        self._agent, self._task = array("i"), array("i")
        self._minutes, self._succeeded = array("d"), array("b")
        self.tasks = 0
        """With runs, whoever's they are."""

    def add(self, runs: Sequence[Run]) -> None:
        """Take in all runs of one more task."""
        self.tasks += bool(runs)
        places: dict[str, int] = {}
        seen = set()
        for run in runs:
            agent = self._agents.setdefault((run.agent, run.version), len(self._agents))
            seen.add(agent)
            name = f"{run.repository} {run.task}"
            if name not in places:
                places[name] = len(self._tasks)
                self._tasks.append(name)
            self._agent.append(agent)
            self._task.append(places[name])
            self._minutes.append(run.human_minutes)
            self._succeeded.append(run.succeeded)
        self._tasks_of.update(seen)

    def of_agents_with(self, fewest_tasks: int) -> "RunColumns":
        """Keep the runs of those agents that have so many tasks or more."""
        kept = {agent for agent, tasks in self._tasks_of.items() if tasks >= fewest_tasks}
        if len(kept) == len(self._agents):
            return self
        found = RunColumns()
        found._agents, found._tasks = self._agents, self._tasks
        for agent, task, minutes, succeeded in self._rows():
            if agent in kept:
                found._agent.append(agent)
                found._task.append(task)
                found._minutes.append(minutes)
                found._succeeded.append(succeeded)
        return found

    def _rows(self) -> Iterator[tuple[int, int, float, int]]:
        return zip(self._agent, self._task, self._minutes, self._succeeded, strict=True)

    def __len__(self) -> int:
        return len(self._agent)

    @property
    def agents(self) -> set[str]:
        """Name the agents with runs, as ``name version``."""
        names = self._names()
        return {names[agent] for agent in set(self._agent)}

    def _names(self) -> list[str]:
        return [f"{name} {version}" for name, version in self._agents]

    def runs(self) -> "Runs":
        """Give what estimators work on: of `Runs.of` the same, without a name for each run."""
        import numpy as np

        from reeve.stats.runs import Runs, coded

        names = self._names()
        agents, agent_codes = coded([names[agent] for agent in sorted(set(self._agent))])
        code_of = dict(zip(sorted(set(self._agent)), agent_codes.tolist(), strict=True))
        used, task = np.unique(np.frombuffer(self._task, dtype=np.int32), return_inverse=True)
        tasks, task_codes = coded([self._tasks[place] for place in used.tolist()])
        return Runs(
            agents,
            tasks,
            tasks,
            np.arange(len(tasks), dtype=np.int64),
            np.array([code_of[agent] for agent in self._agent], dtype=np.int64),
            task_codes[task],
            np.array(self._minutes, dtype=np.float64),
            np.array(self._succeeded, dtype=np.float64),
        )

    def observed(self) -> tuple[Observed, ...]:
        """Put the runs of each agent together that are at tasks of the same length but for half a doubling."""
        names = self._names()
        found: dict[tuple[str, int], tuple[array[float], array[int]]] = {}
        for agent, _, minutes, succeeded in self._rows():
            length = log2(minutes)
            lengths, outcomes = found.setdefault((names[agent], round(2 * length)), (array("d"), array("b")))
            lengths.append(length)
            outcomes.append(succeeded)
        return tuple(
            Observed(agent, 2.0 ** fmean(lengths), len(lengths), sum(outcomes))
            for (agent, _), (lengths, outcomes) in sorted(found.items())
        )
