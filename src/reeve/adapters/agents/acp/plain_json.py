"""JSON with what is compiled in: importing the json package would cost as much as starting Python does."""

from __future__ import annotations

import _json

TYPE_CHECKING = False  # as `typing` has it, without importing it
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["dumps", "loads"]


class _Context:
    strict, object_hook, object_pairs_hook = False, None, None
    parse_float, parse_int, parse_constant = float, int, float
    memo: dict[str, str] = {}  # noqa: RUF012


def _unknown(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is nothing that JSON can say")


_scan = _json.make_scanner(_Context)  # type: ignore[arg-type]
_encode = _json.make_encoder(
    None, _unknown, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True
)  # fmt: skip


def loads(text: str) -> Any:
    """Read one JSON value; raises ValueError for anything else, however deep it is nested."""
    text = text.strip()
    try:
        value, end = _scan(text, 0)
    except (StopIteration, RecursionError, SystemError):  # the last: it looks for an error class that is not imported
        raise ValueError("no JSON") from None
    if end != len(text):
        raise ValueError("something follows the JSON")
    return value


def dumps(value: object) -> str:
    """Write a value as JSON in ASCII, on one line."""
    try:
        return "".join(_encode(value, 0))
    except RecursionError:
        raise ValueError("nested too deep") from None
