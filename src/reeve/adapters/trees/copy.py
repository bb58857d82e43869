"""Trees as full copies: the fall-back where the kernel refuses overlays, and for `--sandbox none`."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.capture import captured_copy
from reeve.adapters.trees.folders import copy_over
from reeve.adapters.trees.workspaces import Workspaces
from reeve.records import Patch, Workspace

__all__ = ["CopyTrees"]


class CopyTrees(Workspaces):
    """Port Trees, below the state folder `root`; each workspace is a whole tree of its own."""

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh copy of a tree, with its private `.git` and the layers where the tree has nothing."""
        base = self.bases.make(tree)
        folder = self._new_folders(name, "upper", "work")
        for source in (base / "files", base / "git", *layers):
            copy_over(Path(source), folder / "upper", owner_of_trees())
        _mark(folder / "work" / "opened")
        return Workspace(name, "copy", (), str(folder / "upper"), str(folder / "work"))

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Compare the copy with its base; a file with an older change time (ctime, nobody can set it) is not read."""
        opened = os.lstat(Path(workspace.work) / "opened").st_ctime_ns
        made, refused = captured_copy(self.objects, workspace.upper, tree, self.caps, opened)
        return Patch(tree, made, self.objects.changes(tree, made), refused)


def _mark(path: Path) -> None:
    """Make a file that is newer than everything before it: the clock of a file system ticks in steps."""
    path.touch()
    first = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == first:
        time.sleep(0.001)
        os.utime(path)
