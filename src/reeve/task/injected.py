"""Drill tasks from injected defects: one small defect in the source that some test notices, to be undone."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from reeve.records import Checks, Defect, HiddenFile, KnownAnswer, Measurement, RepoSource, Task, TestOutcome
from reeve.task.build import Defaults, sealed
from reeve.task.mined import estimated_minutes
from reeve.task.readers import make_id

__all__ = ["Site", "Sites", "halves", "injected_task", "instruction_for", "missed", "noticing"]

INSTRUCTION = "Find the cause in the code under test and repair it; leave the tests as they are."

GOOD = (TestOutcome.PASSED, TestOutcome.XPASSED)


@dataclass(frozen=True, slots=True)
class Site:
    """One place, what would be put there, and the whole file with it; `covered` None: not known."""

    defect: Defect  # whether it is noticed is not known yet: false
    content: bytes
    covered: bool | None


@dataclass(frozen=True, slots=True)
class Sites:
    """The places that were drawn, of `lines` that could carry a defect; `notes` say what is missing."""

    sites: tuple[Site, ...]
    lines: int
    notes: tuple[str, ...] = ()


def noticing(before: Measurement, after: Measurement) -> tuple[str, ...]:
    """List the tests that pass without a defect and do not with it; one that disagreed with itself is none."""
    flaky = {*before.flaky, *after.flaky}
    good = (name for name, outcome in before.tests.items() if outcome in GOOD and name not in flaky)
    return tuple(sorted(name for name in good if after.tests.get(name) not in GOOD))


def injected_task(defect: Defect, content: bytes, required: Sequence[str], commit: str, defaults: Defaults) -> Task:
    """Make the task to undo a defect, from a tree with `content` in the place of a file.

    The instruction is what a person knows who sees tests fail; its id is made of a test, as of any failing test.
    """
    words = make_id(re.sub(r"^.*/", "", required[0].partition("[")[0]))[:40].rstrip("-_").lower()
    mark = hashlib.sha256("\0".join((commit, defect.path, defect.was, defect.now, str(defect.line))).encode())
    task = Task(
        id=f"{words}-{mark.hexdigest()[:8]}",
        instruction=instruction_for(required),
        repo=RepoSource(path=str(defaults.repo)),
        base=commit,
        checks=Checks(required=tuple(required)),
        protected=defaults.protected,
        attempts=1,
        limits=defaults.limits,
        human_minutes=estimated_minutes(2),
        setup=defaults.setup,
        env=dict(defaults.env),
        known_answer=KnownAnswer.INJECTED,
        planted=(HiddenFile(defect.path, content),),
        source=f"a defect in {defect.path}:{defect.line}",
    )
    return sealed(task, defaults.root)


def instruction_for(required: Sequence[str]) -> str:
    """Ask for what a person asks who sees these tests fail."""
    first, count = required[0], len(required)
    what = f"The test {first} fails" if count == 1 else f"The test {first} and {count - 1} more fail"
    return f"{what}. {INSTRUCTION}"


# ---------------------------------------------------------------- what half of the tests would have seen


def halves(required: Sequence[str], seed: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Divide the required tests by chance into those that a person had written and those that are held back.

    None where there is only one: then nothing is left to know the truth by.
    """
    if len(required) < 2:
        return None
    drawn = sorted(required)
    Random(seed).shuffle(drawn)  # noqa: S311 - no secret
    middle = (len(drawn) + 1) // 2
    return tuple(sorted(drawn[:middle])), tuple(sorted(drawn[middle:]))


def missed(task: Task, result: Measurement, passing: Sequence[str], seed: int) -> bool | None:
    """Say whether a wrong result would have passed with half of the required tests and all that passed before.

    `passing` are the tests besides the required ones that pass with the reference. None: all of the tests pass, so that
    nothing shows it to be wrong, or there is only one required test.
    """
    bad = {name for name in (*task.checks.required, *passing) if result.tests.get(name) not in GOOD}
    parts = halves(task.checks.required, f"{seed}:{task.id}")
    if parts is None or not (bad or result.problem):
        return None
    return not result.problem and not bad & {*parts[0], *passing}
