"""What the API answers, made fit for UTF-8: names on disk are bytes, and those that are no text carry surrogates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any

from fastapi import APIRouter

from reeve.ledger.plain import plain

__all__ = ["Utf8Router", "utf8"]

SURROGATE = re.compile("[\ud800-\udfff]")


def utf8(value: Any) -> Any:
    r"""Write every byte of a name that is no UTF-8 as ``\xNN``, as pages and terminals show it; the rest stays."""
    if isinstance(value, str):
        return value if value.isascii() or not SURROGATE.search(value) else SURROGATE.sub(_shown, value)
    if isinstance(value, tuple | list):
        return type(value)(map(utf8, value))
    if isinstance(value, Mapping):
        return {utf8(key): utf8(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        found = ((each.name, getattr(value, each.name)) for each in fields(value) if each.init)
        changed = {name: fit for name, item in found if (fit := utf8(item)) is not item}
        return replace(value, **changed) if changed else value
    return value


def _shown(match: re.Match[str]) -> str:
    return plain(match.group())


class Utf8Router(APIRouter):
    """A router whose endpoints answer in UTF-8, whatever they found."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        """Add an endpoint, which is a plain function."""

        @wraps(endpoint)
        def fit(*arguments: Any, **named: Any) -> Any:
            return utf8(endpoint(*arguments, **named))

        super().add_api_route(path, fit, **more)
