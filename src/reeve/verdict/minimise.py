"""Removes from a patch what its checks do not need; the caller measures, this module only asks.

The result is measured surplus: lines an attempt changed although nothing that was asked for depends on them. Stands
alone for Python 3.8 and newer: the search by the fork server runs it in the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["CALLS", "minimise"]

CALLS = 24
"""Questions asked at most: each is one run of the checks."""

Piece = TypeVar("Piece")


def minimise(
    pieces: Sequence[Piece], holds: Callable[[tuple[Piece, ...]], bool], *, calls: int = CALLS
) -> tuple[Piece, ...]:
    """Find a subset of the pieces for which `holds` is still true, and from which no single piece can go.

    `holds` must be true for all pieces together and false for none at all (the base fails its checks); neither is
    asked, so a patch of one piece costs nothing. Delta debugging on complements: halves first, then quarters, down
    to single pieces; the same input gives the same questions. After `calls` questions the smallest subset so far is
    returned: a bound that may be too large, never too small.
    """
    needed, parts, asked = tuple(pieces), 2, 0
    while len(needed) > 1:
        parts = min(parts, len(needed))
        smaller: tuple[Piece, ...] | None = None
        for number in range(parts):
            if asked == calls:
                return needed
            low, high = len(needed) * number // parts, len(needed) * (number + 1) // parts
            rest = needed[:low] + needed[high:]
            asked += 1
            if holds(rest):
                smaller = rest
                break
        if smaller is not None:
            needed, parts = smaller, max(parts - 1, 2)
        elif parts == len(needed):
            break
        else:
            parts *= 2
    return needed
