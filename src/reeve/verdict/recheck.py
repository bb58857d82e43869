"""Looks twice where a result fails only a few tests: a test that disagrees with itself proves nothing.

Like is compared with like. A test that fails in the suite is run again alone; if it passes there, or if it fails
alone at the base too (some tests need others before them), the whole suite decides by running again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reeve.ports import Check, CheckRequest
from reeve.records import Measurement, Runner, Task, TestOutcome

__all__ = ["FEW", "Recheck", "recheck", "regressions", "suspects"]

FEW = 10
"""With more failures than this, chance is no explanation and nothing is run again."""

GOOD = (TestOutcome.PASSED, TestOutcome.XPASSED)


@dataclass(frozen=True, slots=True)
class Recheck:
    """What running again showed: ids that failed every time, and ids that disagreed with themselves.

    `flaky_at_base` are those that disagreed with themselves on the base as well: no patch is to blame for them.
    """

    confirmed: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    flaky_at_base: tuple[str, ...] = ()


def regressions(task: Task, base: Measurement, result: Measurement) -> tuple[str, ...]:
    """List the tests that passed at the base and do not pass now, other than required and flaky ones."""
    skip = {*base.flaky, *task.checks.required}
    return tuple(
        identifier
        for identifier, outcome in base.tests.items()
        if outcome in GOOD
        and identifier not in skip
        and result.tests.get(identifier) not in GOOD
        and kept(identifier, task.checks.keep)
    )


def suspects(task: Task, base: Measurement, result: Measurement) -> tuple[str, ...]:
    """List the failures that are worth a second look: required ones and regressions that ran and failed."""
    broken = (TestOutcome.FAILED, TestOutcome.ERROR)
    required = (name for name in task.checks.required if name not in base.flaky and result.tests.get(name) in broken)
    regressed = (name for name in regressions(task, base, result) if result.tests.get(name) in broken)
    return tuple(dict.fromkeys((*required, *regressed)))


def kept(identifier: str, keep: Iterable[str]) -> bool:
    """Say whether an id belongs to what has to stay passing; nothing named means everything does."""
    keep = tuple(keep)
    return not keep or any(names(entry, identifier) for entry in keep)


def names(entry: str, identifier: str) -> bool:
    """Say whether an entry (an id, a file, a folder, a class) names a test."""
    entry = entry.removeprefix("./").rstrip("/")
    return identifier == entry or (identifier.startswith(entry) and identifier[len(entry)] in ":/[")


def recheck(check: Check, task: Task, request: CheckRequest, base: Measurement, result: Measurement) -> Recheck:
    """Run the suspects of a result again; `request` is the one that gave `result`.

    Costs nothing when there is no suspect or when there are more than `FEW`.
    """
    doubtful = suspects(task, base, result)
    if not doubtful or len(doubtful) > FEW or result.problem or request.tree == request.base_tree:
        return Recheck()
    again = _alone(check, request, doubtful, result)
    confirmed = [name for name in doubtful if again.tests.get(name) not in GOOD and name in task.checks.required]
    rest = [name for name in doubtful if name not in confirmed]
    at_base = _at_base(check, request, rest)
    confirmed += [
        name
        for name in rest
        if again.tests.get(name) not in GOOD and at_base is not None and at_base.tests.get(name) in GOOD
    ]
    open_ = [name for name in rest if name not in confirmed]
    if open_ and request.checks.runner is Runner.PYTEST:
        suite = check.measure(replace(request, fresh=True, runs=1))
        confirmed += [name for name in open_ if suite.tests.get(name) not in GOOD]
        open_ = [name for name in open_ if name not in confirmed]
    flaky_at_base = tuple(name for name in open_ if at_base is not None and name in at_base.flaky)
    return Recheck(tuple(confirmed), tuple(open_), flaky_at_base)


def _alone(check: Check, request: CheckRequest, names_: tuple[str, ...], result: Measurement) -> Measurement:
    again = check.measure(replace(request, only=names_, fresh=True, runs=1))
    # A run that could not be made again says nothing against the first one.
    return result if again.problem and not again.tests else again


def _at_base(check: Check, request: CheckRequest, rest: list[str]) -> Measurement | None:
    if not rest:
        return None
    return check.measure(replace(request, tree=request.base_tree, only=tuple(rest), runs=2))
