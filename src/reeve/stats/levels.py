"""From which score on may results be accepted, answered again after every audit.

`risk.fixed_sequence` answers it once; asked after every audit it would find by chance, sooner or later, what is not
there. Here each of a few thresholds, set before the first audit, has a certificate of its own that holds at every look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from reeve.stats.anytime import Certificate, Evidence

__all__ = ["Granted", "Level", "Levels"]


@dataclass(frozen=True, slots=True)
class Level:
    """What the audits say of the results that score at least `score`."""

    score: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Granted:
    """The levels, the strictest first, and from which score on results may be accepted now.

    `threshold` is the score of the loosest certified level, None where none is. `more_clean_audits_needed` is the
    least number of further audits without a wrong result, all of them in the level that is nearest, after which one
    more level is certified; 0 where all are.
    """

    levels: tuple[Level, ...]
    threshold: float | None
    more_clean_audits_needed: int


@dataclass(frozen=True, slots=True)
class Levels:
    """Certificates for a few `thresholds` at once: which parts of the results have a rate below `highest_rate`.

    Each level tests the results that score at least its threshold, with the same part of the chance of failing:
    `anytime.Certificate` at confidence 1 - (1 - confidence) / levels. The loosest certified level is the answer.

    Guarantee: with a chance of at most 1 - confidence, over all levels and all looks together, a level is certified at
    a look at which the mean chance of being wrong, of the audited results in it, is `highest_rate` or more. It holds
    whatever the rates do in time and whether or not a higher score is safer, since nothing but the sum of the chances
    is used. It needs that the thresholds are set before the first audit, and each score before its result is known: a
    model may learn from the audits as long as it gives no result another score afterwards. More levels cost little:
    the number of clean audits grows with the logarithm of the number of levels.

    Assumes that every result had the same chance of being audited at its time, whatever its score. Reference: the
    multiple testing of Learn then Test (Angelopoulos et al., arXiv:2110.01052) with e-values (Vovk and Wang 2021,
    Annals of Statistics 49, 1736-1754) by Bonferroni's inequality; its fixed sequence would need a fixed first level
    and rates that do not drift. Raises ValueError for no thresholds, equal ones, and numbers outside (0, 1).

    >>> levels = Levels(thresholds=(0.95, 0.0), highest_rate=0.05, confidence=0.95)
    >>> found = levels.after(scores=[0.99, 0.4] * 100, wrongs=[False, False] * 80 + [False, True] * 20)
    >>> found.threshold, [level.evidence.certified for level in found.levels]
    (0.95, [True, False])
    """

    thresholds: tuple[float, ...]
    highest_rate: float
    confidence: float

    def __post_init__(self) -> None:
        distinct = set(self.thresholds)
        if not distinct or len(distinct) < len(self.thresholds) or not all(map(isfinite, distinct)):
            raise ValueError(f"thresholds are one number or more, each once, not {self.thresholds!r}")
        self._certificate()

    def after(self, scores: Sequence[float], wrongs: Sequence[bool]) -> Granted:
        """Weigh the results of all audits so far, each with its score; raises ValueError where these do not fit."""
        if len(scores) != len(wrongs):
            raise ValueError(f"{len(scores)} scores and {len(wrongs)} results of audits do not belong together")
        if not all(map(isfinite, scores)):
            raise ValueError("a score is a number: nan or infinity was found")
        certificate = self._certificate()
        levels = []
        for threshold in sorted(self.thresholds, reverse=True):
            inside = [bool(wrong) for score, wrong in zip(scores, wrongs, strict=True) if score >= threshold]
            levels.append(Level(threshold, certificate.after(inside)))
        certified = [level.score for level in levels if level.evidence.certified]
        missing = [level.evidence.more_clean_audits_needed for level in levels if not level.evidence.certified]
        return Granted(tuple(levels), min(certified, default=None), min(missing, default=0))

    def _certificate(self) -> Certificate:
        """Make the certificate of each level: it has its part of the chance of failing."""
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(f"a confidence lies between 0 and 1, not at {self.confidence!r}")
        return Certificate(self.highest_rate, 1.0 - (1.0 - self.confidence) / len(self.thresholds))
