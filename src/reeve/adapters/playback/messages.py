"""What goes in and out, whoever answers: a request read whole, an answer in chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from reeve.adapters.playback.script import Delay
from reeve.adapters.playback.seen import Seen

__all__ = ["Answer", "Received", "Source"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request, read whole; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: chunks with waits between them, as they come if it is `streamed`, else in one piece at the end.

    `seen` says what is known of the answer; the front adds what it knows of the request.
    """

    status: int
    chunks: Sequence[bytes | Delay]
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    before_seconds: float = 0.0
    streamed: bool = False
    seen: Seen = field(default_factory=Seen)


class Source(Protocol):
    """Something that knows an answer to every request."""

    def answer(self, received: Received) -> Answer:
        """Return the answer; raises nothing, whatever was received."""
