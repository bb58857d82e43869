"""Reading what an agent sent: whatever stands where something else was expected counts as not said."""

from __future__ import annotations

from .plain_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = ["amount", "cut", "items", "mapping", "shown", "text"]


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object, most: int = 1_000) -> Sequence[Any]:
    """The first items of a list; of anything else none."""
    return value[:most] if isinstance(value, list) else ()


def text(value: object) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def amount(value: object) -> float | None:
    """The value if it is a number that could be an amount, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if 0 <= value <= 1e15 else None


def shown(value: object) -> str:
    """The value as text: a text as it is, nothing as nothing, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return dumps(value)
    except ValueError:
        return "[nested too deep to show]"


def cut(said: str, most: int) -> str:
    """Cut a text to at most so many characters, and say that it was cut."""
    return said if len(said) <= most else f"{said[:most]} [cut: {len(said)} characters]"
