"""What both kinds of trees have in common: folders of bases, and folders of workspaces below the state folder."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.bases import Bases
from reeve.adapters.trees.capture import Caps
from reeve.adapters.trees.folders import remove
from reeve.adapters.trees.objects import GitObjects
from reeve.errors import RepositoryError
from reeve.records import Workspace

__all__ = ["Workspaces"]


class Workspaces:
    """The part of port Trees that is the same whether a workspace is an overlay or a copy."""

    def __init__(self, root: Path, objects: GitObjects, caps: Caps | None = None) -> None:
        self.root = Path(root).absolute()
        self.objects = objects
        self.caps = caps or Caps()
        self.bases = Bases(self.root / "trees", objects)

    def checkout(self, tree: str) -> Path:
        """Return the immutable folder of a tree, made once."""
        return self.bases.make(tree) / "files"

    def drop(self, workspace: Workspace) -> None:
        """Remove the folders of a workspace; what else lies beside them (spec, output) stays. Twice is no error."""
        folder = Path(workspace.upper).parent
        for name in ("upper", "work", "delta", "out"):
            remove(folder / name)
        with suppress(OSError):
            folder.rmdir()

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every workspace but those named: what a maker that died left behind."""
        for folder in sorted((self.root / "attempts").glob("*")):
            if folder.name not in keep:
                remove(folder)

    def _new_folders(self, name: str, *names: str) -> Path:
        """Make the folders of one workspace below a private one; what an earlier one of that name left is removed."""
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise RepositoryError(f"{name!r} cannot be the name of a workspace; use letters, digits, '.', '-' and '_'")
        folder, owner = self.root / "attempts" / name, owner_of_trees()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for each in names:
            remove(folder / each)
            (folder / each).mkdir(mode=0o755)
            if owner:
                os.chown(folder / each, *owner)
        return folder
