"""People err too: how often reviewers do, from items whose truth is known, and a rate corrected for it."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from reeve.stats.intervals import Estimate, clopper_pearson
from reeve.stats.risk import Refused

__all__ = ["Reviewers", "corrected_rate", "meant_rate"]


@dataclass(frozen=True, slots=True)
class Reviewers:
    """What reviewers said of items that were slipped in among the others, and whose truth is known.

    Of `known_bad` wrong items they `found_bad` wrong, of `known_good` right ones they `found_good` right.
    """

    known_bad: int
    found_bad: int
    known_good: int
    found_good: int

    def __post_init__(self) -> None:
        if not (0 <= self.found_bad <= self.known_bad and 0 <= self.found_good <= self.known_good):
            raise ValueError(f"more found than known cannot be: {self!r}")

    def sensitivity(self, confidence: float = 0.95) -> Estimate | Refused:
        """The share of wrong items that are found wrong, with its exact interval."""
        return _share(self.found_bad, self.known_bad, "known-bad", confidence)

    def specificity(self, confidence: float = 0.95) -> Estimate | Refused:
        """The share of right items that are found right, with its exact interval."""
        return _share(self.found_good, self.known_good, "known-good", confidence)


def corrected_rate(wrong: int, audited: int, reviewers: Reviewers, confidence: float = 0.95) -> Estimate | Refused:
    """Estimate the true rate of wrong results from audits by people who err: (q + Sp - 1) / (Se + Sp - 1).

    q is the share they called wrong, Se and Sp are `sensitivity` and `specificity`; the value is cut to [0, 1]. Assumes
    that they err alike on the seeded items and on the others, and independently. The interval is that of Lang and
    Reiczigel 2014, Preventive Veterinary Medicine 113, 13-22, with the uncertainty of Se and Sp in it: close to its
    nominal coverage, not exact. Reference for the value: Rogan and Gladen 1978, American Journal of Epidemiology 107,
    71-76. Refused without audits or without seeded items of both kinds, and where these do not show that reviewers
    tell right from wrong (the interval of Se + Sp - 1 reaches 0).

    >>> found = corrected_rate(20, 100, Reviewers(known_bad=50, found_bad=45, known_good=50, found_good=45))
    >>> round(found.value, 4)
    0.125
    """
    if not 0 <= wrong <= audited:
        raise ValueError(f"{wrong!r} wrong of {audited!r} audited cannot be")
    if not audited:
        return Refused("no result was audited")
    if not (reviewers.known_bad and reviewers.known_good):
        return Refused(f"no known-{'good' if reviewers.known_bad else 'bad'} item was reviewed")
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    n, bad, good = audited + z * z, reviewers.known_bad + 2, reviewers.known_good + 2
    called = (wrong + z * z / 2.0) / n
    se, sp = (reviewers.found_bad + 1) / bad, (reviewers.found_good + 1) / good
    se_variance, sp_variance = se * (1.0 - se) / bad, sp * (1.0 - sp) / good
    apart = se + sp - 1.0
    if apart - z * sqrt(se_variance + sp_variance) <= 0.0:
        told = f"{reviewers.found_bad} of {reviewers.known_bad} wrong items found wrong and {reviewers.found_good} of"
        return Refused(f"{told} {reviewers.known_good} right ones found right do not show that reviews tell them apart")
    rate = (called + sp - 1.0) / apart
    middle = rate + 2.0 * z * z * (rate * se_variance - (1.0 - rate) * sp_variance)
    spread = called * (1.0 - called) / n + (1.0 - rate) ** 2 * sp_variance + rate**2 * se_variance
    reach = z * sqrt(spread) / apart
    raw_se, raw_sp = reviewers.found_bad / reviewers.known_bad, reviewers.found_good / reviewers.known_good
    value = (wrong / audited + raw_sp - 1.0) / (raw_se + raw_sp - 1.0)
    low, high = _cut(middle - reach), _cut(middle + reach)
    return Estimate(min(max(value, low), high), low, high)


def meant_rate(rate: float, reviewers: Reviewers, confidence: float = 0.95) -> Estimate | Refused:
    """Give the true rate of wrong results that a rate found by reviewers stands for at most: rate / sensitivity.

    Of what is wrong they find the share Se, so the rate found is Se x the true one at least, whatever right results
    they turn down besides: the value and its ends are bounds from above, at the estimate of Se and at the ends of its
    exact interval, each cut to 1. Assumes that they find as much on the others as on the seeded items. Refused without
    known-bad items, and where none of these was found.

    >>> round(meant_rate(0.05, Reviewers(known_bad=50, found_bad=45, known_good=0, found_good=0)).value, 4)
    0.0556
    """
    found = reviewers.sensitivity(confidence)
    if isinstance(found, Refused):
        return found
    if not reviewers.found_bad:
        return Refused(f"none of the {reviewers.known_bad} known-bad items that were reviewed was found wrong")
    value, low, high = (_cut(rate / each) for each in (found.value, found.high, found.low))
    return Estimate(value, low, high)


def _share(hits: int, items: int, kind: str, confidence: float) -> Estimate | Refused:
    if not items:
        return Refused(f"no {kind} item was reviewed")
    return clopper_pearson(hits, items, confidence)


def _cut(value: float) -> float:
    return min(max(value, 0.0), 1.0)
