"""What pages and API read: the same queries for both, each answered from the rows or from the facts of one task."""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from reeve.attempt.events import events_of, in_words
from reeve.attempt.oversight import RESTING
from reeve.errors import LedgerError
from reeve.ledger.codec import decode
from reeve.ledger.drill import measurement_of
from reeve.ledger.inbox import InboxItem, deferred_order, inbox_order
from reeve.ledger.plain import one_line
from reeve.ledger.row import Live, Page, Row, Totals
from reeve.ledger.views import AttemptView, TaskView, attempt_view, task_view
from reeve.ports import Patches, Store
from reeve.records import Event, Patch, Policy, Status, Task, TestOutcome, Verdict
from reeve.web.deck.patch import FilePatch, files_of
from reeve.web.deck.spending import Account, Spending

__all__ = ["AtWork", "Load", "Reading", "Rows", "Tested", "Tests"]

TAIL_BYTES = 16_384
TESTS_SHOWN = 200
INBOX = 200
"""So many are listed at once: nobody decides more in a day."""
PATCH_BYTES = 2_000_000


class Rows(Protocol):
    """The rows of all tasks."""

    def catch_up(self) -> int:
        """Take in the newest facts; returns the `seq` up to which the rows are right."""

    def totals(self) -> Mapping[Status, Totals]:
        """Count by status."""

    def page(
        self, *, statuses: Collection[Status] = (), text: str = "", before: int | None = None, at_most: int = 50
    ) -> Page:
        """Read rows, those first whose facts are newest."""

    def row(self, task: str) -> Row | None:
        """Read one row."""

    def live(self) -> Sequence[Row]:
        """Read the rows of tasks with attempts under way."""

    def asking(self, now_utc: float) -> int:
        """Count the things that a person is asked about now."""

    def needing(self, at_most: int, now_utc: float) -> Sequence[Row]:
        """Read the rows of tasks that a person is asked about now, most valuable first; none that shares its cause."""

    def deferred(self, at_most: int, now_utc: float) -> Sequence[Row]:
        """Read the rows of tasks that a person has put off, the next to return first; none that shares its cause."""

    def held_up(self, at_most: int) -> Sequence[tuple[Row, tuple[str, ...], float | None]]:
        """Read the causes that hold up tasks: one row, the ids of so many, the minutes by hand of all."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """What one attempt does this moment, and what it and its task have spent of what they may.

    `began_utc` None: nothing of it runs yet.
    """

    attempt: str
    task: str
    agent: str
    phase: str  # waiting, at work, asks you
    since_utc: float
    doing: str
    began_utc: float | None
    limit_seconds: float
    spent: Account
    of_task: Account


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine is."""

    load: float  # runnable processes, mean over one minute
    cores: int
    memory_mb: float
    free_mb: float


@dataclass(frozen=True, slots=True)
class Tested:
    """What one test did at the base and on the result; None: it was not reported."""

    id: str
    before: TestOutcome | None
    after: TestOutcome | None
    message: str  # the last lines of what went wrong on the result
    required: bool


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests that were asked for or do not do what they did; `same` counts the others by what they do."""

    told: tuple[Tested, ...] = ()
    more: int = 0
    same: Mapping[str, int] = field(default_factory=dict)


class Reading:
    """Everything the deck shows; of `state` it reads what live attempts write.

    `spending` accounts for what goes through the gateway.
    """

    def __init__(
        self,
        store: Store,
        rows: Rows,
        patches: Patches,
        state: Path,
        spending: Spending,
    ) -> None:
        self.store = store
        self.spending = spending
        self.rows = rows
        self._patches = patches
        self._state = state

    # ---------------------------------------------------------------- fleet

    def at_work(self, rows: Sequence[Row]) -> tuple[AtWork, ...]:
        """Say what the live attempts of some tasks do, those that ask first, then the longest."""
        found = [each for row in rows for each in self._of_task(row)]
        phases = ("asks you", "at work", "waiting")
        return tuple(sorted(found, key=lambda each: (phases.index(each.phase), each.since_utc)))

    def _of_task(self, row: Row) -> list[AtWork]:
        task, attempts = self.spending.of_task(row.task)
        return [self._at_work(live, task, attempts.get(live.attempt, Account(live.attempt))) for live in row.live]

    def _at_work(self, live: Live, task: Account, spent: Account) -> AtWork:
        folder = self._state / "attempts" / live.attempt
        began = _changed_utc(folder / "spec.json")  # written when it is started, and never after
        begun = (folder / "output").exists()
        return AtWork(
            attempt=live.attempt,
            task=task.name,
            agent=live.agent,
            phase="asks you" if (folder / RESTING).exists() else "at work" if begun else "waiting",
            since_utc=live.since_utc,
            doing=self._doing(folder) if begun else "for a worker",
            began_utc=began,
            limit_seconds=live.limit_seconds,
            spent=replace(spent, limit_usd=live.limit_usd, limit_tokens=live.limit_tokens),
            of_task=task,
        )

    def _doing(self, folder: Path) -> str:
        events = events_of(_tail(folder / "output"))
        if not events:
            return ""
        lines = [line for line in in_words(events[-1]).splitlines() if line.strip()]
        return one_line((lines or [""])[0 if events[-1].kind == "tool_call" else -1], 160)

    def load(self) -> Load:
        """Measure how busy the machine is."""
        memory = {}
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            memory[name] = int(rest.split()[0]) / 1024 if rest.split() else 0.0
        return Load(os.getloadavg()[0], os.cpu_count() or 1, memory["MemTotal"], memory.get("MemAvailable", 0.0))

    # ---------------------------------------------------------------- inbox

    def inbox(self, now_utc: float, at_most: int = INBOX) -> tuple[InboxItem, ...]:
        """List what needs a person now, most valuable first; one cause that holds up many tasks is one thing."""
        items = [row.item for row in self.rows.needing(at_most, now_utc) if row.item]
        items += [item for item in self._held_up(at_most) if not item.deferred(now_utc)]
        return tuple(sorted(items, key=inbox_order)[:at_most])

    def deferred(self, now_utc: float, at_most: int = INBOX) -> tuple[InboxItem, ...]:
        """List what a person has put off, the next to return first."""
        items = [row.item for row in self.rows.deferred(at_most, now_utc) if row.item]
        items += [item for item in self._held_up(at_most) if item.deferred(now_utc)]
        return tuple(sorted(items, key=deferred_order)[:at_most])

    def _held_up(self, at_most: int) -> list[InboxItem]:
        found = self.rows.held_up(at_most)
        return [replace(row.item, tasks=tasks, human_minutes=minutes) for row, tasks, minutes in found if row.item]

    # ---------------------------------------------------------------- one task

    def task(self, task: str) -> TaskView:
        """View one task; raises InputError if there is none."""
        return task_view(self.store, task)

    def policy(self, view: TaskView) -> Policy | None:
        """Read the policy that decided last about a task; None: nothing was decided, or it is not kept."""
        fact = self.store.fact("policy", view.decisions[-1].policy) if view.decisions else None
        return None if fact is None else decode(Policy, fact.body)

    def attempt(self, attempt: str) -> tuple[TaskView, AttemptView]:
        """View one attempt with its task; raises InputError if there is none."""
        return attempt_view(self.store, attempt)

    def patch(self, item: AttemptView) -> tuple[FilePatch, ...]:
        """Read the patch of an attempt, needed and surplus lines told apart where that was measured."""
        if item.attempt is None or item.attempt.patch.empty:
            return ()
        patch, verdict = item.attempt.patch, item.verdict
        surplus = verdict.surplus if verdict else None
        needed = None
        if verdict is not None and surplus is not None and surplus.tree and surplus.lines:
            needed = self._diff(verdict.base_tree, surplus.tree)
        elif surplus is not None and surplus.complete:
            needed = self._text(patch)
        return files_of(self._text(patch), needed)

    def _text(self, patch: Patch) -> str:
        return _words(self._artefact(patch.diff))

    def _diff(self, base_tree: str, tree: str) -> str | None:
        try:
            return _words(self._patches.diff(base_tree, tree))
        except (LedgerError, OSError, KeyError, ValueError):
            return None  # the objects were cleared away: what was needed is not known any more

    def tests(self, task: Task, verdict: Verdict) -> Tests:
        """Compare test by test what the base gave and what the result gives; empty where either was not kept."""
        base, result = (measurement_of(self.store, key) for key in (verdict.base_measurement, verdict.measurement))
        if base is None or result is None:
            return Tests()
        asked, told, same = set(task.checks.required), [], Counter[str]()
        for id_ in sorted({*base.tests, *result.tests}):
            before, after = base.tests.get(id_), result.tests.get(id_)
            if id_ in asked or before is not after:
                told.append(Tested(id_, before, after, result.messages.get(id_, ""), required=id_ in asked))
            elif after is not None:
                same[str(after)] += 1
        told.sort(key=lambda each: (not each.required, each.after is TestOutcome.PASSED, each.id))
        return Tests(tuple(told[:TESTS_SHOWN]), max(0, len(told) - TESTS_SHOWN), dict(same))

    def events(self, item: AttemptView) -> tuple[Event, ...]:
        """Read the trajectory of an attempt, or what there is of it so far."""
        if item.attempt is not None:
            return events_of(self._artefact(item.attempt.trajectory))
        try:
            return events_of((self._state / "attempts" / item.id / "output").read_bytes())
        except OSError:
            return ()

    def _artefact(self, digest: str) -> bytes:
        """Read an artefact; one that is damaged must not cost the reader the rest of the page."""
        if not digest:
            return b""
        try:
            return self.store.get(digest)
        except LedgerError as error:
            return f"[{error}]".encode()


def _changed_utc(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _words(content: bytes) -> str:
    return content[:PATCH_BYTES].decode("utf-8", "surrogateescape")


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - TAIL_BYTES, 0))
            return file.read()
    except OSError:
        return b""
