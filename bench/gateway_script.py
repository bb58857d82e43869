"""What a scripted provider says to one request, and what must be counted for it: known beforehand, by other arithmetic.

Every API, streamed (for Gemini as events and as an array) and in one piece, and every ending: whole, given up half-way by
the agent, ended by an error, refused with an error, broken off, and answered at the second try.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from random import Random

__all__ = ["ENDINGS", "FORMS", "PRICES", "Plan", "plans"]

FORMS = (
    ("anthropic", "events"),
    ("anthropic", "whole"),
    ("responses", "events"),
    ("responses", "whole"),
    ("chat", "events"),
    ("chat", "whole"),
    ("gemini", "events"),
    ("gemini", "array"),
    ("gemini", "whole"),
)
ENDINGS = ("full", "full", "full", "cancelled", "cut short", "refused", "broken", "retried")
DOLLARS = {"input": "3", "cached": "0.3", "cache_write": "3.75", "output": "15"}  # per million tokens
PRICES = '[[price]]\nmodels = ["exact-*"]\n' + "".join(f"{name} = {value}\n" for name, value in DOLLARS.items())
TEXT = 'the reeve set "work", and inspected it; C:\\new \u00e9\u4e16 {brace] [bracket} "usage" \n'
WORDS = TEXT.split(" ")
CHARACTERS_PER_TOKEN = 3  # of an estimate, as docs/gateway.md says


@dataclass(frozen=True)
class Plan:
    """One request."""

    number: int
    api: str
    form: str
    ending: str
    input: int
    cached: int
    written: int  # into the cache
    output: int
    reasoning: int
    texts: tuple[str, ...]

    @property
    def model(self) -> str:
        return f"exact-{self.number}"

    @property
    def path(self) -> str:
        if self.api != "gemini":
            paths = {"anthropic": "anthropic/v1/messages", "responses": "openai/v1/responses"}
            return "/" + paths.get(self.api, "openai/v1/chat/completions")
        verb = "generateContent" if self.form == "whole" else "streamGenerateContent"
        return f"/gemini/v1beta/models/{self.model}:{verb}" + ("?alt=sse" if self.form == "events" else "")

    @cached_property
    def question(self) -> bytes:
        said = f"request-{self.number}."
        if self.api == "gemini":
            return json.dumps({"contents": [{"role": "user", "parts": [{"text": said}]}]}).encode()
        message: dict[str, object] = {"model": self.model, "stream": self.form == "events", "max_tokens": 4000}
        if self.asks:
            message["stream_options"] = {"include_usage": True}
        return json.dumps({**message, "messages": [{"role": "user", "content": said}]}).encode()

    @property
    def asks(self) -> bool:
        """Every second agent that speaks Chat Completions asks for the usage of its stream."""
        return self.api == "chat" and self.form == "events" and self.number % 2 == 0

    # ------------------------------------------------------------ what is said

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The answer as it is sent, event by event; of one piece there is one."""
        if self.form == "whole":
            return (json.dumps(self._whole()).encode(),)
        messages = list(self._messages())
        if self.form == "array":
            opened = [
                (b"," if place else b"[") + json.dumps(each, indent=1).encode() for place, each in enumerate(messages)
            ]
            return (*opened, b"\n]\n")
        ended = (b"data: [DONE]\n\n",) if self.api == "chat" else ()
        return (*(b"data: " + json.dumps(each).encode() + b"\n\n" for each in messages), *ended)

    @cached_property
    def heard(self) -> bytes:
        """The whole answer as the agent hears it: who did not ask for the usage of a stream is not told it."""
        told = self.api != "chat" or self.form != "events" or self.asks
        usage = json.dumps({"choices": [], "usage": self._usage()}).encode()
        return b"".join(piece for piece in self.pieces if told or usage not in piece)

    @cached_property
    def half(self) -> bytes:
        """What comes before it ends half-way: the beginning, and the first half of the text."""
        return b"".join(self.pieces[: self._before + self._kept]) if self.form != "whole" else b""

    @property
    def _before(self) -> int:
        return 1 if self.api in ("anthropic", "responses") else 0

    @property
    def _kept(self) -> int:
        return len(self.texts) // 2

    @cached_property
    def failure(self) -> bytes:
        """The error in the middle of a stream."""
        error: dict[str, object] = {"error": {"type": "overloaded_error", "message": "no more", "code": "overloaded"}}
        if self.api == "anthropic":
            error["type"] = "error"
        if self.api == "responses":
            error = {"type": "response.failed", "response": {"status": "failed", "usage": None, **error}}
        said = json.dumps(error).encode()
        return b",\n" + said + b"\n]" if self.form == "array" else b"data: " + said + b"\n\n"

    def _whole(self) -> dict[str, object]:
        text = " ".join(self.texts)
        if self.api == "anthropic":
            return {"type": "message", "content": [{"type": "text", "text": text}], "usage": self._usage()}
        if self.api == "responses":
            return {"object": "response", "output": [{"content": [{"text": text}]}], "usage": self._usage()}
        if self.api == "chat":
            return {"choices": [{"message": {"content": text}}], "usage": self._usage()}
        return {"candidates": [{"content": {"parts": [{"text": text}]}}], "usageMetadata": self._usage()}

    def _messages(self) -> Iterator[dict[str, object]]:
        if self.api == "anthropic":
            yield {"type": "message_start", "message": {"usage": {**self._usage(), "output_tokens": 1}}}
            for text in self.texts:
                yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
            yield {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": self.output},
            }
            yield {"type": "message_stop"}
        elif self.api == "responses":
            yield {
                "type": "response.created",
                "response": {"status": "in_progress", "usage": None, "instructions": "x"},
            }
            for text in self.texts:
                yield {"type": "response.output_text.delta", "delta": text}
            yield {"type": "response.output_text.done", "text": "".join(self.texts)}
            yield {"type": "response.completed", "response": {"status": "completed", "usage": self._usage()}}
        elif self.api == "chat":
            for text in self.texts:
                yield {"choices": [{"index": 0, "delta": {"content": text}}], "usage": None}
            yield {"choices": [], "usage": self._usage()}
        else:
            for place, text in enumerate(self.texts, start=1):
                last = place == len(self.texts)
                found: dict[str, object] = {"content": {"role": "model", "parts": [{"text": text}]}}
                usage = self._usage() if last else {**self._prompt(), "candidatesTokenCount": place}
                yield {"candidates": [{**found, **({"finishReason": "STOP"} if last else {})}], "usageMetadata": usage}

    def _prompt(self) -> dict[str, object]:
        return {"promptTokenCount": self.input + self.cached, "cachedContentTokenCount": self.cached}

    def _usage(self) -> dict[str, object]:
        """As the API says it: Anthropic apart from what was cached, the others with it; Gemini apart from thoughts."""
        if self.api == "anthropic":
            caches = {"cache_read_input_tokens": self.cached, "cache_creation_input_tokens": self.written}
            return {"input_tokens": self.input, **caches, "output_tokens": self.output}
        if self.api == "gemini":
            said = self.output - self.reasoning
            return {**self._prompt(), "candidatesTokenCount": said, "thoughtsTokenCount": self.reasoning}
        into, out = ("input", "output") if self.api == "responses" else ("prompt", "completion")
        return {
            f"{into}_tokens": self.input + self.cached,
            f"{into}_tokens_details": {"cached_tokens": self.cached},
            f"{out}_tokens": self.output,
            f"{out}_tokens_details": {"reasoning_tokens": self.reasoning},
        }

    # ------------------------------------------------------------ what must be counted

    @property
    def outcome(self) -> str:
        ends = {"cancelled": "cancelled", "cut short": "provider-error", "refused": "provider-error"}
        return {**ends, "broken": "unreachable"}.get(self.ending, "answered")

    @property
    def counted(self) -> tuple[int, int, int, int]:
        """Tokens that went in, came from a cache, went into one, and came out."""
        if self.ending in ("full", "retried"):
            return (self.input, self.cached, self.written, self.output)
        if self.ending == "refused":
            return (0, 0, 0, 0)
        estimate = -(-len(self.question) // CHARACTERS_PER_TOKEN)
        if self.form == "whole":
            return (estimate, 0, 0, 0)
        kept = self.texts[: self._kept]
        written = -(-sum(len(json.dumps(text)) - 2 for text in kept) // CHARACTERS_PER_TOKEN)
        if self.api == "anthropic":
            return (self.input, self.cached, self.written, max(written, 1))
        if self.api == "gemini":
            return (self.input, self.cached, 0, max(written, len(kept)))
        return (estimate, 0, 0, written)

    @property
    def dollars(self) -> Fraction:
        """What they cost, exactly."""
        prices = (Fraction(DOLLARS[name]) for name in ("input", "cached", "cache_write", "output"))
        return sum((count * price for count, price in zip(self.counted, prices, strict=True)), Fraction()) / 1_000_000


def plans(count: int, seed: int = 1) -> list[Plan]:
    """Plan so many requests: each form with each ending in turn, the numbers by chance."""
    random = Random(seed)
    found = []
    for number in range(count):
        api, form = FORMS[number % len(FORMS)]
        ending = ENDINGS[number // len(FORMS) % len(ENDINGS)]
        if form == "whole" and ending in ("cut short", "broken"):
            ending = "full"
        output = random.randint(2, 3000)
        texts = tuple(" ".join(random.choices(WORDS, k=random.randint(1, 30))) for _ in range(random.randint(2, 12)))
        cached, written, reasoning = (random.choice((0, random.randint(1, 9000))) for _ in range(3))
        thinks = api != "anthropic"
        found.append(
            Plan(
                number,
                api,
                form,
                ending,
                random.randint(1, 20_000),
                cached,
                0 if thinks else written,
                output,
                min(reasoning, output) if thinks else 0,
                texts,
            )
        )
    return found
