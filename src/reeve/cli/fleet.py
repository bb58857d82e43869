"""Where all tasks stand, from the index beside the ledger; without one, from the ledger itself."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reeve.cli.output import safe, screen
from reeve.errors import LedgerError
from reeve.ledger.audits import Results
from reeve.ledger.known import KnownAnswers, known_answers
from reeve.ledger.row import Row
from reeve.ledger.views import VIEW_KINDS, FirstRound, Summary, counts, first_round, summaries
from reeve.ports import Store
from reeve.records import Status

if TYPE_CHECKING:
    from reeve.adapters.stores.index import LedgerIndex

__all__ = ["Fleet", "fleet_of", "indexed", "whole_ledger_instead"]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All tasks: `rows` are some of them, in the order in which they came, and `more` counts the others."""

    rows: tuple[Summary, ...]
    more: int
    counts: Mapping[Status, int]
    working: tuple[str, ...]  # tasks of that status
    first: FirstRound
    known: KnownAnswers
    audits: int  # that wait for a person


def fleet_of(store: Store, at_most: int | None) -> Fleet:
    """Say where all tasks stand; of more than `at_most` it lists those whose facts are newest. None: all."""
    with indexed(store) as index:
        if index is not None:
            try:
                return _from_index(index, at_most)
            except LedgerError as error:
                whole_ledger_instead(error)
    return _from_ledger(store, at_most)


@contextmanager
def indexed(store: Store) -> "Iterator[LedgerIndex | None]":
    """Open the index of a ledger and bring it up to date; None, with a note, where that cannot be.

    The first time takes one walk through the ledger, and says how far it is.
    """
    from reeve.adapters.stores.index import LedgerIndex
    from reeve.adapters.stores.sqlite import SqliteStore

    if not isinstance(store, SqliteStore):
        yield None
        return
    try:
        index = LedgerIndex(store)
    except LedgerError as error:
        whole_ledger_instead(error)
        yield None
        return
    with closing(index):
        yield index if _caught_up(index) else None


def _caught_up(index: "LedgerIndex") -> bool:
    console = screen(stderr=True)
    try:
        with console.status("reading the ledger") as shown:
            index.catch_up(lambda done, of: shown.update(f"reading the ledger: {done * 100 // max(of, 1)} %"))
    except LedgerError as error:
        whole_ledger_instead(error)
        return False
    return True


def whole_ledger_instead(error: LedgerError) -> None:
    """Tell a person why an answer takes its time."""
    screen(stderr=True).print(safe(f"Reading the whole ledger instead, which takes longer: {error}", "yellow"))


def _from_index(index: "LedgerIndex", at_most: int | None) -> Fleet:
    by_status = {status: each.tasks for status, each in index.totals().items()}
    tasks = sum(by_status.values())
    if at_most is None or tasks <= at_most:
        rows = tuple(map(_summary, index.every()))
    else:
        rows = tuple(map(_summary, index.newest(at_most)))
    working = tuple(row.task for row in index.live() if row.status is Status.WORKING)
    return Fleet(
        rows, tasks - len(rows), by_status, working, index.first_round(), index.known_answers(), index.audits_waiting()
    )


def _summary(row: Row) -> Summary:
    return Summary(row.task, row.status, row.attempts, row.commit, row.reason, row.spent_minutes)


def _from_ledger(store: Store, at_most: int | None) -> Fleet:
    rows = summaries(store)
    listed = rows
    if at_most is not None and len(rows) > at_most:
        newest: dict[str, int] = {}
        for kind in VIEW_KINDS:
            for fact in store.facts(kind=kind):
                newest[fact.task] = max(newest.get(fact.task, 0), fact.seq)
        kept = set(sorted((row.id for row in rows), key=newest.__getitem__)[-at_most:])
        listed = tuple(row for row in rows if row.id in kept)
    return Fleet(
        rows=listed,
        more=len(rows) - len(listed),
        counts=counts(rows),
        working=tuple(row.id for row in rows if row.status is Status.WORKING),
        first=first_round(store),
        known=known_answers(store),
        audits=Results(store).audits_waiting,
    )
