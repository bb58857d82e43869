"""How much may go wrong unseen: exact bounds for one look, and the loosest threshold that audits allow.

A rate here is always wrong / accepted, the escape rate; never wrong and accepted over everything, which is small for
anybody who accepts little. Every bound below is for one look at a number of audits that was fixed before it; whoever
looks again and again takes `reeve.stats.anytime`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, exp, isfinite, log1p

from reeve.stats.beta import log_below, quantile

__all__ = ["Refused", "Threshold", "audits_needed", "fixed_sequence", "upper_bound"]


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no answer, and why.

    `more_clean_audits_needed` is how many further audits without a wrong result would change that at best; None where
    no number of them is known to.
    """

    reason: str
    more_clean_audits_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """Results that score at least `score` may be accepted.

    `accepted` of the audited results do, `wrong` of them were wrong, `upper_bound` is the bound on their rate and
    `p_value` the chance of so few at the highest rate. `levels_passed` of `levels` were loosened to.
    """

    score: float
    accepted: int
    wrong: int
    upper_bound: float
    p_value: float
    levels_passed: int
    levels: int


def upper_bound(wrong: int, audited: int, confidence: float) -> float:
    """Bound a rate from above: the true one is higher with a chance of at most 1 - confidence. 1 without any audit.

    Assumes that the audits are independent draws from the results that were accepted, all with the same chance, and
    that their number was fixed before the first: this is for one look. Exact (Clopper and Pearson 1934, Biometrika
    26, 404-413): the quantile of Beta(wrong + 1, audited - wrong). Raises ValueError for counts that cannot be.

    >>> round(upper_bound(0, 59, 0.95), 4)
    0.0495
    """
    _counts(wrong, audited)
    _between("a confidence", confidence)
    return 1.0 if wrong == audited else quantile(confidence, wrong + 1, audited - wrong)


def audits_needed(highest_rate: float, confidence: float, wrong: int = 0) -> int:
    """Give the least number of audits, `wrong` of them wrong, whose `upper_bound` is at most `highest_rate`.

    Assumptions and reference are those of `upper_bound`.

    >>> [audits_needed(0.05, 0.95, wrong) for wrong in range(4)]
    [59, 93, 124, 153]
    """
    _between("a highest rate", highest_rate)
    _between("a confidence", confidence)
    _counts(wrong, wrong)
    low, high = wrong, 2 * wrong + 1
    while not _few(wrong, high, highest_rate, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _few(wrong, middle, highest_rate, confidence) else (middle, high)
    return high


def fixed_sequence(
    scores: Sequence[float], wrongs: Sequence[bool], highest_rate: float, confidence: float, levels: int = 30
) -> Threshold | Refused:
    """Find the loosest score from which results may be accepted, by testing from the strictest on and stopping.

    `scores` are those of audited results, higher for surer ones, and `wrongs` what the audits found. The scores are
    cut at up to `levels` places, evenly by number of results, the first where clean audits could just do. At each
    the hypothesis "more than `highest_rate` of those above are wrong" is tested with the exact binomial chance of so
    few wrong ones; the first that is not rejected ends it. Equal scores are never parted.

    Assumes that the scores come from a model that has seen none of these results (`calibration.split`), that these
    are a random draw from those to come, independent of each other (one for each task or family of tasks), and that
    this is the one look at them. Then the share of wrong ones among those accepted is above `highest_rate` with a
    chance of at most 1 - confidence. The places are taken from the scores alone: given them, the number of wrong ones
    is a sum of independent draws with unequal chances, which is less often as low as the binomial one (Hoeffding
    1956), so the promise is exact for the results scored here and holds for those to come as far as their scores are
    spread alike.

    Reference: Angelopoulos et al., Learn then Test, arXiv:2110.01052, fixed-sequence testing. Refused with fewer
    results than clean audits would need, and where already the surest ones are too often wrong. Raises ValueError for
    scores that are no numbers and for columns of unequal length.

    >>> scores = [1 - n / 200 for n in range(200)]
    >>> found = fixed_sequence(scores, [score < 0.5 for score in scores], highest_rate=0.05, confidence=0.9)
    >>> found.accepted, found.wrong, found.score
    (99, 0, 0.51)
    """
    if len(scores) != len(wrongs):
        raise ValueError(f"{len(scores)} scores and {len(wrongs)} results of audits do not belong together")
    if not all(isfinite(score) for score in scores):
        raise ValueError("a score is a number: nan and infinity were found")
    if levels < 1:
        raise ValueError(f"at least one level is tested, not {levels!r}")
    fewest = audits_needed(highest_rate, confidence)
    if len(scores) < fewest:
        reason = f"{len(scores)} audited results; {fewest} without a wrong one are the fewest that could do"
        return Refused(reason, fewest - len(scores))
    ordered = sorted(zip(scores, map(bool, wrongs), strict=True), key=lambda each: -each[0])
    cuts = _cuts([score for score, _ in ordered], fewest, levels)
    wrong_up_to = list(accumulate(wrong for _, wrong in ordered))
    counts = [wrong_up_to[cut - 1] for cut in cuts]
    passed = 0
    while passed < len(cuts) and _few(counts[passed], cuts[passed], highest_rate, confidence):
        passed += 1
    if not passed:
        return _too_many_wrong(counts[0], cuts[0], highest_rate, confidence)
    accepted, wrong = cuts[passed - 1], counts[passed - 1]
    return Threshold(
        score=ordered[accepted - 1][0],
        accepted=accepted,
        wrong=wrong,
        upper_bound=upper_bound(wrong, accepted, confidence),
        p_value=_chance_of_so_few(wrong, accepted, highest_rate),
        levels_passed=passed,
        levels=len(cuts),
    )


def _too_many_wrong(wrong: int, surest: int, highest_rate: float, confidence: float) -> Refused:
    more = audits_needed(highest_rate, confidence, wrong) - surest
    found = "more" if wrong == surest else f"up to {upper_bound(wrong, surest, confidence):.1%}"
    reason = f"{wrong} of the {surest} surest results were wrong: {found} may be, and {highest_rate:.1%} is the highest"
    return Refused(reason, more)


def _cuts(descending: Sequence[float], fewest: int, levels: int) -> list[int]:
    """Give how many results lie above each threshold, each cut moved down to the last of its equals."""
    last = len(descending)
    steps = range(levels)
    wanted = {fewest + ceil((last - fewest) * step / (levels - 1)) if levels > 1 else last for step in steps}
    cuts = set()
    for cut in wanted:
        end = cut
        while end < last and descending[end] == descending[cut - 1]:
            end += 1
        cuts.add(end)
    return sorted(cuts)


def _few(wrong: int, audited: int, highest_rate: float, confidence: float) -> bool:
    """Tell whether so few wrong ones would come with a chance of at most 1 - confidence at the highest rate."""
    return _chance_of_so_few(wrong, audited, highest_rate) <= 1.0 - confidence


def _chance_of_so_few(wrong: int, audited: int, rate: float) -> float:
    if wrong == audited:
        return 1.0
    if wrong == 0:
        return exp(audited * log1p(-rate))
    return exp(log_below(1.0 - rate, audited - wrong, wrong + 1))


def _counts(wrong: int, audited: int) -> None:
    if not 0 <= wrong <= audited:
        raise ValueError(f"{wrong!r} wrong of {audited!r} audited cannot be")


def _between(what: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{what} lies between 0 and 1, not at {value!r}")
