"""Audits that never end: a certificate and an alarm that hold at every look, and the rate that chosen audits tell.

Both are bets against a hypothesis (e-processes): the stake of 1 grows only if the hypothesis is wrong, and by Ville's
inequality reaches 1 / delta with a chance of at most delta if it is right, however often somebody looks and whenever
they stop. Reference: Ramdas et al. 2023, Game-theoretic statistics and safe anytime-valid inference,
arXiv:2210.01948; Waudby-Smith and Ramdas 2024, Estimating means of bounded random variables by betting,
arXiv:2010.09686.

What they hear must be a uniform random draw of what was accepted, made without knowing the result, in the order of the
draws, and none left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, fsum, log, log1p

from reeve.stats.beta import log_below, log_beta
from reeve.stats.risk import Refused

__all__ = ["Alarm", "Alert", "Bets", "Certificate", "Evidence", "weighted_rate"]

PRIOR_CLEAN = 1.0
PRIOR_WRONG = 1.5
"""The stakes are spread over rates as Beta(1, 1.5 / highest_rate), cut off at the highest rate."""

TIMES_THE_RATE = (1.5, 2.0, 3.0, 5.0, 10.0)
"""Rates that the alarm bets on, as multiples of the highest; each gets the same stake."""

REMEMBERED = 16_384
LARGEST_LOG = 700.0  # beyond, a float cannot tell the e-value


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the audits so far say: `certified`, or how many more clean ones it takes at least.

    `e_value` is by how much the stake has grown (cut at e**700). It may fall again, and `certified` with it.
    """

    e_value: float
    certified: bool
    audits: int
    wrong: int
    more_clean_audits_needed: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """Tells after any number of audits whether the rate of wrong results is below `highest_rate`.

    Tests "the rate is at least `highest_rate`" by betting with every lower rate q: an audit multiplies the stake by
    q / highest_rate if the result was wrong and by (1 - q) / (1 - highest_rate) if not.

    Guarantee, with a chance of at most 1 - confidence of failing:
    - for a constant rate: if it is `highest_rate` or more, no look ever says certified;
    - for a rate that drifts, even in answer to the audits: whenever a look says certified, the mean of the chances
      that the audited results had of being wrong is below `highest_rate`. For each q the stake is at most a
      martingale times (1 + b (highest_rate - mean))**audits with b > 0, by the inequality of the arithmetic and
      geometric means, so at most the martingale while the mean is at least `highest_rate`.
    The mean is that of all audits so far, not of the last ones: a rate that has just risen is for `Alarm` to notice,
    and a new version of an agent is no drift but a new certificate. `certified` is about this look, not about an
    earlier one: under drift only that is true.

    Reference: the mixture over q is the method of mixtures of Robbins 1970, Annals of Mathematical Statistics 41,
    1397-1409, in closed form by the incomplete beta function. Raises ValueError for numbers outside (0, 1).

    >>> certificate = Certificate(highest_rate=0.05, confidence=0.95)
    >>> certificate.after([False] * 78).more_clean_audits_needed
    1
    >>> certificate.after([False] * 79).certified
    True
    """

    highest_rate: float
    confidence: float

    def __post_init__(self) -> None:
        _check(self.highest_rate, self.confidence)

    def after(self, wrongs: Sequence[bool]) -> Evidence:
        """Weigh the results of all audits so far: True where the result was wrong."""
        return self.at(len(wrongs), sum(map(bool, wrongs)))

    def at(self, audits: int, wrong: int) -> Evidence:
        """Weigh `audits` of which `wrong` found a wrong result; their order does not matter."""
        if not 0 <= wrong <= audits:
            raise ValueError(f"{wrong!r} wrong of {audits!r} audited cannot be")
        return _evidence(self, audits, wrong)

    def _weigh(self, audits: int, wrong: int) -> Evidence:
        more = self._more_clean(audits, wrong)
        stake = exp(min(self._log_stake(audits, wrong), LARGEST_LOG))
        return Evidence(stake, more == 0, audits, wrong, more)

    def _more_clean(self, audits: int, wrong: int) -> int:
        """Search for the least number of clean audits that reach the bar: each one raises the stake."""
        bar = -log1p(-self.confidence)
        missing = bar - self._log_stake(audits, wrong)
        if missing <= 0.0:
            return 0
        low = max(0, ceil(missing / -log1p(-self.highest_rate)) - 1)  # the best bet of all gains no faster
        if self._log_stake(audits + low, wrong) >= bar:
            low = 0  # by rounding
        step, high = 1, low + 1
        while self._log_stake(audits + high, wrong) < bar:
            low, step = high, 2 * step
            high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._log_stake(audits + middle, wrong) < bar else (low, middle)
        return high

    def _log_stake(self, audits: int, wrong: int) -> float:
        rate, clean = self.highest_rate, audits - wrong
        a, b = PRIOR_CLEAN, PRIOR_WRONG / rate
        mixed = log_beta(a + wrong, b + clean) + log_below(rate, a + wrong, b + clean)
        return mixed - log_beta(a, b) - log_below(rate, a, b) - wrong * log(rate) - clean * log1p(-rate)


@lru_cache(maxsize=REMEMBERED)
def _evidence(certificate: Certificate, audits: int, wrong: int) -> Evidence:
    return certificate._weigh(audits, wrong)  # noqa: SLF001 - the same counts are asked for at every decision


@dataclass(frozen=True, slots=True)
class Alert:
    """What the alarm says: `raised_after` is the number of audits at which it went off first, None if it did not.

    `e_value` is by how much the stake has grown by now, or had when it went off.
    """

    e_value: float
    raised_after: int | None
    audits: int
    wrong: int

    @property
    def raised(self) -> bool:
        """Whether it has gone off; it stays so until it is set anew."""
        return self.raised_after is not None


@dataclass(frozen=True, slots=True)
class Bets:
    """Where an alarm stands after so many `audits`: what lies on each of its bets, and the stake as a whole."""

    audits: int
    placed: tuple[float, ...]
    stake: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """Goes off when the rate of wrong results has become higher than `highest_rate`, from the start or from any time.

    Tests "every audited result had a chance of at most `highest_rate` of being wrong", whatever that chance did below
    it, by betting with higher rates q: an audit multiplies what is staked by q / highest_rate if the result was wrong
    and by (1 - q) / (1 - highest_rate) if not. A bet placed at the start would be lost by the time a good agent turns
    bad; so a part of the stake is kept back, and before audit j the part ln 2 / ln(j + 1) - ln 2 / ln(j + 2) of it is
    placed.

    Guarantee: if the rate never exceeds `highest_rate`, it goes off in the whole life with a chance of at most
    1 - confidence. How fast it goes off is measured, not promised: see docs/trust.md. Reference: Shin, Ramdas and
    Rinaldo 2023, E-detectors, arXiv:2203.03532, with weights that add up to 1: they bound the chance of any false
    alarm rather than how often one comes. Raises ValueError for numbers outside (0, 1).

    >>> alarm = Alarm(highest_rate=0.05, confidence=0.95)
    >>> alarm.after([False] * 200).raised
    False
    >>> alarm.after([False] * 200 + [True, False] * 8).raised
    True
    """

    highest_rate: float
    confidence: float

    def __post_init__(self) -> None:
        _check(self.highest_rate, self.confidence)

    def after(self, wrongs: Sequence[bool]) -> Alert:
        """Weigh the results of all audits so far, in their order: True where the result was wrong."""
        bets = self.begin()
        for wrong in wrongs:
            bets = self.hear(bets, wrong=wrong)
            if self.goes_off(bets):
                return Alert(bets.stake, bets.audits, len(wrongs), sum(map(bool, wrongs)))
        return Alert(bets.stake, None, len(wrongs), sum(map(bool, wrongs)))

    def begin(self) -> Bets:
        """Return where it stands before the first audit."""
        return Bets(0, (0.0,) * len(TIMES_THE_RATE), 1.0)

    def hear(self, bets: Bets, *, wrong: bool) -> Bets:
        """Return where it stands after one audit more."""
        number = bets.audits + 1
        kept = _kept(number)
        new = (1.0 if number == 1 else _kept(number - 1)) - kept
        placed = tuple(
            (each + new) * self._factor(q, wrong) for each, q in zip(bets.placed, self._rates(), strict=True)
        )
        return Bets(number, placed, kept + fsum(placed) / len(placed))

    def goes_off(self, bets: Bets) -> bool:
        """Say whether it goes off where it stands."""
        return bets.stake >= 1.0 / (1.0 - self.confidence)

    def _rates(self) -> tuple[float, ...]:
        """Give the rates to bet on; a multiple that would not be below 1 is drawn half the way there."""
        rate = self.highest_rate
        return tuple(min(times * rate, (1.0 + rate) / 2.0) for times in TIMES_THE_RATE)

    def _factor(self, q: float, wrong: bool) -> float:
        return q / self.highest_rate if wrong else (1.0 - q) / (1.0 - self.highest_rate)


def weighted_rate(wrongs: Sequence[bool], chances: Sequence[float]) -> float | Refused:
    """Estimate the rate of wrong results from audits that were drawn with unequal `chances`, known before the draw.

    Each audit counts 1 / chance (Hajek 1971): consistent if every result that was accepted could have been drawn. A
    point estimate and no more: a few rarely drawn results carry most of the weight, so it certifies nothing; for that
    there is the uniform stream. Refused without any audit. Raises ValueError for a chance outside (0, 1].

    >>> weighted_rate([True, False], [1.0, 0.25])
    0.2
    """
    if len(wrongs) != len(chances):
        raise ValueError(f"{len(wrongs)} results of audits and {len(chances)} chances do not belong together")
    if not all(0.0 < chance <= 1.0 for chance in chances):
        raise ValueError("the chance of being drawn lies above 0 and is at most 1")
    if not wrongs:
        return Refused("no result was audited")
    weights = [1.0 / chance for chance in chances]
    return fsum(weight for weight, wrong in zip(weights, wrongs, strict=True) if wrong) / fsum(weights)


def _kept(number: int) -> float:
    """Give the part of the alarm's stake that is still kept back at this audit."""
    return log(2.0) / log(number + 2)


def _check(highest_rate: float, confidence: float) -> None:
    for what, value in (("a highest rate", highest_rate), ("a confidence", confidence)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"{what} lies between 0 and 1, not at {value!r}")
