"""What a request says, in one form for all APIs, and which turn of a script answers it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reeve.adapters.playback.script import MARKER, Script, unmarked
from reeve.errors import InputError

__all__ = ["Asked", "By", "Item", "Listed", "entries", "listed", "part_of", "place", "string", "texts"]

MAX_SEARCHED_CHARS = 2**16
"""How much of one text the pattern `when` is tried on."""

OWN_CALL = re.compile(r"pb(\d{1,6})x\d{1,4}x[0-9a-f]{12}$")
"""The end of the id of a call that playback made: turn, place in the turn, and the digest of the request."""


class By(StrEnum):
    """Who is heard."""

    PERSON = "person"
    MODEL = "model"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of the conversation; `call` is the id of the tool call that is asked for or answered."""

    by: By
    text: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool that the request offers; `arguments` are their names, empty if the request does not say."""

    name: str
    arguments: frozenset[str] = frozenset()
    free_text: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: all that playback reads of it.

    `digest` is a SHA-256 in hex, the same when a client tries again. `asks_usage` says that a stream is to report
    tokens. `problem` says why no script can answer, empty if one can.
    """

    model: str
    stream: bool
    items: tuple[Item, ...]
    tools: Mapping[str, Listed]
    digest: str
    size_bytes: int
    asks_usage: bool = True
    problem: str = ""


# ---------------------------------------------------------------- reading what strangers wrote


def string(value: Any) -> str:
    """Return a string as it is, anything else as nothing."""
    return value if isinstance(value, str) else ""


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Go through the mappings in a list; whatever else there is is passed over."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def part_of(value: Any, key: str) -> dict[str, Any]:
    """Return the mapping below a key, an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def texts(content: Any) -> Iterator[str]:
    """Go through the texts of a content: a string, or a list of blocks with `text`."""
    if isinstance(content, str):
        yield content
    for block in entries(content):
        if text := string(block.get("text")):
            yield text


# ---------------------------------------------------------------- which turn


def place(asked: Asked, scripts: Mapping[str, Script]) -> tuple[Script, int] | None:
    """Find the script of a conversation and the number of its turns that were played; None: no script is for it.

    The newest marker of a person decides, else the first script of the server whose `when` is found in a text of
    a person, or that has none. Nothing is remembered: the conversation itself says how far it is.
    """
    for number in range(len(asked.items) - 1, -1, -1):
        item = asked.items[number]
        if item.by is By.PERSON and (found := _marked(item.text)):
            script = scripts[found] if found in scripts else unmarked(found)
            return script, _turns_played(asked.items[number:])
    for script in scripts.values():
        if script.when is None:
            return script, _turns_played(asked.items)
        for number, item in enumerate(asked.items):
            if item.by is By.PERSON and script.when.search(item.text[:MAX_SEARCHED_CHARS]):
                return script, _turns_played(asked.items[number:])
    return None


def _marked(text: str) -> str:
    start = text.rfind("[[playback:")
    if start < 0:
        return ""
    if found := MARKER.match(text, start):
        return found[1]
    raise InputError(f"a marker of playback is cut or misspelt: {text[start : start + 40]!r}")


def _turns_played(items: Sequence[Item]) -> int:
    """Count what the model said; the ids of its calls are exact, where a client kept them.

    Exact ids matter where a client condenses old turns away, or sends the results of one turn apart.
    """
    played, speaking = 0, False
    for item in items:
        if own := OWN_CALL.search(item.call):
            played = int(own[1]) + 1
        elif item.by is By.MODEL and not speaking:
            played += 1
        speaking = item.by is By.MODEL
    return played


def listed(tools: Iterable[Listed]) -> dict[str, Listed]:
    """Return tools by their names."""
    return {tool.name: tool for tool in tools if tool.name}
