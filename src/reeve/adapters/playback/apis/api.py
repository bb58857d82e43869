"""What all APIs have in common: the port that each module of this folder fulfils."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reeve.adapters.playback.conversation import Asked
from reeve.adapters.playback.player import Reply
from reeve.adapters.playback.script import Delay, Fault

__all__ = ["MADE_AT", "Api", "Body", "Chunk", "chunks", "compact", "event"]

MADE_AT = 1_700_000_000
"""Every answer was made at this second: the same request gets the same bytes."""

MAX_CHUNKS = 8
MIN_CHUNK_CHARS = 48

Chunk = bytes | Delay
"""A piece of a stream: bytes to send, or a wait."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request whose JSON was read; `address` holds what the path says of it."""

    data: dict[str, Any]
    digest: str
    size_bytes: int
    address: Mapping[str, str]


class Api(Protocol):
    """One API: a module with these functions."""

    NAME: str

    def asked(self, body: Body) -> Asked:
        """Read a request; whatever it holds, nothing is raised."""

    def answer(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """Return the answer as one JSON object."""

    def stream(self, asked: Asked, reply: Reply) -> Iterator[Chunk]:
        """Go through the answer as a stream of events; a fault among the pieces ends it with the event of an error."""

    def failure(self, fault: Fault) -> dict[str, Any]:
        """Return the JSON object of an error."""


def compact(value: object) -> str:
    """Write JSON as the providers do on the wire: no spaces, ASCII."""
    return json.dumps(value, separators=(",", ":"))


def event(data: dict[str, Any], name: str = "") -> bytes:
    """Write one server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {compact(data)}\n\n".encode()


def chunks(text: str) -> Iterator[str]:
    """Cut a text as a stream does: pieces of 48 characters or more, eight at the most."""
    size = max(MIN_CHUNK_CHARS, -(-len(text) // MAX_CHUNKS))
    return (text[start : start + size] for start in range(0, len(text), size))
