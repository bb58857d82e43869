"""Answers by script: which API a request speaks, and what the player says in it."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from reeve.adapters.playback.apis import anthropic
from reeve.adapters.playback.apis.api import MADE_AT, Api, Body, compact
from reeve.adapters.playback.conversation import Asked
from reeve.adapters.playback.front import Answer, Received
from reeve.adapters.playback.player import CHARS_PER_TOKEN, Player, Reply
from reeve.adapters.playback.script import Delay, Fault
from reeve.adapters.playback.seen import Seen
from reeve.errors import InputError

__all__ = ["Scripted"]

MODEL = "playback"
EVENTS = "text/event-stream; charset=utf-8"

PATHS: tuple[tuple[re.Pattern[str], Api], ...] = ((re.compile(r"/messages$"), anthropic),)
"""The end of an address says the API; whatever stands before it is somebody's prefix."""


class Scripted:
    """A source that plays scripts."""

    def __init__(self, player: Player) -> None:
        self.player = player

    def answer(self, received: Received) -> Answer:
        """Return the scripted answer, or an error in the form of the API."""
        for pattern, api in PATHS:
            if found := pattern.search(received.path):
                if received.method != "POST":
                    return self.refusal(received, 405, f"{received.method} is not for this address; use POST")
                return self._played(received, api, found.groupdict())
        return self._small(received) or self.refusal(
            received, 404, f"playback does not know {received.method} {received.path[:200]}"
        )

    def refusal(self, received: Received, status: int, message: str) -> Answer:
        """Return an error in the form of the API that was asked."""
        return _failed(_api_of(received), Fault(status=status, message=message), Seen())

    def _played(self, received: Received, api: Api, address: dict[str, str]) -> Answer:
        try:
            data = json.loads(received.body)
        except (ValueError, RecursionError):
            return self.refusal(received, 400, "the body of the request is not JSON")
        if not isinstance(data, dict):
            return self.refusal(received, 400, f"the body must be a JSON object, found {type(data).__name__}")
        digest = hashlib.sha256(received.body).hexdigest()
        asked = api.asked(Body(data, digest, len(received.body), address))
        try:
            reply = self.player.reply(asked)
        except InputError as error:
            return _failed(api, Fault(status=400, message=str(error)), _seen(api, asked, None))
        seen = _seen(api, asked, reply)
        fault = reply.fault or next((piece for piece in reply.pieces if isinstance(piece, Fault)), None)
        if fault and (reply.fault or not asked.stream):
            return _failed(api, fault, seen, before_seconds=reply.before_seconds)
        if not asked.stream:
            return Answer(
                200, [compact(api.answer(asked, reply)).encode()], before_seconds=reply.before_seconds, seen=seen
            )
        chunks: list[bytes | Delay] = []
        for chunk in api.stream(asked, reply):
            if isinstance(chunk, Fault):
                chunks.append(api.broken(chunk))
                break
            chunks.append(chunk)
        return Answer(200, chunks, EVENTS, before_seconds=reply.before_seconds, streamed=True, seen=seen)

    def _small(self, received: Received) -> Answer | None:
        """What clients ask besides."""
        return None


def _api_of(received: Received) -> Api:
    return anthropic


def _failed(api: Api, fault: Fault, seen: Seen, *, before_seconds: float = 0.0) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    content = compact(api.failure(fault)).encode()
    return Answer(fault.status, [content], headers=headers, before_seconds=before_seconds, seen=seen)


def _seen(api: Api, asked: Asked, reply: Reply | None) -> Seen:
    if reply is None:
        return Seen(api=api.NAME, model=asked.model, stream=asked.stream)
    usage = reply.usage
    return Seen(
        api=api.NAME,
        model=asked.model,
        stream=asked.stream,
        turn=reply.turn,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        cache_written_tokens=usage.cache_written,
        reasoning_tokens=usage.reasoning,
        cut=any(isinstance(piece, Fault) for piece in reply.pieces),
    )
