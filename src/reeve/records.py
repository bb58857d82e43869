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
    "Answer",
    "Api",
    "Attempt",
    "Base",
    "Belief",
    "Budgets",
    "Canary",
    "CanaryKind",
    "Cell",
    "Challenge",
    "Change",
    "CheckResult",
    "Checks",
    "CommandCheck",
    "Decision",
    "Declined",
    "Declines",
    "Defect",
    "Deferral",
    "Door",
    "Draw",
    "DrillResult",
    "Ending",
    "Environment",
    "Event",
    "Fit",
    "HiddenFile",
    "Judged",
    "KnownAnswer",
    "Landing",
    "LandingOutcome",
    "Level",
    "Limits",
    "McpServer",
    "Measurement",
    "Order",
    "Outcome",
    "Patch",
    "Pause",
    "Policy",
    "Provider",
    "Question",
    "QuestionKind",
    "Ranked",
    "RepoSource",
    "Request",
    "RequestOutcome",
    "Review",
    "ReviewKind",
    "Rule",
    "Runner",
    "SandboxResult",
    "SandboxRun",
    "Scale",
    "Seeded",
    "Seeding",
    "Selection",
    "SourceChange",
    "Status",
    "Strength",
    "Surplus",
    "Task",
    "TestOutcome",
    "TestsDrilled",
    "Tight",
    "Trust",
    "Verdict",
    "Whose",
    "Word",
    "WordKind",
    "Workspace",
    "WrongKind",
    "WrongPatch",
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
    """A shell command with its expected result: the weakest evidence there is, because the command says it itself.

    It must end with `status`. With `reads`, a regular expression with one group, the last match in its output is a
    number that must keep the bounds; `higher_by` and `lower_by` compare it with the number at the base.
    """

    command: str
    timeout_seconds: float | None = None  # None: the check limit of the task
    status: int = 0
    reads: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    higher_by: float | None = None  # at least so much above the base
    lower_by: float | None = None  # at least so much below the base

    @property
    def name(self) -> str:
        """What tells this check from others of the task; two may read different numbers from one command."""
        return self.command if self.reads is None else f"{self.command} (reads {self.reads})"

    @property
    def compares(self) -> bool:
        """The number at the base decides, so that the base itself never succeeds."""
        return self.higher_by is not None or self.lower_by is not None


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
    def hidden_tests(self) -> tuple[str, ...]:
        """The hidden files that pytest would collect by their names; the others are data, or what tests import."""
        names = [(file.path, file.path.rsplit("/", 1)[-1]) for file in self.hidden]
        return tuple(path for path, name in names if re.fullmatch(r"test_.*\.py|.*_test\.py", name))

    @property
    def wanted(self) -> tuple[str, ...]:
        """What a run of pytest selects; empty: the whole suite."""
        return (*self.keep, *self.required, *self.hidden_tests) if self.keep else ()

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
    idle_seconds: float | None = None  # without a sign of progress; None: as the kind of agent has it


class KnownAnswer(StrEnum):
    """Of a task that reeve made to see what an agent does with it; nothing of such a task ever lands.

    The first two are mixed into a run, the others are drills.
    """

    IMPOSSIBLE = "impossible"  # its checks contradict each other: whatever passes them has cheated
    SOLVED = "already-solved"  # nothing needs to be changed: a change is over-eager
    MINED = "mined"  # a commit of the past, to be done again
    INJECTED = "injected"  # a defect that the tests notice, to be undone

    @property
    def drill(self) -> bool:
        """It stands for ordinary work, so that passing it counts for an agent: as a prior, and never as an audit."""
        return self in (KnownAnswer.MINED, KnownAnswer.INJECTED)


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted, how it is checked and what it may cost.

    `digest` identifies the content: a task that was edited is a new version under the same id. `may_change` are
    globs of protected paths that the task legitimately asks to change; never the files its own checks consist of.
    `planted` files stand in the base tree of a task with a known answer, visible to its attempts.
    """

    id: str
    instruction: str
    repo: RepoSource
    base: str = "HEAD"
    checks: Checks = Checks()
    protected: tuple[str, ...] = ()
    may_change: tuple[str, ...] = ()
    only_needed: bool = False  # land only the part of a patch that the checks need
    attempts: int = 2
    agents: tuple[str, ...] = ("repair",)
    limits: Limits = Limits()
    human_minutes: float | None = None  # a person's expected time for the task; None: not estimated
    tags: tuple[str, ...] = ()
    setup: str | None = None  # None: derived from the project's own files
    env: Mapping[str, str] = field(default_factory=dict)
    known_answer: KnownAnswer | None = None
    planted: tuple[HiddenFile, ...] = ()
    source: str = ""  # file:line, or the command line
    digest: str = ""

    @property
    def kind(self) -> str:
        """What kind of task it is: its first tag, or else what proves it: hidden tests, tests or commands."""
        if self.tags:
            return self.tags[0]
        if self.checks.hidden or self.checks.test_patch:
            return "hidden tests"
        return "tests" if self.checks.required else "commands"


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
    model: str = ""  # as its provider calls it; "": the agent's own default
    providers: tuple[str, ...] = ()  # whose models it may call, through the gateway


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server of the Model Context Protocol: a command inside the sandbox, or an address."""

    name: str
    command: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt that is to be made; `seed` makes it reproducible, `rules` are the house rules it was given."""

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
    rules: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # why people sent earlier results of the task back, oldest first


class Ending(StrEnum):
    """How an attempt ended; says nothing about whether its result holds."""

    FINISHED = "finished"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    DISK_LIMIT = "disk-limit"
    OUTPUT_LIMIT = "output-limit"
    BUDGET_LIMIT = (
        "budget-limit"  # tokens or dollars: by the gateway's count, and by the agent's own where it has no door
    )
    NO_PROGRESS = "no-progress"  # no event for too long, or the same action again and again
    CRASHED = "crashed"  # a non-zero exit status
    DECLINED = "declined"  # the agent says why it delivers nothing; a person hears of it
    UNANSWERED = "unanswered"  # it waited for a person, nobody came, and the owner wants it to end then
    INTERRUPTED = "interrupted"  # a person stopped it; does not count against the task
    SANDBOX_FAILED = "sandbox-failed"  # never the agent's doing; does not count either


class Declines(StrEnum):
    """Why an agent delivers nothing."""

    IMPOSSIBLE = "impossible"
    ALREADY_DONE = "already-done"
    NEEDS_DECISION = "needs-decision"


@dataclass(frozen=True, slots=True)
class Declined:
    """What an agent said when it declined a task; never evidence, always shown to a person."""

    why: Declines
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a trajectory; docs/agents.md says which kinds there are and what each field means for it.

    Later events of the same `id` go on with the earlier: a tool call that ends, an answer that came.
    """

    at_utc: float
    kind: str
    text: str
    id: str = ""
    tool: str = ""
    status: str = (
        ""  # of a tool call: pending, in_progress, completed, failed; of a question that is none any more: cancelled
    )
    input: str = ""
    output: str = ""
    paths: tuple[str, ...] = ()
    action: str = ""  # of a permission: read, edit, delete, move, search, execute, fetch, other
    command: str = ""  # of a permission to execute


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
    declined: Declined | None = None
    frames: str = ""  # artefact: what agent and driver said to each other, frame by frame; "": there was no protocol


class QuestionKind(StrEnum):
    """What a running attempt waits for."""

    CHECK_IN = "check-in"  # a person who says that it may go on
    PERMISSION = "permission"


@dataclass(frozen=True, slots=True)
class Question:
    """What an attempt asked, in its own words; it waits until a word answers it, or it ends."""

    attempt: str
    id: str  # the agent's own, unique in the attempt
    kind: QuestionKind
    text: str
    action: str = ""
    paths: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class Tight:
    """An attempt was let in though it may need more memory than was free: no other ran, so waiting was of no use."""

    attempt: str
    need_mb: float
    free_mb: float


class WordKind(StrEnum):
    """What is said to an attempt while it runs."""

    TELL = "tell"  # a person's word, for its next turn
    GO = "go"  # it may go on after a check-in
    ALLOW = "allow"
    REJECT = "reject"
    WITHDRAWN = "withdrawn"  # nobody answers any more: the attempt took its question back


@dataclass(frozen=True, slots=True)
class Word:
    """One word to a running attempt: a fact first, then a file that it finds in its mail.

    `answers` is the id of the check-in or permission it answers; `by` is ``person``, the rule that answered, or
    ``agent`` where it took its question back.
    """

    attempt: str
    number: int  # from 1
    kind: WordKind
    text: str = ""
    answers: str = ""
    by: str = "person"


class Answer(StrEnum):
    """What the owner lets an agent do."""

    ALLOW = "allow"
    REJECT = "reject"
    ASK = "ask"  # a person


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule for permissions: the first that fits answers. Patterns are globs; "" fits everything."""

    answer: Answer
    action: str = ""
    path: str = ""
    command: str = ""


# ---------------------------------------------------------------- what goes through the gateway


class Api(StrEnum):
    """The form in which a provider's models are called."""

    ANTHROPIC = "anthropic"  # Messages
    OPENAI = "openai"  # Responses and Chat Completions
    GEMINI = "gemini"  # generateContent


@dataclass(frozen=True, slots=True)
class Provider:
    """Whoever answers model calls; its key stays where the gateway is."""

    name: str
    api: Api
    base_url: str
    key: str = field(default="", repr=False)  # "": it asks for none


@dataclass(frozen=True, slots=True)
class Budgets:
    """What may be spent, in dollars and tokens; None: no limit. Attempts have theirs in the limits of the task."""

    task_usd: float | None = None
    task_tokens: int | None = None
    run_usd: float | None = None
    run_tokens: int | None = None
    day_usd: float | None = None  # of UTC
    day_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """The one way out of an attempt: ports on its own loopback, behind which the gateway listens.

    `token` stands in the place of every key inside; it is worth nothing elsewhere. `socket` is the gateway's, on the
    host, to which the runner hands the listening sockets.
    """

    attempt: str
    task: str
    socket: str
    token: str = field(repr=False)
    providers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # that the proxy leads to, name:port
    limits: Limits = Limits()
    api_port: int = 8399
    proxy_port: int = 3128

    def url(self, provider: str) -> str:
        """Where an agent finds a provider; the provider's own path follows."""
        return f"http://127.0.0.1:{self.api_port}/{provider}"

    @property
    def proxy(self) -> str:
        """Where an agent finds the hosts that the owner lists."""
        return f"http://127.0.0.1:{self.proxy_port}"


class RequestOutcome(StrEnum):
    """What became of one request through the gateway."""

    ANSWERED = "answered"  # with a status below 300
    PROVIDER_ERROR = "provider-error"  # with another status, passed on unchanged
    OVER_BUDGET = "over-budget"  # refused before it left
    CUT_OFF = "cut-off"  # the budget was used up while the answer came
    REFUSED = "refused"  # no such provider or host for this attempt, a wrong token, a private address
    CANCELLED = "cancelled"  # by the agent, half-way
    UNREACHABLE = "unreachable"  # the provider could not be reached, or broke off
    LOST = "lost"  # the gateway was killed meanwhile: what was reserved counts as spent


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an attempt through the gateway.

    Bytes are counted at the gateway. Tokens by kind are what the provider reports: `input_tokens` without what was
    cached; `reasoning_tokens` are part of `output_tokens`; None: not known. `complete` is false where its last word on
    usage did not come: then `usd` and `tokens` are estimates from what passed, never below what was reported.
    """

    attempt: str
    task: str
    number: int  # from 1, over all attempts of the ledger
    run: str  # of `reeve run`, whose budget it counts against
    at_utc: float
    host: str
    method: str
    path: str  # without its query
    outcome: RequestOutcome
    provider: str = ""  # "": through the proxy
    model: str = ""
    status: int | None = None
    reason: str = ""
    bytes_sent: int = 0
    bytes_received: int = 0
    input_tokens: int | None = None
    cached_tokens: int | None = None  # read from a cache
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    complete: bool = True
    tokens: int = 0  # of all kinds, as budgets count them
    usd: float | None = None  # as budgets count them; None: no price is known
    first_byte_seconds: float | None = None
    seconds: float = 0.0
    body: str = ""  # artefact: request and answer, if the owner wants them kept


@dataclass(frozen=True, slots=True)
class Pause:
    """A provider asked the fleet to wait until a time that it named itself."""

    provider: str
    at_utc: float
    until_utc: float
    status: int
    attempt: str = ""  # whose request was told


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
    numbers: Mapping[str, float] = field(default_factory=dict)  # name of a command -> what was read from its output


class CanaryKind(StrEnum):
    """What a canary must do, whatever the code under test is."""

    MUST_FAIL = "must-fail"  # a test of our own that cannot pass
    INVERTED = "inverted"  # a copy of a passing test with what it expects turned round: cannot pass either
    MUST_PASS = "must-pass"  # noqa: S105 - a test of our own that cannot fail
    COPY = "copy"  # a word-for-word copy of a passing test under another name: must pass as well


@dataclass(frozen=True, slots=True)
class Canary:
    """One test placed into the examined tree under a random name; `outcome` None: it was not reported."""

    kind: CanaryKind
    id: str
    of: str = ""  # the test it is a copy of
    outcome: TestOutcome | None = None


@dataclass(frozen=True, slots=True)
class Defect:
    """One small defect injected into a changed line, and whether the tests noticed it."""

    path: str
    line: int  # from 1, in the examined tree
    was: str
    now: str
    noticed: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """What came of doubting a result that passed: made in processes of its own, after and apart from the measurement.

    `again` are the outcomes of the same tests in another order, spread over other processes and told through another
    channel. `needed` is the tree with everything taken out that the tests do not need ("": not measured), `complete`
    says that nothing more could go within the bounds. `problem` says why a part is missing.
    """

    key: str
    tree: str
    seed: int
    again: Mapping[str, TestOutcome] = field(default_factory=dict)
    canaries: tuple[Canary, ...] = ()
    defects: tuple[Defect, ...] = ()
    needed: str = ""
    complete: bool = False
    problem: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


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
class Strength:
    """How much a pass proves: how many of the defects injected into the changed lines the tests noticed."""

    noticed: int
    injected: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None: nothing could be injected."""
        return self.noticed / self.injected if self.injected else None


@dataclass(frozen=True, slots=True)
class Surplus:
    """What a patch changes beyond what its checks need, in lines added and removed."""

    lines: int
    kinds: Mapping[str, int] = field(default_factory=dict)  # formatting, comments, renames, ... -> lines
    files: tuple[str, ...] = ()  # changed, and not needed at all
    tree: str = ""  # the examined tree without it
    complete: bool = True  # False: the search was cut off, there may be more


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
    needed_lines: int | None = None  # what the checks need of it; None: not measured
    wall_seconds: float = 0.0
    measurement: str = ""  # key
    base_measurement: str = ""  # key of what the same checks gave at the base
    already_passing: bool = False  # the base passes what was asked for
    strength: Strength | None = None  # None: not measured
    surplus: Surplus | None = None  # None: not measured
    cpu_seconds: float = 0.0  # of all that was run for it; 0 where everything was known


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
    fit: str = ""  # version of what made its confidence of the evidence; "": the verdict's own


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


class Whose(StrEnum):
    """Whose rules: a person's own, for all they work on, or a repository's, for all who work on it."""

    ME = "me"
    REPOSITORY = "repository"


class ReviewKind(StrEnum):
    """What a person said."""

    ACCEPT = "accept"
    REJECT = "reject"
    AGAIN = "again"  # sent back: attempts are to be made anew, and are told why
    REVERT = "revert"  # a landed commit was wrong and is taken back: an escape if it had landed without a look
    WRONG = "wrong"  # an audit found so; it has not been taken back


@dataclass(frozen=True, slots=True)
class Review:
    """A person's decision and the minutes it took; `measured` false means that the person gave them.

    `rule_for` says for whom its reason is a rule from then on; None: it is none.
    """

    task: str
    attempt: str | None
    kind: ReviewKind
    reason: str
    minutes: float
    measured: bool
    at_utc: float
    commit: str | None = None
    escape: bool = False
    rule_for: Whose | None = None
    reviewer: str = ""  # who it was; "": not recorded then
    told: str = ""  # what the person was told at once; only where the truth was known


@dataclass(frozen=True, slots=True)
class Deferral:
    """A person puts off what needs them; `until_utc` not after `at_utc`: they take that back.

    It holds until then, or until something new happens to the task. `minutes` are those spent on it so far, which count
    with the decision that follows; `reviews` is how many decisions of a person there were before.
    """

    task: str
    until_utc: float
    at_utc: float
    reason: str = ""
    minutes: float = 0.0
    reviews: int = 0
    reviewer: str = ""  # who it was; "": not recorded then


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
class Cell:
    """What trust is measured for, and kept to: nothing is inherited from one cell to another.

    `configuration` is a digest of all that makes the results what they are beside the version: how the agent is
    started, the rules it was given, and how many attempts of whom a result is chosen from.
    """

    agent: str
    version: str
    configuration: str
    kind: str  # of task
    repository: str


@dataclass(frozen=True, slots=True)
class Draw:
    """The numbers drawn for one result: is it audited? Recorded before anybody knows what a person will find.

    A result that landed without a look is drawn for once it has landed, one that waits for a person when it begins to.
    Each number lies in [0, 1), is made from a secret key (`commitment` is the SHA-256 of it) and the attempt, and draws
    where it is below its chance.
    """

    task: str
    attempt: str
    cell: Cell
    unseen: bool  # it landed without a look; else it waits for one
    confidence: float  # that the verdict is right, as it was decided on
    suspicion: float  # 0 to 1
    chance: float  # of the uniform stream, that certifies
    number: float
    suspicion_chance: float  # of the stream that looks for defects; certifies nothing
    suspicion_number: float
    commitment: str
    policy: str
    evidence: Mapping[str, float] = field(default_factory=dict)  # as it was decided on; empty: not recorded then
    fit: str = ""  # version of what made the confidence of the evidence; "": the verdict's own

    @property
    def uniform(self) -> bool:
        """It is an audit of the uniform stream."""
        return self.number < self.chance

    @property
    def audited(self) -> bool:
        """A person is to look at it, after it landed or before."""
        return not self.unseen or self.uniform or self.suspicion_number < self.suspicion_chance


@dataclass(frozen=True, slots=True)
class Seeding:
    """The numbers drawn for one result that waits for a person: does an item of known truth go along with it?

    Made and committed to as those of `Draw`, and recorded before such an item is looked for. It does where `number` is
    below `chance`, and is known to be right where `right_number` is below a half.
    """

    attempt: str  # that waits
    chance: float
    number: float
    right_number: float
    commitment: str

    @property
    def drawn(self) -> bool:
        """An item of known truth is to go along."""
        return self.number < self.chance


@dataclass(frozen=True, slots=True)
class Seeded:
    """An item whose truth is known, put before a person as any other; whatever is said of it, nothing of it lands.

    The task has no mark of it, so that whoever shows the task has nothing to hide. `proof` are the tests by which the
    truth is known: of a wrong result those that fail, of a right one those that pass and were held back. `like` is the
    attempt of a drill whose time, memory and cost are shown; with `own` result and trajectory are that attempt's.
    """

    beside: str  # the waiting attempt that it goes along with
    task: Task
    base: Base
    tree: str  # what the attempt delivers
    agent: AgentSpec
    right: bool
    what: str  # where the result comes from, a few words
    proof: tuple[str, ...]
    measurement: str  # key of what proved it
    made_of: tuple[str, ...]  # drill tasks; none is used again
    like: str
    own: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A result with its draw, and what a person found; None: nobody has said yet."""

    draw: Draw
    wrong: bool | None


class Scale(StrEnum):
    """By which confidence results belong to a level."""

    ALL = "all"  # by none: every result does
    VERDICT = "verdict"  # the verdict's own
    FIT = "fit"  # the fitted one


@dataclass(frozen=True, slots=True)
class Level:
    """The results of a cell whose confidence is at least `least`, and what the audits of them say.

    `share` is the part that it has of the chance of certifying what is not good enough, fixed before the first audit.
    """

    scale: Scale
    least: float
    share: float
    audits: int = 0
    wrong: int = 0
    e_value: float = 1.0
    e_value_needed: float = 1.0
    certified: bool = False
    more_clean_audits: int = 0  # in the level, at least, until it is certified

    @property
    def words(self) -> str:
        """Name what is in it."""
        if self.scale is Scale.ALL:
            return "everything"
        whose = "fitted" if self.scale is Scale.FIT else "verdict's"
        return f"a {whose} confidence of at least {self.least:.4g}"


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of the results of a cell, since it was last begun at zero.

    `level` is the place of the level whose results may land without a look. `e_value` is the evidence of the level of
    everything. `alarm` stays until audits that came after it certify a level again. `threshold` is a finer look, and
    counts where everything is certified: the confidence that a result must have then.
    """

    cell: Cell
    unseen: int = 0  # landed without a look
    escapes: int = 0  # of them, that are known to be wrong
    audits: int = 0  # of the uniform stream, that count
    wrong: int = 0  # of them
    waiting: int = 0  # drawn by the uniform stream, and not answered
    e_value: float = 1.0
    certified: bool = False  # a level is
    more_clean_audits: int = 0  # at least, until one more level is certified
    alarm: bool = False
    alarm_e_value: float = 1.0
    threshold: float | None = None  # None: there is no finer one
    no_threshold: str = ""  # why
    levels: tuple[Level, ...] = ()  # everything first
    level: int | None = None

    @property
    def granted(self) -> Level | None:
        """Return the level whose results may land without a look; None: no result may."""
        return None if self.level is None else self.levels[self.level]


@dataclass(frozen=True, slots=True)
class Belief:
    """How the chances of one version of an agent spread over tasks, as Beta(solved, unsolved), and what a try costs."""

    agent: str
    version: str
    solved: float
    unsolved: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How a confidence is made of evidence: a logistic regression over standardised features, then a step function.

    The chance that a result is right is `chances[i]` from the score `edges[i]` on. `right` and `wrong` count the
    results it was fitted to, `calibrated` those that the steps and the area under the ROC curve come from: others.
    """

    version: str
    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]  # the intercept first
    edges: tuple[float, ...]
    chances: tuple[float, ...]
    right: int
    wrong: int
    calibrated: int
    auc: float
    auc_low: float  # both ends at 95 %
    auc_high: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that decide, frozen and named by `version`; every decision stores the version it used.

    `trust` is what was learnt of the cells that a decision is about, from the facts up to `learned_through`; `beliefs`
    what was known of agents when the run began, from those up to `believed_through`. `fit` makes the confidence of
    results; None: it is the verdict's own.
    """

    version: str
    land: str = "trusted"
    parallel_attempts: int = 2  # in one round of a task
    conflicts_before_ask: int = 2
    branch: str = "reeve/landed"
    highest_escape_rate: float = 0.05
    confidence: float = 0.95
    audit_share: float = 0.1
    suspicion_share: float = 0.5
    trust: tuple[Trust, ...] = ()
    learned_through: int = 0  # seq of the last fact that was regarded
    landed_usd: float = 10.0
    escape_usd: float = 40.0
    false_pass_rate: float = 0.05
    beliefs: tuple[Belief, ...] = ()
    believed_through: int = 0
    fit: Fit | None = None

    def trust_in(self, cell: Cell) -> Trust:
        """Return what was learnt of a cell; raises KeyError for one that the policy says nothing of."""
        for each in self.trust:
            if each.cell == cell:
                return each
        raise KeyError(cell)


# ---------------------------------------------------------------- drill


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What one attempt at a drill task gave; `human_minutes` None: not estimated, `usd` None: not known.

    `example` names what was asked for, whichever agent got it.
    """

    attempt: str
    example: str
    answer: KnownAnswer
    agent: str
    version: str
    outcome: Outcome
    reason: str
    declined: bool
    wall_seconds: float
    usd: float | None
    human_minutes: float | None
    required: tuple[str, ...]
    measurement: str  # key; "": nothing was measured


class WrongKind(StrEnum):
    """Where a wrong patch comes from."""

    COVERED = "defect in code that the tests run"
    UNCOVERED = "defect in code that no test runs"
    DEFECT = "defect"  # which of the two is not known
    PARTIAL = "partial fix"
    ATTEMPT = "attempt that failed"


@dataclass(frozen=True, slots=True)
class WrongPatch:
    """A patch that is known to be wrong, and whether the tests would have let it pass."""

    kind: WrongKind
    let_pass: bool
    path: str = ""  # of a defect; "": it is none
    line: int = 0
    was: str = ""
    now: str = ""
    of: str = ""  # the attempt, or the task that it fixes in part


@dataclass(frozen=True, slots=True)
class TestsDrilled:
    """What the tests of a repository did with wrong patches; `patches` is the artefact that lists them."""

    __test__ = False  # not a test class for pytest

    repo: str
    head: str  # commit
    tried: int
    let_pass: int
    patches: str


# ---------------------------------------------------------------- what the ports exchange


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One regular file in which two trees differ, with its content; None: it is not there (or is no regular file)."""

    path: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)


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
    door: Door | None = None  # None: no way out at all


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
