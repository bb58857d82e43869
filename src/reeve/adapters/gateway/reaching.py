"""What in a question would have the provider itself call an address of the agent's choice.

An agent could write anything into such an address, and so send it where the owner lists no host. What is looked at is
the form of the APIs and not what a message talks about: an address in a text, or in what a tool was told, is words.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["reaching_out"]

FIELDS = ("mcp_servers", "server_url", "connector_id", "network_policy", "url_context", "urlContext")
FETCHING = re.compile(r"web_fetch|mcp")
BROWSING = re.compile(r"web_search_preview|web_search(?:_20\d\d_\d\d_\d\d)?$")  # of OpenAI: opens pages by address
AGENTS_OWN = ("function", "custom", "namespace", None)
ADDRESSES = ("image_url", "file_url", "video_url", "fileUri", "file_uri")
WORDS = ("args", "response", "arguments")  # what tools were told and gave back
ENDS = (b'url"', b'ri"')  # of each of these names, and of `url`
ESCAPED = re.compile(rb"\\u00[2-7]")
ADDRESS = re.compile(r"\s*(?:https?|ftps?|gs|s3):", re.IGNORECASE)


def reaching_out(message: Mapping[str, Any], body: bytes) -> Iterator[str]:
    """Name each place that asks for it; `body` is what the message was read from."""
    yield from (f"`{field}`" for field in FIELDS if message.get(field))
    tools = message.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict):
            yield from _of_tool(tool)
    if not _may_reach(body):
        return
    for part in _parts([message.get(name) for name in ("messages", "input", "contents", "system", "prompt")]):
        if part.get("type") == "url" and _is_address(part.get("url")):
            yield "a source of type `url`"
        yield from (f"`{field}`" for field in ADDRESSES if _is_address(part.get(field)))


def _may_reach(body: bytes) -> bool:
    """Say that some key is there which matters, or may be: a letter can be written as an escape, and is by nobody else.

    Within a text a quote stands behind a backslash, so that no text looks like a key. This is quick, and a long
    conversation is walked through only where it has to be.
    """
    return any(end in body for end in ENDS) or ESCAPED.search(body) is not None


def _of_tool(tool: Mapping[str, Any]) -> Iterator[str]:
    kind = tool.get("type")
    yield from (f"`{field}` of a tool" for field in FIELDS if field in tool)
    if kind in AGENTS_OWN:
        return
    name = kind if isinstance(kind, str) else ""
    if FETCHING.match(name) or (BROWSING.match(name) and tool.get("external_web_access") is not False):
        yield f"the tool `{name[:60]}`"
    yield from (
        f"`{field}` of a tool" for part in _parts([tool]) for field in FIELDS if part is not tool and field in part
    )


def _parts(roots: list[Any]) -> Iterator[Mapping[str, Any]]:
    """Walk through all objects, but not into what was said to a tool or by it."""
    waiting = roots
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            told = ("input", *WORDS) if str(value.get("type")).endswith("_use") else WORDS
            waiting += [each for key, each in value.items() if key not in told and isinstance(each, dict | list)]
        elif isinstance(value, list):
            waiting += value


def _is_address(value: object) -> bool:
    address = value.get("url") if isinstance(value, dict) else value
    return isinstance(address, str) and ADDRESS.match(address) is not None
