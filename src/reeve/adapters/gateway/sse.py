"""Server-sent events, cut out of a stream of bytes however it is split."""

from collections.abc import Iterator

__all__ = ["Events"]

EVENT_BYTES = 16 << 20
"""Of one event; the last of an answer may repeat all of it. A longer one is passed over."""


class Events:
    """Gives the data of each event. Lines end with LF, CR or CRLF; fields but `data` and comments are left out."""

    def __init__(self, limit_bytes: int = EVENT_BYTES) -> None:
        self._limit = limit_bytes
        self._pieces: list[bytes] = []  # of a line that has not ended; joined once, so that long ones cost no more
        self._held = 0
        self._data: list[bytes] = []
        self._size = 0
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give what has ended with this chunk."""
        if b"\n" not in chunk and b"\r" not in chunk and not self._ends_with_cr():
            self._hold(chunk)
            return
        lines = b"".join((*self._pieces, chunk)).splitlines(keepends=True)
        self._pieces.clear()
        self._held = 0
        # A CR at the very end may be half of a CRLF.
        last = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield from self._line(line.rstrip(b"\r\n"))
        self._hold(last)

    def end(self) -> Iterator[bytes]:
        """Give what stands at the end without an empty line after it, as some servers leave it."""
        for line in (*b"".join(self._pieces).splitlines(), b""):
            yield from self._line(line)
        self._pieces.clear()

    def _ends_with_cr(self) -> bool:
        return bool(self._pieces) and self._pieces[-1].endswith(b"\r")

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._limit:
            self._too_long = True
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _line(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._size += len(data)
            if self._size > self._limit:
                self._too_long = True
                self._data.clear()
            else:
                self._data.append(data)
        elif not line:
            if self._data and not self._too_long:
                yield b"\n".join(self._data)
            self._data.clear()
            self._size, self._too_long = 0, False
