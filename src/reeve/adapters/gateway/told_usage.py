"""Has a stream of Chat Completions say its usage where the agent does not ask for it, without the agent noticing."""

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Withholding", "asking_usage", "refuses_asking"]

EVENT_BYTES = 64 << 10
"""Of an event that may be withheld; one that says the usage has a few hundred."""

BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
STRADDLES = 3  # bytes of a boundary that may stand at the end of a piece


def asking_usage(body: bytes) -> bytes:
    """Return a question that also asks for the usage at the end of the stream; as it was where that cannot be said.

    What the agent wrote stays as it is, to the byte, unless it has stream options of its own.
    """
    if b"stream_options" not in body:
        return body.replace(b"{", b'{"stream_options":{"include_usage":true},', 1)
    message = json.loads(body)
    options = message.get("stream_options") or {}
    if not isinstance(options, dict):
        return body
    try:
        said = message | {"stream_options": options | {"include_usage": True}}
        return json.dumps(said, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):  # a number that is JSON and no number here
        return body


def refuses_asking(status: int, said: bytes) -> bool:
    """Say whether a provider refuses a question because it does not know how to say the usage."""
    return status in (400, 422) and (b"stream_options" in said or b"include_usage" in said)


class Withholding:
    """Takes the event that only says the usage out of a stream, since who did not ask may stumble over it.

    Events are passed on when they are whole; a very long one, piece by piece.
    """

    def __init__(self) -> None:
        self._held = b""
        self._long = False  # the event under way is too long to be the one

    def pass_on(self, piece: bytes) -> bytes:
        """Return what may be passed on now, which may be nothing."""
        data = self._held + piece
        passed, start = [], 0
        for boundary in BOUNDARY.finditer(data):
            event = data[start : boundary.end()]
            if self._long or not _only_usage(event):
                passed.append(event)
            self._long, start = False, boundary.end()
        rest = data[start:]
        self._long = self._long or len(rest) > EVENT_BYTES
        keep = max(0, len(rest) - STRADDLES) if self._long else 0
        passed.append(rest[:keep])
        self._held = rest[keep:]
        return b"".join(passed)

    def end(self) -> bytes:
        """Return what was held back; an event need not end with an empty line at the end of a stream."""
        held, self._held = self._held, b""
        return b"" if not self._long and _only_usage(held) else held


def _only_usage(event: bytes) -> bool:
    if b"usage" not in event:
        return False
    lines = (line for line in event.splitlines() if line.startswith(b"data:"))
    try:
        message: Any = json.loads(b"\n".join(line[5:] for line in lines))
    except (ValueError, RecursionError):
        return False
    return isinstance(message, Mapping) and isinstance(message.get("usage"), Mapping) and not message.get("choices")
