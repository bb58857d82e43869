"""What the pages on trust and drills show: everything that is counted or estimated over the whole ledger.

It is computed by another process, since counting over a large ledger takes long and much memory, and pages do not wait.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from reeve.ledger.attempt_rows import AttemptPage, RowsWanted
from reeve.ledger.periods import Period
from reeve.ledger.reviewing import ReviewersFound
from reeve.ledger.tracks import Track
from reeve.policy.drill import AgentDrill
from reeve.policy.suite import FileGain, LetPass
from reeve.records import Trust
from reeve.stats.calibration import Quality
from reeve.stats.horizon import AgentHorizon
from reeve.stats.trend import Trend

__all__ = [
    "AgentHealth",
    "AttemptPages",
    "CellFigures",
    "CheckInFigures",
    "Computing",
    "DrillFigures",
    "DrilledTests",
    "Figures",
    "HorizonFigures",
    "House",
    "MinedTask",
    "Observed",
    "Plot",
    "Plots",
    "PolicyFigures",
    "Provided",
    "RuleFile",
    "StreamOfAudits",
    "TestBound",
    "TrustFigures",
]


# ---------------------------------------------------------------- trust


@dataclass(frozen=True, slots=True)
class StreamOfAudits:
    """How many results of a cell a stream has drawn, how many have an answer, and how many of these were wrong."""

    name: str  # uniform, suspicion, before
    drawn: int
    answered: int
    wrong: int


@dataclass(frozen=True, slots=True)
class CellFigures:
    """One cell as it stands.

    `progress` is the evidence of each of its levels after each of the level's audits, since it was begun at zero.
    """

    trust: Trust
    state: str  # certified, alarm, not certified yet
    may_land: bool
    why: str
    fit: str | None  # version of what makes its confidences; None: they are the verdicts' own
    no_fit: str  # why
    streams: tuple[StreamOfAudits, ...]
    progress: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class CheckInFigures:
    """How long an agent works before it pauses for a person, and the number that decided."""

    agent: str
    every_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """What may land without a look, by whose numbers, and how every cell stands.

    `every_seconds` is for agents that are not among `check_ins`; None: never.
    """

    land: str
    highest_escape_rate: float
    confidence: float
    audit_share: float
    suspicion_share: float
    reliability: float
    clean_audits_of_a_new_cell: int
    cells: tuple[CellFigures, ...]
    every_seconds: float | None
    check_ins: tuple[CheckInFigures, ...]
    draws_unlike_the_key: tuple[str, ...]

    @property
    def alarm_needed(self) -> float:
        """Return the e-value at which one of the two alarms goes off."""
        return 2.0 / (1.0 - self.confidence)


@dataclass(frozen=True, slots=True)
class Observed:
    """The judged runs of an agent at tasks of about one length; `minutes` is their geometric mean."""

    agent: str
    minutes: float
    runs: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class HorizonFigures:
    """Horizons of all agents with enough tasks, what was observed, and the trend; without any, the reason."""

    agents: tuple[AgentHorizon, ...] = ()
    observed: tuple[Observed, ...] = ()
    trend: Trend | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrustFigures:
    """All of the page on trust. `calibration` None: there is no audited result to judge confidences by."""

    tracks: tuple[Track, ...]
    policy: PolicyFigures
    horizons: HorizonFigures
    calibration: Quality | None
    no_calibration: str
    periods: tuple[Period, ...]
    reviewers: ReviewersFound


# ---------------------------------------------------------------- drill


@dataclass(frozen=True, slots=True)
class MinedTask:
    """One task that was made of the past, or of an injected defect."""

    example: str
    answer: str  # mined, injected
    human_minutes: float | None  # estimated
    required: tuple[str, ...]
    attempts: tuple[str, ...]  # their ids
    passed: int


@dataclass(frozen=True, slots=True)
class TestBound:
    """What may land unseen of one agent on these tests alone, in one sentence."""

    __test__ = False  # not a test class for pytest

    agent: str
    version: str
    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class DrilledTests:
    """What the tests of a repository did with wrong patches, at the last drill there."""

    repository: str
    head: str
    at_utc: float
    sentence: str
    all: LetPass | None
    by_kind: tuple[tuple[str, LetPass], ...]
    files: tuple[FileGain, ...]
    bounds: tuple[TestBound, ...]


@dataclass(frozen=True, slots=True)
class DrillFigures:
    """All of the page on drills."""

    tasks: tuple[MinedTask, ...]
    agents: tuple[AgentDrill, ...]
    horizons: tuple[AgentHorizon, ...]
    no_horizons: str
    tests: tuple[DrilledTests, ...]


# ---------------------------------------------------------------- both


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture in every form; without data only the reason why there is none."""

    title: str
    says: str  # what can be seen, in one sentence
    reason: str = ""
    svg: str = ""
    svg_dark: str = ""
    png: bytes = b""
    csv: str = ""


Plots = dict[str, Plot]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was counted from the facts up to `seq`."""

    seq: int
    at_utc: float
    trust: TrustFigures
    drill: DrillFigures


Computing = Callable[[Callable[[], bool]], Iterator[Figures | Plots]]
"""Computes all of it from the ledger as it is now: first the figures, then the plots of them; ends early when told."""


class AttemptPages(Protocol):
    """The rows behind the figures."""

    def page(self, wanted: RowsWanted, *, before: int | None = None, at_most: int = 50) -> AttemptPage:
        """Read rows that fit, the newest first; raises InputError for a figure that there is not."""


# ---------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """One agent; `ready` says that it can start here, `problem` why not, `how` what to do about that."""

    name: str
    kind: str
    version: str
    configured: bool
    ready: bool
    problem: str = ""
    how: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Provided:
    """A provider of models, and whether there is a key; never the key. `problem` says what keeps it from being used."""

    name: str
    api: str
    base_url: str
    ready: bool
    needs_none: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules as it is, or why it cannot be read."""

    whose: str
    file: str
    text: str = ""
    problem: str = ""


class House(Protocol):
    """What stands outside of the ledger; read anew at each look."""

    def agents(self) -> Sequence[AgentHealth]:
        """List the agents as `reeve agents` does."""

    def providers(self) -> Sequence[Provided]:
        """List the providers of models."""

    def rules(self) -> Sequence[RuleFile]:
        """Read the rules of the person and of the repository."""
