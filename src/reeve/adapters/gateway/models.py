"""The door to models: takes an attempt's token for a key, puts the real one in its place, and counts what passes."""

import asyncio
import logging
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from reeve.adapters.gateway.counting import Counting, Visitor
from reeve.adapters.gateway.exchange import Exchange, Refused, masked
from reeve.adapters.gateway.headers import carries, passed_back, passed_on, passed_query
from reeve.adapters.gateway.passing import Passing
from reeve.adapters.gateway.pauses import retry_after_seconds
from reeve.adapters.gateway.routes import Question, Route, Unacceptable, below, read_question, route
from reeve.adapters.gateway.told_usage import asking_usage, refuses_asking
from reeve.adapters.gateway.unpacked import Illegible, unpacking
from reeve.adapters.gateway.usage import Form, Meter, Shape
from reeve.adapters.gateway.words import cut_element, cut_event, error_body
from reeve.records import Api, Pause, Provider, RequestOutcome

__all__ = ["ModelDoor", "upstream"]

BODY_BYTES = 64 << 20
BODIES_BYTES = 128 << 20  # of all requests of one attempt that wait for their answer
BODY_SECONDS = 120.0
FREE_BYTES = 64 << 20  # that an attempt may send with questions that cost nothing, which no budget of tokens bounds
HEAD_BYTES = 16 << 10
ERROR_BYTES = 1 << 20
CONNECT_SECONDS = 30.0
SILENT_SECONDS = 900.0
IDLE_SECONDS = 75.0

QUIET = logging.getLogger("reeve.gateway.http")  # what garbage an agent sends is no news
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


def upstream() -> aiohttp.ClientSession:
    """Open what speaks to providers: nothing decoded, nothing remembered, nothing read from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS),
        skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
    )


class AgentGone(ConnectionResetError):  # noqa: N818 - it says what happened
    """Whoever asked is not there any more."""


class Server(web.Server):
    """aiohttp's server, which also says when a connection is over."""

    def __init__(self, answer: Any, over: Callable[[], None]) -> None:
        super().__init__(
            answer,
            handler_cancellation=True,
            access_log=None,
            logger=QUIET,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=HEAD_BYTES,
            max_field_size=HEAD_BYTES,
            lingering_time=2.0,
        )
        self._over = over

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Called by each connection."""
        super().connection_lost(handler, exc)
        self._over()


@dataclass(frozen=True, slots=True)
class Call:
    """What a request calls: known from its head, except for the question."""

    provider: Provider
    route: Route
    url: URL
    headers: CIMultiDict[str]
    question: Question | None = None  # None: it costs nothing

    @property
    def streamed(self) -> bool:
        """Say whether the answer is asked for as a stream."""
        return self.question is not None and self.question.streamed


class ModelDoor:
    """Answers the requests of one attempt; `over` is called at the end of each connection."""

    def __init__(
        self, counting: Counting, visitor: Visitor, session: aiohttp.ClientSession, over: Callable[[], None]
    ) -> None:
        self._counting = counting
        self._visitor = visitor
        self._session = session
        self._providers = {each.name: each for each in counting.configuration.providers}
        self._bodies_bytes = 0
        self._silent = set[str]()  # providers that do not know how to say the usage of a stream
        self.server = Server(self._answer, over)

    # ------------------------------------------------------------ a request

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        name, _, rest = path.removeprefix("/").partition("/")
        provider = self._providers.get(name) if name in self._visitor.door.providers else None
        api = provider.api if provider is not None else Api.OPENAI
        host = urlsplit(provider.base_url).netloc if provider is not None else ""
        exchange = Exchange(
            self._counting, self._visitor, method=request.method, path=f"/{rest}", host=host, provider=name
        )
        try:
            with self._visitor.at_work():
                call = self._call(request, provider, f"/{rest}", query)
                return await self._serve(request, exchange, call)
        except Refused as refused:
            exchange.settle(refused.outcome, status=refused.status, reason=str(refused))
            return _said(api, refused.status, str(refused))
        except (AgentGone, asyncio.CancelledError) as gone:
            reason = gone.args[0] if gone.args else "the agent went away before the answer was complete"
            exchange.settle(RequestOutcome.CANCELLED, reason=str(reason))
            raise
        except aiohttp.ClientError as error:
            return _unreachable(exchange, api, error)
        except Illegible as error:
            exchange.settle(RequestOutcome.UNREACHABLE, status=502, reason=_illegible(error))
            return _said(api, 502, _illegible(error))
        except Exception as error:
            print(f"gateway: request {exchange.request.number}: {type(error).__name__}: {error}", file=sys.stderr)
            raise
        finally:
            exchange.settle(RequestOutcome.UNREACHABLE, reason="the gateway itself failed at it")

    def _call(self, request: web.BaseRequest, provider: Provider | None, path: str, query: str) -> Call:
        """Say what a request calls, or raise Refused; of its body nothing is known yet."""
        if provider is None:
            known = ", ".join(f"/{each}" for each in self._visitor.door.providers) or "none"
            raise Refused(404, f"no provider of this attempt has that address; there are {known}")
        if not carries(self._visitor.door.token, request.headers, query):
            raise Refused(401, "the token of this attempt is needed as the API key")
        found = route(provider.api, request.method, path)
        if found is None:
            raise Refused(404, f"{request.method} {path[:100]} is nothing that may be called; docs/gateway.md lists it")
        if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise Refused(415, "a compressed body cannot be counted; send it as it is")
        query = passed_query(query)
        url = URL(below(provider.base_url, path) + (f"?{query}" if query else ""), encoded=True)
        return Call(provider, found, url, passed_on(request.headers, provider))

    async def _serve(self, request: web.BaseRequest, exchange: Exchange, call: Call) -> web.StreamResponse:
        body = await self._body(request)
        self._bodies_bytes += len(body)
        try:
            exchange.bytes_sent = len(body)
            if call.route.shape is None:
                self._take_for_nothing(len(body))
            else:
                try:
                    call = replace(call, question=read_question(call.route, body))
                except Unacceptable as error:
                    raise Refused(400, str(error)) from None
            if self._counting.configuration.keep_bodies:
                exchange.keep(body, (call.provider.key, self._visitor.door.token))
            return await self._send(request, exchange, call, body)
        finally:
            self._bodies_bytes -= len(body)

    def _take_for_nothing(self, count: int) -> None:
        """Count what is sent with a question that costs nothing; raises Refused where it is too much."""
        if self._visitor.free_bytes + count > FREE_BYTES:
            reason = f"more than {FREE_BYTES >> 20} MB of questions that cost nothing"
            raise Refused(403, f"{reason}; ask the model itself", RequestOutcome.OVER_BUDGET)
        self._visitor.free_bytes += count

    async def _body(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > BODY_BYTES:
            raise Refused(413, f"the body has more than {BODY_BYTES >> 20} MB")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        pieces, size = [], 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.content.iter_any():
                    size += len(piece)
                    if size > BODY_BYTES:
                        raise Refused(413, f"the body has more than {BODY_BYTES >> 20} MB")
                    if size + self._bodies_bytes > BODIES_BYTES:
                        raise Refused(413, f"more than {BODIES_BYTES >> 20} MB of questions wait for an answer")
                    pieces.append(piece)
        except TimeoutError:
            raise Refused(400, f"the body did not come within {BODY_SECONDS:g} seconds") from None
        except (web.RequestPayloadError, aiohttp.ClientError):
            raise AgentGone from None
        return b"".join(pieces)

    # ------------------------------------------------------------ to the provider, and back

    async def _send(self, request: web.BaseRequest, exchange: Exchange, call: Call, body: bytes) -> web.StreamResponse:
        """Ask the provider, as often as it says how long to wait and there is time for that."""
        hold_seconds = self._counting.configuration.hold_seconds
        deadline = time.monotonic() + hold_seconds
        told: web.Response | None = None
        while True:
            if (pause := await self._still_paused(call.provider, deadline)) is not None:
                return _paused(exchange, call.provider, pause, told)
            if call.question is not None and not exchange.reserved:
                await exchange.reserve(call.question, body, hold_seconds)
            exchange.left = True
            sent = self._sent(call, body)
            async with self._session.request(
                request.method, call.url, data=sent or None, headers=call.headers, allow_redirects=False
            ) as answer:
                seconds = retry_after_seconds(answer.status, answer.headers, time.time())
                if answer.status < 300:  # a redirection is told, and nobody follows it
                    return await self._pass_back(request, exchange, call, answer, withholds_usage=sent != body)
                said = await _body_of(answer)
                if sent != body and refuses_asking(answer.status, said):
                    self._silent.add(call.provider.name)
                    continue
                exchange.received(said)
                told = _told(answer, said, call.provider.key)
                if seconds is None:
                    exchange.settle(RequestOutcome.PROVIDER_ERROR, status=answer.status)
                    return told
                exchange.left = False
                self._counting.pauses.note(call.provider.name, answer.status, seconds, self._visitor.door.attempt)

    def _sent(self, call: Call, body: bytes) -> bytes:
        """Return the question as it leaves: as it is, but for asking for the usage where it would not be said."""
        tells = call.question is None or call.question.tells_usage or call.provider.name in self._silent
        return body if tells else asking_usage(body)

    async def _still_paused(self, provider: Provider, deadline: float) -> Pause | None:
        """Wait for the end of a pause; returns the pause that is longer than there is time for."""
        while (pause := self._counting.pauses.now(provider.name)) is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return pause
            await asyncio.sleep(min(left, max(0.0, pause.until_utc - time.time())))
        return None

    async def _pass_back(
        self,
        request: web.BaseRequest,
        exchange: Exchange,
        call: Call,
        answer: aiohttp.ClientResponse,
        *,
        withholds_usage: bool,
    ) -> web.StreamResponse:
        form = _form(answer, call)
        encoding = answer.headers.get("Content-Encoding", "")
        withholds_usage = withholds_usage and form is Form.EVENTS
        passing = Passing(call.provider.key, encoding, withholds_usage=withholds_usage)
        headers = passed_back(answer.headers, call.provider.key)
        out = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and not encoding and not withholds_usage:
            out.content_length = int(length)
        if call.route.shape is not None:
            exchange.meter = Meter(call.route.shape, form)
        await _to_agent(out.prepare(request))
        try:
            async for chunk in answer.content.iter_any():
                content = passing.read(chunk)
                try:
                    if passed := passing.pass_on(content):
                        await _to_agent(out.write(passed))  # first: what is counted has been said by then
                finally:
                    exchange.received(content, len(chunk))
                if call.streamed and not await exchange.covered():
                    answer.close()
                    return await self._cut(request, exchange, call, out)
        except (AgentGone, asyncio.CancelledError):
            # What has come and nobody reads was paid for all the same.
            with suppress(aiohttp.ClientError, RuntimeError, Illegible):
                chunk = answer.content.read_nowait(-1)
                exchange.received(passing.read(chunk), len(chunk))
            raise
        except Illegible as error:
            answer.close()
            exchange.settle(RequestOutcome.UNREACHABLE, status=answer.status, reason=_illegible(error))
            return _broken_off(request, out)
        except aiohttp.ClientError as error:
            exchange.settle(
                RequestOutcome.UNREACHABLE,
                status=answer.status,
                reason=f"the provider broke off: {type(error).__name__}",
            )
            return _broken_off(request, out)
        _settle(exchange, answer.status)
        await _to_agent(out.write_eof(passing.end()))
        return out

    async def _cut(
        self, request: web.BaseRequest, exchange: Exchange, call: Call, out: web.StreamResponse
    ) -> web.StreamResponse:
        """End an answer that no budget has room for any more, so that whoever reads it understands."""
        reason = exchange.why_cut
        exchange.settle(RequestOutcome.CUT_OFF, status=out.status, reason=reason)
        said = _last_words(exchange.meter, call.route.shape, reason)
        if not said or out.content_length is not None:
            return _broken_off(request, out)
        await _to_agent(out.write(said))
        await _to_agent(out.write_eof())
        return out


def _form(answer: aiohttp.ClientResponse, call: Call) -> Form:
    if "text/event-stream" in answer.headers.get("Content-Type", ""):
        return Form.EVENTS
    return Form.ARRAY if call.streamed and call.route.shape is Shape.GEMINI else Form.WHOLE


def _illegible(error: Illegible) -> str:
    return f"the answer of the provider is not passed on, as it cannot be searched for the key: {error}"


def _last_words(meter: Meter | None, shape: Shape | None, reason: str) -> bytes:
    """Say in the form of an answer why it ends; nothing where that would not be understood."""
    if meter is None or shape is None:
        return b""
    if meter.form is Form.EVENTS:
        return cut_event(shape, reason)
    return cut_element(reason) if meter.between else b""


def _settle(exchange: Exchange, status: int) -> None:
    if exchange.meter is not None:
        exchange.meter.end()
    if exchange.meter is not None and exchange.meter.error:
        exchange.settle(RequestOutcome.PROVIDER_ERROR, status=status, reason=f"in its answer: {exchange.meter.error}")
    else:
        exchange.settle(RequestOutcome.ANSWERED, status=status)


async def _to_agent(writing: Any) -> None:
    """Write to whoever asked; raises AgentGone, which is not the provider's going away."""
    try:
        await writing
    except ConnectionError:
        raise AgentGone from None


def _broken_off(request: web.BaseRequest, out: web.StreamResponse) -> web.StreamResponse:
    """Let the connection break, so that half an answer is not taken for a whole one."""
    if request.transport is not None:
        request.transport.abort()
    return out


def _said(api: Api, status: int, message: str) -> web.Response:
    return web.Response(body=error_body(api, status, message), status=status, content_type="application/json")


def _unreachable(exchange: Exchange, api: Api, error: aiohttp.ClientError) -> web.Response:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        exchange.left = False
    reason = f"the provider {exchange.request.provider} cannot be reached: {type(error).__name__}"
    exchange.settle(RequestOutcome.UNREACHABLE, reason=reason)
    return _said(api, 502, reason)


async def _body_of(answer: aiohttp.ClientResponse) -> bytes:
    """Read an error, which is short; raises Illegible."""
    body = bytearray()
    while len(body) < ERROR_BYTES and (piece := await answer.content.read(ERROR_BYTES - len(body))):
        body += piece
    return unpacking(answer.headers.get("Content-Encoding", "")).pass_on(bytes(body))


def _told(answer: aiohttp.ClientResponse, body: bytes, key: str) -> web.Response:
    """Say an error as the provider does; the key, which some repeat, is taken out."""
    headers = passed_back(answer.headers, key)
    return web.Response(body=masked(body, (key,)), status=answer.status, reason=answer.reason, headers=headers)


def _paused(exchange: Exchange, provider: Provider, pause: Pause, told: web.Response | None) -> web.Response:
    """Give what the provider said, with what is left of the time that it named."""
    left = max(1, math.ceil(pause.until_utc - time.time()))
    reason = f"{provider.name} asked to wait until {time.strftime('%H:%M:%S', time.gmtime(pause.until_utc))} UTC"
    exchange.settle(RequestOutcome.PROVIDER_ERROR, status=pause.status, reason=reason)
    out = told if told is not None else _said(provider.api, pause.status, reason)
    out.headers.popall("retry-after-ms", None)
    out.headers["Retry-After"] = str(left)
    return out
