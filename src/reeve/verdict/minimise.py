"""Removes from a patch what its checks do not need; the caller measures, this module only asks.

The result is measured surplus: lines an attempt changed although nothing that was asked for depends on them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Minimised", "Piece", "join", "minimise", "split"]

HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """What can be left out of a patch by itself: one hunk, or a whole file where hunks cannot stand alone."""

    file: int  # place of the file in the patch
    header: bytes
    body: bytes  # one hunk with its @@ line; for a whole file everything after the header
    whole: bool = False  # a new, deleted, renamed or binary file

    @property
    def lines(self) -> int:
        """Lines added and removed."""
        rows = self.body.split(b"\n")
        return sum(row.startswith((b"+", b"-")) for row in rows)


@dataclass(frozen=True, slots=True)
class Minimised:
    """The pieces that are needed; `complete` is false when the number of calls ran out before all were tried."""

    needed: tuple[Piece, ...]
    calls: int
    complete: bool

    @property
    def lines(self) -> int:
        """Lines added and removed by what is needed."""
        return sum(piece.lines for piece in self.needed)


def split(diff: bytes) -> tuple[Piece, ...]:
    """Cut a unified git diff into pieces, in its order; `join` of all of them gives an equivalent diff."""
    pieces: list[Piece] = []
    for number, text in enumerate(_files(diff)):
        header, hunks = _hunks(text)
        whole = re.search(rb"^(new file|deleted file|rename|copy|GIT binary|Binary files|old mode)", header, re.MULTILINE)
        if whole or not hunks:
            pieces.append(Piece(number, header, b"".join(hunks), whole=True))
        else:
            pieces += [Piece(number, header, hunk) for hunk in hunks]
    return tuple(pieces)


def join(pieces: Sequence[Piece]) -> bytes:
    """Make a diff of some of the pieces of one patch; line numbers are set right for what was left out."""
    out: list[bytes] = []
    last, shift = -1, 0
    for piece in sorted(pieces, key=lambda piece: piece.file):
        if piece.file != last:
            out.append(piece.header)
            last, shift = piece.file, 0
        if piece.whole:
            out.append(piece.body)
            continue
        first, rest = piece.body.split(b"\n", 1)
        found = HUNK.fullmatch(first)
        if found is None:
            raise ValueError(f"not a hunk: {first!r}")
        before, after = int(found[2] or 1), int(found[4] or 1)
        # A side without lines counts from the line before it, hence the two corrections by one.
        start = int(found[1]) + (before == 0) + shift - (after == 0)
        out.append(b"@@ -%d,%d +%d,%d @@%s\n%s" % (int(found[1]), before, start, after, found[5], rest))
        shift += after - before
    return b"".join(out)


def minimise(pieces: Sequence[Piece], holds: Callable[[tuple[Piece, ...]], bool], *, calls: int = 24) -> Minimised:
    """Find a subset of the pieces for which `holds` is still true, and from which no single piece can go.

    `holds` must be true for all pieces together and false for none at all (the base fails its checks); neither is
    asked. Delta debugging on complements: halves first, then quarters, down to single pieces; the same input gives
    the same questions. After `calls` questions the smallest subset so far is returned with `complete` false.
    """
    needed, parts, asked = tuple(pieces), 2, 0
    while len(needed) > 1:
        parts = min(parts, len(needed))
        smaller: tuple[Piece, ...] | None = None
        for number in range(parts):
            low, high = len(needed) * number // parts, len(needed) * (number + 1) // parts
            rest = needed[:low] + needed[high:]
            if not rest:
                continue
            if asked == calls:
                return Minimised(needed, asked, complete=False)
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
    return Minimised(needed, asked, complete=True)


def _files(diff: bytes) -> list[bytes]:
    starts = [found.start() for found in re.finditer(rb"^diff --git ", diff, re.MULTILINE)]
    return [diff[low:high] for low, high in zip(starts, [*starts[1:], len(diff)], strict=True)]


def _hunks(text: bytes) -> tuple[bytes, list[bytes]]:
    """Cut the diff of one file by the line counts of its hunks: a removed line may itself look like a header."""
    rows = re.findall(rb"[^\n]*\n|[^\n]+", text)
    at = next((place for place, row in enumerate(rows) if row.startswith(b"@@ -")), len(rows))
    header, hunks = b"".join(rows[:at]), []
    while at < len(rows) and (found := HUNK.match(rows[at].rstrip(b"\n"))):
        before, after, end = int(found[2] or 1), int(found[4] or 1), at + 1
        while end < len(rows) and (before > 0 or after > 0 or rows[end].startswith(b"\\")):
            before -= rows[end][:1] in (b" ", b"-", b"\n")
            after -= rows[end][:1] in (b" ", b"+", b"\n")
            end += 1
        hunks.append(b"".join(rows[at:end]))
        at = end
    return header, hunks
