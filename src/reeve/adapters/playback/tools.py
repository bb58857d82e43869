"""How a step becomes a call of whatever tool the request lists: one table, to be extended by a line each."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reeve.adapters.playback.conversation import Asked, By, Listed
from reeve.adapters.playback.script import Edit, Plan, Read, Run, Say, Tool, Write
from reeve.errors import InputError

__all__ = ["Call", "Wanted", "requested"]

Wanted = Read | Edit | Write | Run | Plan


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as it stands in the answer; `arguments` is a string for a tool that takes free text."""

    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Row:
    """A tool that can do a step.

    `arguments` maps the names of the tool to values of the step; a single value is the free text of the tool.
    `fixed` are arguments that the tool wants and no script says; they are left out where the tool has none such.
    """

    tool: str
    arguments: Mapping[str, str] | str
    fixed: Mapping[str, Any] = field(default_factory=dict)


NUMBERED = re.compile(r"^ *(\d+)(?:: |\t|\| |→)", re.MULTILINE)
"""How tools that read a file number its lines."""

WHY = {"description": "as the script says", "instruction": "as the script says"}

TABLE: Mapping[type, Sequence[Row]] = {
    Read: (
        Row("Read", {"file_path": "path"}),  # Claude Code
        Row("read", {"filePath": "path"}),  # OpenCode
        Row("read", {"path": "path"}),  # reeve's own
        Row("read_file", {"file_path": "path"}),  # Gemini CLI
        Row("read_file", {"absolute_path": "path"}),  # Gemini CLI, older
        Row("read_file", {"path": "path"}),
    ),
    Edit: (
        Row("Edit", {"file_path": "path", "old_string": "old", "new_string": "new"}),
        Row("edit", {"filePath": "path", "oldString": "old", "newString": "new"}),
        Row("edit", {"path": "path", "old": "old", "new": "new"}),
        Row("replace", {"file_path": "path", "old_string": "old", "new_string": "new"}, WHY),
        Row("apply_patch", "patch"),  # Codex
        Row("apply_patch", {"input": "patch"}),  # Codex, where the tool takes no free text
        Row("apply_patch", {"patchText": "patch"}),  # OpenCode, with models of OpenAI
    ),
    Write: (
        Row("Write", {"file_path": "path", "content": "content"}),
        Row("write", {"filePath": "path", "content": "content"}),
        Row("write", {"path": "path", "content": "content"}, {"replace": True}),  # reeve's own
        Row("write_file", {"file_path": "path", "content": "content"}),
        Row("write_file", {"path": "path", "content": "content"}),
        Row("apply_patch", "patch"),
        Row("apply_patch", {"input": "patch"}),
        Row("apply_patch", {"patchText": "patch"}),
    ),
    Run: (
        Row("Bash", {"command": "command"}, WHY),
        Row("bash", {"command": "command"}, WHY),  # OpenCode, mini-swe-agent
        Row("run", {"command": "command"}),
        Row("run_shell_command", {"command": "command"}, WHY),
        Row("shell_command", {"command": "command"}),  # Codex
        Row("exec_command", {"cmd": "command"}),  # Codex, with sessions
        Row("shell", {"command": "argv"}),  # Codex, older
    ),
    Plan: (
        Row("TodoWrite", {"todos": "active_entries"}),  # Claude Code, where it lists it
        Row("todowrite", {"todos": "priority_entries"}),  # OpenCode
        Row("write_todos", {"todos": "described_entries"}),  # Gemini CLI
        Row("update_plan", {"plan": "stepped_entries"}),  # Codex
        Row("plan", {"entries": "entries"}),  # reeve's own
    ),
}
"""In the order of preference; a row fits a tool of this name that takes these arguments."""


def requested(step: Wanted | Tool, asked: Asked) -> Call | Say:
    """Return the call that does a step; raises InputError if the request lists no tool for it.

    Without a tool of its own, a file is read and changed through the shell, and a plan is only said.
    """
    if isinstance(step, Tool):
        return Call(step.name, step.arguments if step.input is None else step.input)
    if call := _fitting(step, asked):
        return call
    if isinstance(step, Plan):
        return Say(text="\n".join(["The plan:", *step.entries]))
    if not isinstance(step, Run) and (call := _fitting(Run(command=_in_shell(step)), asked)):
        return call
    names = ", ".join(sorted(asked.tools)) or "none"
    raise InputError(f"the step {type(step).__name__.lower()!r} needs a tool, and the request lists no such: {names}")


def _fitting(step: Wanted, asked: Asked) -> Call | None:
    for row in TABLE[type(step)]:
        tool = asked.tools.get(row.tool)
        if tool is not None and _fits(row, tool):
            values = _values(step, asked)
            if isinstance(row.arguments, str):
                return Call(tool.name, values[row.arguments])
            fixed = {name: value for name, value in row.fixed.items() if name in tool.arguments}
            return Call(tool.name, {name: values[value] for name, value in row.arguments.items()} | fixed)
    return None


def _fits(row: Row, tool: Listed) -> bool:
    if isinstance(row.arguments, str):
        return tool.free_text
    return not tool.free_text and (not tool.arguments or row.arguments.keys() <= tool.arguments)


# ---------------------------------------------------------------- the values that the table names


def _values(step: Wanted, asked: Asked) -> Mapping[str, Any]:
    match step:
        case Read():
            return {"path": step.path}
        case Edit():
            return {"path": step.path, "old": step.old, "new": step.new, "patch": _update(step, asked)}
        case Write():
            return {"path": step.path, "content": step.content, "patch": _added(step)}
        case Run():
            return {"command": step.command, "argv": ["bash", "-lc", step.command]}
        case Plan():
            return _plan(step)


def _plan(step: Plan) -> Mapping[str, Any]:
    """Every way of writing a plan down that a known tool wants."""
    marks = {"[x] ": "completed", "[>] ": "in_progress", "[ ] ": "pending"}
    found = [(entry[4:], marks[entry[:4]]) if entry[:4] in marks else (entry, "pending") for entry in step.entries]
    return {
        "entries": step.entries,
        "stepped_entries": [{"step": text, "status": status} for text, status in found],
        "described_entries": [{"description": text, "status": status} for text, status in found],
        "active_entries": [{"content": text, "status": status, "activeForm": text} for text, status in found],
        "priority_entries": [
            {"id": str(number), "content": text, "status": status, "priority": "medium"}
            for number, (text, status) in enumerate(found, start=1)
        ],
    }


def _update(step: Edit, asked: Asked) -> str:
    """An edit in the grammar of apply_patch, which knows whole lines alone."""
    old, new = _whole_lines(step.old, step.new, (item.text for item in reversed(asked.items) if item.by is By.TOOL))
    lines = ["*** Begin Patch", f"*** Update File: {step.path}", "@@"]
    lines += [f"-{line}" for line in old.split("\n")]
    lines += [f"+{line}" for line in new.split("\n")] if new else []
    return "\n".join([*lines, "*** End Patch", ""])


def _whole_lines(old: str, new: str, texts: Iterable[str]) -> tuple[str, str]:
    """Widen a replacement to the whole lines in which it stands, as far as a tool has shown the file."""
    for shown in texts:
        text = _without_numbers(shown)
        start = text.find(old)
        if start >= 0:
            end = start + len(old)
            before = text[text.rfind("\n", 0, start) + 1 : start]
            after = text[end : text.find("\n", end) if "\n" in text[end:] else len(text)]
            old, new = before + old + after, before + new + after
            break
    both_end = old.endswith("\n") and (new.endswith("\n") or not new)
    return (old[:-1], new[:-1]) if both_end else (old, new)


def _without_numbers(shown: str) -> str:
    """Take the numbers of lines out of what a tool shows of a file: those that count one by one."""
    numbers = [int(each) for each in NUMBERED.findall(shown)]
    counted = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return NUMBERED.sub("", shown) if counted else shown


def _added(step: Write) -> str:
    lines = step.content.removesuffix("\n").split("\n")
    return "\n".join(
        ["*** Begin Patch", f"*** Add File: {step.path}", *(f"+{line}" for line in lines), "*** End Patch", ""]
    )


REPLACING = (
    "import pathlib, sys; path = pathlib.Path(sys.argv[1]); text = path.read_text(); "
    "assert sys.argv[2] in text, 'the text is not there'; path.write_text(text.replace(sys.argv[2], sys.argv[3], 1))"
)


def _in_shell(step: Read | Edit | Write) -> str:
    match step:
        case Read():
            return shlex.join(["cat", step.path])
        case Edit():
            return shlex.join(["python3", "-c", REPLACING, step.path, step.old, step.new])
        case Write():
            return f"printf %s {shlex.quote(step.content)} > {shlex.quote(step.path)}"
