"""What set-up is derived from: files of a tree, read from the object store, so that no folder of it has to be made."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from reeve.adapters.trees.gittree import FOLDER, GITLINK, SYMLINK
from reeve.adapters.trees.objects import GitObjects, decoded

__all__ = ["MappingFiles", "SetupFiles", "TreeFiles"]


class SetupFiles(Protocol):
    """The files of one tree."""

    def read(self, path: str) -> bytes | None:
        """Read a regular file; None if there is none, links are not followed."""

    def names(self, folder: str) -> Sequence[tuple[str, bool]]:
        """List a folder, sorted, each name with whether it is a folder itself; "" is the top."""

    def any_suffix(self, suffixes: Collection[str]) -> bool:
        """Say whether a file outside of tests has one of these suffixes."""


class TreeFiles:
    """Files of a tree of our object store; what is known of a subtree is kept, since most trees share theirs."""

    _found: dict[tuple[str, frozenset[str]], bool] = {}  # noqa: RUF012 - of objects that never change

    def __init__(self, objects: GitObjects, tree: str) -> None:
        self._objects = objects
        self._tree = tree

    def read(self, path: str) -> bytes | None:
        """Read a regular file; None if there is none, links are not followed."""
        folder, _, name = path.rpartition("/")
        tree = self._subtree(folder)
        entry = self._objects.entries(tree).get(name.encode()) if tree else None
        if entry is None or entry.mode in (FOLDER, GITLINK, SYMLINK):
            return None
        return self._objects.read_blob(entry.oid)

    def names(self, folder: str) -> Sequence[tuple[str, bool]]:
        """List a folder, sorted, each name with whether it is a folder itself."""
        tree = self._subtree(folder)
        entries = self._objects.entries(tree) if tree else {}
        return sorted((decoded(name), entry.mode == FOLDER) for name, entry in entries.items())

    def any_suffix(self, suffixes: Collection[str]) -> bool:
        """Say whether a file outside of tests has one of these suffixes."""
        return self._any(self._tree, frozenset(suffixes))

    def _any(self, tree: str, suffixes: frozenset[str]) -> bool:
        known = self._found.get((tree, suffixes))
        if known is None:
            known = self._found[tree, suffixes] = any(
                self._any(entry.oid, suffixes) if entry.mode == FOLDER else _suffix(decoded(name)) in suffixes
                for name, entry in self._objects.entries(tree).items()
                if b"test" not in name and entry.mode != GITLINK
            )
        return known

    def _subtree(self, folder: str) -> str | None:
        tree = self._tree
        for part in PurePosixPath(folder).parts:
            entry = self._objects.entries(tree).get(part.encode())
            if entry is None or entry.mode != FOLDER:
                return None
            tree = entry.oid
        return tree


class MappingFiles:
    """The fake: files by path."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes | None:
        """Read a file; None if there is none."""
        return self._files.get(path)

    def names(self, folder: str) -> Sequence[tuple[str, bool]]:
        """List a folder, sorted, each name with whether it is a folder itself."""
        top = folder + "/" if folder else ""
        rest = [path.removeprefix(top) for path in self._files if path.startswith(top)]
        return sorted({(path.partition("/")[0], "/" in path) for path in rest})

    def any_suffix(self, suffixes: Collection[str]) -> bool:
        """Say whether a file outside of tests has one of these suffixes."""
        return any(_suffix(path) in suffixes and "test" not in path for path in self._files)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix
