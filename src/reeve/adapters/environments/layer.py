"""What set-up wrote beside the tracked files: build products that attempts and checks need, and no patch carries."""

import os
import shutil
import stat
from pathlib import Path

__all__ = ["take_layer"]

LEFT_OUT = {"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".cache"}


def take_layer(upper: Path, tracked: Path, into: Path, owner: tuple[int, int] | None) -> int:
    """Copy new files from a workspace's upper folder; returns how many. Links are copied as links, never followed.

    A path that the tree has itself is left out: the tree is what it is, whatever set-up did to it.
    """
    count = 0
    for here, folders, files in os.walk(upper):
        relative = os.path.relpath(here, upper)
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in sorted(files) + links:
            source, path = os.path.join(here, name), os.path.normpath(os.path.join(relative, name))
            mode = os.lstat(source).st_mode
            if os.path.lexists(tracked / path) or not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                continue
            target = into / path
            _folders(target.parent, into, owner)
            shutil.copy2(source, target, follow_symlinks=False)
            if not stat.S_ISLNK(mode):
                target.chmod(0o755 if mode & 0o100 else 0o644)
            if owner:
                os.chown(target, *owner, follow_symlinks=False)
            count += 1
    return count


def _folders(folder: Path, top: Path, owner: tuple[int, int] | None) -> None:
    if folder.exists():
        return
    if folder != top:
        _folders(folder.parent, top, owner)
    folder.mkdir(mode=0o755)
    if owner:
        os.chown(folder, *owner)
