"""One tool call of the agent, as it becomes known piece by piece."""

from __future__ import annotations

import time

from .untrusted import cut, items, mapping, shown, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .events import Events

__all__ = ["OVER", "Tool", "changed_lines", "inside"]

OVER = ("completed", "failed")
STATUSES = ("pending", "in_progress", *OVER)
TITLE_CHARACTERS, INPUT_CHARACTERS, OUTPUT_CHARACTERS = 1_000, 8_000, 8_000
CHANGED_LINES_SHOWN = 60
SETTLE_SECONDS = 0.3  # what a call is to do comes piece by piece, too
PROGRESS_SECONDS = 2.0
PATHS, CHANGES = 100, 100


class Tool:
    """What is known of one call: printed when it begins, when its state changes, and now and then while it goes on."""

    def __init__(self, number: str, work: str) -> None:
        self._id, self._work = number, work
        self.title = self.kind = self.name = self.input = self.command = ""
        self.status = "pending"
        self.paths: list[str] = []
        self._output, self._replaced = "", False  # by the next content
        self._changes: dict[str, str] = {}
        self._printed: dict[str, str] = {}
        self._at = time.monotonic()

    def learn(self, update: Mapping[str, Any]) -> None:
        """Take in one update, of a start, of progress, or within a question for permission."""
        meta = mapping(update.get("_meta"))
        self.title = text(update.get("title"))[:TITLE_CHARACTERS] or self.title
        self.kind = text(update.get("kind"))[:TITLE_CHARACTERS] or self.kind
        self.name = text(mapping(meta.get("claudeCode")).get("toolName"))[:TITLE_CHARACTERS] or self.name
        if update.get("status") in STATUSES:
            self.status = update["status"]
        if (given := update.get("rawInput")) not in (None, {}, ""):
            self.input, self.command = cut(shown(given), INPUT_CHARACTERS), _command(given)
        for place in items(update.get("locations"), PATHS):
            self._touch(text(mapping(place).get("path")))
        content = "".join(self._content(mapping(block)) for block in items(update.get("content")))
        # What a tool gave back is told as text for people, as the raw result, or piece by piece through `_meta`.
        if output := content or shown(update.get("rawOutput")):
            self._output, self._replaced = output[-OUTPUT_CHARACTERS:], bool(content)
        elif update.get("content") == [] and self._replaced:  # some first show there what they are about to do
            self._output = ""
        if piece := text(mapping(meta.get("terminal_output_delta") or meta.get("terminal_output")).get("data")):
            self._output, self._replaced = (self._output + piece)[-OUTPUT_CHARACTERS:], False

    def print(self, events: Events, *, now: bool = False) -> None:
        """Print what is new: once the call has settled after its beginning, then now and then, and when it is over."""
        fields = {"tool": self.name or self.kind or "other", "status": self.status, "input": self.input}
        fields |= {"output": self._output, "text": self.title}
        if fields == self._printed:
            return
        pause = PROGRESS_SECONDS if self._printed else SETTLE_SECONDS
        if not now and self.status not in OVER and time.monotonic() - self._at < pause:
            return
        self._printed, self._at = fields, time.monotonic()
        events.emit("tool_call", id=self._id, paths=self.paths, **fields)
        if self.status in OVER:
            changes, self._changes = self._changes, {}
            for path, what in changes.items() if self.status == "completed" else ():
                events.change(path, what)

    def _content(self, block: Mapping[str, Any]) -> str:
        """The text of one block of content; of a change in a file it is kept apart what was changed."""
        if block.get("type") == "diff":
            path = self._touch(text(block.get("path")))
            if path and len(self._changes) < CHANGES:
                self._changes[path] = changed_lines(text(block.get("oldText")), text(block.get("newText")))
            return ""
        if block.get("type") == "content":
            return text(mapping(block.get("content")).get("text"))
        return ""

    def _touch(self, path: str) -> str:
        path = inside(path, self._work)
        if path and path not in self.paths and len(self.paths) < PATHS:
            self.paths.append(path)
        return path


def inside(path: str, work: str) -> str:
    """Name a path as the tree does; one elsewhere stays as it is."""
    return path[len(work) + 1 :] if path.startswith(f"{work}/") else path


def changed_lines(old: str, new: str) -> str:
    """Say what is different between two texts: the lines between what they begin and end with alike."""
    before, after = old.splitlines(), new.splitlines()
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    last = 0
    while last < min(len(before), len(after)) - first and before[-1 - last] == after[-1 - last]:
        last += 1
    gone, come = before[first : len(before) - last], after[first : len(after) - last]
    lines = [f"-{line}" for line in gone] + [f"+{line}" for line in come]
    more = len(lines) - CHANGED_LINES_SHOWN
    head = f"{len(come)} {'line' if len(come) == 1 else 'lines'} added, {len(gone)} removed at line {first + 1}"
    return "\n".join([head, *lines[:CHANGED_LINES_SHOWN], *([f"[{more} more]"] if more > 0 else [])])


def _command(given: object) -> str:
    """The command that a tool is to run, as agents call it in what they give to it."""
    command = mapping(given).get("command")
    if isinstance(command, list):
        return cut(" ".join(shown(part) for part in command), 4_000)
    return cut(text(command), 4_000)
