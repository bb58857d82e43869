"""The rules that are compared. Each says whether a result that passed lands unseen, and hears what audits find."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

from reeve.decision.trusted import permission
from reeve.policy.learn import learn
from reeve.records import Cell, Draw, Judged, Policy
from reeve.stats.anytime import Alarm
from reeve.stats.levels import Levels


@dataclass(frozen=True, slots=True)
class Seen:
    """One result that passed: whether it landed unseen, whether the uniform stream drew it, and what was found.

    `wrong` is None where nobody looked.
    """

    version: str
    score: float
    unseen: bool
    drawn: bool
    wrong: bool | None


class Rule(Protocol):
    name: str

    def lands(self, version: str, score: float, /) -> bool:
        """Whether a result that passed lands without a look."""
        ...

    def chance(self, version: str, /) -> float:
        """The chance of an audit, the same for every result of a version at this time."""
        ...

    def suspicion_chance(self, score: float, /) -> float:
        """The chance of an audit because of what is doubtful about a result that landed unseen."""
        ...

    def hear(self, seen: Seen, /) -> None:
        """Take in what came of a result."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Land what scores at least `least`, for ever, and look at nothing that landed."""

    name: str
    least: float

    def lands(self, _version: str, score: float) -> bool:
        return score >= self.least

    def chance(self, _version: str) -> float:
        return 0.0

    def suspicion_chance(self, _score: float) -> float:
        return 0.0

    def hear(self, _seen: Seen) -> None:
        pass


REVIEW_EVERYTHING = Fixed("review everything", 2.0)
LAND_WHATEVER_PASSES = Fixed("land whatever passes", 0.0)
FIXED_THRESHOLD = Fixed("fixed threshold .95", 0.95)


@dataclass
class Trusted:
    """What reeve does under `land = trusted`: its own functions decide, from the same records as in the ledger."""

    name: str
    owner: Policy
    policies: dict[str, Policy] = field(default_factory=dict)
    judged: dict[str, list[Judged]] = field(default_factory=lambda: defaultdict(list))

    def lands(self, version: str, score: float) -> bool:
        return permission(self._cell(version), {"verdict": score}, self._policy(version)).granted

    def chance(self, version: str) -> float:
        trust = self._policy(version).trust_in(self._cell(version))
        return self.owner.audit_share if trust.certified and not trust.alarm else 1.0

    def suspicion_chance(self, score: float) -> float:
        return self.owner.suspicion_share * (1.0 - score)

    def hear(self, seen: Seen) -> None:
        cell = self._cell(seen.version)
        self.judged[cell.version].append(Judged(self._draw(cell, seen), seen.wrong))
        # What landed and was not found wrong changes nothing: the certificate does not hear it, an alarm not rise by it.
        if seen.drawn or seen.wrong:
            self.policies[cell.version] = learn(self.owner, cell, {cell: self.judged[cell.version]}, 0)

    def _draw(self, cell: Cell, seen: Seen) -> Draw:
        """Describe a draw by its outcome; which numbers were drawn makes no difference to what is learnt."""
        return Draw(
            task="",
            attempt="",
            cell=cell,
            unseen=seen.unseen,
            confidence=seen.score,
            suspicion=1.0 - seen.score,
            chance=1.0 if seen.drawn else 0.0,
            number=0.5,
            suspicion_chance=0.0,
            suspicion_number=0.5,
            commitment="",
            policy="",
        )

    def _policy(self, version: str) -> Policy:
        cell = self._cell(version)
        if cell.version not in self.policies:
            self.policies[cell.version] = learn(self.owner, cell, {}, 0)
        return self.policies[cell.version]

    def _cell(self, version: str) -> Cell:
        return Cell("agent", version, "", "task", "repository")


@dataclass
class Audits:
    """What the audits of one version found since it began at zero."""

    scores: list[float] = field(default_factory=list)
    wrongs: list[bool] = field(default_factory=list)
    threshold: float | None = None


@dataclass
class ByLevels:
    """The part of the results that scores high may be certified where the whole is not: `stats.levels`.

    `restart` False is the mistake that reeve avoids: the audits of earlier versions count for the next.
    """

    name: str
    owner: Policy
    restart: bool = True
    alarms: int = 0
    audits: dict[str, Audits] = field(default_factory=lambda: defaultdict(Audits))

    def lands(self, version: str, score: float) -> bool:
        threshold = self._of(version).threshold
        return threshold is not None and score >= threshold

    def chance(self, version: str) -> float:
        return 1.0 if self._of(version).threshold is None else self.owner.audit_share

    def suspicion_chance(self, score: float) -> float:
        return self.owner.suspicion_share * (1.0 - score)

    def hear(self, seen: Seen) -> None:
        if not seen.drawn or seen.wrong is None:
            return
        audits = self._of(seen.version)
        audits.scores.append(seen.score)
        audits.wrongs.append(seen.wrong)
        # A clean audit never raises the alarm, so it need not be asked after one.
        if seen.wrong and audits.threshold is not None and self._alarmed(audits, audits.threshold):
            self.alarms += 1
            self.audits[seen.version if self.restart else ""] = Audits()
            return
        audits.threshold = self._levels().after(audits.scores, audits.wrongs).threshold

    def _of(self, version: str) -> Audits:
        return self.audits[version if self.restart else ""]

    def _alarmed(self, audits: Audits, threshold: float) -> bool:
        inside = [wrong for score, wrong in zip(audits.scores, audits.wrongs, strict=True) if score >= threshold]
        return Alarm(self.owner.highest_escape_rate, self.owner.confidence).after(inside).raised

    def _levels(self) -> Levels:
        rate = self.owner.highest_escape_rate
        return Levels((1.0 - rate / 2.0, 1.0 - rate, 1.0 - 2.0 * rate, 0.0), rate, self.owner.confidence)


def all_rules(highest_rate: float, confidence: float) -> tuple[Rule, ...]:
    owner = Policy("owner", highest_escape_rate=highest_rate, confidence=confidence)
    lenient = Policy("lenient", highest_escape_rate=0.10, confidence=0.90)
    return (
        REVIEW_EVERYTHING,
        LAND_WHATEVER_PASSES,
        FIXED_THRESHOLD,
        Trusted("reeve", owner),
        Trusted("reeve, 10 % at 90 %", lenient),
        ByLevels("by levels", owner),
        ByLevels("by levels, 10 % at 90 %", lenient),
        ByLevels("by levels, inherited", owner, restart=False),
    )
