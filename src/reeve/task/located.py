"""Data with the line of every key: JSON and TOML as a person wrote them; YAML has a module of its own."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KeyPath", "Located", "Unreadable", "decode", "nearest", "parse_json_line", "parse_toml"]


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


def nearest(word: str, known: list[str]) -> str:
    """Say ``; did you mean 'x'?`` for a word close to a known one, else an empty string."""
    import difflib  # only when something is wrong

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


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
