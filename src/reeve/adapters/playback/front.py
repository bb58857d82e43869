"""HTTP in front of whatever answers: bounded bodies, the demanded key, waits and chunks, the log."""

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from aiohttp import web

from reeve.adapters.playback.addresses import refused
from reeve.adapters.playback.messages import Answer, Received, Source
from reeve.adapters.playback.script import Delay
from reeve.adapters.playback.seen import Seen, digest_of_key, keys_of, without_keys

__all__ = ["MAX_BODY_BYTES", "Front", "read_body"]

MAX_BODY_BYTES = 2**25


class Front:
    """Serves requests; `record` gets one record each, before the last byte of the answer is sent.

    With a `key`, every key that a request carries must be that one: a token from elsewhere beside it is refused too.
    """

    def __init__(self, source: Source, *, record: Callable[[Seen], None], key: str = "") -> None:
        self.source = source
        self.record = record
        self.key = key

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        at_utc = time.time()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = request.path_qs.partition("?")
        body, problem = await read_body(request)
        received = Received(request.method, path, query, headers, body)
        keys = keys_of(headers, query)
        if self.key and not (keys and all(_equal(key, self.key) for key in keys)):
            answer = refused(received, 401, "the API key is not the one that this server was started with")
        elif problem:
            answer = refused(received, 413 if len(body) > MAX_BODY_BYTES else 400, problem)
        else:
            answer = self.source.answer(received)
        seen = replace(
            answer.seen,
            at_utc=at_utc,
            method=received.method,
            path=without_keys(path, query),
            headers=tuple(sorted(headers)),
            key=digest_of_key(keys[0]) if keys else None,
            status=answer.status,
        )
        if answer.before_seconds:
            await asyncio.sleep(answer.before_seconds)
        return await self._sent(request, answer, seen)

    async def _sent(self, request: web.BaseRequest, answer: Answer, seen: Seen) -> web.StreamResponse:
        head = {**answer.headers, "Content-Type": answer.content_type}
        writes = _writes(answer.chunks)
        if not answer.streamed:
            await asyncio.sleep(sum(pause_seconds for pause_seconds, _ in writes))
            self.record(seen)
            whole = b"".join(content for _, content in writes)
            return web.Response(status=answer.status, body=whole, headers=head)
        response = web.StreamResponse(status=answer.status, headers=head)
        try:
            await response.prepare(request)
            for pause_seconds, content in writes[:-1]:
                await asyncio.sleep(pause_seconds)
                await response.write(content)
            await asyncio.sleep(writes[-1][0])
        except ConnectionError:
            self.record(replace(seen, cut=True))
            return response
        self.record(seen)
        await response.write(writes[-1][1])
        await response.write_eof()
        return response


async def read_body(request: web.BaseRequest) -> tuple[bytes, str]:
    """Read the body, or as much of it as shows that it is too large; and say what is wrong with it."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return bytes(body), f"the request is larger than {MAX_BODY_BYTES >> 20} MB"
    except web.RequestPayloadError as error:
        return b"", f"the body of the request cannot be read: {error}"
    return bytes(body), ""


def _equal(key: str, wanted: str) -> bool:
    return hmac.compare_digest(key.encode("utf-8", "surrogateescape"), wanted.encode())


def _writes(chunks: Sequence[bytes | Delay]) -> list[tuple[float, bytearray]]:
    """Return what is written at once, each with the seconds to wait before it: without waits all is one write."""
    writes = [(0.0, bytearray())]
    between_seconds = 0.0
    for chunk in chunks:
        if isinstance(chunk, Delay):
            between_seconds = chunk.between_seconds
            writes.append((chunk.before_seconds, bytearray()))
            continue
        if between_seconds and writes[-1][1]:
            writes.append((between_seconds, bytearray()))
        writes[-1][1].extend(chunk)
    return writes
