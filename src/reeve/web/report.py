"""One self-contained HTML page of all the ledger knows: no script, no request, nothing an agent wrote unescaped."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reeve.attempt.events import events_of, in_words
from reeve.errors import LedgerError
from reeve.ledger.codec import decode
from reeve.ledger.inbox import inbox
from reeve.ledger.known import KnownAnswers, known_answers
from reeve.ledger.plain import one_line, plain
from reeve.ledger.rates import Rate, pass_rates
from reeve.ledger.seeded import answered
from reeve.ledger.views import AttemptView, TaskView, counts, first_round, task_views
from reeve.ports import Store
from reeve.records import Event, Policy, Status
from reeve.units import duration, plural, short_hash

__all__ = ["Fleet", "environment_of", "fleet", "render"]

FOLDER = Path(__file__).parent
DIFF_LINES = 400
LINE_CHARACTERS = 400
EVENTS_FIRST = 5
EVENTS_LAST = 15
EVENT_CHARACTERS = 600
LOG_LINES = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a patch and what it does."""

    kind: str  # file, hunk, add, del, same
    text: str


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """An attempt with the excerpts the page shows; `more_…` counts what was cut."""

    view: AttemptView
    diff: tuple[Line, ...]
    more_lines: int
    events: tuple[Event, ...]
    more_events: int


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A task with its attempts and, where its set-up failed, the end of that log."""

    view: TaskView
    attempts: tuple[AttemptPage, ...]
    setup_log: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The numbers at the top of the page.

    `rates` is empty where nothing was judged; `passed`, `wrong` and `declined` split the attempts behind them.
    """

    counts: Mapping[Status, int]
    tasks: int
    attempts: int
    rates: tuple[Rate, ...]
    passed: int
    wrong: int
    declined: int
    human_minutes: float
    wall_seconds: float
    cpu_seconds: float
    sandboxes: tuple[str, ...]
    canaries: KnownAnswers

    @property
    def minutes_per_landed(self) -> float | None:
        """Return the minutes of people for each landed task; None where none landed."""
        landed = self.counts.get(Status.LANDED, 0)
        return self.human_minutes / landed if landed else None


def fleet(store: Store, views: Sequence[TaskView]) -> Fleet:
    """Count and estimate over the whole ledger."""
    work = [view for view in views if view.seeded is None]
    done = [item.attempt for view in work for item in view.attempts if item.attempt is not None]
    first = first_round(store)
    return Fleet(
        counts=counts(views),
        tasks=len(views),
        attempts=sum(len(view.attempts) for view in views),
        rates=pass_rates(first.tallies),
        passed=first.passed,
        wrong=first.wrong,
        declined=first.declined,
        human_minutes=sum(view.spent_minutes for view in views) + sum(each.review.minutes for each in answered(store)),
        wall_seconds=sum(attempt.wall_seconds for attempt in done),
        cpu_seconds=sum(attempt.cpu_seconds for attempt in done),
        sandboxes=tuple(sorted({attempt.sandbox for attempt in done})),
        canaries=known_answers(store),
    )


def render(store: Store, *, project: str, at_utc: float) -> str:
    """Make the page from the ledger; `project` is the name in its title."""
    views = task_views(store)
    css = (FOLDER / "report.css").read_text(encoding="utf-8")
    policies = [decode(Policy, fact.body) for fact in store.facts(kind="policy")]
    return (
        environment_of(FOLDER)
        .get_template("report.html.j2")
        .render(
            project=project,
            written=datetime.fromtimestamp(at_utc, UTC).strftime("%Y-%m-%d %H:%M UTC"),
            css=Markup(css),  # noqa: S704 - our own file, no input in it
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
            fleet=fleet(store, views),
            inbox=inbox(views),
            tasks=[_task(store, view) for view in views],
            first_events=EVENTS_FIRST,
            last_events=EVENTS_LAST,
            policy=asdict(policies[-1]) if policies else {},
        )
    )


def environment_of(folder: Path) -> Environment:
    """Make what renders the templates of a folder: everything is escaped, and harmless to look at before that."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    environment.filters |= {
        "duration": duration,
        "short": short_hash,
        "line": one_line,
        "plural": plural,
        "percent": lambda share: f"{share * 100:.0f}\u202f%",
        "minutes": lambda value: f"{value:.1f}".removesuffix(".0"),
        "when": lambda at_utc: datetime.fromtimestamp(at_utc, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return environment


def _safe(value: Any) -> Any:
    """Make every text of the page harmless before it is escaped: a browser obeys bidirectional controls too."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value)
    return value


def _task(store: Store, view: TaskView) -> TaskPage:
    failed = view.environment is not None and not view.environment.ok
    return TaskPage(
        view=view,
        attempts=tuple(_attempt(store, item) for item in view.attempts),
        setup_log=_tail(store, view.environment.log) if failed and view.environment else "",
    )


def _attempt(store: Store, item: AttemptView) -> AttemptPage:
    if item.attempt is None:
        return AttemptPage(item, (), 0, (), 0)
    lines = _artefact(store, item.attempt.patch.diff).splitlines()
    events = events_of(_bytes(store, item.attempt.trajectory))
    shown = events if len(events) <= EVENTS_FIRST + EVENTS_LAST else (*events[:EVENTS_FIRST], *events[-EVENTS_LAST:])
    return AttemptPage(
        view=item,
        diff=tuple(_line(line) for line in lines[:DIFF_LINES]),
        more_lines=max(len(lines) - DIFF_LINES, 0),
        events=tuple(Event(event.at_utc, event.kind, _cut(in_words(event))) for event in shown),
        more_events=len(events) - len(shown),
    )


def _line(text: str) -> Line:
    shown = text if len(text) <= LINE_CHARACTERS else f"{text[:LINE_CHARACTERS]} … {len(text)} characters"
    if text.startswith(("diff --git ", "--- ", "+++ ", "index ", "new file", "deleted file", "old mode", "new mode")):
        return Line("file", shown)
    return Line({"@": "hunk", "+": "add", "-": "del"}.get(text[:1], "same"), shown)


def _cut(text: str) -> str:
    return text if len(text) <= EVENT_CHARACTERS else f"{text[:EVENT_CHARACTERS]} …"


def _tail(store: Store, digest: str) -> str:
    lines = _artefact(store, digest).splitlines()
    more = len(lines) - LOG_LINES
    head = [f"… {plural(more, 'line')} before"] if more > 0 else []
    return "\n".join([*head, *lines[-LOG_LINES:]])


def _artefact(store: Store, digest: str) -> str:
    return _bytes(store, digest).decode("utf-8", "surrogateescape")


def _bytes(store: Store, digest: str) -> bytes:
    """Read an artefact; one that is damaged must not cost the reader the rest of the page."""
    if not digest:
        return b""
    try:
        return store.get(digest)
    except LedgerError as error:
        return f"[{error}]".encode()
