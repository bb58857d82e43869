"""Files that the agent reads and writes through us, as some do: those of the tree, and no others."""

from __future__ import annotations

import os

from .untrusted import amount, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Refused", "read", "write"]

MOST_BYTES = 16 << 20
INVALID_PARAMS, RESOURCE_NOT_FOUND = -32602, -32002


class Refused(Exception):  # noqa: N818 - what happened
    """A request is answered with this as its error."""

    code = INVALID_PARAMS


class Missing(Refused):
    """There is no such file; who wants to write one asks first, and goes by the code or the wording of this."""

    code = RESOURCE_NOT_FOUND


def read(params: Mapping[str, Any], work: str) -> str:
    """Read a file, or some of its lines; raises Refused."""
    path = _path(params, work)
    try:
        if not os.path.isfile(path):
            raise Missing(f"Resource not found: there is no file {path!r}")
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path!r} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{path!r} has more than {MOST_BYTES >> 20} MB")
    try:
        said = content.decode()
    except UnicodeDecodeError:
        raise Refused(f"{path!r} is not text in UTF-8") from None
    line, limit = amount(params.get("line")), amount(params.get("limit"))
    if line is None and limit is None:
        return said
    lines = said.splitlines(keepends=True)[max(0, int(line or 1) - 1) :]
    return "".join(lines if limit is None else lines[: int(limit)])


def write(params: Mapping[str, Any], work: str) -> tuple[str, str, str]:
    """Write a whole file; returns its path, and its text before and after. Raises Refused."""
    path, content = _path(params, work), params.get("content")
    if not isinstance(content, str):
        raise Refused("the content to write is no text")
    try:
        before = read({"path": path}, work) if os.path.exists(path) else ""
    except Refused:
        before = ""  # it was no text; whoever may change the tree may replace that too
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode("utf-8", "surrogateescape"))
    except (OSError, UnicodeEncodeError) as error:
        raise Refused(f"{path!r} cannot be written: {error}") from None
    return path, before, content


def _path(params: Mapping[str, Any], work: str) -> str:
    """The file that is meant; links are followed, as the agent itself would, and must not lead out of the tree."""
    given = text(params.get("path"))
    if "\0" in given or not given:
        raise Refused(f"{given!r} is no path")
    path, tree = os.path.realpath(os.path.join(work, given)), os.path.realpath(work)
    if not path.startswith(f"{tree}/"):
        raise Refused(f"{given!r} is not in the tree {work!r}")
    return path
