"""What every durable step works with: the world, the start of a round, and a place to run something in."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reeve.durable.admission import Admission
from reeve.durable.drawing import Drawing
from reeve.durable.journal import Journal
from reeve.durable.learning import Learner
from reeve.errors import Interrupted
from reeve.ports import (
    Agent,
    Challenger,
    Check,
    CheckRequest,
    Clock,
    Environments,
    Gateway,
    Objects,
    Repository,
    Sandbox,
    Trees,
)
from reeve.records import (
    Answer,
    Base,
    Change,
    CheckResult,
    Door,
    Environment,
    Measurement,
    Order,
    Policy,
    Question,
    SourceChange,
    Task,
)

__all__ = [
    "Place",
    "Start",
    "Terms",
    "World",
    "go_on_or_stop",
    "measure",
    "memory_held",
    "request_for",
    "slot",
    "start_at",
]


def _permitted(_question: Question) -> tuple[Answer, str]:
    return Answer.ALLOW, "no rule: the walls hold"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owner wants where a running attempt asks.

    `permit` answers a permission by rule, or says that a person is to be asked. `unanswered` is what happens if
    nobody answers within `answer_seconds`: wait (for ever), go (check-ins go on, permissions are refused) or stop.
    """

    permit: Callable[[Question], tuple[Answer, str]] = _permitted
    unanswered: str = "wait"
    answer_seconds: float = 600.0


def _no_door(_task: Task, _order: Order) -> Door | None:
    return None


@dataclass(frozen=True)
class World:
    """Everything the loop works with; chosen once, where the program starts."""

    state: Path
    ledger: str
    policy: Policy
    journal: Journal
    objects: Objects
    repository: Repository
    trees: Trees
    sandbox: Sandbox
    check: Check
    challenger: Challenger
    contents: Callable[[Task, Sequence[SourceChange], Sequence[Change]], CheckResult]  # secrets and size
    environments: Environments
    agents: Mapping[str, Agent]
    repository_of: Callable[[Task], Path]
    clock: Clock
    workers: int
    admission: Admission
    learner: Learner  # of what results teach that landed without a look, or wait for one
    drawing: Drawing  # of audits
    rules: tuple[str, ...] = ()  # of the person and the repository, for every attempt ordered from now on
    stop: threading.Event = field(default_factory=threading.Event)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    gateway: Gateway | None = None  # None: no attempt has a door
    door: Callable[[Task, Order], Door | None] = _no_door
    keyless: Mapping[str, str] = field(default_factory=dict)  # provider -> what keeps it from being called
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True)
class Start:
    """What the attempts of a round start from."""

    round: int
    base: Base
    environment: Environment
    measurement: Measurement


def start_at(world: World, task: Task, base: Base, round_: int, *, runs: int = 2) -> Start:
    """Prepare a start at a base; measured twice, tests that disagree with themselves are known from the beginning."""
    with slot(world):
        environment = world.environments.prepare(task, base)
    # A fact of the task, not of the environment alone: whoever reads the ledger must find the log of a failed set-up.
    fact = f"{task.id}:{environment.key}:{'ready' if environment.ok else environment.log[:12]}"
    world.journal.once(Environment, "environment", fact, task.id, lambda: environment)
    if not environment.ok:
        return Start(round_, base, environment, Measurement("", base.tree, problem=environment.reason))
    unmeasured = Start(round_, base, environment, Measurement("", base.tree))
    return replace(unmeasured, measurement=measure(world, request_for(task, unmeasured, base.tree, runs=runs)))


def request_for(task: Task, start: Start, tree: str, *, runs: int = 1) -> CheckRequest:
    return CheckRequest(tree, start.base.tree, task.checks, start.environment, task.limits, task.env, runs=runs)


def measure(world: World, request: CheckRequest) -> Measurement:
    with slot(world):
        return world.check.measure(request)


class Place:
    """One of the places in which something may run, held by whoever runs; it can be left for a while."""

    def __init__(self, slots: threading.Semaphore) -> None:
        self._slots = slots
        self._held = True

    def leave(self) -> None:
        """Let others have it; leaving it twice is no error."""
        if self._held:
            self._held = False
            self._slots.release()

    def take_back(self) -> None:
        """Take one again if one is free. Whoever goes on without asks again later: he is not to be held up."""
        if not self._held:
            self._held = self._slots.acquire(blocking=False)


@contextmanager
def slot(world: World) -> Iterator[Place]:
    """Wait for one of the places in which something may run; raises Interrupted when the person wants an end."""
    while not world.slots.acquire(timeout=0.2):
        go_on_or_stop(world)
    place = Place(world.slots)
    try:
        go_on_or_stop(world)
        yield place
    finally:
        place.leave()


@contextmanager
def memory_held(world: World, order: Order) -> Iterator[None]:
    """Wait for the memory that an attempt is expected to need; raises Interrupted when the person wants an end."""
    running = world.sandbox.begun(world.state / "attempts" / order.attempt)
    with world.admission.held(order, running=running, go_on=lambda: go_on_or_stop(world)):
        yield


def go_on_or_stop(world: World) -> None:
    if world.stop.is_set():
        raise Interrupted("stopped; what was done is kept, `reeve run` goes on from there")
