"""A whole backlog: every file of a folder, every problem found before anything starts."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reeve.errors import InputError, TaskError
from reeve.ports import TaskReader
from reeve.records import Task
from reeve.task.build import Defaults
from reeve.task.located import nearest
from reeve.task.readers import readers, shown_path

__all__ = ["Backlog", "pick", "read_backlog"]


@dataclass(frozen=True, slots=True)
class Backlog:
    """The tasks in the order of their files, and a sentence for every file that was passed over."""

    tasks: tuple[Task, ...] = ()
    skipped: tuple[str, ...] = ()


def read_backlog(paths: Sequence[Path], defaults: Defaults) -> Backlog:
    """Read files and folders (sub-folders too, in sorted order); readers of installed packages are asked first.

    Raises TaskError for the only problem, or InputError with one line per problem: the first of every file, and
    every id that is given twice.
    """
    known = (*defaults.further, *readers(defaults))
    tasks: list[Task] = []
    skipped: list[str] = []
    problems: list[TaskError] = []
    for path, named in _files(paths, defaults.root):
        try:
            found = _read(path, known, defaults, named=named)
        except TaskError as error:
            problems.append(error)
            continue
        tasks += found or ()
        if found is not None and not found:
            skipped.append(f"{shown_path(path, defaults.root)}: skipped, a draft or empty")
    problems += _twice(tasks)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InputError("\n".join(str(problem) for problem in problems))
    return Backlog(tuple(tasks), tuple(skipped))


def pick(tasks: Sequence[Task], identifiers: Sequence[str]) -> tuple[Task, ...]:
    """Return the tasks of these ids; raises InputError with the nearest known id."""
    by_id = {task.id: task for task in tasks}
    for identifier in identifiers:
        if identifier not in by_id:
            raise InputError(f"no task has the id {identifier!r}{nearest(identifier, list(by_id))}")
    return tuple(by_id[identifier] for identifier in dict.fromkeys(identifiers))


def _files(paths: Sequence[Path], root: Path) -> Iterator[tuple[Path, bool]]:
    """Every file once, with whether it was named itself."""
    seen: set[Path] = set()
    for given in paths:
        path = given if given.is_absolute() else Path.cwd() / given
        if not path.exists():
            raise TaskError("no such file or folder", file=shown_path(path, root), line=1)
        for file in _below(path) if path.is_dir() else [path]:
            resolved = file.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield resolved, not path.is_dir()


def _below(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(current, name) for name in sorted(files) if not name.startswith("."))


def _read(path: Path, known: Sequence[TaskReader], defaults: Defaults, *, named: bool) -> Sequence[Task] | None:
    """The tasks of one file; None if no reader is for it, which is a mistake only where a person named the file."""
    shown = shown_path(path, defaults.root)
    try:
        reader = next((each for each in known if each.reads(path)), None)
    except OSError as error:
        raise TaskError(f"cannot be read: {error.strerror}", file=shown, line=1) from None
    if reader is None and named:
        raise TaskError(_no_reader(path, known), file=shown, line=1)
    return reader.read(path) if reader else None


def _no_reader(path: Path, known: Sequence[TaskReader]) -> str:
    kind = "not a file" if not path.is_file() else "no reader is for this file"
    return f"{kind}; there are readers for {', '.join(reader.name for reader in known)}"


def _twice(tasks: Sequence[Task]) -> Iterator[TaskError]:
    first: dict[str, Task] = {}
    for task in tasks:
        other = first.setdefault(task.id, task)
        if other is not task:
            file, _, line = task.source.rpartition(":")
            yield TaskError(f"id {task.id!r} is taken by {other.source}", file=file, line=int(line))
