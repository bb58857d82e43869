"""`reeve tell`."""

from typing import Annotated

import typer

from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.spoken import say_to
from reeve.errors import InputError
from reeve.records import WordKind

Words = Annotated[str, typer.Argument(metavar="WORDS", help="What it should know, in quotes.", show_default=False)]


def tell(wanted: AttemptOrTask, words: Words, *, as_json: Json = False) -> None:
    """Say something to a running attempt, for its next turn; where it waits at a check-in, it goes on with it."""
    if not words.strip():
        raise InputError("say something, in quotes; `reeve go ID` lets an attempt go on without a word")
    say_to(wanted, WordKind.TELL, words, as_json=as_json)
