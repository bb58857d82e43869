"""What a process that runs tests says of them, line by line, and whether it can have said it."""

from __future__ import annotations

import time

WORDS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
LINE_BYTES = 200


class Told:
    """What the process of one group says of its tests; whatever it could not have said itself is forged."""

    def __init__(self, group: int, places: list[int]) -> None:
        self.group, self.places = group, set(places)
        self.outcomes: dict[int, str] = {}
        self.took: dict[int, float] = {}
        self.began = 0.0
        self.under_way: int | None = None
        self.lines = 0
        self.forged = False

    def line(self, line: bytes) -> None:
        """Take one line; one that does not follow from those before takes away what it says of a test."""
        try:
            group, number, place, word = line.decode("ascii").split(" ")
            fits = (int(group), int(number)) == (self.group, self.lines) and int(place) in self.places
        except ValueError:
            self.forged = True
            return
        self.lines += 1
        at = int(place)
        if not fits or at in self.outcomes:
            self.forged = True
        elif word == "begin" and self.under_way is None:
            self.under_way, self.began = at, time.monotonic()
        elif word in WORDS and self.under_way == at:
            self.under_way = None
            self.outcomes[at] = word
            self.took[at] = time.monotonic() - self.began
        else:
            self.forged = True
        if self.forged and at in self.places:
            self.outcomes[at] = "error"
