"""How evidence is said: short, in bounded lists, whatever the names in it look like."""

from collections.abc import Iterable, Sequence

__all__ = ["SHOWN", "cut", "listed", "short"]

SHOWN = 8
"""Items in one piece of evidence; the measurement has all."""


def cut(items: Sequence[str], shown: int = SHOWN) -> list[str]:
    """Keep the first items, and say how many there are besides."""
    more = len(items) - shown
    return [*items[:shown], *([f"and {more} more"] if more > 0 else [])]


def listed(items: Iterable[str]) -> str:
    """Put items into one line."""
    return ", ".join(cut([short(item) for item in items]))


def short(text: str) -> str:
    """Make one line of at most 200 characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else flat[:199] + "…"
