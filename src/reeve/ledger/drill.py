"""What the ledger holds of drills: every attempt at a task that was mined or injected, with its verdict.

They are no work of anybody, so `status`, `inbox` and `report` leave them out, and they are never audits: whoever
learns from them takes them as a prior.
"""

from collections.abc import Collection, Iterator, Sequence

from reeve.ledger.codec import decode, loads
from reeve.ports import Fact, Store
from reeve.records import Attempt, DrillResult, Ending, KnownAnswer, Measurement, Outcome, Task, Verdict

__all__ = ["DRILLS", "drill_results", "measurement_of"]

DRILLS = tuple(answer for answer in KnownAnswer if answer.drill)

NOT_COUNTED = (Ending.INTERRUPTED, Ending.SANDBOX_FAILED)
"""Ends that say nothing of the agent."""


def drill_results(store: Store, digests: Collection[str] | None = None) -> tuple[DrillResult, ...]:
    """Give every judged attempt at a drill task, oldest task first.

    `digests` are the versions of tasks that count; None: the newest version of every drill task.
    """
    newest: dict[str, Fact] = {}
    for fact in store.facts(kind="task"):
        newest[fact.task] = fact
    found: list[DrillResult] = []
    for fact in newest.values():
        if fact.body.get("known_answer") not in DRILLS:
            continue
        task = decode(Task, fact.body)
        if digests is None or task.digest in digests:
            facts = [later for later in store.facts(task=task.id) if later.seq > fact.seq]
            found += _results(task, facts)
    return tuple(found)


def measurement_of(store: Store, key: str) -> Measurement | None:
    """Read a measurement by its key; None where it was not kept."""
    fact = store.fact("measurement", key) if key else None
    return None if fact is None else loads(Measurement, store.get(str(fact.body["artefact"])))


def _results(task: Task, facts: Sequence[Fact]) -> Iterator[DrillResult]:
    verdicts = {fact.key: decode(Verdict, fact.body) for fact in facts if fact.kind == "verdict"}
    for fact in facts:
        if fact.kind != "attempt" or fact.key not in verdicts or task.known_answer is None:
            continue
        attempt, verdict = decode(Attempt, fact.body), verdicts[fact.key]
        if attempt.ending in NOT_COUNTED:
            continue
        declined = attempt.ending is Ending.DECLINED
        yield DrillResult(
            attempt=attempt.id,
            example=task.id.rpartition("-")[0],
            answer=task.known_answer,
            agent=attempt.agent.name,
            version=attempt.agent.version,
            outcome=Outcome.FAILED if declined else verdict.outcome,
            reason=verdict.reason,
            declined=declined,
            wall_seconds=attempt.wall_seconds,
            usd=attempt.usd,
            human_minutes=task.human_minutes,
            required=task.checks.required,
            measurement=verdict.measurement,
        )
