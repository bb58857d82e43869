"""Options and arguments that several commands share."""

from typing import Annotated

import typer

__all__ = ["AttemptOrTask", "Id", "Json", "Minutes", "SandboxName", "Why"]

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
SandboxName = Annotated[
    str | None,
    typer.Option(
        "--sandbox",
        metavar="NAME",
        help="`bubblewrap`, or `none`: no walls at all, and the report says so.",
        show_default=False,
    ),
]
