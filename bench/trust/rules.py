"""The rules that are compared. Each says whether a result that passed lands unseen, and hears what audits find."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

from reeve.stats.anytime import Alarm
from reeve.stats.levels import Levels


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

    def hear(self, version: str, score: float, wrong: bool, /) -> None:
        """Take in the result of a uniform audit."""
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

    def hear(self, _version: str, _score: float, _wrong: bool) -> None:
        pass


REVIEW_EVERYTHING = Fixed("review everything", 2.0)
LAND_WHATEVER_PASSES = Fixed("land whatever passes", 0.0)
FIXED_THRESHOLD = Fixed("fixed threshold .95", 0.95)


@dataclass
class Cell:
    """What the audits of one version found since it began at zero."""

    scores: list[float] = field(default_factory=list)
    wrongs: list[bool] = field(default_factory=list)
    threshold: float | None = None


@dataclass
class Trusted:
    """reeve's rule: what may land unseen is what the audits of this very version certify at this moment.

    `restart` False is the mistake that it avoids: the audits of earlier versions count for the next.
    """

    name: str
    highest_rate: float
    confidence: float
    audit_share: float = 0.1
    suspicion_share: float = 0.5
    restart: bool = True
    alarms: int = 0
    cells: dict[str, Cell] = field(default_factory=lambda: defaultdict(Cell))

    def lands(self, version: str, score: float) -> bool:
        threshold = self._cell(version).threshold
        return threshold is not None and score >= threshold

    def chance(self, version: str) -> float:
        return 1.0 if self._cell(version).threshold is None else self.audit_share

    def suspicion_chance(self, score: float) -> float:
        return self.suspicion_share * (1.0 - score)

    def hear(self, version: str, score: float, wrong: bool) -> None:
        cell = self._cell(version)
        cell.scores.append(score)
        cell.wrongs.append(wrong)
        # A clean audit never raises the alarm, so it need not be asked after one.
        if wrong and cell.threshold is not None and self._alarmed(cell):
            self.alarms += 1
            self.cells[version if self.restart else ""] = Cell()
            return
        cell.threshold = self._levels().after(cell.scores, cell.wrongs).threshold

    def _alarmed(self, cell: Cell) -> bool:
        inside = [
            wrong for score, wrong in zip(cell.scores, cell.wrongs, strict=True) if score >= (cell.threshold or 0.0)
        ]
        return Alarm(self.highest_rate, self.confidence).after(inside).raised

    def _levels(self) -> Levels:
        rate = self.highest_rate
        return Levels((1.0 - rate / 2.0, 1.0 - rate, 1.0 - 2.0 * rate, 0.0), rate, self.confidence)

    def _cell(self, version: str) -> Cell:
        return self.cells[version if self.restart else ""]


def all_rules(highest_rate: float, confidence: float) -> tuple[Rule, ...]:
    return (
        REVIEW_EVERYTHING,
        LAND_WHATEVER_PASSES,
        FIXED_THRESHOLD,
        Trusted("reeve", highest_rate, confidence),
        Trusted("reeve, 10 % at 90 %", 0.10, 0.90),
        Trusted("reeve, trust inherited", highest_rate, confidence, restart=False),
    )
