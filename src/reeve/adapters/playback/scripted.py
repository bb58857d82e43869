"""Answers by script: which API a request speaks, and what the player says in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reeve.adapters.playback.addresses import PATHS, api_of, failed, fault_of, refused
from reeve.adapters.playback.apis import gemini
from reeve.adapters.playback.apis.api import MADE_AT, Api, Body, Chunk, compact
from reeve.adapters.playback.conversation import Asked
from reeve.adapters.playback.messages import Answer, Received
from reeve.adapters.playback.player import CHARS_PER_TOKEN, Player, Reply
from reeve.adapters.playback.seen import Seen
from reeve.errors import InputError

__all__ = ["Scripted"]

EVENTS = "text/event-stream; charset=utf-8"

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
                    return refused(received, 405, f"{received.method} is not for this address; use POST")
                return self._played(received, api, found.groupdict())
        small = _small(received)
        if small is not None:
            return Answer(200, [compact(small).encode()])
        return refused(received, 404, f"playback does not know {received.method} {received.path[:200]}")

    def _played(self, received: Received, api: Api, address: dict[str, str]) -> Answer:
        try:
            data = json.loads(received.body)
        except (ValueError, RecursionError):
            return refused(received, 400, "the body of the request is not JSON")
        if not isinstance(data, dict):
            return refused(received, 400, f"the body must be a JSON object, found {type(data).__name__}")
        if "alt=sse" in received.query.split("&"):
            address["alt"] = "sse"
        # Of the sorted data, not of the bytes: Codex writes its keys in another order when it tries again.
        digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
        asked = api.asked(Body(data, digest, len(received.body), address))
        try:
            reply = self.player.reply(asked)
        except InputError as error:
            return failed(api, fault_of(400, str(error)), _seen(api, asked))
        return _answered(api, asked, reply)


def _answered(api: Api, asked: Asked, reply: Reply) -> Answer:
    seen, before_seconds = _seen(api, asked, reply), reply.before_seconds
    if fault := reply.fault or (None if asked.stream else reply.breaks):
        return failed(api, fault, seen, before_seconds=before_seconds)
    if asked.stream:
        events: list[Chunk] = list(api.stream(asked, reply))
        return Answer(200, events, EVENTS, before_seconds=before_seconds, streamed=True, seen=seen)
    return Answer(200, [compact(api.answer(asked, reply)).encode()], before_seconds=before_seconds, seen=seen)


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
        if api_of(received) is gemini:
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
