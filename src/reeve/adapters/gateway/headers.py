"""What of a head is passed on: nothing that belongs to one connection, and no credential but the real one."""

import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

from multidict import CIMultiDict, CIMultiDictProxy

from reeve.records import Api, Provider

__all__ = ["carries", "passed_back", "passed_on", "passed_query"]

HOP_BY_HOP = frozenset(
    (
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
OURS = frozenset(("accept-encoding", "content-length", "expect", "forwarded", "host", "via"))
ELSEWHERE = (
    "x-accel-", "x-backend-", "x-envoy-", "x-forwarded", "x-host", "x-http-host-", "x-http-method", "x-method-override",
    "x-original-", "x-override-", "x-proxy-", "x-rewrite-",
)  # fmt: skip
"""Beginnings of names by which servers in front of a provider may be led to another host, path or method."""

WHO_PAYS = frozenset(("openai-organization", "openai-project", "x-goog-user-project"))
CREDENTIALS = ("api-key", "apikey", "auth", "cookie", "credential", "secret", "token", "x-real-ip")
NOT_BACK = HOP_BY_HOP | frozenset(("content-encoding", "content-length", "set-cookie"))
CREDENTIAL_QUERY = frozenset(("$httpmethod", "access_token", "api_key", "key", "oauth_token"))
PLACE_OF_KEY = {Api.ANTHROPIC: "x-api-key", Api.OPENAI: "Authorization", Api.GEMINI: "x-goog-api-key"}


def carries(token: str, headers: Mapping[str, str], query: str) -> bool:
    """Say whether a request has the token, wherever a client of any API puts its key; compared in constant time."""
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    offered = [headers.get("x-api-key", ""), headers.get("x-goog-api-key", ""), *_values(query, "key")]
    if scheme.lower() == "bearer":
        offered.append(bearer.strip())
    wanted = token.encode()
    return any([hmac.compare_digest(each.encode("utf-8", "replace"), wanted) for each in offered])  # noqa: C419 - all


def passed_on(headers: Mapping[str, str], provider: Provider) -> CIMultiDict[str]:
    """Return what a provider is told: what the agent said, with the real key in its place."""
    connection = {each.strip().lower() for each in headers.get("Connection", "").split(",")}
    found = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if (low := name.lower()) not in HOP_BY_HOP | OURS | WHO_PAYS | connection
        and not low.startswith(ELSEWHERE)
        and not any(each in low for each in CREDENTIALS)
    )
    found["Accept-Encoding"] = "identity"  # the usage must be legible, and compressed streams come later
    if provider.key:
        bearer = "Bearer " if provider.api is Api.OPENAI else ""
        found[PLACE_OF_KEY[provider.api]] = bearer + provider.key
    return found


def passed_query(query: str) -> str:
    """Return a query without credentials, the rest as it was written."""
    return "&".join(part for part in query.split("&") if _name(part) not in CREDENTIAL_QUERY)


def passed_back(headers: "CIMultiDictProxy[str]", key: str) -> CIMultiDict[str]:
    """Return what the agent is told of the head of an answer: no cookie, no compression, no key that is repeated."""
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in NOT_BACK and not (key and key in value)
    )


def _values(query: str, name: str) -> Iterator[str]:
    return (unquote_plus(part.partition("=")[2]) for part in query.split("&") if _name(part) == name)


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0]).lower()
