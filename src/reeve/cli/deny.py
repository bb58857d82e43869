"""`reeve deny`."""

from reeve.cli.options import AttemptOrTask, Json, Why
from reeve.cli.spoken import say_to
from reeve.records import WordKind


def deny(wanted: AttemptOrTask, *, why: Why = "", as_json: Json = False) -> None:
    """Refuse what an attempt asks for; it goes on without it, and hears why."""
    say_to(wanted, WordKind.REJECT, why, as_json=as_json)
