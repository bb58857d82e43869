"""Runs kept as columns say the same as runs kept as records."""

import random
from math import log2
from statistics import fmean

import numpy as np
import pytest

from reeve.cli.run_columns import RunColumns
from reeve.ledger.tracks import Run
from reeve.stats.runs import Runs


def drawn(seed):
    """Runs task by task: agents whose names mix, tasks in two repositories, lengths that repeat."""
    draw = random.Random(seed)
    for number in range(draw.randint(1, 60)):
        repository, minutes = draw.choice(["/a", "/b c"]), draw.choice([2.0, 3.0, 20.0, 55.5])
        yield [
            Run(draw.choice("zya"), draw.choice("12"), f"t{number}", repository, minutes, draw.random() < 0.5)
            for _ in range(draw.randint(0, 3))
        ]


def few(runs, fewest):
    tasks = {}
    for run in runs:
        tasks.setdefault((run.agent, run.version), set()).add(run.task)
    return [run for run in runs if len(tasks[run.agent, run.version]) >= fewest]


@pytest.mark.parametrize("seed", range(30))
def test_columns_are_what_the_records_say(seed):
    columns, records = RunColumns(), []
    for some in drawn(seed):
        columns.add(some)
        records += some
    assert columns.tasks == len({run.task for run in records})
    kept, expected = columns.of_agents_with(5), few(records, 5)
    assert len(kept) == len(expected)
    if not expected:
        return
    agents = [f"{run.agent} {run.version}" for run in expected]
    tasks = [f"{run.repository} {run.task}" for run in expected]
    lengths, scores = [run.human_minutes for run in expected], [float(run.succeeded) for run in expected]
    found, whole = kept.runs(), Runs.of(agents, tasks, tasks, lengths, scores)
    assert kept.agents == set(agents)
    for name in ("agents", "tasks", "families"):
        assert getattr(found, name) == getattr(whole, name)
    for name in ("family", "agent", "task", "minutes", "score"):
        assert np.array_equal(getattr(found, name), getattr(whole, name)), name
    together = {}
    for agent, run in zip(agents, expected, strict=True):
        together.setdefault((agent, round(2 * log2(run.human_minutes))), []).append(run)
    assert [(each.agent, each.minutes, each.runs, each.succeeded) for each in kept.observed()] == [
        (agent, 2.0 ** fmean(log2(run.human_minutes) for run in some), len(some), sum(run.succeeded for run in some))
        for (agent, _), some in sorted(together.items())
    ]
