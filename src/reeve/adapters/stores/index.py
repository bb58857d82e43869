"""The rows of all tasks, kept in a file beside the ledger so that a list of a million answers at once.

It is a cache and no record: every row is what `row_of` derives from the facts of its task, derived anew when a fact of
that task has come since. The file may be deleted at any time, and is made anew where the code that derives has changed.
"""

import hashlib
import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import reeve.ledger
import reeve.records
from reeve.adapters.stores.sqlite import SqliteStore
from reeve.errors import LedgerError
from reeve.ledger.codec import decode, encode
from reeve.ledger.inbox import InboxItem, inbox_order
from reeve.ledger.known import Answered, KnownAnswers, answer_of, answers_of
from reeve.ledger.plain import one_line
from reeve.ledger.row import Page, Row, Totals, read_row, row_of
from reeve.ledger.status import current
from reeve.ledger.views import VIEW_KINDS, FirstRound, first_round_from, judged_of
from reeve.ports import Fact
from reeve.records import Draw, Status

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
    judged INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    declined INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX rows_by_change ON rows (last_seq DESC);
CREATE INDEX rows_by_status ON rows (status, last_seq DESC);
CREATE INDEX rows_asking ON rows (cause, worth DESC, need, task) WHERE asks > 0;
CREATE INDEX rows_live ON rows (last_seq DESC) WHERE live > 0;
CREATE TABLE counts (status TEXT PRIMARY KEY, tasks INTEGER NOT NULL, attempts INTEGER NOT NULL, live INTEGER NOT NULL);
CREATE TABLE rounds (
    judged INTEGER NOT NULL, passed INTEGER NOT NULL, declined INTEGER NOT NULL, tasks INTEGER NOT NULL,
    PRIMARY KEY (judged, passed, declined)
);
CREATE TABLE audits (attempt TEXT PRIMARY KEY);
CREATE TABLE known (
    key TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    agent TEXT NOT NULL,
    version TEXT NOT NULL,
    known_answer TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX known_by_task ON known (task);
CREATE VIRTUAL TABLE words USING fts5 (task, title, tokenize = 'trigram');
"""
COLUMNS = "status, last_seq, live, asks, worth, need, cause, minutes, judged, passed, declined, body"
KINDS = (*VIEW_KINDS, "known")
WORTHLESS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""What SQLite says of a file that has to be made anew; a full disk is not cured by that."""
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
            return self._opened()
        except sqlite3.Error as error:
            if not _worthless(error):
                raise LedgerError(f"opening the index {self._path}: {error}") from error
        self._away()
        try:
            return self._opened()
        except sqlite3.Error as error:
            raise LedgerError(f"opening the index {self._path}: {error}") from error

    def _away(self) -> None:
        """Remove a file that cannot be read: a cache like that is worth nothing."""
        with suppress(OSError):
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-8192"):
            connection.execute(f"PRAGMA {pragma}").close()
        if not _is_ours(connection):
            connection.execute("BEGIN IMMEDIATE")
            if not _is_ours(connection):  # else another process was faster
                _make_anew(connection)
            connection.execute("COMMIT")
        return connection

    # ---------------------------------------------------------------- keeping

    def catch_up(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
        """Derive the rows of all tasks with new facts; returns the `seq` up to which they are right.

        `progress` is called with facts read and facts there. Raises LedgerError where the file cannot be written.
        """
        while self._store.last() != self._seq() or not self._believed:
            with self._writing() as connection:
                before = self._known_to(connection)
                new, seq = self._store.next_facts(KINDS, before, BATCH)
                self._take_in(connection, new)
                connection.execute("UPDATE meta SET seq = ?, mark = ?", (seq, self._store.mark(seq)))
            self._believed = True
            progress(seq, self._store.last())
        return self._seq()

    def _known_to(self, connection: sqlite3.Connection) -> int:
        """Say up to where the rows are right: nowhere, where they are those of a ledger that was here before."""
        ((seq, mark),) = connection.execute("SELECT seq, mark FROM meta")
        if seq == 0 or mark == self._store.mark(seq):
            return int(seq)
        _make_anew(connection)
        return 0

    def _take_in(self, connection: sqlite3.Connection, new: Sequence[Fact]) -> None:
        answered = {fact.task for fact in new if fact.kind == "known"}
        for task, facts in self._whole([fact for fact in new if fact.kind != "known"]):
            row = row_of(facts)
            _put(connection, task, row, facts[-1].seq, judged_of(current(facts)))
            if row is None:
                answered.add(task)
        for fact in new:
            _audit(connection, fact)
        for task in sorted(answered):
            self._answer(connection, task)

    def _answer(self, connection: sqlite3.Connection, task: str) -> None:
        """Say anew how a task with a known answer was answered, from all that there is of it."""
        made = self._store.facts(kind="known", task=task)
        facts = self._store.of(task, ("order", "decision")) if made else ()
        connection.execute("DELETE FROM known WHERE task = ?", (task,))
        for each in made:
            found = answer_of(each, facts)
            values = (each.key, task, found.agent, found.version, found.known_answer, found.answer)
            connection.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)", values)

    def _whole(self, new: Sequence[Fact]) -> Iterator[tuple[str, Sequence[Fact]]]:
        """Give all that counts of each task that the new facts are about.

        Nothing before the newest text of a task counts: where that is among the new facts, they are all there is, and
        reading a ledger for the first time is one walk through it instead of a question for each task.
        """
        found: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in new:
            found[fact.task].append(fact)
        # Tasks that are new here become rows in the order in which they came.
        for task, facts in sorted(found.items(), key=lambda item: _came(item[1])):
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

    def every(self) -> Iterator[Row]:
        """Give the rows of all tasks, in the order in which the tasks came; none of them is held."""
        last = 0
        while rows := self._read("SELECT id, body FROM rows WHERE id > ? ORDER BY id LIMIT 500", (last,)):
            yield from (_row(body) for _, body in rows)
            last = rows[-1][0]

    def newest(self, at_most: int) -> tuple[Row, ...]:
        """Read the rows whose facts are newest, in the order in which their tasks came."""
        found = self._read("SELECT id, body FROM rows ORDER BY last_seq DESC LIMIT ?", (at_most,))
        return tuple(_row(body) for _, body in sorted(found))

    def first_round(self) -> FirstRound:
        """Add up what the first rounds of all tasks gave."""
        rows = self._read("SELECT judged, passed, declined, tasks FROM rounds WHERE tasks > 0")
        return first_round_from({(judged, passed, declined): tasks for judged, passed, declined, tasks in rows})

    def known_answers(self) -> KnownAnswers:
        """Add up how tasks with a known answer were answered."""
        rows = self._read(
            "SELECT agent, version, known_answer, answer, COUNT(*) FROM known "
            "GROUP BY agent, version, known_answer, answer"
        )
        return answers_of({Answered(*words): tasks for *words, tasks in rows})

    def audits_waiting(self) -> int:
        """Count the results that landed without a look, were drawn, and have no answer."""
        ((number,),) = self._read("SELECT COUNT(*) FROM audits")
        return int(number)

    def asking(self) -> int:
        """Count the things that a person is asked about; one cause that holds up many tasks is one thing."""
        statement = (
            "SELECT COUNT(*) FILTER (WHERE cause = ''), COUNT(DISTINCT NULLIF(cause, '')) FROM rows WHERE asks > 0"
        )
        ((alone, together),) = self._read(statement)
        return int(alone + together)

    def needing(self, at_most: int) -> tuple[Row, ...]:
        """Read the rows of tasks that a person is asked about, most valuable first; none that shares its cause."""
        statement = "SELECT body FROM rows WHERE asks > 0 AND cause = '' ORDER BY worth DESC, need, task LIMIT ?"
        return tuple(_row(body) for (body,) in self._read(statement, (at_most,)))

    def held_up(self, at_most: int) -> tuple[tuple[Row, tuple[str, ...], float | None], ...]:
        """Read the causes that hold up tasks: the row of one, the ids of so many, the minutes by hand of all."""
        statement = "SELECT cause, SUM(minutes) FROM rows WHERE asks > 0 AND cause != '' GROUP BY cause"
        found = []
        for cause, minutes in self._read(statement):
            named = "SELECT task FROM rows WHERE asks > 0 AND cause = ? ORDER BY id LIMIT ?"
            tasks = tuple(each for (each,) in self._read(named, (cause, at_most)))
            row = self.row(tasks[0]) if tasks else None
            if row is not None:  # else it went on meanwhile
                found.append((row, tasks, minutes))
        return tuple(found)

    def inbox(self, at_most: int = 1 << 62) -> tuple[InboxItem, ...]:
        """List what needs a person, most valuable first; one cause that holds up many tasks is one thing."""
        items = [row.item for row in self.needing(at_most) if row.item]
        for row, tasks, minutes in self.held_up(at_most):
            if row.item:
                items.append(replace(row.item, tasks=tasks, human_minutes=minutes))
        return tuple(sorted(items, key=inbox_order)[:at_most])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._safely("reading"):
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._safely("writing"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with suppress(sqlite3.Error):  # what went wrong may have undone it already
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _safely(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _worthless(error):
                self._away()
            raise LedgerError(f"{doing} the index {self._path}: {error}; it may be deleted at any time") from error


def _version() -> str:
    """Name what derives rows by its own text: an index of other code is never believed."""
    folder = Path(str(reeve.ledger.__file__)).parent
    sources = [*sorted(folder.glob("*.py")), Path(str(reeve.records.__file__)), Path(__file__)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def _is_ours(connection: sqlite3.Connection) -> bool:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    return bool(known) and connection.execute("SELECT version FROM meta").fetchone() == (_version(),)


def _worthless(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in WORTHLESS


def _came(facts: Sequence[Fact]) -> int:
    return next((fact.seq for fact in facts if fact.kind == "task"), facts[0].seq)


def _make_anew(connection: sqlite3.Connection) -> None:
    for name in ("meta", "rows", "counts", "rounds", "audits", "known", "words"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in SCHEMA.strip().split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, 0, '')", (_version(),))


def _put(connection: sqlite3.Connection, task: str, row: Row | None, seq: int, judged: tuple[int, int, int]) -> None:
    asked_for = "SELECT id, body, judged, passed, declined FROM rows WHERE task = ?"
    before = connection.execute(asked_for, (task,)).fetchone()
    if before is not None:
        old = _row(before[1])
        _count(connection, old, before[2:], -1)
    if row is None:
        if before is not None:
            connection.execute("DELETE FROM rows WHERE id = ?", (before[0],))
            connection.execute("DELETE FROM words WHERE rowid = ?", (before[0],))
        return
    _count(connection, row, judged, 1)
    body = json.dumps(encode(row), separators=(",", ":"))
    order = inbox_order(row.item) if row.item else (0.0, 0, ())
    minutes = row.item.human_minutes if row.item else None
    asked = (int(row.item is not None), -order[0], order[1], row.environment, minutes)
    values = (row.status, seq, len(row.live), *asked, *judged, body)
    if before is None:
        statement = f"INSERT INTO rows ({COLUMNS}, task) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - our own
        number = connection.execute(statement, (*values, task)).lastrowid
        connection.execute("INSERT INTO words (rowid, task, title) VALUES (?, ?, ?)", (number, task, row.title))
        return
    changed = f"UPDATE rows SET ({COLUMNS}) = ({', '.join('?' * 12)}) WHERE id = ?"  # noqa: S608 - our own
    connection.execute(changed, (*values, before[0]))
    if old.title != row.title:
        connection.execute("UPDATE words SET title = ? WHERE rowid = ?", (row.title, before[0]))


def _audit(connection: sqlite3.Connection, fact: Fact) -> None:
    if fact.kind == "draw":
        draw = decode(Draw, fact.body)
        if draw.unseen and draw.audited:
            connection.execute("INSERT OR IGNORE INTO audits VALUES (?)", (draw.attempt,))
    elif fact.kind == "review":
        connection.execute("DELETE FROM audits WHERE attempt = ?", (fact.body["attempt"],))


def _count(connection: sqlite3.Connection, row: Row, judged: tuple[int, int, int], sign: int) -> None:
    connection.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT (status) DO UPDATE SET tasks = tasks + excluded.tasks, "
        "attempts = attempts + excluded.attempts, live = live + excluded.live",
        (row.status, sign, sign * row.attempts, sign * len(row.live)),
    )
    connection.execute(
        "INSERT INTO rounds VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks",
        (*judged, sign),
    )


def _found_by(text: str) -> tuple[str, str]:
    """Three letters or more are looked for anywhere; fewer would read everything, so they must begin the id."""
    if len(text) < SHORTEST_SEARCHED:
        return "task GLOB ?", "".join(f"[{each}]" if each in "*?[" else each for each in text) + "*"
    quoted = '"' + text.replace('"', '""') + '"'
    return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", quoted


def _row(body: object) -> Row:
    return read_row(json.loads(str(body)))
