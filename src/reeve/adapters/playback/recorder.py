"""A way to the real model that writes down what passes."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from reeve.adapters.playback.addresses import refused
from reeve.adapters.playback.front import read_body
from reeve.adapters.playback.messages import Received
from reeve.adapters.playback.recording import Exchange

__all__ = ["Recorder", "recorder"]

MAX_RECORDED_BYTES = 2**26
CONNECT_SECONDS = 30.0
OF_ONE_CONNECTION = frozenset(
    ("connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade")
) | {"transfer-encoding", "content-length"}


@asynccontextmanager
async def recorder(upstream: str, write: Callable[[str], object]) -> AsyncIterator["Recorder"]:
    """Open a recorder in the loop that serves it."""
    timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with ClientSession(timeout=timeout, auto_decompress=False) as session:
        yield Recorder(upstream, write, session)


class Recorder:
    """Hands every request on to `upstream` and its answer back, chunk by chunk; `write` gets each exchange as a line.

    Nothing is added: the client's own key passes through, and is not written. Compression alone is asked away, so
    that a person can read the recording.
    """

    def __init__(self, upstream: str, write: Callable[[str], object], session: ClientSession) -> None:
        self.upstream = upstream.rstrip("/")
        self.write = write
        self.session = session

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass one request on."""
        began = time.monotonic()
        path, _, query = request.path_qs.partition("?")
        body, problem = await read_body(request)
        received = Received(
            request.method, path, query, {name.lower(): value for name, value in request.headers.items()}, body
        )
        if problem:
            return _refusal(received, 400, problem)
        headers = _passed(request.headers)
        headers["Accept-Encoding"] = "identity"
        try:
            async with self.session.request(
                request.method,
                URL(self.upstream + request.path_qs, encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
            ) as upstream:
                return await self._passed_back(request, received, upstream, began)
        except (ClientError, TimeoutError, ValueError) as error:
            return _refusal(received, 502, f"{self.upstream} cannot be asked: {error}")

    async def _passed_back(
        self, request: web.BaseRequest, received: Received, upstream: ClientResponse, began: float
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers=_passed(upstream.headers))
        chunks: list[tuple[float, bytes]] = []
        size_bytes, whole = 0, False
        try:
            await response.prepare(request)
            async for content in upstream.content.iter_any():
                size_bytes += len(content)
                if size_bytes <= MAX_RECORDED_BYTES:
                    chunks.append((time.monotonic() - began, content))
                await response.write(content)
            whole = size_bytes <= MAX_RECORDED_BYTES
        except (ClientError, ConnectionError, TimeoutError):
            if request.transport is not None:  # the side that is left is to see that this was not the end
                request.transport.abort()
        kept = {name.lower(): value for name, value in upstream.headers.items()}
        self.write(Exchange(received, upstream.status, kept, chunks, whole=whole).line)
        return response


def _passed(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in OF_ONE_CONNECTION)


def _refusal(received: Received, status: int, message: str) -> web.Response:
    content = cast("bytes", refused(received, status, message).chunks[0])
    return web.Response(status=status, body=content, content_type="application/json")
