"""Land, ask a person, try again, or give up: one plain rule, computed from records alone.

What passed lands under ``passed``, and under ``trusted`` where audits allow it, else it waits for a person. What is
unverified or twice in conflict asks a person, what was declined asks at once, what failed is tried again within its
limits and then given up.
"""

from collections.abc import Collection, Mapping, Sequence

from reeve.decision.evidence import evidence_of
from reeve.decision.trusted import permission
from reeve.records import Action, Cell, Decision, Landing, LandingOutcome, Outcome, Policy, Selection, Task, Verdict
from reeve.units import plural

__all__ = ["COUNTS", "decide", "decide_after_landing", "decide_passed"]

DECLINED_RULE = "declined asks"
NOT_WORTH_RULE = "worth of another attempt"
COUNTS = (*map(str, Outcome), "declined", "attempts_left")
"""The numbers of every decision about a selection."""


def decide(
    task: Task,
    selection: Selection,
    verdicts: Sequence[Verdict],
    attempts_left: int,
    policy: Policy,
    *,
    declined: Collection[str] = (),
    cell: Cell | None = None,
    not_worth: str = "",
) -> Decision:
    """Decide what is done with a selection.

    `verdicts` are those of the round; `attempts_left` is how many the task still has; `declined` are the attempts
    that ended by declining; `cell` is that of the chosen attempt; `not_worth` says why no
    further attempt is worth what it costs, if so. The numbers of the decision are how many verdicts
    passed, failed and are unverified, how many of the unverified ones declined, the attempts that are left, and under
    ``trusted`` what is known of the cell.

    Raises ValueError where something was chosen, the rule is ``trusted``, and no cell is given.

    Where nothing passed, one attempt that declines is enough to ask: more rounds would only find out who does not.
    """
    count = {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome}
    refused = [verdict for verdict in verdicts if verdict.attempt in declined]
    numbers = {str(outcome): float(number) for outcome, number in count.items()} | {
        "declined": float(len(refused)),
        "attempts_left": float(attempts_left),
    }

    def decision(action: Action, attempt: str | None, reason: str, rule: str = f"land = {policy.land}") -> Decision:
        return Decision(task.id, selection.round, action, attempt, rule, reason, numbers, policy.version)

    if selection.chosen is not None:
        if policy.land == "passed":
            return decision(Action.LAND, selection.chosen, f"{selection.chosen} passed: {selection.reason}")
        if cell is None:
            raise ValueError(f"{selection.chosen} passed, and nothing says whose trust it may land on")
        return decide_passed(task.id, selection.round, _of(selection.chosen, verdicts), cell, numbers, policy)
    if refused:
        return decision(Action.ASK, refused[0].attempt, refused[0].reason, DECLINED_RULE)
    unverified = [verdict for verdict in verdicts if verdict.outcome is Outcome.UNVERIFIED]
    if unverified:
        best = max(unverified, key=lambda verdict: (verdict.lines > 0, verdict.confidence, -verdict.lines))
        return decision(Action.ASK, best.attempt or None, best.reason)
    if not verdicts:
        return decision(Action.ASK, None, "no attempt could be made; `reeve doctor` says what this machine lacks")
    last = next((verdict for verdict in verdicts if verdict.lines), verdicts[0])
    if attempts_left > 0 and not_worth:
        reason = f"no attempt passed, and no other is worth what it costs: {not_worth}; {last.attempt}: {last.reason}"
        return decision(Action.GIVE_UP, None, reason, NOT_WORTH_RULE)
    if attempts_left > 0:
        return decision(Action.AGAIN, None, f"no attempt of this round passed, {plural(attempts_left, 'attempt')} left")
    return decision(Action.GIVE_UP, None, f"no attempt passed; {last.attempt}: {last.reason}")


def decide_passed(
    task: str, round_: int, verdict: Verdict, cell: Cell, numbers: Mapping[str, float], policy: Policy
) -> Decision:
    """Decide whether a result that passed lands without a look, or waits for a person, by the rule ``trusted``."""
    found = permission(cell, evidence_of(verdict, numbers, round_, cell, policy), policy)
    action = Action.LAND if found.granted else Action.ASK
    reason = f"{verdict.attempt} passed; {found.reason}"
    all_numbers = {**numbers, **found.numbers}
    return Decision(task, round_, action, verdict.attempt, found.rule, reason, all_numbers, policy.version, found.fit)


def _of(attempt: str, verdicts: Sequence[Verdict]) -> Verdict:
    return next(verdict for verdict in verdicts if verdict.attempt == attempt)


def decide_after_landing(task: Task, landing: Landing, failed_landings: int, round_: int, policy: Policy) -> Decision:
    """Decide what is done with a result that passed and did not land; `failed_landings` counts this one too."""
    numbers = {"failed_landings": float(failed_landings), "conflicts_before_ask": float(policy.conflicts_before_ask)}
    again = failed_landings < policy.conflicts_before_ask
    what = (
        "conflicts with what landed before it" if landing.outcome is LandingOutcome.CONFLICT else "does not hold there"
    )
    reason = f"{landing.attempt} passed on its base but {what}: {landing.reason}"
    if again:
        reason += "; a new attempt starts on the new head"
    action = Action.AGAIN if again else Action.ASK
    attempt = None if again else landing.attempt
    return Decision(task.id, round_, action, attempt, "conflicts", reason, numbers, policy.version)
