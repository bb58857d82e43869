"""Numbers with their units, for a person to read."""

__all__ = ["duration", "megabytes", "plural", "short_hash"]


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
