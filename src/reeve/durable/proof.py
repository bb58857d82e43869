"""Prove one result: measure it where no agent ever was, judge it, and doubt what passed."""

from collections.abc import Sequence

from reeve.durable.world import Start, World, measure, request_for, slot
from reeve.ports import Piece
from reeve.records import Measurement, Outcome, Patch, Task, Verdict
from reeve.verdict.examined import examined_tree
from reeve.verdict.judge import judge
from reeve.verdict.minimise import minimise
from reeve.verdict.recheck import Recheck, recheck

__all__ = ["examine", "patch_verdict"]


def examine(world: World, task: Task, id_: str, attempt: str, start: Start, patch: Patch) -> Verdict:
    """Measure a result where no agent ever was, and judge it against its base."""
    examined = examined_tree(world.objects, task, start.base.tree, patch.tree)
    tree = examined.tree
    result, again = _measure_twice(world, task, start, tree) if _measurable(start) else (None, None)

    def verdict(result: Measurement | None, tree: str, again: Recheck | None, needed: int | None = None) -> Verdict:
        return judge(
            task,
            id=id_,
            attempt=attempt,
            patch=patch,
            tree=tree,
            base=start.measurement,
            result=result,
            environment=start.environment,
            restored=examined.restored,
            recheck=again,
            needed_lines=needed,
        )

    first = verdict(result, tree, again)
    if first.outcome is not Outcome.PASSED:
        return first

    def holds(pieces: Sequence[Piece]) -> bool:
        less = world.objects.join(start.base.tree, pieces)
        return verdict(measure(world, request_for(task, start, less)), less, None).outcome is Outcome.PASSED

    needed = minimise(world.objects.split(start.base.tree, tree), holds)
    return verdict(result, tree, again, sum(piece.lines for piece in needed))


def patch_verdict(world: World, task: Task, id_: str, start: Start, patch: Patch) -> Verdict:
    """Judge a patch that came from elsewhere."""
    return world.journal.once(Verdict, "verdict", id_, task.id, lambda: examine(world, task, id_, "", start, patch))


def _measurable(start: Start) -> bool:
    return start.environment.ok and not (start.measurement.problem and not start.measurement.tests)


def _measure_twice(world: World, task: Task, start: Start, tree: str) -> tuple[Measurement, Recheck]:
    """Measure a tree, and look again at what fails on it: a test that disagrees with itself proves nothing."""
    request = request_for(task, start, tree)
    result = measure(world, request)
    with slot(world):
        return result, recheck(world.check, task, request, start.measurement, result)
