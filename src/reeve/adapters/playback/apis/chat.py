"""OpenAI Chat Completions, which most local servers and gateways speak too."""

from collections.abc import Iterator, Mapping
from typing import Any

from reeve.adapters.playback.apis import openai_errors
from reeve.adapters.playback.apis.api import MADE_AT, Body, Chunk, chunks, compact, event
from reeve.adapters.playback.conversation import Asked, By, Item, Listed, entries, listed, part_of, string, texts
from reeve.adapters.playback.player import Called, Reply
from reeve.adapters.playback.script import Delay, Fault, Say, Think

__all__ = ["NAME", "answer", "asked", "failure", "stream"]

NAME = "chat"
CALL = "call_"
ROLES = {"assistant": By.MODEL, "user": By.PERSON, "tool": By.TOOL}

failure = openai_errors.failure


# ---------------------------------------------------------------- the request


def asked(body: Body) -> Asked:
    """Read a request."""
    functions = (part_of(each, "function") for each in entries(body.data.get("tools")))
    return Asked(
        model=string(body.data.get("model")),
        stream=body.data.get("stream") is True,
        items=tuple(item for message in entries(body.data.get("messages")) for item in _items(message)),
        tools=listed(Listed(string(each.get("name")), _arguments(each)) for each in functions),
        digest=body.digest,
        size_bytes=body.size_bytes,
        asks_usage=part_of(body.data, "stream_options").get("include_usage") is True,
    )


def _arguments(function: dict[str, Any]) -> frozenset[str]:
    return frozenset(part_of(part_of(function, "parameters"), "properties"))


def _items(message: dict[str, Any]) -> Iterator[Item]:
    by = ROLES.get(string(message.get("role")))
    if by is not None:
        yield Item(by, "\n".join(texts(message.get("content"))), string(message.get("tool_call_id")))
    for call in entries(message.get("tool_calls")):
        yield Item(By.MODEL, "", string(call.get("id")))


# ---------------------------------------------------------------- the answer


def answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    """Return a completion."""
    said = [piece.text for piece in reply.pieces if isinstance(piece, Say)]
    thought = [piece.text for piece in reply.pieces if isinstance(piece, Think)]
    message: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(said) if said else None, "refusal": None}
    if thought:
        message["reasoning_content"] = "\n\n".join(thought)
    if reply.calls:
        message["tool_calls"] = [_call(piece) for piece in reply.pieces if isinstance(piece, Called)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return _head(asked, reply, "chat.completion") | {"choices": [choice], "usage": _usage(reply)}


def stream(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """Go through a completion as chunks; as with OpenAI, usage comes only where it is asked for."""
    head = _head(asked, reply, "chat.completion.chunk") | ({"usage": None} if asked.asks_usage else {})
    yield _chunk(head, {"role": "assistant", "content": "", "refusal": None})
    begun: set[str] = set()
    called = 0
    for piece in reply.pieces:
        match piece:
            case Say() | Think():
                key = "content" if isinstance(piece, Say) else "reasoning_content"
                text = "\n\n" + piece.text if key in begun else piece.text
                begun.add(key)
                yield from (_chunk(head, {key: each}) for each in chunks(text))
            case Called():
                yield from (_chunk(head, {"tool_calls": [each]}) for each in _call_deltas(piece, called))
                called += 1
            case Fault():
                yield event(failure(piece))
                return
            case Delay():
                yield piece
    yield _chunk(head, {}, _finish_reason(reply))
    if asked.asks_usage:
        yield event(head | {"choices": [], "usage": _usage(reply)})
    yield b"data: [DONE]\n\n"


def _head(asked: Asked, reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{reply.id[:29]}", "object": kind, "created": MADE_AT, "model": asked.model}


def _chunk(head: Mapping[str, Any], delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event({**head, "choices": [choice]})


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _call(call: Called) -> dict[str, Any]:
    return {"id": CALL + call.id, "type": "function", "function": {"name": call.name, "arguments": _written(call)}}


def _call_deltas(call: Called, index: int) -> Iterator[dict[str, Any]]:
    begun = _call(call)
    begun["function"] = {"name": call.name, "arguments": ""}
    yield {"index": index, **begun}
    yield from ({"index": index, "function": {"arguments": each}} for each in chunks(_written(call)))


def _written(call: Called) -> str:
    """Free text has no place in a function: it becomes its one argument."""
    return compact({"input": call.arguments} if isinstance(call.arguments, str) else call.arguments)


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
