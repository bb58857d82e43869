"""`reeve agents`."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from reeve import flow
from reeve.attempt.events import events_of
from reeve.cli.doors import agent_context
from reeve.cli.opened import keyless, project
from reeve.cli.options import Json
from reeve.cli.output import Column, listing, print_json, safe, screen
from reeve.cli.start import open_world
from reeve.errors import InputError
from reeve.ledger.views import TaskView, task_views
from reeve.ports import Agent, Store
from reeve.records import AgentSpec, Checks, CommandCheck, Limits, RepoSource, Status, Task
from reeve.settings import CheckIns, Settings
from reeve.units import duration, plural

if TYPE_CHECKING:
    from reeve.adapters.agents.installed import Place

CHECK_SECONDS = 240.0
LAST_WORDS = 3
GREETING, ANSWER = "Good day.\n", "And a good day to you."
SCRIPT = {
    "turns": [
        [{"text": "I read the greeting."}, {"read": "greeting.txt"}],
        [{"write": {"path": "answer.txt", "content": f"{ANSWER}\n"}}],
        [{"run": "cat answer.txt"}],
        [{"text": "I have answered it."}],
    ]
}
"""What the scripted model says: a file read, one written, a command run."""


class What(StrEnum):
    """What is to be done."""

    LIST = "list"
    INSTALL = "install"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Row:
    """One agent; `ready` says that it can start here, `problem` why not, `how` what to do about that.

    `remark` is what else the owner should know of it.
    """

    name: str
    kind: str
    version: str
    configured: bool
    ready: bool
    problem: str = ""
    how: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one real turn against the scripted model."""

    agent: str
    version: str
    ok: bool
    ending: str
    reason: str
    requests: int  # that the scripted model answered
    seconds: float
    peak_memory_mb: float


Action = Annotated[What, typer.Argument(help="What to do.", show_default=True)]
Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="An agent of reeve.toml, or one that reeve knows.", show_default=False),
]


def agents(what: Action = What.LIST, name: Name = None, *, as_json: Json = False) -> None:
    """List the agents with their exact versions, install one, or check one in a real turn against a scripted model.

    Installing takes the pinned version from npm; checking needs no key and costs nothing.
    """
    settings = project()
    if what is What.LIST:
        _list(settings, name, as_json=as_json)
        return
    if name is None:
        raise InputError(f"`reeve agents {what}` needs the name of an agent; `reeve agents` lists them")
    if what is What.INSTALL:
        _install(settings, name, as_json=as_json)
    else:
        _check(settings, name, as_json=as_json)


# ---------------------------------------------------------------- list


def _list(settings: Settings, name: str | None, *, as_json: bool) -> None:
    rows = [row for row in agent_rows(settings) if name in (None, row.name)]
    if not rows:
        raise InputError(f"no agent is called {name!r}; `reeve agents` lists them")
    if as_json:
        print_json({"agents": rows})
        return
    columns = [Column("agent"), Column("kind"), Column("version"), Column("state", grows=True), Column("to get it")]
    listing(screen(), columns, map(_cells, rows))


def _cells(row: Row) -> list[Text]:
    ready = "ready" if row.configured else "installed, in no reeve.toml yet"
    state = "; ".join(filter(None, (row.problem or ready, row.remark)))
    cells = [safe(row.name), safe(row.kind), safe(row.version)]
    return [*cells, safe(state, "green" if row.ready else "yellow"), safe(row.how)]


def agent_rows(settings: Settings) -> Iterator[Row]:
    """The configured agents, then those that reeve knows and nobody has configured."""
    from reeve.adapters.agents import agent_kinds
    from reeve.adapters.agents.presets import PRESETS

    kinds, missing = agent_kinds(agent_context(settings)), keyless(settings)
    taken = {spec.options.get("preset", name) for name, spec in settings.agents.items() if spec.kind == "acp"}
    for name, spec in sorted(settings.agents.items()):
        try:
            agent = kinds.make(spec.kind, spec)
        except InputError as error:
            yield Row(name, spec.kind, "", configured=True, ready=False, problem=str(error), how="mend reeve.toml")
        else:
            yield _row(agent, missing, configured=True)
    for name in PRESETS:
        if name not in taken:
            yield _row(kinds.make("acp", AgentSpec(name, "acp", "")), {}, configured=False)


def _row(agent: Agent, missing: Mapping[str, str], *, configured: bool) -> Row:
    spec, problem = agent.spec, agent.available()
    keys = [missing[provider] for provider in spec.providers if provider in missing]
    if problem:
        problem, _, how = problem.partition("; ")
    else:
        problem, _, how = keys[0].partition(": ") if keys else ("", "", "")
    place = _place(agent)
    version = place.version if place is not None and not spec.version else spec.version
    remark = str(getattr(agent, "remark", ""))
    return Row(spec.name, spec.kind, version, configured, ready=not problem, problem=problem, how=how, remark=remark)


def _place(agent: Agent) -> "Place | None":
    """Where an agent that comes as a package stands, or would stand; None: it comes as none."""
    from reeve.adapters.agents import AcpAgent

    return agent.place if isinstance(agent, AcpAgent) else None


def _spec(settings: Settings, name: str) -> AgentSpec:
    """The agent of reeve.toml of this name, or the one that reeve knows by it."""
    from reeve.adapters.agents.presets import PRESETS

    if name in settings.agents:
        return settings.agents[name]
    if name in PRESETS:
        return AgentSpec(name, "acp", "")
    known = ", ".join(sorted({*settings.agents, *PRESETS}))
    raise InputError(f"no agent is called {name!r}; reeve.toml and the program know: {known}")


# ---------------------------------------------------------------- install


def _install(settings: Settings, name: str, *, as_json: bool) -> None:
    from reeve.adapters.agents import agent_kinds
    from reeve.adapters.agents.installing import install

    spec = _spec(settings, name)
    kinds = agent_kinds(agent_context(settings))
    place = _place(kinds.make(spec.kind, spec))
    if place is None:
        raise InputError(f"there is nothing to install for {name!r}: it is no agent that comes as a package")
    before = not place.missing
    with _progress(quiet=as_json) as progress:
        install(place, progress)
    row = _row(kinds.make(spec.kind, spec), keyless(settings), configured=name in settings.agents)
    if as_json:
        print_json({"agent": row, "folder": str(place.folder), "installed": not before})
        return
    console = screen()
    console.print(safe(f"{name} {row.version} {'was there already' if before else 'is installed'} in {place.folder}"))
    if row.problem:
        console.print(safe(f"It cannot start yet: {row.problem}; {row.how}", "yellow"))
    if not row.configured:
        console.print(safe(f'To use it: a table [agents.{name}] with kind = "acp" in reeve.toml', "dim"))
    console.print(safe(f"To try it without a key: `reeve agents check {name}`", "dim"))


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show what is under way on a terminal, and nothing anywhere else."""
    console = screen(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _said: None
        return
    with console.status("") as status:
        yield lambda said: status.update(safe(said))


# ---------------------------------------------------------------- check


def _check(settings: Settings, name: str, *, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="reeve-check-") as folder:
        checked = _one_turn(settings, _spec(settings, name), Path(folder))
    if as_json:
        print_json(checked)
    else:
        console = screen()
        took = f"{duration(checked.seconds)}, {checked.peak_memory_mb:.0f} MB of memory"
        console.print(safe(f"{name} {checked.version}: {checked.ending} after {took}"))
        console.print(safe(f"It asked the scripted model {plural(checked.requests, 'time')}."))
        console.print(safe(checked.reason))
        console.print(
            safe("It works here." if checked.ok else "It does not work here.", "green" if checked.ok else "red")
        )
    raise typer.Exit(0 if checked.ok else 1)


def _one_turn(settings: Settings, spec: AgentSpec, folder: Path) -> Checked:
    """Have the agent do one small task, in the sandbox, through a gateway, asking a model that only plays a script."""
    from reeve.adapters.playback.server import PlaybackServer
    from reeve.adapters.trees.archive import commit_files

    repository = folder / "repository"
    commit_files(repository, {"greeting.txt": (GREETING.encode(), False)}, "A greeting")
    key = secrets.token_urlsafe(24)
    (folder / "key").write_text(key)
    with PlaybackServer(SCRIPT, key=key) as server:
        trial = _trial(settings, spec, repository, server.address, folder)
        world = open_world(trial, workers=1)
        if problem := world.agents[spec.name].available():
            raise InputError(f"the agent {spec.name!r} cannot run here: {problem}")
        if not world.agents[spec.name].spec.providers:
            raise InputError(f"the agent {spec.name!r} asks no model: there is nothing that a scripted one could show")
        task = Task(
            "check",
            "Answer the greeting in greeting.txt, in a new file answer.txt.",
            RepoSource(str(repository)),
            checks=Checks(commands=(CommandCheck(f'test "$(cat answer.txt)" = "{ANSWER}"'),)),
            attempts=1,
            agents=(spec.name,),
            limits=Limits(wall_seconds=CHECK_SECONDS),
            source="reeve agents check",
            digest="check",
        )
        flow.run(world, [task])
        (view,) = task_views(world.journal.store)
        return _checked(view, spec.name, len(server.seen), world.journal.store)


def _trial(settings: Settings, spec: AgentSpec, repository: Path, address: str, folder: Path) -> Settings:
    """The project's settings for agents, with a repository, a ledger and providers of their own."""
    providers = {
        name: replace(source, base_url=address, key_env=None, key_file=folder / "key")
        for name, source in settings.providers.items()
    }
    return Settings(
        root=repository,
        file=None,
        state=folder / "state",
        cache=settings.cache,
        workers=1,
        sandbox=settings.sandbox,
        land="passed",  # into a repository made for it
        parallel_attempts=1,
        agents={spec.name: spec},
        default_agents=(spec.name,),
        providers=providers,
        check_in=CheckIns(every_seconds=None),
    )


def _checked(view: TaskView, name: str, requests: int, store: Store) -> Checked:
    attempts = [each.attempt for each in view.attempts if each.attempt is not None]
    if not attempts:
        raise InputError(f"the agent {name!r} was not even started: {view.reason}")
    attempt = attempts[-1]
    landed = view.status is Status.LANDED
    said = [event.text for event in events_of(store.get(attempt.trajectory)) if event.text]
    return Checked(
        name,
        attempt.agent.version,
        ok=landed and requests > 0,
        ending=attempt.ending,
        reason="What it changed passed its check, and landed."
        if landed
        else "\n".join((f"{view.reason}", "Its last words:", *said[-LAST_WORDS:])),
        requests=requests,
        seconds=attempt.wall_seconds,
        peak_memory_mb=attempt.peak_memory_mb,
    )
