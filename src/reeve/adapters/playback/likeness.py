"""When two requests are the same, although they were sent on different days by different sessions."""

import hashlib
import json
import re
from typing import Any

__all__ = ["IDS", "SESSION", "likeness"]

SESSION = frozenset(
    ("client_metadata", "labels", "metadata", "prompt_cache_key", "safety_identifier", "session_id", "user")
)
"""Keys at the top of a request that name a session or a person."""

IDS = frozenset(("call_id", "id", "tool_call_id", "tool_use_id"))
"""Keys of names that client or provider make up for each message and call; their order says as much."""

DATE = re.compile(
    r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?\b"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [A-Z][a-z]+ \d{1,2}, \d{4}\b"
)
"""Agents tell the model the day."""

COUNTED = re.compile(r"\bChunk ID: \w+|\w*\d\w*")
"""Words with digits in what a tool returned: durations, process ids, addresses in memory, numbers of chunks."""


def likeness(method: str, path: str, body: bytes) -> str:
    """Return a digest that is the same for requests that ask the same.

    Of the body are left out: the keys `SESSION` at its top, the strings below the keys `IDS`, dates, and in the
    results of tools every word with a digit. A body that is not JSON counts byte for byte.
    """
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        said = body
    else:
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if key not in SESSION}
        said = json.dumps(_lasting(data, of_tool=False), sort_keys=True).encode()
    return hashlib.sha256(b"\n".join((method.encode(), path.encode("utf-8", "surrogateescape"), said))).hexdigest()


def _lasting(value: Any, *, of_tool: bool) -> Any:
    match value:
        case str():
            return COUNTED.sub("", value) if of_tool else DATE.sub("", value)
        case list():
            return [_lasting(each, of_tool=of_tool) for each in value]
        case dict():
            of_tool = of_tool or _is_result(value)
            return {
                key: _lasting(each, of_tool=of_tool)
                for key, each in value.items()
                if not (key in IDS and isinstance(each, str))
            }
    return value


def _is_result(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    named = isinstance(kind, str) and (kind == "tool_result" or kind.endswith("_call_output"))
    return named or block.get("role") == "tool" or "functionResponse" in block
