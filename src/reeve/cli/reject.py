"""`reeve reject`."""

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes, Why
from reeve.cli.start import open_world
from reeve.durable import reviews


def reject(wanted: Id, *, why: Why, minutes: Minutes = None, as_json: Json = False) -> None:
    """Turn a result down; the task is closed with your reason."""
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    result = reviews.reject(world, wanted, why, took)
    raise typer.Exit(say(result, took, as_json=as_json))
