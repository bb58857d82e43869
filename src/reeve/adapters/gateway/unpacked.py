"""Reads an answer that comes compressed although that was asked away, so that it can be counted and searched."""

import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Illegible", "Unpacking", "unpacking"]

PIECE_BYTES = 4 << 20
"""Of one piece, once it is unpacked: more is a bomb."""


class Illegible(ValueError):  # noqa: N818 - it says what the answer is
    """An answer cannot be read; the message says why."""


class Unpacking(Protocol):
    """Gives what stands in the pieces of an answer."""

    def pass_on(self, piece: bytes) -> bytes:
        """Return what a piece holds; raises Illegible."""


class _Plain:
    def pass_on(self, piece: bytes) -> bytes:
        return piece


class _Inflating:
    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits)

    def pass_on(self, piece: bytes) -> bytes:
        try:
            found = self._inflate.decompress(piece, PIECE_BYTES)
        except zlib.error as error:
            raise Illegible(f"it is compressed, and broken: {error}") from None
        if self._inflate.unconsumed_tail:
            raise Illegible(f"a piece of it unpacks to more than {PIECE_BYTES >> 20} MB")
        return found


MADE: Mapping[str, Callable[[], Unpacking]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": lambda: _Inflating(31),
    "x-gzip": lambda: _Inflating(31),
    "deflate": lambda: _Inflating(15),
}


def unpacking(encoding: str) -> Unpacking:
    """Return what reads an answer of this `Content-Encoding`; raises Illegible where nothing here does."""
    made = MADE.get(encoding.strip().lower())
    if made is None:
        raise Illegible(f"it is compressed as {encoding[:40]!r}, although that was asked away")
    return made()
