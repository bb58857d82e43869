"""What the agent says while it works: one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from typing import Any


class Events:
    """Write events to a file descriptor of our own, so that a project's prints cannot mix with them."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.started = time.monotonic()
        self.last_progress = 0.0

    def emit(self, kind: str, text: str, **numbers: Any) -> None:
        """Write one event; a reader that has gone away is no reason to stop."""
        line = json.dumps({"kind": kind, "text": text, **numbers}, ensure_ascii=True) + "\n"
        data = line.encode("ascii")
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            pass

    def progress(self, text: str, every_seconds: float = 2.0, **numbers: Any) -> None:
        """Write a usage event, at most one per ``every_seconds``."""
        now = time.monotonic()
        if now - self.last_progress >= every_seconds:
            self.last_progress = now
            self.emit("usage", text, **numbers)

    def seconds(self) -> float:
        """Wall seconds since the start."""
        return time.monotonic() - self.started
