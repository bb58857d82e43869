"""`reeve again`."""

from typing import Annotated

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes
from reeve.cli.start import open_world
from reeve.durable import reviews

Words = Annotated[
    str,
    typer.Option(
        "-m", "--message", metavar="WHY", help="What to do otherwise; only what failed needs none.", show_default=False
    ),
]


def again(wanted: Id, *, why: Words = "", minutes: Minutes = None, as_json: Json = False) -> None:
    """Send a result back: the next run makes attempts anew, and tells them your reason."""
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    result = reviews.again(open_world(settings, sandbox="none"), wanted, why, took)  # nothing is run for it
    raise typer.Exit(say(result, took, as_json=as_json))
