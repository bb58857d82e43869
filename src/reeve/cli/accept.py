"""`reeve accept`."""

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes, SandboxName
from reeve.cli.start import open_world
from reeve.durable import reviews


def accept(wanted: Id, *, minutes: Minutes = None, sandbox: SandboxName = None, as_json: Json = False) -> None:
    """Agree with a result and land it; with one that has landed, record that you looked and agree."""
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    result = reviews.accept(open_world(settings, sandbox=sandbox), wanted, took)
    raise typer.Exit(say(result, took, as_json=as_json))
