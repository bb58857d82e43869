"""What needs a person, most valuable first.

The order is a rule, so that the same ledger always gives the same list: by kind of need in the order of `Need`,
which runs from one decision away from a landing to nothing to decide on yet; within a kind by the minutes that a person
would need for the task, most first, and unestimated ones last; then by task id.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reeve.ledger.views import AttemptView, TaskView
from reeve.records import LandingOutcome, Outcome, QuestionKind, Status

__all__ = ["InboxItem", "Need", "inbox", "inbox_order"]


class Need(StrEnum):
    """Why a person is asked, most valuable first."""

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


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One thing to decide; several tasks only where one cause holds up all of them."""

    need: Need
    tasks: tuple[str, ...]
    attempt: str | None  # the result to look at; None: there is none
    reason: str
    lines: int | None  # of the patch to look at; None: there is none
    human_minutes: float | None  # expected for the tasks by hand; None: not estimated

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
    """List what needs a person, most valuable first."""
    items: list[InboxItem] = []
    broken: defaultdict[str, list[TaskView]] = defaultdict(list)
    for view in views:
        if view.status is Status.LANDED:
            items += _landed(view)
        if view.status is not Status.NEEDS_YOU:
            continue
        if view.environment is not None and not view.environment.ok:
            broken[view.environment.key].append(view)
        else:
            items.append(_item(view))
    items.extend(_setup_failed(group) for group in broken.values())
    return tuple(sorted(items, key=inbox_order))


def inbox_order(item: InboxItem) -> tuple[int, float, tuple[str, ...]]:
    """Return what the list is sorted by."""
    return list(Need).index(item.need), -(item.human_minutes or 0.0), item.tasks


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
    return InboxItem(
        need=Need.SETUP_FAILED,
        tasks=tuple(view.id for view in group),
        attempt=None,
        reason=environment.reason if environment else group[0].reason,
        lines=None,
        human_minutes=sum(minutes) if minutes else None,
    )


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
