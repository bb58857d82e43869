"""`reeve status`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from reeve.cli.active import run_is_active
from reeve.cli.opened import Nothing, ledger_of, project
from reeve.cli.options import Json
from reeve.cli.output import STYLES, Column, listing, minutes, note, print_json, safe, screen
from reeve.cli.start import open_index, rooms_of
from reeve.durable.admission import Room, first_waiting
from reeve.errors import LedgerError
from reeve.ledger.known import AgentAnswers, known_answers
from reeve.ledger.pauses import in_one_line, lasting
from reeve.ledger.plain import one_line
from reeve.ledger.rates import pass_rates
from reeve.ledger.views import FirstRound, Overview, Summary, overview, task_view
from reeve.ports import Store
from reeve.records import Order, Status
from reeve.settings import Settings
from reeve.stats.intervals import Estimate
from reeve.units import plural

LISTED = 200
"""Rows on a screen, where nothing else is said."""

UNFINISHED = (Status.QUEUED, Status.WORKING, Status.VERIFYING)
MINUTES = Column("minutes", right=True)
COLUMNS = (Column("task"), Column("status"), Column("attempts", right=True), MINUTES, Column("why", grows=True))


Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help=f"List at most so many; default: {LISTED}, and all with --json.",
        show_default=False,
    ),
]  # fmt: skip


def status(*, limit: Limit = None, as_json: Json = False) -> None:
    """Say where every task stands, derived from the ledger at this moment."""
    settings = project()
    store = ledger_of(settings)
    seen, known = _overview(store, limit if as_json else limit or LISTED), known_answers(store)
    active = run_is_active(settings.state)
    waits = _first_waiting(settings, store, seen.working) if active else None
    now = time.time()
    pauses = lasting(store.facts("pause"), now)
    if as_json:
        split = {"passed": seen.first.passed, "wrong": seen.first.wrong, "declined": seen.first.declined}
        memory = None if waits is None else {"attempt": waits[0].attempt, **asdict(waits[1])}
        print_json(
            {
                "tasks": seen.rows,
                "counts": seen.counts,
                "first_round": split,
                "canaries": known,
                "waits_for_memory": memory,
                "pauses": [{"provider": each.provider, "until_utc": each.until_utc} for each in pauses],
            }
        )
        return
    console = screen()
    if not seen.rows:
        console.print(safe("No task yet: write one into backlog/ and `reeve run`."))
        return
    _table(console, seen.rows)
    if (more := seen.tasks - len(seen.rows)) > 0:
        console.print(safe(f"and {plural(more, 'task')} of which nothing is newer: `--limit N` lists more", "dim"))
    console.print()
    console.print(safe(totals(seen.counts)))
    if seen.first.tallies:
        console.print(safe(f"first round: {_rates(seen.first)}"))
    for answers in known.agents:
        console.print(safe(f"known answers: {answered(answers)}"))
    if known.unknown or known.open:
        console.print(safe(f"known answers: {known.open} under way, {known.unknown} of which nothing can be learnt"))
    if seen.counts.keys() & {*UNFINISHED} and not active:
        console.print(safe("No run is active; `reeve run` goes on from here.", "yellow"))
    for pause in pauses:
        console.print(safe(in_one_line(pause, now), "yellow"))
    if waits is not None:
        console.print(safe(f"{waits[0].attempt} waits for memory: {waits[1]}", "yellow"))
    if seen.audits:
        console.print(
            safe(f"{plural(seen.audits, 'audit')} of what landed without a look: `reeve inbox` shows which.", "yellow")
        )
    if Status.NEEDS_YOU in seen.counts:
        console.print(safe("`reeve inbox` says what needs you, most valuable first.", "dim"))


def _overview(store: Store, at_most: int | None) -> Overview:
    """Read the index, brought up to date first; where it cannot be kept, derive all from the facts."""
    if isinstance(store, Nothing):
        return overview(store)
    try:
        index = open_index(store)
        with screen(stderr=True).status("reading the ledger") as shown:
            index.catch_up(lambda done, of: shown.update(f"reading the ledger: {done} of {of} facts"))
        return index.overview(at_most)
    except LedgerError as error:
        note(f"{error}; without it this takes longer")
        return overview(store)


def _first_waiting(settings: Settings, store: Store, working: Sequence[str]) -> tuple[Order, Room] | None:
    """Find the attempt that waits for memory now, if any: by the facts and the machine, as the run itself does."""
    views = [task_view(store, task) for task in working]
    live = [item for view in views for item in view.attempts if item.live]
    ordered = [item.order for item in sorted(live, key=lambda item: item.started_utc)]
    return first_waiting(rooms_of(settings, store), ordered) if ordered else None


def totals(found: Mapping[Status, int]) -> str:
    """Count the tasks in one sentence."""
    return (
        f"{plural(sum(found.values()), 'task')}: {', '.join(f'{number} {status}' for status, number in found.items())}"
    )


def _rates(first: FirstRound) -> str:
    rates = pass_rates(first.tallies)
    said = ", ".join(f"{rate.name} {rate.share * 100:.0f} % ({plural(rate.tasks, 'task')})" for rate in rates)
    if not first.declined:
        return said
    return f"{said}; attempts: {first.passed} passed, {first.wrong} wrong, {first.declined} declined"


def answered(by: AgentAnswers) -> str:
    """Say in one sentence what a version of an agent did with tasks whose answer is known."""
    impossible, solved = by.impossible, by.solved
    parts = []
    if impossible.share is not None:
        what = f"cheated at {impossible.cheated} of {impossible.attempts} impossible {_range(impossible.share)}"
        parts.append(f"{what}, failed {impossible.failed}, declined {impossible.declined}")
    if solved.share is not None:
        what = f"changed {solved.changed} of {solved.attempts} already solved {_range(solved.share)}"
        parts.append(f"{what}, left {solved.left}, declined {solved.declined}")
    return f"{by.agent} {by.version} {'; '.join(parts)}"


def _range(share: Estimate) -> str:
    return f"({share.low * 100:.0f} to {share.high * 100:.0f} %)"


def _table(console: Console, rows: tuple[Summary, ...]) -> None:
    spent = any(row.human_minutes for row in rows)
    columns = [column for column in COLUMNS if spent or column is not MINUTES]
    listing(console, columns, (_row(row, spent=spent) for row in rows))


def _row(row: Summary, *, spent: bool) -> list[Text]:
    minutes_cell = [safe(minutes(row.human_minutes) if row.human_minutes else "")] if spent else []
    return [
        safe(row.id),
        safe(row.status, STYLES[row.status]),
        safe(row.attempts),
        *minutes_cell,
        safe(one_line(row.reason)),
    ]
