"""How good are the tests themselves? Wrong patches are put before them, and what they let pass is counted.

The wrong patches: small defects put into the source at the base, drawn from all its lines; the solutions of mined tasks
with one part left out; and what agents delivered that did not hold. Defects that are noticed make drill tasks.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from reeve.durable.drilling import RUNS, Asked, Example, Mined, Searched, Tell, in_order, measured, path_of, prepared
from reeve.durable.world import World
from reeve.ledger.drill import measurement_of
from reeve.ports import CheckRequest
from reeve.records import (
    Base,
    Checks,
    DrillResult,
    Environment,
    KnownAnswer,
    Measurement,
    Outcome,
    Task,
    TestOutcome,
    WrongKind,
    WrongPatch,
)
from reeve.task.injected import Site, Sites, injected_task, missed, noticing
from reeve.task.mined import is_source

__all__ = ["Places", "failed_attempts", "inject", "partial_fixes"]

SITES_PER_TASK = 4
FEWEST_SITES = 60
"""With so many, none let pass bounds the share at 5 % (95 %, one-sided); half of them at 61 %."""

PARTS_TRIED = 3
"""Of one solution, each left out by itself."""

PATIENCE = 5.0
LEAST_SECONDS = 20.0
"""A suite with a defect in it may take so many times as long as without, and at least so long."""

NO_TEST = "no/such/folder/test_nothing.py::test_nothing"
"""An id that no suite has: asked for, it has the whole suite run as the project configures it."""

GOOD = (TestOutcome.PASSED, TestOutcome.XPASSED)


class Places(Protocol):
    """Finds places for defects in a tree; of another version the same seed may draw others."""

    @property
    def version(self) -> str:
        """Name what draws."""

    def sites(self, request: CheckRequest, wanted: Callable[[str], bool], *, most: int, seed: int) -> Sites:
        """Draw at most so many places, each line with the same chance."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What defects are put into: the base, its environment, and what its tests give without any."""

    base: Base
    task: Task  # of which everything but its checks counts
    environment: Environment
    whole: Measurement

    def one(self) -> Checks:
        """Ask for one test, so that the whole suite is measured as for a task of this base."""
        return Checks(required=(next(name for name, outcome in self.whole.tests.items() if outcome in GOOD),))


# ---------------------------------------------------------------- injected defects


def inject(world: World, asked: Asked, base: Base, probe: Task, places: Places, tell: Tell = lambda _: None) -> Mined:
    """Put defects into a base, count what its tests let pass, and make tasks of what they notice.

    `probe` is a task of that base for its set-up and limits. Where its tests cannot be run, the notes say why. Raises
    Interrupted when the person stops it; what was measured is kept.
    """
    environment = prepared(world, probe, base)
    if not environment.ok:
        return Mined(notes=(f"no defects: the environment cannot be made: {environment.reason}",))
    whole = measured(world, probe, environment, base.tree, base.tree, RUNS, Checks(required=(NO_TEST,)))
    ground = _Ground(base, probe, environment, whole)
    if problem := _problem(whole):
        return Mined(notes=(f"no defects: {problem}",))
    request = CheckRequest(base.tree, base.tree, Checks(), environment, probe.limits, probe.env)
    most = max(FEWEST_SITES, SITES_PER_TASK * asked.tasks)
    found = places.sites(request, is_source, most=most, seed=asked.seed)
    if not found.sites:
        return Mined(notes=("no defects: no source file of which one could be made", *found.notes))
    tried = _tried(world, asked, ground, found.sites, tell)
    examples, dropped = _examples(world, asked, ground, tried)
    flaky = f", {len(whole.flaky)} flaky ones left out" if whole.flaky else ""
    said = f"{len(tried)} defects in {found.lines} lines that could carry one, {len(whole.tests)} tests{flaky}"
    return Mined(
        examples,
        dropped,
        looked_at=len(tried),
        complete=len(tried) == len(found.sites),
        notes=(said, *found.notes),
        wrong=tuple(wrong for _, _, wrong in tried),
    )


def _problem(whole: Measurement) -> str:
    if whole.problem:
        return f"the tests cannot be run: {whole.problem}"
    if not whole.tests:
        return "there are no tests: pytest collects none"
    if not any(outcome in GOOD and name not in whole.flaky for name, outcome in whole.tests.items()):
        return f"none of the {len(whole.tests)} tests passes"
    return ""


Tried = tuple[Site, tuple[str, ...], WrongPatch]


def _tried(world: World, asked: Asked, ground: _Ground, sites: Sequence[Site], tell: Tell) -> list[Tried]:
    """Put each defect before the tests, in order, until all are tried or the time is over."""
    seconds = max(LEAST_SECONDS, PATIENCE * ground.whole.wall_seconds)
    limits = replace(ground.task.limits, check_seconds=min(ground.task.limits.check_seconds, seconds))
    task = replace(ground.task, limits=limits, checks=ground.one())

    def one(site: Site) -> Tried:
        tree = world.objects.write(ground.base.tree, {site.defect.path: (site.content, False)})
        result = measured(world, task, ground.environment, ground.base.tree, tree, 1)
        # A suite that breaks off or hangs is no pass; which tests would have noticed is not known then.
        names = () if result.problem else noticing(ground.whole, result)
        return site, names, _wrong(site, let_pass=not (names or result.problem))

    found: list[Tried] = []
    for each in in_order(world, sites, one):
        found.append(each)
        tell(Searched(sum(not wrong.let_pass for _, _, wrong in found), len(found), len(sites)))
        if asked.late():
            break
    return found


def _wrong(site: Site, *, let_pass: bool) -> WrongPatch:
    kinds = {None: WrongKind.DEFECT, True: WrongKind.COVERED, False: WrongKind.UNCOVERED}
    defect = site.defect
    return WrongPatch(kinds[site.covered], let_pass, defect.path, defect.line, defect.was, defect.now)


def _examples(
    world: World, asked: Asked, ground: _Ground, tried: Sequence[Tried]
) -> tuple[tuple[Example, ...], dict[str, int]]:
    """Make tasks of the defects that were noticed, in the order in which they were drawn; each is run twice more."""
    dropped = Counter("defects that the tests let pass" for _, _, wrong in tried if wrong.let_pass)
    dropped.update("defects that break or hang the whole suite" for _, names, w in tried if not (names or w.let_pass))
    noticed = [site for site, names, _ in tried if names]
    found: list[Example] = []
    for example in in_order(world, noticed, lambda site: _example(world, asked, ground, site)):
        if len(found) == asked.tasks:
            break
        if isinstance(example, Example):
            found.append(example)
        else:
            dropped[example] += 1
    return tuple(found), dict(dropped.most_common())


def _example(world: World, asked: Asked, ground: _Ground, site: Site) -> Example | str:
    task = replace(ground.task, checks=ground.one())
    tree = world.objects.write(ground.base.tree, {site.defect.path: (site.content, False)})
    result = measured(world, task, ground.environment, tree, tree, RUNS)
    names = noticing(ground.whole, result)
    if result.problem or not names:
        return "defects that the tests notice only now and then"
    original = world.objects.read(ground.base.tree, site.defect.path) or b""
    solution = world.objects.write(tree, {site.defect.path: (original, False)})
    made = injected_task(site.defect, site.content, names, ground.base.commit, asked.defaults)
    kept = tuple(sorted(name for name, outcome in result.tests.items() if outcome in GOOD))
    return Example(made, tree, solution, kept)


# ---------------------------------------------------------------- solutions in part, attempts that failed


def partial_fixes(world: World, asked: Asked, examples: Sequence[Example], tell: Tell = lambda _: None) -> Mined:
    """Leave one part out of each mined solution; what then fails is wrong, and may pass with half of the tests."""
    pairs = [(example, left_out) for example in examples for left_out in _parts(world, asked, example)]
    found: list[WrongPatch] = []
    complete = True
    for number, wrong in enumerate(in_order(world, pairs, lambda pair: _partial(world, asked, *pair)), start=1):
        found += [wrong] if wrong is not None else []
        tell(Searched(len(found), number, len(pairs)))
        if asked.late() and number < len(pairs):
            complete = False
            break
    return Mined(wrong=tuple(found), complete=complete)


def _parts(world: World, asked: Asked, example: Example) -> Iterator[str]:
    """Give the trees with one part of the source left out; none where it has one part, or one test to pass."""
    pieces = world.objects.split(example.base_tree, example.solution_tree)
    source = [number for number, piece in enumerate(pieces) if is_source(path_of(piece))]
    mined = example.task.known_answer is KnownAnswer.MINED
    if not mined or len(source) < 2 or len(example.task.checks.required) < 2:
        return
    draw = Random(f"{asked.seed}:{example.task.id}")  # noqa: S311 - no secret
    for number in draw.sample(source, min(len(source), PARTS_TRIED)):
        yield world.objects.join(example.base_tree, [*pieces[:number], *pieces[number + 1 :]])


def _partial(world: World, asked: Asked, example: Example, tree: str) -> WrongPatch | None:
    base = world.objects.import_base(asked.repo, example.task.base)
    environment = prepared(world, example.task, base)
    result = measured(world, example.task, environment, example.base_tree, tree, 1)
    passes = missed(example.task, result, example.passing, asked.seed)
    return None if passes is None else WrongPatch(WrongKind.PARTIAL, passes, of=example.task.id)


def failed_attempts(
    world: World, asked: Asked, examples: Sequence[Example], results: Sequence[DrillResult]
) -> tuple[WrongPatch, ...]:
    """Say of every attempt whose tests failed whether half of them would have let it pass; nothing is run again."""
    by_id = {example.task.id: example for example in examples}
    found = []
    for result in results:
        example = by_id.get(result.example)
        if example is None or result.outcome is not Outcome.FAILED or result.declined:
            continue
        measurement = measurement_of(world.journal.store, result.measurement)
        if measurement is None or measurement.tree == example.base_tree:
            continue  # it changed nothing: no patch at all
        passes = missed(example.task, measurement, example.passing, asked.seed)
        if passes is not None:
            found.append(WrongPatch(WrongKind.ATTEMPT, passes, of=result.attempt))
    return tuple(found)
