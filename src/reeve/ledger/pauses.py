"""Which providers have asked the fleet to wait, derived from what they said and the time it is."""

from collections.abc import Iterable

from reeve.ledger.codec import decode
from reeve.ports import Fact
from reeve.records import Pause
from reeve.units import clock_time

__all__ = ["in_one_line", "lasting"]


def in_one_line(pause: Pause, now_utc: float) -> str:
    """Say a pause to a person."""
    until = clock_time(pause.until_utc, now_utc)
    return f"{pause.provider} paused until {until}: it said so itself, with status {pause.status}"


def lasting(facts: Iterable[Fact], now_utc: float) -> tuple[Pause, ...]:
    """Return the longest pause of each provider that is not over, by provider; facts of other kinds are left out."""
    found: dict[str, Pause] = {}
    for fact in facts:
        if fact.kind == "pause":
            pause = decode(Pause, fact.body)
            known = found.get(pause.provider)
            if pause.until_utc > now_utc and (known is None or pause.until_utc > known.until_utc):
                found[pause.provider] = pause
    return tuple(found[name] for name in sorted(found))
