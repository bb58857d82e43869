"""The agent's updates, as events."""

from __future__ import annotations

from .tools import OVER, Tool
from .untrusted import cut, items, mapping, shown, text
from .usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .events import Events
    from .spec import Spec

__all__ = ["Updates"]

SILENT = ("user_message_chunk", "available_commands_update", "current_mode_update", "config_option_update")
"""What tells nothing of the work; the frames have it."""

SPOKEN = {"agent_message_chunk": "text", "agent_thought_chunk": "thought"}
MARKS = {"completed": "[x]", "in_progress": "[>]"}
UNKNOWN_KINDS, TOOLS = 50, 1_000
MESSAGE_CHARACTERS = 64_000


class Updates:
    """Reads updates and prints events; remembers what the end of a turn is judged by."""

    def __init__(self, spec: Spec, events: Events) -> None:
        self._work, self._events = spec.work, events
        self.usage = Usage(spec.usage)
        self._tools: dict[str, Tool] = {}
        self._unknown: set[str] = set()
        self._message_id: object = None
        self.quiet = False  # what it says is only kept, not printed
        self.begin()

    def begin(self) -> None:
        """Begin a turn."""
        self._trouble = ""  # what it may yet get over
        self.failure = ""  # what the agent told of a failure, beside how its turn ends
        self.active = False  # it said or did something
        self.message = ""  # the last one
        self._over = True  # whatever is said next is another one

    def running(self, waiting: set[str]) -> bool:
        """Say whether a tool call is under way; those that wait for a permission are not."""
        return any(tool.status not in OVER for number, tool in self._tools.items() if number not in waiting)

    def end(self) -> None:
        """End a turn: of calls that were not reported to be over nothing more will come."""
        self._events.pause()
        for tool in self._tools.values():
            tool.print(self._events, now=True)
        self._tools.clear()
        if news := self.usage.news():
            self._events.emit("usage", "", **news)

    def tool(self, update: Mapping[str, Any], *, now: bool = False) -> Tool:
        """Take in what is said of a tool call, and print it `now`; some agents never say that one begins."""
        number = cut(text(update.get("toolCallId")), 200)
        if number not in self._tools and len(self._tools) >= TOOLS:
            self._tools.clear()
        tool = self._tools.setdefault(number, Tool(number, self._work))
        tool.learn(update)
        tool.print(self._events, now=now)
        self.active = self._over = True
        return tool

    def tick(self) -> None:
        """Print what has been waiting for more of the same."""
        for tool in self._tools.values():
            if tool.status not in OVER:
                tool.print(self._events)

    def see(self, update: Mapping[str, Any]) -> None:
        """Take in one update."""
        kind = text(update.get("sessionUpdate"))
        if kind in SPOKEN:
            self._speech(SPOKEN[kind], update)
        elif kind in ("tool_call", "tool_call_update"):
            self.tool(update)
        elif kind in ("plan", "plan_update", "plan_removed"):
            self._events.emit("plan", _plan(mapping(update.get("plan")) or update))
        elif kind == "usage_update":
            self.usage.cost(update)
            if news := self.usage.news():
                self._events.emit("usage", "", **news)
        elif kind == "session_info_update":
            self._session_info(mapping(mapping(update.get("_meta")).get("codex")))
        elif kind not in SILENT and kind not in self._unknown and len(self._unknown) < UNKNOWN_KINDS:
            self._unknown.add(kind)
            self._events.emit("text", f"[an update of a kind that is not known here: {cut(kind, 100)!r}]")

    def _speech(self, kind: str, update: Mapping[str, Any]) -> None:
        block = mapping(update.get("content"))
        said = text(block.get("text")) or f"[{cut(text(block.get('uri')) or text(block.get('type')), 200)}]"
        if said.startswith("[MODE_UPDATE]"):  # how one agent confirms its mode: no word of the model
            return
        self.active = True
        if kind == "thought":
            self._over = True
        elif self._over or update.get("messageId") != self._message_id:
            self.message, self._message_id, self._over = said, update.get("messageId"), False
            self._events.pause()
        else:
            self.message = (self.message + said)[-MESSAGE_CHARACTERS:]
        if not self.quiet:
            self._events.say(kind, said)

    def _session_info(self, codex: Mapping[str, Any]) -> None:
        """One agent ends a turn as if all were well when its model cannot be reached, and tells of it only here."""
        error, status = mapping(codex.get("error")), text(mapping(codex.get("threadStatus")).get("type"))
        if error:
            self._trouble = cut(
                text(error.get("additionalDetails")) or text(error.get("message")) or shown(error), 1_000
            )
        if status == "systemError" or (error and not error.get("willRetry")):
            self.failure = self._trouble or "it reports a system error"


def _plan(plan: Mapping[str, Any]) -> str:
    """A plan, one entry a line; some are text already, or stand in a file."""
    lines = [
        f"{MARKS.get(text(mapping(entry).get('status')), '[ ]')} {text(mapping(entry).get('content'))}"
        for entry in items(plan.get("entries"), 200)
    ]
    return "\n".join(lines) or text(plan.get("content")) or text(plan.get("uri")) or "the plan was dropped"
