"""Anthropic Messages."""

from collections.abc import Iterator
from typing import Any

from reeve.adapters.playback.apis.api import Body, Chunk, chunks, compact, event
from reeve.adapters.playback.conversation import Asked, By, Item, Listed, entries, listed, part_of, string, texts
from reeve.adapters.playback.player import Called, Piece, Reply
from reeve.adapters.playback.script import Delay, Fault, Say, Think

__all__ = ["NAME", "answer", "asked", "failure", "stream"]

NAME = "anthropic"
CALL = "toolu_"
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
SIGNATURE = "cGxheWJhY2s="
"""Providers sign what a model thought, so that it can be handed back unchanged; nobody checks it here."""


# ---------------------------------------------------------------- the request


def asked(body: Body) -> Asked:
    """Read a request."""
    tools = (Listed(string(each.get("name")), _arguments(each)) for each in entries(body.data.get("tools")))
    return Asked(
        model=string(body.data.get("model")),
        stream=body.data.get("stream") is True,
        items=tuple(item for message in entries(body.data.get("messages")) for item in _items(message)),
        tools=listed(tools),
        digest=body.digest,
        size_bytes=body.size_bytes,
    )


def _arguments(tool: dict[str, Any]) -> frozenset[str]:
    return frozenset(part_of(part_of(tool, "input_schema"), "properties"))


def _items(message: dict[str, Any]) -> Iterator[Item]:
    by = By.MODEL if message.get("role") == "assistant" else By.PERSON
    content = message.get("content")
    if isinstance(content, str):
        yield Item(by, content)
    for block in entries(content):
        match block.get("type"):
            case "tool_result":
                yield Item(By.TOOL, "\n".join(texts(block.get("content"))), string(block.get("tool_use_id")))
            case "tool_use":
                yield Item(By.MODEL, "", string(block.get("id")))
            case _:
                yield Item(by, string(block.get("text")))


# ---------------------------------------------------------------- the answer


def answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    """Return a message."""
    content = [_block(piece) for piece in reply.pieces if not isinstance(piece, Delay | Fault)]
    return _message(asked, reply, content, _stop_reason(reply)) | {"usage": _usage(reply, reply.usage.output)}


def stream(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """Go through a message as events."""
    start = _message(asked, reply, [], None) | {"usage": _usage(reply, min(1, reply.usage.output))}
    yield _event({"type": "message_start", "message": start})
    yield _event({"type": "ping"})
    index = 0
    for piece in reply.pieces:
        if isinstance(piece, Fault):
            yield event(failure(piece), "error")
            return
        if isinstance(piece, Delay):
            yield piece
            continue
        yield from _block_events(index, piece)
        index += 1
    delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": delta, "usage": _usage(reply, reply.usage.output)})
    yield _event({"type": "message_stop"})


def failure(fault: Fault) -> dict[str, Any]:
    """Return an error."""
    kind = ERRORS.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": "req_playback"}


def _event(data: dict[str, Any]) -> bytes:
    return event(data, data["type"])


def _message(asked: Asked, reply: Reply, content: list[dict[str, Any]], stop_reason: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.id[:24]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _usage(reply: Reply, output: int) -> dict[str, Any]:
    """Tokens as Anthropic counts them: those of the cache are not among the `input_tokens`."""
    usage = reply.usage
    found: dict[str, Any] = {
        "input_tokens": usage.input - usage.cached - usage.cache_written,
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": output,
    }
    if usage.reasoning and output == usage.output:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found


def _block(piece: Piece) -> dict[str, Any]:
    match piece:
        case Say():
            return {"type": "text", "text": piece.text}
        case Think():
            return {"type": "thinking", "thinking": piece.text, "signature": SIGNATURE}
        case Called():
            return {"type": "tool_use", "id": CALL + piece.id, "name": piece.name, "input": _input(piece)}
    raise AssertionError(piece)


def _input(call: Called) -> Any:
    return call.arguments if not isinstance(call.arguments, str) else {"input": call.arguments}


def _block_events(index: int, piece: Piece) -> Iterator[bytes]:
    block = _block(piece)
    match piece:
        case Say():
            empty, deltas = block | {"text": ""}, [{"type": "text_delta", "text": each} for each in chunks(piece.text)]
        case Think():
            empty = block | {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": each} for each in chunks(piece.text)]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        case _:
            empty = block | {"input": {}}
            written = compact(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": each} for each in ["", *chunks(written)]]
    yield _event({"type": "content_block_start", "index": index, "content_block": empty})
    for delta in deltas:
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
    yield _event({"type": "content_block_stop", "index": index})
