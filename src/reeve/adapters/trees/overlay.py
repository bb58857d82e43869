"""Trees as overlays: a workspace costs as much as what is changed in it, not as much as the repository."""

from collections.abc import Sequence
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.capture import captured_upper
from reeve.adapters.trees.folders import delta
from reeve.adapters.trees.workspaces import Workspaces
from reeve.records import Patch, Workspace

__all__ = ["OverlayTrees"]


class OverlayTrees(Workspaces):
    """Port Trees, below the state folder `root`; mounted by the sandbox in its own mount namespace, never by us."""

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh writable view of a tree; one that is near a tree on disk is laid over that one's folder."""
        near = None if self.bases.made(tree) else self.bases.nearest(tree)
        base = self.bases.make(near[0] if near else tree)
        folder = self._new_folders(name, "upper", "work", *(["delta"] if near else []))
        lowers = [base / "files", base / "git", *layers]
        if near:
            delta(self.objects, near[1], folder / "delta", owner_of_trees())
            lowers.insert(0, folder / "delta")
        return Workspace(name, "overlay", tuple(map(str, lowers)), str(folder / "upper"), str(folder / "work"))

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Take the upper layer into the object store; costs as much as what was changed."""
        made, refused = captured_upper(self.objects, workspace.upper, tree, self.caps)
        return Patch(tree, made, self.objects.changes(tree, made), refused)
