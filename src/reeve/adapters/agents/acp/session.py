"""The conversation with the agent: how it is opened, and how its requests are answered."""

from __future__ import annotations

import os
import time

from . import files
from .permissions import Permissions
from .process import Broken
from .tools import changed_lines, inside
from .untrusted import items, mapping, text
from .updates import Updates
from .wire import METHOD_NOT_FOUND, Answer, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .events import Events
    from .spec import Spec

__all__ = ["Session"]

PROTOCOL = 1
POLL_SECONDS = 0.05


class Session:
    """One session with one agent, in the tree."""

    def __init__(self, spec: Spec, wire: Wire, events: Events) -> None:
        self._spec, self._wire, self._events = spec, wire, events
        self.updates = Updates(spec, events)
        self.permissions = Permissions(wire, events)
        self._id = ""

    # ------------------------------------------------------------ opening it

    def open(self) -> None:
        """Shake hands, open the session and set it up; raises Broken with what the agent said against it."""
        deadline = time.monotonic() + self._spec.start_seconds
        agent = self._call("initialize", _handshake(self._spec), deadline)
        if (spoken := agent.get("protocolVersion")) != PROTOCOL:
            raise Broken(f"the agent speaks version {spoken!r} of the protocol, and this is version {PROTOCOL}")
        if self._spec.authenticate:
            self._call("authenticate", {"methodId": self._spec.authenticate}, deadline)
        takes = mapping(mapping(agent.get("agentCapabilities")).get("mcpCapabilities"))
        servers = [each for each in self._spec.mcp if each.get("type", "stdio") == "stdio" or takes.get(each["type"])]
        for each in self._spec.mcp:
            if each not in servers:
                self._events.emit(
                    "text", f"[the agent takes no server over {each['type']}: {each['name']} is left out]"
                )
        opened = self._call("session/new", {"cwd": self._spec.work, "mcpServers": servers}, deadline)
        self._id = text(opened.get("sessionId"))
        for config, value in self._wanted(opened).items():
            params = {"sessionId": self._id, "configId": config, "value": value}
            self._call("session/set_config_option", params, deadline)
        self._set_mode(opened, deadline)

    def _wanted(self, opened: Mapping[str, Any]) -> Mapping[str, str]:
        """The options to set; the one that chooses the model is found by its category."""
        options = [mapping(each) for each in items(opened.get("configOptions"))]
        wanted = dict(self._spec.config)
        if self._spec.model:
            found = [text(each.get("id")) for each in options if each.get("category") == "model"]
            if not found:
                raise Broken(f"the agent offers no choice of a model, so {self._spec.model!r} cannot be set")
            wanted[found[0]] = self._spec.model
        return wanted

    def _set_mode(self, opened: Mapping[str, Any], deadline: float) -> None:
        """Set the first mode of those wanted that is offered, as a mode or, where there are none, as an option."""
        modes = [text(mapping(each).get("id")) for each in items(mapping(opened.get("modes")).get("availableModes"))]
        options = [mapping(each) for each in items(opened.get("configOptions"))]
        choices = [each for each in options if each.get("category") == "mode" or each.get("id") == "mode"]
        values = [text(mapping(each).get("value")) for choice in choices[:1] for each in items(choice.get("options"))]
        for mode in self._spec.modes:
            if mode in modes:
                self._call("session/set_mode", {"sessionId": self._id, "modeId": mode}, deadline)
                return
            if mode in values:
                params = {"sessionId": self._id, "configId": choices[0].get("id"), "value": mode}
                self._call("session/set_config_option", params, deadline)
                return
        if self._spec.modes:
            offered = ", ".join(modes or values) or "none"
            raise Broken(f"the agent offers no mode {' or '.join(self._spec.modes)}; it offers {offered}")

    def _call(self, method: str, params: Mapping[str, object], deadline: float) -> Mapping[str, Any]:
        request = self._wire.ask(method, params)
        while (answer := self._wire.answer_to(request)) is None:
            if time.monotonic() > deadline:
                raise Broken(f"the agent did not answer {method!r} within {self._spec.start_seconds:g} s of its start")
            self.step()
        if answer.error:
            raise Broken(f"the agent refused {method!r}: {answer.error}")
        return answer.result

    # ------------------------------------------------------------ a turn

    def prompt(self, words: str) -> int:
        """Begin a turn; `ended` finds its end under the number that this returns."""
        self.updates.begin()
        self.permissions.begin()
        params = {"sessionId": self._id, "prompt": [{"type": "text", "text": words}]}
        return self._wire.ask("session/prompt", params)

    def ended(self, turn: int) -> Answer | None:
        """The end of a turn, or None while it goes on."""
        answer = self._wire.answer_to(turn)
        if answer is not None:
            self.permissions.cancel()
        return answer

    def cancel(self) -> None:
        """Ask the agent to end its turn now."""
        self._wire.tell("session/cancel", {"sessionId": self._id})
        self.permissions.cancel()

    def step(self) -> None:
        """Wait a moment for what the agent says, and answer it; raises Broken when it has ended."""
        for frame in self._wire.hear(POLL_SECONDS):
            self._answer(frame["method"], mapping(frame.get("params")), frame)
        self.updates.tick()
        self._events.tick()

    def _answer(self, method: str, params: Mapping[str, Any], frame: Mapping[str, Any]) -> None:
        request = frame.get("id")
        if method == "session/update":
            self.updates.see(mapping(params.get("update")))
        elif method == "session/request_permission":
            self.permissions.ask(request, params, self.updates.tool(mapping(params.get("toolCall")), now=True))
        elif method == "$/cancel_request":
            self.permissions.withdraw(params.get("requestId"))
        elif method in ("fs/read_text_file", "fs/write_text_file"):
            try:
                self._wire.answer(request, self._read(params) if method.startswith("fs/read") else self._write(params))
            except files.Refused as refused:
                self._wire.refuse(request, refused.code, str(refused))
        elif "id" in frame:
            self._wire.refuse(request, METHOD_NOT_FOUND, f"there is no method {method!r} here")

    def _read(self, params: Mapping[str, Any]) -> Mapping[str, str]:
        return {"content": files.read(params, self._spec.work)}

    def _write(self, params: Mapping[str, Any]) -> Mapping[str, str]:
        path, before, after = files.write(params, self._spec.work)
        self._events.change(inside(path, os.path.realpath(self._spec.work)), changed_lines(before, after))
        return {}


def _handshake(spec: Spec) -> Mapping[str, object]:
    return {
        "protocolVersion": PROTOCOL,
        "clientCapabilities": {
            "fs": {"readTextFile": spec.serves_files, "writeTextFile": spec.serves_files},
            "terminal": False,
            "_meta": {"terminal_output": True},  # some then tell what commands print in the updates
        },
        "clientInfo": {"name": "reeve", "version": "1"},
    }
