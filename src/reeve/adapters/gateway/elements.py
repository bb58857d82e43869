"""The elements of an array of objects, cut out of a stream of bytes: how Gemini streams to whoever wants no events."""

import re
from collections.abc import Iterator

from reeve.adapters.gateway.sse import EVENT_BYTES

__all__ = ["Elements"]

OUTSIDE = re.compile(rb"[\[\]{]")
INSIDE = re.compile(rb'["\[\]{}]')
STRING = re.compile(rb'["\\]')


class Elements:
    """Gives each object as soon as its last brace is there, whatever stands between them. A longer one is passed over.

    `between` says that the array has begun and not ended, and that no object is open: there another one would fit.
    """

    def __init__(self, limit_bytes: int = EVENT_BYTES) -> None:
        self.between = False
        self._limit = limit_bytes
        self._array = False
        self._depth = 0  # of brackets and braces within an object; 0: outside
        self._quoted = False
        self._escaped = False  # the last byte was a backslash in a string
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give what has ended with this chunk."""
        place, start = 0, 0  # where to look on, and where in this chunk the open object begins
        while place < len(chunk):
            if self._escaped:
                self._escaped, place = False, place + 1
                continue
            pattern = STRING if self._quoted else INSIDE if self._depth else OUTSIDE
            found = pattern.search(chunk, place)
            if found is None:
                break
            place, sign = found.end(), found[0]
            if not self._depth and sign == b"{":
                start = found.start()
            if self._take(sign):
                yield from self._whole(chunk[start:place])
        if self._depth:
            self._hold(chunk[start:])

    def end(self) -> Iterator[bytes]:
        """Give what is left: half an object is none."""
        return iter(())

    def _take(self, sign: bytes) -> bool:
        """Take one sign that matters; says whether it ended an object."""
        if self._quoted:
            self._escaped = sign == b"\\"
            self._quoted = self._escaped
        elif not self._depth:
            self._depth = int(sign == b"{")
            self._array = sign == b"[" or (self._array and sign == b"{")
            self.between = sign == b"["
        elif sign == b'"':
            self._quoted = True
        else:
            self._depth += 1 if sign in b"[{" else -1
            self.between = self._array and not self._depth
            return not self._depth
        return False

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held <= self._limit:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _whole(self, last: bytes) -> Iterator[bytes]:
        self._hold(last)
        if self._held <= self._limit:
            yield b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
