"""What the server saw: one record for each request, never with a key in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

__all__ = ["Seen", "digest_of_key", "keys_of", "without_keys"]

SECRET_QUERY = ("key", "api_key", "access_token")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request and what came of it.

    `path` has its query, keys taken out. `headers` are the names alone, in lower case. `key` is the beginning of the
    SHA-256 of the key in hex, None if there was none. `turn` counts from 0, None where no turn was played.
    Tokens are those of the whole answer, also where it was `cut`: where the client left, or the script broke it off;
    None where no script says them.
    """

    at_utc: float = 0.0
    method: str = ""
    path: str = ""
    headers: tuple[str, ...] = ()
    key: str | None = None
    status: int = 0
    api: str = ""
    model: str = ""
    stream: bool = False
    turn: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_written_tokens: int | None = None
    reasoning_tokens: int | None = None
    cut: bool = False
    message: str = ""

    @property
    def line(self) -> str:
        """The record as one line of JSON, ASCII."""
        return json.dumps(asdict(self)) + "\n"


def keys_of(headers: Mapping[str, str], query: str) -> tuple[str, ...]:
    """Return every different key that a request carries, wherever an API wants it."""
    bearer = headers.get("authorization", "")
    found = [
        bearer[7:] if bearer[:7].lower() == "bearer " else bearer,
        *(headers.get(name, "") for name in ("x-api-key", "x-goog-api-key", "api-key")),
        *(value for name, value in parse_qsl(query) if name == "key"),
    ]
    return tuple(dict.fromkeys(key.strip() for key in found if key.strip()))


def digest_of_key(key: str) -> str:
    """Return what may be told of a key: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def without_keys(path: str, query: str) -> str:
    """Return the address of a request without the keys in it."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in SECRET_QUERY]
    return f"{path}?{urlencode(kept)}" if kept else path
