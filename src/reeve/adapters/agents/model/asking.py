"""Asks the model, with patience, and counts what it costs."""

import asyncio
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import httpx2
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import (
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    PartEndEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from .events import Events, sound

__all__ = ["Asking", "TooLong", "Unanswered"]

TRIES = 14
GARBLED_TRIES = 3
"""How often is asked when the answer came, and was none: broken off, or not what the API promises."""

LONGEST_WAIT_SECONDS = 60.0
HEARTBEAT_SECONDS = 60.0
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
NEVER = (ModelQuotaExceededError, ModelRequestRejectedError)
TRANSIENT = (ModelRateLimitError, ModelUnavailableError, ModelServerError, ModelRequestTimeout, ModelConnectionError,
             httpx2.TransportError, OSError)  # fmt: skip
NO_ROOM = re.compile(
    r"context (length|window|size)|prompt is too long|too many (input )?tokens|maximum.{0,40}tokens", re.IGNORECASE
)
"""How servers that pydantic-ai does not know say that a conversation is too long for the model."""


class Unanswered(Exception):  # noqa: N818 - what happened
    """The model cannot be asked; its text says why."""


class BrokenOff(Exception):  # noqa: N818 - what happened
    """An answer came, and has no end."""


class TooLong(Exception):  # noqa: N818 - what happened
    """The provider finds the conversation longer than the window of the model."""


class Asking:
    """Asks one model. `retry_seconds` is the first wait after a failure; each further one is twice as long."""

    def __init__(self, model: Model, events: Events, settings: ModelSettings, retry_seconds: float) -> None:
        self.model = model
        self.events = events
        # One patience, ours: that of the vendor's client would be invisible.
        self.settings: ModelSettings = {**settings, "max_retries": 0, "cache": True}
        self.retry_seconds = retry_seconds
        self.spent = RequestUsage()
        self.requests = 0

    async def ask(
        self, messages: Sequence[ModelMessage], instructions: str, tools: Sequence[ToolDefinition]
    ) -> ModelResponse:
        """Return the answer, and say it as it comes; raises TooLong and Unanswered."""
        parameters = ModelRequestParameters(
            function_tools=list(tools), instruction_parts=[InstructionPart(content=instructions)]
        )
        return await self._patiently(messages, parameters, aloud=True)

    async def summary(self, text: str) -> str:
        """Return what the model answers to one text, without tools and without saying it."""
        request = ModelRequest(parts=[UserPromptPart(text)])
        return (await self._patiently([request], ModelRequestParameters(), aloud=False)).text or ""

    async def _patiently(
        self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, aloud: bool
    ) -> ModelResponse:
        for number in count(1):
            self.requests += 1
            try:
                response = await self._once(messages, parameters, aloud=aloud)
            except Exception as error:  # of the provider, of the wire, or of a library that cannot read an answer
                if _too_long(error):
                    raise TooLong(_said(error)) from error
                if number >= _tries(error):
                    raise Unanswered(_said(error)) from error
                await self._wait(number, error)
            else:
                self._count(response.usage)
                # Servers that never say how an answer ended are believed after that.
                if number >= GARBLED_TRIES or not _broken_off(response):
                    return response
                await self._wait(number, BrokenOff("the answer broke off"))
        raise AssertionError("the last try returns or raises")

    async def _once(
        self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, aloud: bool
    ) -> ModelResponse:
        stream = model_request_stream(
            self.model, messages, model_settings=self.settings, model_request_parameters=parameters, instrument=False
        )
        async with stream as parts:
            async for event in parts:
                if isinstance(event, PartEndEvent) and aloud:
                    self._say(event.part)
                elif self.events.silent_seconds > HEARTBEAT_SECONDS:
                    self._usage("an answer is under way")
        response = parts.get()
        if response.finish_reason == "error":
            raise BrokenOff(f"the provider failed at the answer: {response.provider_details or 'it says no more'}")
        return replace(response, parts=[_sound(part) for part in response.parts])

    def _say(self, part: object) -> None:
        if isinstance(part, TextPart | ThinkingPart) and part.content.strip():
            self.events.emit("text" if isinstance(part, TextPart) else "thought", part.content)

    async def _wait(self, number: int, error: Exception) -> None:
        """Wait as long as the provider asks for, else longer each time; a little by chance, so that not all come back
        at once.
        """
        asked = getattr(error, "retry_after", None)
        longest = max(LONGEST_WAIT_SECONDS, self.retry_seconds)
        seconds = asked or min(longest, self.retry_seconds * 2 ** (number - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
        self.events.emit("text", f"[no answer: {_said(error)}; asking again in {seconds:.0f} s]")
        while seconds > 0:
            await asyncio.sleep(min(seconds, HEARTBEAT_SECONDS))
            seconds -= HEARTBEAT_SECONDS
            if seconds > 0:
                self._usage("waiting as the provider asks for")

    def _count(self, usage: RequestUsage) -> None:
        self.spent = self.spent + usage
        self._usage()

    def _usage(self, text: str = "") -> None:
        # Dollars are counted by the gateway, from what the provider bills.
        self.events.emit(
            "usage",
            text,
            tokens=self.spent.input_tokens + self.spent.output_tokens,
            cached_tokens=self.spent.cache_read_tokens,
            reasoning_tokens=self.spent.output_reasoning_tokens,
            requests=self.requests,
        )


def _tries(error: Exception) -> int:
    """How often a request that ends like this is sent."""
    if isinstance(error, NEVER):
        return 1
    if isinstance(error, TRANSIENT):
        return TRIES
    if isinstance(error, ModelHTTPError):
        return TRIES if error.status_code in AGAIN else 1
    # Our own mistakes are among the rest: asking again does not help against those, and is soon over.
    return GARBLED_TRIES


def _too_long(error: Exception) -> bool:
    if isinstance(error, ModelContextWindowExceededError):
        return True
    return isinstance(error, ModelHTTPError) and error.status_code in (400, 413) and bool(NO_ROOM.search(_said(error)))


def _broken_off(response: ModelResponse) -> bool:
    return response.state in ("incomplete", "interrupted") or response.finish_reason is None


def _sound(part: ModelResponsePart) -> ModelResponsePart:
    """Replace half characters: what a model says goes back to it, and could not be sent."""
    if isinstance(part, TextPart | ThinkingPart):
        return replace(part, content=sound(part.content))
    if isinstance(part, ToolCallPart) and isinstance(part.args, dict):
        return replace(part, args=json.loads(sound(json.dumps(part.args, ensure_ascii=False))))
    if isinstance(part, ToolCallPart) and isinstance(part.args, str):
        return replace(part, args=sound(part.args))
    return part


def _said(error: Exception) -> str:
    status = f"{error.status_code}: " if isinstance(error, ModelHTTPError) else ""
    body = getattr(error, "body", None)
    message = body.get("error", body) if isinstance(body, dict) else None
    message = message.get("message", message) if isinstance(message, dict) else message
    return (status + str(message or error))[:1000]
