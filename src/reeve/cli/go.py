"""`reeve go`."""

from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.spoken import say_to
from reeve.records import WordKind


def go(wanted: AttemptOrTask, *, as_json: Json = False) -> None:
    """Let an attempt go on that waits at a check-in."""
    say_to(wanted, WordKind.GO, "", as_json=as_json)
