"""Tasks that stand in no file: one from the command line, one for each test that fails."""

import hashlib
import re
from collections.abc import Sequence

from reeve.errors import InputError
from reeve.records import Checks, Measurement, RepoSource, Task, TestOutcome
from reeve.task.build import Defaults, sealed, top_of_repository
from reeve.task.readers import make_id

__all__ = ["failing_tasks", "task_from_words"]

COMMAND_LINE = "command line:1"


def task_from_words(instruction: str, required: Sequence[str], defaults: Defaults) -> Task:
    """Make one task of an instruction and the tests that must pass; the same words give the same task again."""
    if not instruction.strip():
        raise InputError("the instruction is empty: say what is wanted")
    bad = next((each for each in required if not each.strip() or each.startswith("-") or "\0" in each), None)
    if bad is not None:
        raise InputError(f"--check: not a test id: {bad!r}")
    return _task(instruction, tuple(dict.fromkeys(required)), instruction, COMMAND_LINE, defaults)


def failing_tasks(measurement: Measurement, defaults: Defaults) -> tuple[Task, ...]:
    """Make one task for each test function that failed, its parameters together; flaky ones are left out."""
    failed = sorted(
        identifier
        for identifier, outcome in measurement.tests.items()
        if outcome in (TestOutcome.FAILED, TestOutcome.ERROR) and identifier not in measurement.flaky
    )
    groups: dict[str, list[str]] = {}
    for identifier in failed:
        groups.setdefault(_function(identifier), []).append(identifier)
    return tuple(
        _task(_instruction(function, len(ids)), tuple(ids), function, f"failing test {function}:1", defaults)
        for function, ids in groups.items()
    )


def _function(identifier: str) -> str:
    # A folder may hold a bracket, a function's name cannot: the parameters begin after the first '::'.
    path, separator, name = identifier.partition("::")
    return path + separator + name.partition("[")[0]


def _instruction(function: str, count: int) -> str:
    which = f"The test {function} fails" + (f" with {count} of its parameters" if count > 1 else "")
    return f"{which}. Find the cause in the code under test and repair it; leave the test as it is."


def _task(instruction: str, required: tuple[str, ...], name: str, source: str, defaults: Defaults) -> Task:
    if top_of_repository(defaults.repo) is None:
        raise InputError(f"not a git repository: {str(defaults.repo)!r}; run this inside one, or 'git init' it first")
    words = make_id(re.sub(r"^.*/", "", name) if "::" in name else name)[:48].rstrip("-_").lower()
    mark = hashlib.sha256("\0".join((instruction.strip(), *required)).encode()).hexdigest()[:6]
    task = Task(
        id=f"{words}-{mark}",
        instruction=instruction.strip(),
        repo=RepoSource(path=str(defaults.repo)),
        checks=Checks(required=required),
        protected=defaults.protected,
        attempts=defaults.attempts,
        agents=defaults.agents,
        limits=defaults.limits,
        setup=defaults.setup,
        env=dict(defaults.env),
        source=source,
    )
    return sealed(task, defaults.root)
