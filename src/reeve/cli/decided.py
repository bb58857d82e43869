"""What `accept`, `reject` and `revert` have in common: the minutes, and how the result is said."""

import os
import pwd
import time
from collections.abc import Mapping
from types import MappingProxyType

from reeve.cli.output import minutes as said_minutes
from reeve.cli.output import print_json, safe, screen
from reeve.durable.reviews import Minutes
from reeve.ledger.looks import measured_minutes, minutes_since_look
from reeve.ledger.plain import one_line
from reeve.ledger.views import task_view
from reeve.ports import Store
from reeve.records import Landing, LandingOutcome, Review, ReviewKind
from reeve.units import short_hash

__all__ = ["reviewer", "said", "say", "spent"]


def spent(store: Store, wanted: str, given: float | None, unseen: float | None = None) -> Minutes:
    """Return the minutes a person gave, or else those since their first look.

    `unseen` are the minutes of whoever decides without a look; None: that is refused.
    """
    view = task_view(store, wanted.partition(".")[0])
    if given is None and unseen is not None and minutes_since_look(store, view, time.time()) is None:
        given = unseen + view.deferred_minutes
    if given is not None:
        return Minutes(given, measured=False, reviewer=reviewer())
    return Minutes(measured_minutes(store, view, time.time()), measured=True, reviewer=reviewer())


def reviewer() -> str:
    """Name who decides, as the system knows them; its number, where it has no name for it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def say(
    result: Landing | Review, took: Minutes, *, as_json: bool, more: Mapping[str, object] = MappingProxyType({})
) -> int:
    """Say what came of a decision, as JSON with `more` keys; returns the exit code."""
    outcome, reason = _outcome(result)
    if as_json:
        print_json(
            {
                "id": result.task,
                "attempt": result.attempt,
                "outcome": outcome,
                "commit": result.commit,
                "reason": reason,
                "minutes": took.minutes,
                "measured": took.measured,
                **({"told": _told(result)} if _told(result) else {}),
                **more,
            }
        )
    else:
        screen().print(safe(said(result, took)))
    return 3 if outcome in (LandingOutcome.CONFLICT, LandingOutcome.BOUNCED) else 0


def said(result: Landing | Review, took: Minutes) -> str:
    """Say what came of a decision in one sentence."""
    outcome, reason = _outcome(result)
    commit = f" as {short_hash(result.commit)}" if result.commit else ""
    why = f": {one_line(reason)}" if reason else ""
    clock = f"{said_minutes(took.minutes)} min, {'measured' if took.measured else 'given'}"
    told = f"; {one_line(_told(result))}" if _told(result) else ""
    return f"{result.attempt or result.task} {outcome}{commit}{why} ({clock}){told}"


def _told(result: Landing | Review) -> str:
    """Return what a person is told of an item whose truth is known, now that they have answered."""
    return result.told if isinstance(result, Review) else ""


def _outcome(result: Landing | Review) -> tuple[str, str]:
    if isinstance(result, Landing):
        return str(result.outcome), result.reason
    words = {
        ReviewKind.ACCEPT: "accepted",
        ReviewKind.REJECT: "rejected",
        ReviewKind.REVERT: "reverted",
        ReviewKind.AGAIN: "sent back",
    }
    return words.get(result.kind, str(result.kind)), result.reason
