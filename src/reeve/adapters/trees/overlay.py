"""Trees as overlays: a workspace costs as much as what is changed in it, not as much as the repository."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.bases import Bases
from reeve.adapters.trees.capture import Caps, captured_upper
from reeve.adapters.trees.folders import delta, remove
from reeve.adapters.trees.objects import GitObjects
from reeve.errors import RepositoryError
from reeve.records import Patch, Workspace

__all__ = ["OverlayTrees", "drop_workspace", "new_folders"]


def new_folders(root: Path, name: str, *names: str) -> Path:
    """Make the folders of one workspace below a private one; what an earlier one of that name left is removed."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise RepositoryError(f"{name!r} cannot be the name of a workspace; use letters, digits, '.', '-' and '_'")
    folder, owner = root / "attempts" / name, owner_of_trees()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for each in names:
        remove(folder / each)
        (folder / each).mkdir(mode=0o755)
        if owner:
            os.chown(folder / each, *owner)
    return folder


def drop_workspace(workspace: Workspace) -> None:
    """Remove the folders of a workspace; what else lies beside them (spec, output) stays."""
    folder = Path(workspace.upper).parent
    for name in ("upper", "work", "delta"):
        remove(folder / name)
    try:
        folder.rmdir()
    except OSError:
        return


def sweep_workspaces(root: Path, keep: Collection[str]) -> None:
    """Remove every workspace but those named; whoever made them has died."""
    for folder in sorted((root / "attempts").glob("*")):
        if folder.name not in keep:
            remove(folder)


class OverlayTrees:
    """Port Trees, below the state folder `root`; mounted by the sandbox in its own mount namespace, never by us."""

    def __init__(self, root: Path, objects: GitObjects, caps: Caps | None = None) -> None:
        self.root = Path(root).absolute()
        self.objects = objects
        self.caps = caps or Caps()
        self.bases = Bases(self.root / "trees", objects)

    def checkout(self, tree: str) -> Path:
        """Return the immutable folder of a tree, made once."""
        return self.bases.make(tree) / "files"

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh writable view of a tree; one that is near a tree on disk is laid over that one's folder."""
        near = None if self.bases.made(tree) else self.bases.nearest(tree)
        base = self.bases.make(near[0] if near else tree)
        folder = new_folders(self.root, name, "upper", "work", *(["delta"] if near else []))
        lowers = [base / "files", base / "git", *layers]
        if near:
            delta(self.objects, near[1], folder / "delta", owner_of_trees())
            lowers.insert(0, folder / "delta")
        return Workspace(name, "overlay", tuple(map(str, lowers)), str(folder / "upper"), str(folder / "work"))

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Take the upper layer into the object store; costs as much as what was changed."""
        made, refused = captured_upper(self.objects, workspace.upper, tree, self.caps)
        return Patch(tree, made, self.objects.changes(tree, made), refused)

    def drop(self, workspace: Workspace) -> None:
        """Remove a workspace; removing it twice is no error."""
        drop_workspace(workspace)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every workspace but those named: what a maker that died left behind."""
        sweep_workspaces(self.root, keep)
