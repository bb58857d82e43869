"""How much about a result that passed is doubtful: what the second stream of audits is drawn by."""

from reeve.records import Outcome, Verdict

__all__ = ["suspicion_of"]

HALF = 4.0
"""So many lines that the checks do not need make half of what they can make of the suspicion."""

UNMEASURED = 0.5  # where it was not measured how much the tests notice
PART = 0.6  # the most that one kind of evidence makes alone
CLEAN = "nothing of it touches its examination"


def suspicion_of(verdict: Verdict) -> float:
    """Return from 0 to 1 how doubtful a result is, by evidence that did not make it fail.

    Low confidence, defects that the tests did not notice, lines that the checks do not need, findings of the check
    for integrity below a failure, and other weak evidence: each is a part from 0 to 0.6, and together they are
    1 - product of (1 - part). It orders results; it is no probability, and nothing is certified by it.
    """
    share = verdict.strength.share if verdict.strength is not None else None
    surplus = verdict.surplus.lines if verdict.surplus is not None else 0
    integrity = next((check for check in verdict.checks if check.name == "integrity"), None)
    noted = integrity is not None and integrity.outcome is Outcome.PASSED and integrity.evidence != (CLEAN,)
    weak = any(check.weak for check in verdict.checks)
    parts = (
        1.0 - min(max(verdict.confidence, 0.0), 1.0),
        UNMEASURED if share is None else 1.0 - share,
        surplus / (surplus + HALF),
        float(noted),
        float(weak),
    )
    left = 1.0
    for part in parts:
        left *= 1.0 - PART * part
    return round(1.0 - left, 4)
