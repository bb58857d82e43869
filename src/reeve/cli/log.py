"""`reeve log`."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reeve.attempt.events import events_of, in_words
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.output import note, print_json, safe, screen
from reeve.errors import InputError
from reeve.ledger.codec import encode
from reeve.ledger.plain import plain
from reeve.ledger.views import AttemptView, attempt_view, task_view
from reeve.ports import Store
from reeve.records import Event

POLL_SECONDS = 0.25

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on printing until the attempt ends.")]


Frames = Annotated[
    bool, typer.Option("--frames", help="What agent and reeve said in their protocol, frame by frame, as JSON lines.")
]


def log(wanted: AttemptOrTask, *, follow: Follow = False, frames: Frames = False, as_json: Json = False) -> None:
    """Print the trajectory of an attempt; for a task that of its newest, or what a failed set-up printed."""
    settings = project()
    store = ledger_of(settings)
    item = _attempt(store, wanted)
    if item is None:
        _setup_log(store, wanted, as_json=as_json)
        return
    if frames:
        _print_frames(store, item)
        return
    printer = _Printer(as_json, item.started_utc)
    for event in _events(store, settings.state, item, follow=follow):
        printer.event(event)
    printer.end(item.id)


def _attempt(store: Store, wanted: str) -> AttemptView | None:
    if "." in wanted:
        return attempt_view(store, wanted)[1]
    attempts = task_view(store, wanted).attempts
    return attempts[-1] if attempts else None


def _print_frames(store: Store, item: AttemptView) -> None:
    if item.attempt is None or not item.attempt.frames:
        why = "it is still at work" if item.attempt is None else f"{item.order.agent.kind!r} speaks none that is kept"
        raise InputError(f"{item.id} has no frames of a protocol: {why}")
    for line in store.get(item.attempt.frames).decode("utf-8", "replace").splitlines():
        typer.echo(plain(line))


def _setup_log(store: Store, task: str, *, as_json: bool) -> None:
    view = task_view(store, task)
    if view.environment is None or not view.environment.log:
        raise InputError(f"{task} has no attempt yet, and no set-up that printed anything: {view.reason}")
    text = store.get(view.environment.log).decode("utf-8", "surrogateescape")
    if as_json:
        print_json({"id": task, "environment": view.environment.key, "ok": view.environment.ok, "text": text})
        return
    note(f"set-up of the environment of {task}: {view.environment.reason or 'done'}")
    screen().print(safe(text.rstrip()), soft_wrap=True)


def _events(store: Store, state: Path, item: AttemptView, *, follow: bool) -> Iterator[Event]:
    """Read the events of an attempt, the stored ones or those so far; `follow` waits for what is still to come."""
    if item.attempt is not None or not follow:
        yield from events_of(_said(store, state, item, 0))
        return
    offset = 0
    while item.attempt is None:
        said = _said(store, state, item, offset)
        whole = said[: said.rfind(b"\n") + 1]  # a line that is being written waits for its end
        yield from events_of(whole)
        offset += len(whole)
        time.sleep(POLL_SECONDS)
        item = attempt_view(store, item.id)[1]
    yield from events_of(_said(store, state, item, offset))


def _said(store: Store, state: Path, item: AttemptView, offset: int) -> bytes:
    if item.attempt is not None:
        return store.get(item.attempt.trajectory)[offset:] if item.attempt.trajectory else b""
    try:
        with (state / "attempts" / item.id / "output").open("rb") as file:
            file.seek(offset)
            return file.read()
    except OSError:
        return b""


@dataclass
class _Printer:
    as_json: bool
    started_utc: float
    count: int = 0

    def event(self, event: Event) -> None:
        self.count += 1
        if self.as_json:
            typer.echo(_line(event))
            return
        since = max(event.at_utc - self.started_utc, 0.0) if event.at_utc else None
        stamp = "         " if since is None else f"{since:7.1f} s"
        lines = plain(in_words(event)).rstrip().split("\n")
        screen().print(safe(f"{stamp}  {event.kind:<11}  ", "dim").append_text(safe(lines[0])), soft_wrap=True)
        for line in lines[1:]:
            screen().print(safe(f"{'':24}{line}"), soft_wrap=True)

    def end(self, attempt: str) -> None:
        if not self.count and not self.as_json:
            note(f"{attempt} printed nothing")


def _line(event: Event) -> str:
    """One event as JSON: time, kind and text, and of the rest what it has."""
    body = encode(event)
    has = {name: value for name, value in body.items() if value or name in ("at_utc", "kind", "text")}
    return json.dumps(has, ensure_ascii=True)
