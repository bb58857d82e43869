"""What all doors share: the numbers of requests, the budgets, what is reserved, the ledger and the pauses."""

import asyncio
import datetime as dt
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from reeve.adapters.gateway.accounts import Accounts
from reeve.adapters.gateway.budgets import Account, Reservation, Shortfall, reserve
from reeve.adapters.gateway.configuration import Configuration
from reeve.adapters.gateway.pauses import Pauses
from reeve.adapters.gateway.prices import BUILT_IN, Prices, read_prices
from reeve.adapters.gateway.recorder import Body, Recorder, pause_fact
from reeve.adapters.gateway.reserved import ReservedFile
from reeve.adapters.gateway.traffic import Traffic
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.ledger.codec import decode
from reeve.ports import Fact, Spent
from reeve.records import Door, Pause, Request, RequestOutcome

__all__ = ["Counting", "Visitor"]

TELL_SECONDS = 0.02
"""What an attempt has spent is told so much later at most: many changes are one line."""

EXTEND_SECONDS = 20.0
"""So long an answer under way stands still while others may leave it room; then it is cut off."""

SPARE_TOKENS = 1024
"""Of output that are reserved at a time once an answer is longer than was reserved at first."""

REFUSALS = (RequestOutcome.REFUSED, RequestOutcome.OVER_BUDGET)
MOST_REFUSALS = 1000
"""Of one attempt, that are written down; further ones are answered all the same."""


@dataclass(slots=True)
class Visitor:
    """An attempt whose door is open, and what is known of it beyond its budgets."""

    door: Door
    account: Account
    answers: int = 0
    refused: str = ""  # for the budget, and for good
    refusals: int = 0
    free_bytes: int = 0  # sent with questions that cost nothing, and so are held by no budget
    under_way: set["asyncio.Task[object]"] = field(default_factory=set)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Know the task that serves a request, so that it can be ended with the attempt."""
        task: asyncio.Task[object] = asyncio.current_task()  # type: ignore[assignment]  # there is one
        self.under_way.add(task)
        try:
            yield
        finally:
            self.under_way.discard(task)


class Counting:
    """Counts requests, reserves and settles them; everything but `open` and `close` is done without waiting."""

    def __init__(
        self, configuration: Configuration, tell: Callable[[str, Spent], None], tell_pause: Callable[[Fact], None]
    ) -> None:
        self.configuration = configuration
        own = [read_prices(Path(configuration.prices))] if configuration.prices else []
        self.prices = Prices([*own, read_prices(BUILT_IN)])
        self.visitors: dict[str, Visitor] = {}
        self._tell = tell
        self._tell_pause = tell_pause
        self._changed: dict[str, Visitor] = {}
        self._store = SqliteStore(Path(configuration.store))
        self._reserved = ReservedFile(Path(configuration.folder) / "reserved.jsonl")
        self._accounts = Accounts(configuration.budgets, configuration.run)
        self.traffic = Traffic(configuration.attempt_bytes, configuration.host_bytes, configuration.run)
        self._number = 0
        self._recorder = Recorder(self._store, self._reserved.settled)
        self._settled = asyncio.Event()
        self.pauses = Pauses(self._paused)

    async def start(self) -> None:
        """Take up what a gateway before this one left: its open requests are lost, and count in full."""
        for request in self._reserved.left_over:
            self._recorder.record(request, request.task)
        await self._recorder.flush(math.inf)
        self._reserved.clear()
        self._number = await asyncio.to_thread(self._store.highest, "request")
        midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        since = min(midnight, self.configuration.began_utc)
        facts = await asyncio.to_thread(self._store.since, ("request", "pause"), since)
        requests = [decode(Request, fact.body) for fact in facts if fact.kind == "request"]
        self._accounts.remember(requests)
        self.traffic.remember(requests)
        pauses = [fact for fact in facts if fact.kind == "pause"]
        for fact in pauses:
            pause = decode(Pause, fact.body)
            self.pauses.restore(pause)
            if pause.until_utc > time.time():
                self._tell_pause(fact)

    async def open(self, door: Door) -> Visitor:
        """Know an attempt, from its requests of before if there were any."""
        known = self.visitors.get(door.attempt)
        facts = await asyncio.to_thread(self._store.facts, "request", door.task)
        requests = [decode(Request, fact.body) for fact in facts]
        if not self._accounts.knows(door.task):
            self._accounts.remember_task(door.task, requests)
            self.traffic.remember_attempts(requests)
        if known is not None:
            known.door = door
            self._accounts.of_attempt(door)
            return known
        own = [request for request in requests if request.attempt == door.attempt]
        visitor = Visitor(door, self._accounts.of_attempt(door), *_so_far(own))
        self.visitors[door.attempt] = visitor
        self._tell_soon(door.attempt)
        return visitor

    def close(self, attempt: str) -> None:
        """Forget an attempt; what it spent stays known."""
        self.visitors.pop(attempt, None)

    async def flush(self) -> None:
        """Wait until the ledger has everything."""
        await self._recorder.flush(30.0)

    async def end(self) -> None:
        """Write what waits, and close the files."""
        await self._recorder.close(5.0)
        self._reserved.close()
        self._store.close()

    # ------------------------------------------------------------ one request

    def number(self) -> int:
        """Give the next request its number."""
        self._number += 1
        return self._number

    async def reserve(
        self,
        visitor: Visitor,
        request: Request,
        input_tokens: int,
        output_tokens: int,
        *,
        whole: bool,
        fast: bool,
        patience_seconds: float,
    ) -> Reservation | Shortfall:
        """Reserve a request, durably; waits as long as what others have reserved stands in its way, up to a bound."""
        price = self.prices.price(request.model, input_tokens)
        if price is not None and fast:
            price = price.hurried()
        try:
            async with asyncio.timeout(patience_seconds):
                while True:
                    accounts = self._accounts.of(visitor.door, request.at_utc)
                    found = reserve(accounts, request.model, price, input_tokens, output_tokens, whole=whole)
                    if isinstance(found, Reservation) or not found.for_now:
                        break
                    await self._settled.wait()
        except TimeoutError:
            pass
        if isinstance(found, Reservation):
            try:
                self.write_down(request, found)
            except OSError:
                found.settle(0, 0.0)
                raise
        return found

    async def extend(self, request: Request, held: Reservation, needed_tokens: int) -> bool:
        """Reserve further output, and some to spare; waits while only what others have reserved stands in its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXTEND_SECONDS):
                while True:
                    if granted := held.more(needed_tokens + SPARE_TOKENS):
                        self.write_down(request, held)
                        needed_tokens -= granted
                    if needed_tokens <= 0:
                        return True
                    if not held.others_hold(needed_tokens):
                        return False
                    await self._settled.wait()
        return False

    def write_down(self, request: Request, reservation: Reservation | None = None) -> None:
        """Make what is reserved durable: what the request becomes if this process dies now."""
        lost = replace(
            request,
            outcome=RequestOutcome.LOST,
            reason="the gateway was killed meanwhile; what was reserved counts as spent",
            complete=False,
            tokens=reservation.tokens if reservation is not None else 0,
            usd=reservation.usd if reservation is not None else 0.0,
        )
        self._reserved.write(lost)
        self._tell_soon(lost.attempt)

    def settle(self, request: Request, reservation: Reservation | None, body: Body | None = None) -> None:
        """Put a request into the ledger, and what it cost in the place of what was reserved for it."""
        visitor = self.visitors.get(request.attempt)
        if reservation is not None:
            reservation.settle(request.tokens, request.usd)
            self._settled.set()
            self._settled = asyncio.Event()
        if visitor is not None:
            self._note(visitor, request)
            if request.outcome in REFUSALS and visitor.refusals > MOST_REFUSALS:
                return
        self._recorder.record(request, request.task, body)
        self._tell_soon(request.attempt)

    def _note(self, visitor: Visitor, request: Request) -> None:
        if request.outcome is RequestOutcome.ANSWERED and request.tokens:
            visitor.answers += 1
        visitor.refusals += request.outcome in REFUSALS
        if _used_up(request):
            visitor.refused = request.reason

    # ------------------------------------------------------------ what the host is told

    def spent(self, visitor: Visitor) -> Spent:
        """Say what an attempt has spent, and whether it has to wait."""
        pauses = [self.pauses.now(provider) for provider in visitor.door.providers]
        until = max((pause.until_utc for pause in pauses if pause is not None), default=None)
        account = visitor.account
        return Spent(account.spent_tokens, account.spent_usd, visitor.refused, visitor.answers, until)

    def tell(self) -> None:
        """Tell of all attempts that changed."""
        for attempt, visitor in self._changed.items():
            self._tell(attempt, self.spent(visitor))
        self._changed.clear()

    def _tell_soon(self, attempt: str) -> None:
        visitor = self.visitors.get(attempt)
        if visitor is not None:
            if not self._changed:
                asyncio.get_running_loop().call_later(TELL_SECONDS, self.tell)
            self._changed[attempt] = visitor

    def _paused(self, pause: Pause) -> None:
        visitor = self.visitors.get(pause.attempt)
        task = visitor.door.task if visitor is not None else ""
        self._recorder.record(pause, task)
        self._tell_pause(pause_fact(pause, task))
        for attempt, each in self.visitors.items():
            if pause.provider in each.door.providers:
                self._tell_soon(attempt)


def _so_far(requests: Iterable[Request]) -> tuple[int, str, int, int]:
    """Answers, why the last one was refused, refusals, and bytes sent for nothing: what a visitor is known by."""
    answers, refused, refusals, free_bytes = 0, "", 0, 0
    for request in requests:
        refused = request.reason if _used_up(request) else refused
        answers += request.outcome is RequestOutcome.ANSWERED and request.tokens > 0
        refusals += request.outcome in REFUSALS
        if request.provider and not request.model and request.outcome not in REFUSALS:
            free_bytes += request.bytes_sent
    return answers, refused, refusals, free_bytes


def _used_up(request: Request) -> bool:
    """A refusal that time does not heal: an attempt that met one has come to its end."""
    refused = request.outcome is RequestOutcome.OVER_BUDGET and request.status == 402
    return bool(request.provider) and (refused or request.outcome is RequestOutcome.CUT_OFF)
