"""The ledger in one SQLite file, with artefacts as files named by their SHA-256 beside it."""

import hashlib
import json
import os
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import QueuePool

from reeve.errors import LedgerError
from reeve.ports import Fact

__all__ = ["SqliteStore"]

METADATA = MetaData()
FACTS = Table(
    "facts",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    Column("task", String, nullable=False),
    Column("at_utc", Float, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("kind", "key"),
    Index("facts_by_task", "task", "kind"),
    sqlite_autoincrement=True,
)
BUSY_MILLISECONDS = 30_000
LATE_SECONDS = 86400.0
"""A fact may be stored so much later than the time it carries: a request that went on for a day is unheard of."""

# Made once: building a statement costs more than running it.
APPEND = insert(FACTS)
READ = select(FACTS.c.kind, FACTS.c.key, FACTS.c.task, FACTS.c.body, FACTS.c.at_utc, FACTS.c.seq)
HIGHEST = select(func.max(cast(FACTS.c.key, Integer))).where(FACTS.c.kind == bindparam("kind"))
# The plus keeps the index of kinds out of it: what reads in the order of `seq` can stop early, and sorts nothing.
OF_KINDS = literal_column("+facts.kind", String).in_(bindparam("kinds", expanding=True))
READ_BACK = READ.where(OF_KINDS).order_by(FACTS.c.seq.desc())
TASKS = select(FACTS.c.task).where(FACTS.c.kind == "task").group_by(FACTS.c.task).order_by(func.min(FACTS.c.seq))
NEXT = (
    READ.where(FACTS.c.seq > bindparam("after"), OF_KINDS)
    .order_by(FACTS.c.seq)
    .limit(bindparam("at_most", type_=Integer))
)
OF_ATTEMPT = func.json_extract(FACTS.c.body, "$.attempt", type_=String)
SPENT = (
    select(
        OF_ATTEMPT,
        func.sum(func.json_extract(FACTS.c.body, "$.usd")),
        func.sum(func.json_extract(FACTS.c.body, "$.tokens")),
    )
    .where(FACTS.c.task == bindparam("task"), FACTS.c.kind == "request")
    .group_by(OF_ATTEMPT)
)
LAST = select(func.max(FACTS.c.seq))
READ_OF = READ.where(FACTS.c.task == bindparam("task"), FACTS.c.kind.in_(bindparam("kinds", expanding=True))).order_by(
    FACTS.c.seq
)
READ_ONE = READ.where(FACTS.c.kind == bindparam("kind"), FACTS.c.key == bindparam("key"))
READ_BY = {
    (by_kind, by_task): READ.where(
        FACTS.c.seq > bindparam("after"),
        *([FACTS.c.kind == bindparam("kind")] if by_kind else []),
        *([FACTS.c.task == bindparam("task")] if by_task else []),
    ).order_by(FACTS.c.seq)
    for by_kind in (False, True)
    for by_task in (False, True)
}


def _pragmas(connection: Any, _record: object) -> None:
    # NORMAL is durable against a killed process; after a power cut the last facts may be gone, and then their
    # steps are simply done again. FULL costs an fsync per fact.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_MILLISECONDS}", "cache_size=-8192"):
        connection.execute(f"PRAGMA {pragma}").close()


class SqliteStore:
    """Port Store on SQLite in WAL mode: many processes may read and write at once, on a local disk.

    Triggers refuse to change or delete a row: append-only is kept by the file and not by good manners.
    """

    def __init__(self, folder: Path, watch: Callable[[Fact], None] | None = None) -> None:
        self.folder = folder
        self.watch = watch
        self._artefacts = folder / "artefacts"
        self._lock = threading.Lock()
        self._artefacts.mkdir(parents=True, exist_ok=True)
        self._engine = self._open(folder / "ledger.db")

    @staticmethod
    def _open(path: Path) -> Engine:
        engine = create_engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=4, max_overflow=64)
        event.listen(engine, "connect", _pragmas)
        try:
            with engine.begin() as connection:
                METADATA.create_all(connection)
                for verb in ("UPDATE", "DELETE"):
                    connection.exec_driver_sql(
                        f"CREATE TRIGGER IF NOT EXISTS no_{verb.lower()} BEFORE {verb} ON facts "
                        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                    )
        except DatabaseError as error:
            raise LedgerError(
                f"opening the ledger {path}: {error.orig}; if the file is damaged, move it away and run again"
            ) from error
        return engine

    def append(self, fact: Fact) -> Fact:
        """Store a fact durably; the first one of a `(kind, key)` stays, and is returned."""
        row = {
            "kind": fact.kind,
            "key": fact.key,
            "task": fact.task,
            "at_utc": fact.at_utc,
            "body": json.dumps(fact.body, separators=(",", ":"), ensure_ascii=True),
        }
        try:
            with self._lock, self._engine.begin() as connection:
                seq = connection.execute(APPEND, row).inserted_primary_key
        except IntegrityError:
            return self._stored(fact)
        except DatabaseError as error:
            raise LedgerError(f"storing {fact.kind} {fact.key} in {self.folder / 'ledger.db'}: {error.orig}") from error
        stored = Fact(fact.kind, fact.key, fact.task, fact.body, fact.at_utc, int(seq[0]) if seq else 0)
        if self.watch is not None:
            self.watch(stored)
        return stored

    def _stored(self, fact: Fact) -> Fact:
        found = self.fact(fact.kind, fact.key)
        if found is None:
            raise LedgerError(f"storing {fact.kind} {fact.key}: refused, and not there either")
        return found

    def fact(self, kind: str, key: str) -> Fact | None:
        """Read one fact by its identity."""
        found = self._read(READ_ONE, {"kind": kind, "key": key})
        return found[0] if found else None

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        """Read facts in the order they were stored; `after` leaves out those up to that `seq`."""
        statement = READ_BY[kind is not None, task is not None]
        return self._read(statement, {"kind": kind, "task": task, "after": after})

    def highest(self, kind: str) -> int:
        """Return the highest key of a kind whose keys are numbers; 0: there is none."""
        with self._reading() as connection:
            return connection.execute(HIGHEST, {"kind": kind}).scalar() or 0

    def last(self) -> int:
        """Return the `seq` of the newest fact; 0: there is none."""
        with self._reading() as connection:
            return connection.execute(LAST).scalar() or 0

    def tasks(self) -> Sequence[str]:
        """Name all tasks, in the order in which they came."""
        with self._reading() as connection:
            return list(connection.execute(TASKS).scalars())

    def next_facts(self, kinds: Sequence[str], after: int, at_most: int) -> tuple[Sequence[Fact], int]:
        """Read the next facts of some kinds after a `seq`, at most so many, and say how far it read."""
        values = {"kinds": list(kinds), "after": after, "at_most": at_most}
        with self._reading() as connection:
            last = connection.execute(LAST).scalar() or 0
            rows = connection.execute(NEXT, values).all()
        return _facts(rows), rows[-1][-1] if len(rows) == at_most else last

    def of(self, task: str, kinds: Sequence[str]) -> Sequence[Fact]:
        """Read the facts of one task of some kinds; those of others, however many, cost nothing."""
        return self._read(READ_OF, {"task": task, "kinds": list(kinds)})

    def spent(self, task: str) -> Mapping[str, tuple[float | None, int]]:
        """Add up dollars and tokens of the requests of each attempt at a task; None: no price is known."""
        with self._reading() as connection:
            rows = connection.execute(SPENT, {"task": task}).all()
        return {str(attempt): (usd, int(tokens or 0)) for attempt, usd, tokens in rows}

    def since(self, kinds: Sequence[str], at_utc: float) -> Sequence[Fact]:
        """Read facts of some kinds from a time on, the newest first; reads no further back than it must."""
        found = []
        with self._reading() as connection:
            rows = connection.execution_options(yield_per=256).execute(READ_BACK, {"kinds": list(kinds)})
            for kind, key, task, body, at, seq in rows:
                if at < at_utc - LATE_SECONDS:
                    break
                if at >= at_utc:
                    found.append(Fact(kind, key, task, json.loads(body), at, seq))
        return found

    def _read(self, statement: Select[Any], values: Mapping[str, object]) -> Sequence[Fact]:
        with self._reading() as connection:
            rows = connection.execute(statement, values).all()
        return _facts(rows)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise LedgerError(f"reading the ledger {self.folder / 'ledger.db'}: {error.orig}") from error

    def put(self, content: bytes) -> str:
        """Store an artefact, compressed, under the SHA-256 of its content; storing it twice is one file."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if path.exists():
            return digest
        try:
            path.parent.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(zlib.compress(content, 1))
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).rename(path)
        except OSError as error:
            raise LedgerError(f"storing an artefact of {len(content)} bytes in {self._artefacts}: {error}") from error
        return digest

    def get(self, digest: str) -> bytes:
        """Read an artefact; raises LedgerError if it is missing, or if its content is not what its name says."""
        try:
            content = zlib.decompress(self._path(digest).read_bytes())
        except (OSError, zlib.error) as error:
            raise LedgerError(f"reading the artefact {digest}: {error}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise LedgerError(f"reading the artefact {digest}: its content was changed")
        return content

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise LedgerError(f"reading an artefact: {digest!r} is no SHA-256")
        return self._artefacts / digest[:2] / digest[2:]

    def close(self) -> None:
        """Close all connections; a closed store opens them again when it is used."""
        self._engine.dispose()


def _facts(rows: Iterable[Any]) -> list[Fact]:
    return [Fact(kind, key, task, json.loads(body), at, seq) for kind, key, task, body, at, seq in rows]
