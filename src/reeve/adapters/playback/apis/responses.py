"""OpenAI Responses."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from reeve.adapters.playback.apis import openai_errors
from reeve.adapters.playback.apis.api import MADE_AT, Body, Chunk, chunks, compact, event
from reeve.adapters.playback.conversation import Asked, By, Item, Listed, entries, listed, part_of, string, texts
from reeve.adapters.playback.player import Called, Piece, Reply
from reeve.adapters.playback.script import Delay, Fault, Say, Think

__all__ = ["NAME", "answer", "asked", "failure", "stream"]

NAME = "responses"
CALL = "call_"
STATELESS = "playback keeps no responses: send the whole conversation as `input`, without `previous_response_id`"

failure = openai_errors.failure


# ---------------------------------------------------------------- the request


def asked(body: Body) -> Asked:
    """Read a request."""
    found = body.data.get("input")
    items = [Item(By.PERSON, found)] if isinstance(found, str) else [i for each in entries(found) for i in _items(each)]
    return Asked(
        model=string(body.data.get("model")),
        stream=body.data.get("stream") is True,
        items=tuple(items),
        tools=listed(_tool(each) for each in entries(body.data.get("tools"))),
        digest=body.digest,
        size_bytes=body.size_bytes,
        problem=STATELESS if body.data.get("previous_response_id") else "",
    )


def _tool(tool: dict[str, Any]) -> Listed:
    arguments = frozenset(part_of(part_of(tool, "parameters"), "properties"))
    known = tool.get("type") in ("function", "custom")  # others are run by the provider
    return Listed(string(tool.get("name")) if known else "", arguments, free_text=tool.get("type") == "custom")


def _items(item: dict[str, Any]) -> Iterator[Item]:
    kind = string(item.get("type")) or "message"
    if kind == "message":
        by = {"assistant": By.MODEL, "user": By.PERSON}.get(string(item.get("role")))
        if by is not None:
            yield from (Item(by, text) for text in texts(item.get("content")))
    elif kind.endswith("_call_output"):
        yield Item(By.TOOL, "\n".join(texts(item.get("output"))), string(item.get("call_id")))
    elif kind.endswith("_call"):
        yield Item(By.MODEL, "", string(item.get("call_id")))
    elif kind == "reasoning":
        yield Item(By.MODEL)


# ---------------------------------------------------------------- the answer


def answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    """Return a response."""
    return _response(asked, reply, "completed", _output(reply))


def stream(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """Go through a response as events, numbered in their order."""
    numbers = count()
    for data in _events(asked, reply):
        if isinstance(data, Delay):
            yield data
        else:
            yield event(data | {"sequence_number": next(numbers)}, data["type"])


def _events(asked: Asked, reply: Reply) -> Iterator[dict[str, Any] | Delay]:
    begun = _response(asked, reply, "in_progress", [])
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    output = _output(reply)
    done = 0
    for piece in reply.pieces:
        if isinstance(piece, Fault):
            error = failure(piece)["error"]
            failed = _response(asked, reply, "failed", output[:done])
            failed["error"] = {"code": error["code"], "message": error["message"]}
            yield {"type": "response.failed", "response": failed}
            return
        if isinstance(piece, Delay):
            yield piece
            continue
        yield from _item_events(piece, output[done], done)
        done += 1
    yield {"type": "response.completed", "response": _response(asked, reply, "completed", output)}


def _response(asked: Asked, reply: Reply, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"resp_{reply.id[:48]}",
        "object": "response",
        "created_at": MADE_AT,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _usage(reply) if status == "completed" else None,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _output(reply: Reply) -> list[dict[str, Any]]:
    pieces = [piece for piece in reply.pieces if not isinstance(piece, Delay | Fault)]
    return [_item(piece, f"{reply.id[:32]}{number:04x}") for number, piece in enumerate(pieces)]


def _item(piece: Piece, identifier: str) -> dict[str, Any]:
    match piece:
        case Say():
            content = [{"type": "output_text", "text": piece.text, "annotations": [], "logprobs": []}]
            head = {"id": f"msg_{identifier}", "type": "message", "role": "assistant", "status": "completed"}
            return head | {"content": content}
        case Think():
            summary = [{"type": "summary_text", "text": piece.text}]
            return {"id": f"rs_{identifier}", "type": "reasoning", "summary": summary}
        case Called(name=name, arguments=str(text)):
            head = {"id": f"ctc_{identifier}", "type": "custom_tool_call", "status": "completed"}
            return head | {"call_id": CALL + piece.id, "name": name, "input": text}
        case Called(name=name, arguments=arguments):
            head = {"id": f"fc_{identifier}", "type": "function_call", "status": "completed"}
            return head | {"call_id": CALL + piece.id, "name": name, "arguments": compact(arguments)}
    raise AssertionError(piece)


EMPTY: dict[str, dict[str, Any]] = {
    "message": {"content": []},
    "reasoning": {"summary": []},
    "custom_tool_call": {"input": ""},
}


def _item_events(piece: Piece, item: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
    begun = item | EMPTY.get(item["type"], {"arguments": ""})
    if "status" in begun:
        begun["status"] = "in_progress"
    place = {"item_id": item["id"], "output_index": index}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    match piece:
        case Say():
            part = item["content"][0]
            place["content_index"] = 0
            yield {"type": "response.content_part.added", **place, "part": part | {"text": ""}}
            yield from _text_events("response.output_text", piece.text, "text", place | {"logprobs": []})
            yield {"type": "response.content_part.done", **place, "part": part}
        case Think():
            part = item["summary"][0]
            place["summary_index"] = 0
            yield {"type": "response.reasoning_summary_part.added", **place, "part": part | {"text": ""}}
            yield from _text_events("response.reasoning_summary_text", piece.text, "text", place)
            yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
        case Called(arguments=str(text)):
            yield from _text_events("response.custom_tool_call_input", text, "input", place)
        case Called():
            yield from _text_events("response.function_call_arguments", item["arguments"], "arguments", place)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _text_events(kind: str, text: str, key: str, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in chunks(text):
        yield {"type": f"{kind}.delta", **place, "delta": each}
    yield {"type": f"{kind}.done", **place, key: text}
