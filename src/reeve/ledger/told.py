"""A task and all that is known of it, as data for programs: what its hidden tests hold is in none of it.

Who pipes this into a page or a prompt should not give the answers away.
"""

from typing import Any

from reeve.ledger.codec import encode
from reeve.ledger.requests import Asked
from reeve.ledger.seeded import told_seeded
from reeve.ledger.views import AttemptView, TaskView
from reeve.records import Task

__all__ = ["told", "told_attempt"]


def told(view: TaskView) -> dict[str, Any]:
    """Tell a task with everything that was done for it."""
    return {
        "kind": "task",
        "id": view.id,
        "status": view.status,
        "reason": view.reason,
        "proof": [{"kind": fact.kind, "key": fact.key, "at_utc": fact.at_utc} for fact in view.proof],
        "human_minutes": view.spent_minutes,
        "task": _without_hidden(view.task),
        **({"seeded": told_seeded(view.seeded, view.reviews[0])} if view.seeded and view.answered else {}),
        "environment": encode(view.environment),
        "attempts": [encode(item) | {"id": item.id, "live": item.live} for item in view.attempts],
        **{
            name: encode(getattr(view, name))
            for name in ("selections", "decisions", "landings", "reviews", "verdicts", "draws")
        },
    }


def told_attempt(view: TaskView, item: AttemptView, asked: Asked) -> dict[str, Any]:
    """Tell one attempt, with what it asked of the gateway."""
    said = {"kind": "attempt", "id": item.id, "task": view.id, "live": item.live, **encode(item)}
    return said | {"requests": encode(asked)}


def _without_hidden(task: Task) -> dict[str, Any]:
    body: dict[str, Any] = encode(task)
    body["checks"]["hidden"] = [item.path for item in task.checks.hidden]
    body["checks"]["test_patch"] = None
    return body
