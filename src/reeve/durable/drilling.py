"""Find drill tasks, each proved by running it: tests that do not pass at its base and pass with its solution."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from reeve.durable.world import World, go_on_or_stop, measure, slot
from reeve.errors import RepositoryError
from reeve.globs import matching
from reeve.ledger.codec import dumps, loads
from reeve.ports import CheckRequest, Fact
from reeve.records import Base, Checks, Environment, Measurement, RepoSource, Task, TestsDrilled, WrongPatch
from reeve.task.build import Defaults
from reeve.task.mined import Commit, is_source, is_test, mined_task, passed_over, turned
from reeve.verdict.protected import globs_of

__all__ = ["RUNS", "Asked", "Example", "Mined", "Searched", "Tell", "in_order", "measured", "mine_history", "prepared"]

RUNS = 2
"""Of the tests on each side, so that a test which disagrees with itself proves nothing."""

MINER = 1
"""Raise it when the same past would give other tasks now."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be found: how many tasks, for which agents, with what everything else has by default.

    `late` says that the time for it is over.
    """

    tasks: int
    agents: tuple[str, ...]
    defaults: Defaults
    seed: int = 0
    late: Callable[[], bool] = lambda: False

    @property
    def repo(self) -> Path:
        """The folder of the repository."""
        return self.defaults.repo


@dataclass(frozen=True, slots=True)
class Example:
    """A task with its solution, as trees of our object store; `passing` are the tests that pass before and after.

    The task is nobody's yet: each agent gets one of its own.
    """

    task: Task
    base_tree: str
    solution_tree: str
    passing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mined:
    """What was found. `dropped` counts what was not, by reason; `complete` is false where time was over first.

    `wrong` are the wrong patches that were tried on the tests meanwhile.
    """

    examples: tuple[Example, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    looked_at: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()
    wrong: tuple[WrongPatch, ...] = ()

    def __add__(self, other: "Mined") -> "Mined":
        """Put two searches together."""
        return Mined(
            self.examples + other.examples,
            dict(Counter(self.dropped) + Counter(other.dropped)),
            self.looked_at + other.looked_at,
            self.complete and other.complete,
            self.notes + other.notes,
            self.wrong + other.wrong,
        )


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search is told to say: the examples so far, and how many candidates it has looked at."""

    found: int
    looked_at: int
    candidates: int


Tell = Callable[[Searched], None]


# ---------------------------------------------------------------- what was found before


def remembered(world: World, asked: Asked, base: Base, how: Sequence[str], search: Callable[[], Mined]) -> Mined:
    """Return what the same search of the same head found before, else search.

    One that was cut off, or found nothing, is not kept. `how` is what else decides on the result: what was to be mined,
    and by which programs.
    """
    defaults = asked.defaults
    settled = (defaults.limits, defaults.protected, defaults.setup, dict(defaults.env))
    key = hashlib.sha256(dumps((MINER, base.commit, base.tree, asked.tasks, asked.seed, tuple(how), settled)))
    store, name = world.journal.store, key.hexdigest()[:32]
    if (fact := store.fact("mined", name)) is not None:
        found = loads(Mined, store.get(str(fact.body["artefact"])))
        here = RepoSource(path=str(asked.repo))  # the project may have been moved since
        moved = (replace(each, task=replace(each.task, repo=here)) for each in found.examples)
        return replace(found, examples=tuple(moved))
    found = search()
    if found.complete and (found.examples or found.wrong):
        store.append(Fact("mined", name, "", {"artefact": store.put(dumps(found))}, world.clock.now()))
    return found


def record(world: World, asked: Asked, base: Base, wrong: Sequence[WrongPatch]) -> None:
    """Store what the tests did with wrong patches; the same result at the same head is stored once."""
    if wrong:
        patches = world.journal.store.put(dumps(tuple(wrong)))
        count = sum(one.let_pass for one in wrong)
        fact = TestsDrilled(str(asked.repo), base.commit, len(wrong), count, patches)
        world.journal.add("drill", f"{base.commit[:12]}:{patches[:16]}", "", fact)


# ---------------------------------------------------------------- from the past


def mine_history(world: World, asked: Asked, commits: Sequence[Commit], tell: Tell = lambda _: None) -> Mined:
    """Try the commits that look like tasks, the newest first, until enough are proved.

    What was measured is kept, so that a search which was interrupted costs little when it is made again. Raises
    Interrupted when the person stops it.
    """
    reasons = [passed_over(commit) for commit in commits]
    dropped = Counter(reason for reason in reasons if reason)
    candidates = [commit for commit, reason in zip(commits, reasons, strict=True) if not reason]
    return _search(world, asked, candidates, lambda commit: _example_of(world, asked, commit), dropped, tell)


def _example_of(world: World, asked: Asked, commit: Commit) -> Example | str:
    """Prove one commit: its tests do not pass on its parent, and do with its source."""
    before = world.objects.import_base(asked.repo, commit.parents[0])
    after = world.objects.import_base(asked.repo, commit.id)
    pieces = world.objects.split(before.tree, after.tree)
    tests = [piece for piece in pieces if is_test(path_of(piece))]
    with_tests = world.objects.join(before.tree, tests)
    try:
        patch = world.objects.diff(before.tree, with_tests).decode()
    except UnicodeDecodeError:
        return "whose tests are not in UTF-8"
    named = tuple(change.path for change in commit.changes if is_test(change.path) and change.path.endswith(".py"))
    lines = sum(change.lines for change in commit.changes if is_source(change.path))
    # Which ids are required is not known yet: a file says as much, and what is measured is the whole suite.
    draft = mined_task(commit, named[:1], patch, lines, asked.defaults)
    solution = _solution(world, draft, before, pieces)
    if solution == before.tree:
        return "whose source no attempt may change"
    outcomes = _both(world, draft, before, solution)
    if isinstance(outcomes, str):
        return outcomes
    found = turned(*outcomes)
    if not found.turned:
        return "whose tests are flaky" if found.flaky else "whose tests pass without them"
    task = mined_task(commit, found.turned, patch, lines, asked.defaults)
    return Example(task, before.tree, solution, found.kept)


def _solution(world: World, task: Task, before: Base, pieces: Sequence[Any]) -> str:
    """Make the tree of the parent with what of a commit an attempt could have made: no tests, nothing protected."""
    protected = matching(globs_of(task))
    mine = [piece for piece in pieces if not (is_test(path_of(piece)) or protected.fullmatch(path_of(piece)))]
    return world.objects.join(before.tree, mine)


def path_of(piece: Any) -> str:
    """Name the path of a piece of a patch."""
    return bytes(piece.path).decode("utf-8", "surrogateescape")


def _both(world: World, task: Task, base: Base, solution: str) -> tuple[Measurement, Measurement] | str:
    """Measure the tests on the base and with the solution, or say in a few words why that cannot be done."""
    environment = prepared(world, task, base)
    if not environment.ok:
        return "whose environment cannot be made"
    before = measured(world, task, environment, base.tree, base.tree, RUNS)
    if before.problem:
        return "whose tests cannot be run before them"
    after = measured(world, task, environment, base.tree, solution, RUNS)
    return "whose tests cannot be run after them" if after.problem else (before, after)


# ---------------------------------------------------------------- what both kinds share


def prepared(world: World, task: Task, base: Base) -> Environment:
    """Make the environment of a base, or find it."""
    with slot(world):
        return world.environments.prepare(task, base)


def measured(
    world: World, task: Task, environment: Environment, base: str, tree: str, runs: int, checks: Checks | None = None
) -> Measurement:
    """Measure a tree as the loop would for this task, so that the loop finds it done."""
    return measure(
        world, CheckRequest(tree, base, checks or task.checks, environment, task.limits, task.env, runs=runs)
    )


def _search(
    world: World,
    asked: Asked,
    candidates: Sequence[Item],
    work: Callable[[Item], Example | str],
    dropped: Counter[str],
    tell: Tell,
) -> Mined:
    """Try candidates side by side, and take what they give in their order, so that the result is the same again."""
    examples: list[Example] = []
    looked_at = 0
    late = False

    def tried(item: Item) -> Example | str:
        try:
            return work(item)
        except RepositoryError:
            return "that cannot be read"

    for found in in_order(world, candidates, tried):
        looked_at += 1
        if isinstance(found, Example):
            examples.append(found)
        else:
            dropped[found] += 1
        tell(Searched(len(examples), looked_at, len(candidates)))
        late = asked.late()
        if len(examples) >= asked.tasks or late:
            break
    complete = not late or len(examples) >= asked.tasks or looked_at == len(candidates)
    return Mined(tuple(examples), dict(dropped.most_common()), looked_at, complete)


def in_order(world: World, items: Iterable[Item], work: Callable[[Item], Any]) -> Iterator[Any]:
    """Do the work of some items side by side, a few ahead of the one whose result is asked for."""
    rest = iter(items)
    with ThreadPoolExecutor(world.workers) as pool:
        ahead: list[Future[Any]] = [pool.submit(work, item) for item in islice(rest, world.workers)]
        try:
            while ahead:
                found = ahead.pop(0).result()
                go_on_or_stop(world)
                yield found
                ahead += [pool.submit(work, item) for item in islice(rest, 1)]
        finally:
            for future in ahead:
                future.cancel()
