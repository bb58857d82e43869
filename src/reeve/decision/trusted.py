"""May a result that passed land without a look: one rule, computed from what audits say of its cell, level by level."""

from collections.abc import Mapping
from dataclasses import dataclass

from reeve.records import Cell, Level, Policy, Scale, Trust
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
    It may if the audits of the cell certify the owner's highest escape rate at this moment for a level that the result
    belongs to, and no alarm is raised; where everything is certified, its confidence must reach the threshold too, if
    there is one. Whatever is missing is said, the gravest first.
    """
    trust = policy.trust_in(cell)
    state, why = standing(trust, policy)
    level, fit = trust.granted, policy.fit
    version = "" if fit is None else fit.version
    confidence = evidence["verdict"] if fit is None else chance_of(fit, evidence)
    if state == "certified" and level is not None:
        by_fit = fit is not None and level.scale is not Scale.VERDICT
        its = f"its fitted confidence (fit {version})" if by_fit else "the verdict's confidence"
        state, said = _compared(trust, level, its, confidence if by_fit else evidence["verdict"])
        why = said + why
    numbers = _numbers(trust, confidence, policy) | {f"{PREFIX}{name}": value for name, value in evidence.items()}
    return Permission(state == "certified", f"{RULE}: {state}", f"{_who(cell)}: {why}", numbers, version)


def evidence_in(numbers: Mapping[str, float]) -> dict[str, float]:
    """Read the evidence back from the numbers of a decision."""
    return {name.removeprefix(PREFIX): value for name, value in numbers.items() if name.startswith(PREFIX)}


def standing(trust: Trust, policy: Policy) -> tuple[str, str]:
    """Say in one word or two how much a cell is trusted, and in one clause on which numbers."""
    bound = f"at most {policy.highest_escape_rate * 100:.3g} % escapes with {policy.confidence * 100:.4g} % confidence"
    audited = f"{trust.audits - trust.wrong} clean of {plural(trust.audits, 'audit')}" if trust.audits else "no audit"
    missing, level = _missing(trust), trust.granted
    if trust.alarm:
        return "alarm", f"too much was wrong, so trust began again at zero; {audited} since, {missing} {bound}"
    if not trust.certified or level is None:
        return "not certified yet", f"{audited} so far, {missing} {bound}"
    if level.scale is Scale.ALL:
        return "certified", f"{audited} certify {bound}"
    clean = f"{level.audits - level.wrong} clean of {plural(level.audits, 'audit')} of results with {level.words}"
    return "certified", f"{clean} certify {bound}; {missing} that of all its results"


def _missing(trust: Trust) -> str:
    """Say how many clean audits would certify everything, and the level that is nearer, where there is one."""
    everything, nearest = _everything(trust), None
    if trust.level is None:
        nearer = [each for each in trust.levels if each.audits and each.more_clean_audits < everything]
        nearest = min(nearer, key=lambda each: each.more_clean_audits, default=None)
    if nearest is None:
        return f"{everything} more clean {'one' if everything == 1 else 'ones'} would certify"
    return (
        f"{nearest.more_clean_audits} more clean ones with {nearest.words}, or {everything} more of any, would certify"
    )


def _everything(trust: Trust) -> int:
    every = next((each.more_clean_audits for each in trust.levels if each.scale is Scale.ALL), None)
    return trust.more_clean_audits if every is None else every


def _compared(trust: Trust, level: Level, its: str, confidence: float) -> tuple[str, str]:
    """Compare a confidence with what the level asks for, or the finer threshold of everything where there is one."""
    if level.scale is Scale.ALL:
        least, what, low = trust.threshold, "the lowest that the audits allow", "below the threshold"
    else:
        least, what, low = level.least, "from which on results may land", "below the level"
    if least is None:
        return "certified", ""
    if confidence < least:
        return low, f"{its} {confidence:.3g} is below {least:.3g}, {what}: "
    return "certified", f"{its} {confidence:.3g} reaches {least:.3g}, {what}, and "


def _numbers(trust: Trust, confidence: float, policy: Policy) -> dict[str, float]:
    """List what the decision rests on; without a level that may land, the evidence is that of everything."""
    level = trust.granted or next((each for each in trust.levels if each.scale is Scale.ALL), None)
    found = {
        "audits": float(trust.audits),
        "wrong": float(trust.wrong),
        "e_value": trust.e_value if level is None else level.e_value,
        "e_value_needed": 1.0 / (1.0 - policy.confidence) if level is None else level.e_value_needed,
        "more_clean_audits": float(trust.more_clean_audits),
        "alarm": float(trust.alarm),
        "alarm_e_value": trust.alarm_e_value,
        "confidence": confidence,
        "highest_escape_rate": policy.highest_escape_rate,
    }
    if trust.granted is not None:
        granted = trust.granted
        found |= {
            "level": granted.least,
            "level_audits": float(granted.audits),
            "level_wrong": float(granted.wrong),
        }
    return found if trust.threshold is None else {**found, "threshold": trust.threshold}


def _who(cell: Cell) -> str:
    repository = cell.repository.rstrip("/").rpartition("/")[2]
    return f"{cell.agent} {cell.version} on {cell.kind} in {repository}"
