"""What a drill says of tests: the share of wrong patches that they let pass, and what may land unseen because of it.

The bound. Let F be the share of attempts that fail their checks, and f the share of wrong patches that the checks let
pass. If w of all attempts are wrong, at least w (1 - f) fail, so w <= F / (1 - f). Of all attempts w f are wrong and
pass, and 1 - F pass. So of those that pass at most

    F / (1 - F)  x  f / (1 - f)

are wrong: the odds of failing times the odds of being let pass. Right patches that fail make it larger, never smaller.
Both shares are taken at their exact upper bounds, each one-sided at 97.5 %, so that the bound holds at 95 % at least,
if the wrong patches of real attempts are let pass no more often than those of the drill.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from reeve.policy.drill import CONFIDENCE, AgentDrill
from reeve.records import WrongKind, WrongPatch
from reeve.stats.intervals import Estimate, clopper_pearson

__all__ = ["ACCEPTED", "Bound", "FileGain", "LetPass", "Suite", "escape_bound", "most_let_pass", "suite_of"]

ACCEPTED = 0.05
"""The escape rate that is spoken about where the owner named none."""

DEFECTS = (WrongKind.COVERED, WrongKind.UNCOVERED, WrongKind.DEFECT)


@dataclass(frozen=True, slots=True)
class LetPass:
    """How many wrong patches of a kind were tried, and how many of them the tests let pass."""

    tried: int
    let_pass: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class FileGain:
    """A file in which defects were let pass. `share_after` is that of all wrong patches, had these been noticed."""

    path: str
    tried: int
    let_pass: int
    share_after: float
    places: tuple[WrongPatch, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What may land unseen of one agent on these tests alone.

    `escape` is the upper bound of the share that is wrong among what passes, 0 to 1; `most_let_pass` is the share of
    wrong patches that the tests may let pass at most for `accepted` of it.
    """

    agent: str
    version: str
    failing: float
    let_pass: float
    escape: float
    accepted: float
    most_let_pass: float

    @property
    def holds(self) -> bool:
        """What passes may land unseen at the accepted rate."""
        return self.escape <= self.accepted


@dataclass(frozen=True, slots=True)
class Suite:
    """How good the tests are: all wrong patches together, each kind, and the files where more checks gain most."""

    all: LetPass | None
    by_kind: Mapping[str, LetPass]
    files: tuple[FileGain, ...]
    bounds: tuple[Bound, ...]


def suite_of(wrong: Sequence[WrongPatch], agents: Sequence[AgentDrill], accepted: float = ACCEPTED) -> Suite:
    """Count what was let pass, and bound what that lets escape for each agent."""
    whole = _counted(wrong)
    by_kind = {str(kind): _counted([one for one in wrong if one.kind is kind]) for kind in WrongKind}
    return Suite(
        whole,
        {kind: found for kind, found in by_kind.items() if found is not None},
        _files(wrong),
        tuple(_bound(agent, whole, accepted) for agent in agents if agent.share is not None and whole is not None),
    )


def _counted(wrong: Sequence[WrongPatch]) -> LetPass | None:
    if not wrong:
        return None
    count = sum(one.let_pass for one in wrong)
    return LetPass(len(wrong), count, clopper_pearson(count, len(wrong), CONFIDENCE))


def _files(wrong: Sequence[WrongPatch]) -> tuple[FileGain, ...]:
    """Order the files by what would be gained: places were drawn from all lines alike, so counts say it."""
    count = sum(one.let_pass for one in wrong)
    by_path: defaultdict[str, list[WrongPatch]] = defaultdict(list)
    for one in wrong:
        if one.kind in DEFECTS:
            by_path[one.path].append(one)
    found = []
    for path, tried in by_path.items():
        missed = sorted((one for one in tried if one.let_pass), key=lambda one: one.line)
        if missed:
            after = (count - len(missed)) / len(wrong)
            found.append(FileGain(path, len(tried), len(missed), after, tuple(missed)))
    return tuple(sorted(found, key=lambda each: (-each.let_pass, each.path)))


def _bound(agent: AgentDrill, whole: LetPass | None, accepted: float) -> Bound:
    judged = agent.passed + agent.failed
    # The upper end of a two-sided interval at 95 % is the one-sided bound at 97.5 %.
    failing = clopper_pearson(agent.failed, judged, CONFIDENCE).high
    let_pass = 1.0 if whole is None else whole.share.high
    escape = escape_bound(failing, let_pass)
    most = most_let_pass(failing, accepted)
    return Bound(agent.agent, agent.version, failing, let_pass, escape, accepted, most)


def escape_bound(failing: float, let_pass: float) -> float:
    """Bound the share that is wrong among what passes: odds(failing) x odds(let_pass), 1 at most.

    >>> escape_bound(failing=0.5, let_pass=0.2)
    0.25
    >>> escape_bound(failing=0.0, let_pass=0.9), escape_bound(failing=0.9, let_pass=1.0)
    (0.0, 1.0)
    """
    if failing <= 0.0 or let_pass <= 0.0:
        return 0.0
    return min(1.0, _odds(failing) * _odds(let_pass))


def most_let_pass(failing: float, accepted: float) -> float:
    """Give the largest share of wrong patches that may be let pass for an escape rate that is accepted.

    >>> round(most_let_pass(failing=0.5, accepted=0.05), 4)
    0.0476
    """
    if failing <= 0.0:
        return 1.0
    odds = 0.0 if failing >= 1.0 else accepted / _odds(failing)
    return odds / (1.0 + odds)


def _odds(share: float) -> float:
    return inf if share >= 1.0 else share / (1.0 - share)
