"""Where a program starts: the one place that chooses adapters."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from reeve.attempt.permissions import answer
from reeve.cli.alone import every_seconds
from reeve.cli.doors import agent_context, door_of, gateway, keys_of
from reeve.errors import LedgerError, SandboxError
from reeve.ports import Fact, Sandbox, Store, Trees
from reeve.records import Answer, Question, Task
from reeve.settings import Settings, to_policy
from reeve.task.known import Invert

if TYPE_CHECKING:
    from reeve.adapters.stores.index import LedgerIndex
    from reeve.adapters.stores.sqlite import SqliteStore
    from reeve.adapters.trees.objects import GitObjects
    from reeve.durable.admission import Rooms
    from reeve.durable.journal import Journal
    from reeve.durable.world import Terms, World

__all__ = [
    "Clock",
    "inverter",
    "ledger_id",
    "open_store",
    "open_world",
    "repository_of",
    "rooms_of",
]


class Clock:
    """Port Clock on the system's clocks."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def open_store(settings: Settings, watch: Callable[[Fact], None] | None = None) -> "SqliteStore":
    """Open the ledger of a project; enough for whoever only reads, and quick."""
    from reeve.adapters.stores.sqlite import SqliteStore

    state = settings.state
    state.mkdir(parents=True, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# written by reeve: nothing here belongs into a commit\n*\n")
    return SqliteStore(state, watch)


def open_index(store: Store) -> "LedgerIndex":
    """Open what lists of a ledger are read from; raises LedgerError where its file can be neither read nor made."""
    from reeve.adapters.stores.index import LedgerIndex
    from reeve.adapters.stores.sqlite import SqliteStore

    if not isinstance(store, SqliteStore):
        raise LedgerError("a ledger that is no file has no index")
    return LedgerIndex(store)


def open_world(
    settings: Settings,
    *,
    sandbox: str | None = None,
    workers: int | None = None,
    rules: tuple[str, ...] = (),
    watch: Callable[[Fact], None] | None = None,
    reach: Callable[[str], None] | None = None,
) -> "World":
    """Open everything that running, verifying and landing need.

    `sandbox` and `workers` take the place of what reeve.toml says, `rules` are told to every attempt. `reach` is
    called at every crash point.
    Raises SandboxError with a remedy if the sandbox cannot run here: without walls only on demand.
    """
    from reeve.adapters.agents import agent_kinds, make_agents
    from reeve.adapters.checks.challenge import SandboxedChallenger
    from reeve.adapters.checks.measure import SandboxedCheck
    from reeve.adapters.checks.secrets import contents
    from reeve.adapters.environments.python_env import PythonEnvironments
    from reeve.adapters.trees.objects import GitObjects
    from reeve.adapters.trees.repository import GitRepository
    from reeve.durable.admission import Admission
    from reeve.durable.drawing import Drawing
    from reeve.durable.journal import Journal
    from reeve.durable.learning import Learner
    from reeve.durable.world import World
    from reeve.ledger.audits import Results

    store, state, clock = open_store(settings, watch), settings.state, Clock()
    objects = GitObjects(state / "objects.git")
    walls = _walls(sandbox or settings.sandbox)
    trees = _trees(walls, state, objects)
    places = workers or settings.workers
    stop = threading.Event()
    keys = keys_of(settings, os.environ)
    journal = Journal(store, clock, reach) if reach else Journal(store, clock)
    ledger = ledger_id(journal)
    return World(
        state=state,
        ledger=ledger,
        policy=to_policy(settings),
        journal=journal,
        objects=objects,
        repository=GitRepository(
            lambda tree, known: objects.pack([tree], [known]), (settings.author_name, settings.author_email)
        ),
        trees=trees,
        sandbox=walls,
        check=SandboxedCheck(walls, trees, objects, store, stop=stop.is_set, programs=state / "programs"),
        challenger=SandboxedChallenger(walls, trees, objects, store, stop=stop.is_set, programs=state / "programs"),
        contents=contents,
        environments=PythonEnvironments(walls, trees, objects, store, state / "environments", stop=stop.is_set),
        stop=stop,
        agents=make_agents(settings.agents, agent_kinds(agent_context(settings, every_seconds(settings, store)))),
        repository_of=partial(repository_of, settings),
        clock=clock,
        workers=places,
        admission=Admission(journal, rooms_of(settings, store)),
        learner=Learner(Results(store)),
        drawing=Drawing(state, ledger, journal, clock),
        rules=rules,
        slots=threading.Semaphore(places),
        gateway=gateway(settings, keys, watch),
        door=partial(door_of, settings, walls=walls.name != "none"),
        keyless=keys.missing,
        terms=_terms(settings),
    )


def _terms(settings: Settings) -> "Terms":
    from reeve.durable.world import Terms

    def permit(question: Question) -> tuple[Answer, str]:
        return answer(settings.permissions, question.action, question.paths, question.command)

    return Terms(permit, settings.check_in.unanswered, settings.check_in.answer_seconds)


def rooms_of(settings: Settings, store: Store) -> "Rooms":
    """Open the view of what memory attempts need and find on this machine; looking at it changes nothing."""
    from reeve.adapters.memory.linux import LinuxMemory
    from reeve.durable.admission import Rooms

    return Rooms(store, LinuxMemory(), settings.state / "attempts", settings.memory_reserve_mb)


def _walls(name: str) -> Sandbox:
    from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
    from reeve.adapters.sandboxes.none import NoSandbox

    walls: Sandbox = NoSandbox() if name == "none" else BubblewrapSandbox()
    if problem := walls.available():
        raise SandboxError(
            f"the sandbox cannot run here: {problem}; `reeve doctor` says more, and `--sandbox none` does without walls"
        )
    return walls


def _trees(walls: Sandbox, state: Path, objects: "GitObjects") -> Trees:
    """Overlays where the kernel allows them, else copies; without walls nothing can be mounted."""
    from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
    from reeve.adapters.trees.copy import CopyTrees
    from reeve.adapters.trees.overlay import OverlayTrees

    overlays = isinstance(walls, BubblewrapSandbox) and not walls.trial("overlay", state)
    return OverlayTrees(state, objects) if overlays else CopyTrees(state, objects)


def ledger_id(journal: "Journal") -> str:
    """Return the name of a ledger, given to it on its first use: landed commits carry it."""
    fact = journal.store.append(Fact("ledger", "id", "", {"id": uuid.uuid4().hex[:12]}, time.time()))
    return str(fact.body["id"])


def repository_of(settings: Settings, task: Task) -> Path:
    """Return the repository of a task; one that comes as an archive is made on its first use."""
    from reeve.adapters.trees.archive import archive_repository

    if task.repo.path is not None:
        return Path(task.repo.path)
    return archive_repository(task.repo, settings.state / "repos", settings.cache / "archives")


def inverter() -> Invert:
    """Return what turns a test round, for tasks with a known answer; the same test always in the same way."""
    from reeve.adapters.checks.canaries import TIED
    from reeve.adapters.checks.inversion import inverted

    def turned_round(content: bytes, test: str) -> bytes | None:
        if TIED.search(content.decode("utf-8", "replace")):
            return None  # what a copy of it does under another name is not what the test does
        found = inverted(content, [test], Random(test))  # noqa: S311 - no secret
        return found[0] if found is not None and test in found[1] else None

    return turned_round
