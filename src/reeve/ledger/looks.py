"""The time a person took: from the first look at a result to the decision about it."""

from reeve.errors import InputError
from reeve.ledger.views import TaskView
from reeve.ports import Fact, Store

__all__ = ["CAP_MINUTES", "look", "measured_minutes", "minutes_since_look"]

CAP_MINUTES = 60.0
"""Whoever decides later than this after a first look was away in between; nobody can say for how long."""


def look(store: Store, view: TaskView, at_utc: float) -> None:
    """Record that a person opened a task or one of its results, the first time since the last decision about it."""
    store.append(Fact("looked", _key(view), view.id, {}, at_utc))


def measured_minutes(store: Store, view: TaskView, now: float) -> float:
    """Return the minutes since that look, at most `CAP_MINUTES`, and those before it was put off.

    Raises InputError if nobody looked.
    """
    if (minutes := minutes_since_look(store, view, now)) is not None:
        return minutes + view.deferred_minutes
    if view.deferred_minutes:
        return view.deferred_minutes
    raise InputError(
        f"deciding about {view.id!r}: nobody looked at it on a terminal or page yet, so your minutes are not known; "
        f"`reeve show {view.id}` first, or give --minutes"
    )


def minutes_since_look(store: Store, view: TaskView, now: float) -> float | None:
    """Return the minutes since the first look after the last decision or deferral, at most `CAP_MINUTES`.

    None: nobody looked since.
    """
    for fact in store.facts(kind="looked", task=view.id):
        if fact.key == _key(view):
            return min(max(now - fact.at_utc, 0.0) / 60.0, CAP_MINUTES)
    return None


def _key(view: TaskView) -> str:
    put_off = f"~{len(view.deferrals)}" if view.deferrals else ""
    return f"{view.id}@{view.task.digest}#{len(view.reviews)}{put_off}"
