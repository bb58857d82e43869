"""Which tasks the words of a command line mean."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reeve.errors import InputError
from reeve.records import ID, Task
from reeve.settings import Settings, task_defaults
from reeve.task import Backlog, pick, read_backlog, task_from_words
from reeve.task.build import sealed

__all__ = ["tasks_of"]


def tasks_of(
    words: Sequence[str], settings: Settings, *, checks: Sequence[str] = (), keep: Sequence[str] = ()
) -> Backlog:
    """Read the tasks that are meant: files and folders, ids of the backlog, or one instruction in words.

    No word means the backlog folder. Raises InputError for a word that is none of these.
    """
    if checks or keep:
        return Backlog((_from_words(words, settings, checks, keep),))
    paths = [Path(word) for word in words if Path(word).exists()]
    others = [word for word in words if not Path(word).exists()]
    ids = [word for word in others if ID.fullmatch(word)]
    spoken = [word for word in others if word not in ids]
    if spoken:
        return Backlog((_from_words(words, settings, (), ()),))
    found = Backlog()
    if paths or not words:
        found = read_backlog(paths or [_backlog(settings)], task_defaults(settings))
    if ids:
        known = read_backlog([_backlog(settings)], task_defaults(settings)).tasks
        there = {task.id for task in found.tasks}
        more = tuple(task for task in pick(known, ids) if task.id not in there)
        found = replace(found, tasks=found.tasks + more)
    return found


def _backlog(settings: Settings) -> Path:
    folder = settings.root / settings.backlog
    if not folder.exists():
        raise InputError(
            f"there is no backlog at {str(folder)!r}; `reeve init` makes one, or name a task or an instruction"
        )
    return folder


def _from_words(words: Sequence[str], settings: Settings, checks: Sequence[str], keep: Sequence[str]) -> Task:
    if len(words) != 1:
        raise InputError(
            f"one instruction is wanted, in quotes, found {len(words)} words: {' '.join(words)!r}; "
            'for example: reeve run "keep the first line" --check tests/test_parser.py::test_first_line'
        )
    if " " not in words[0].strip():
        raise InputError(f"{words[0]!r} is no task, file or folder; an instruction has more than one word, in quotes")
    task = task_from_words(words[0], checks, task_defaults(settings))
    if not keep:
        return task
    return sealed(replace(task, checks=replace(task.checks, keep=tuple(keep))), settings.root)
