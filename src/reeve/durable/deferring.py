"""A person puts off what needs them, or takes that back; each is a fact, and the order of the inbox follows from it."""

from reeve.durable.journal import Journal
from reeve.errors import InputError
from reeve.ledger.inbox import inbox
from reeve.ledger.looks import minutes_since_look
from reeve.ledger.views import TaskView, task_view
from reeve.records import Deferral

__all__ = ["MOST_SECONDS", "bring_back", "defer"]

MOST_SECONDS = 90 * 86_400.0
"""Whoever wants to hear nothing for longer rejects."""


def defer(journal: Journal, wanted: str, until_utc: float, now_utc: float, reason: str = "", who: str = "") -> Deferral:
    """Put off what a person is asked about a task, until a time or until something new happens to it.

    The minutes since the first look count with the decision that follows. Raises InputError for a task that is not
    there or needs nothing, and for a time that is not ahead or is too far.
    """
    view = task_view(journal.store, wanted.partition(".")[0])
    if not inbox([view]):
        raise InputError(
            f"putting off {wanted!r}: it needs nothing from you, it is {view.status}; `reeve inbox` lists what does"
        )
    if not now_utc < until_utc <= now_utc + MOST_SECONDS:
        raise InputError(
            f"putting off {wanted!r}: until a time between now and {MOST_SECONDS / 86_400:.0f} days from now, not "
            f"{(until_utc - now_utc) / 86_400:.3g} days; `reeve reject` closes what nobody wants"
        )
    return _store(journal, view, until_utc, now_utc, reason, who)


def bring_back(journal: Journal, wanted: str, now_utc: float, who: str = "") -> Deferral:
    """Take a deferral back: what it put off waits again at once.

    Where one cause holds up several tasks, any of them names it. Raises InputError where nothing is put off.
    """
    view = task_view(journal.store, wanted.partition(".")[0])
    put_off = [each for each in (view, *_of_one_cause(journal, view)) if each.deferral is not None]
    running = [each for each in put_off if each.deferral is not None and each.deferral.until_utc > now_utc]
    if not running:
        raise InputError(f"bringing back {wanted!r}: it is not put off; `reeve inbox` lists what is")
    first, *others = (_store(journal, each, now_utc, now_utc, "", who) for each in running)
    del others  # of the same cause
    return first


def _of_one_cause(journal: Journal, view: TaskView) -> list[TaskView]:
    """Find the other tasks that somebody has put off and that the same broken set-up holds up."""
    broken = view.environment
    if broken is None or broken.ok:
        return []
    tasks = dict.fromkeys(fact.task for fact in journal.store.facts(kind="deferral") if fact.task != view.id)
    views = [task_view(journal.store, task) for task in tasks]
    return [each for each in views if each.environment is not None and each.environment.key == broken.key]


def _store(journal: Journal, view: TaskView, until_utc: float, now_utc: float, reason: str, who: str) -> Deferral:
    """Store it under the next number that is free."""
    minutes = minutes_since_look(journal.store, view, now_utc) or 0.0
    mine = Deferral(view.id, until_utc, now_utc, reason, minutes, len(view.reviews), who)
    number = len(journal.store.facts(kind="deferral", task=view.id))
    while True:
        number += 1
        stored = journal.add("deferral", f"{view.id}~{number}", view.id, mine)
        if stored == mine:
            return mine
