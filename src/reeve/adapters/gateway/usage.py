"""What a provider says was used, read from a copy of its answer in whatever form and pieces it comes.

Every API says it differently. Here `input` is never cached, `output` has the reasoning in it, and the last word wins.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from reeve.adapters.gateway.elements import Elements
from reeve.adapters.gateway.sse import Events

__all__ = ["Form", "Meter", "Shape", "Usage"]

BODY_BYTES = 16 << 20
"""Of an answer that is no stream; of a longer one the usage is not known."""

CHARACTERS_PER_TOKEN = 3
TEXT = re.compile(
    rb'"(?:text|partial_json|thinking|delta|content|arguments|input|reasoning|reasoning_content|refusal)"\s*:\s*"'
    rb'([^"\\]*(?:\\.[^"\\]*)*)"'
)
"""What of an event the model wrote, in any of the APIs: enough for an estimate while the answer comes."""

REPEATING = re.compile(
    rb'"type"\s*:\s*"response\.(?:[a-z_.]+\.done|created|queued|in_progress|completed|incomplete|failed)"'
)
"""Events of Responses that say again what the deltas said. Nothing that a model writes looks like one: in there, quotes
stand behind backslashes."""


class Form(StrEnum):
    """How an answer comes."""

    WHOLE = "whole"
    EVENTS = "events"  # server-sent
    ARRAY = "array"  # JSON, one element after the other


class Shape(StrEnum):
    """The forms in which answers come."""

    ANTHROPIC = "anthropic"
    RESPONSES = "responses"
    CHAT = "chat"
    GEMINI = "gemini"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; None: the provider does not say. `cache_write` includes those kept for an hour."""

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None
    cache_write_1h: int = 0
    reasoning: int | None = None
    searches: int = 0
    fast: bool = False  # served in a mode that costs more

    @property
    def prompt(self) -> int:
        """Tokens that went in, from wherever."""
        return self.input + (self.cached or 0) + (self.cache_write or 0)

    @property
    def total(self) -> int:
        """Tokens of all kinds."""
        return self.prompt + self.output


class Meter:
    """Reads along: feed it what passes, ask it what was used. It never raises and never keeps much.

    `complete` says that the provider has had its last word. `written` estimates the tokens of output so far, from the
    text that passed. `error` is what the provider said went wrong after it had begun to answer.
    """

    def __init__(self, shape: Shape, form: Form) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.error = ""
        self.form = form
        self._shape = shape
        self._pieces = READERS_OF[form]()
        self._body = bytearray()
        self._characters = 0
        self._legible = True

    @property
    def between(self) -> bool:
        """Say whether the answer is an array in which another element would fit now."""
        return isinstance(self._pieces, Elements) and self._pieces.between

    @property
    def written(self) -> int:
        """Tokens of output so far: what is reported, or what the text that passed comes to if that is more."""
        estimate = -(-self._characters // CHARACTERS_PER_TOKEN)
        return max(estimate, self.usage.output if self.usage else 0)

    def feed(self, chunk: bytes) -> None:
        """Read what passes."""
        if not self._legible:
            self._characters += len(chunk)
            return
        if self._pieces is None:
            self._keep(chunk)
            return
        for data in self._pieces.feed(chunk):
            self._event(data)

    def end(self) -> None:
        """Read what is still held back; nothing more will come."""
        if self._pieces is not None:
            for data in self._pieces.end():
                self._event(data)
            # Of these, servers differ in which chunk says it last; a stream that ended well has said it.
            last = self._shape in (Shape.CHAT, Shape.GEMINI) and not self.error
            self.complete = self.complete or (last and self.usage is not None)
            return
        try:
            body = json.loads(self._body) if self._body else None
        except (ValueError, RecursionError):
            return
        for message in body if isinstance(body, list) else [body]:
            self._message(message, whole=True)

    def _keep(self, chunk: bytes) -> None:
        self._characters += len(chunk)
        if len(self._body) + len(chunk) > BODY_BYTES:
            self._legible = False
            self._body.clear()
        else:
            self._body += chunk

    def _event(self, data: bytes) -> None:
        if b"usage" in data or b"error" in data or b"_stop" in data or b"finishReason" in data:
            try:
                message = json.loads(data)
            except (ValueError, RecursionError):
                return
            self._message(message, whole=False)
        if self._shape is not Shape.RESPONSES or REPEATING.search(data) is None:
            self._characters += sum(map(len, TEXT.findall(data)))

    def _message(self, message: object, *, whole: bool) -> None:
        if not isinstance(message, Mapping):
            return
        usage, last = READERS[self._shape](message, self.usage)
        if usage is not None:
            self.usage = usage
        if usage is not None and whole:
            last = True
        self.complete = self.complete or (last and self.usage is not None)
        error = message.get("error") or _within(message, "response", "error")
        if isinstance(error, Mapping):
            self.error = str(error.get("type") or error.get("status") or error.get("code") or "error")[:100]


READERS_OF: Mapping[Form, Callable[[], Events | Elements | None]] = {
    Form.WHOLE: lambda: None,
    Form.EVENTS: Events,
    Form.ARRAY: Elements,
}


def _within(message: Mapping[str, Any], *names: str) -> object:
    value: object = message
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


# ---------------------------------------------------------------- the APIs


def _anthropic(message: Mapping[str, Any], known: Usage | None) -> tuple[Usage | None, bool]:
    """Messages: the start says what went in, each delta how much came out so far; fields not said again stay."""
    kind = message.get("type")
    if kind == "message_stop":
        return None, True
    source = message.get("message") if kind == "message_start" else message
    said = source.get("usage") if isinstance(source, Mapping) else None
    if not isinstance(said, Mapping):
        return None, False
    before = known or Usage(0, 0)
    creation = said.get("cache_creation")
    tools = said.get("server_tool_use")
    usage = Usage(
        _count(said, "input_tokens", before.input),
        _count(said, "output_tokens", before.output),
        cached=_count_or_none(said, "cache_read_input_tokens", before.cached),
        cache_write=_count_or_none(said, "cache_creation_input_tokens", before.cache_write),
        cache_write_1h=_count(creation, "ephemeral_1h_input_tokens", before.cache_write_1h),
        searches=_count(tools, "web_search_requests", before.searches),
        fast=before.fast or said.get("speed") == "fast",
    )
    delta = message.get("delta")
    return usage, isinstance(delta, Mapping) and delta.get("stop_reason") is not None


def _responses(message: Mapping[str, Any], known: Usage | None) -> tuple[Usage | None, bool]:
    """Responses: the event that ends the stream holds the whole answer, with its usage."""
    del known
    source = message.get("response", message)
    said = source.get("usage") if isinstance(source, Mapping) else None
    if not isinstance(said, Mapping):
        return None, False
    usage = _openai(said, "input_tokens", "output_tokens")
    return replace(usage, fast=source.get("service_tier") in FAST_TIERS), True


def _chat(message: Mapping[str, Any], known: Usage | None) -> tuple[Usage | None, bool]:
    """Chat Completions: one chunk holds the usage, the last; some servers say it in every chunk."""
    del known
    said = message.get("usage")
    if not isinstance(said, Mapping):
        return None, False
    usage = _openai(said, "prompt_tokens", "completion_tokens")
    return replace(usage, fast=message.get("service_tier") in FAST_TIERS), not message.get("choices")


def _openai(said: Mapping[str, Any], into: str, out: str) -> Usage:
    """Here what went in has the cached tokens in it."""
    details = said.get(f"{into}_details")
    cached = _count_or_none(details, "cached_tokens", None)
    written = _count_or_none(details, "cache_write_tokens", None)
    return Usage(
        max(0, _count(said, into, 0) - (cached or 0) - (written or 0)),
        _count(said, out, 0),
        cached=cached,
        cache_write=written,
        reasoning=_count_or_none(said.get(f"{out}_details"), "reasoning_tokens", None),
    )


def _gemini(message: Mapping[str, Any], known: Usage | None) -> tuple[Usage | None, bool]:
    """generateContent: every chunk holds the usage so far; thoughts stand beside what was said, and cost the same."""
    candidates = message.get("candidates")
    last = isinstance(candidates, list) and any(
        isinstance(each, Mapping) and each.get("finishReason") for each in candidates
    )
    said = message.get("usageMetadata")
    if not isinstance(said, Mapping):
        return None, last
    before = known or Usage(0, 0)
    thoughts = _count_or_none(said, "thoughtsTokenCount", before.reasoning)
    answer = _count(said, "candidatesTokenCount", before.output - (before.reasoning or 0))
    cached = _count_or_none(said, "cachedContentTokenCount", before.cached)
    prompt = _count(said, "promptTokenCount", before.prompt) + _count(said, "toolUsePromptTokenCount", 0)
    return Usage(max(0, prompt - (cached or 0)), answer + (thoughts or 0), cached=cached, reasoning=thoughts), last


FAST_TIERS = ("priority", "fast")
READERS = {Shape.ANTHROPIC: _anthropic, Shape.RESPONSES: _responses, Shape.CHAT: _chat, Shape.GEMINI: _gemini}
MOST_TOKENS = 1 << 40


def _count(said: object, key: str, otherwise: int) -> int:
    found = _count_or_none(said, key, None)
    return otherwise if found is None else found


def _count_or_none(said: object, key: str, otherwise: int | None) -> int | None:
    value = said.get(key) if isinstance(said, Mapping) else None
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS
    return value if fits else otherwise
