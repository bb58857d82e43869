"""Which attempt of a round is best."""

from collections.abc import Sequence

from reeve.records import Outcome, Policy, Ranked, Selection, Verdict
from reeve.units import plural

__all__ = ["RULE", "choose"]

RULE = "smallest-needed-patch"
"""Among passed attempts: fewest lines that the checks need, then fewest lines, then least time, then first."""

_ORDER = {Outcome.PASSED: 0, Outcome.UNVERIFIED: 1, Outcome.FAILED: 2}


def choose(task_id: str, round: int, verdicts: Sequence[Verdict], policy: Policy) -> Selection:  # noqa: A002
    """Choose among the verdicts of one round; nothing is chosen unless something passed.

    The whole ranking is kept: passed before unverified before failed, within each by the rule. Lines that were not
    measured as needed count as needed. This release has one rule, so the policy does not change the choice yet.
    """
    del policy
    ranked = sorted(verdicts, key=_preference)
    passed = [verdict for verdict in ranked if verdict.outcome is Outcome.PASSED]
    return Selection(
        task=task_id,
        round=round,
        chosen=passed[0].attempt if passed else None,
        ranking=tuple(
            Ranked(verdict.attempt, verdict.outcome, verdict.needed_lines, verdict.wall_seconds) for verdict in ranked
        ),
        rule=RULE,
        reason=_reason(ranked, passed),
    )


def _preference(verdict: Verdict) -> tuple[int, int, int, float, tuple[str, int, str]]:
    return (_ORDER[verdict.outcome], _needed(verdict), verdict.lines, verdict.wall_seconds, _natural(verdict.attempt))


def _needed(verdict: Verdict) -> int:
    return verdict.lines if verdict.needed_lines is None else verdict.needed_lines


def _natural(attempt: str) -> tuple[str, int, str]:
    task, _, number = attempt.rpartition(".")
    return (task, int(number) if number.isdigit() else 0, attempt)


def _reason(ranked: Sequence[Verdict], passed: Sequence[Verdict]) -> str:
    if not ranked:
        return "there was no attempt to choose from"
    if not passed:
        counts = [
            (outcome, sum(v.outcome is outcome for v in ranked)) for outcome in (Outcome.UNVERIFIED, Outcome.FAILED)
        ]
        said = " and ".join(f"{count} {outcome}" for outcome, count in counts if count)
        return f"none of {plural(len(ranked), 'attempt')} passed: {said}"
    best = passed[0]
    if len(passed) == 1:
        return f"{best.attempt} is the only one of {plural(len(ranked), 'attempt')} that passed"
    second = passed[1]
    for said, mine, other in (
        ("needs the fewest changed lines", f"{_needed(best)}", f"{_needed(second)}"),
        ("changes the fewest lines", f"{best.lines}", f"{second.lines}"),
        ("took the least time", f"{best.wall_seconds:.2f} s", f"{second.wall_seconds:.2f} s"),
    ):
        if mine != other:
            return f"{best.attempt} {said} of {len(passed)} that passed: {mine} against {other} of {second.attempt}"
    return f"{best.attempt} is the first of {len(passed)} equal ones that passed"
