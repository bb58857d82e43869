"""`reeve revert`."""

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes, Why
from reeve.cli.start import open_world
from reeve.durable import reviews


def revert(wanted: Id, *, why: Why, minutes: Minutes = None, as_json: Json = False) -> None:
    """Take a landed result back with a revert commit, and record it as wrong."""
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    world = open_world(settings, sandbox="none")  # a revert commit is made of trees alone, nothing is run
    result = reviews.revert(world, wanted, why, took)
    raise typer.Exit(say(result, took, as_json=as_json))
