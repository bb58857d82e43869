"""What needs a person, most valuable first.

The order is a rule, so that the same ledger always gives the same list: by what a minute of a person is worth on it,
then by the order of `Need`, then by task id. A minute is worth the minutes by hand that it is expected to save, with
round numbers for how likely that is and how long a look takes (`GAIN`, `LOOK_MINUTES`): they order, no more.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from reeve.ledger.views import AttemptView, TaskView
from reeve.records import LandingOutcome, Outcome, QuestionKind, Status

__all__ = ["InboxItem", "Need", "apart", "deferred_order", "inbox", "inbox_order"]


class Need(StrEnum):
    """Why a person is asked; of equals, the first comes first."""

    CHECK_IN = "check-in"  # an attempt stands still until somebody answers
    PERMISSION = "permission"  # the same
    WRONG = "wrong"  # landed, and an audit found it wrong
    CONFLICT = "conflict"  # passed on its base, does not land on the head
    ASKED = "asked"  # passed, and the rule asks
    AUDIT = "audit"  # landed without a look, and drawn
    UNVERIFIED = "unverified"  # there is a patch, and no proof
    DECLINED = "declined"  # an agent says why it delivers nothing
    SETUP_FAILED = "set-up failed"  # one cause for all tasks of an environment
    NO_CHECKS = "no checks"  # nothing was asked for that could prove a result
    OTHER = "other"


GAIN = {
    Need.CHECK_IN: 0.5,
    Need.PERMISSION: 0.5,
    Need.WRONG: 4.0,  # what a wrong result costs that stays, as a multiple of the work itself
    Need.CONFLICT: 0.8,
    Need.ASKED: 0.8,
    Need.AUDIT: 0.2,  # beside what it says about all that is not looked at
    Need.UNVERIFIED: 0.3,
    Need.DECLINED: 0.1,
    Need.SETUP_FAILED: 0.3,
    Need.NO_CHECKS: 0.05,
    Need.OTHER: 0.05,
}
"""The part of the work by hand that a decision is expected to save."""

LOOK_MINUTES = {
    Need.CHECK_IN: 1.0,
    Need.PERMISSION: 1.0,
    Need.CONFLICT: 6.0,
    Need.SETUP_FAILED: 10.0,
    Need.NO_CHECKS: 5.0,
    Need.OTHER: 5.0,
}
"""Beside the lines there are to read; 2 for all others."""

LINES_A_MINUTE = 10.0
UNESTIMATED_MINUTES = 10.0
"""By hand, of a task for which nobody said it."""

SPARED_LOOKS = 5.0
"""So many looks a clean audit spares at other results: with one in ten audited, and some of them not trusted."""


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One thing to decide; several tasks only where one cause holds up all of them."""

    need: Need
    tasks: tuple[str, ...]
    attempt: str | None  # the result to look at; None: there is none
    reason: str
    lines: int | None  # of the patch to look at; None: there is none
    human_minutes: float | None  # expected for the tasks by hand; None: not estimated
    until_utc: float | None = None  # a person put it off until then; None: nobody did
    put_off: str = ""  # why

    def deferred(self, now_utc: float) -> bool:
        """Say whether it is put off to a later time."""
        return self.until_utc is not None and self.until_utc > now_utc

    @property
    def look_minutes(self) -> float:
        """Return about how long it takes to decide."""
        return LOOK_MINUTES.get(self.need, 2.0) + (self.lines or 0) / LINES_A_MINUTE

    @property
    def worth(self) -> float:
        """Return the minutes that a minute of a person is expected to save on it."""
        by_hand = UNESTIMATED_MINUTES * len(self.tasks) if self.human_minutes is None else self.human_minutes
        spared = SPARED_LOOKS * self.look_minutes if self.need is Need.AUDIT else 0.0
        return round((GAIN[self.need] * by_hand + spared) / self.look_minutes, 2)

    @property
    def next(self) -> tuple[str, ...]:
        """Name the commands that go on from here, in the order in which a person would type them."""
        first = self.tasks[0]
        if self.need is Need.SETUP_FAILED:
            return (f"reeve log {first}", "reeve run")
        if self.need is Need.CHECK_IN:
            return (f"reeve log {self.attempt}", f"reeve go {self.attempt}", f'reeve tell {self.attempt} "..."')
        if self.need is Need.PERMISSION:
            return (f"reeve log {self.attempt}", f"reeve allow {self.attempt}", f'reeve deny {self.attempt} -m "why"')
        if self.need is Need.WRONG:
            return (f"reeve show {first}", f'reeve revert {first} -m "why"', f"reeve audit {first} ok")
        if self.need is Need.AUDIT:
            look = (f"reeve show {self.attempt}", f"reeve diff {self.attempt}")
            return (*look, f"reeve audit {first} ok", f'reeve audit {first} wrong -m "why"')
        reject = f'reeve reject {first} -m "why"'
        if self.attempt is None:
            return (f"reeve show {first}", reject)
        verbs = ["show"]
        verbs += ["log"] if self.need is Need.DECLINED else []
        verbs += ["diff", "accept"] if self.lines is not None else []
        return (*(f"reeve {verb} {self.attempt}" for verb in verbs), reject)


def inbox(views: Iterable[TaskView]) -> tuple[InboxItem, ...]:
    """List what needs a person, most valuable first; with what a person has put off, which `apart` takes out."""
    items: list[InboxItem] = []
    broken: defaultdict[str, list[TaskView]] = defaultdict(list)
    for view in views:
        if view.status is Status.LANDED:
            items += (_put_off(item, [view]) for item in _landed(view))
        if view.status is not Status.NEEDS_YOU:
            continue
        if view.environment is not None and not view.environment.ok:
            broken[view.environment.key].append(view)
        else:
            items.append(_put_off(_item(view), [view]))
    items.extend(_setup_failed(group) for group in broken.values())
    return tuple(sorted(items, key=inbox_order))


def apart(items: Iterable[InboxItem], now_utc: float) -> tuple[tuple[InboxItem, ...], tuple[InboxItem, ...]]:
    """Divide what needs a person into what waits now, in its order, and what is put off, the next to return first."""
    found = tuple(items)
    later = sorted((item for item in found if item.deferred(now_utc)), key=deferred_order)
    return tuple(item for item in found if not item.deferred(now_utc)), tuple(later)


def deferred_order(item: InboxItem) -> tuple[float, tuple[str, ...]]:
    """Return what the list of what is put off is sorted by."""
    return item.until_utc or 0.0, item.tasks


def inbox_order(item: InboxItem) -> tuple[float, int, tuple[str, ...]]:
    """Return what the list is sorted by."""
    return -item.worth, list(Need).index(item.need), item.tasks


def _put_off(item: InboxItem, views: Sequence[TaskView]) -> InboxItem:
    """Say until when it is put off: one cause for many tasks, as long as one of them is."""
    found = [view.deferral for view in views if view.deferral is not None]
    last = max(found, key=lambda each: each.until_utc, default=None)
    return item if last is None else replace(item, until_utc=last.until_utc, put_off=last.reason)


def _item(view: TaskView) -> InboxItem:
    waiting = next((item for item in view.attempts if item.waits_for is not None), None)
    if waiting is not None and waiting.waits_for is not None:
        need = Need.CHECK_IN if waiting.waits_for.kind is QuestionKind.CHECK_IN else Need.PERMISSION
        return InboxItem(need, (view.id,), waiting.id, view.reason, None, view.task.human_minutes)
    result = _to_look_at(view)
    changed = result.attempt if result and result.attempt and not result.attempt.patch.empty else None
    return InboxItem(
        need=_need(view, result),
        tasks=(view.id,),
        attempt=result.id if result else None,
        reason=view.reason,
        lines=changed.patch.lines if changed else None,
        human_minutes=view.task.human_minutes,
    )


def _landed(view: TaskView) -> list[InboxItem]:
    """List what has landed and needs a person all the same: it was drawn for an audit, or found to be wrong."""
    draw, wrong = view.audit, view.found_wrong
    if draw is None and wrong is None:
        return []
    need, reason = (Need.WRONG, view.reason) if wrong is not None else (Need.AUDIT, f"{view.reason}, without a look")
    attempt = view.attempt(draw.attempt if draw is not None else wrong.attempt or "" if wrong is not None else "")
    lines = attempt.attempt.patch.lines if attempt is not None and attempt.attempt is not None else None
    return [InboxItem(need, (view.id,), attempt.id if attempt else None, reason, lines, view.task.human_minutes)]


def _setup_failed(group: Sequence[TaskView]) -> InboxItem:
    minutes = [view.task.human_minutes for view in group if view.task.human_minutes is not None]
    environment = group[0].environment
    item = InboxItem(
        need=Need.SETUP_FAILED,
        tasks=tuple(view.id for view in group),
        attempt=None,
        reason=environment.reason if environment else group[0].reason,
        lines=None,
        human_minutes=sum(minutes) if minutes else None,
    )
    return _put_off(item, group)


def _need(view: TaskView, result: AttemptView | None) -> Need:
    passed = result is not None and any(verdict.outcome is Outcome.PASSED for verdict in result.verdicts)
    if passed and view.landings and view.landings[-1].outcome is not LandingOutcome.LANDED:
        return Need.CONFLICT
    if passed:
        return Need.ASKED
    if result is not None and result.declined:
        return Need.DECLINED
    if result is not None:
        return Need.UNVERIFIED
    return Need.NO_CHECKS if view.task.checks.none else Need.OTHER


def _to_look_at(view: TaskView) -> AttemptView | None:
    """Choose the result a person looks at: the one the flow named, else the newest that changed anything.

    One that the flow named because it declines is looked at for its reasons, whether it changed anything or not.
    """
    named = [view.chosen] if view.chosen else []
    if named and named[0].declined:
        return named[0]
    changed = [item for item in (*named, *reversed(view.attempts)) if item.attempt and not item.attempt.patch.empty]
    return changed[0] if changed else None
