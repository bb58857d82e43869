"""What follows an attempt at a drill task: the next one, until all that were planned are made. Nothing lands."""

from collections.abc import Sequence

from reeve.records import Action, Attempt, Decision, Outcome, Policy, Task, Verdict
from reeve.units import plural

__all__ = ["DRILL_RULE", "decide_drill"]

DRILL_RULE = "drill"


def decide_drill(
    task: Task,
    round_: int,
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    attempts_left: int,
    policy: Policy,
) -> Decision:
    """Go on until every planned attempt is made, whatever the earlier ones gave; then end.

    The number of attempts is fixed before the first: stopping at a success would make every estimate too high. The
    numbers are how many verdicts of the round passed, failed and are unverified, and the attempts that are left.
    """
    count = {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome}
    numbers = {str(outcome): float(number) for outcome, number in count.items()} | {
        "attempts_left": float(attempts_left)
    }
    again = bool(attempts) and attempts_left > 0
    if not attempts:
        said = verdicts[-1].reason if verdicts else "no attempt could be made"
    else:
        said = f"{count[Outcome.PASSED]} of {plural(len(verdicts), 'attempt')} passed, and nothing of a drill lands"
    action = Action.AGAIN if again else Action.GIVE_UP
    return Decision(task.id, round_, action, None, DRILL_RULE, said, numbers, policy.version)
