"""The pages, made on the server: whole ones, and the parts of them that are fetched again when something happens."""

import time
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment

from reeve.attempt.events import in_words
from reeve.ledger.inbox import InboxItem
from reeve.ledger.looks import look
from reeve.records import Status, WordKind
from reeve.web.deck.acts import Act, Desk
from reeve.web.deck.diff_rows import diff_rows, steps_of
from reeve.web.deck.reading import Reading
from reeve.web.report import environment_of

__all__ = ["make_ready", "render", "router"]

FOLDER = Path(__file__).parent / "templates"
ROWS = 50
SOON_SECONDS = 2.0
MOST_LINES = 3_000
EVENTS_SHOWN = 400
FILTERS: Mapping[str, tuple[Status, ...]] = {
    "all": (),
    "at work": (Status.QUEUED, Status.WORKING, Status.VERIFYING),
    "needs you": (Status.NEEDS_YOU,),
    "landed": (Status.LANDED,),
    "not landed": (Status.FAILED, Status.REJECTED, Status.REVERTED),
}

router = APIRouter(default_response_class=HTMLResponse)

Text = Annotated[str, Form(max_length=20_000)]
Minutes = Annotated[float | None, Form(ge=0, le=600)]


@cache
def _environment() -> Environment:
    made = environment_of(FOLDER)
    more: dict[str, Any] = {"address": lambda text: quote(str(text), safe=""), "in_words": in_words}
    made.filters |= more | {"dollars": _dollars, "count": _count}
    made.globals |= {"diff_rows": diff_rows, "steps_of": steps_of}
    # As globals, so that a part can be made without the page around it.
    made.globals |= {
        name: each for name, each in vars(made.get_template("parts.html.j2").module).items() if callable(each)
    }
    return made


def make_ready() -> None:
    """Read all templates: the first look at a page should not wait for it."""
    made = _environment()
    for name in made.list_templates(extensions=["j2"]):
        made.get_template(name)


def _dollars(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.4f}"


def _count(number: float) -> str:
    """Say a count of tokens in as many digits as matter: ``950``, ``12.3 k``, ``4.1 M``."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + f"\u202f{letter}"
    return f"{number:.0f}"


def render(request: Request, name: str, **values: Any) -> str:
    """Make a page, or with the header `X-Part` one part of it."""
    deck = request.app.state.deck
    part = request.headers.get("x-part", "")
    template = _environment().get_template(name)
    context = {
        "project": deck.settings.root.name,
        "path": request.url.path,
        "active": deck.active(),
        "waiting": None,
        **values,
    }
    if part:
        block = template.blocks.get(part)
        if block is None:
            raise HTTPException(404, "there is no such part")
        return "".join(block(template.new_context(context)))
    did = request.query_params.get("did", "")
    context["did"] = request.app.state.desk.act(int(did)) if did.isascii() and did.isdigit() and len(did) < 10 else None
    context["waiting"] = deck.reading.rows.asking(time.time())
    return template.render(context)


def _page(request: Request, name: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(request, name, **values))


# ---------------------------------------------------------------- fleet


@router.get("/")
def fleet(
    request: Request,
    show: str = "all",
    q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """Every task, newest change first, and what is at work this moment."""
    reading = request.app.state.deck.reading
    reading.rows.catch_up()
    page = reading.rows.page(statuses=FILTERS.get(show, ()), text=q, before=before, at_most=ROWS)
    live = reading.rows.live()
    return _page(
        request,
        "fleet.html.j2",
        page=page,
        totals=reading.rows.totals(),
        work=reading.at_work(live[:ROWS]),
        more_work=sum(len(row.live) for row in live[ROWS:]),
        load=reading.load(),
        now=time.time(),
        budgets=reading.spending.whole(time.time(), active=request.app.state.deck.active()),
        show=show if show in FILTERS else "all",
        filters=list(FILTERS),
        q=q,
        before=before,
    )


# ---------------------------------------------------------------- inbox


@router.get("/inbox")
def inbox(request: Request) -> Response:
    """What needs a person, most valuable first."""
    reading = request.app.state.deck.reading
    reading.rows.catch_up()
    now = time.time()
    items, later = reading.inbox(now), reading.deferred(now)
    return _page(request, "inbox.html.j2", items=items, later=later, titles=_titles(reading, (*items, *later)))


def _titles(reading: Reading, items: Sequence[InboxItem]) -> dict[str, str]:
    found = ((item.tasks[0], reading.rows.row(item.tasks[0])) for item in items)
    return {task: row.title for task, row in found if row}


# ---------------------------------------------------------------- one task, one attempt


@router.get("/task/{task}")
def task(request: Request, task: str, attempt: str = "", whole: bool = False) -> Response:
    """All of one task: what was wanted, the attempts side by side, patch, verdict, what was decided."""
    deck, desk = request.app.state.deck, request.app.state.desk
    deck.reading.rows.catch_up()
    view = deck.reading.task(task)
    busy = {act.on.partition(".")[0] for act in desk.under_way()}
    now = time.time()
    chosen = view.attempt(attempt) or view.chosen or (view.attempts[-1] if view.attempts else None)
    files = deck.reading.patch(chosen) if chosen else ()
    return _page(
        request,
        "task.html.j2",
        view=view,
        item=chosen,
        files=files,
        tests={each.id: deck.reading.tests(view.task, each) for each in chosen.verdicts} if chosen else {},
        most_lines=10**9 if whole else MOST_LINES,
        touching=_touching(deck.reading.events(chosen)) if chosen else {},
        row=deck.reading.rows.row(task),
        policy=deck.reading.policy(view),
        budget=deck.reading.spending.of_task(task)[0],
        now=now,
        act=desk.recent(task),
        next=_next(deck.reading.inbox(now), task, busy),
    )


@router.get("/task/{task}/patch/{number}")
def patch(request: Request, task: str, number: Annotated[int, InPath(ge=0, le=10**9)], attempt: str = "") -> Response:
    """All lines of one file of a patch, for a page that left them out."""
    reading = request.app.state.deck.reading
    view = reading.task(task)
    chosen = view.attempt(attempt)
    files = reading.patch(chosen) if chosen else ()
    if number >= len(files):
        raise HTTPException(404, "there is no such file in this patch")
    events = _touching(reading.events(chosen)).get(files[number].path, [])
    return HTMLResponse(diff_rows(files[number].lines, attempt, steps_of(files[number], events)))


def _touching(events: Any) -> dict[str, list[tuple[int, Any]]]:
    """Give the events that touched a file, by its path: the way from a change to whatever wrote it."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for number, event in enumerate(events):
        if event.kind in ("file_change", "tool_call"):
            for path in event.paths:
                found.setdefault(path.removeprefix("/work/"), []).append((number, event))
    return found


def _next(items: Any, task: str, busy: Collection[str]) -> str | None:
    """Name the task a person comes to after this one: the next in the inbox, else the first that is not decided on."""
    tasks = [item.tasks[0] for item in items if item.tasks[0] not in busy]
    if task in tasks:
        tasks = [*tasks[tasks.index(task) + 1 :], *tasks[: tasks.index(task)]]
    return tasks[0] if tasks else None


@router.get("/attempt/{attempt}")
def attempt(request: Request, attempt: str, all_events: bool = False) -> Response:
    """One attempt: its trajectory as it grows, what it asked and was told."""
    deck = request.app.state.deck
    view, item = deck.reading.attempt(attempt)
    events = deck.reading.events(item)
    skipped = 0 if all_events else max(len(events) - EVENTS_SHOWN, 0)
    row = deck.reading.rows.row(view.id)
    work = [each for each in deck.reading.at_work([row]) if each.attempt == attempt] if row and item.live else []
    return _page(
        request,
        "attempt.html.j2",
        view=view,
        item=item,
        events=list(enumerate(events))[skipped:],
        skipped=skipped,
        row=row,
        now=time.time(),
        work=work[0] if work else None,
        act=request.app.state.desk.recent(attempt),
    )


# ---------------------------------------------------------------- what a person does


@router.post("/look/{task}")
def looked(request: Request, task: str) -> Response:
    """A person sees a task: from now on their minutes count."""
    reading = request.app.state.deck.reading
    look(reading.store, reading.task(task), time.time())
    return Response(status_code=204)


@router.post("/task/{task}/accept")
def accept(request: Request, task: str, attempt: Text = "", minutes: Minutes = None) -> Response:
    """Land a result."""
    acts = request.app.state.deck.acts
    wanted = attempt or task
    return _done(request, "accept", wanted, lambda: acts.accept(wanted, minutes))


@router.post("/task/{task}/reject")
def reject(request: Request, task: str, why: Text = "", minutes: Minutes = None) -> Response:
    """Turn a result down."""
    acts = request.app.state.deck.acts
    _needs(why)
    return _done(request, "reject", task, lambda: acts.reject(task, why, minutes))


@router.post("/task/{task}/again")
def again(request: Request, task: str, why: Text = "", minutes: Minutes = None) -> Response:
    """Send a result back to be attempted anew."""
    acts = request.app.state.deck.acts
    _needs(why)
    return _done(request, "send back", task, lambda: acts.again(task, why, minutes))


@router.post("/task/{task}/retry")
def retry(request: Request, task: str, why: Text = "") -> Response:
    """Have what failed attempted once more."""
    acts = request.app.state.deck.acts
    return _done(request, "retry", task, lambda: acts.retry(task, why), back="/")


@router.post("/task/{task}/defer")
def defer(request: Request, task: str, how_long: Text = "tomorrow", why: Text = "") -> Response:
    """Put off what a person is asked."""
    acts = request.app.state.deck.acts
    return _done(request, "defer", task, lambda: acts.defer(task, how_long, why), back="/inbox")


@router.post("/task/{task}/bring-back")
def bring_back(request: Request, task: str) -> Response:
    """Take back what was put off."""
    acts = request.app.state.deck.acts
    return _done(request, "bring back", task, lambda: acts.bring_back(task), back="/inbox")


@router.post("/task/{task}/revert")
def revert(request: Request, task: str, why: Text = "", minutes: Minutes = None) -> Response:
    """Take back what landed."""
    acts = request.app.state.deck.acts
    _needs(why)
    return _done(request, "revert", task, lambda: acts.revert(task, why, minutes))


@router.post("/task/{task}/audit")
def audit(
    request: Request, task: str, found: Annotated[bool, Form()], why: Text = "", minutes: Minutes = None
) -> Response:
    """Say whether what landed is right."""
    acts = request.app.state.deck.acts
    if not found:
        _needs(why)
    return _done(request, "audit", task, lambda: acts.audit(task, why, minutes, ok=found))


@router.post("/attempt/{attempt}/stop")
def stop(request: Request, attempt: str, why: Text = "", fleet: bool = False) -> Response:
    """End an attempt; whoever asked for it among the `fleet` goes back there."""
    acts = request.app.state.deck.acts
    return _done(request, "stop", attempt, lambda: acts.stop(attempt, why), back="/" if fleet else "")


@router.post("/attempt/{attempt}/say")
def say(
    request: Request, attempt: str, kind: Annotated[WordKind, Form()], text: Text = "", fleet: bool = False
) -> Response:
    """Say a word to a running attempt, or answer what it asks; from the `fleet` it goes back there."""
    acts = request.app.state.deck.acts
    return _done(request, str(kind), attempt, lambda: acts.say(attempt, kind, text), back="/" if fleet else "")


def _needs(why: str) -> None:
    if not why.strip():
        raise HTTPException(422, "say why: the reason is kept with the decision")


def _done(request: Request, what: str, on: str, deed: Any, back: str = "") -> Response:
    """Begin a deed and go back to where it was asked for, where its end will be told; "": to the task or attempt."""
    desk: Desk = request.app.state.desk
    act: Act = desk.do(what, on, deed)
    if "application/json" in request.headers.get("accept", ""):
        return Response(f'{{"act":{act.number}}}', 202, media_type="application/json")
    if back:  # at once as a rule, and so the page after it shows what has become of it
        desk.settle(SOON_SECONDS)
        return RedirectResponse(f"{back}?did={act.number}", 303)
    page = (
        f"/attempt/{quote(on, safe='')}"
        if request.url.path.startswith("/attempt/")
        else f"/task/{on.partition('.')[0]}"
    )
    return RedirectResponse(page, 303)


@router.get("/enter")
def enter(request: Request, wrong: bool = False) -> Response:
    """The way in by password."""
    if request.app.state.deck.access.password is None:
        raise HTTPException(404, "there is no way in by password")
    return HTMLResponse(_environment().get_template("enter.html.j2").render(wrong=wrong, project="", path="/enter"))
