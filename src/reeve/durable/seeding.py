"""Put items of known truth beside results that wait: made of drills, proved by running tests, drawn by a secret key.

A result that waits is drawn for once. If it is drawn, a task of a drill is taken that was never used for it, with a
result whose truth the tests of the drill tell: all of them for a right one, and for a wrong one those that it fails
while all that are shown pass. The item then goes the way of any other result, from order to verdict to decision.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reeve.decision.trusted import RULE
from reeve.durable.drilling import RUNS, Example, Mined, measured, path_of, prepared
from reeve.durable.steps import admit, past, seeded_of
from reeve.durable.world import World
from reeve.errors import CheckError, InputError, LedgerError, RepositoryError, SandboxError, SetupError
from reeve.ledger.codec import decode, loads
from reeve.ledger.drill import drill_results, measurement_of
from reeve.ledger.seeded import KIND, REFUSED, SEEDING
from reeve.ports import Fact
from reeve.records import (
    Action,
    AgentSpec,
    Attempt,
    Base,
    Checks,
    Decision,
    DrillResult,
    Ending,
    KnownAnswer,
    Measurement,
    Order,
    Outcome,
    Seeded,
    Seeding,
    Task,
    TestOutcome,
)
from reeve.task.injected import halves
from reeve.task.mined import is_source, is_test
from reeve.task.seeded import chance_of, has_room, seeded_task

__all__ = ["begun", "beside", "due"]

GOOD = (TestOutcome.PASSED, TestOutcome.XPASSED)
BAD = (TestOutcome.FAILED, TestOutcome.ERROR)
MOST_TRIED = 6
"""Results of one kind that are proved before a draw comes to nothing: each costs two runs of the suite."""

PARTS = 3
PARTNERS = 3
"""Other defects that one is put together with."""

ONE_AT_A_TIME = threading.Lock()

STREAM, RIGHT_STREAM, ORDER_STREAM = "seeded", "seeded right", "seeded order"


def beside(world: World, task: Task, decision: Decision, share: float) -> Task | None:
    """Draw for a result that waits from now on; returns the task of the item that goes along with it, admitted.

    None: the result does not wait for passing, it was not drawn, nothing is left to make one of, or none more is due.
    What is in the way of an item is never in the way of a run. Raises Interrupted when the person stops it.
    """
    waits = decision.action is Action.ASK and decision.attempt is not None and decision.rule.startswith(RULE)
    if not waits or decision.attempt is None or share <= 0 or seeded_of(world, task) is not None:
        return None
    drawn = _drawn(world, decision.attempt, share)
    if not drawn.drawn:
        return None
    try:
        with ONE_AT_A_TIME:  # what is counted and what is taken must not change meanwhile
            seeded = world.journal.find(Seeded, KIND, drawn.attempt) or _made(world, task, drawn, share)
        return None if seeded is None else _admitted(world, seeded)
    except (RepositoryError, SandboxError, CheckError, SetupError, LedgerError, InputError):
        return None


def begun(world: World) -> list[Task]:
    """Give the items that a run began and did not bring to their end."""
    found = []
    for fact in world.journal.store.facts(kind=KIND):
        if not world.journal.store.facts(kind="decision", task=fact.task):
            try:
                found.append(_admitted(world, decode(Seeded, fact.body)))
            except (RepositoryError, InputError):
                continue
    return found


def due(world: World, share: float) -> list[tuple[Task, Decision]]:
    """Give the waiting results that were drawn and have no item yet, with the decisions that they wait by.

    A run was ended before one was made, or there was nothing to make it of; by now there may be.
    """
    store = world.journal.store
    done = {fact.key for fact in store.facts(kind=KIND)}
    found = []
    for fact in store.facts(kind=SEEDING) if share > 0 else ():
        if fact.key in done or not decode(Seeding, fact.body).drawn:
            continue
        task = decode(Task, store.facts(kind="task", task=fact.key.rpartition(".")[0])[-1].body)
        now = past(world, task)
        waits = now.decisions and now.decisions[-1].attempt == fact.key and not now.landings
        if waits and not store.facts(kind="review", task=task.id, after=_since(world, task)):
            found.append((task, now.decisions[-1]))
    return found


def _drawn(world: World, attempt: str, share: float) -> Seeding:
    def draw() -> Seeding:
        number, commitment = world.drawing.number(STREAM, attempt)
        right, _ = world.drawing.number(RIGHT_STREAM, attempt)
        return Seeding(attempt, chance_of(share), number, right, commitment)

    return world.journal.once(Seeding, SEEDING, attempt, "", draw)


def _admitted(world: World, seeded: Seeded) -> Task:
    """Admit an item from the base that its truth was proved on, with all that was planted there."""
    world.journal.once(Base, "base", f"{seeded.task.id}@1", seeded.task.id, lambda: seeded.base)
    admit(world, seeded.task)
    return seeded.task


def _made(world: World, task: Task, drawn: Seeding, share: float) -> Seeded | None:
    """Make and store an item, if one more is due and the result that it goes along with still waits."""
    store = world.journal.store
    others = len(store.facts(kind=SEEDING))
    if not has_room(share, others, len(store.facts(kind=KIND))):
        return None
    order = world.journal.find(Order, "order", drawn.attempt)
    if order is None:
        return None
    right = drawn.right_number < 0.5
    materials = _in_drawn_order(world, drawn, _materials(world, order), right=right)
    for material in materials[:MOST_TRIED]:
        seeded = _proved(world, task, order, material)
        if seeded is None:
            store.append(Fact(REFUSED, material.name, "", {}, world.clock.now()))
        if seeded is None or store.facts(task=seeded.task.id):
            continue
        if store.facts(kind="review", task=task.id, after=_since(world, task)):
            return None  # somebody was quick: the item might stand alone
        return world.journal.add(KIND, drawn.attempt, seeded.task.id, seeded)
    return None


def _since(world: World, task: Task) -> int:
    return world.journal.store.facts(kind="task", task=task.id)[-1].seq


# ---------------------------------------------------------------- what items are made of


@dataclass(frozen=True, slots=True)
class _Result:
    """Two trees with the tests between them: what is shown, all that the truth is known by, and what is held back."""

    base: str
    tree: str
    shown: Checks
    held_back: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Material:
    """A result that may be made an item, not proved yet; `form` is the more lifelike the lower it is."""

    right: bool
    form: int
    example: Example
    made_of: tuple[str, ...]
    name: str
    what: str
    like: str
    own: bool
    build: Callable[[], _Result | None]


ATTEMPT, SOLUTION, PAIR = 0, 1, 2


def _materials(world: World, order: Order) -> list[_Material]:
    """List what items could be made of: results at tasks of drills in this repository of which no item was made yet."""
    store = world.journal.store
    refused = {fact.key for fact in store.facts(kind=REFUSED)}
    used = {name for fact in store.facts(kind=KIND) for name in decode(Seeded, fact.body).made_of}
    results: defaultdict[str, list[DrillResult]] = defaultdict(list)
    for result in drill_results(store):
        results[result.example].append(result)
    examples = [each for each in _examples(world, order.base.repo) if each.task.id not in used]
    found: list[_Material] = []
    for example in examples:
        found += _of_one(world, order.agent, example, results[example.task.id])
    injected = [each for each in examples if each.task.known_answer is KnownAnswer.INJECTED]
    injected.sort(key=lambda each: world.drawing.number(ORDER_STREAM, each.task.id)[0])
    for place, example in enumerate(injected):
        if like := _like(order.agent, results[example.task.id]):
            for other in injected[place + 1 : place + 1 + PARTNERS]:
                found += _of_two(world, example, other, like)
    return [each for each in found if each.name not in refused]


def _examples(world: World, repo: str) -> list[Example]:
    """Give the tasks that drills found in a repository, each once."""
    found: dict[str, Example] = {}
    here = Path(repo).resolve()
    for fact in world.journal.store.facts(kind="mined"):
        for example in loads(Mined, world.journal.store.get(str(fact.body["artefact"]))).examples:
            if Path(example.task.repo.path or "/").resolve() == here:
                found.setdefault(example.task.id, example)
    return list(found.values())


def _in_drawn_order(world: World, drawn: Seeding, materials: Sequence[_Material], *, right: bool) -> list[_Material]:
    """Order those of one truth: first the most lifelike form that both truths have, so that form tells nothing."""
    both = {each.form for each in materials if each.right} & {each.form for each in materials if not each.right}
    ours = [each for each in materials if each.right is right]

    def place(each: _Material) -> tuple[bool, int, float]:
        number, _ = world.drawing.number(ORDER_STREAM, f"{drawn.attempt}\0{each.name}")
        return each.form not in both, each.form, number

    return sorted(ours, key=place)


def _like(agent: AgentSpec, results: Sequence[DrillResult]) -> str:
    """Name an attempt at a task whose time and cost are shown: of this agent before others; "": there is none."""
    counted = sorted(results, key=lambda each: (each.agent, each.version) != (agent.name, agent.version))
    return counted[0].attempt if counted else ""


def _of_one(world: World, agent: AgentSpec, example: Example, results: Sequence[DrillResult]) -> Iterator[_Material]:
    """Give what one task offers: attempts of this very agent, the solution, and the solution without a part."""
    parts = halves(example.task.checks.required, example.task.id)
    if parts is None:
        return
    shown, held_back = parts

    def material(
        tree: Callable[[], str | None], form: int, name: str, what: str, like: str, *, right: bool
    ) -> _Material:
        def build() -> _Result | None:
            made = tree()
            return None if made is None else _between(world, example, made, shown, held_back)

        return _Material(
            right, form, example, (example.task.id,), f"{example.task.id} {name}", what, like, form == ATTEMPT, build
        )

    for result in results:
        if (result.agent, result.version) == (agent.name, agent.version) and not result.declined:
            right = result.outcome is Outcome.PASSED
            if right or _let_pass(world, example, result, shown):
                what = f"what {result.agent} {result.version} delivered in a drill"
                yield material(_tree_of(world, result), ATTEMPT, result.attempt, what, result.attempt, right=right)
    like = _like(agent, results)
    if not like or example.task.known_answer is not KnownAnswer.MINED:
        return
    what = f"what {example.task.source} did"
    yield material(lambda: example.solution_tree, SOLUTION, "solution", what, like, right=True)
    pieces = world.objects.split(example.base_tree, example.solution_tree)
    source = [number for number, piece in enumerate(pieces) if is_source(path_of(piece))]
    if len(source) < 2:
        return
    source.sort(key=lambda number: world.drawing.number(ORDER_STREAM, f"{example.task.id}\0{number}")[0])
    for number in source[:PARTS]:
        rest = [*pieces[:number], *pieces[number + 1 :]]
        yield material(
            lambda rest=rest: world.objects.join(example.base_tree, rest),  # type: ignore[misc]
            SOLUTION,
            f"without {number}",
            f"{what} without a part of it",
            like,
            right=False,
        )


def _let_pass(world: World, example: Example, result: DrillResult, shown: Sequence[str]) -> bool:
    """Say whether the tests that would be shown let an attempt of a drill pass, by what was measured then."""
    measurement = measurement_of(world.journal.store, result.measurement)
    if result.outcome is not Outcome.FAILED or measurement is None or measurement.problem:
        return False
    return all(measurement.tests.get(name) in GOOD for name in (*shown, *example.passing))


def _tree_of(world: World, result: DrillResult) -> Callable[[], str | None]:
    """Take what an attempt delivered, if it ended by itself and left the tests alone: no other is of use."""

    def tree() -> str | None:
        attempt = world.journal.find(Attempt, "attempt", result.attempt)
        if attempt is None or attempt.ending is not Ending.FINISHED or attempt.patch.empty:
            return None
        if any(is_test(change.path) for change in attempt.patch.changes):
            return None
        return attempt.patch.tree

    return tree


def _between(world: World, example: Example, tree: str, shown: tuple[str, ...], held_back: tuple[str, ...]) -> _Result:
    """Lay the tests of the task into both trees, as if a person had written them first."""
    tests = (example.task.checks.test_patch or "").encode()
    base, made = (world.objects.apply(each, tests) if tests else each for each in (example.base_tree, tree))
    keep = tuple(sorted(example.passing)) or shown
    return _Result(base, made, Checks(required=shown, keep=keep), held_back)


def _of_two(world: World, example: Example, other: Example, like: str) -> Iterator[_Material]:
    """Give what two defects of one tree offer: both undone; and one undone with the other put in its place."""
    if example.task.base != other.task.base or example.solution_tree != other.solution_tree:
        return
    made_of = (example.task.id, other.task.id)
    required, others = set(example.task.checks.required), set(other.task.checks.required)
    whole = example.solution_tree

    def right() -> _Result | None:
        base, _ = world.objects.merge(whole, example.base_tree, other.base_tree)
        keep = tuple(sorted(set(example.passing) & set(other.passing)))
        shown = tuple(sorted(required | others))
        return None if base is None else _Result(base, whole, Checks(required=shown, keep=keep or shown), ())

    def wrong() -> _Result | None:
        shown, keep = tuple(sorted(required - others)), tuple(sorted(set(example.passing) - others))
        if not shown:
            return None
        held_back = tuple(sorted(others))
        return _Result(example.base_tree, other.base_tree, Checks(required=shown, keep=keep or shown), held_back)

    for truth, build in ((True, right), (False, wrong)):
        what = "two defects undone" if truth else "a defect undone, and another put in"
        name = f"{' '.join(made_of)} {truth}"
        yield _Material(truth, PAIR, example, made_of, name, what, like, own=False, build=build)


# ---------------------------------------------------------------- truth


def _proved(world: World, task: Task, order: Order, material: _Material) -> Seeded | None:
    """Prove the truth of a result by running all tests on it twice; None where they do not show what it is said to be.

    The tests that are shown must pass in both cases, every time. A right result passes all that is known to pass with
    the reference besides; a wrong one fails something that is held back, every time.
    """
    try:
        result = material.build()
    except RepositoryError:
        return None  # the pieces do not fit together
    if result is None or result.tree == result.base:
        return None
    example = material.example.task
    base = replace(world.objects.import_base(Path(order.base.repo), example.base), tree=result.base)
    probe = replace(example, checks=Checks(required=result.shown.required))
    environment = prepared(world, probe, base)
    if not environment.ok:
        raise SetupError(f"proving {material.name}: {environment.reason}")
    found = measured(world, probe, environment, result.base, result.tree, RUNS)
    proof = _proof(found, result, right=material.right)
    if proof is None:
        return None
    return Seeded(
        beside=order.attempt,
        task=seeded_task(example, task, result.shown, world.ledger),
        base=base,
        tree=result.tree,
        agent=order.agent,
        right=material.right,
        what=material.what,
        proof=proof,
        measurement=found.key,
        made_of=material.made_of,
        like=material.like,
        own=material.own,
    )


def _proof(found: Measurement, result: _Result, *, right: bool) -> tuple[str, ...] | None:
    """Name the tests by which the truth of a result is known; None where they do not show it."""
    if found.problem:
        return None
    flaky = set(found.flaky)
    good = {name for name, outcome in found.tests.items() if outcome in GOOD and name not in flaky}
    if not {*result.shown.required, *result.shown.keep} <= good:
        return None
    if right:
        return result.held_back if set(result.held_back) <= good else None
    failing = tuple(name for name in result.held_back if found.tests.get(name) in BAD and name not in flaky)
    return failing or None
