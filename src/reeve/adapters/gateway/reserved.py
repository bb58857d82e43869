"""What is reserved, on disk before the request leaves: whoever kills the gateway makes nothing cheaper.

One line is the fact that a request becomes if nobody lives to write a better one; of lines with the same number the
last holds. A line with the number alone says that the ledger knows how it ended.
"""

import json
import os
from pathlib import Path

from reeve.errors import LedgerError
from reeve.ledger.codec import decode, encode
from reeve.records import Request

__all__ = ["ReservedFile"]

COMPACT_BYTES = 4 << 20


class ReservedFile:
    """The file, kept open; written without waiting for the disk, which is enough against a killed process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[int, bytes] = {}
        self.left_over = self._read()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _read(self) -> tuple[Request, ...]:
        """Return the requests that a gateway before this one did not settle; half a line is none."""
        found: dict[int, Request] = {}
        for line in self._path.read_bytes().split(b"\n") if self._path.exists() else ():
            try:
                entry = json.loads(line)
                if isinstance(entry, int):
                    found.pop(entry, None)
                else:
                    request = decode(Request, entry)
                    found[request.number] = request
            except (ValueError, LedgerError):
                continue
        return tuple(found.values())

    def write(self, request: Request) -> None:
        """Say what a request is worth if it is never heard of again; raises OSError if that cannot be said."""
        line = json.dumps(encode(request), separators=(",", ":")).encode() + b"\n"
        self._open[request.number] = line
        self._append(line)

    def settled(self, number: int) -> None:
        """Say that the ledger knows how a request ended."""
        if self._open.pop(number, None) is None:
            return
        self._append(b"%d\n" % number)
        if self._size > COMPACT_BYTES + 2 * sum(map(len, self._open.values())):
            self._compact()

    def clear(self) -> None:
        """Forget everything that was left over; the ledger knows it."""
        self.left_over = ()
        self._compact()

    def _append(self, line: bytes) -> None:
        os.write(self._descriptor, line)
        self._size += len(line)

    def _compact(self) -> None:
        beside = self._path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        content = b"".join(self._open.values())
        os.write(descriptor, content)
        beside.rename(self._path)
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, len(content)

    def close(self) -> None:
        """Close the file; what is reserved stays in it."""
        os.close(self._descriptor)
