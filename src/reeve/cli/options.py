"""Options and arguments that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["AttemptOrTask", "Id", "Json", "Minutes", "SandboxName", "Walls", "Why"]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A task, an attempt (TASK.1) or a verdict.", show_default=False)]
AttemptOrTask = Annotated[
    str, typer.Argument(metavar="ID", help="A task or one of its attempts (TASK.1).", show_default=False)
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Your minutes on it; without it, they are measured from your first `show` or `diff`.",
        show_default=False,
    ),
]
Why = Annotated[str, typer.Option("-m", "--message", metavar="WHY", help="The reason, kept in the ledger.")]


class Walls(StrEnum):
    """The sandboxes one can ask for."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


SandboxName = Annotated[
    Walls | None,
    typer.Option(
        "--sandbox",
        help="Walls around agents and checks; none: none at all, and the report says so.",
        show_default=False,
    ),
]
