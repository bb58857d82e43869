"""Who may speak with the deck, and what its pages may do in a browser.

A page of anywhere else in the same browser, a name that was made to point here (DNS rebinding), and whatever an agent
wrote into a page are all hostile. So a request must name a host that the owner serves, a request that changes anything
must come from a page of that host, and whoever has not shown the token of this deck gets nothing but the way in.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

__all__ = ["HEADERS", "Access", "Guard", "session_name"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all a form would come from an unknown origin
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""What every answer carries: nothing from elsewhere, no framing, no guessing of types, no word to others."""

READING = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/enter", "/static/deck.css", "/static/deck.js")
WRONG_PASSWORDS = 10
"""After so many the way in stays shut until the deck is started again: nobody types that often."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a person proves to be the owner.

    `hosts` are the values of the Host header that are served. `token` comes in the first address. `password` opens
    the form at /enter, None: there is none. `proxy_header` is set by the owner's own proxy for whoever it has let in.
    """

    hosts: frozenset[str]
    token: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    proxy_header: str | None = None
    secure: bool = False  # the cookie goes over TLS alone

    @property
    def session(self) -> str:
        """What the cookie holds: it follows from the token, so that a deck started anew with it knows its pages."""
        return hashlib.sha256(b"reeve session\0" + self.token.encode()).hexdigest()


def session_name(host: str) -> str:
    """Name the cookie; cookies do not tell ports apart, so that the port must stand in its name."""
    return f"reeve-deck-{host.rpartition(':')[2] if ':' in host else '80'}"


class Guard:
    """An application around the deck that lets through what `Access` allows, and puts `HEADERS` on every answer."""

    def __init__(self, inner: Application, access: Access) -> None:
        self._inner = inner
        self._access = access
        self._wrong = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inner(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if sum(name.lower() == b"host" for name, _ in scope["headers"]) != 1:
            await _say(send, 400, "A request must name one host.")
            return
        answer = self._refusal(scope, headers)
        if answer is not None:
            await _say(send, *answer)
            return
        if scope["path"] == "/enter" and scope["method"] == "POST":
            await self._enter(headers, receive, send)
            return
        if (query := parse_qs(scope["query_string"].decode("latin-1"))).get("token"):
            await self._welcome(scope["path"], query, headers, send)
            return
        if scope["path"] in OPEN_PATHS or self._knows(headers):
            await self._inner(scope, receive, _with_headers(send))
            return
        if scope["path"].startswith("/api/"):
            await _say(send, 401, "Show the token of this deck: `Authorization: Bearer TOKEN`.")
        elif self._access.password is not None:
            await _go(send, "/enter")
        else:
            await _say(send, 401, "Open the address that `reeve serve` printed; it holds the token of this deck.")

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if host not in self._access.hosts:
            return 421, "This deck is not served under that name."
        if scope["method"] in READING:
            return None
        origin = headers.get("origin")
        same = origin is not None and origin in (f"http://{host}", f"https://{host}")
        if not same and not self._bears(headers):  # whoever shows the token itself is no page of somewhere else
            return 403, "A change must come from a page of this deck."
        return None

    def _knows(self, headers: Mapping[str, str]) -> bool:
        if self._bears(headers) or (self._access.proxy_header and headers.get(self._access.proxy_header.lower())):
            return True
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        held = cookies.get(session_name(headers["host"]))
        return held is not None and _same(held.value, self._access.session)

    def _bears(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _same(token, self._access.token)

    async def _welcome(self, path: str, query: dict[str, list[str]], headers: Mapping[str, str], send: Send) -> None:
        """Take the token out of the address, where others would see it, and into the cookie."""
        if not _same(query.pop("token")[0], self._access.token):
            await _say(send, 401, "That token is not of this deck: open the address that `reeve serve` printed last.")
            return
        rest = urlencode(query, doseq=True)
        # A path that begins with two slashes would lead to another host.
        await _go(send, f"/{quote(path.lstrip('/'))}{'?' + rest if rest else ''}", self._cookie(headers["host"]))

    async def _enter(self, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        if self._access.password is None or self._wrong >= WRONG_PASSWORDS:
            await _say(send, 403, "The way in by password is shut; start the deck again to open it.")
            return
        given = parse_qs((await _body(receive)).decode("utf-8", "replace")).get("password", [""])[0]
        if _same(given, self._access.password):
            self._wrong = 0
            await _go(send, "/", self._cookie(headers["host"]))
            return
        self._wrong += 1
        await _go(send, "/enter?wrong=1")

    def _cookie(self, host: str) -> str:
        secure = "; Secure" if self._access.secure else ""
        return f"{session_name(host)}={self._access.session}; HttpOnly; SameSite=Strict; Path=/{secure}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


async def _body(receive: Receive, at_most: int = 4096) -> bytes:
    body = b""
    while len(body) <= at_most:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body
    return b""


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message["headers"]}
            more = [
                (name.encode(), value.encode())
                for name, value in {**HEADERS, "cache-control": "no-store"}.items()
                if name.encode() not in named
            ]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sending


async def _say(send: Send, status: int, text: str) -> None:
    await _answer(send, status, text, {"content-type": "text/plain; charset=utf-8"})


async def _go(send: Send, where: str, cookie: str = "") -> None:
    await _answer(send, 303, "", {"location": where, **({"set-cookie": cookie} if cookie else {})})


async def _answer(send: Send, status: int, text: str, headers: Mapping[str, str]) -> None:
    body = text.encode()
    sending = _with_headers(send)
    start = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    start.append((b"content-length", str(len(body)).encode()))
    await sending({"type": "http.response.start", "status": status, "headers": start})
    await sending({"type": "http.response.body", "body": body})
