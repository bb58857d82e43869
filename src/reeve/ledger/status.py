"""The status of a task, derived from its facts: computed when it is asked for, never stored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reeve.ledger.codec import decode
from reeve.ledger.seeded import KIND as SEEDED
from reeve.ledger.seeded import truth_of
from reeve.ports import Fact
from reeve.records import (
    Action,
    Attempt,
    Decision,
    Ending,
    Landing,
    LandingOutcome,
    Question,
    QuestionKind,
    Review,
    ReviewKind,
    Seeded,
    Status,
)
from reeve.units import plural, short_hash

__all__ = ["Derived", "current", "open_questions", "status_of"]

DECIDING = ("decision", "landing", "review")
"""Facts that settle a round; what comes after the newest of them is a new round at work."""

NOT_COUNTED = (Ending.INTERRUPTED, Ending.SANDBOX_FAILED)


@dataclass(frozen=True, slots=True)
class Derived:
    """A status, why, and the facts that prove it."""

    status: Status
    reason: str  # one sentence, without a full stop
    proof: tuple[Fact, ...]


def current(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Keep the facts since the newest `task` fact: what was done for an older text of the task is history.

    That its truth is known is a fact before it, and comes second.
    """
    ordered = sorted(facts, key=lambda fact: fact.seq)
    start = max((place for place, fact in enumerate(ordered) if fact.kind == "task"), default=0)
    known = [fact for fact in ordered[:start] if fact.kind == SEEDED]
    return (*ordered[start : start + 1], *known, *ordered[start + 1 :])


def status_of(facts: Sequence[Fact]) -> Derived:
    """Derive the status of one task from its facts, in any order; without any fact it is queued."""
    facts = current(facts)
    settled = max((fact for fact in facts if fact.kind in DECIDING), key=lambda fact: fact.seq, default=None)
    since = settled.seq if settled else 0
    orders = [fact for fact in facts if fact.kind == "order" and fact.seq > since]
    if orders:
        return _at_work(orders, facts)
    if settled is None:
        return Derived(Status.QUEUED, "waits for its first attempt", facts[:1])
    if settled.kind == "review":
        return _reviewed(settled, facts)
    if settled.kind == "landing":
        return _landed(settled, facts)
    return _decided(settled, facts)


def _at_work(orders: Sequence[Fact], facts: Sequence[Fact]) -> Derived:
    attempts = {fact.key: fact for fact in facts if fact.kind == "attempt"}
    judged = {fact.key.split("@")[0] for fact in facts if fact.kind == "verdict"}
    live = [order for order in orders if order.key not in attempts]
    if waiting := open_questions(facts, {order.key for order in live}):
        question = decode(Question, waiting[0].body)
        return Derived(Status.NEEDS_YOU, f"{question.attempt} waits: {_asked(question)}", tuple(waiting))
    if live:
        return Derived(Status.WORKING, f"{plural(len(live), 'attempt')} of {len(orders)} at work", tuple(live))
    done = [attempts[order.key] for order in orders]
    counted = [fact for fact in done if decode(Attempt, fact.body).ending not in NOT_COUNTED]
    if not counted:
        reason = decode(Attempt, done[-1].body).reason
        return Derived(Status.QUEUED, f"will be attempted again: {reason}", tuple(done))
    waiting = [fact for fact in counted if fact.key not in judged]
    if waiting:
        return Derived(Status.VERIFYING, f"{plural(len(waiting), 'result')} being checked", tuple(waiting))
    return Derived(Status.VERIFYING, "all attempts are judged; the selection follows", tuple(counted))


def open_questions(facts: Iterable[Fact], live: Collection[str]) -> list[Fact]:
    """Find what attempts that are under way asked and nobody has answered, oldest first."""
    found = {fact.key: fact for fact in facts if fact.kind == "question" and fact.body["attempt"] in live}
    for fact in facts:
        if fact.kind == "word" and fact.body["answers"]:
            found.pop(f"{fact.body['attempt']}?{fact.body['answers']}", None)
    return list(found.values())


def _asked(question: Question) -> str:
    words = " ".join(question.text.split())
    if question.kind is QuestionKind.CHECK_IN:
        return f"a check-in: {words}"
    return f"permission to {question.action or 'act'}: {question.command or ', '.join(question.paths) or words}"


def _reviewed(fact: Fact, facts: Sequence[Fact]) -> Derived:
    review = decode(Review, fact.body)
    if known := [each for each in facts if each.kind == SEEDED]:
        said = "taken as right" if review.kind is ReviewKind.ACCEPT else f"turned down: {review.reason}"
        truth = truth_of(decode(Seeded, known[-1].body))
        return Derived(Status.REJECTED, f"{said}; nothing was landed: {truth}", (fact,))
    if review.kind is ReviewKind.REJECT:
        return Derived(Status.REJECTED, f"rejected: {review.reason}", (fact,))
    if review.kind is ReviewKind.AGAIN:
        why = f": {review.reason}" if review.reason else ""
        return Derived(Status.QUEUED, f"sent back, will be attempted again{why}", (fact,))
    if review.kind is ReviewKind.REVERT:
        return Derived(Status.REVERTED, f"reverted: {review.reason}", (fact,))
    landings = [item for item in facts if item.kind == "landing" and item.seq < fact.seq]
    if landings and decode(Landing, landings[-1].body).outcome is LandingOutcome.LANDED:
        landed = _landed(landings[-1], facts)
        if review.kind is not ReviewKind.WRONG:
            return landed
        return Derived(
            Status.LANDED, f"{landed.reason}, and an audit found it wrong: {review.reason}", (*landed.proof, fact)
        )
    # The landing follows within seconds; where it does not, the person must hear of it.
    again = f"accepted, not landed yet: `reeve accept {review.attempt or review.task}` again lands it"
    return Derived(Status.NEEDS_YOU, again, (fact,))


def _landed(fact: Fact, facts: Sequence[Fact]) -> Derived:
    landing = decode(Landing, fact.body)
    if landing.outcome is LandingOutcome.LANDED:
        verdicts = [item for item in facts if item.kind == "verdict" and item.key == landing.verdict]
        commit = short_hash(landing.commit or "")
        return Derived(Status.LANDED, f"landed as {commit} on {landing.branch}", (fact, *verdicts))
    if _accepted_before(fact, facts):
        return Derived(Status.NEEDS_YOU, f"accepted, but it did not land: {landing.reason}", (fact,))
    return Derived(Status.VERIFYING, f"did not land: {landing.reason}; a decision follows", (fact,))


def _accepted_before(landing: Fact, facts: Sequence[Fact]) -> bool:
    earlier = [fact for fact in facts if fact.kind in ("decision", "review") and fact.seq < landing.seq]
    if not earlier or earlier[-1].kind != "review":
        return False
    return decode(Review, earlier[-1].body).kind is ReviewKind.ACCEPT


def _decided(fact: Fact, facts: Sequence[Fact]) -> Derived:
    decision = decode(Decision, fact.body)
    verdicts = tuple(item for item in facts if item.kind == "verdict" and item.key == decision.attempt)
    status, words = {
        Action.LAND: (Status.VERIFYING, "waits for its turn to land: "),
        Action.ASK: (Status.NEEDS_YOU, ""),
        Action.AGAIN: (Status.QUEUED, "will be attempted again: "),
        Action.GIVE_UP: (Status.FAILED, ""),
    }[decision.action]
    return Derived(status, words + decision.reason, (fact, *verdicts))
