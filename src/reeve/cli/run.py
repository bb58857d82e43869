"""`reeve run`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from reeve import flow
from reeve.cli.chosen import tasks_of
from reeve.cli.failing import tasks_that_fail
from reeve.cli.opened import project
from reeve.cli.options import Json, SandboxName
from reeve.cli.output import STYLES, Column, listing, note, print_json, safe, screen
from reeve.cli.progress import Progress, sentence
from reeve.cli.rules import given_rules
from reeve.cli.start import inverter, open_store, open_world
from reeve.cli.stopping import stopping
from reeve.durable.world import World
from reeve.errors import InputError, Interrupted
from reeve.ledger.codec import encode
from reeve.ledger.plain import one_line
from reeve.ledger.views import TaskView, counts, summaries, task_views
from reeve.ports import Fact
from reeve.records import AgentSpec, Decision, Status, Task
from reeve.settings import Settings
from reeve.task import Backlog
from reeve.task.build import sealed
from reeve.task.known import Mixing
from reeve.units import duration, plural

REFRESH_PER_SECOND = 4
CLOSED = (Status.LANDED, Status.REJECTED, Status.REVERTED)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TASK|DIR|FILE|INSTRUCTION]...",
        help="Tasks by id, file or folder, or one instruction in quotes; without any, the whole backlog.",
        show_default=False,
    ),
]
Check = Annotated[
    list[str] | None,
    typer.Option("--check", metavar="TESTID", help="For an instruction: a test that must pass. Repeatable."),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="TESTS",
        help="For an instruction: what must stay passing; default: all tests. Repeatable.",
    ),
]
Failing = Annotated[bool, typer.Option("--failing", help="No backlog: one task for each test that fails at HEAD.")]
Agent = Annotated[
    list[str] | None, typer.Option("--agent", metavar="NAME", help="Use this agent, whatever tasks say. Repeatable.")
]
Command = Annotated[
    str | None,
    typer.Option("--command", metavar="SHELL", help="Use this shell command as the agent.", show_default=False),
]
Attempts = Annotated[
    int | None, typer.Option("--attempts", min=1, help="Attempts at each task, whatever tasks say.", show_default=False)
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Attempts and verdicts at one time.", show_default=False)
]
CanaryRate = Annotated[
    float | None,
    typer.Option(
        "--canary-rate",
        metavar="RATE",
        min=0.0,
        max=1.0,
        help="Mix in tasks that are impossible or solved already: one for each task with this probability, 0 to 1.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but the summary.")]


def run(
    words: Words = None,
    *,
    failing: Failing = False,
    check: Check = None,
    keep: Keep = None,
    agent: Agent = None,
    command: Command = None,
    attempts: Attempts = None,
    workers: Workers = None,
    canary_rate: CanaryRate = None,
    sandbox: SandboxName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Attempt tasks, prove every result again, choose, land what passes, and say what became of each.

    Ctrl-C stops cleanly; `reeve run` goes on from there.
    """
    settings = _settings(project(), agent or (), command)
    if failing and (words or check or keep):
        raise InputError("--failing finds its tasks itself; leave out the words, --check and --keep")
    backlog = Backlog() if failing else tasks_of(words or (), settings, checks=check or (), keep=keep or ())
    for passed_over in () if quiet or as_json else backlog.skipped:
        note(passed_over)
    console = screen(stderr=True)
    live = console.is_terminal and not (quiet or as_json)
    progress = Progress(settings.state, time.time)

    def see(fact: Fact) -> None:
        progress.see(fact)
        said = None if quiet or as_json or live else sentence(fact)
        if said:
            note(f"{time.time() - progress.began:7.1f} s  {said}")

    world = open_world(settings, sandbox=sandbox, workers=workers, rules=given_rules(settings), watch=see)
    progress.waits = world.admission.waits
    if world.sandbox.name == "none" and not (quiet or as_json):
        note("without walls (--sandbox none): agents and tests can do whatever you can; the report says so")
    with stopping(world.stop, progress.stop, "`reeve run` goes on"), _picture(console, progress, live=live):
        tasks = backlog.tasks
        if failing:
            tasks = tasks_that_fail(world, settings)
        agents = tuple(agent or ()) or (("command",) if command else ())
        tasks = _overridden(tasks, settings, agents, attempts)
        progress.begin(tasks, task_views(world.journal.store))
        interrupted = _run(world, progress, mixing_of(settings, canary_rate))
    raise typer.Exit(_report(settings, progress, interrupted, as_json=as_json))


# ---------------------------------------------------------------- what is asked for


def _settings(settings: Settings, agents: Sequence[str], command: str | None) -> Settings:
    if command is not None:
        if agents and tuple(agents) != ("command",):
            raise InputError("--command is an agent of its own; leave out --agent")
        spec = AgentSpec("command", "command", "", command=command)
        settings = replace(settings, agents={**settings.agents, "command": spec})
    unknown = [name for name in agents if name not in settings.agents]
    if unknown:
        raise InputError(f"--agent {unknown[0]}: reeve.toml names {', '.join(sorted(settings.agents))}")
    return settings


def _overridden(
    tasks: Sequence[Task], settings: Settings, agents: tuple[str, ...], attempts: int | None
) -> tuple[Task, ...]:
    """Put in what the command line says. What is closed already keeps its old form, so that it is not done again."""
    if not agents and attempts is None:
        return tuple(tasks)
    closed = {row.id for row in summaries(open_store(settings)) if row.status in CLOSED}

    def override(task: Task) -> Task:
        if task.id in closed:
            return task
        return sealed(replace(task, agents=agents or task.agents, attempts=attempts or task.attempts), settings.root)

    return tuple(map(override, tasks))


# ---------------------------------------------------------------- running


def mixing_of(settings: Settings, canary_rate: float | None) -> Mixing:
    """Say what goes along with the tasks that were asked for; `canary_rate` takes the place of what reeve.toml says."""
    rate = settings.canary_rate if canary_rate is None else canary_rate
    share = settings.trust.seeded_share
    return Mixing(rate, inverter(), share) if rate else Mixing(seeded_share=share)


def _run(world: World, progress: Progress, mixing: Mixing) -> bool:
    """Run the loop; returns whether the person stopped it."""

    def settled(task: Task, decision: Decision) -> None:
        progress.settled(task.id, decision.action)

    try:
        flow.run(world, progress.tasks, settled, mixing)
    except Interrupted:
        return True
    return False


@contextmanager
def _picture(console: Console, progress: Progress, *, live: bool) -> Iterator[None]:
    if not live:
        yield
        return
    with Live(
        get_renderable=lambda: progress.picture(console),
        console=console,
        refresh_per_second=REFRESH_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


# ---------------------------------------------------------------- the end

COLUMNS = (
    Column("task"),
    Column("status"),
    Column("attempts", right=True),
    Column("lines", right=True),
    Column("why", grows=True),
)


def _report(settings: Settings, progress: Progress, interrupted: bool, *, as_json: bool) -> int:
    wanted = {task.id for task in progress.tasks}
    views = [view for view in task_views(open_store(settings)) if view.id in wanted]
    code = 130 if interrupted else exit_code(views)
    if as_json:
        rows = [row for row in summaries(open_store(settings)) if row.id in wanted]
        lines = {view.id: _lines(view) for view in views}
        print_json(
            {
                "tasks": [encode(row) | {"lines": lines[row.id]} for row in rows],
                "counts": counts(rows),
                "seconds": round(time.time() - progress.began, 1),
                "interrupted": interrupted,
                "exit_code": code,
            }
        )
        return code
    console = screen()
    if not progress.tasks:
        console.print(safe("Nothing to do: there is no task."))
        return code
    if not progress.did_something and not interrupted:
        console.print(safe("Nothing to do: every task is decided. A task that is edited is run again."))
        console.print()
    listing(console, COLUMNS, map(_row, views))
    console.print()
    console.print(safe(_totals(views, time.time() - progress.began)))
    if interrupted:
        console.print(safe("Stopped. What was done is kept; `reeve run` goes on from there.", "yellow"))
    _next(console, views)
    return code


def exit_code(views: Sequence[TaskView]) -> int:
    """Return 3 if something needs a person, else 1 if something failed or is not finished, else 0."""
    statuses = {view.status for view in views}
    if Status.NEEDS_YOU in statuses:
        return 3
    return 1 if statuses - {*CLOSED} else 0


def _row(view: TaskView) -> list[Text]:
    return [
        safe(view.id),
        safe(view.status, STYLES[view.status]),
        safe(len(view.attempts)),
        safe("" if _lines(view) is None else _lines(view)),
        safe(one_line(view.reason)),
    ]


def _lines(view: TaskView) -> int | None:
    chosen = view.chosen
    return chosen.attempt.patch.lines if chosen and chosen.attempt else None


def _totals(views: Sequence[TaskView], seconds: float) -> str:
    found = ", ".join(f"{number} {status}" for status, number in counts(views).items())
    return f"{plural(len(views), 'task')} in {duration(seconds)}: {found}"


def _next(console: Console, views: Sequence[TaskView]) -> None:
    steps = ["reeve report"]
    if any(view.status is Status.NEEDS_YOU for view in views):
        steps.insert(0, "reeve inbox")
    failed = next((view for view in views if view.status is Status.FAILED), None)
    landed = next((view for view in views if view.status is Status.LANDED), None)
    steps += [f"reeve show {failed.id}"] if failed else []
    steps += [f"reeve diff {landed.id}"] if landed else []
    console.print(safe("Look further: " + "   ".join(steps), "dim"))
