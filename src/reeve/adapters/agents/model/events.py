"""What the agent says while it works: one JSON object a line, on standard output."""

import json
import os
import re
import time
from collections.abc import Sequence

__all__ = ["HALVES", "MAX_TEXT", "Events", "cut", "sound"]

MAX_TEXT = 64 * 1024
"""Characters of one value; what is longer is cut."""

HALVES = re.compile("[\ud800-\udfff]")

Value = str | int | float | bool | Sequence[str]


def cut(text: str, most: int) -> str:
    """Keep the beginning and the end of a text that is longer than `most` characters, and say what is missing."""
    if len(text) <= most:
        return text
    note = f"\n[... {len(text) - most} characters left out ...]\n"
    begin = max(0, (most - len(note)) * 2 // 5)
    end = max(0, most - len(note) - begin)
    return text[:begin] + note + text[len(text) - end :]


def sound(text: str) -> str:
    """Replace what cannot be sent as UTF-8: half characters, which stand for bytes that were no text."""
    return HALVES.sub("\ufffd", text)


class Events:
    """Writes events to a descriptor of their own, which no command that the agent runs can write to."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.last_at = time.monotonic()

    def emit(self, kind: str, text: str = "", **values: Value) -> None:
        """Write one event; a reader that has gone away is no reason to stop."""
        self.last_at = time.monotonic()
        event: dict[str, Value] = {"kind": kind, "at_utc": round(time.time(), 3), "text": text, **values}
        bounded = {key: cut(value, MAX_TEXT) if isinstance(value, str) else value for key, value in event.items()}
        data = (json.dumps(bounded) + "\n").encode("ascii")
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            pass

    @property
    def silent_seconds(self) -> float:
        """How long nothing was said."""
        return time.monotonic() - self.last_at
