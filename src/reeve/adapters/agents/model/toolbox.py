"""Does what the model calls: checks, asks where somebody has to be asked, says what happens, and never fails itself."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_ai.messages import ToolCallPart, ToolReturnPart
from pydantic_ai.tools import Tool, ToolDefinition

from .events import Events, cut, sound
from .files import Files
from .guides import Guides
from .mail import Mail
from .memory import Memory, Ran
from .servers import Servers
from .shell import Shell
from .spec import Spec
from .tree import Mistake, Tree

__all__ = ["Declined", "Toolbox"]

MAX_OUTPUT = 30_000  # characters of one result
MAX_SHOWN = 8_000  # of what goes in and what comes out, in an event
MAX_ASKED = 2_000
MAX_GUIDES, GUIDES_SHARE = 48_000, 0.15  # characters, and the part of the window, of three characters a token
HEARTBEAT_SECONDS = 60.0

Why = Literal["impossible", "already-done", "needs-decision"]
ACTIONS = {"edit": "edit", "write": "edit", "run": "execute"}
"""What somebody may have to be asked for, in the words of reeve.toml; tools of servers are ``other``."""

SILENT = ("plan", "decline")
"""What has an event of its own, if it can be done."""

ABOUT = ("command", "path", "pattern", "why")
"""Arguments that say what a call is about, the first that is there."""

TIMES = re.compile(r"\b\d+\.\d+ ?s(?:econds?)?\b")
"""What differs between two runs of the same tests."""


@dataclass(frozen=True)
class Declined:
    """The model delivers nothing, and says why."""

    why: str
    text: str


class Toolbox:
    """The tools of one attempt."""

    def __init__(self, spec: Spec, events: Events, mail: Mail, memory: Memory, servers: Servers) -> None:
        self.spec, self.events, self.mail, self.memory, self.servers = spec, events, mail, memory, servers
        self.tree = Tree(spec.work, spec.scratch)
        self.guides = Guides(self.tree, min(MAX_GUIDES, int(GUIDES_SHARE * spec.context_tokens * 3)))
        self.most = min(MAX_OUTPUT, spec.context_tokens * 3 // 8)
        self.declined: Declined | None = None
        self.repeated = 0  # how often the last call was made, with the same result and nothing new in the tree
        files = Files(self.tree, self.most)
        shell = Shell(self.tree.root, self.most, spec.command_seconds)
        own: dict[str, Callable[..., str]] = {
            "list": files.list_files,
            "search": files.search,
            "read": files.read,
            "edit": files.edit,
            "write": files.write,
            "run": shell.run,
            "plan": self.plan,
            "decline": self.decline,
        }
        self._own = {name: Tool(does, name=name, require_parameter_descriptions=True) for name, does in own.items()}
        self._repeats: Counter[str] = Counter()
        self._states: set[str] = set()

    @property
    def definitions(self) -> list[ToolDefinition]:
        """What the model is told of the tools."""
        own = [tool.tool_def for tool in self._own.values()]
        return own + [remote.definition for remote in self.servers.tools.values()]

    # ------------------------------------------------------------ the tools that are no files and no commands

    def plan(self, entries: list[str], facts: list[str] | None = None) -> str:
        """Write down the whole plan anew, and facts that must not be forgotten.

        Args:
            entries: The steps in their order, each beginning with '[x]' (done), '[>]' (in progress) or '[ ]'.
            facts: What was found out or decided since the last time, each in a sentence.
        """
        self.memory.plan = [cut(_step(entry), 300) for entry in entries[:50] if entry.strip()]
        self.memory.note(facts or [])
        self.events.emit("plan", "\n".join(self.memory.plan))
        return "The plan is written down."

    def decline(self, why: Why, text: str) -> str:
        """End the work without a result, because the task should not be done as it stands.

        Args:
            why: What is wrong: it is 'impossible', 'already-done', or 'needs-decision' (one that is not yours).
            text: Your reasons, for a person.
        """
        if not text.strip():
            raise Mistake("say why, in text")
        self.declined = Declined(why, text)
        return f"Declined as {why}."

    # ------------------------------------------------------------ one call

    async def call(self, call: ToolCallPart) -> ToolReturnPart:
        """Do what is called; whatever goes wrong is the text of the result."""
        shown, paths = call.args_as_json_str(), _paths(call)
        title = _title(call)
        base: dict[str, Any] = {"id": call.tool_call_id, "tool": call.tool_name, "paths": paths}
        if call.tool_name not in SILENT:
            self.events.emit("tool_call", title, status="in_progress", input=cut(shown, MAX_SHOWN), **base)
        try:
            output, ok = cut(await self._done(call), self.most), True
        except Mistake as mistake:
            output, ok = cut(str(mistake), self.most), False
        except Exception as error:  # a tool that breaks is no reason to end the attempt
            output, ok = f"the tool failed: {type(error).__name__}: {cut(str(error), 1000)}", False
        output = sound(self._after(call, output))
        if not ok or call.tool_name not in SILENT:
            status = "completed" if ok else "failed"
            self.events.emit("tool_call", title, status=status, output=cut(output, MAX_SHOWN), **base)
        return ToolReturnPart(
            call.tool_name, output, tool_call_id=call.tool_call_id, outcome="success" if ok else "failed"
        )

    async def _done(self, call: ToolCallPart) -> str:
        does, arguments = self._meant(call)
        await self._permitted(call)
        doing = asyncio.ensure_future(does(arguments))
        seconds = 0.0
        while not (await asyncio.wait([doing], timeout=HEARTBEAT_SECONDS))[0]:
            seconds += HEARTBEAT_SECONDS
            self.events.emit("tool_call", f"still at it after {seconds:.0f} s", id=call.tool_call_id,
                             tool=call.tool_name, status="in_progress")  # fmt: skip
        return doing.result()

    def _meant(self, call: ToolCallPart) -> tuple[Callable[[Mapping[str, Any]], Awaitable[str]], Mapping[str, Any]]:
        """Return what is called, and with what; raises Mistake if there is no such tool, or if it takes others."""
        try:
            arguments = call.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError):
            raise Mistake("the arguments are no JSON object; were they cut? Make shorter calls") from None
        name = call.tool_name
        if name in self.servers.tools:
            return (lambda given: self.servers.call(name, given)), arguments
        if name not in self._own:
            raise Mistake(f"there is no tool {name!r}; there are {', '.join([*self._own, *self.servers.tools])}")
        tool = self._own[name]
        try:
            arguments = tool.function_schema.validator.validate_python(arguments)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, each['loc'])) or name}: {each['msg']}" for each in error.errors()[:10]]
            raise Mistake(f"the arguments do not fit: {'; '.join(wrong)}") from None
        return (lambda given: asyncio.to_thread(tool.function, **given)), arguments  # type: ignore[arg-type]

    async def _permitted(self, call: ToolCallPart) -> None:
        """Ask, where somebody answers for it, and wait; raises Mistake if it is refused."""
        own = call.tool_name in self._own
        if not self.spec.ask or (own and call.tool_name not in ACTIONS):
            return
        arguments = call.args_as_dict()
        command = str(arguments.get("command", "")) if own else f"{call.tool_name} {call.args_as_json_str()}"
        self.events.emit(
            "permission",
            _change(call),
            id=call.tool_call_id,
            action=ACTIONS.get(call.tool_name, "other"),
            path=str(arguments.get("path", "")) if own else "",
            command=command,
        )
        word = await self.mail.answer(call.tool_call_id)
        if word.kind != "allow":
            raise Mistake(f"this was refused{f': {word.text}' if word.text else ''}; do it another way, or decline")

    # ------------------------------------------------------------ after a call

    def _after(self, call: ToolCallPart, output: str) -> str:
        """Take note of what a call changed, of guides on the way, and of repetition; returns the output with a word."""
        more: list[str] = []
        if call.tool_name in ACTIONS or call.tool_name in self.servers.tools:
            changed = self.tree.changed()
            self.memory.touched(changed)
            for name in changed[:100]:
                there = (self.tree.root / name).exists()
                self.events.emit("file_change", "changed" if there else "removed", path=name)
            if changed and call.tool_name not in ("edit", "write"):
                more.append(f"[changed: {', '.join(changed[:20])}{' ...' if len(changed) > 20 else ''}]")
            self._progress(changed)
        if call.tool_name == "run":
            how, _, rest = output.partition("\n")
            command = str(call.args_as_dict().get("command", ""))
            self.memory.ran.append(Ran(command, how, rest.strip().rpartition("\n")[2]))
        for path in _paths(call):
            guides = self.guides.on_the_way_to(self.tree.path(path))
            self.memory.guides.update(guides)
            more += guides.values()
        self._repeat(call, output)
        return "\n\n".join([output, *more])

    def forgotten(self) -> None:
        """Take note that older results are out of the conversation: who looks again does not go round in circles."""
        self._repeats.clear()

    def _progress(self, changed: list[str]) -> None:
        """Forget repetitions when the tree is in a state in which it has never been."""
        if changed and (state := self.tree.digest(changed)) not in self._states:
            self._states.add(state)
            self._repeats.clear()

    def _repeat(self, call: ToolCallPart, output: str) -> None:
        key = f"{call.tool_name}\0{json.dumps(call.args_as_dict(), sort_keys=True)}\0{TIMES.sub('', output)}"
        self._repeats[key] += 1
        self.repeated = self._repeats[key]


def _step(entry: str) -> str:
    return entry.strip() if re.match(r"\s*\[[ x>]\]", entry) else f"[ ] {entry.strip()}"


def _paths(call: ToolCallPart) -> list[str]:
    path = call.args_as_dict().get("path")
    return [path] if isinstance(path, str) and path.strip() and "\0" not in path and path != "." else []


def _title(call: ToolCallPart) -> str:
    """Say in a few words what a call is about."""
    arguments = call.args_as_dict()
    return cut(str(next((arguments[key] for key in ABOUT if arguments.get(key)), "")), 300)


def _change(call: ToolCallPart) -> str:
    """Say what a call would change, for whoever has to answer for it."""
    arguments = call.args_as_dict()
    if call.tool_name == "edit":
        return cut(f"{arguments.get('old', '')}\n->\n{arguments.get('new', '')}", MAX_ASKED)
    return cut(str(arguments.get("content", "")), MAX_ASKED)
