"""May a result that passed land without a look: one rule, computed from what audits say of its cell."""

from dataclasses import dataclass

from reeve.records import Cell, Policy, Trust
from reeve.units import plural

__all__ = ["Permission", "permission"]

RULE = "land = trusted"
ALARM, NOT_CERTIFIED, NO_THRESHOLD, BELOW, LANDS = (
    f"{RULE}: {case}"
    for case in ("alarm", "not certified yet", "no safe threshold", "below the threshold", "certified")
)


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a result may land without a look, by which case of the rule, why, and on which numbers."""

    granted: bool
    rule: str
    reason: str  # a clause that goes on from "it passed; "
    numbers: dict[str, float]


def permission(cell: Cell, confidence: float, policy: Policy) -> Permission:
    """Say whether a result of a cell that passed with a `confidence` may land without a look.

    It may if the audits of the cell certify the owner's highest escape rate at this moment, no alarm is raised, and
    its confidence reaches the threshold. Whatever is missing is said, the gravest first.
    """
    trust = policy.trust_in(cell)
    numbers = _numbers(trust, confidence, policy)
    who, bound = _who(cell), _bound(policy)
    audited = f"{trust.audits - trust.wrong} clean of {plural(trust.audits, 'audit')}" if trust.audits else "no audit"
    if trust.alarm:
        reason = (
            f"more than {policy.highest_escape_rate:.3g} of what {who} landed was wrong, so everything is looked at"
        )
        return Permission(False, ALARM, f"{reason}; {_missing(trust)}", numbers)
    if not trust.certified:
        reason = f"{who} has {audited} so far; {_missing(trust)} {bound}"
        return Permission(False, NOT_CERTIFIED, reason, numbers)
    if trust.threshold is None:
        reason = f"{who} has {audited}, which certify {bound}, but no confidence is safe: {trust.no_threshold}"
        return Permission(False, NO_THRESHOLD, reason, numbers)
    if confidence < trust.threshold:
        reason = (
            f"its confidence {confidence:.3g} is below {trust.threshold:.3g}, the lowest that audits of {who} allow"
        )
        return Permission(False, BELOW, reason, numbers)
    reason = (
        f"{who} has {audited}, which certify {bound}, and its confidence {confidence:.3g} reaches {trust.threshold:.3g}"
    )
    return Permission(True, LANDS, reason, numbers)


def _numbers(trust: Trust, confidence: float, policy: Policy) -> dict[str, float]:
    found = {
        "audits": float(trust.audits),
        "wrong": float(trust.wrong),
        "e_value": trust.e_value,
        "e_value_needed": 1.0 / (1.0 - policy.confidence),
        "alarm": float(trust.alarm),
        "confidence": confidence,
        "highest_escape_rate": policy.highest_escape_rate,
    }
    optional = {"more_clean_audits": trust.more_clean_audits, "threshold": trust.threshold}
    return found | {name: float(value) for name, value in optional.items() if value is not None}


def _missing(trust: Trust) -> str:
    if trust.more_clean_audits is None:
        return "clean audits are needed to certify"
    return f"{trust.more_clean_audits} more clean {'one' if trust.more_clean_audits == 1 else 'ones'} would certify"


def _bound(policy: Policy) -> str:
    return f"at most {policy.highest_escape_rate * 100:.3g} % escapes with {policy.confidence * 100:.4g} % confidence"


def _who(cell: Cell) -> str:
    repository = cell.repository.rstrip("/").rpartition("/")[2]
    return f"{cell.agent} {cell.version} on {cell.kind} in {repository}"
