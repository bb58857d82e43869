"""Automatic decisions computed again, from nothing but what the ledger held when they were made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from reeve.decision.decide import COUNTS, decide, decide_after_landing, decide_passed
from reeve.decision.drill import decide_drill
from reeve.decision.known import decide_known
from reeve.decision.seeded import decide_seeded
from reeve.decision.trusted import RULE
from reeve.durable.believing import believe
from reeve.durable.learning import Learner
from reeve.durable.steps import TROUBLE
from reeve.errors import LedgerError
from reeve.ledger.audits import Results
from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.policy.cells import cell_of
from reeve.policy.versioned import versioned
from reeve.ports import Fact, Store
from reeve.records import (
    Attempt,
    Cell,
    Decision,
    Ending,
    Landing,
    LandingOutcome,
    Order,
    Policy,
    Review,
    ReviewKind,
    Seeded,
    Selection,
    Task,
    Verdict,
)
from reeve.task.plan import History, attempts_left, not_worth

__all__ = ["Recomputed", "recompute", "recomputed_policy"]

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A decision as it was stored and as it is computed now, with its policy in the same two forms.

    `again` is None for a decision that rests on an error and not on records: the branch was checked out, say.
    """

    key: str
    stored: Decision
    again: Decision | None
    policy: Policy
    policy_again: Policy

    @property
    def same(self) -> bool:
        """Nothing differs."""
        return self.policy == self.policy_again and (self.again is None or self.again == self.stored)


def recompute(store: Store, fact: Fact) -> Recomputed:
    """Compute the decision of a fact again; raises LedgerError where the ledger lacks what it rests on."""
    stored = decode(Decision, fact.body)
    policy = _one(store, Policy, "policy", stored.policy)
    past = _Past(store, fact)
    again = None if stored.rule == TROUBLE else _decided(past, stored, policy)
    return Recomputed(fact.key, stored, again, policy, recomputed_policy(store, policy))


def recomputed_policy(store: Store, policy: Policy) -> Policy:
    """Learn a policy again from the facts that it was learned from; one of the owner's own is only named again."""
    owner = versioned(replace(policy, trust=(), learned_through=0, beliefs=(), believed_through=0, fit=None))
    if policy.beliefs:
        agents = [(belief.agent, belief.version) for belief in policy.beliefs]
        owner = believe(owner, agents, store, through=policy.believed_through)
    if not policy.trust:
        return owner
    cell = policy.trust[0].cell
    return Learner(Results(store, through=policy.learned_through)).policy(owner, cell)


class _Past:
    """The facts of one task before a decision about it, since its version of then; orders and the like from all."""

    def __init__(self, store: Store, decided: Fact) -> None:
        self.facts = [fact for fact in store.facts(task=decided.task) if fact.seq < decided.seq]
        version = next((fact for fact in reversed(self.facts) if fact.kind == "task"), None)
        if version is None:
            raise LedgerError(f"computing {decided.key} again: the ledger lacks its task")
        self.key = decided.key
        self.since = version.seq
        self.task = decode(Task, version.body)

    def all(self, record: type[Record], kind: str) -> tuple[Record, ...]:
        return tuple(decode(record, fact.body) for fact in self.facts if fact.kind == kind)

    def now(self, record: type[Record], kind: str) -> tuple[Record, ...]:
        """Return those of the version of then."""
        found = (fact for fact in self.facts if fact.kind == kind and fact.seq > self.since)
        return tuple(decode(record, fact.body) for fact in found)

    def verdict(self, id_: str) -> Verdict:
        found = next((fact for fact in self.facts if fact.kind == "verdict" and fact.key == id_), None)
        if found is None:
            raise LedgerError(f"computing {self.key} again: the ledger lacks the verdict {id_}")
        return decode(Verdict, found.body)

    def cell(self, attempt: str, policy: Policy) -> Cell:
        order = next((order for order in self.all(Order, "order") if order.attempt == attempt), None)
        if order is None:
            raise LedgerError(f"computing {self.key} again: the ledger lacks the order {attempt}")
        return cell_of(order, self.task, policy.parallel_attempts)


def _decided(past: _Past, stored: Decision, policy: Policy) -> Decision:
    if past.key.endswith(".landing"):
        failed = [item for item in past.now(Landing, "landing") if item.outcome is not LandingOutcome.LANDED]
        return decide_after_landing(past.task, failed[-1], len(failed), stored.round, policy)
    if past.key.endswith(".withheld"):
        first = past.now(Decision, "decision")[-1]
        counts = {name: first.numbers[name] for name in COUNTS}
        verdict = past.verdict(stored.attempt or "")
        return decide_passed(past.task.id, stored.round, verdict, past.cell(verdict.attempt, policy), counts, policy)
    words = tuple(review.reason for review in past.now(Review, "review") if review.kind is ReviewKind.AGAIN)
    history = History(past.all(Order, "order"), past.all(Attempt, "attempt"), past.all(Landing, "landing"), words)
    left = attempts_left(past.task, history)
    made = [order.attempt for order in past.now(Order, "order") if order.round == stored.round]
    verdicts = [past.verdict(id_) for id_ in made or [f"{past.task.id}.0.{stored.round}"]]
    if past.task.known_answer is not None:
        attempts = [attempt for attempt in history.attempts if attempt.round == stored.round]
        if past.task.known_answer.drill:
            return decide_drill(past.task, stored.round, attempts, verdicts, left, policy)
        return decide_known(past.task, stored.round, attempts, verdicts, left, policy)
    return _settled(past, stored, policy, verdicts, history, left)


def _settled(
    past: _Past, stored: Decision, policy: Policy, verdicts: Sequence[Verdict], history: History, left: int
) -> Decision:
    selection = next(item for item in reversed(past.now(Selection, "selection")) if item.round == stored.round)
    declined = {attempt.id for attempt in history.attempts if attempt.ending is Ending.DECLINED}
    seeded = next(iter(past.all(Seeded, SEEDED)), None)
    trusted = (stored.rule.startswith(RULE) or seeded is not None) and selection.chosen is not None
    cell = past.cell(selection.chosen, policy) if trusted and selection.chosen else None
    found = decide(
        past.task,
        selection,
        verdicts,
        left,
        policy,
        declined=declined,
        cell=cell,
        not_worth=not_worth(past.task, history, policy),
    )
    if seeded is None:
        return found
    tree = next((verdict.tree for verdict in verdicts if verdict.attempt == found.attempt), None)
    return decide_seeded(found, tree, seeded.tree)


def _one(store: Store, record: type[Record], kind: str, key: str) -> Record:
    fact = store.fact(kind, key)
    if fact is None:
        raise LedgerError(f"computing a decision again: the ledger has no {kind} {key!r}")
    return decode(record, fact.body)
