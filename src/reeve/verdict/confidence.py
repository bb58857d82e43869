"""How much evidence stands behind an outcome, as one number that puts results in order."""

from reeve.records import Challenge, Measurement, Outcome, Strength, Surplus, Task
from reeve.verdict.recheck import GOOD, Recheck
from reeve.verdict.surplus import COMMENTS, FORMATTING

__all__ = ["confidence_of", "strength_of"]

UNMEASURED = 3
"""Defects that count as unnoticed where the strength of a pass was not measured."""

HALF = 4.0
"""So many unnoticed defects, or unneeded lines of code, take half of what they can take from the confidence."""

HARMLESS = (FORMATTING, COMMENTS)
"""Kinds of surplus that no result can be wrong by."""


def confidence_of(
    task: Task,
    outcome: Outcome,
    base: Measurement,
    result: Measurement | None,
    recheck: Recheck | None = None,
    challenge: Challenge | None = None,
    surplus: Surplus | None = None,
) -> float:
    """Say from 0 to 1 how much evidence stands behind an outcome.

    For a pass, kinds of evidence are counted: 0.5 for required tests that failed at the base and pass now, 0.2 for at
    least ten other tests that passed before and still do (0.1 for fewer), 0.15 for checks that no attempt could see,
    0.1 for commands, 0.05 for a base measured more than once; 0.1 less if any test disagreed with itself; commands
    alone give 0.2. What nothing proves takes from that: it is multiplied by 0.4 + 0.6 / (1 + u / 4) for u injected
    defects that the tests did not notice, and by 0.5 + 0.5 / (1 + s / 4) for s changed lines of code that the checks
    do not need. Both count, and are no shares: a larger patch has more that may be wrong. For a failure: 0.9 if it was
    seen twice, else 0.7. Unverified: 0.

    The weights are fixed and round, so that results can be ordered; `make bench-verifier` measures how well they order.
    It is no probability that a result is right; only a record of landed results gives one.
    """
    if outcome is Outcome.UNVERIFIED:
        return 0.0
    if outcome is Outcome.FAILED:
        return 0.9 if recheck is not None and recheck.confirmed else 0.7
    points = _points(task, base, result, recheck)
    return round(points * _strength_factor(challenge) * _scope_factor(surplus), 2)


def strength_of(challenge: Challenge | None) -> Strength | None:
    """Count the injected defects of a challenge; None: none were injected, so nothing is known."""
    if challenge is None or not challenge.defects:
        return None
    return Strength(sum(defect.noticed for defect in challenge.defects), len(challenge.defects))


def _points(task: Task, base: Measurement, result: Measurement | None, recheck: Recheck | None) -> float:
    if not task.checks.required:
        return 0.2
    others = sum(outcome in GOOD for outcome in base.tests.values())
    points = 0.5 + (0.2 if others >= 10 else 0.1 if others else 0.0)
    points += 0.15 if task.checks.hidden or task.checks.test_patch else 0.0
    points += 0.1 if task.checks.commands else 0.0
    points += 0.05 if base.runs > 1 else 0.0
    flaky = base.flaky or (result is not None and result.flaky) or (recheck is not None and recheck.flaky)
    return points - (0.1 if flaky else 0.0)


def _strength_factor(challenge: Challenge | None) -> float:
    strength = strength_of(challenge)
    unnoticed = UNMEASURED if strength is None else strength.injected - strength.noticed
    return 0.4 + 0.6 / (1 + unnoticed / HALF)


def _scope_factor(surplus: Surplus | None) -> float:
    if surplus is None:
        return 1.0
    unneeded = sum(lines for kind, lines in surplus.kinds.items() if kind not in HARMLESS)
    return 0.5 + 0.5 / (1 + unneeded / HALF)
