"""What the model says: scripts of turns, turns of steps; written in a file, or carried by a prompt."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reeve.errors import InputError, LocatedError
from reeve.task.forms import Form, Text, validated
from reeve.task.located import Located, Unreadable, decode
from reeve.task.yaml_text import parse_yaml

__all__ = [
    "ENDED",
    "MARKER",
    "Delay",
    "Edit",
    "Fault",
    "Plan",
    "Read",
    "Run",
    "Say",
    "Script",
    "ScriptError",
    "Step",
    "StepForm",
    "Think",
    "Tool",
    "Turn",
    "Usage",
    "Write",
    "marker",
    "read_scripts",
    "script_of",
    "unmarked",
]

MAX_FILE_BYTES = 2**22
MAX_MARKER_CHARS = 2**20
MARKER = re.compile(r"\[\[playback:([A-Za-z0-9_+/=-]+)\]\]")
ENDED = "The script has ended."


class ScriptError(LocatedError):
    """A script cannot be read."""


# ---------------------------------------------------------------- steps


def _short_for(key: str) -> BeforeValidator:
    """Let a bare value stand for a mapping with this one key: ``read: a.py`` for ``read: {path: a.py}``."""
    return BeforeValidator(lambda value: value if value is None or isinstance(value, dict) else {key: value})


Seconds = Annotated[float, Field(ge=0, le=3600)]
Tokens = Annotated[int, Field(ge=0, le=10**9)]


class Read(Form):
    """Read a file."""

    path: Text


class Edit(Form):
    """Replace a text of a file, which stands there once, by another."""

    path: Text
    old: Annotated[str, Field(min_length=1)]
    new: str


class Write(Form):
    """Write a whole file."""

    path: Text
    content: str


class Run(Form):
    """Run a command of the shell."""

    command: Text


class Plan(Form):
    """Say the plan; an entry begins with ``[x]`` if it is done, ``[>]`` if it is in progress."""

    entries: Annotated[list[Text], Field(min_length=1)]


class Tool(Form):
    """Call a tool by its exact name; `input` instead of `arguments` for a tool that takes free text."""

    name: Text
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    input: str | None = None


class Say(Form):
    """Say something to the person."""

    text: str


class Think(Form):
    """Think aloud."""

    text: str


class Delay(Form):
    """Wait here; from here on, wait also between any two chunks of a stream."""

    before_seconds: Seconds = 0.0
    between_seconds: Seconds = 0.0


class Fault(Form):
    """Fail: as the answer if nothing was said yet in this turn, else in the middle of the stream.

    `times` None: the same request fails for ever; else it fails so often, and then the turn goes on.
    """

    status: Annotated[int, Field(ge=400, le=599)]
    message: str = "so it stands in the script"
    retry_after: Seconds | None = None
    times: Annotated[int, Field(ge=1, le=1000)] | None = None


class Usage(Form):
    """What the turn costs: `cached` and `cache_written` are parts of `input`, `reasoning` is part of `output`."""

    input: Tokens
    output: Tokens
    cached: Tokens = 0
    cache_written: Tokens = 0
    reasoning: Tokens = 0

    @model_validator(mode="after")
    def _parts(self) -> "Usage":
        if self.cached + self.cache_written > self.input:
            raise ValueError("'cached' and 'cache_written' are parts of 'input' and cannot be more")
        if self.reasoning > self.output:
            raise ValueError("'reasoning' is a part of 'output' and cannot be more")
        return self


Step = Read | Edit | Write | Run | Plan | Tool | Say | Think | Delay | Fault
SILENT = (Delay, Fault)
CALLS = (Read, Edit, Write, Run, Plan, Tool)


class StepForm(Form):
    """One step as it is written: exactly one of these keys."""

    text: Annotated[Say | None, _short_for("text")] = None
    thought: Annotated[Think | None, _short_for("text")] = None
    read: Annotated[Read | None, _short_for("path")] = None
    edit: Edit | None = None
    write: Write | None = None
    run: Annotated[Run | None, _short_for("command")] = None
    plan: Annotated[Plan | None, _short_for("entries")] = None
    tool: Annotated[Tool | None, _short_for("name")] = None
    error: Annotated[Fault | None, _short_for("status")] = None
    delay: Annotated[Delay | None, _short_for("before_seconds")] = None
    usage: Usage | None = None

    @model_validator(mode="after")
    def _one(self) -> "StepForm":
        if len(self.model_fields_set) != 1 or self.written is None:
            raise ValueError(f"a step is exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def written(self) -> Step | Usage | None:
        """The one that was written."""
        step: Step | Usage | None = getattr(self, next(iter(self.model_fields_set)))
        return step


# ---------------------------------------------------------------- scripts


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says between two answers of the other side; `usage` None: computed from the lengths."""

    steps: tuple[Step, ...]
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Turns in their order; `when` finds the conversations that it is for, None: any."""

    turns: tuple[Turn, ...]
    when: re.Pattern[str] | None = None

    @property
    def calls_tools(self) -> bool:
        """Say whether an agent with tools is meant."""
        return any(isinstance(step, CALLS) for turn in self.turns for step in turn.steps)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError(f"a name is 1 to 64 letters, digits, '-' or '_', found {value!r}")
    return value


TurnForm = Annotated[
    list[StepForm],
    BeforeValidator(lambda value: [value] if isinstance(value, dict) else value),
    Field(min_length=1),
]


class ScriptForm(Form):
    """One script as it is written."""

    turns: Annotated[list[TurnForm], Field(min_length=1)]
    when: Annotated[str, AfterValidator(_pattern)] | None = None

    def script(self) -> Script:
        """Return what is played."""
        return Script(tuple(_played(self.turns)), re.compile(self.when) if self.when is not None else None)


class FileForm(Form):
    """A file: one script, or several with names."""

    turns: Annotated[list[TurnForm], Field(min_length=1)] | None = None
    scripts: dict[Annotated[str, AfterValidator(_name)], ScriptForm] = Field(default_factory=dict)


def _played(turns: Sequence[Sequence[StepForm]]) -> Iterator[Turn]:
    """A turn that says nothing leaves nothing in a conversation to count it by: it is played with the next."""
    steps: list[Step] = []
    usage: Usage | None = None
    for turn in turns:
        for form in turn:
            if isinstance(form.written, Usage):
                usage = form.written
            elif form.written is not None:
                steps.append(form.written)
        if any(not isinstance(step, SILENT) for step in steps):
            yield Turn(tuple(steps), usage)
            steps, usage = [], None
    if steps:
        yield Turn(tuple(steps), usage)


# ---------------------------------------------------------------- reading and carrying


def script_of(written: object) -> Script:
    """Make a script of plain data: a list of turns, or a mapping with `turns`; raises ScriptError."""
    data = written if isinstance(written, dict) else {"turns": written}
    return validated(ScriptForm, Located(data), file="script", error=ScriptError).script()


def marker(written: object) -> str:
    """Return the words that carry a script inside a prompt; raises ScriptError if it is none."""
    script_of(written)
    return f"[[playback:{base64.urlsafe_b64encode(json.dumps(written).encode()).decode()}]]"


@lru_cache(maxsize=64)
def unmarked(carried: str) -> Script:
    """Read the script that a marker carries; raises InputError.

    Remembered, since an agent sends its whole conversation with every request.
    """
    if len(carried) > MAX_MARKER_CHARS:
        raise InputError(f"the marker holds more than {MAX_MARKER_CHARS >> 10} KB")
    try:
        content = base64.b64decode(carried.replace("-", "+").replace("_", "/"), validate=True)
        data = json.loads(content, parse_constant=_refuse)
    except (binascii.Error, ValueError, RecursionError):
        raise InputError(
            f"the marker [[playback:{carried[:24]}...]] names no script of this server and is no base64 of JSON"
        ) from None
    return script_of(data)


def read_scripts(path: Path) -> Mapping[str, Script]:
    """Read a file of scripts, YAML or JSON; a single script has the empty name. Raises ScriptError with its line."""
    content = path.read_bytes()
    if len(content) > MAX_FILE_BYTES:
        raise ScriptError(f"larger than {MAX_FILE_BYTES >> 20} MB", file=str(path), line=1)
    try:
        located = _located(decode(content), is_json=path.suffix.lower() == ".json")
    except Unreadable as error:
        raise ScriptError(error.message, file=str(path), line=error.line) from None
    form = validated(FileForm, located, file=str(path), error=ScriptError)
    if (form.turns is None) == (not form.scripts):
        raise ScriptError("a file holds either 'turns' or 'scripts'", file=str(path), line=located.first_line)
    if form.turns is not None:
        return {"": Script(tuple(_played(form.turns)))}
    return {name: each.script() for name, each in form.scripts.items()}


def _located(text: str, *, is_json: bool) -> Located:
    """JSON decides what is said; that it is YAML too, but for tabs, gives the lines of its keys."""
    if not is_json:
        return parse_yaml(text)
    try:
        data = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not valid JSON: {error.msg} at column {error.colno}", error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not valid JSON: {error}", 1) from None
    if not isinstance(data, dict):
        raise Unreadable(f"must be a JSON object with 'turns' or 'scripts', found {type(data).__name__}", 1)
    try:
        return Located(data, parse_yaml(text.replace("\t", " ")).lines)
    except Unreadable:
        return Located(data)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")
