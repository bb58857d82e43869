"""`reeve audit`."""

from enum import StrEnum
from typing import Annotated

import typer

from reeve.cli.decided import say, spent
from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Id, Json, Minutes
from reeve.cli.start import open_world
from reeve.durable import reviews


class Finding(StrEnum):
    """What an audit found."""

    OK = "ok"
    WRONG = "wrong"


Found = Annotated[Finding, typer.Argument(metavar="ok|wrong", help="What you found.", show_default=False)]
Reason = Annotated[str, typer.Option("-m", "--message", metavar="WHY", help="What is wrong; needed with `wrong`.")]


def audit(wanted: Id, found: Found, *, why: Reason = "", minutes: Minutes = None, as_json: Json = False) -> None:
    """Say what you found about a result that has landed; what is wrong stays until `reeve revert` takes it back."""
    if found is Finding.WRONG and not why.strip():
        raise typer.BadParameter("say what is wrong with -m: the reason is kept", param_hint="--message")
    settings = project()
    took = spent(ledger_of(settings), wanted, minutes)
    world = open_world(settings, sandbox="none")  # nothing is run for it
    result = reviews.audit(world, wanted, why, took, ok=found is Finding.OK)
    raise typer.Exit(say(result, took, as_json=as_json))
