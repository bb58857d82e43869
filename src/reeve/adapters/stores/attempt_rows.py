"""The rows of all attempts in a file beside the ledger: a page shows fifty of a million at once.

Written anew as a whole by whoever counts over the whole ledger, and put in the place of the one before, so that a
reader sees the one or the other. It is a cache; delete it at any time.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path

from reeve.errors import InputError, LedgerError
from reeve.ledger.attempt_rows import FIGURES, AttemptPage, AttemptRow, RowsWanted

__all__ = ["AttemptRows"]

FILE = "attempts.db"
WHOSE = ("agent", "version", "kind", "repository", "configuration")
OWN = tuple(field.name for field in fields(AttemptRow) if field.name not in WHOSE)
FLAGS = tuple(field.name for field in fields(AttemptRow) if field.type is bool)
COLUMNS = ", ".join(f'"{name}"' for name in OWN)  # some are words of SQL
MARKS = ", ".join("?" * (len(OWN) + 1))

CONDITIONS: Mapping[str, str] = {
    "attempts": "id > 0",
    **{outcome: f"outcome = '{outcome}'" for outcome in ("passed", "failed", "declined", "unverified")},
    "judged": "first",
    "timed": "first AND human_minutes > 0",
    **{flag: flag for flag in ("landed", "unseen", "decided", "integrity")},
    "escapes": '"escape"',
    "surplus": "surplus_lines > 0",
    "audits": "stream = 'uniform' AND found != ''",
    "unseen-audits": "stream = 'uniform' AND found != '' AND NOT looked_at_before",
    "suspicious": "stream = 'suspicion'",
    "before": "looked_at_before",
    "wrong": "found = 'wrong'",
    "waiting": "stream = 'uniform' AND found = ''",
}


class AttemptRows:
    """The file of one ledger, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def writing(self) -> Iterator[Callable[[Iterable[AttemptRow]], None]]:
        """Write all of them anew: give what adds some; they are there when the block has ended.

        Raises LedgerError where the file cannot be written.
        """
        descriptor, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=self._folder)
        os.close(descriptor)
        try:
            with closing(sqlite3.connect(name, isolation_level=None)) as connection:
                for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN"):
                    connection.execute(statement)
                connection.execute(f"CREATE TABLE rows (id INTEGER PRIMARY KEY, who INTEGER NOT NULL, {COLUMNS})")
                owners: dict[tuple[object, ...], int] = {}
                add = f"INSERT INTO rows (who, {COLUMNS}) VALUES ({MARKS})"  # noqa: S608 - names of fields alone
                yield lambda rows: connection.executemany(add, (_plain(row, owners) for row in rows)).close()
                _finish(connection, owners)
            os.replace(name, self._folder / FILE)
        except sqlite3.Error as error:
            raise LedgerError(f"writing {self._folder / FILE}: {error}") from error
        finally:
            with suppress(OSError):
                os.unlink(name)

    def page(self, wanted: RowsWanted, *, before: int | None = None, at_most: int = 50) -> AttemptPage:
        """Read rows that fit, the newest first; none where nothing was written yet.

        Raises InputError for a figure that there is not.
        """
        if wanted.of not in CONDITIONS:
            raise InputError(f"no figure is called {wanted.of!r}; there are {', '.join(FIGURES)}")
        path = self._folder / FILE
        if not path.exists():
            return AttemptPage((), 0, None)
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                return _page(connection, wanted, 1 << 62 if before is None else before, at_most)
        except sqlite3.Error as error:
            raise LedgerError(f"reading {path}: {error}") from error


def _finish(connection: sqlite3.Connection, owners: Mapping[tuple[object, ...], int]) -> None:
    """Add whose the rows are, and for each figure its counts and two indexes: of one owner, and of all."""
    connection.execute(f"CREATE TABLE who (id INTEGER PRIMARY KEY, {', '.join(WHOSE)})")
    connection.executemany("INSERT INTO who VALUES (?, ?, ?, ?, ?, ?)", [(id_, *who) for who, id_ in owners.items()])
    connection.execute("CREATE TABLE counts (figure, who, count)")
    for figure, condition in CONDITIONS.items():
        index = figure.replace("-", "_")
        connection.execute(f"CREATE INDEX one_{index} ON rows (who) WHERE {condition}")
        connection.execute(f"CREATE INDEX all_{index} ON rows (id) WHERE {condition}")
        count = f"INSERT INTO counts SELECT ?, who, count(*) FROM rows WHERE {condition} GROUP BY who"  # noqa: S608
        connection.execute(count, (figure,))
    connection.execute("COMMIT")


def _page(connection: sqlite3.Connection, wanted: RowsWanted, before: int, at_most: int) -> AttemptPage:
    values = {name: _text(getattr(wanted, name)) for name in WHOSE if getattr(wanted, name)}
    whose = " AND ".join(f"{name} = :{name}" for name in values) or "1"
    owners = {id_: who for id_, *who in connection.execute(f"SELECT * FROM who WHERE {whose}", values)}  # noqa: S608
    ids = ", ".join(map(str, owners))  # numbers that this file has given
    (total,) = connection.execute(
        f"SELECT coalesce(sum(count), 0) FROM counts WHERE figure = ? AND who IN ({ids})",  # noqa: S608
        (wanted.of,),
    ).fetchone()
    index = f"{'one' if len(owners) == 1 else 'all'}_{wanted.of.replace('-', '_')}"
    rows = connection.execute(
        f"SELECT id, who, {COLUMNS} FROM rows INDEXED BY {index} "  # noqa: S608
        f"WHERE ({CONDITIONS[wanted.of]}) AND who {f'= {ids}' if len(owners) == 1 else f'IN ({ids})'} AND id < ? "
        "ORDER BY id DESC LIMIT ?",
        (before, at_most + 1),
    ).fetchall()
    more = rows[at_most - 1][0] if len(rows) > at_most else None
    return AttemptPage(tuple(_row(owners[who], own) for _, who, *own in rows[:at_most]), total, more)


def _plain(row: AttemptRow, owners: dict[tuple[object, ...], int]) -> tuple[object, ...]:
    who = tuple(_text(getattr(row, name)) for name in WHOSE)
    return owners.setdefault(who, len(owners) + 1), *(_text(getattr(row, name)) for name in OWN)


def _text(value: object) -> object:
    """Give a name that is no UTF-8 a form that the file can hold."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _row(who: Sequence[object], own: Sequence[object]) -> AttemptRow:
    found = dict(zip(WHOSE, who, strict=True)) | dict(zip(OWN, own, strict=True))
    return AttemptRow(**found | {name: bool(found[name]) for name in FLAGS})  # type: ignore[arg-type]
