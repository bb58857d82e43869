"""`reeve status`."""

from rich.console import Console
from rich.text import Text

from reeve.cli.active import run_is_active
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Json
from reeve.cli.output import STYLES, Column, listing, minutes, print_json, safe, screen
from reeve.ledger.plain import one_line
from reeve.ledger.rates import pass_rates
from reeve.ledger.views import Summary, counts, first_round, summaries
from reeve.records import Status
from reeve.units import plural

UNFINISHED = (Status.QUEUED, Status.WORKING, Status.VERIFYING)
MINUTES = Column("minutes", right=True)
COLUMNS = (Column("task"), Column("status"), Column("attempts", right=True), MINUTES, Column("why", grows=True))


def status(*, as_json: Json = False) -> None:
    """Say where every task stands, derived from the ledger at this moment."""
    settings = project()
    store = ledger_of(settings)
    rows = summaries(store)
    if as_json:
        print_json({"tasks": rows, "counts": counts(rows)})
        return
    console = screen()
    if not rows:
        console.print(safe("No task yet: write one into backlog/ and `reeve run`."))
        return
    _table(console, rows)
    console.print()
    console.print(safe(totals(rows)))
    if rates := pass_rates(first_round(store)):
        said = ", ".join(f"{rate.name} {rate.share * 100:.0f} % ({plural(rate.tasks, 'task')})" for rate in rates)
        console.print(safe(f"first round: {said}"))
    statuses = {row.status for row in rows}
    if statuses & {*UNFINISHED} and not run_is_active(settings.state):
        console.print(safe("No run is active; `reeve run` goes on from here.", "yellow"))
    if Status.NEEDS_YOU in statuses:
        console.print(safe("`reeve inbox` says what needs you, most valuable first.", "dim"))


def totals(rows: tuple[Summary, ...]) -> str:
    """Count the tasks in one sentence."""
    found = ", ".join(f"{number} {status}" for status, number in counts(rows).items())
    return f"{plural(len(rows), 'task')}: {found}"


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
