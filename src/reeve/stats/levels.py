"""Which parts of the results are good enough, answered again after every audit.

`risk.fixed_sequence` answers it once; asked after every audit it would find by chance, sooner or later, what is not
there. Here each of a few parts, set before the first audit, has a certificate of its own that holds at every look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reeve.stats.anytime import Certificate, Evidence

__all__ = ["Levels"]

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Levels:
    """Certificates for a few parts of the results at once: which of them have a rate below `highest_rate`.

    Part i has the share `shares[i]` of the chance of failing: `anytime.Certificate` at confidence
    1 - shares[i] * (1 - confidence). The parts may overlap, as those of the results that score at least this much.
    Whoever accepts goes by one certified part at a time: two that overlap may each be good, and what lies in either
    be up to twice as often wrong.

    Guarantee: with a chance of at most 1 - confidence, over all parts and all looks together, a part is certified at
    a look at which the mean chance of being wrong, of the audited results in it, is `highest_rate` or more. It holds
    whatever the rates do in time and whether or not a higher score is safer, since nothing but the sum of the chances
    is used, and whichever certified part is chosen after the look. It needs that the parts and their shares are set
    before the first audit, and that it is known of each result which parts it is in before its own result is: a model
    that scores may learn from the audits as long as it gives no result another score afterwards. More parts cost
    little: the number of clean audits grows with the logarithm of 1 / share.

    Assumes that every result had the same chance of being audited at its time, whatever its score. Reference: the
    multiple testing of Learn then Test (Angelopoulos et al., arXiv:2110.01052) with e-values (Vovk and Wang 2021,
    Annals of Statistics 49, 1736-1754) by Bonferroni's inequality with weights; its fixed sequence would need a fixed
    first level and rates that do not drift. Raises ValueError for no shares, shares that are not above 0 or are more
    than 1 together, and numbers outside (0, 1).

    >>> levels = Levels(shares=(0.5, 0.5), highest_rate=0.05, confidence=0.95)
    >>> found = levels.after([(200, 20), (100, 0)])  # audits and wrong ones: of everything, and of what scores high
    >>> [each.certified for each in found]
    [False, True]
    """

    shares: tuple[float, ...]
    highest_rate: float
    confidence: float

    def __post_init__(self) -> None:
        if not self.shares or not all(share > 0.0 for share in self.shares) or sum(self.shares) > 1.0 + ROUNDING:
            raise ValueError(f"shares are above 0 and at most 1 together, not {self.shares!r}")
        self.certificates()

    def after(self, counts: Sequence[tuple[int, int]]) -> tuple[Evidence, ...]:
        """Weigh all audits so far: of each part how many there were, and how many found a wrong result.

        Raises ValueError where the counts do not fit the parts.
        """
        if len(counts) != len(self.shares):
            raise ValueError(f"{len(counts)} counts and {len(self.shares)} parts do not belong together")
        return tuple(each.at(audits, wrong) for each, (audits, wrong) in zip(self.certificates(), counts, strict=True))

    def certificates(self) -> tuple[Certificate, ...]:
        """Make the certificate of each part: it has its share of the chance of failing."""
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(f"a confidence lies between 0 and 1, not at {self.confidence!r}")
        return tuple(Certificate(self.highest_rate, 1.0 - share * (1.0 - self.confidence)) for share in self.shares)
