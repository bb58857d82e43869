"""The rules that are compared. Each says whether a result that passed lands unseen, and hears what audits find."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

from bench.trust.scores import Scored
from reeve.decision.trusted import permission
from reeve.policy.learn import learn
from reeve.policy.tally import Tally
from reeve.records import Cell, Draw, Fit, Judged, Policy
from reeve.stats.anytime import Alarm, Bets, Certificate
from reeve.stats.risk import Refused

NO_FIT = Refused("nothing to fit to")


@dataclass(frozen=True, slots=True)
class Seen:
    """One result that passed: whether it landed unseen, whether the uniform stream drew it, and what was found.

    `wrong` is None where nobody looked.
    """

    version: str
    task: str
    score: Scored
    unseen: bool
    drawn: bool
    wrong: bool | None


class Rule(Protocol):
    name: str

    def lands(self, version: str, score: Scored, /) -> bool:
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

    def lands(self, _version: str, score: Scored) -> bool:
        return score.chance >= self.least

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
    """What reeve does under `land = trusted`: its own functions decide, from the same records as in the ledger.

    `restart` False is the mistake that reeve avoids: the audits of earlier versions count for the next.
    """

    name: str
    owner: Policy
    restart: bool = True
    tallies: dict[Cell, Tally] = field(default_factory=dict)
    drawn: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    learned: dict[Cell, Policy] = field(default_factory=dict)
    fit: Fit | None = None

    def lands(self, version: str, score: Scored) -> bool:
        if score.fit is not self.fit:
            self.fit = score.fit
            self.learned.clear()
        cell = self._cell(version)
        return permission(cell, score.evidence, self._policy(cell)).granted

    def chance(self, version: str) -> float:
        cell = self._cell(version)
        trust = self._policy(cell).trust_in(cell)
        return self.owner.audit_share if trust.certified and not trust.alarm else 1.0

    def suspicion_chance(self, score: float) -> float:
        return self.owner.suspicion_share * (1.0 - score)

    def hear(self, seen: Seen) -> None:
        cell = self._cell(seen.version)
        tally = self._tally(cell)
        tally.put(self.drawn[cell], Judged(self._draw(cell, seen), seen.wrong))
        self.drawn[cell] += 1
        # What landed and was not found wrong changes nothing: no certificate hears it, no alarm rises by it.
        if seen.drawn or seen.wrong:
            self.learned.pop(cell, None)

    def _draw(self, cell: Cell, seen: Seen) -> Draw:
        """Describe a draw by its outcome; which numbers were drawn makes no difference to what is learnt."""
        return Draw(
            task=seen.task,
            attempt="",
            cell=cell,
            unseen=seen.unseen,
            confidence=seen.score.chance,
            suspicion=1.0 - seen.score.chance,
            chance=1.0 if seen.drawn else 0.0,
            number=0.5,
            suspicion_chance=0.0,
            suspicion_number=0.5,
            commitment="",
            policy="",
            evidence=seen.score.evidence,
            fit="" if seen.score.fit is None else seen.score.fit.version,
        )

    def _policy(self, cell: Cell) -> Policy:
        if cell not in self.learned:
            self.learned[cell] = learn(self.owner, self._tally(cell), cell, 0, self.fit or NO_FIT)
        return self.learned[cell]

    def _tally(self, cell: Cell) -> Tally:
        if cell not in self.tallies:
            self.tallies[cell] = Tally(self.owner)
        return self.tallies[cell]

    def _cell(self, version: str) -> Cell:
        return Cell("agent", version if self.restart else "any", "", "task", "repository")


@dataclass
class Whole:
    """What the audits of one version found since it began at zero."""

    bets: Bets
    audits: int = 0
    wrong: int = 0


@dataclass
class WholeCell:
    """Trust by one certificate for all results of a version, as if no part could be better: what levels gain over."""

    name: str
    owner: Policy
    known: dict[str, Whole] = field(default_factory=dict)

    def lands(self, version: str, _score: Scored) -> bool:
        return self._certified(version)

    def chance(self, version: str) -> float:
        return self.owner.audit_share if self._certified(version) else 1.0

    def suspicion_chance(self, score: float) -> float:
        return self.owner.suspicion_share * (1.0 - score)

    def hear(self, seen: Seen) -> None:
        if not seen.drawn or seen.wrong is None:
            return
        known = self._of(seen.version)
        known.audits += 1
        known.wrong += seen.wrong
        if seen.unseen:
            known.bets = self._alarm().hear(known.bets, wrong=seen.wrong)
        if self._alarm().goes_off(known.bets):
            del self.known[seen.version]

    def _certified(self, version: str) -> bool:
        known = self._of(version)
        return (
            Certificate(self.owner.highest_escape_rate, self.owner.confidence).at(known.audits, known.wrong).certified
        )

    def _alarm(self) -> Alarm:
        return Alarm(self.owner.highest_escape_rate, self.owner.confidence)

    def _of(self, version: str) -> Whole:
        return self.known.setdefault(version, Whole(self._alarm().begin()))


def all_rules(highest_rate: float, confidence: float) -> tuple[Rule, ...]:
    owner = Policy("owner", highest_escape_rate=highest_rate, confidence=confidence)
    lenient = Policy("lenient", highest_escape_rate=0.10, confidence=0.90)
    return (
        REVIEW_EVERYTHING,
        LAND_WHATEVER_PASSES,
        FIXED_THRESHOLD,
        Trusted("reeve", owner),
        Trusted("reeve, 10 % at 90 %", lenient),
        WholeCell("whole cell only", owner),
        WholeCell("whole cell only, 10 % at 90 %", lenient),
        Trusted("inherited", owner, restart=False),
    )
