"""Anybody's run records as the estimators take them, and every mistake in them with its line.

The names are those of the public time-horizon data: `alias` (the agent), `task_id`, `task_family`, `run_id`,
`human_minutes`, `score_binarized`. Two more are our own, both properties of a task that were known before the run:
`chain_steps` (actions that it needs) and `files_touched` (files that its reference changes). Nothing is repaired in
silence: what cannot be used is an error with its line, and a rule that was applied is a note with its count.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from math import inf, nan
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from reeve.errors import InputError, LocatedError
from reeve.policy.rows import Row, read_rows
from reeve.stats.runs import Floats, Runs, distinct
from reeve.units import plural

__all__ = ["RunRecords", "read_runs"]

AGENT, TASK, FAMILY, RUN, MINUTES = "alias", "task_id", "task_family", "run_id", "human_minutes"
RELEASED, SUITE = "release_date", "task_source"
CHAIN, FILES = "chain_steps", "files_touched"
NAMES = (AGENT, TASK, FAMILY, RELEASED, SUITE)
SCORES = ("score_binarized", "score_cont", "score")
"""What says how a run went: the first of these that the first run has."""

TRUTH = {"true": 1.0, "false": 0.0}
BLOCK_ROWS = 500  # more at a time, and the garbage collector looks through them again and again
SHOWN_NAMES, MOST_SHOWN = 6, 100


@dataclass(frozen=True, slots=True)
class RunRecords:
    """The runs of a file, and what the file says beside them.

    `released` are the release dates of those agents that have one; `suites` is the suite of each task, empty where the
    file names none. `notes` are the rules that were applied, each with how many runs it changed.
    """

    runs: Runs
    released: Mapping[str, date]
    suites: Mapping[str, str]
    chain_steps: Mapping[str, float]
    files_touched: Mapping[str, float]
    notes: tuple[str, ...]


def read_runs(
    path: Path, progress: Callable[[int], None] = lambda _: None, *, minutes_needed: bool = True
) -> RunRecords:
    """Read all runs of a file; `progress` is told now and then how many there are so far.

    Where human minutes are not needed, a file may be without: each run then has one minute, which means nothing.
    Raises LocatedError with the line of what cannot be used, InputError where there is no such file or no run in it.
    """
    columns = _Columns(str(path))
    rows = read_rows(path)
    while block := list(islice(rows, BLOCK_ROWS)):
        columns.add(block)
        progress(len(columns.lines))
    if not columns.lines:
        raise InputError(f"reading {str(path)!r}: there is no run in it")
    if not minutes_needed and columns.empty(MINUTES):
        columns.cells[MINUTES] = [1.0] * len(columns.lines)
    return _judged(columns)


@dataclass
class _Columns:
    """Cells column by column, as they stand in the file."""

    shown: str
    lines: list[int] = field(default_factory=list)
    cells: dict[str, list[Any]] = field(default_factory=dict)
    score: str = ""
    first: tuple[str, ...] = ()  # the names that the first run has
    _texts: dict[str, str] = field(default_factory=dict)

    def add(self, block: Sequence[tuple[Row, int]]) -> None:
        """Add rows with their lines."""
        if not self.lines:
            self.first = tuple(block[0][0])
            self.score = next((key for key in SCORES if key in self.first), SCORES[0])
            self.cells = {key: [] for key in (*NAMES, RUN, MINUTES, CHAIN, FILES, self.score)}
        once = self._texts.setdefault  # a million rows hold few names: each is kept once
        for key, cells in self.cells.items():
            found = [row.get(key) for row, _ in block]
            if key in NAMES:
                found = [once(cell, cell) if type(cell) is str else cell for cell in found]
            cells.extend(found)
        self.lines += [line for _, line in block]

    def refuse(self, row: int, message: str) -> NoReturn:
        raise LocatedError(message, file=self.shown, line=self.lines[row])

    def empty(self, key: str) -> bool:
        """The file says nothing under this name."""
        return not any(cell is not None for cell in self.cells[key])

    def names(self, key: str) -> list[str]:
        """Give a column of names; whole numbers are names too."""
        cells = self.cells[key]
        if set(map(type, cells)) == {str} and "" not in cells:
            return cells
        for row, cell in enumerate(cells):
            if type(cell) not in (str, int) or cell == "":
                self.refuse(row, f"{key} must be a name, {_found(cell)}")
        return [str(cell) for cell in cells]

    def require(self, *keys: str) -> None:
        """Refuse a file that does not have a name that is needed, and say what names it has."""
        missing = [key for key in keys if self.empty(key) and key not in self.first]
        if missing:
            found = ", ".join(map(repr, self.first[:SHOWN_NAMES])) + (", ..." if len(self.first) > SHOWN_NAMES else "")
            needed = f"run records have {AGENT}, {TASK}, {MINUTES} and {SCORES[0]}"
            self.refuse(0, f"no run has {' or '.join(missing)}: {needed}; found {_cut(found) or 'nothing'}")

    def numbers(self, key: str, good: Callable[[Floats], Any], must: str) -> Floats:
        """Give a column of numbers that are finite and `good`; text that spells a number is one, as in CSV."""
        cells = self.cells[key]
        plain = set(map(type, cells)) == {float}
        read = _score if key in SCORES else _number
        found = np.array(cells if plain else [read(cell) for cell in cells], dtype=np.float64)
        bad = np.flatnonzero(~(np.isfinite(found) & good(found)))
        if len(bad):
            more = f"; {plural(len(bad) - 1, 'later run')} like it" if len(bad) > 1 else ""
            self.refuse(int(bad[0]), f"{key} must be {must}, {_found(cells[bad[0]])}{more}")
        return found


def _number(cell: Any) -> float:
    """Make a number of a cell; NaN, which is refused with its line, of all that is none."""
    try:
        return nan if type(cell) is bool or (type(cell) is str and "_" in cell) else float(cell)
    except (TypeError, ValueError, OverflowError):
        return nan


def _score(cell: Any) -> float:
    """Make a score of a cell, which may say true or false too."""
    if type(cell) is bool:
        return float(cell)
    return TRUTH[cell.lower()] if type(cell) is str and cell.lower() in TRUTH else _number(cell)


def _found(cell: Any) -> str:
    return "but is missing" if cell is None else f"found {_cut(repr(cell))}"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


# ---------------------------------------------------------------- judging


def _judged(columns: _Columns) -> RunRecords:
    """Make runs of columns; the first bad line of the first bad column ends it."""
    columns.require(AGENT, TASK, MINUTES, columns.score)
    agent, task = columns.names(AGENT), columns.names(TASK)
    minutes = columns.numbers(MINUTES, lambda found: found > 0, "a number above 0")
    score = columns.numbers(columns.score, lambda found: (found >= 0) & (found <= 1), "a number from 0 to 1")
    notes: list[str] = []
    family = _families(columns, task, notes)
    released = {name: _date(columns, row, cell) for name, (cell, row) in _one_each(columns, agent, RELEASED).items()}
    suites = {name: _suite(columns, row, cell) for name, (cell, row) in _one_each(columns, task, SUITE).items()}
    chain_steps, files_touched = (_sizes(columns, task, key) for key in (CHAIN, FILES))
    kept = _kept(columns, agent, task, minutes, score, notes)
    if kept is not None:
        agent, task, family = ([names[row] for row in kept] for names in (agent, task, family))
        minutes, score = minutes[kept], score[kept]
    runs = Runs.of(agent, task, family, minutes, score)
    return RunRecords(runs, released, suites, chain_steps, files_touched, (*notes, *_rules(columns, runs)))


def _families(columns: _Columns, task: Sequence[str], notes: list[str]) -> Sequence[str]:
    if columns.empty(FAMILY):
        notes.append(f"no {FAMILY}: every task counts as a family of its own")
        return task
    family = columns.names(FAMILY)
    _one_each(columns, task, FAMILY)
    return family


def _one_each(columns: _Columns, owners: Sequence[str], key: str) -> dict[str, tuple[Any, int]]:
    """Give what a column says about each owner, with a row that says so; it may say one thing only."""
    said: dict[str, tuple[Any, int]] = {}
    if columns.empty(key):
        return said
    for row, (owner, cell) in enumerate(zip(owners, columns.cells[key], strict=True)):
        if cell is None:
            continue
        before, where = said.setdefault(owner, (cell, row))
        if cell != before:
            message = f"{key} of {owner!r} is {cell!r} here and {before!r} on line {columns.lines[where]}"
            columns.refuse(row, f"{message}; it must be one")
    return said


def _sizes(columns: _Columns, task: Sequence[str], key: str) -> dict[str, float]:
    """Give a size of each task that has one; what differs between runs of a task was not known before them."""
    found = {}
    for name, (cell, row) in _one_each(columns, task, key).items():
        found[name] = _number(cell)
        if not 0 < found[name] < inf:
            columns.refuse(row, f"{key} must be a number above 0, {_found(cell)}")
    return found


def _suite(columns: _Columns, row: int, cell: Any) -> str:
    if type(cell) not in (str, int) or cell == "":
        columns.refuse(row, f"{SUITE} must be a name, {_found(cell)}")
    return str(cell)


def _date(columns: _Columns, row: int, cell: Any) -> date:
    try:
        return datetime.fromisoformat(cell).date()
    except (TypeError, ValueError):
        columns.refuse(row, f"{RELEASED} must be a date like '2025-02-24', {_found(cell)}")


def _kept(
    columns: _Columns, agent: Sequence[str], task: Sequence[str], minutes: Floats, score: Floats, notes: list[str]
) -> list[int] | None:
    """Give the rows without those that stand a second time; None where all are kept."""
    runs = columns.cells[RUN]
    if columns.empty(RUN):
        notes.append(f"no {RUN}: a run that stands twice is not noticed")
        return None
    if len(set(runs)) == len(runs):
        return None
    first: dict[tuple[str, str, str], int] = {}
    again = []
    for row, key in enumerate(zip(agent, task, map(str, runs), strict=True)):
        before = first.setdefault(key, row)
        if before == row or runs[row] is None:
            continue
        if (minutes[row], score[row]) != (minutes[before], score[before]):
            where = f"line {columns.lines[before]}"
            columns.refuse(row, f"the run {key[2]!r} stands on {where} too, with another result; leave one of them out")
        again.append(row)
    if not again:
        return None
    notes.append(f"{plural(len(again), 'run')} that stood a second time, equal in all, counted once")
    left_out = set(again)
    return [row for row in range(len(runs)) if row not in left_out]


def _rules(columns: _Columns, runs: Runs) -> Iterator[str]:
    """Say which rules changed how runs count."""
    if columns.score != SCORES[0]:
        yield f"no {SCORES[0]}: {columns.score} says how a run went"
    parts = int(((runs.score > 0) & (runs.score < 1)).sum())
    if parts:
        yield f"{plural(parts, 'run')} with a score between 0 and 1: each counts as that part of a success"
    lengths, length = distinct(runs.minutes)
    pairs, _ = distinct(runs.task * len(lengths) + length)
    several = int((np.bincount(pairs // len(lengths)) > 1).sum())
    if several:
        yield f"{plural(several, 'task')} with more than one number of {MINUTES}: each run counts with its own"
