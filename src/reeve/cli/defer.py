"""`reeve defer`."""

import time
from typing import Annotated

import typer

from reeve.cli.decided import reviewer
from reeve.cli.later import LATER, until
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.output import minutes, print_json, safe, screen
from reeve.cli.start import Clock
from reeve.durable.deferring import bring_back
from reeve.durable.deferring import defer as put_off
from reeve.durable.journal import Journal
from reeve.errors import InputError
from reeve.ledger.codec import encode
from reeve.ledger.plain import one_line
from reeve.records import Deferral
from reeve.units import clock_time

For = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="30min, 2h, 1d, 1w or tomorrow.", show_default=LATER),
]
Message = Annotated[str, typer.Option("-m", "--message", metavar="WHY", help="Why, for yourself.", show_default=False)]
Now = Annotated[bool, typer.Option("--now", help="Take it back: what was put off waits again at once.")]


def defer(
    wanted: AttemptOrTask, *, for_: For = None, why: Message = "", now: Now = False, as_json: Json = False
) -> None:
    """Put off what needs you: it leaves the inbox until then, or until something new happens to the task."""
    if now and (for_ is not None or why):
        raise InputError("--now takes back what was put off; leave out --for and --message")
    journal, at_utc = Journal(ledger_of(project()), Clock()), time.time()
    if now:
        found = bring_back(journal, wanted, at_utc, reviewer())
    else:
        found = put_off(journal, wanted, until(for_ or LATER, at_utc), at_utc, why, reviewer())
    if as_json:
        print_json({"id": found.task, **encode(found)})
        return
    screen().print(safe(told(found)))


def told(found: Deferral) -> str:
    """Say what came of it in one sentence."""
    spent = f" ({minutes(found.minutes)} min so far)" if found.minutes else ""
    if found.until_utc <= found.at_utc:
        return f"{found.task} is back in the inbox{spent}"
    why = f": {one_line(found.reason)}" if found.reason else ""
    when = clock_time(found.until_utc, found.at_utc)
    return f"{found.task} put off until {when}, or until something new happens to it{why}{spent}"
