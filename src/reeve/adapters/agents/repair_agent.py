"""The embedded agent as reeve starts it; the agent itself is the folder ``repair`` beside this file."""

import json
from dataclasses import replace
from pathlib import Path

from reeve.adapters.agents.command import words_for
from reeve.adapters.agents.sources import source_hash
from reeve.adapters.agents.visible import visible_ids
from reeve.errors import InputError
from reeve.ports import Launch
from reeve.records import AgentSpec, Door, Measurement, Order, Task, TestOutcome

__all__ = ["RepairAgent", "source_version"]

SOURCES = Path(__file__).parent / "repair"
OPTIONS = ("python_path",)


def source_version() -> str:
    """Return the version of the agent: a hash of its own sources."""
    return source_hash(SOURCES)


class RepairAgent:
    """Automated program repair for Python: needs the task's environment at /env, with its pytest.

    Its option ``python_path`` names folders of the tree that tests import from, separated by ':'.
    """

    spec: AgentSpec

    def __init__(self, spec: AgentSpec) -> None:
        unknown = sorted(set(spec.options) - set(OPTIONS))
        if unknown:
            raise InputError(f"agent {spec.name!r}: unknown option {unknown[0]!r}; known are {', '.join(OPTIONS)}")
        self.spec = replace(spec, version=source_version())

    def available(self) -> str:
        """Say so if the agent's sources were left out of the installation."""
        return "" if (SOURCES / "__main__.py").is_file() else f"its sources are missing: {str(SOURCES)!r}"

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Write the spec; ids of hidden tests are not in it, and neither is what they measured."""
        del door
        binds, env = words_for(task, order, folder)
        spec = folder / "spec.json"
        spec.write_text(json.dumps(_spec(task, order, base, self.spec), indent=1), encoding="utf-8")
        return Launch(
            argv=("/env/bin/python", "-P", "-B", "/reeve/repair", "--spec", "/reeve/spec.json"),
            env=env,
            binds={**binds, "/reeve/repair": str(SOURCES), "/reeve/spec.json": str(spec)},
        )


def _spec(task: Task, order: Order, base: Measurement | None, agent: AgentSpec) -> dict[str, object]:
    attempt, attempts = _share(task, order)
    tests = {} if base is None else base.tests
    broken = [each for each, outcome in tests.items() if outcome in (TestOutcome.FAILED, TestOutcome.ERROR)]
    return {
        "instruction": task.instruction,
        "required": list(visible_ids(task, task.checks.required)),
        "keep": list(visible_ids(task, task.checks.keep)),
        "protected": list(task.protected),
        "seed": order.seed,
        "attempt": attempt,
        "attempts": attempts,
        # A little before the wall falls: then it can still say how far it got.
        "wall_seconds": max(1.0, task.limits.wall_seconds - min(10.0, task.limits.wall_seconds / 10)),
        # For one candidate: the limit is that of all processes together, and the others need their share.
        "memory_bytes": task.limits.memory_mb * 2**20 // 2,
        "python_path": [part for part in agent.options.get("python_path", "").split(":") if part],
        "pytest_args": list(task.checks.pytest_args),
        "broken_at_base": sorted(set(visible_ids(task, broken)) - set(task.checks.required)),
    }


def _share(task: Task, order: Order) -> tuple[int, int]:
    """Which part of the search this attempt explores, of how many.

    Attempts go round the agents of a task in turn, so that only every n-th is this agent's.
    """
    agents = max(1, len(task.agents))
    number = int(order.attempt.rpartition(".")[2]) - 1
    attempts = max(1, -(-task.attempts // agents))
    return number // agents % attempts, attempts
