"""What the audits of a cell allow: certificates of levels that hold at every look, alarms, and a finer threshold.

A result counts for what a person found in the order in which it was drawn for, whoever answered first. What is tested
is the final output of the whole pipeline: what was chosen and would land, once for each task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reeve.policy.confidence import kept_apart
from reeve.policy.levels import belongs
from reeve.policy.tally import PASSED_OVER, Tally
from reeve.policy.versioned import versioned
from reeve.records import Cell, Fit, Judged, Level, Policy, Scale, Trust
from reeve.stats.fitted import chance_of
from reeve.stats.levels import Levels
from reeve.stats.risk import Refused, Threshold, fixed_sequence

__all__ = ["PASSED_OVER", "Progress", "learn", "progress_of", "trust_in", "trust_of"]

NOT_ALL = "not every result may land"

Progress = tuple[tuple[float, ...], ...]
"""For each level, the evidence after each of its audits that counts; certified is where it reaches the level's bar."""


def learn(owner: Policy, tally: Tally, cell: Cell, through: int, fit: Fit | Refused) -> Policy:
    """Return the owner's policy with what is known of a cell, from all facts up to `through`.

    What it certifies rests on the results of the cell, as they are in the tally; how a confidence is made of evidence,
    the fit, is learned from those of all.
    """
    used = None if isinstance(fit, Refused) else fit
    return versioned(replace(owner, trust=(trust_in(tally, cell, owner, used),), learned_through=through, fit=used))


def trust_of(cell: Cell, results: Sequence[Judged], owner: Policy, fit: Fit | None = None) -> Trust:
    """Say what is known of a cell; `results` are its own, in the order of their draws. As `trust_in`, from nothing."""
    return trust_in(Tally(owner).extend(results), cell, owner, fit)


def trust_in(tally: Tally, cell: Cell, owner: Policy, fit: Fit | None = None) -> Trust:
    """Say what is known of a cell whose results are in the tally.

    Guarantee, with a chance of at most 1 - confidence of failing, at all looks together and over all levels: while it
    says that a level is certified, the audited results in it were wrong with a mean chance below the highest escape
    rate. Each alarm begins the cell anew at zero, with the same chance again. The audits are those of the uniform
    stream, every one of them with the same chance at its time, so they stand for all results of the level; which
    levels a result is in goes by the confidence that its draw recorded, whatever a later fit would say of it.

    Of the certified levels the one counts that holds most of the audits, so that most may land; those of a fitted
    confidence count only where there is a fit now. Where that is the level of everything, a threshold is looked for
    by `fixed_sequence`, with a `fit` on those audits alone whose tasks are kept apart from every fit. It is for one
    look: so it may hold results back that the level would let through, and never lets more through. Raises ValueError
    for a rate or confidence outside (0, 1).
    """
    now = tally.counted()
    levels = _weighed(tally.levels, tally.certificates, now.audits, now.wrong)
    usable = {place: each for place, each in enumerate(levels) if fit is not None or each.scale is not Scale.FIT}
    level = _most(usable)
    everything = level is not None and levels[level].scale is Scale.ALL
    found = _threshold(tally, owner, fit) if everything else Refused(NOT_ALL)
    return Trust(
        cell=cell,
        unseen=now.unseen,
        escapes=now.escapes,
        audits=levels[0].audits,
        wrong=levels[0].wrong,
        waiting=now.waiting,
        e_value=levels[0].e_value,
        certified=level is not None,
        more_clean_audits=min((each.more_clean_audits for each in usable.values() if not each.certified), default=0),
        alarm=now.alarmed and level is None,
        alarm_e_value=max(now.heard.stake, now.known.stake),
        threshold=found.score if isinstance(found, Threshold) else None,
        no_threshold="" if isinstance(found, Threshold) else found.reason,
        levels=levels,
        level=level,
    )


def progress_of(results: Sequence[Judged], owner: Policy) -> Progress:
    """Give the evidence of each level after each of its audits, since the cell was last begun at zero.

    The last number of a level is its `e_value` in `trust_of`.
    """
    tally = Tally(owner)
    audits, found = tally.extend(results).audits(), []
    for level, certificate in zip(tally.levels, tally.certificates.certificates(), strict=True):
        wrong, course = 0, []
        inside = (is_wrong for result, is_wrong in audits if belongs(result.draw, level))
        for number, is_wrong in enumerate(inside, start=1):
            wrong += is_wrong
            course.append(certificate.at(number, wrong).e_value)
        found.append(tuple(course))
    return tuple(found)


def _weighed(
    levels: Sequence[Level], certificates: Levels, audits: Sequence[int], wrong: Sequence[int]
) -> tuple[Level, ...]:
    """Say of each level what its audits are evidence for."""
    evidence = certificates.after(list(zip(audits, wrong, strict=True)))
    bars = [1.0 / (1.0 - each.confidence) for each in certificates.certificates()]
    return tuple(
        replace(
            level,
            audits=found.audits,
            wrong=found.wrong,
            e_value=found.e_value,
            e_value_needed=bar,
            certified=found.certified,
            more_clean_audits=found.more_clean_audits_needed,
        )
        for level, found, bar in zip(levels, evidence, bars, strict=True)
    )


def _most(usable: Mapping[int, Level]) -> int | None:
    """Find the certified level that lets most through, the first of equals; None: there is none."""
    certified = [place for place, level in usable.items() if level.certified]
    return max(certified, key=lambda place: usable[place].audits, default=None)


def _threshold(tally: Tally, owner: Policy, fit: Fit | None) -> Threshold | Refused:
    return tally.threshold("" if fit is None else fit.version, lambda: _tested(tally.audits(), owner, fit))


def _tested(audits: Sequence[tuple[Judged, bool]], owner: Policy, fit: Fit | None) -> Threshold | Refused:
    tested = audits if fit is None else [(result, wrong) for result, wrong in audits if _scored(result, fit)]
    return fixed_sequence(
        [_confidence(result, fit) for result, _ in tested],
        [wrong for _, wrong in tested],
        owner.highest_escape_rate,
        owner.confidence,
    )


def _scored(result: Judged, fit: Fit) -> bool:
    """Say whether a threshold of a fitted confidence may be tested on a result."""
    return kept_apart(result) and set(fit.features) <= result.draw.evidence.keys()


def _confidence(result: Judged, fit: Fit | None) -> float:
    """Give the confidence on the scale of today: an earlier decision may have gone by another."""
    if fit is not None:
        return chance_of(fit, result.draw.evidence)
    return result.draw.evidence.get("verdict", result.draw.confidence)
