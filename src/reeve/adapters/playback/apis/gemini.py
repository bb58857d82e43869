"""Gemini."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from reeve.adapters.playback.apis.api import Body, Chunk, chunks, event
from reeve.adapters.playback.conversation import Asked, By, Item, Listed, entries, listed, part_of, string
from reeve.adapters.playback.player import Called, Piece, Reply
from reeve.adapters.playback.script import Delay, Fault, Say, Think

__all__ = ["NAME", "answer", "asked", "failure", "stream"]

NAME = "gemini"
STREAMED = "streamGenerateContent"
ONLY_EVENTS = "playback streams server-sent events only: ask for streamGenerateContent?alt=sse"
SCHEMAS = ("parameters", "parametersJsonSchema", "parameters_json_schema")
ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}


# ---------------------------------------------------------------- the request


def asked(body: Body) -> Asked:
    """Read a request; model and method stand in its address."""
    streamed = body.address.get("method") == STREAMED
    contents = body.data.get("contents")
    declared = (
        tool
        for tools in entries(body.data.get("tools"))
        for key in ("functionDeclarations", "function_declarations")
        for tool in entries(tools.get(key))
    )
    return Asked(
        model=unquote(body.address.get("model", "")),
        stream=streamed,
        items=tuple(
            item
            for content in entries(contents if isinstance(contents, list) else [contents])
            for item in _items(content)
        ),
        tools=listed(Listed(string(each.get("name")), _arguments(each)) for each in declared),
        digest=body.digest,
        size_bytes=body.size_bytes,
        problem=ONLY_EVENTS if streamed and body.address.get("alt") != "sse" else "",
    )


def _arguments(tool: dict[str, Any]) -> frozenset[str]:
    schemas = (part_of(tool, key) for key in SCHEMAS)
    return frozenset(name for schema in schemas for name in part_of(schema, "properties"))


def _items(content: dict[str, Any]) -> Iterator[Item]:
    by = By.MODEL if content.get("role") == "model" else By.PERSON
    for part in entries(content.get("parts")):
        if call := part_of(part, "functionCall"):
            yield Item(By.MODEL, "", string(call.get("id")))
        elif result := part_of(part, "functionResponse"):
            said = (string(value) for value in part_of(result, "response").values())
            yield Item(By.TOOL, "\n".join(text for text in said if text), string(result.get("id")))
        else:
            yield Item(by, string(part.get("text")))


# ---------------------------------------------------------------- the answer


def answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    """Return a whole answer."""
    parts = [_part(piece) for piece in reply.pieces if not isinstance(piece, Delay | Fault)]
    return _response(asked, reply, parts, last=True)


def stream(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """Go through the answer in parts; each says what was used so far, and only the last all of it."""
    for piece in reply.pieces:
        match piece:
            case Say() | Think():
                for each in chunks(piece.text):
                    part = _part(piece) | {"text": each}
                    yield event(_response(asked, reply, [part], last=False))
            case Called():
                yield event(_response(asked, reply, [_part(piece)], last=False))
            case Fault():
                yield event(failure(piece))
                return
            case Delay():
                yield piece
    yield event(_response(asked, reply, [{"text": ""}], last=True))


def failure(fault: Fault) -> dict[str, Any]:
    """Return an error."""
    status = ERRORS.get(fault.status, "FAILED_PRECONDITION" if fault.status < 500 else "INTERNAL")
    error: dict[str, Any] = {"code": fault.status, "message": fault.message, "status": status}
    if fault.retry_after is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind, "retryDelay": f"{fault.retry_after:g}s"}]
    return {"error": error}


def _response(asked: Asked, reply: Reply, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(reply) if last else {"promptTokenCount": reply.usage.input},
        "modelVersion": asked.model,
        "responseId": reply.id[:22],
    }


def _part(piece: Piece) -> dict[str, Any]:
    match piece:
        case Say():
            return {"text": piece.text}
        case Think():
            return {"text": piece.text, "thought": True}
        case Called():
            arguments = piece.arguments if not isinstance(piece.arguments, str) else {"input": piece.arguments}
            return {"functionCall": {"id": piece.id, "name": piece.name, "args": arguments}}
    raise AssertionError(piece)


def _usage(reply: Reply) -> dict[str, Any]:
    """Tokens as Google counts them: those that were thought are not among the candidates'."""
    usage = reply.usage
    found = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.cached:
        found["cachedContentTokenCount"] = usage.cached
    if usage.reasoning:
        found["thoughtsTokenCount"] = usage.reasoning
    return found
