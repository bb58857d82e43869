"""The past of a person's repository, read through libgit2: no hook, filter or external diff of anybody runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import SortMode

from reeve.adapters.trees.objects import decoded, isolate
from reeve.errors import RepositoryError
from reeve.task.mined import Commit, FileChange

__all__ = ["History", "read_history"]

MOST_FILES = 200
"""Of one commit whose lines are counted: what changes more is too large for anything that is done with it."""


@dataclass(frozen=True, slots=True)
class History:
    """The newest commits up to a head, newest first; `shallow` says that the clone ends before the history does."""

    head: str
    commits: tuple[Commit, ...]
    shallow: bool


def read_history(repo: Path, head: str, most: int) -> History:
    """Read at most so many commits that a commit descends from; raises RepositoryError where that cannot be done."""
    isolate()
    try:
        repository = pygit2.Repository(str(repo))
        return History(head, tuple(_walk(repository, head, most)), repository.is_shallow)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise RepositoryError(f"reading the history of {str(repo)!r}: {error}") from error


def _walk(repository: pygit2.Repository, head: str, most: int) -> Iterator[Commit]:
    walker = repository.walk(pygit2.Oid(hex=head), SortMode.TOPOLOGICAL | SortMode.TIME)
    for _, commit in zip(range(most), walker, strict=False):
        parents = tuple(str(each) for each in commit.parent_ids)
        there = len(parents) == 1 and commit.parent_ids[0] in repository
        changes = tuple(_changes(repository, commit)) if there else ()
        known = parents if there or len(parents) > 1 else ()
        yield Commit(str(commit.id), known, int(commit.commit_time), _message(commit), changes)


def _message(commit: pygit2.Commit) -> str:
    return bytes(commit.raw_message).decode("utf-8", "replace")


def _changes(repository: pygit2.Repository, commit: pygit2.Commit) -> Iterator[FileChange]:
    difference = repository.diff(commit.parents[0], commit)
    many = len(difference) > MOST_FILES
    if not many:
        difference.find_similar()
    for number, delta in enumerate(difference.deltas):
        patch = None if many else difference[number]
        lines = sum(patch.line_stats[1:]) if patch is not None else 0
        old, new = (decoded(each.raw_path) for each in (delta.old_file, delta.new_file))
        kind = delta.status_char()
        yield FileChange(
            new, kind, lines, patch is not None and bool(patch.delta.is_binary), old if kind == "R" else ""
        )
