"""Answers by script: which API a request speaks, and what the player says in it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reeve.adapters.playback.apis import anthropic, chat, gemini, responses
from reeve.adapters.playback.apis.api import MADE_AT, Api, Body, Chunk, compact
from reeve.adapters.playback.conversation import Asked
from reeve.adapters.playback.front import Answer, Received
from reeve.adapters.playback.player import CHARS_PER_TOKEN, Player, Reply
from reeve.adapters.playback.script import Fault
from reeve.adapters.playback.seen import Seen
from reeve.errors import InputError

__all__ = ["Scripted"]

EVENTS = "text/event-stream; charset=utf-8"

PATHS: tuple[tuple[re.Pattern[str], Api], ...] = (
    (re.compile(r"/messages$"), anthropic),
    (re.compile(r"/chat/completions$"), chat),
    (re.compile(r"/responses$"), responses),
    (re.compile(r"/models/(?P<model>[^/:]+):(?P<method>generateContent|streamGenerateContent)$"), gemini),
)
"""The end of an address says the API; whatever stands before it is somebody's prefix."""

MODEL = {
    "id": "playback",
    "object": "model",
    "created": MADE_AT,
    "owned_by": "reeve",
    "type": "model",
    "display_name": "Playback",
    "created_at": "2023-11-14T22:13:20Z",
}
GEMINI_MODEL = {
    "name": "models/playback",
    "displayName": "Playback",
    "supportedGenerationMethods": ["generateContent", "countTokens"],
}


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
        small = _small(received)
        if small is not None:
            return Answer(200, [compact(small).encode()])
        return self.refusal(received, 404, f"playback does not know {received.method} {received.path[:200]}")

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
        if "alt=sse" in received.query.split("&"):
            address["alt"] = "sse"
        digest = hashlib.sha256(received.body).hexdigest()
        asked = api.asked(Body(data, digest, len(received.body), address))
        try:
            reply = self.player.reply(asked)
        except InputError as error:
            return _failed(api, Fault(status=400, message=str(error)), _seen(api, asked))
        return _answered(api, asked, reply)


def _answered(api: Api, asked: Asked, reply: Reply) -> Answer:
    seen, before_seconds = _seen(api, asked, reply), reply.before_seconds
    if fault := reply.fault or (None if asked.stream else reply.breaks):
        return _failed(api, fault, seen, before_seconds=before_seconds)
    if asked.stream:
        events: list[Chunk] = list(api.stream(asked, reply))
        return Answer(200, events, EVENTS, before_seconds=before_seconds, streamed=True, seen=seen)
    return Answer(200, [compact(api.answer(asked, reply)).encode()], before_seconds=before_seconds, seen=seen)


def _failed(api: Api, fault: Fault, seen: Seen, *, before_seconds: float = 0.0) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    content = compact(api.failure(fault)).encode()
    seen = replace(seen, message=fault.message)
    return Answer(fault.status, [content], headers=headers, before_seconds=before_seconds, seen=seen)


def _seen(api: Api, asked: Asked, reply: Reply | None = None) -> Seen:
    seen = Seen(api=api.NAME, model=asked.model, stream=asked.stream)
    if reply is None:
        return seen
    usage = reply.usage
    return replace(
        seen,
        turn=reply.turn,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        cache_written_tokens=usage.cache_written,
        reasoning_tokens=usage.reasoning,
        cut=reply.breaks is not None,
    )


# ---------------------------------------------------------------- what clients ask besides


def _small(received: Received) -> Mapping[str, Any] | None:
    """Return the answer to a question that needs no script; None: nobody is known to ask it."""
    path, asking = received.path, received.method
    if asking == "GET" and path.endswith("/models"):
        if _api_of(received) is gemini:
            return {"models": [GEMINI_MODEL]}
        # One list for Anthropic and for OpenAI: each passes over the keys of the other.
        ends = {"first_id": MODEL["id"], "last_id": MODEL["id"], "has_more": False}
        return {"object": "list", "data": [MODEL], **ends}
    tokens = 1 + len(received.body) // CHARS_PER_TOKEN
    if asking == "POST" and path.endswith("/messages/count_tokens"):
        return {"input_tokens": tokens}
    if asking == "POST" and path.endswith(":countTokens"):
        return {"totalTokens": tokens}
    if asking in ("GET", "HEAD") and path.endswith("/api/hello"):
        return {"message": "hello"}
    return None


def _api_of(received: Received) -> Api:
    """Say which API is meant, also where the address does not tell."""
    for pattern, api in PATHS:
        if pattern.search(received.path):
            return api
    if "anthropic-version" in received.headers or "/messages" in received.path or received.path.endswith("/api/hello"):
        return anthropic
    return gemini if "x-goog-api-key" in received.headers or "/v1beta/" in received.path else chat
