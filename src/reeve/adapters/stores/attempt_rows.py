"""The rows of all attempts in a file beside the ledger: a page shows fifty of a million at once.

Written anew as a whole by whoever counts over the whole ledger, and put in the place of the one before, so that a
reader sees the one or the other. It is a cache; delete it at any time.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, fields
from pathlib import Path

from reeve.errors import InputError, LedgerError
from reeve.ledger.attempt_rows import FIGURES, AttemptPage, AttemptRow, RowsWanted

__all__ = ["AttemptRows"]

FILE = "attempts.db"
NAMES = tuple(field.name for field in fields(AttemptRow))
FLAGS = tuple(field.name for field in fields(AttemptRow) if field.type is bool)
COLUMNS = ", ".join(f'"{name}"' for name in NAMES)  # some are words of SQL
WHOSE = ("agent", "version", "kind", "repository", "configuration")

CONDITIONS: Mapping[str, str] = {
    "attempts": "1",
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
        marks = ", ".join("?" * len(NAMES))
        try:
            with closing(sqlite3.connect(name, isolation_level=None)) as connection:
                for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN"):
                    connection.execute(statement)
                # Nothing but the names of fields stands in these statements.
                connection.execute(f"CREATE TABLE rows (id INTEGER PRIMARY KEY, {COLUMNS})")
                add = f"INSERT INTO rows ({COLUMNS}) VALUES ({marks})"  # noqa: S608
                yield lambda rows: connection.executemany(add, map(_plain, rows)).close()
                connection.execute("CREATE INDEX by_agent ON rows (agent, version)")
                connection.execute("COMMIT")
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
        values = {name: str(getattr(wanted, name)) for name in WHOSE if getattr(wanted, name)}
        where = " AND ".join([f"({CONDITIONS[wanted.of]})", *(f"{name} = :{name}" for name in values)])
        bound = {name: _text(value) for name, value in values.items()}
        path = self._folder / FILE
        if not path.exists():
            return AttemptPage((), 0, None)
        limits = {"before": 1 << 62 if before is None else before, "at_most": at_most + 1}
        listed = f"SELECT id, {COLUMNS} FROM rows WHERE {where} AND id < :before ORDER BY id DESC LIMIT :at_most"  # noqa: S608
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                ((total,),) = connection.execute(f"SELECT count(*) FROM rows WHERE {where}", bound)  # noqa: S608
                rows = connection.execute(listed, bound | limits).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"reading {path}: {error}") from error
        more = rows[at_most - 1][0] if len(rows) > at_most else None
        return AttemptPage(tuple(_row(values) for _, *values in rows[:at_most]), total, more)


def _plain(row: AttemptRow) -> tuple[object, ...]:
    return tuple(_text(value) if isinstance(value, str) else value for value in astuple(row))


def _text(value: str) -> str:
    """Give a name that is no UTF-8 a form that the file can hold."""
    return value.encode("utf-8", "backslashreplace").decode()


def _row(values: list[object]) -> AttemptRow:
    found = dict(zip(NAMES, values, strict=True))
    return AttemptRow(**found | {name: bool(found[name]) for name in FLAGS})  # type: ignore[arg-type]
