"""One task in one row: what a list of many tasks shows, derived from the facts of that task alone.

A list of a million must not derive a million at every look, so whoever shows lists keeps rows, and derives one anew
when a fact of its task comes. `row_of` is what a row is; nothing else may say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reeve.ledger.codec import decode
from reeve.ledger.inbox import InboxItem, Need, inbox
from reeve.ledger.plain import one_line
from reeve.ledger.seeded import closed
from reeve.ledger.status import current, status_of
from reeve.ledger.views import Judged, Summary, judged_first, view_of
from reeve.ports import Fact
from reeve.records import Landing, Limits, Status

__all__ = ["Live", "Page", "Row", "Totals", "read_row", "row_of"]

TITLE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Live:
    """An attempt under way: of which agent, since when it was ordered, and what it may cost; None: no limit."""

    attempt: str
    agent: str
    since_utc: float
    limit_seconds: float = 0.0
    limit_usd: float | None = None
    limit_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One task as a list shows it; `item` is what a person is asked about it, None if it needs none.

    `spent_minutes` are those of people, `usd` and `tokens` those of its attempts; None: none of them said.
    """

    task: str
    title: str
    status: Status
    reason: str
    attempts: int
    live: tuple[Live, ...]  # attempts under way
    agents: tuple[str, ...]
    commit: str | None  # that landed
    spent_minutes: float
    expected_minutes: float | None
    usd: float | None
    tokens: int | None
    first_utc: float
    last_utc: float
    environment: str  # the key of a set-up that failed; "": it did not
    item: InboxItem | None
    first: Judged | None  # what became of its first round; None: nothing is known

    @property
    def summary(self) -> Summary:
        """Return the row of `reeve status`."""
        return Summary(self.task, self.status, self.attempts, self.commit, self.reason, self.spent_minutes)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the newest change first; `more` is the `before` of the next page, None on the last."""

    rows: tuple[Row, ...]
    more: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the tasks of one status: how many, how many attempts, and how many of those are under way."""

    tasks: int
    attempts: int
    live: int


def row_of(facts: Sequence[Fact]) -> Row | None:
    """Derive the row of one task from all of its facts; None: it is no work of anybody.

    That is where there is no task, where its answer is known, and where its truth was known and it has been answered.
    """
    facts = current(facts)
    if not facts or facts[0].kind != "task" or facts[0].body.get("known_answer") or closed(facts):
        return None
    task, derived = facts[0], status_of(facts)
    orders = [fact for fact in facts if fact.kind == "order"]
    attempts = {fact.key: fact for fact in facts if fact.kind == "attempt"}
    landing = derived.proof[0] if derived.status is Status.LANDED else None
    drawn = any(fact.kind == "draw" for fact in facts)
    view = view_of(facts) if derived.status is Status.NEEDS_YOU or drawn else None
    items = inbox([view]) if view else ()
    broken = view.environment.key if view and view.environment and not view.environment.ok else ""
    return Row(
        task=task.task,
        title=one_line(_first_line(task), TITLE_CHARACTERS),
        status=derived.status,
        reason=derived.reason,
        attempts=len(orders),
        live=tuple(_live(fact, task) for fact in orders if fact.key not in attempts),
        agents=tuple(dict.fromkeys(map(_agent, orders))),
        commit=decode(Landing, landing.body).commit if landing else None,
        spent_minutes=_spent_minutes(facts),
        expected_minutes=_number(task.body.get("human_minutes")),
        usd=_sum(_numbers(facts, "attempt", "usd")),
        tokens=_whole(_sum(_numbers(facts, "attempt", "tokens"))),
        first_utc=facts[0].at_utc,
        last_utc=facts[-1].at_utc,
        environment=broken,
        item=items[0] if items else None,
        first=judged_first(facts),
    )


def read_row(body: Mapping[str, Any]) -> Row:
    """Read a row back from its data, ten times as fast as `decode`: a page reads hundreds of them."""
    item = body["item"]
    if item is not None:
        item = InboxItem(**item | {"need": Need(item["need"]), "tasks": tuple(item["tasks"])})
    live = tuple(Live(**each) for each in body["live"])
    first = Judged(**body["first"]) if body["first"] else None
    more = {"status": Status(body["status"]), "live": live, "agents": tuple(body["agents"]), "item": item}
    return Row(**{**body, **more, "first": first})


def _live(order: Fact, task: Fact) -> Live:
    given = task.body.get("limits")
    limits = decode(Limits, given if given is not None else {})
    return Live(order.key, _agent(order), order.at_utc, limits.wall_seconds, limits.usd, limits.tokens)


def _first_line(task: Fact) -> str:
    lines = str(task.body.get("instruction", "")).strip().splitlines()
    return lines[0].lstrip("# ") if lines else ""


def _agent(order: Fact) -> str:
    found = order.body.get("agent")
    return str(found.get("name", "")) if isinstance(found, dict) else ""


def _numbers(facts: Sequence[Fact], kind: str, name: str) -> list[float]:
    found = [_number(fact.body.get(name)) for fact in facts if fact.kind == kind]
    return [number for number in found if number is not None]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _spent_minutes(facts: Sequence[Fact]) -> float:
    """Add up the minutes of decisions, and those of deferrals that no decision has followed."""
    reviews = _numbers(facts, "review", "minutes")
    open_ = [fact for fact in facts if fact.kind == "deferral" and fact.body["reviews"] == len(reviews)]
    return sum(reviews) + sum(_numbers(open_, "deferral", "minutes"))


def _sum(numbers: Sequence[float]) -> float | None:
    return sum(numbers) if numbers else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
