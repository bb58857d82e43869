"""One request under way, from its arrival to the fact that it becomes: settled exactly once, whatever ends it."""

import time
from collections.abc import Iterable
from dataclasses import replace

from reeve.adapters.gateway.budgets import Reservation
from reeve.adapters.gateway.counting import Counting, Visitor
from reeve.adapters.gateway.recorder import Body
from reeve.adapters.gateway.routes import Question
from reeve.adapters.gateway.usage import CHARACTERS_PER_TOKEN, Meter, Usage
from reeve.records import Request, RequestOutcome

__all__ = ["Exchange", "Refused", "masked"]

KEPT_BYTES = 8 << 20
"""Of a request, and of an answer, where the owner wants them kept."""


class Refused(Exception):  # noqa: N818 - it says what became of the request
    """A request is not passed on; the message is for whoever asked."""

    def __init__(self, status: int, message: str, outcome: RequestOutcome = RequestOutcome.REFUSED) -> None:
        super().__init__(message)
        self.status = status
        self.outcome = outcome


class Exchange:
    """What is known of a request so far. `meter` None: nothing is counted for it."""

    def __init__(
        self, counting: Counting, visitor: Visitor, *, method: str, path: str, host: str, provider: str
    ) -> None:
        self.counting = counting
        self.visitor = visitor
        self.request = Request(
            attempt=visitor.door.attempt,
            task=visitor.door.task,
            number=counting.number(),
            run=counting.configuration.run,
            at_utc=time.time(),
            host=shown(host),
            method=shown(method, 20),
            path=shown(path),
            outcome=RequestOutcome.CANCELLED,
            provider=shown(provider, 40),
        )
        self.meter: Meter | None = None
        self.left = False  # it is on its way to the provider, who may count it from now on
        self.bytes_sent = 0
        self.bytes_received = 0
        self.first_byte_seconds: float | None = None
        self._began = time.monotonic()
        self._input_tokens = 0
        self._fast = False
        self._reservation: Reservation | None = None
        self._settled = False
        self._asked = b""
        self._secrets: tuple[str, ...] = ()
        self._answered: list[bytes] | None = None

    @property
    def reserved(self) -> bool:
        """Say whether budgets have room for it."""
        return self._reservation is not None

    @property
    def why_cut(self) -> str:
        """Say which budget has no room for more."""
        account = self._reservation.tightest if self._reservation is not None else self.visitor.account
        return f"{account.shortage}; the answer is cut off here"

    async def reserve(self, question: Question, body: bytes, patience_seconds: float) -> None:
        """Reserve what it may cost before it leaves; raises Refused for what no budget has room for."""
        self.request = replace(self.request, model=shown(question.model, 200))
        self._fast = question.fast
        self._input_tokens = -(-len(body) // CHARACTERS_PER_TOKEN)
        found = await self.counting.reserve(
            self.visitor,
            self.request,
            self._input_tokens,
            question.reserved_tokens,
            whole=not question.streamed,
            fast=self._fast,
            patience_seconds=patience_seconds,
        )
        if not isinstance(found, Reservation):
            raise Refused(429 if found.for_now else 402, found.reason, RequestOutcome.OVER_BUDGET)
        self._reservation = found

    def keep(self, asked: bytes, secrets: Iterable[str]) -> None:
        """Keep what is said, as the owner wants it, without what nobody may know."""
        self._asked, self._secrets = asked[:KEPT_BYTES], tuple(secrets)
        self._answered = []

    def received(self, chunk: bytes, wire_bytes: int | None = None) -> None:
        """Count a piece of the answer; `wire_bytes`: how many it had before it was unpacked, None: as many."""
        if self.first_byte_seconds is None:
            self.first_byte_seconds = time.monotonic() - self._began
        self.bytes_received += len(chunk) if wire_bytes is None else wire_bytes
        if self._answered is not None and self.bytes_received <= KEPT_BYTES:
            self._answered.append(chunk)
        if self.meter is not None:
            self.meter.feed(chunk)

    async def covered(self) -> bool:
        """Say whether what has been answered so far is reserved, after having reserved more if that was needed."""
        held = self._reservation
        if held is None or self.meter is None or self.meter.written < held.output_tokens or self.meter.complete:
            return True
        return await self.counting.extend(self.request, held, self.meter.written - held.output_tokens + 1)

    def settle(self, outcome: RequestOutcome, *, status: int | None = None, reason: str = "") -> None:
        """Say how it ended; what is said after the first time changes nothing."""
        if self._settled:
            return
        self._settled = True
        usage = self.meter.usage if self.meter is not None else None
        tokens, usd, complete = self._worth(status)
        self.request = replace(
            self.request,
            outcome=outcome,
            status=status,
            reason=reason,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            input_tokens=usage.input if usage else None,
            cached_tokens=usage.cached if usage else None,
            cache_write_tokens=usage.cache_write if usage else None,
            output_tokens=usage.output if usage else None,
            reasoning_tokens=usage.reasoning if usage else None,
            complete=complete,
            tokens=tokens,
            usd=usd,
            first_byte_seconds=self.first_byte_seconds,
            seconds=time.monotonic() - self._began,
        )
        self.counting.settle(self.request, self._reservation, self._body())

    def _worth(self, status: int | None) -> tuple[int, float | None, bool]:
        """Tokens and dollars that count, and whether that is the provider's own last word."""
        if self._reservation is None or not self.left or (status is not None and status >= 300):
            return 0, 0.0, True
        usage = self.meter.usage if self.meter is not None else None
        written = self.meter.written if self.meter is not None else 0
        complete = self.meter is not None and self.meter.complete
        if usage is None:
            usage = Usage(self._input_tokens, written)
        elif not complete:
            usage = replace(usage, output=written)
        usage = replace(usage, fast=usage.fast or self._fast)
        return usage.total, self.counting.prices.usd(self.request.model, usage), complete

    def _body(self) -> Body | None:
        if self._answered is None:
            return None
        return Body(*(masked(said, self._secrets) for said in (self._asked, b"".join(self._answered))))


def masked(content: bytes, secrets: Iterable[str]) -> bytes:
    """Take secrets out of what is about to be stored or said."""
    for secret in filter(None, secrets):
        content = content.replace(secret.encode(), b"***")
    return content


def shown(text: str, longest: int = 300) -> str:
    """Make what an agent wrote fit to be stored and shown."""
    return text[:longest].encode("unicode_escape").decode("ascii")[:longest]
