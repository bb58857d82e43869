"""The time a person took: from the first look at a result to the decision about it."""

from reeve.errors import InputError
from reeve.ledger.views import TaskView
from reeve.ports import Fact, Store

__all__ = ["CAP_MINUTES", "look", "measured_minutes"]

CAP_MINUTES = 60.0
"""Whoever decides later than this after a first look was away in between; nobody can say for how long."""


def look(store: Store, view: TaskView, at_utc: float) -> None:
    """Record that a person opened a task or one of its results, the first time since the last decision about it."""
    store.append(Fact("looked", _key(view), view.id, {}, at_utc))


def measured_minutes(store: Store, view: TaskView, now: float) -> float:
    """Return the minutes since that look, at most `CAP_MINUTES`; raises InputError if nobody looked."""
    for fact in store.facts(kind="looked", task=view.id):
        if fact.key == _key(view):
            return min(max(now - fact.at_utc, 0.0) / 60.0, CAP_MINUTES)
    raise InputError(
        f"deciding about {view.id!r}: nobody looked at it on a terminal or page yet, so your minutes are not known; "
        f"`reeve show {view.id}` first, or give --minutes"
    )


def _key(view: TaskView) -> str:
    return f"{view.id}@{view.task.digest}#{len(view.reviews)}"
