"""The rows of all tasks, kept in a file beside the ledger so that a list of a million answers at once.

It is a cache and no record: every row is what `row_of` derives from the facts of its task, derived anew when a fact of
that task has come since. The file may be deleted at any time, and is made anew where the code that derives has changed.
"""

import hashlib
import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import reeve.ledger
import reeve.records
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.errors import LedgerError
from reeve.ledger.codec import encode
from reeve.ledger.inbox import Need, inbox_order
from reeve.ledger.plain import one_line
from reeve.ledger.row import Page, Row, Totals, read_row, row_of
from reeve.ledger.views import VIEW_KINDS, Judged, Overview, first_rounds
from reeve.ports import Fact
from reeve.records import Status

__all__ = ["LedgerIndex"]

SCHEMA = """
CREATE TABLE meta (version TEXT NOT NULL, seq INTEGER NOT NULL, mark TEXT NOT NULL);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    live INTEGER NOT NULL,
    asks INTEGER NOT NULL,
    worth REAL NOT NULL,
    need INTEGER NOT NULL,
    cause TEXT NOT NULL,
    minutes REAL,
    until REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX rows_by_change ON rows (last_seq DESC);
CREATE INDEX rows_by_status ON rows (status, last_seq DESC);
CREATE INDEX rows_asking ON rows (cause, worth DESC, need, task) WHERE asks > 0;
CREATE INDEX rows_live ON rows (last_seq DESC) WHERE live > 0;
CREATE TABLE counts (status TEXT PRIMARY KEY, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL, live INTEGER NOT NULL);
CREATE TABLE first_rounds (
    passed INTEGER NOT NULL, wrong INTEGER NOT NULL, declined INTEGER NOT NULL, tasks INTEGER NOT NULL,
    PRIMARY KEY (passed, wrong, declined)
);
CREATE VIRTUAL TABLE words USING fts5 (task, title, tokenize = 'trigram');
"""
COLUMNS = "status, last_seq, live, asks, worth, need, cause, minutes, until, body"
SHORTEST_SEARCHED = 3
BATCH = 5_000
BUSY_SECONDS = 30.0


class LedgerIndex:
    """Rows of one ledger; any number of processes may keep and read the same file."""

    def __init__(self, store: SqliteStore, path: Path | None = None) -> None:
        self._store = store
        self._path = path or store.folder / "index.db"
        self._lock = threading.Lock()
        self._believed = False
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            try:
                return self._opened()
            except sqlite3.OperationalError:  # it is locked, or there is no place for it: it may be as good as ever
                raise
            except sqlite3.DatabaseError:
                # A cache that cannot be read is worth nothing: away with it.
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                return self._opened()
        except (sqlite3.DatabaseError, OSError) as error:
            raise LedgerError(f"opening the index {self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-8192"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute("BEGIN IMMEDIATE")
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if not known or connection.execute("SELECT version FROM meta").fetchone() != (_version(),):
            _make_anew(connection)
        connection.execute("COMMIT")
        return connection

    # ---------------------------------------------------------------- keeping

    def catch_up(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
        """Derive the rows of all tasks with new facts; returns the `seq` up to which they are right.

        `progress` is called with facts read and facts there. Raises LedgerError where the file cannot be written.
        """
        while self._store.last() != self._seq() or not self._believed:
            try:
                seq = self._step()
            except sqlite3.DatabaseError as error:
                raise LedgerError(f"keeping the index {self._path}: {error}") from error
            self._believed = True
            progress(seq, self._store.last())
        return self._seq()

    def _step(self) -> int:
        with self._writing() as connection:
            before = self._known_to(connection)
            new, seq = self._store.next_facts(VIEW_KINDS, before, BATCH)
            for task, facts in self._whole(new):
                _put(connection, task, row_of(facts), facts[-1].seq)
            connection.execute("UPDATE meta SET seq = ?, mark = ?", (seq, self._store.mark(seq)))
        return seq

    def _known_to(self, connection: sqlite3.Connection) -> int:
        """Say up to where the rows are right: nowhere, where they are those of a ledger that was here before."""
        ((seq, mark),) = connection.execute("SELECT seq, mark FROM meta")
        if seq == 0 or mark == self._store.mark(seq):
            return int(seq)
        _make_anew(connection)
        return 0

    def _whole(self, new: Sequence[Fact]) -> Iterator[tuple[str, Sequence[Fact]]]:
        """Give all that counts of each task that the new facts are about.

        Nothing before the newest text of a task counts: where that is among the new facts, they are all there is, and
        reading a ledger for the first time is one walk through it instead of a question for each task.
        """
        found: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in new:
            found[fact.task].append(fact)
        for task, facts in found.items():  # in the order in which they came
            begins = any(fact.kind == "task" for fact in facts)
            yield task, facts if begins else self._store.of(task, VIEW_KINDS)

    def _seq(self) -> int:
        ((seq,),) = self._read("SELECT seq FROM meta")
        return int(seq)

    # ---------------------------------------------------------------- reading

    def totals(self) -> dict[Status, Totals]:
        """Count by status, in the order of Status; a status without a task is left out."""
        rows = self._read("SELECT status, tasks, attempts, live FROM counts WHERE tasks > 0")
        found = {status: Totals(tasks, attempts, live) for status, tasks, attempts, live in rows}
        return {status: found[status] for status in Status if status in found}

    def overview(self, at_most: int | None = None) -> Overview:
        """Say what `reeve status` says, with at most so many rows; None: all, in the order in which the tasks came.

        Of more tasks than that, the rows are those whose facts are newest.
        """
        totals, first = self.totals(), self._read("SELECT passed, wrong, declined, tasks FROM first_rounds")
        tasks = sum(each.tasks for each in totals.values())
        if at_most is not None and tasks > at_most:
            rows: Iterable[Row] = self.page(at_most=at_most).rows
        else:
            rows = (_row(body) for (body,) in self._read("SELECT body FROM rows ORDER BY id"))
        drawn = self._read("SELECT COUNT(*) FROM rows WHERE asks > 0 AND need = ?", (list(Need).index(Need.AUDIT),))
        live = self._read("SELECT task FROM rows WHERE live > 0 AND status = ?", (Status.WORKING,))
        return Overview(
            rows=tuple(row.summary for row in rows),
            counts={status: each.tasks for status, each in totals.items()},
            first=first_rounds({Judged(*each): number for *each, number in first if number}),
            audits=int(drawn[0][0]),
            working=tuple(task for (task,) in live),
        )

    def page(
        self, *, statuses: Collection[Status] = (), text: str = "", before: int | None = None, at_most: int = 50
    ) -> Page:
        """Read rows, those first whose facts are newest; `text` is looked for in ids and titles."""
        where = ["last_seq < ?"]
        values: list[object] = [before if before is not None else 1 << 62]
        if statuses:
            where.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += [str(status) for status in statuses]
        if text := one_line(text):  # as ids and titles are shown
            condition, value = _found_by(text)
            where.append(condition)
            values.append(value)
        wanted = " AND ".join(where)  # of nothing but the words above; what is asked for goes in as values
        statement = f"SELECT last_seq, body FROM rows WHERE {wanted} ORDER BY last_seq DESC LIMIT ?"  # noqa: S608
        rows = self._read(statement, (*values, at_most + 1))
        more = rows[at_most - 1][0] if len(rows) > at_most else None
        return Page(tuple(_row(body) for _, body in rows[:at_most]), more)

    def row(self, task: str) -> Row | None:
        """Read the row of one task; None: there is none."""
        rows = self._read("SELECT body FROM rows WHERE task = ?", (task,))
        return _row(rows[0][0]) if rows else None

    def live(self) -> tuple[Row, ...]:
        """Read the rows of all tasks with attempts under way, the newest change first."""
        return tuple(
            _row(body) for (body,) in self._read("SELECT body FROM rows WHERE live > 0 ORDER BY last_seq DESC")
        )

    def asking(self, now_utc: float) -> int:
        """Count what a person is asked now; one cause that holds up many tasks is one thing."""
        alone = "SELECT COUNT(*) FROM rows WHERE asks > 0 AND cause = '' AND until <= ?"
        together = (
            "SELECT COUNT(*) FROM (SELECT 1 FROM rows WHERE asks > 0 AND cause != '' GROUP BY cause "
            "HAVING MAX(until) <= ?)"
        )
        return sum(int(self._read(statement, (now_utc,))[0][0]) for statement in (alone, together))

    def needing(self, at_most: int, now_utc: float) -> tuple[Row, ...]:
        """Read the rows of tasks that a person is asked about now, most valuable first; none that shares its cause."""
        statement = (
            "SELECT body FROM rows WHERE asks > 0 AND cause = '' AND until <= ? ORDER BY worth DESC, need, task LIMIT ?"
        )
        return tuple(_row(body) for (body,) in self._read(statement, (now_utc, at_most)))

    def deferred(self, at_most: int, now_utc: float) -> tuple[Row, ...]:
        """Read the rows of tasks that a person has put off, the next to return first; none that shares its cause."""
        statement = "SELECT body FROM rows WHERE asks > 0 AND cause = '' AND until > ? ORDER BY until, task LIMIT ?"
        return tuple(_row(body) for (body,) in self._read(statement, (now_utc, at_most)))

    def held_up(self, at_most: int) -> tuple[tuple[Row, tuple[str, ...], float | None], ...]:
        """Read the causes that hold up tasks: the row of one, the ids of so many, the minutes by hand of all.

        Where one of them is put off, the row is that of the one that is put off the longest.
        """
        statement = "SELECT cause, SUM(minutes) FROM rows WHERE asks > 0 AND cause != '' GROUP BY cause"
        found = []
        for cause, minutes in self._read(statement):
            named = "SELECT task FROM rows WHERE asks > 0 AND cause = ? ORDER BY task LIMIT ?"
            tasks = tuple(each for (each,) in self._read(named, (cause, at_most)))
            told = "SELECT task FROM rows WHERE asks > 0 AND cause = ? ORDER BY until DESC, task LIMIT 1"
            row = self.row(self._read(told, (cause,))[0][0]) if tasks else None
            if row is not None:  # else it went on meanwhile
                found.append((row, tasks, minutes))
        return tuple(found)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _version() -> str:
    """Name what derives rows by its own text: an index of other code is never believed."""
    folder = Path(str(reeve.ledger.__file__)).parent
    sources = [*sorted(folder.glob("*.py")), Path(str(reeve.records.__file__)), Path(__file__)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def _make_anew(connection: sqlite3.Connection) -> None:
    for name in ("meta", "rows", "counts", "first_rounds", "words"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in SCHEMA.strip().split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, 0, '')", (_version(),))


def _put(connection: sqlite3.Connection, task: str, row: Row | None, seq: int) -> None:
    before = connection.execute("SELECT id, body FROM rows WHERE task = ?", (task,)).fetchone()
    if before is not None:
        old = _row(before[1])
        _count(connection, old, -1)
    if row is None:
        if before is not None:
            connection.execute("DELETE FROM rows WHERE id = ?", (before[0],))
            connection.execute("DELETE FROM words WHERE rowid = ?", (before[0],))
        return
    _count(connection, row, 1)
    body = json.dumps(encode(row), separators=(",", ":"))
    order = inbox_order(row.item) if row.item else (0.0, 0, ())
    minutes = row.item.human_minutes if row.item else None
    until = (row.item.until_utc if row.item else None) or 0.0
    asked = (int(row.item is not None), -order[0], order[1], row.environment, minutes, until)
    values = (row.status, seq, len(row.live), *asked, body)
    if before is None:
        statement = f"INSERT INTO rows ({COLUMNS}, task) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own
        number = connection.execute(statement, (*values, task)).lastrowid
        connection.execute("INSERT INTO words (rowid, task, title) VALUES (?, ?, ?)", (number, task, row.title))
        return
    changed = f"UPDATE rows SET ({COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?"  # noqa: S608 - our own
    connection.execute(changed, (*values, before[0]))
    if old.title != row.title:
        connection.execute("UPDATE words SET title = ? WHERE rowid = ?", (row.title, before[0]))


def _count(connection: sqlite3.Connection, row: Row, sign: int) -> None:
    connection.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT (status) DO UPDATE SET tasks = tasks + excluded.tasks, "
        "attempts = attempts + excluded.attempts, live = live + excluded.live",
        (row.status, sign, sign * row.attempts, sign * len(row.live)),
    )
    if row.first is not None:
        connection.execute(
            "INSERT INTO first_rounds VALUES (?, ?, ?, ?) "
            "ON CONFLICT (passed, wrong, declined) DO UPDATE SET tasks = tasks + excluded.tasks",
            (row.first.passed, row.first.wrong, row.first.declined, sign),
        )


def _found_by(text: str) -> tuple[str, str]:
    """Three letters or more are looked for anywhere; fewer would read everything, so they must begin the id."""
    if len(text) < SHORTEST_SEARCHED:
        return "task GLOB ?", "".join(f"[{each}]" if each in "*?[" else each for each in text) + "*"
    quoted = '"' + text.replace('"', '""') + '"'
    return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", quoted


def _row(body: object) -> Row:
    return read_row(json.loads(str(body)))
