"""The protocols behind which disk, git, network and clock live.

Each has one to six methods and ships with a fake beside its adapters. The stages know these and no adapter.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from reeve.records import (
    AgentSpec,
    Base,
    Challenge,
    Change,
    Checks,
    Door,
    Environment,
    Limits,
    Measurement,
    Order,
    Patch,
    SandboxResult,
    SandboxRun,
    SourceChange,
    Task,
    TestOutcome,
    Workspace,
)

__all__ = [
    "Agent",
    "ChallengeRequest",
    "Challenger",
    "Check",
    "CheckRequest",
    "Clock",
    "Environments",
    "Fact",
    "Gateway",
    "LandingLock",
    "Launch",
    "Memory",
    "Objects",
    "Patches",
    "Piece",
    "Repository",
    "Sandbox",
    "Spent",
    "Store",
    "TaskReader",
    "Trees",
]


@dataclass(frozen=True, slots=True)
class Launch:
    """How an agent is started in its sandbox."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    binds: Mapping[str, str]  # read-only: inside path -> host path
    idle_seconds: float | None = None  # silence longer than this is no progress; None: silence says nothing
    listens: bool = False  # it reads its mail, /reeve/mail: docs/agents.md
    private: bool = False  # it wants /out, a folder of its own on disk; /out/frames.jsonl in it is kept


@dataclass(frozen=True, slots=True)
class Spent:
    """What an attempt has spent through the gateway so far."""

    tokens: int = 0
    usd: float = 0.0
    refused: str = ""  # why nothing more may be spent; "": more may be
    answers: int = 0  # of providers, that were no errors
    paused_until_utc: float | None = None  # a provider it uses asked to wait


@dataclass(frozen=True, slots=True)
class LandingLock:
    """The right to move the integration branch of one repository; made by `durable.locks.landing_lock` alone."""

    repository: str


@runtime_checkable
class Agent(Protocol):
    """Something that can attempt a task."""

    spec: AgentSpec

    def available(self) -> str:
        """Say why the agent cannot run here; an empty string means that it can."""

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Prepare one start; `folder` is a private host folder for what the sandbox reads from /reeve.

        What is written there must hold nothing that the attempt may not see (hidden tests, credentials). `door` is
        its way out; None: it has none.
        """


class Gateway(Protocol):
    """The only way out of attempts: it holds the keys, counts, and refuses what is over budget."""

    def open(self, door: Door) -> None:
        """Serve the door of an attempt from now on; again after a restart, for one that is under way."""

    def spent(self, attempt: str) -> Spent:
        """Say what an attempt has spent so far."""

    def close(self, attempt: str) -> None:
        """Serve an attempt no more; requests under way are cancelled and settled before this returns."""

    def shutdown(self) -> None:
        """End, after everything is settled; what is said to it afterwards begins it anew."""


class Piece(Protocol):
    """The smallest part of a patch that can be left out by itself."""

    @property
    def lines(self) -> int:
        """Lines added and removed."""


class Patches(Protocol):
    """What an object store knows of the difference between two trees."""

    def changes(self, base_tree: str, tree: str) -> Sequence[Change]:
        """List the paths in which two trees differ."""

    def sources(self, base_tree: str, tree: str) -> Sequence[SourceChange]:
        """Read the regular files in which two trees differ; one larger than 2 MB is left out."""

    def read(self, tree: str, path: str) -> bytes | None:
        """Read a regular file of a tree; None: there is none."""

    def diff(self, base_tree: str, tree: str) -> bytes:
        """Return the difference as a git diff that `git apply` takes, binary files too."""

    def restore(self, tree: str, from_tree: str, globs: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Put the paths that match a pattern back as they are in `from_tree`; also returns those that differed."""

    def split(self, base_tree: str, tree: str) -> Sequence[Any]:
        """Cut the difference into its Pieces."""

    def join(self, base_tree: str, pieces: Sequence[Any]) -> str:
        """Put some Pieces of one `split` onto their base tree."""


class Objects(Patches, Protocol):
    """Our own git object store; no configuration, hook, filter or attribute of anybody applies in it."""

    def import_base(self, repo: Path, commit: str) -> Base:
        """Copy the tree of a commit of a person's repository; raises RepositoryError for an unknown one."""

    def write(self, tree: str, files: Mapping[str, tuple[bytes, bool] | None]) -> str:
        """Make a tree from another with files put in, replaced or (None) removed; returns its id."""

    def apply(self, tree: str, patch: bytes) -> str:
        """Apply a unified git diff; raises PatchError with the first hunk that does not fit."""

    def merge(self, base: str, ours: str, theirs: str) -> tuple[str | None, tuple[str, ...]]:
        """Merge three ways; returns the tree, or None with the paths in conflict."""


class Repository(Protocol):
    """The person's repository. Only the integration branch is ever moved; nothing is ever checked out."""

    def head(self, repo: str, branch: str) -> str | None:
        """Return the commit of a branch, or None if there is no such branch."""

    def checked_out(self, repo: str, branch: str) -> str | None:
        """Return the folder in which somebody has the branch checked out, or None."""

    def landed(self, repo: str, branch: str, marker: str) -> str | None:
        """Find the commit on the branch whose message has `marker` as a whole line, or None."""

    def commit(self, repo: str, tree: str, parent: str, message: str) -> str:
        """Bring a tree of our object store into the repository as a commit on `parent`; moves no branch."""

    def advance(self, lock: LandingLock, branch: str, new: str, old: str | None) -> bool:
        """Move the branch from exactly `old` (None: it is new) to `new`; False if it was elsewhere."""


class Trees(Protocol):
    """Makes workspaces: an immutable folder per tree, and a cheap writable view of it per attempt."""

    def checkout(self, tree: str) -> Path:
        """Return the immutable folder of a tree, made once."""

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh writable view of a tree; `layers` are further read-only folders below it."""

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Take what was changed in a workspace into the object store; never follows a link, never blocks."""

    def drop(self, workspace: Workspace) -> None:
        """Remove a workspace; removing it twice is no error."""

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every workspace but those named, and what else a maker that died left behind."""


class Sandbox(Protocol):
    """Runs one command behind walls; every process of it is gone when `run` returns or the caller dies."""

    name: str

    def available(self) -> str:
        """Say why it cannot run here; an empty string means that it can."""

    def run(self, run: SandboxRun, *, stop: Callable[[], bool] | None = None) -> SandboxResult:
        """Run to the end; raises SandboxError if the walls could not be put up.

        When `stop` says so, end it and return with ending INTERRUPTED.
        """

    def ensure(self, run: SandboxRun, folder: Path) -> None:
        """Start detached, once: a second call, also of another process, finds the first by its lock in `folder`."""

    def begun(self, folder: Path) -> bool:
        """Say whether a detached run of this folder is under way or has ended with its exit record."""

    def wait(self, folder: Path, *, stop: Callable[[], bool]) -> SandboxResult:
        """Wait for a detached run; when `stop` says so, end it and return with ending INTERRUPTED."""


class Memory(Protocol):
    """The memory of the machine."""

    def total_mb(self) -> float:
        """Say how much there is."""

    def free_mb(self) -> float:
        """Say how much could be taken now without anything being killed or swapped out."""

    def used_mb(self, folders: Collection[Path]) -> Mapping[Path, float]:
        """Say what detached runs hold now, by their folders; those of which nothing runs are left out."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to measure: a tree of the object store in an environment, by the checks of a task."""

    tree: str
    base_tree: str
    checks: Checks
    environment: Environment
    limits: Limits
    env: Mapping[str, str]
    only: tuple[str, ...] = ()  # run these ids alone; empty: required ids and everything to keep
    runs: int = 1
    fresh: bool = False  # measure even if the same was measured before


class Check(Protocol):
    """Measures a tree in fresh sandboxed processes."""

    def measure(self, request: CheckRequest) -> Measurement:
        """Measure; a check that cannot run is a Measurement with a `problem`, not an exception."""


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """What to doubt: a tree whose measurement gave `tests`.

    `explore_seconds` is the CPU time that the search for unneeded parts and unnoticed defects may take beyond its
    start; 0 leaves both out, as a control run on the base does. `seed` None: drawn anew. With `plain_asserts` a test
    runner that rewrites assertions leaves them as they are, which costs less; what then fails may be a test of that.
    """

    check: CheckRequest
    tests: Mapping[str, TestOutcome]
    explore_seconds: float = 0.0
    canaries: bool = True
    seed: int | None = None
    plain_asserts: bool = False


class Challenger(Protocol):
    """Doubts a result that passed: runs it again differently, with tests that must fail, and takes parts of it away."""

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Challenge, or find what the same challenge gave before; what cannot be done is told in its `problem`."""


class Environments(Protocol):
    """Makes and caches what the tests of a base need."""

    def prepare(self, task: Task, base: Base) -> Environment:
        """Return the environment of a base, made once; a failed set-up is returned, not raised, and not retried."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the ledger: `(kind, key)` is unique, `body` is the record as JSON-compatible data."""

    kind: str
    key: str
    task: str
    body: Mapping[str, object]
    at_utc: float
    seq: int = 0


class Store(Protocol):
    """Append-only facts and artefacts by content hash."""

    def append(self, fact: Fact) -> Fact:
        """Store durably and return it; if `(kind, key)` is there already, return the stored one unchanged."""

    def fact(self, kind: str, key: str) -> Fact | None:
        """Read one fact by its identity."""

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        """Read in the order of `seq`."""

    def last(self) -> int:
        """Return the `seq` of the newest fact; 0: there is none."""

    def put(self, content: bytes) -> str:
        """Store an artefact; returns the SHA-256 of its content."""

    def get(self, digest: str) -> bytes:
        """Read an artefact back; raises LedgerError if it is missing or does not match its hash."""


class TaskReader(Protocol):
    """Reads tasks from one format."""

    name: str

    def reads(self, path: Path) -> bool:
        """Say whether this reader is for that file or folder."""

    def read(self, path: Path) -> Sequence[Task]:
        """Read all tasks; raises TaskError with file and line."""


class Clock(Protocol):
    """Time, so that a test can own it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
