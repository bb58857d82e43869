"""The loop, top to bottom: task -> attempt -> verdict -> selection -> decision -> landing -> ledger -> policy.

`settle` is the loop; every line of it is a durable step of `reeve.durable.steps`. Whoever calls it again, after
a crash at any moment, goes on where it was.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from reeve.durable import seeding, steps
from reeve.durable.locks import only_run, working
from reeve.durable.proof import patch_verdict
from reeve.durable.world import World
from reeve.errors import CheckError, InputError, Interrupted, RepositoryError, SandboxError, SetupError
from reeve.records import Action, Decision, Patch, Task, Verdict
from reeve.task.known import Mixing

__all__ = ["run", "settle", "verify"]

THREADS_PER_WORKER = 3  # a task that waits for its attempt, its verdict or the landing lock needs no processor


def settle(world: World, task: Task) -> Decision:
    """Bring one task to its end: landed, given up, or in front of a person."""
    while True:
        start = steps.start(world, task)
        orders = steps.orders(world, task, start)
        attempts = steps.attempts(world, task, orders, start)
        verdicts = steps.verdicts(world, task, attempts, start)
        selection = steps.selection(world, task, verdicts, start)
        decision = steps.decision(world, task, selection, verdicts)
        if decision.action is Action.LAND:
            landing = steps.landing(world, task, decision)
            decision = steps.decision_after(world, task, decision, landing)
        if decision.action is not Action.AGAIN:
            return decision


def run(
    world: World,
    tasks: Sequence[Task],
    settled: Callable[[Task, Decision], None] | None = None,
    mixing: Mixing | None = None,
) -> None:
    """Settle a backlog, several tasks at a time; only one process at a time runs a ledger.

    Everything that can be known to be wrong is found before anything starts (InputError). When `world.stop` is
    set, running attempts are ended, what they did is stored, and Interrupted is raised. `mixing` says how many tasks
    with a known answer and items of known truth go along; None: no new ones, but those that were begun are brought to
    their end.
    """
    with only_run(world.state):
        steps.recover(world)
        world = steps.with_policy(world)
        _admit(world, tasks)
        steps.end_superseded(world)
        mixing = mixing or Mixing()
        known = (*steps.mixed_in(world, tasks, mixing), *seeding.begun(world))
        todo = [task for task in (*tasks, *known) if steps.is_open(world, task)]
        share = mixing.seeded_share
        due = seeding.due(world, share)
        try:
            with ThreadPoolExecutor(max(1, min(len(todo) + len(due), world.workers * THREADS_PER_WORKER))) as pool:
                futures = {pool.submit(_settle, world, task, share): task for task in todo}
                futures |= {pool.submit(_accompanied, world, *each, share): each[0] for each in due}
                _watch(world, futures, settled)
        finally:
            if world.gateway is not None:
                world.gateway.shutdown()


def _settle(world: World, task: Task, seeded_share: float) -> Decision:
    """Settle a task; what is in the way of this one alone goes to a person, and stops no other."""
    try:
        decision = settle(world, task)
    except (RepositoryError, SandboxError, CheckError, SetupError) as error:
        return steps.trouble(world, task, error)
    return _accompanied(world, task, decision, seeded_share)


def _accompanied(world: World, task: Task, decision: Decision, seeded_share: float) -> Decision:
    """Settle the item of known truth that may go along with a result that waits for a person."""
    seeded = seeding.beside(world, task, decision, seeded_share)
    if seeded is not None and steps.is_open(world, seeded):
        _settle(world, seeded, 0.0)
    return decision


def verify(world: World, task: Task, patch: bytes) -> Verdict:
    """Give the verdict on a patch from anywhere, without running an agent; raises PatchError if it does not apply.

    The verdict is stored under an id made of the patch; the task itself is not begun.
    """
    with working(world.state):
        return _verify(world, task, patch)


def _verify(world: World, task: Task, patch: bytes) -> Verdict:
    start = steps.start_fresh(world, task)
    tree = world.objects.apply(start.base.tree, patch)
    changes = tuple(world.objects.changes(start.base.tree, tree))
    diff = world.journal.store.put(patch)
    id_ = f"patch:{start.base.commit[:8]}-{task.digest[:8]}-{diff[:12]}"
    return patch_verdict(world, task, id_, start, Patch(start.base.tree, tree, changes, diff=diff))


def _admit(world: World, tasks: Sequence[Task]) -> None:
    """Record the tasks and pin their bases; one that cannot be pinned stops all before anything has started."""
    problems = []
    for task in tasks:
        try:
            steps.admit(world, task)
        except (RepositoryError, InputError) as error:
            problems.append(f"{task.source or task.id}: {error}")
    if problems:
        raise InputError("\n".join(problems))


def _watch(
    world: World, futures: dict[Future[Decision], Task], settled: Callable[[Task, Decision], None] | None
) -> None:
    """Wait for all; the first error ends the run, after the attempts under way were stopped and stored."""
    waiting: set[Future[Decision]] = set(futures)
    failure: BaseException | None = None
    while waiting:
        done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        if world.stop.is_set():
            for future in waiting:
                future.cancel()
        for future in done:
            if future.cancelled():
                continue
            error = future.exception()
            if error is None and settled is not None:
                settled(futures[future], future.result())
            elif error is not None and (failure is None or isinstance(failure, Interrupted)):
                failure = error
                world.stop.set()
    if failure is not None:
        raise failure
    if world.stop.is_set():
        raise Interrupted("stopped; what was done is kept, `reeve run` goes on from there")
