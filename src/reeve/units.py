"""Numbers with their units, for a person to read."""

import datetime as dt

__all__ = ["clock_time", "duration", "megabytes", "plural", "short_hash"]


def clock_time(at_utc: float, now_utc: float) -> str:
    """Say when something is, in UTC: ``14:03:07 UTC``, with the date if that is another day."""
    at, now = (dt.datetime.fromtimestamp(each, dt.UTC) for each in (at_utc, now_utc))
    return at.strftime("%H:%M:%S UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """Say a duration in the two largest fitting units: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def megabytes(count: float) -> int:
    """Convert megabytes (2**20 bytes) to bytes."""
    return int(count * 2**20)


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Say how many: ``1 task``, ``3 tasks``."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


def short_hash(identifier: str) -> str:
    """Cut a hash for display."""
    return identifier[:10]
