"""The API under /api/v1: what the pages show, as JSON, and what a person can do from them."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from reeve.ledger.inbox import InboxItem
from reeve.ledger.row import Page, Totals
from reeve.ledger.told import told
from reeve.records import Event, Status, WordKind
from reeve.web.deck.acts import Act
from reeve.web.deck.reading import AtWork, Load
from reeve.web.deck.spending import Account
from reeve.web.deck.utf8 import Utf8Router

__all__ = ["NEWEST", "RESPONSES", "router"]

NEWEST = 2**62

Id = Annotated[str, InPath(max_length=200)]
Minutes = Annotated[
    float | None, Field(ge=0, le=600, description="that it took you; null: measured from your first look")
]


class Problem(BaseModel):
    """Why something was not done."""

    error: str


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "The token is missing or wrong."},
    404: {"model": Problem, "description": "There is no such thing."},
    422: {"model": Problem, "description": "Not understood."},
}

router = Utf8Router(responses=RESPONSES)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The whole fleet this moment."""

    seq: int  # of the newest fact in it
    active: bool  # a run is at work
    totals: Mapping[Status, Totals]
    work: tuple[AtWork, ...]
    budgets: tuple[Account, ...]  # of the run and of the day
    load: Load


class Body(BaseModel):
    """A body with nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid")


class Accepting(Body):
    """Which result, and how long you took."""

    attempt: Annotated[str, Field(max_length=200)] = ""
    minutes: Minutes = None


class Refusing(Body):
    """Why, and how long you took."""

    why: Annotated[str, Field(min_length=1, max_length=20_000)]
    minutes: Minutes = None


class Right(Body):
    """It is right."""

    ok: Literal[True]
    minutes: Minutes = None


class Wrong(Refusing):
    """It is wrong, and why."""

    ok: Literal[False]


class Stopping(Body):
    """Why."""

    why: Annotated[str, Field(max_length=20_000)] = ""


class Retrying(Body):
    """What to do otherwise; "": nothing."""

    why: Annotated[str, Field(max_length=20_000)] = ""


class Deferring(Body):
    """How long (`30min`, `2h`, `1d`, `1w` or `tomorrow`), and why."""

    how_long: Annotated[str, Field(max_length=40)] = "tomorrow"
    why: Annotated[str, Field(max_length=20_000)] = ""


class Saying(Body):
    """A word to an attempt."""

    kind: WordKind
    text: Annotated[str, Field(max_length=20_000)] = ""


# ---------------------------------------------------------------- read


@router.get("/fleet")
def fleet(request: Request) -> Fleet:
    """Count all tasks, and say what every attempt that is under way does."""
    deck = request.app.state.deck
    seq = deck.reading.rows.catch_up()
    rows = deck.reading.rows
    active = deck.active()
    budgets = deck.reading.spending.whole(time.time(), active=active)
    return Fleet(seq, active, rows.totals(), deck.reading.at_work(rows.live()), budgets, deck.reading.load())


@router.get("/tasks")
def tasks(
    request: Request,
    status: Annotated[list[Status] | None, Query()] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int, Query(ge=0, le=NEWEST, description="the `more` of the page before")] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page:
    """List tasks, those first whose facts are newest."""
    rows = request.app.state.deck.reading.rows
    rows.catch_up()
    found: Page = rows.page(statuses=status or (), text=q, before=before, at_most=limit)
    return found


@router.get("/tasks/{task}")
def task(request: Request, task: Id) -> dict[str, Any]:
    """Everything about one task but what its hidden tests hold."""
    return told(request.app.state.deck.reading.task(task))


@router.get("/attempts/{attempt}/events")
def events(request: Request, attempt: Id, after: Annotated[int, Query(ge=0, le=NEWEST)] = 0) -> tuple[Event, ...]:
    """Read the trajectory of an attempt from an event on; of a live one what there is so far."""
    reading = request.app.state.deck.reading
    _, item = reading.attempt(attempt)
    found: tuple[Event, ...] = reading.events(item)[after:]
    return found


@router.get("/inbox")
def inbox(request: Request) -> tuple[InboxItem, ...]:
    """List what needs a person now, most valuable first."""
    reading = request.app.state.deck.reading
    reading.rows.catch_up()
    found: tuple[InboxItem, ...] = reading.inbox(time.time())
    return found


@router.get("/inbox/deferred")
def deferred(request: Request) -> tuple[InboxItem, ...]:
    """List what a person has put off, the next to return first; `until_utc` says when."""
    reading = request.app.state.deck.reading
    reading.rows.catch_up()
    found: tuple[InboxItem, ...] = reading.deferred(time.time())
    return found


@router.get("/acts/{number}")
def act(request: Request, number: Annotated[int, InPath(ge=1, le=NEWEST)]) -> Act:
    """Say what came of something that a person did."""
    found: Act | None = request.app.state.desk.act(number)
    if found is None:
        raise HTTPException(404, "no such act, or it is long ago")
    return found


@router.get("/stream", response_class=StreamingResponse)
def stream(request: Request, after: Annotated[int | None, Query(ge=0, le=NEWEST)] = None) -> StreamingResponse:
    """Follow the ledger: one server-sent event whenever facts come, with the tasks that they are about.

    The event id is the `seq` of the newest; whoever connects again with `Last-Event-ID` misses nothing.
    """
    listening = request.app.state.stream
    if listening.full:
        raise HTTPException(503, "too many listen already", {"retry-after": "5"})
    last = request.headers.get("last-event-id", "")
    since = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
    if since is None:
        since = request.app.state.deck.last()  # now, and not when the first event is asked for
    events: AsyncIterator[bytes] = listening.listen(since)
    return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store"})


# ---------------------------------------------------------------- do


@router.post("/tasks/{task}/accept", status_code=202)
def accept(request: Request, task: Id, body: Accepting) -> Act:
    """Land a result, proved again where the branch has moved."""
    acts, wanted = request.app.state.deck.acts, body.attempt or task
    return _begin(request, "accept", wanted, task, lambda: acts.accept(wanted, body.minutes))


@router.post("/tasks/{task}/reject", status_code=202)
def reject(request: Request, task: Id, body: Refusing) -> Act:
    """Turn a result down."""
    acts = request.app.state.deck.acts
    return _begin(request, "reject", task, task, lambda: acts.reject(task, body.why, body.minutes))


@router.post("/tasks/{task}/again", status_code=202)
def again(request: Request, task: Id, body: Refusing) -> Act:
    """Send a result back: the next run makes attempts anew, which are told why."""
    acts = request.app.state.deck.acts
    return _begin(request, "send back", task, task, lambda: acts.again(task, body.why, body.minutes))


@router.post("/tasks/{task}/retry", status_code=202)
def retry(request: Request, task: Id, body: Retrying) -> Act:
    """Have a task that failed attempted once more by the next run."""
    acts = request.app.state.deck.acts
    return _begin(request, "retry", task, task, lambda: acts.retry(task, body.why))


@router.post("/tasks/{task}/defer", status_code=202)
def defer(request: Request, task: Id, body: Deferring) -> Act:
    """Put off what a person is asked about a task, until a time or until something new happens to it."""
    acts = request.app.state.deck.acts
    return _begin(request, "defer", task, task, lambda: acts.defer(task, body.how_long, body.why))


@router.post("/tasks/{task}/bring-back", status_code=202)
def bring_back(request: Request, task: Id) -> Act:
    """Take back what was put off."""
    acts = request.app.state.deck.acts
    return _begin(request, "bring back", task, task, lambda: acts.bring_back(task))


@router.post("/tasks/{task}/revert", status_code=202)
def revert(request: Request, task: Id, body: Refusing) -> Act:
    """Take back what landed."""
    acts = request.app.state.deck.acts
    return _begin(request, "revert", task, task, lambda: acts.revert(task, body.why, body.minutes))


@router.post("/tasks/{task}/audit", status_code=202)
def audit(request: Request, task: Id, body: Right | Wrong) -> Act:
    """Say whether what landed is right."""
    acts, why = request.app.state.deck.acts, body.why if isinstance(body, Wrong) else ""
    return _begin(request, "audit", task, task, lambda: acts.audit(task, why, body.minutes, ok=body.ok))


@router.post("/attempts/{attempt}/stop", status_code=202)
def stop(request: Request, attempt: Id, body: Stopping) -> Act:
    """End an attempt with everything that it started."""
    acts = request.app.state.deck.acts
    return _begin(request, "stop", attempt, attempt.partition(".")[0], lambda: acts.stop(attempt, body.why))


@router.post("/attempts/{attempt}/say", status_code=202)
def say(request: Request, attempt: Id, body: Saying) -> Act:
    """Say a word to a running attempt, or answer what it asks."""
    acts = request.app.state.deck.acts
    task = attempt.partition(".")[0]
    return _begin(request, str(body.kind), attempt, task, lambda: acts.say(attempt, body.kind, body.text))


def _begin(request: Request, what: str, on: str, task: str, deed: Callable[[], str]) -> Act:
    request.app.state.deck.reading.task(task)  # raises where there is none
    begun: Act = request.app.state.desk.do(what, on, deed)
    return begun
