"""The trajectory: one JSON line for each event, on standard output."""

from __future__ import annotations

import os
import time

from .plain_json import dumps
from .untrusted import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Events"]

NEEDED = ("permission", "check_in", "told", "declined", "result")
"""What somebody waits for or decides by: printed however much was printed before."""

TEXT_CHARACTERS, FIELD_CHARACTERS, SHORT_CHARACTERS = 64_000, 8_000, 500
PATHS = 20
JOIN_SECONDS = 2.0


class Events:
    """Prints events; what an agent says piece by piece becomes one event a message, or one every two seconds.

    `room_bytes` is what the sandbox lets us print. When half of it is used, events are cut short; in the last tenth
    only those are printed that somebody needs: no attempt ends because it was told in too many words.
    """

    def __init__(self, fd: int, room_bytes: int) -> None:
        self._fd, self._room, self._printed = fd, room_bytes, 0
        self._kind, self._since = "", 0.0
        self._pieces: list[str] = []
        self._changes: dict[str, str] = {}  # the last of each path

    def emit(self, kind: str, text: str = "", **fields: str | float | Sequence[str]) -> None:
        """Print one event, after what was said before it."""
        self.pause()
        self._print(kind, text, fields)

    def change(self, path: str, what: str) -> None:
        """Print that a file was changed, unless the same was just told: some tell it by writing it through us, too."""
        if self._changes.get(path) != what:
            self._changes[path] = what
            self.emit("file_change", what, path=path)

    def say(self, kind: str, piece: str) -> None:
        """Take in a piece of a text or thought."""
        if kind != self._kind:
            self.pause()
            self._kind, self._since = kind, time.monotonic()
        self._pieces.append(piece)

    def pause(self) -> None:
        """Print what was said so far: something else comes."""
        said, self._pieces = "".join(self._pieces), []
        kind, self._kind = self._kind, ""
        if said.strip():
            self._print(kind, said, {})

    def tick(self) -> None:
        """Print the whole lines of what has been said for long, so that whoever follows sees life."""
        if not self._kind or time.monotonic() - self._since < JOIN_SECONDS:
            return
        said = "".join(self._pieces)
        end = said.rfind("\n") + 1 or len(said)
        if said[:end].strip():
            self._print(self._kind, said[:end], {})
        self._pieces, self._since = [said[end:]], time.monotonic()

    def _print(self, kind: str, text: str, fields: Mapping[str, str | float | Sequence[str]]) -> None:
        left = self._room - self._printed
        if left < self._room // 10 and kind not in NEEDED:
            return
        plenty = left > self._room // 2
        event: dict[str, object] = {"kind": kind, "at_utc": round(time.time(), 3)}
        event["text"] = cut(text, TEXT_CHARACTERS if plenty else SHORT_CHARACTERS)
        for name, value in fields.items():
            if isinstance(value, str):
                event[name] = cut(value, FIELD_CHARACTERS if plenty else SHORT_CHARACTERS)
            elif isinstance(value, (list, tuple)):
                event[name] = [cut(each, 1_000) for each in value[:PATHS]]
            else:
                event[name] = value
        line = dumps(event).encode() + b"\n"
        self._printed += len(line)
        while line:
            line = line[os.write(self._fd, line) :]
