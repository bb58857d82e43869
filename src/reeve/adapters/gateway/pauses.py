"""Providers that asked to wait: the whole fleet waits, until the time that the provider named and no other."""

import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from reeve.records import Pause

__all__ = ["Pauses", "retry_after_seconds"]

STATUSES = (429, 503, 529)
LONGEST_SECONDS = 32 * 86400.0
"""A longer wait is no answer to take at its word; it is passed on to whoever asked."""


def retry_after_seconds(status: int, headers: Mapping[str, str], now_utc: float) -> float | None:
    """Say how long a provider asks to wait; None: it does not say, and nothing is invented."""
    if status not in STATUSES:
        return None
    milliseconds, after = headers.get("retry-after-ms"), headers.get("Retry-After")
    seconds = _number(milliseconds, 1000.0)
    if seconds is None:
        seconds = _number(after, 1.0)
    if seconds is None and after:
        try:
            seconds = parsedate_to_datetime(after).timestamp() - now_utc
        except (ValueError, OverflowError):
            return None
    return seconds if seconds is not None and 0 < seconds <= LONGEST_SECONDS else None


def _number(text: str | None, per_second: float) -> float | None:
    try:
        value = float(text) / per_second if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Pauses:
    """Until when each provider asked to wait; `began` is told of every new or longer pause."""

    def __init__(self, began: Callable[[Pause], None], clock: Callable[[], float] = time.time) -> None:
        self._began = began
        self._clock = clock
        self._pauses: dict[str, Pause] = {}

    def note(self, provider: str, status: int, seconds: float, attempt: str) -> None:
        """Take a provider at its word; what it said before stays if that was longer."""
        now = self._clock()
        pause = Pause(provider, now, now + seconds, status, attempt)
        known = self._pauses.get(provider)
        if known is None or pause.until_utc > known.until_utc:
            self._pauses[provider] = pause
            if known is None or pause.until_utc > known.until_utc + 1.0 or known.until_utc <= now:
                self._began(pause)

    def restore(self, pause: Pause) -> None:
        """Know again what was said to a gateway before this one."""
        known = self._pauses.get(pause.provider)
        if known is None or pause.until_utc > known.until_utc:
            self._pauses[pause.provider] = pause

    def now(self, provider: str) -> Pause | None:
        """Return the pause of a provider, if it lasts."""
        pause = self._pauses.get(provider)
        return pause if pause is not None and pause.until_utc > self._clock() else None
