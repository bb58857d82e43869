"""Trees as plain folders, read back whole: slow, short, and right by its simplicity. For tests, ours and yours."""

import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from reeve.adapters.trees import paths
from reeve.adapters.trees.folders import export, remove
from reeve.adapters.trees.gittree import BLOB, EXECUTABLE, SYMLINK, Edit, Entry, walk
from reeve.adapters.trees.objects import GitObjects, decoded
from reeve.records import Patch, Workspace

__all__ = ["FakeTrees"]


class FakeTrees:
    """Port Trees without mounts, owners, caches or limits; an agent of a test writes straight into `upper`."""

    def __init__(self, root: Path, objects: GitObjects) -> None:
        self.root = Path(root).absolute()
        self.objects = objects

    def checkout(self, tree: str) -> Path:
        """Return the folder of a tree, made once."""
        folder = self.root / "trees" / tree
        if not folder.exists():
            folder.mkdir(parents=True)
            export(self.objects, tree, folder)
        return folder

    def open(self, tree: str, name: str, layers: Sequence[Path] = ()) -> Workspace:
        """Open a fresh copy of a tree; `layers` fill in what it has not."""
        upper, work = (self.root / "attempts" / name / each for each in ("upper", "work"))
        for folder in (upper, work):
            remove(folder)
            folder.mkdir(parents=True)
        for layer in reversed(layers):
            shutil.copytree(layer, upper, symlinks=True, dirs_exist_ok=True)
        for path, _ in list(walk(self.objects, tree)):
            (upper / decoded(path)).unlink(missing_ok=True)
        shutil.copytree(self.checkout(tree), upper, symlinks=True, dirs_exist_ok=True)
        (work / "before").write_bytes(b"\0".join(path for path, _ in _files(os.fsencode(upper))))
        return Workspace(name, "copy", (), str(upper), str(work))

    def capture(self, workspace: Workspace, tree: str) -> Patch:
        """Read the whole folder; what came from a layer is not part of the patch."""
        before = set((Path(workspace.work) / "before").read_bytes().split(b"\0"))
        known = dict(walk(self.objects, tree))
        found = _files(os.fsencode(workspace.upper))
        edit, refused = Edit(), []
        for path in known.keys() - {path for path, _ in found}:  # first: a folder may stand there now
            edit.put(path, None)
        for path, full in found:
            if path in before and path not in known:
                continue
            taken = self._entry(path, full)
            if isinstance(taken, str):
                refused.append(f"{decoded(path)!r}: {taken}")
            else:
                edit.put(path, taken)
        made = self.objects.edit(tree, edit)
        return Patch(tree, made, self.objects.changes(tree, made), tuple(refused))

    def _entry(self, path: bytes, full: bytes) -> Entry | str:
        if problem := paths.problem_of(path):
            return problem
        if os.path.islink(full):
            target = os.readlink(full)
            return paths.links_out(path, target) or Entry(SYMLINK, self.objects.write_blob(target))
        if not os.path.isfile(full):
            return "neither file, link nor folder"
        mode = EXECUTABLE if os.stat(full).st_mode & 0o100 else BLOB
        return Entry(mode, self.objects.write_blob(Path(os.fsdecode(full)).read_bytes()))

    def drop(self, workspace: Workspace) -> None:
        """Remove a workspace; removing it twice is no error."""
        remove(Path(workspace.upper).parent)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every workspace but those named."""
        for folder in (self.root / "attempts").glob("*"):
            if folder.name not in keep:
                remove(folder)


def _files(root: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not paths.skipped(name)]
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in (*files, *links):
            full = os.path.join(folder, name)
            if not paths.skipped(name):
                found.append((os.path.relpath(full, root), full))
    return found
