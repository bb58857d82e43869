"""May a result that passed land without a look: one rule, computed from what audits say of its cell."""

from collections.abc import Mapping
from dataclasses import dataclass

from reeve.records import Cell, Policy, Trust
from reeve.stats.fitted import chance_of
from reeve.units import plural

__all__ = ["RULE", "Permission", "evidence_in", "permission", "standing"]

RULE = "land = trusted"
PREFIX = "evidence_"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a result may land without a look, by which case of the rule, why, and on which numbers."""

    granted: bool
    rule: str
    reason: str  # a clause that goes on from "it passed; "
    numbers: Mapping[str, float]
    fit: str  # version of what made the confidence; "": the verdict's own


def permission(cell: Cell, evidence: Mapping[str, float], policy: Policy) -> Permission:
    """Say whether a result of a cell that passed, with some `evidence` about it, may land without a look.

    Its confidence is what the fit of the policy makes of the evidence, or the verdict's own where there is no fit.
    It may if the audits of the cell certify the owner's highest escape rate at this moment, no alarm is raised, and
    its confidence reaches the threshold. Whatever is missing is said, the gravest first.
    """
    trust = policy.trust_in(cell)
    state, why = standing(trust, policy)
    who, limit, fit = _who(cell), trust.threshold, policy.fit
    confidence = evidence["verdict"] if fit is None else chance_of(fit, evidence)
    its = "the verdict's confidence" if fit is None else f"its fitted confidence (fit {fit.version})"
    if state == "certified" and limit is not None and confidence < limit:
        state = "below the threshold"
        why = f"{its} {confidence:.3g} is below {limit:.3g}, the lowest that the audits allow: {why}"
    elif state == "certified":
        why = f"{its} {confidence:.3g} reaches {limit:.3g}, and {why}"
    numbers = _numbers(trust, confidence, policy) | {f"{PREFIX}{name}": value for name, value in evidence.items()}
    version = "" if fit is None else fit.version
    return Permission(state == "certified", f"{RULE}: {state}", f"{who}: {why}", numbers, version)


def evidence_in(numbers: Mapping[str, float]) -> dict[str, float]:
    """Read the evidence back from the numbers of a decision."""
    return {name.removeprefix(PREFIX): value for name, value in numbers.items() if name.startswith(PREFIX)}


def standing(trust: Trust, policy: Policy) -> tuple[str, str]:
    """Say in one word or two how much a cell is trusted, and in one clause on which numbers."""
    bound = f"at most {policy.highest_escape_rate * 100:.3g} % escapes with {policy.confidence * 100:.4g} % confidence"
    audited = f"{trust.audits - trust.wrong} clean of {plural(trust.audits, 'audit')}" if trust.audits else "no audit"
    ones = "one" if trust.more_clean_audits == 1 else "ones"
    more = f"{trust.more_clean_audits} more clean {ones} would certify {bound}"
    if trust.alarm:
        return "alarm", f"too much was wrong, so trust began again at zero; {audited} since, {more}"
    if not trust.certified:
        return "not certified yet", f"{audited} so far, {more}"
    if trust.threshold is None:
        return "no safe threshold", f"{audited} certify {bound}, but no confidence is safe: {trust.no_threshold}"
    return "certified", f"{audited} certify {bound}"


def _numbers(trust: Trust, confidence: float, policy: Policy) -> dict[str, float]:
    found = {
        "audits": float(trust.audits),
        "wrong": float(trust.wrong),
        "e_value": trust.e_value,
        "e_value_needed": 1.0 / (1.0 - policy.confidence),
        "more_clean_audits": float(trust.more_clean_audits),
        "alarm": float(trust.alarm),
        "alarm_e_value": trust.alarm_e_value,
        "confidence": confidence,
        "highest_escape_rate": policy.highest_escape_rate,
    }
    return found if trust.threshold is None else {**found, "threshold": trust.threshold}


def _who(cell: Cell) -> str:
    repository = cell.repository.rstrip("/").rpartition("/")[2]
    return f"{cell.agent} {cell.version} on {cell.kind} in {repository}"
