"""Trust at work: the policy that a decision is made under, and the draws that say what is audited."""

from reeve.decision.trusted import RULE, evidence_in
from reeve.durable.world import World
from reeve.errors import LedgerError
from reeve.ledger.codec import decode
from reeve.policy.cells import cell_of
from reeve.policy.suspicion import suspicion_of
from reeve.records import (
    Action,
    Cell,
    Decision,
    Draw,
    Landing,
    LandingOutcome,
    Order,
    Policy,
    Task,
    Verdict,
)

__all__ = ["cell_of_attempt", "draw_for", "draw_missing", "policy_for"]


def cell_of_attempt(world: World, task: Task, attempt: str) -> Cell:
    """Find the cell whose trust the result of an attempt lands on; raises LedgerError if it was never ordered."""
    order = world.journal.find(Order, "order", attempt)
    if order is None:
        raise LedgerError(f"deciding about {attempt}: the ledger has no order for it")
    return cell_of(order, task, world.policy.parallel_attempts)


def policy_for(world: World, cell: Cell) -> Policy:
    """Learn the policy for a cell from the ledger as it is now, and store it: decisions name its version."""
    policy = world.learner.policy(world.policy, cell)
    return world.journal.once(Policy, "policy", policy.version, "", lambda: policy)


def draw_for(world: World, task: Task, decision: Decision) -> Draw | None:
    """Draw whether a result is audited that landed without a look, or that waits for one; None for any other.

    Uniformly, all results of a cell have the same chance at a time: 1 until one of its levels is certified, as all are
    looked at anyway, and the owner's share from then on, whether this one is in the level or not.
    """
    if not decision.rule.startswith(RULE) or decision.attempt is None:
        return None
    attempt = decision.attempt

    def work() -> Draw:
        policy = world.journal.find(Policy, "policy", decision.policy)
        verdict = world.journal.find(Verdict, "verdict", attempt)
        if policy is None or verdict is None:
            raise LedgerError(f"drawing for {attempt}: the ledger lacks its verdict, or the policy {decision.policy}")
        cell = cell_of_attempt(world, task, attempt)
        trust, unseen = policy.trust_in(cell), decision.action is Action.LAND
        number, suspicion_number, commitment = world.drawing.numbers(attempt)
        suspicion = suspicion_of(verdict)
        return Draw(
            task=task.id,
            attempt=attempt,
            cell=cell,
            unseen=unseen,
            confidence=decision.numbers["confidence"],
            suspicion=suspicion,
            chance=policy.audit_share if trust.certified and not trust.alarm else 1.0,
            number=number,
            suspicion_chance=policy.suspicion_share * suspicion if unseen else 0.0,
            suspicion_number=suspicion_number,
            commitment=commitment,
            policy=policy.version,
            evidence=evidence_in(decision.numbers),
            fit=decision.fit,
        )

    return world.journal.once(Draw, "draw", attempt, task.id, work)


def draw_missing(world: World) -> None:
    """Draw for what a process that died had decided or landed and not drawn for yet."""
    store = world.journal.store
    decided = {}
    for fact in store.facts(kind="decision"):
        rule, attempt = fact.body["rule"], fact.body["attempt"]  # most are drawn for: to decode them all takes longest
        if str(rule).startswith(RULE) and attempt and world.learner.results.draw_of(str(attempt)) is None:
            decided[str(attempt)] = decode(Decision, fact.body)
    for attempt, decision in decided.items():
        landing = world.journal.find(Landing, "landing", attempt)
        if decision.action is Action.LAND and (landing is None or landing.outcome is not LandingOutcome.LANDED):
            continue
        task = _task_of(world, attempt)
        if task is not None:
            draw_for(world, task, decision)


def _task_of(world: World, attempt: str) -> Task | None:
    """Find the version of a task that an attempt was ordered for."""
    order = world.journal.find(Order, "order", attempt)
    if order is None:
        return None
    versions = world.journal.all(Task, "task", order.task)
    return next((task for task in versions if task.digest == order.digest), None)
