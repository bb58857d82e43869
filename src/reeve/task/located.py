"""Data with the line of every key: YAML, JSON and TOML as a person wrote them, read safely and within bounds."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["Located", "Unreadable", "decode", "parse_json_line", "parse_toml", "parse_yaml"]

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_ALIASES = 100
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

KeyPath = tuple[str | int, ...]


class Unreadable(Exception):  # noqa: N818 - it says what the text is
    """The text cannot be read as data; `line` is 1-based within the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """A mapping, and the 1-based line on which each of its keys and items stands."""

    data: dict[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    first_line: int = 1

    def line(self, path: KeyPath) -> int:
        """Return the line of a path, or of the nearest part of it that was written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.first_line


def decode(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark; raises Unreadable with the line of the first bad byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        bad = content[error.start : error.start + 1]
        raise Unreadable(f"not UTF-8: found the byte {bad!r}", line) from None


# ---------------------------------------------------------------- YAML


def parse_yaml(text: str, *, first_line: int = 1) -> Located:
    """Read one YAML mapping; `first_line` is the line of the file on which `text` begins.

    Only plain data is read. Refused, each with its line: duplicate keys, keys that are not strings, tags that
    make objects, and documents whose depth, size or aliases pass the bounds above.
    """
    try:
        _refuse_excess(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(f"not valid YAML: {problem}", first_line + (mark.line if mark else 0)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise Unreadable(f"not valid YAML: the character {chr(error.character)!r}", first_line + line) from None
    except Unreadable as error:
        raise Unreadable(error.message, first_line + error.line - 1) from None
    if root is None:
        return Located({}, {}, first_line)
    if not isinstance(root, yaml.MappingNode):
        raise Unreadable("must be a mapping of keys to values", first_line + root.start_mark.line)
    builder = _Builder(first_line)
    return Located(builder.build(root, ()), builder.lines, first_line)


def _refuse_excess(text: str) -> None:
    # The event stream is walked without recursion, so nesting cannot exhaust the stack before it is refused.
    depth = aliases = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", line)
        if count > MAX_NODES:
            raise Unreadable(f"more than {MAX_NODES} values", line)
        if aliases > MAX_ALIASES:
            raise Unreadable(f"more than {MAX_ALIASES} aliases", line)


class _Builder:
    """Builds plain data from composed nodes and notes the line of every key and item."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.lines: dict[KeyPath, int] = {}
        self.built = 0
        self.scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        line = self.first_line + node.start_mark.line
        self.built += 1
        # Aliases share nodes: what is counted is the data they stand for, which can be far more than was written.
        if self.built > MAX_NODES or len(path) > MAX_DEPTH:
            raise Unreadable("aliases stand for too much data", line)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
            raise Unreadable(f"not valid YAML: the tag {node.tag!r} is not for plain data", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        try:
            return self.scalars.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(f"not valid YAML: {error.problem}", line) from None
        except (ValueError, OverflowError, KeyError) as error:
            raise Unreadable(f"not valid YAML: {node.value!r}: {error}", line) from None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = self.first_line + key_node.start_mark.line
            key = self.build(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise Unreadable(f"a key must be a string, found {key_node.value!r}"[:200], line)
            if key in found:
                raise Unreadable(f"{key}: written twice, first on line {self.lines[(*path, key)]}", line)
            self.lines[(*path, key)] = line
            found[key] = self.build(value_node, (*path, key))
        return found

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = self.first_line + node.start_mark.line
        return self.build(node, path)


# ---------------------------------------------------------------- JSON


def parse_json_line(text: str, *, line: int) -> Located:
    """Read one JSON object that stands on one line; duplicate keys, NaN and infinities are refused."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not valid JSON: {error.msg} at column {error.colno}", line) from None
    except RecursionError:
        raise Unreadable("not valid JSON: nested too deeply", line) from None
    except ValueError as error:
        raise Unreadable(f"not valid JSON: {error}", line) from None
    if not isinstance(data, dict):
        raise Unreadable(f"must be a JSON object, found {type(data).__name__}", line)
    return Located(data, {}, line)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is written twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


# ---------------------------------------------------------------- TOML


_TABLE = re.compile(r"\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def parse_toml(text: str) -> Located:
    """Read a TOML document; the lines of keys inside inline tables are those of the table."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r"\(at line (\d+), column \d+\)", message)
        line = int(place[1]) if place else text.count("\n") + 1
        raise Unreadable(f"not valid TOML: {message.partition(' (at ')[0]}", line) from None
    except RecursionError:
        raise Unreadable("not valid TOML: nested too deeply", 1) from None
    return Located(data, _toml_lines(text), 1)


def _toml_lines(text: str) -> dict[KeyPath, int]:
    # tomllib keeps no positions. Lines inside multi-line strings are passed over, so that they are not taken for keys.
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if found := _TABLE.match(line):
            table = _toml_path(found[1])
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            path = (*table, *_toml_path(found[1]))
            for length in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:length], number)
            value = line[found.end() :]
            closing = next((mark for mark in ('"""', "'''") if value.count(mark) == 1), "")
    return lines


def _toml_path(text: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
