"""What may be called with the key of a provider: models, and what tells about them; nothing else that the key opens.

No files, batches, stored answers or administration: those show or change what is not the attempt's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reeve.adapters.gateway.reaching import reaching_out
from reeve.adapters.gateway.usage import Shape
from reeve.records import Api

__all__ = ["Question", "Route", "Unacceptable", "below", "read_question", "route"]

VERSION = r"(?:/v[0-9][a-z0-9]*)?"
"""Providers put it into their base address or leave it to the path; both are right."""

MODEL = r"(?P<model>[A-Za-z0-9][A-Za-z0-9._:@-]*)"
ROUTES: Mapping[Api, tuple[tuple[str, str, Shape | None], ...]] = {
    Api.ANTHROPIC: (
        ("POST", rf"{VERSION}/messages", Shape.ANTHROPIC),
        ("POST", rf"{VERSION}/messages/count_tokens", None),
        ("GET", rf"{VERSION}/models(?:/{MODEL})?", None),
    ),
    Api.OPENAI: (
        ("POST", rf"{VERSION}/responses", Shape.RESPONSES),
        ("POST", rf"{VERSION}/chat/completions", Shape.CHAT),
        ("POST", rf"{VERSION}/responses/input_tokens", None),
        ("GET", rf"{VERSION}/models(?:/{MODEL})?", None),
    ),
    Api.GEMINI: (
        ("POST", rf"{VERSION}/models/{MODEL}:(?P<verb>generateContent|streamGenerateContent)", Shape.GEMINI),
        ("POST", rf"{VERSION}/models/{MODEL}:countTokens", None),
        ("GET", rf"{VERSION}/models(?:/{MODEL})?", None),
    ),
}
DEFAULT_OUTPUT_TOKENS = 4096
HIDDEN_OUTPUT_TOKENS = 16_384
FAST_TIERS = ("priority", "fast")


class Unacceptable(ValueError):  # noqa: N818 - it says what the question is
    """A question cannot be passed on; the message says why, for whoever asked."""


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that may be called; `shape` None: it costs nothing, and nothing is counted."""

    shape: Shape | None
    model: str = ""  # where the path names it
    streamed: bool = False  # where the path says so


@dataclass(frozen=True, slots=True)
class Question:
    """What of a request decides on its price."""

    model: str
    streamed: bool
    output_tokens: int | None  # of each answer at most, as it asks; None: it does not say
    fast: bool = False
    answers: int = 1  # at one time
    hidden: bool = False  # what is thought is not in the stream; only its end says how much it was
    tells_usage: bool = True  # False: a stream that ends without a word on it, as it is asked for

    @property
    def reserved_tokens(self) -> int:
        """Tokens of output that are reserved at first.

        An answer in one piece cannot be cut off any more when it comes: all it may be. A stream reserves more as it
        grows, so it begins with less.
        """
        asked = self.output_tokens or DEFAULT_OUTPUT_TOKENS
        if self.streamed:
            first = HIDDEN_OUTPUT_TOKENS if self.hidden else DEFAULT_OUTPUT_TOKENS
            asked = min(self.output_tokens or first, first)
        return asked * self.answers


def route(api: Api, method: str, path: str) -> Route | None:
    """Find what a path below the address of a provider calls; None: nothing that may be called."""
    for wanted, pattern, shape in ROUTES[api]:
        if method == wanted and (found := re.fullmatch(pattern, path)) is not None:
            groups = found.groupdict()
            return Route(shape, groups.get("model") or "", groups.get("verb") == "streamGenerateContent")
    return None


def read_question(called: Route, body: bytes) -> Question:
    """Read what decides on the price; raises Unacceptable for what cannot be read in one way only, or not counted."""
    try:
        message = json.loads(body.decode("utf-8"), object_pairs_hook=_unique)  # bytes may be read as UTF-16 as well
    except RecursionError:
        raise Unacceptable("the body is nested too deeply") from None
    except ValueError as error:
        raise Unacceptable(f"the body is not JSON that can be read in one way only: {error}") from None
    if not isinstance(message, dict):
        raise Unacceptable("the body is no JSON object")
    if message.get("background"):
        raise Unacceptable("`background` is not possible here: its answer could not be counted")
    if place := next(reaching_out(message, body), ""):
        raise Unacceptable(
            f"{place} would have the provider reach another host; only hosts that the owner lists may be reached"
        )
    return _question(called, message)


def _question(called: Route, message: Mapping[str, Any]) -> Question:
    if called.shape is Shape.GEMINI:
        config = message.get("generationConfig") or message.get("generation_config")
        limits = [config.get("maxOutputTokens"), config.get("max_output_tokens")] if isinstance(config, dict) else []
        count = [config.get("candidateCount"), config.get("candidate_count")] if isinstance(config, dict) else []
        return Question(called.model, called.streamed, _least(limits), answers=_most(count))
    model = message.get("model")
    if not isinstance(model, str) or not model:
        raise Unacceptable("the body names no model")
    limits = [message.get(name) for name in ("max_tokens", "max_output_tokens", "max_completion_tokens")]
    fast = message.get("speed") == "fast" or message.get("service_tier") in FAST_TIERS
    hidden = called.shape in (Shape.RESPONSES, Shape.CHAT)
    streamed = message.get("stream") is True
    options = message.get("stream_options")
    asks = isinstance(options, dict) and options.get("include_usage") is True
    tells = called.shape is not Shape.CHAT or not streamed or asks
    answers = _most([message.get("n")])
    return Question(model, streamed, _least(limits), fast, answers, hidden=hidden, tells_usage=tells)


def _least(limits: list[object]) -> int | None:
    return min(_counts(limits), default=None)


def _most(counts: list[object]) -> int:
    return max(_counts(counts), default=1)


def _counts(values: list[object]) -> list[int]:
    return [each for each in values if isinstance(each, int) and not isinstance(each, bool) and each > 0]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice, the provider might take the other one than we do."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def below(base_url: str, path: str) -> str:
    """Put a path below the address of a provider; where the address ends with a version, that is the version."""
    base_url = base_url.rstrip("/")
    if re.search(r"/v[0-9][a-z0-9]*$", base_url):
        path = re.sub(r"^/v[0-9][a-z0-9]*(?=/)", "", path)
    return base_url + path
