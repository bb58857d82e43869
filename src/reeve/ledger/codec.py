"""Records to JSON-compatible data and back, by their type hints: no record needs code of its own.

Fields that a stored body does not have take their default, so that a record may gain fields; a field that the
record does not know is refused, because a misspelt key would be a silent zero.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
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
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise LedgerError(f"storing a record: {type(value).__name__} is no type that the ledger knows")


def decode(record: type[Record], body: object) -> Record:
    """Make a record from what `encode` gave; raises LedgerError naming the field that does not fit."""
    result: Record = _decode(record, body, record.__name__)
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


@cache
def _hints(record: type) -> tuple[dict[str, Any], frozenset[str]]:
    required = {item.name for item in fields(record) if item.default is MISSING and item.default_factory is MISSING}
    return get_type_hints(record), frozenset(required)


def _decode(hint: Any, body: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _decode_union(hint, body, where)
    if origin is tuple:
        return _decode_tuple(get_args(hint), body, where)
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(body, dict), where, "an object", body)
        kind = get_args(hint)[1]
        return {key: _decode(kind, item, f"{where}[{key!r}]") for key, item in body.items()}
    if hint is Any or hint is object:
        return body
    if hint is bytes:
        _expect(isinstance(body, dict) and set(body) == {"base64"}, where, "bytes", body)
        return base64.b64decode(body["base64"])
    if is_dataclass(hint):
        return _decode_record(hint, body, where)
    return _decode_scalar(hint, body, where)


def _decode_record(record: Any, body: Any, where: str) -> Any:
    _expect(isinstance(body, dict), where, "an object", body)
    hints, required = _hints(record)
    unknown = sorted(set(body) - set(hints))
    missing = sorted(required - set(body))
    _expect(not unknown, where, f"no field {', '.join(unknown)}", body)
    _expect(not missing, where, f"a field {', '.join(missing)}", body)
    return record(**{name: _decode(hints[name], item, f"{where}.{name}") for name, item in body.items()})


def _decode_scalar(hint: Any, body: Any, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(body)
        except ValueError as error:
            raise LedgerError(f"reading {where}: {body!r} is none of {[item.value for item in hint]}") from error
    if hint is float:
        _expect(isinstance(body, int | float) and not isinstance(body, bool), where, "a number", body)
        return float(body)
    _expect(isinstance(body, hint) and (hint is bool or not isinstance(body, bool)), where, hint.__name__, body)
    return body


def _decode_union(hint: Any, body: Any, where: str) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if body is None and len(kinds) < len(get_args(hint)):
        return None
    problems = []
    for kind in kinds:
        try:
            return _decode(kind, body, where)
        except LedgerError as error:
            problems.append(str(error))
    raise LedgerError("; ".join(problems))


def _decode_tuple(kinds: tuple[Any, ...], body: Any, where: str) -> tuple[Any, ...]:
    _expect(isinstance(body, list), where, "a list", body)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], item, f"{where}[{place}]") for place, item in enumerate(body))
    _expect(len(body) == len(kinds), where, f"{len(kinds)} items", body)
    return tuple(_decode(kind, item, where) for kind, item in zip(kinds, body, strict=True))


def _expect(holds: bool, where: str, wanted: str, found: object) -> None:
    if not holds:
        raise LedgerError(f"reading {where}: wanted {wanted}, found {found!r:.200}")
