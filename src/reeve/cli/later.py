"""Times to come, as a person says them."""

import datetime as dt
import re

from reeve.errors import InputError

__all__ = ["LATER", "MORNING_HOUR", "until"]

LATER = "tomorrow"
MORNING_HOUR = 8
UNITS_SECONDS = {"min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
SAID = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(min|h|d|w)\s*")


def until(said: str, now_utc: float) -> float:
    """Say when it is: ``30min``, ``2h``, ``1d`` or ``1w`` from now, or ``tomorrow``, which is at eight where we are.

    Raises InputError for anything else.
    """
    if said.strip() == LATER:
        here = dt.datetime.fromtimestamp(now_utc).astimezone()
        day = here.date() + dt.timedelta(days=1)
        return dt.datetime(day.year, day.month, day.day, MORNING_HOUR).astimezone().timestamp()
    found = SAID.fullmatch(said)
    if found is None or float(found[1]) == 0:
        raise InputError(f"how long to put it off: found {said!r}, wanted a time like 30min, 2h, 1d or 1w, or tomorrow")
    return now_utc + float(found[1]) * UNITS_SECONDS[found[2]]
