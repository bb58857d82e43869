"""The records of the flow, in its order: task, attempt, verdict, selection, decision, landing, review, policy.

All are frozen. `None` means "not known" or "no limit" where a docstring says so, and never zero. Times that
end in ``_seconds`` are durations; ``at_utc`` is seconds since the epoch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Action",
    "AgentSpec",
    "Attempt",
    "Base",
    "Change",
    "CheckResult",
    "Checks",
    "CommandCheck",
    "Decision",
    "Ending",
    "Environment",
    "Event",
    "HiddenFile",
    "Landing",
    "LandingOutcome",
    "Limits",
    "Measurement",
    "Order",
    "Outcome",
    "Patch",
    "Policy",
    "Ranked",
    "RepoSource",
    "Review",
    "ReviewKind",
    "Runner",
    "SandboxResult",
    "SandboxRun",
    "Selection",
    "Status",
    "Task",
    "TestOutcome",
    "Verdict",
    "Workspace",
]

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""What a task id looks like: no dot and no slash, because ``<task>.<n>`` is an attempt."""


# ---------------------------------------------------------------- task


@dataclass(frozen=True, slots=True)
class RepoSource:
    """Where the code of a task comes from: a folder, or an archive of the package index with its hash."""

    path: str | None = None
    archive: str | None = None  # name==version
    sha256: str | None = None  # of the archive; required with it


@dataclass(frozen=True, slots=True)
class HiddenFile:
    """A file laid over the tree when it is checked, which no attempt ever sees."""

    path: str  # in the tree
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """A shell command that must end with status 0: the weakest evidence there is."""

    command: str
    timeout_seconds: float | None = None  # None: the check limit of the task


class Runner(StrEnum):
    """How the tests of a task are run and read."""

    PYTEST = "pytest"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Checks:
    """How the result of a task is measured.

    `keep` names ids, files or suites whose tests must not fail where they passed before; empty means the whole
    suite. With the `junit` runner, `test_command` writes JUnit XML to `report` (a glob below the tree), and ids
    read ``classname::name``.
    """

    required: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    commands: tuple[CommandCheck, ...] = ()
    hidden: tuple[HiddenFile, ...] = ()
    test_patch: str | None = None  # a diff that brings the hidden tests, as in SWE-bench rows
    runner: Runner = Runner.PYTEST
    test_command: str | None = None
    report: str | None = None
    pytest_args: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Nothing was asked for that could prove a result."""
        return not self.required and not self.commands


@dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt, and one run of the checks, may cost; enforced outside the agent."""

    wall_seconds: float = 600.0
    check_seconds: float = 600.0
    memory_mb: int = 2048  # of all processes together
    disk_mb: int = 1024  # written by all processes together
    processes: int = 256
    output_mb: int = 16  # of what is printed
    tokens: int | None = None  # None: no limit
    usd: float | None = None  # None: no limit


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted, how it is checked and what it may cost.

    `digest` identifies the content: a task that was edited is a new version under the same id.
    """

    id: str
    instruction: str
    repo: RepoSource
    base: str = "HEAD"
    checks: Checks = Checks()
    protected: tuple[str, ...] = ()
    attempts: int = 2
    agents: tuple[str, ...] = ("repair",)
    limits: Limits = Limits()
    human_minutes: float | None = None  # a person's expected time for the task; None: not estimated
    tags: tuple[str, ...] = ()
    setup: str | None = None  # None: derived from the project's own files
    env: Mapping[str, str] = field(default_factory=dict)
    source: str = ""  # file:line, or the command line
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Base:
    """The tree that attempts start from."""

    repo: str  # folder of the person's repository
    commit: str
    tree: str  # git tree id in our own object store


@dataclass(frozen=True, slots=True)
class Environment:
    """A cached environment: a virtual environment at /env, and what set-up left in the tree.

    A failed one has `ok` false and a reason; its tasks are unverified, not failed.
    """

    key: str
    ok: bool
    venv: str | None = None  # folder on the host; None: the task needs none
    layer: str | None = None  # folder of files that set-up wrote beside the tracked ones; mounted below the tree
    reason: str = ""
    log: str = ""  # artefact of what set-up printed
    seconds: float = 0.0


# ---------------------------------------------------------------- attempt


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as reeve.toml names it; `kind` chooses the adapter."""

    name: str
    kind: str
    version: str
    command: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt that is to be made; `seed` makes it reproducible."""

    attempt: str  # <task>.<n>, n from 1
    task: str
    digest: str  # version of the task
    round: int
    index: int  # 0-based among the attempts of this round
    of: int  # attempts of this round
    agent: AgentSpec
    base: Base
    seed: int
    policy: str  # version


class Ending(StrEnum):
    """How an attempt ended; says nothing about whether its result holds."""

    FINISHED = "finished"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    DISK_LIMIT = "disk-limit"
    OUTPUT_LIMIT = "output-limit"
    BUDGET_LIMIT = "budget-limit"  # tokens or dollars, by the agent's own count
    CRASHED = "crashed"  # a non-zero exit status
    INTERRUPTED = "interrupted"  # a person stopped it; does not count against the task
    SANDBOX_FAILED = "sandbox-failed"  # never the agent's doing; does not count either


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a trajectory; `kind` is text, plan, tool_call, usage or result."""

    at_utc: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One path of a patch. Paths are bytes on disk; here undecodable ones carry surrogates."""

    path: str
    kind: str  # added, modified, deleted
    lines_added: int = 0
    lines_removed: int = 0
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """The difference between two trees of our object store."""

    base_tree: str
    tree: str
    changes: tuple[Change, ...] = ()
    refused: tuple[str, ...] = ()  # what was left out of it, each with its reason (a FIFO, a link out of the tree, ...)
    diff: str = ""  # artefact: the patch as text

    @property
    def empty(self) -> bool:
        """Nothing was changed."""
        return self.tree == self.base_tree

    @property
    def lines(self) -> int:
        """Lines added and removed."""
        return sum(change.lines_added + change.lines_removed for change in self.changes)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one agent did in one workspace."""

    id: str
    task: str
    round: int
    agent: AgentSpec
    base: Base
    ending: Ending
    reason: str  # of the ending, in one sentence
    patch: Patch
    trajectory: str  # artefact: what the agent printed, byte for byte, as JSON lines or text
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    sandbox: str = "bubblewrap"
    tokens: int | None = None
    usd: float | None = None


# ---------------------------------------------------------------- verdict


class TestOutcome(StrEnum):
    """What one test did in one run."""

    __test__ = False  # not a test class for pytest

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # set-up, tear-down or collection broke
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the checks of a task gave on one tree; cached by `key`, which names tree, checks and environment.

    `problem` says why a measurement could not be made (a suite that cannot be collected, a hang, a crash);
    it is empty for a usable one. A test that disagreed with itself between runs is in `flaky`. `ending` tells a
    suite that does not end, or walls that could not be put up, from a suite that broke.
    """

    key: str
    tree: str
    tests: Mapping[str, TestOutcome] = field(default_factory=dict)
    commands: Mapping[str, TestOutcome] = field(default_factory=dict)
    flaky: tuple[str, ...] = ()
    problem: str = ""
    runs: int = 1
    messages: Mapping[str, str] = field(default_factory=dict)  # id -> last lines of what went wrong
    log: str = ""  # artefact
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    ending: Ending = Ending.FINISHED


class Outcome(StrEnum):
    """Of a check or of a verdict."""

    PASSED = "passed"
    FAILED = "failed"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a verdict, with its evidence as sentences."""

    name: str
    outcome: Outcome
    evidence: tuple[str, ...] = ()
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one result. `tree` is what was examined: what lands is that tree and no other."""

    id: str  # the attempt, or patch:<hash> for one from elsewhere; @<head> is added on a moved head
    task: str
    attempt: str
    base_tree: str
    tree: str
    outcome: Outcome
    reason: str  # one sentence
    checks: tuple[CheckResult, ...] = ()
    confidence: float = 0.0  # 0 to 1
    lines: int = 0  # of the patch
    needed_lines: int | None = None  # after the hunks that the checks do not need are removed; None: not measured
    wall_seconds: float = 0.0
    measurement: str = ""  # key
    already_passing: bool = False  # the base passes what was asked for


# ---------------------------------------------------------------- selection, decision, landing


@dataclass(frozen=True, slots=True)
class Ranked:
    """One attempt in the order of preference."""

    attempt: str
    outcome: Outcome
    needed_lines: int | None
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Which attempt of a round is best, and by which rule."""

    task: str
    round: int
    chosen: str | None
    ranking: tuple[Ranked, ...]
    rule: str
    reason: str


class Action(StrEnum):
    """What is to be done."""

    LAND = "land"
    ASK = "ask"
    AGAIN = "again"
    GIVE_UP = "give-up"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with a selection, by which rule, on which numbers, under which policy."""

    task: str
    round: int
    action: Action
    attempt: str | None
    rule: str
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    policy: str = ""


class LandingOutcome(StrEnum):
    """What became of a landing."""

    LANDED = "landed"
    CONFLICT = "conflict"  # does not apply on the current head
    BOUNCED = "bounced"  # applies, but the checks do not pass there


@dataclass(frozen=True, slots=True)
class Landing:
    """The commit of exactly the verified tree, or why there is none."""

    task: str
    attempt: str
    outcome: LandingOutcome
    reason: str
    branch: str
    head: str  # the commit it was to stand on
    commit: str | None = None
    verdict: str | None = None  # the one that holds for the landed tree


class ReviewKind(StrEnum):
    """What a person said."""

    ACCEPT = "accept"
    REJECT = "reject"
    REVERT = "revert"  # a landed commit was wrong: an escape if it had landed without a look


@dataclass(frozen=True, slots=True)
class Review:
    """A person's decision and the minutes it took; `measured` false means that the person gave them."""

    task: str
    attempt: str | None
    kind: ReviewKind
    reason: str
    minutes: float
    measured: bool
    at_utc: float
    commit: str | None = None
    escape: bool = False


class Status(StrEnum):
    """Of a task, derived from its facts and never stored."""

    QUEUED = "queued"
    WORKING = "working"
    VERIFYING = "verifying"
    LANDED = "landed"
    NEEDS_YOU = "needs-you"
    FAILED = "failed"
    REJECTED = "rejected"
    REVERTED = "reverted"


# ---------------------------------------------------------------- policy


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that decide, frozen and named by `version`; every decision stores the version it used."""

    version: str
    land: str = "passed"
    parallel_attempts: int = 2  # in one round of a task
    conflicts_before_ask: int = 2
    branch: str = "reeve/landed"


# ---------------------------------------------------------------- what the ports exchange


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tree to work in: immutable lower folders, topmost first, and one upper folder that takes every change."""

    name: str
    kind: str  # overlay or copy
    lowers: tuple[str, ...]
    upper: str  # overlay: the changes; copy: the whole tree
    work: str  # overlay's own scratch folder; unused by copy


@dataclass(frozen=True, slots=True)
class SandboxRun:
    """One command to run behind walls.

    `binds` are read-only mounts (inside path -> folder or file on the host). `out` is a host folder, writable
    inside as /out, or None. `files` are written into the tree before the start (path -> content and executable
    bit, None: deleted). Output goes to `stdout`, both streams, cut at the output limit.
    """

    argv: tuple[str, ...]
    workspace: Workspace
    limits: Limits
    wall_seconds: float
    stdout: str
    env: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[bytes, bool] | None] = field(default_factory=dict)
    out: str | None = None
    env_writable: str | None = None  # host folder writable inside as /env: set-up only
    network: bool = False  # set-up only


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How a sandboxed command ended.

    `status` is its exit status, negative for a signal, None if it never ended by itself.
    """

    ending: Ending
    status: int | None
    reason: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    disk_mb: float = 0.0
    refused: tuple[str, ...] = ()
