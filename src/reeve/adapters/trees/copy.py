"""Trees as full copies: the fall-back where the kernel refuses overlays, and for `--sandbox none`."""

import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.bases import Bases
from reeve.adapters.trees.capture import Caps, captured_copy
from reeve.adapters.trees.folders import copy_over
from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.overlay import drop_workspace, new_folders, sweep_workspaces
from reeve.records import Patch, Workspace

__all__ = ["CopyTrees"]


class CopyTrees:
    """Port Trees, below the state folder `root`; each workspace is a whole tree of its own."""

    def __init__(self, root: Path, objects: GitObjects, caps: Caps | None = None) -> None:
        self.root = Path(root).absolute()
        self.objects = objects
        self.caps = caps or Caps()
        self.bases = Bases(self.root / "trees", objects)

    def checkout(self, tree: str) -> Path:
        """Return the immutable folder of a tree, made once."""
        return self.bases.make(tree) / "files"

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh copy of a tree, with its private `.git` and the layers where the tree has nothing."""
        base = self.bases.make(tree)
        folder = new_folders(self.root, name, "upper", "work")
        for source in (base / "files", base / "git", *layers):
            copy_over(Path(source), folder / "upper", owner_of_trees())
        _mark(folder / "work" / "opened")
        return Workspace(name, "copy", (), str(folder / "upper"), str(folder / "work"))

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Compare the copy with its base; a file with an older change time (ctime, nobody can set it) is not read."""
        opened = os.lstat(Path(workspace.work) / "opened").st_ctime_ns
        made, refused = captured_copy(self.objects, workspace.upper, tree, self.caps, opened)
        return Patch(tree, made, self.objects.changes(tree, made), refused)

    def drop(self, workspace: Workspace) -> None:
        """Remove a workspace; removing it twice is no error."""
        drop_workspace(workspace)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every workspace but those named: what a maker that died left behind."""
        sweep_workspaces(self.root, keep)


def _mark(path: Path) -> None:
    """Make a file that is newer than everything before it: the clock of a file system ticks in steps."""
    path.touch()
    first = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == first:
        time.sleep(0.001)
        os.utime(path)
