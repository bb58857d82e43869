"""The adapters that a drill needs beside those of a run."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reeve.errors import InputError
from reeve.records import RepoSource, Task
from reeve.settings import Settings

if TYPE_CHECKING:
    from reeve.adapters.checks.injection import Injector
    from reeve.adapters.trees.history import History
    from reeve.durable.world import World

__all__ = ["export", "history_of", "injector", "package_repository"]

ARCHIVE_FILE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)-(\d[A-Za-z0-9._+!]*)\.(?:tar\.gz|tgz|zip|tar\.bz2|tar\.xz)")
PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9._+!-]*)")


def history_of(repo: Path, head: str, most: int) -> "History":
    """Read the newest commits of a repository up to a head."""
    from reeve.adapters.trees.history import read_history

    return read_history(repo, head, most)


def injector(settings: Settings, world: "World") -> "Injector":
    """Return what finds places for defects, on the parts of a world."""
    from reeve.adapters.checks.injection import Injector
    from reeve.adapters.trees.objects import GitObjects

    return Injector(world.sandbox, world.trees, GitObjects(settings.state / "objects.git"), world.stop.is_set)


def export(settings: Settings, repo: Path, tasks: Sequence[tuple[Task, str, str, Sequence[str]]], file: Path) -> Path:
    """Write tasks as SWE-bench rows with a repository of their bases beside them; returns that."""
    from reeve.adapters.trees.export import export_rows
    from reeve.adapters.trees.objects import GitObjects

    return export_rows(GitObjects(settings.state / "objects.git"), repo, tasks, file)


def package_repository(settings: Settings, wanted: str) -> Path:
    """Return a repository of a package: ``NAME==VERSION`` of the index, or a source archive in a file.

    Nothing of the package runs. Raises InputError for what is neither, RepositoryError where it cannot be had.
    """
    from reeve.adapters.trees.archive import archive_repository, download_archive, keep_archive

    cache, repos = settings.cache / "archives", settings.state / "repos"
    file = Path(wanted).expanduser()
    if file.is_file():
        found = ARCHIVE_FILE.fullmatch(file.name)
        if found is None:
            raise InputError(f"--package {wanted}: the file must be called NAME-VERSION.tar.gz or NAME-VERSION.zip")
        source = RepoSource(archive=f"{found[1]}=={found[2]}", sha256=keep_archive(file, cache))
        return archive_repository(source, repos, cache)
    pinned = PINNED.fullmatch(wanted)
    if pinned is None:
        raise InputError(f"--package {wanted}: neither NAME==VERSION, with an exact version, nor a file")
    there = sorted(repos.glob(f"{pinned[1]}-{pinned[2]}-????????"))
    if len(there) == 1:
        return there[0]  # of an earlier drill: the index is not asked again
    source = RepoSource(archive=wanted, sha256=download_archive(pinned[1], pinned[2], cache))
    return archive_repository(source, repos, cache)
