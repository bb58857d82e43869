"""What a deck answers while it still reads a large ledger for the first time: how far it is, and not nothing."""

import json
from collections.abc import Callable

from reeve.web.deck.guard import Application, Receive, Scope, Send

__all__ = ["Preparing"]

AGAIN_SECONDS = 2


class Preparing:
    """An application around the deck; `said` says how far it is, "" once it is ready.

    What is shipped with the package is served at once.
    """

    def __init__(self, inner: Application, said: Callable[[], str]) -> None:
        self._inner = inner
        self._said = said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        said = "" if scope["type"] != "http" or scope["path"].startswith("/static/") else self._said()
        if not said:
            await self._inner(scope, receive, send)
            return
        of_api = scope["path"].startswith("/api/")
        body = (json.dumps({"error": said}) if of_api else said + "\n").encode()
        headers = {
            "content-type": "application/json" if of_api else "text/plain; charset=utf-8",
            "content-length": str(len(body)),
            "retry-after": str(AGAIN_SECONDS),
            **({} if of_api else {"refresh": str(AGAIN_SECONDS)}),
        }
        start = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 503, "headers": start})
        await send({"type": "http.response.body", "body": body})
