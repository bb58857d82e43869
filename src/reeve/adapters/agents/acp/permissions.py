"""What the agent asks leave for: printed, and answered by mail, because it is the owner's to decide and not ours."""

from __future__ import annotations

from .untrusted import items, mapping, text
from .wire import REQUEST_CANCELLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .events import Events
    from .tools import Tool
    from .wire import Wire

__all__ = ["Permissions"]

CHOICES = {"allow": ("allow_once", "allow_always"), "reject": ("reject_once", "reject_always")}
"""Which kind of option answers what, best first: an answer is for this once, as the next may be another."""

ACTIONS = ("read", "edit", "delete", "move", "search", "execute", "fetch")


class _Open:
    """One question that waits for its answer."""

    def __init__(self, request: object, tool: str, options: Mapping[str, str]) -> None:
        self.request, self.tool, self.options = request, tool, options


class Permissions:
    """The questions of the agent that are open."""

    def __init__(self, wire: Wire, events: Events) -> None:
        self._wire, self._events = wire, events
        self._asked = 0
        self._cancelled = False
        self._open: dict[str, _Open] = {}

    @property
    def waiting(self) -> set[str]:
        """The ids of the tool calls that wait."""
        return {each.tool for each in self._open.values()}

    def ask(self, request: object, params: Mapping[str, Any], tool: Tool) -> None:
        """Print a question."""
        options = {
            text(option.get("kind")): text(option.get("optionId"))
            for option in map(mapping, reversed(items(params.get("options"), 20)))
        }
        self._asked += 1
        number = f"permission-{self._asked}"
        self._open[number] = _Open(request, text(mapping(params.get("toolCall")).get("toolCallId")), options)
        self._events.emit(
            "permission",
            tool.title,
            id=number,
            action=tool.kind if tool.kind in ACTIONS else "other",
            paths=tool.paths,
            command=tool.command or (tool.title if tool.kind == "execute" else ""),
        )
        if self._cancelled:  # it had not yet heard of that
            self._close(number, "cancelled", None)

    def answer(self, word: Mapping[str, Any]) -> None:
        """Pass on an answer that came; one to a question that is not open is passed over."""
        number, kind = text(word.get("answers")), text(word.get("kind"))
        if number in self._open:
            fitting = [self._open[number].options.get(choice) for choice in CHOICES[kind]]
            self._close(number, {"allow": "allowed", "reject": "rejected"}[kind], next(filter(None, fitting), None))

    def withdraw(self, request: object) -> None:
        """Close a question that the agent takes back, by the id of its request."""
        for number in [number for number, question in self._open.items() if question.request == request]:
            self._open.pop(number)
            self._wire.refuse(request, REQUEST_CANCELLED, "cancelled, as you asked")
            self._events.emit("permission", "", id=number, status="cancelled")

    def begin(self) -> None:
        """Begin a turn, in which questions may be asked."""
        self._cancelled = False

    def cancel(self) -> None:
        """Close every question, also those still to come in this turn."""
        self._cancelled = True
        for number in tuple(self._open):
            self._close(number, "cancelled", None)

    def _close(self, number: str, status: str, option: str | None) -> None:
        question = self._open.pop(number)
        outcome = {"outcome": "cancelled"} if option is None else {"outcome": "selected", "optionId": option}
        self._wire.answer(question.request, {"outcome": outcome})
        self._events.emit("permission", "", id=number, status=status)
