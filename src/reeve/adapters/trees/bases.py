"""The immutable folders of trees, made once and shared by all workspaces."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees import gittree
from reeve.adapters.trees.folders import export, remove
from reeve.adapters.trees.gittree import Entry
from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.privategit import make_private_git
from reeve.errors import RepositoryError

__all__ = ["Bases"]

_NEAR = 500
"""A tree that differs from one on disk in at most so many paths is laid over it, not written out again."""


class Bases:
    """``<folder>/<tree id>/files`` is the tree, ``.../git`` holds its private `.git`; neither is ever changed."""

    def __init__(self, folder: Path, store: GitObjects) -> None:
        self.folder = Path(folder).absolute()
        self.store = store

    def made(self, tree: str) -> Path | None:
        """Return the folder of a tree if it is there."""
        folder = self.folder / tree
        return folder if folder.is_dir() else None

    def make(self, tree: str) -> Path:
        """Return the folder of a tree, made if need be; concurrent makers wait for the first."""
        if found := self.made(tree):
            return found
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked(tree):
            if found := self.made(tree):
                return found
            making = self.folder / f".making-{tree}"
            remove(making)  # of a maker that was killed
            try:
                self._fill(tree, making)
                os.rename(making, self.folder / tree)
            except OSError as error:
                with suppress(OSError):
                    remove(making)
                raise RepositoryError(
                    f"writing tree {tree[:10]} to {self.folder}: {error}; free some disk space"
                ) from error
        return self.folder / tree

    def _fill(self, tree: str, making: Path) -> None:
        owner = owner_of_trees()
        for name in ("files", "git"):
            (making / name).mkdir(parents=True, mode=0o755)
            if owner:
                os.chown(making / name, *owner)
        listing = export(self.store, tree, making / "files", owner)
        make_private_git(self.store, tree, listing, making / "git", owner)

    @contextmanager
    def _locked(self, tree: str) -> Iterator[None]:
        path = self.folder / f".lock-{tree}"
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)  # whoever waits on it looks for the folder first

    def nearest(self, tree: str) -> tuple[str, list[tuple[bytes, Entry | None, Entry | None]]] | None:
        """Find the tree on disk that differs least, with the difference; None if none is near."""
        best: tuple[str, list[tuple[bytes, Entry | None, Entry | None]]] | None = None
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                if name.startswith("."):
                    continue
                limit = len(best[1]) if best else _NEAR + 1
                found = list(islice(gittree.differing(self.store, name, tree), limit))
                if len(found) < limit:
                    best = name, found
        return best
