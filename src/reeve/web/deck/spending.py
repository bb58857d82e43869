"""What is spent against what may be: of each attempt and task, of the run and of the day, by the gateway's count.

Settled requests are facts; what is reserved for those under way stands in a file of the gateway, and is told apart.
"""

import datetime as dt
import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reeve.ports import Fact
from reeve.records import Budgets

__all__ = ["Account", "Requests", "Spending", "Sum"]

REQUESTS = ("request",)
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Account:
    """What counts against one budget; a limit that is None is none. `usd` None: no request, or no price is known."""

    name: str
    usd: float | None = None
    tokens: int | None = None
    held_usd: float = 0.0  # reserved for requests under way
    held_tokens: int = 0
    limit_usd: float | None = None
    limit_tokens: int | None = None

    @property
    def limited(self) -> bool:
        """Say whether there is any limit."""
        return self.limit_usd is not None or self.limit_tokens is not None

    @property
    def share(self) -> float:
        """Return how much of the tightest limit is spent, from 0 on; 0: there is no limit."""
        return max(_share(self.usd, self.limit_usd), _share(self.tokens, self.limit_tokens))

    @property
    def held_share(self) -> float:
        """Return how much more of the tightest limit is reserved."""
        usd, tokens = (self.usd or 0.0) + self.held_usd, (self.tokens or 0) + self.held_tokens
        return max(_share(usd, self.limit_usd), _share(tokens, self.limit_tokens)) - self.share

    @property
    def told(self) -> bool:
        """Say whether there is anything to tell."""
        return self.limited or self.usd is not None or bool(self.tokens)


def _share(spent: float | None, limit: float | None) -> float:
    if limit is None:
        return 0.0
    return (spent or 0.0) / limit if limit else 1.0


class Requests(Protocol):
    """Where requests are facts."""

    def spent(self, task: str) -> Mapping[str, tuple[float | None, int]]:
        """Add up dollars and tokens of each attempt at a task."""

    def since(self, kinds: Sequence[str], at_utc: float) -> Sequence[Fact]:
        """Read facts of some kinds from a time on."""

    def next_facts(self, kinds: Sequence[str], after: int, at_most: int) -> tuple[Sequence[Fact], int]:
        """Read the next facts of some kinds, and say how far it read."""

    def last(self) -> int:
        """Return the `seq` of the newest fact."""


@dataclass(slots=True)
class Sum:
    """Dollars and tokens so far; `usd` None: none of it has a price."""

    usd: float | None = None
    tokens: int = 0

    def add(self, usd: object, tokens: object) -> None:
        """Add one request."""
        if isinstance(usd, int | float):
            self.usd = (self.usd or 0.0) + usd
        self.tokens += tokens if isinstance(tokens, int) else 0


@dataclass(slots=True)
class _Held:
    """What is reserved, by attempt, task and run; `stamp` tells when the file changes."""

    stamp: tuple[int, int] = (0, 0)
    sums: dict[tuple[str, str], Sum] = field(default_factory=lambda: defaultdict(Sum))


class Spending:
    """Adds up the requests of a ledger as they come; `state` is the folder of the ledger, which the gateway's is in."""

    def __init__(self, requests: Requests, state: Path, budgets: Budgets) -> None:
        self._requests = requests
        self._state = state
        self._budgets = budgets
        self._lock = threading.Lock()
        self._seq = -1
        self._days: defaultdict[str, Sum] = defaultdict(Sum)
        self._runs: defaultdict[str, Sum] = defaultdict(Sum)
        self._newest = ("", 0.0)  # run and time of the newest request
        self._held = _Held()

    def whole(self, now_utc: float, *, active: bool) -> tuple[Account, ...]:
        """Account for the run (the one under way, else the last that called a model) and for the day, of UTC."""
        with self._lock:
            self._catch_up(now_utc)
            held = self._reserved()
            run, at_utc = self._newest
            if active and at_utc < self._began():
                run = ""  # the run under way has not asked for anything yet
            day = _date(now_utc)
            limits = self._budgets
            return (
                _account("run", self._runs.get(run), held.get(("run", run)), limits.run_usd, limits.run_tokens),
                _account("day", self._days.get(day), held.get(("day", day)), limits.day_usd, limits.day_tokens),
            )

    def of_task(self, task: str) -> tuple[Account, Mapping[str, Account]]:
        """Account for a task and for each of its attempts that called a model; those have no limits yet."""
        with self._lock:
            held = self._reserved()
        found = self._requests.spent(task)
        all_of_it = Sum()
        for usd, tokens in found.values():
            all_of_it.add(usd, tokens)
        mine = held.get(("task", task))
        account = _account(task, all_of_it if found else None, mine, self._budgets.task_usd, self._budgets.task_tokens)
        asking = {name for what, name in held if what == "attempt" and name.partition(".")[0] == task}
        return account, {
            attempt: _account(
                attempt, Sum(*found[attempt]) if attempt in found else None, held.get(("attempt", attempt))
            )
            for attempt in {*found, *asking}
        }

    def _began(self) -> float:
        """Say when the newest run began: it writes its number into its lock then."""
        try:
            return (self._state / "run.lock").stat().st_mtime
        except OSError:
            return 0.0

    def _catch_up(self, now_utc: float) -> None:
        if self._seq < 0:
            last = self._requests.last()
            found = self._requests.since(REQUESTS, min(_midnight(now_utc), self._began() or now_utc))
            for fact in reversed(found):  # oldest first
                if fact.seq <= last:
                    self._count(fact)
            self._seq = last
        while self._seq < self._requests.last():
            facts, self._seq = self._requests.next_facts(REQUESTS, self._seq, BATCH)
            for fact in facts:
                self._count(fact)

    def _count(self, fact: Fact) -> None:
        run, usd, tokens = str(fact.body.get("run", "")), fact.body.get("usd"), fact.body.get("tokens")
        self._days[_date(fact.at_utc)].add(usd, tokens)
        self._runs[run].add(usd, tokens)
        if fact.at_utc >= self._newest[1]:
            self._newest = (run, fact.at_utc)

    def _reserved(self) -> Mapping[tuple[str, str], Sum]:
        """Read what the gateway has reserved; of lines with one number the last holds, half a line is none."""
        path = self._state / "gateway" / "reserved.jsonl"
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._held.stamp:
                self._held = _Held(stamp, _sums(path.read_bytes()))
        except OSError:
            self._held = _Held()
        return self._held.sums


def _sums(content: bytes) -> dict[tuple[str, str], Sum]:
    open_: dict[int, dict[str, object]] = {}
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, int):
            open_.pop(entry, None)
        elif isinstance(entry, dict) and isinstance(entry.get("number"), int):
            open_[entry["number"]] = entry
    sums: defaultdict[tuple[str, str], Sum] = defaultdict(Sum)
    for entry in open_.values():
        at_utc = entry.get("at_utc")
        names = {name: str(entry.get(name, "")) for name in ("attempt", "task", "run")}
        names["day"] = _date(at_utc if isinstance(at_utc, int | float) else 0.0)
        for key in names.items():
            sums[key].add(entry.get("usd"), entry.get("tokens"))
    return dict(sums)


def _account(
    name: str, spent: Sum | None, held: Sum | None, limit_usd: float | None = None, limit_tokens: int | None = None
) -> Account:
    return Account(
        name=name,
        usd=spent.usd if spent else None,
        tokens=spent.tokens if spent else None,
        held_usd=(held.usd or 0.0) if held else 0.0,
        held_tokens=held.tokens if held else 0,
        limit_usd=limit_usd,
        limit_tokens=limit_tokens,
    )


def _date(at_utc: float) -> str:
    return dt.datetime.fromtimestamp(at_utc, dt.UTC).date().isoformat()


def _midnight(at_utc: float) -> float:
    return dt.datetime.fromtimestamp(at_utc, dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
