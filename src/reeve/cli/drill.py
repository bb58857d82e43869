"""`reeve drill`."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reeve import flow
from reeve.cli.drill_parts import export as export_rows
from reeve.cli.drill_parts import history_of, injector, package_repository
from reeve.cli.drilled import Drill, print_drill, shape
from reeve.cli.opened import project
from reeve.cli.options import Json, SandboxName
from reeve.cli.output import note, print_json, screen
from reeve.cli.progress import sentence
from reeve.cli.rules import given_rules
from reeve.cli.start import open_world
from reeve.cli.stopping import stopping
from reeve.durable.drilling import Asked, Mined, Searched, Tell, mine_history, record, remembered
from reeve.durable.injecting import Places, failed_attempts, inject, partial_fixes
from reeve.durable.locks import working
from reeve.durable.steps import check_agents
from reeve.durable.world import World
from reeve.errors import InputError, Interrupted
from reeve.ledger.drill import drill_results
from reeve.policy.drill import agent_drills, drill_horizons
from reeve.policy.suite import suite_of
from reeve.ports import Fact
from reeve.records import Base, RepoSource, Task
from reeve.settings import Settings, task_defaults
from reeve.task.build import Defaults, top_of_repository
from reeve.task.mined import for_agent
from reeve.units import plural

COMMITS_READ = 2000
MINING_SHARE = 0.5
"""Of the time that may be taken: the rest is for the agents."""


class Source(StrEnum):
    """What tasks are made of."""

    HISTORY = "history"
    DEFECTS = "defects"
    BOTH = "both"


Agent = Annotated[
    list[str] | None,
    typer.Option("--agent", metavar="NAME", help="Drill this agent; repeatable; default: those of reeve.toml."),
]
Tasks = Annotated[int, typer.Option("--tasks", metavar="N", min=1, max=1000, help="Tasks at most.")]
Mine = Annotated[Source, typer.Option("--mine", help="Make tasks of the history, of injected defects, or of both.")]
Package = Annotated[
    str | None,
    typer.Option(
        "--package",
        metavar="NAME==VERSION",
        help="Drill on a source archive of the package index, or on one in a file.",
        show_default=False,
    ),
]
Export = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE", help="Also write the tasks as SWE-bench rows.", show_default=False),
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", metavar="N", min=0.1, help="End after so long, with what there is then."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Draws what is drawn.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Attempts and verdicts at one time.", show_default=False)
]


def drill(
    *,
    agent: Agent = None,
    tasks: Tasks = 20,
    mine: Mine = Source.BOTH,
    package: Package = None,
    export: Export = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    workers: Workers = None,
    sandbox: SandboxName = None,
    as_json: Json = False,
) -> None:
    """Qualify agents and the tests here, on work that was done before: nothing of it lands."""
    settings = project()
    agents = _agents(settings, agent or ())
    if export is not None and not export.absolute().parent.is_dir():
        raise InputError(f"--export {export}: no such folder: {str(export.absolute().parent)!r}")
    defaults = _defaults(settings, package)
    console = screen(stderr=True)

    def see(fact: Fact) -> None:
        said = None if as_json or console.is_terminal else sentence(fact)
        if said:
            note(said)

    world = open_world(settings, sandbox=sandbox, workers=workers, rules=given_rules(settings), watch=see)
    clock = Clock(minutes, world.stop)
    asked = Asked(tasks, agents, defaults, seed, clock.mining_is_over)
    with _bars(console) as bars, stopping(world.stop, lambda: None, "`reeve drill` goes on"):
        done = drilled(world, asked, mine, injector(settings, world), bars, clock)
    if export is not None and done.mined.examples:
        found = [(each.task, each.base_tree, each.solution_tree, each.passing) for each in done.mined.examples]
        done = replace(done, exported=str(export), clone=str(export_rows(settings, asked.repo, found, export)))
    if as_json:
        print_json(shape(done))
    else:
        print_drill(screen(), done)
    raise typer.Exit(130 if done.interrupted else 0 if done.mined.examples else 1)


def drilled(world: World, asked: Asked, mine: Source, places: Places, bars: Progress, clock: "Clock") -> Drill:
    """Find tasks, attempt them in the ordinary loop, and put together what was seen; stopped, what there is then."""
    check_agents(world, _probe(asked))
    base = world.objects.import_base(asked.repo, "HEAD")
    interrupted, mined = False, Mined()
    try:
        mined = _mined(world, asked, mine, base, places, bars)
        _run(world, _given(world, asked, mined), bars, clock)
    except Interrupted:
        interrupted = not clock.over
    results = drill_results(world.journal.store, {task.digest for task in _given(world, asked, mined)})
    agents = agent_drills(results)
    mined = replace(mined, wrong=(*mined.wrong, *failed_attempts(world, asked, mined.examples, results)))
    record(world, asked, base, mined.wrong)
    return Drill(
        repository=str(asked.repo),
        mined=mined,
        agents=agents,
        horizons=drill_horizons(results, seed=asked.seed),
        suite=suite_of(mined.wrong, agents, world.policy.highest_escape_rate),
        interrupted=interrupted,
        late=clock.over or not mined.complete,
    )


def _defaults(settings: Settings, package: str | None) -> Defaults:
    """Return what drill tasks have by default; raises InputError where there is no repository.

    The set-up and the variables of a project are its own: a package has them only where no project is around it.
    """
    defaults = task_defaults(settings)
    project = top_of_repository(defaults.repo)
    if package is not None:
        repo = package_repository(settings, package)
        own = project is not None
        setup, env = (None, {}) if own else (defaults.setup, defaults.env)
        return replace(defaults, repo=repo, setup=setup, env=env, protected=())
    if project is None:
        where = str(defaults.repo)
        raise InputError(f"not a git repository: {where!r}; run this inside one, or name a --package NAME==VERSION")
    return defaults


def _agents(settings: Settings, named: Sequence[str]) -> tuple[str, ...]:
    agents = tuple(dict.fromkeys(named)) or settings.default_agents
    for name in agents:
        if name not in settings.agents:
            raise InputError(f"--agent {name}: reeve.toml names {', '.join(sorted(settings.agents))}")
    return agents


class Clock:
    """The time that a drill may take; None: no end."""

    def __init__(self, minutes: float | None, stop: threading.Event) -> None:
        self.over = False
        self._stop = stop
        self._seconds = None if minutes is None else minutes * 60
        self._began = time.monotonic()

    def mining_is_over(self) -> bool:
        return self._seconds is not None and time.monotonic() - self._began > self._seconds * MINING_SHARE

    @contextmanager
    def ends(self) -> Iterator[None]:
        """Stop what runs when the time is over."""
        if self._seconds is None:
            yield
            return
        left = max(0.0, self._seconds - (time.monotonic() - self._began))
        timer = threading.Timer(left, self._end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self.over = True
        self._stop.set()


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield bars


# ---------------------------------------------------------------- mining


def _mined(world: World, asked: Asked, mine: Source, base: Base, places: Places, bars: Progress) -> Mined:
    """Find the tasks, or find them found: of both kinds half, and of defects what the history does not give."""
    probe = _probe(asked)
    with working(world.state):
        how = (str(mine), places.version)
        return remembered(world, asked, base, how, lambda: _searched(world, asked, mine, base, probe, places, bars))


def _searched(
    world: World, asked: Asked, mine: Source, base: Base, probe: Task, places: Places, bars: Progress
) -> Mined:
    """Find tasks in the past, then in defects."""
    found = Mined()
    if mine is not Source.DEFECTS:
        wanted = asked.tasks if mine is Source.HISTORY else (asked.tasks + 1) // 2
        found = _from_history(world, replace(asked, tasks=wanted), base.commit, bars)
        found += partial_fixes(world, asked, found.examples, _told(bars, "partial fixes tried", "wrong"))
    if mine is not Source.HISTORY:
        wanted = asked.tasks - len(found.examples)
        told = _told(bars, "defects tried", "noticed")
        found += inject(world, replace(asked, tasks=wanted), base, probe, places, told)
    return found


def _probe(asked: Asked) -> Task:
    """Make a task of the head for its set-up, limits and variables."""
    defaults = asked.defaults
    source = RepoSource(path=str(defaults.repo))
    return Task(
        "drill", "", source, agents=asked.agents, limits=defaults.limits, setup=defaults.setup, env=defaults.env
    )


def _told(bars: Progress, words: str, found: str) -> Tell:
    bar = bars.add_task(words, total=None)

    def tell(said: Searched) -> None:
        bars.update(bar, description=f"{words}, {said.found} {found}", completed=said.looked_at, total=said.candidates)

    return tell


def _from_history(world: World, asked: Asked, head: str, bars: Progress) -> Mined:
    history = history_of(asked.repo, head, COMMITS_READ)
    found = mine_history(world, asked, history.commits, _told(bars, "commits tried", "tasks"))
    notes = [f"{plural(len(history.commits), 'commit')} read up to {head[:10]}"]
    if history.shallow:
        notes.append("the clone is shallow: `git fetch --unshallow` gives more history to make tasks of")
    elif len(history.commits) < 2:
        notes.append("there is no history: one commit has nothing before it")
    return replace(found, notes=tuple(notes))


# ---------------------------------------------------------------- running


def _given(world: World, asked: Asked, mined: Mined) -> list[Task]:
    """Give every task to every agent, one of its own to each, in the order of the tasks."""
    specs = [world.agents[name].spec for name in asked.agents]
    root = asked.defaults.root
    return [for_agent(each.task, spec.name, spec.version, root) for each in mined.examples for spec in specs]


def _run(world: World, tasks: Sequence[Task], bars: Progress, clock: Clock) -> None:
    """Attempt the tasks in the ordinary loop."""
    bar = bars.add_task("attempts", total=len(tasks))
    with clock.ends():
        flow.run(world, tasks, lambda _task, _decision: bars.advance(bar))
