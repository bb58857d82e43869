"""What the audits of a cell allow: a certificate that holds at every look, alarms, and a threshold of confidence.

A result counts for what a person found in the order in which it was drawn for, whoever answered first. What is tested
is the final output of the whole pipeline: what was chosen and would land, once for each task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from reeve.policy.confidence import fit_of, kept_apart
from reeve.policy.versioned import versioned
from reeve.records import Cell, Fit, Judged, Policy, Trust
from reeve.stats.anytime import Alarm, Certificate
from reeve.stats.fitted import EVIDENCE, chance_of
from reeve.stats.risk import Refused, Threshold, audits_needed, fixed_sequence
from reeve.units import plural

__all__ = ["PASSED_OVER", "fit_for", "learn", "progress_of", "trust_of"]

PASSED_OVER = 10
"""An audit without an answer counts as wrong, for the certificate, once so many drawn after it have one: whoever leaves
out what is hard to judge must not gain by it, and a wrong one more can only make the certificate harder to get."""


def learn(owner: Policy, cell: Cell, results: Mapping[Cell, Sequence[Judged]], through: int) -> Policy:
    """Return the owner's policy with what is known of a cell, from the results of all up to the fact `through`.

    What it certifies rests on the cell's own; how a confidence is made of evidence is learned from all.
    """
    own = results.get(cell, ())
    fit = fit_for(own, fit_of(chain.from_iterable(results.values())), owner)
    used = None if isinstance(fit, Refused) else fit
    return versioned(replace(owner, trust=(trust_of(cell, own, owner, used),), learned_through=through, fit=used))


def fit_for(results: Sequence[Judged], fit: Fit | Refused, owner: Policy) -> Fit | Refused:
    """Say whether a fit makes the confidence of a cell: it does once as many audits that it never saw could do.

    The audits are counted and not looked into: whichever confidence is taken, its threshold is tested on answers
    that had no part in the choice.
    """
    if isinstance(fit, Refused):
        return fit
    start, _ = _begun(results, owner)
    apart = sum(_scored(result) for result, _ in _uniform(results[start:]))
    needed = audits_needed(owner.highest_escape_rate, owner.confidence)
    if apart < needed:
        return Refused(f"{plural(apart, 'audit')} of the half that fit {fit.version} never sees, {needed} are needed")
    return fit


def trust_of(cell: Cell, results: Sequence[Judged], owner: Policy, fit: Fit | None = None) -> Trust:
    """Say what is known of a cell; `results` are its own, in the order of their draws.

    Guarantee, with a chance of at most 1 - confidence of failing, at all looks together: while it says certified, the
    audited results were wrong with a mean chance below the highest escape rate. Each alarm begins it anew at zero,
    with the same chance again. The audits are those of the uniform stream, every one of them with the same chance
    at its time, so they stand for all results of the cell. With a `fit`, the threshold is one of its confidence, and
    is tested on those audits alone whose tasks are kept apart from every fit; the certificate and the alarms hear all
    audits, since no score has a part in them. Raises ValueError for a rate or confidence outside (0, 1).
    """
    start, alarmed = _begun(results, owner)
    rest = results[start:]
    audits = _uniform(rest)
    wrongs = [wrong for _, wrong in audits]
    evidence = Certificate(owner.highest_escape_rate, owner.confidence).after(wrongs)
    tested = audits if fit is None else [(result, wrong) for result, wrong in audits if _scored(result)]
    found = fixed_sequence(
        [_confidence(result, fit) for result, _ in tested],
        [wrong for _, wrong in tested],
        owner.highest_escape_rate,
        owner.confidence,
    )
    unseen = [result for result in rest if result.draw.unseen]
    return Trust(
        cell=cell,
        unseen=len(unseen),
        escapes=sum(result.wrong is True for result in unseen),
        audits=evidence.audits,
        wrong=evidence.wrong,
        waiting=sum(result.draw.uniform and result.wrong is None for result in rest),
        e_value=evidence.e_value,
        certified=evidence.certified,
        more_clean_audits=evidence.more_clean_audits_needed,
        alarm=alarmed and not evidence.certified,
        alarm_e_value=max(_alarm(rest, owner)[1]),
        threshold=found.score if isinstance(found, Threshold) else None,
        no_threshold="" if isinstance(found, Threshold) else found.reason,
    )


def progress_of(results: Sequence[Judged], owner: Policy) -> tuple[float, ...]:
    """Give the evidence after each audit that counts, since the cell was last begun at zero.

    The last number is the `e_value` of `trust_of`; certified is where it reaches 1 / (1 - confidence).
    """
    start, _ = _begun(results, owner)
    certificate = Certificate(owner.highest_escape_rate, owner.confidence)
    wrong, found = 0, []
    for audits, (_, is_wrong) in enumerate(_uniform(results[start:]), start=1):
        wrong += is_wrong
        found.append(certificate.at(audits, wrong).e_value)
    return tuple(found)


def _scored(result: Judged) -> bool:
    """Say whether a threshold of a fitted confidence may be tested on a result."""
    return kept_apart(result) and set(EVIDENCE) <= result.draw.evidence.keys()


def _confidence(result: Judged, fit: Fit | None) -> float:
    """Give the confidence on the scale of today: an earlier decision may have gone by another."""
    if fit is not None:
        return chance_of(fit, result.draw.evidence)
    return result.draw.evidence.get("verdict", result.draw.confidence)


def _uniform(results: Sequence[Judged]) -> list[tuple[Judged, bool]]:
    """List the audits that count, in the order of their draws, with what was found."""
    drawn = [result for result in results if result.draw.uniform]
    later = sum(result.wrong is not None for result in drawn)
    found = []
    for result in drawn:
        if result.wrong is not None:
            later -= 1
            found.append((result, result.wrong))
        elif later >= PASSED_OVER:
            found.append((result, True))
    return found


def _begun(results: Sequence[Judged], owner: Policy) -> tuple[int, bool]:
    """Find where the cell was last begun at zero, and whether that was after an alarm."""
    start, alarmed = 0, False
    while (raised := _alarm(results[start:], owner)[0]) is not None:
        start, alarmed = start + raised + 1, True
    return start, alarmed


def _alarm(results: Sequence[Judged], owner: Policy) -> tuple[int | None, tuple[float, float]]:
    """Find the first result at which an alarm goes off, and what both have by now.

    One hears the audits of the uniform stream. The other hears all that landed without a look, each as right unless
    somebody found it wrong, by whatever way: that it misses some makes it slower, never false. Each has half of the
    chance of a false alarm.
    """
    alarm = Alarm(owner.highest_escape_rate, (1.0 + owner.confidence) / 2.0)
    audits = [(place, each.wrong) for place, each in enumerate(results) if each.draw.uniform and each.wrong is not None]
    unseen = [(place, each.wrong is True) for place, each in enumerate(results) if each.draw.unseen]
    places, values = [], []
    for heard in (audits, unseen):
        alert = alarm.after([wrong for _, wrong in heard])
        values.append(alert.e_value)
        if alert.raised_after is not None:
            places.append(heard[alert.raised_after - 1][0])
    return min(places, default=None), (values[0], values[1])
