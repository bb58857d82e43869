"""Recorded traffic: its file, what is kept out of it, and the source that plays it again."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from reeve.adapters.playback.addresses import refused
from reeve.adapters.playback.likeness import likeness
from reeve.adapters.playback.messages import Answer, Received
from reeve.adapters.playback.script import Delay, ScriptError
from reeve.adapters.playback.seen import Seen, without_keys
from reeve.task.forms import Form, validated
from reeve.task.located import Unreadable, decode, parse_json_line

__all__ = ["Exchange", "Recorded", "is_recording", "read_recording"]

MAX_FILE_BYTES = 2**28

KEPT_OF_REQUEST = ("accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta", "user-agent")
KEPT_OF_ANSWER = ("content-type", "retry-after")
"""Headers that are written down. Whatever else there is may hold a key, a cookie or the name of an account."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; `chunks` are the bytes, each with the seconds since the request came.

    `whole` is False where the upstream or the client broke off.
    """

    received: Received
    status: int
    headers: Mapping[str, str]
    chunks: Sequence[tuple[float, bytes]]
    whole: bool = True

    @property
    def line(self) -> str:
        """The exchange as one line of JSON, ASCII, without secrets."""
        kept = {name: value for name, value in self.received.headers.items() if name in KEPT_OF_REQUEST}
        written = {
            "recorded": 1,
            "method": self.received.method,
            "path": without_keys(self.received.path, self.received.query),
            "request_headers": kept,
            "request": _text(self.received.body),
            "status": self.status,
            "headers": {name: value for name, value in self.headers.items() if name in KEPT_OF_ANSWER},
            "chunks": [[round(seconds, 4), _text(content)] for seconds, content in self.chunks],
            "whole": self.whole,
        }
        return json.dumps(written) + "\n"


class ExchangeForm(Form):
    """One line of a recording."""

    recorded: Literal[1]
    method: str
    path: str
    request_headers: dict[str, str]
    request: str
    status: Annotated[int, Field(ge=100, le=599)]
    headers: dict[str, str]
    chunks: list[Annotated[tuple[Annotated[float, Field(ge=0)], str], Field(strict=False)]]  # JSON has no tuples
    whole: bool

    def exchange(self) -> Exchange:
        """Return what was recorded."""
        path, _, query = self.path.partition("?")
        received = Received(self.method, path, query, self.request_headers, _bytes(self.request))
        chunks = [(seconds, _bytes(text)) for seconds, text in self.chunks]
        return Exchange(received, self.status, self.headers, chunks, whole=self.whole)


def is_recording(path: Path) -> bool:
    """Say whether a file is a recording and not a script."""
    with path.open("rb") as file:
        return file.read(12) == b'{"recorded":'


def read_recording(path: Path) -> tuple[Exchange, ...]:
    """Read a recording; raises ScriptError with the line of the first mistake."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ScriptError(f"larger than {MAX_FILE_BYTES >> 20} MB", file=str(path), line=1)
    return tuple(_exchanges(path))


def _exchanges(path: Path) -> Iterator[Exchange]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            located = parse_json_line(decode(line), line=number)
        except Unreadable as error:
            raise ScriptError(error.message, file=str(path), line=number) from None
        yield validated(ExchangeForm, located, file=str(path), error=ScriptError).exchange()


def _text(content: bytes) -> str:
    """Bytes as text that gives the same bytes again: a stream is cut anywhere, also inside a character."""
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- playing it


class Recorded:
    """A source that answers a request as it was answered when it was recorded.

    The same request again (`likeness`) gets what was recorded next for it, and at the end what was recorded last:
    for this, one number is kept for each request of the recording. `real_pace` waits as the provider did.
    """

    def __init__(self, exchanges: Iterable[Exchange], *, real_pace: bool = False) -> None:
        self.exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)
        for each in exchanges:
            self.exchanges[_likeness(each.received)].append(each)
        self.played: Counter[str] = Counter()
        self.real_pace = real_pace

    def answer(self, received: Received) -> Answer:
        """Return what was recorded for this request."""
        asked = _likeness(received)
        found = self.exchanges.get(asked)
        if not found:
            return refused(received, 404, self._why_not(received))
        exchange = found[min(self.played[asked], len(found) - 1)]
        self.played[asked] += 1
        content_type = exchange.headers.get("content-type", "application/octet-stream")
        streamed = content_type.startswith("text/event-stream")
        further = {name: value for name, value in exchange.headers.items() if name != "content-type"}
        seen = Seen(api="recorded", stream=streamed, cut=not exchange.whole)
        before_seconds = exchange.chunks[0][0] if self.real_pace and exchange.chunks else 0.0
        chunks = list(_paced(exchange.chunks) if self.real_pace else (content for _, content in exchange.chunks))
        return Answer(exchange.status, chunks, content_type, further, before_seconds, streamed, seen)

    def _why_not(self, received: Received) -> str:
        address = without_keys(received.path, received.query)
        here = sum(without_keys(each.path, each.query) == address for each in self._requests())
        return (
            f"the recording holds no answer to this {received.method} {address[:200]}: "
            f"of its requests, {here} are to this address, and each asks something else"
        )

    def _requests(self) -> Iterator[Received]:
        return (exchange.received for found in self.exchanges.values() for exchange in found)


def _paced(chunks: Sequence[tuple[float, bytes]]) -> Iterator[bytes | Delay]:
    before = chunks[0][0] if chunks else 0.0
    for seconds, content in chunks:
        if seconds > before:
            yield Delay(before_seconds=min(seconds - before, 3600.0))
        yield content
        before = seconds


def _likeness(received: Received) -> str:
    return likeness(received.method, without_keys(received.path, received.query), received.body)
