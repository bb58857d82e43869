"""`reeve allow`."""

from reeve.cli.options import AttemptOrTask, Json
from reeve.cli.spoken import say_to
from reeve.records import WordKind


def allow(wanted: AttemptOrTask, *, as_json: Json = False) -> None:
    """Allow what an attempt asks for, this once."""
    say_to(wanted, WordKind.ALLOW, "", as_json=as_json)
