"""What speaks for and against a result that passed, as numbers that a confidence is made of."""

from collections.abc import Mapping

from reeve.records import Cell, Outcome, Policy, Verdict
from reeve.stats.fitted import EVIDENCE

__all__ = ["evidence_of"]

UNKNOWN = 0.5


def evidence_of(
    verdict: Verdict, counts: Mapping[str, float], round_: int, cell: Cell, policy: Policy
) -> dict[str, float]:
    """Put the evidence about a result together; `counts` are the outcomes in its round, which is number `round_`.

    Nothing in it depends on what people found at other tasks: verdicts speak, of this attempt, of the others of its
    round, and of earlier ones of the agent, and the number of rounds of its own task.
    """
    share = verdict.strength.share if verdict.strength is not None else None
    surplus = verdict.surplus.lines / max(verdict.lines, 1) if verdict.surplus is not None else 0.0
    passed, failed = counts[str(Outcome.PASSED)], counts[str(Outcome.FAILED)]
    values = (
        verdict.confidence,
        UNKNOWN if share is None else share,
        float(share is not None),
        min(surplus, 1.0),
        float(verdict.surplus is not None),
        # One of those that passed is the result itself; a pass and a failure more are the lean to a half.
        max(passed, 1.0) / (max(passed, 1.0) + failed + 1.0),
        _record(cell, policy),
        float(round_ - 1),
    )
    return dict(zip(EVIDENCE, values, strict=True))


def _record(cell: Cell, policy: Policy) -> float:
    for belief in policy.beliefs:
        if (belief.agent, belief.version) == (cell.agent, cell.version):
            return belief.solved / (belief.solved + belief.unsolved)
    return UNKNOWN
