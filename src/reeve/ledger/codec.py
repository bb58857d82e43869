"""Records to JSON-compatible data and back, by their type hints: no record needs code of its own.

Fields that a stored body does not have take their default, so that a record may gain fields; a field that the
record does not know is refused, because a misspelt key would be a silent zero.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from itertools import cycle
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from reeve.errors import LedgerError

__all__ = ["decode", "dumps", "encode", "loads"]

Record = TypeVar("Record")


def encode(value: object) -> Any:
    """Turn a record into JSON-compatible data; bytes become ``{"base64": ...}``."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise LedgerError(f"storing a record: {type(value).__name__} is no type that the ledger knows")


@cache
def _names(record: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(record))


def decode(record: type[Record], body: object) -> Record:
    """Make a record from what `encode` gave; raises LedgerError naming the field that does not fit."""
    try:
        hint: Any = record
        result: Record = _decoder(hint)(body)
    except _Misfit as misfit:
        raise LedgerError(
            "; ".join(f"reading {record.__name__}{path}: {said}" for path, said in misfit.found)
        ) from None
    return result


def dumps(value: object) -> bytes:
    """Encode to canonical JSON: the same record always gives the same bytes (names on disk that are no UTF-8 too)."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def loads(record: type[Record], content: bytes) -> Record:
    """Decode what `dumps` gave."""
    try:
        return decode(record, json.loads(content))
    except ValueError as error:
        raise LedgerError(f"reading a {record.__name__}: not JSON ({error})") from error


# ---------------------------------------------------------------- decoders
#
# One function for each type hint, made once: a list of a million tasks decodes ten million records, and looking at the
# hints each time took most of that. The way to what does not fit is put together only when something does not.

Decoder = Callable[[Any], Any]


class _Misfit(Exception):  # noqa: N818 - never leaves this module
    """What does not fit, each with the way to it from where it is caught."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.found = found

    def at(self, step: str) -> "_Misfit":
        return _Misfit([(step + path, said) for path, said in self.found])


def _unfit(wanted: str, found: object) -> _Misfit:
    return _Misfit([("", f"wanted {wanted}, found {found!r:.200}")])


@cache
def _decoder(hint: Any) -> Decoder:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _union(hint)
    if origin is tuple:
        return _tuple(get_args(hint))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(get_args(hint)[1])
    if hint is Any or hint is object:
        return lambda body: body
    if hint is bytes:
        return _bytes
    if is_dataclass(hint):
        return _record(hint)
    if issubclass(hint, Enum):
        return _enum(hint)
    return _float if hint is float else _plain(hint)


def _record(record: Any) -> Decoder:
    required = {item.name for item in fields(record) if item.default is MISSING and item.default_factory is MISSING}
    decoders: dict[str, Decoder] = {}
    as_they_are: dict[str, frozenset[type]] = {}  # what a field holds already in its own form, which is most of it

    def decoded(body: Any) -> Any:
        if not decoders:  # not before: a record may hold others of its own type
            hints = get_type_hints(record)
            as_they_are.update({name: _kept(hint) for name, hint in hints.items()})
            decoders.update({name: _decoder(hint) for name, hint in hints.items()})
        try:
            found = {
                name: item if type(item) in as_they_are[name] else decoders[name](item) for name, item in body.items()
            }
        except (_Misfit, KeyError, AttributeError):
            return carefully(body)
        return record(**found) if required <= found.keys() else carefully(body)

    def carefully(body: Any) -> Any:
        """Find what does not fit, and say the first of it."""
        if not isinstance(body, dict):
            raise _unfit("an object", body)
        if unknown := body.keys() - decoders.keys():
            raise _unfit(f"no field {', '.join(sorted(unknown))}", body)
        if missing := required - body.keys():
            raise _unfit(f"a field {', '.join(sorted(missing))}", body)
        name = ""
        found = {}
        try:
            for name, item in body.items():
                found[name] = decoders[name](item)
        except _Misfit as misfit:
            raise misfit.at(f".{name}") from None
        return record(**found)

    return decoded


def _kept(hint: Any) -> frozenset[type]:
    """Name the types whose values a decoder of that hint returns as they are."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return frozenset(kind for kind in kinds if kind in (str, int, float, bool, NoneType))


def _mapping(kind: Any) -> Decoder:
    decoder = _decoder(kind)

    def decoded(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise _unfit("an object", body)
        key = ""
        found = {}
        try:
            for key, item in body.items():
                found[key] = decoder(item)
        except _Misfit as misfit:
            raise misfit.at(f"[{key!r}]") from None
        return found

    return decoded


def _tuple(kinds: tuple[Any, ...]) -> Decoder:
    any_number = len(kinds) == 2 and kinds[1] is Ellipsis
    decoders = [_decoder(kind) for kind in kinds if kind is not Ellipsis]

    def decoded(body: Any) -> tuple[Any, ...]:
        if not isinstance(body, list):
            raise _unfit("a list", body)
        if not any_number and len(body) != len(kinds):
            raise _unfit(f"{len(kinds)} items", body)
        found: list[Any] = []
        try:
            for decoder, item in zip(cycle(decoders), body, strict=False):
                found.append(decoder(item))
        except _Misfit as misfit:
            raise misfit.at(f"[{len(found)}]") from None
        return tuple(found)

    return decoded


def _union(hint: Any) -> Decoder:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    decoders, optional = [_decoder(kind) for kind in kinds], len(kinds) < len(get_args(hint))

    def decoded(body: Any) -> Any:
        if body is None and optional:
            return None
        problems: list[tuple[str, str]] = []
        for decoder in decoders:
            try:
                return decoder(body)
            except _Misfit as misfit:
                problems += misfit.found
        raise _Misfit(problems)

    return decoded


def _enum(hint: type[Enum]) -> Decoder:
    members: dict[object, Enum] = {member.value: member for member in hint}

    def decoded(body: Any) -> Enum:
        found = members.get(body) if isinstance(body, str | int) else None
        if found is None:
            raise _Misfit([("", f"{body!r} is none of {list(members)}")])
        return found

    return decoded


def _bytes(body: Any) -> bytes:
    if not (isinstance(body, dict) and body.keys() == {"base64"}):
        raise _unfit("bytes", body)
    return base64.b64decode(body["base64"])


def _float(body: Any) -> float:
    if not isinstance(body, int | float) or isinstance(body, bool):
        raise _unfit("a number", body)
    return float(body)


def _plain(hint: type) -> Decoder:
    def decoded(body: Any) -> Any:
        if not isinstance(body, hint) or (isinstance(body, bool) and hint is not bool):
            raise _unfit(hint.__name__, body)
        return body

    return decoded
