"""Write drill tasks where others can take them up: SWE-bench rows, and beside them a repository with their bases.

A base that is a commit of the person's repository keeps its id, though nothing before it comes along: it is listed as
the end of a shallow clone. A base with an injected defect becomes a commit of its own.
"""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pygit2

from reeve.adapters.trees.gitrun import clean_env, git
from reeve.adapters.trees.objects import GitObjects, isolate
from reeve.errors import InputError, RepositoryError
from reeve.records import Task
from reeve.task.rows import row_of

__all__ = ["OWNER", "export_rows"]

OWNER = "drill"
MAKER = "reeve <reeve@localhost> 946684800 +0000"  # 2000-01-01: the same defect has the same commit everywhere


def export_rows(
    objects: GitObjects, repo: Path, tasks: Sequence[tuple[Task, str, str, Sequence[str]]], file: Path
) -> Path:
    """Write the rows of tasks, given with base tree, solution tree and passing tests; returns the repository.

    It stands beside the file, under the name that the SWE-bench reader looks for. Raises InputError where one of them
    cannot be written, RepositoryError where a base cannot be read.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", repo.name).strip("-.") or "repository"
    clone = file.absolute().parent.resolve() / f"{OWNER}__{name}"
    isolate()
    try:
        made = _repository(clone)
        rows = [_row(objects, repo, made, name, *each) for each in tasks]
        _shallow(clone, made)
        _write(file, "".join(f"{json.dumps(row)}\n" for row in rows))
    except OSError as error:
        raise InputError(f"exporting to {str(file)!r}: {error.strerror or error}") from error
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise RepositoryError(f"exporting to {str(file)!r}: {error}") from error
    return clone


def _repository(clone: Path) -> pygit2.Repository:
    if clone.exists() and not ((clone / "HEAD").is_file() and (clone / "refs").is_dir()):
        raise InputError(f"exporting: {str(clone)!r} is there and is no bare repository; move it away")
    return pygit2.init_repository(str(clone), bare=True)


def _row(
    objects: GitObjects,
    repo: Path,
    made: pygit2.Repository,
    name: str,
    task: Task,
    base_tree: str,
    solution_tree: str,
    passing: Sequence[str],
) -> dict[str, object]:
    commit, at_utc = _base(objects, repo, made, task, base_tree)
    made.references.create(f"refs/heads/{task.id}", commit, force=True)
    patch = objects.diff(base_tree, solution_tree).decode("utf-8", "surrogateescape")
    return row_of(task, repo=f"{OWNER}/{name}", base_commit=commit, patch=patch, passing=passing, created_at_utc=at_utc)


def _base(objects: GitObjects, repo: Path, made: pygit2.Repository, task: Task, base_tree: str) -> tuple[str, float]:
    """Bring the base commit of a task into the repository; returns its id and its time."""
    commit = task.base
    kind, data = pygit2.Repository(str(repo)).read(pygit2.Oid(hex=commit))
    if not task.planted:
        objects.repository.write(kind, data)
    else:
        commit = objects.commit(base_tree, (), f"{task.id}\n", author=MAKER, committer=MAKER)
    git(
        ["unpack-objects", "-q"],  # not strict: the parents of a base stay where they are
        env=clean_env(GIT_DIR=made.path),
        doing=f"exporting the base of {task.id}",
        stdin=objects.pack([commit]),
    )
    at_utc = re.search(rb"^committer .* (\d+) [+-]\d{4}$", data, re.MULTILINE)
    return commit, float(at_utc[1]) if at_utc else 0.0


def _shallow(clone: Path, made: pygit2.Repository) -> None:
    """List the commits whose parents are not here, as git does in a shallow clone."""
    ends = set()
    for reference in made.references.iterator():
        commit = reference.peel(pygit2.Commit)
        if commit.parent_ids:
            ends.add(str(commit.id))
    if ends:
        (clone / "shallow").write_text("".join(f"{end}\n" for end in sorted(ends)))


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, file)
