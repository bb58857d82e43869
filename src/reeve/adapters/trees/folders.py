"""Folders on disk: write a tree out, copy one over another, remove anything. Never follows a link."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reeve.adapters.trees.gittree import EXECUTABLE, FOLDER, GITLINK, SYMLINK, Entry
from reeve.adapters.trees.objects import GitObjects

__all__ = ["FIXED_MTIME", "copy_over", "delta", "export", "mtime_of", "remove"]

FIXED_MTIME = 1_000_000_000
"""The age of every file of a base folder, so that two folders of one tree are the same."""

_SPREAD = 0x3FFFFF


def mtime_of(path: bytes, oid: str, start: int = FIXED_MTIME) -> int:
    """Give the time a file is dated, in seconds since the epoch.

    Python trusts a cached .pyc if size and time of the source agree; dating Python files by content makes a
    cache from another version of the same size stale. All else has one date, as `make` compares them.
    """
    return start + (int(oid[:8], 16) & _SPREAD if path.endswith(b".py") else 0)


def _write(folder: int, name: bytes, entry: Entry, content: bytes, owner: tuple[int, int] | None, mtime: int) -> None:
    if entry.mode == SYMLINK:
        os.symlink(content, name, dir_fd=folder)
    else:
        mode = 0o755 if entry.mode == EXECUTABLE else 0o644
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
        try:
            os.fchmod(fd, mode)
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
    if owner:
        os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
    os.utime(name, (mtime, mtime), dir_fd=folder, follow_symlinks=False)


def export(
    store: GitObjects, tree: str, into: Path, owner: tuple[int, int] | None = None
) -> list[tuple[bytes, Entry, int]]:
    """Write a tree into an empty folder, byte for byte; returns path, entry and size of every file and link.

    A submodule is an empty folder. `owner` is the uid and gid to give everything to.
    """
    listing: list[tuple[bytes, Entry, int]] = []
    fd = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _export(store, tree, fd, b"", owner, listing)
    finally:
        os.close(fd)
    return listing


def _export(store: GitObjects, tree: str, fd: int, prefix: bytes, owner: tuple[int, int] | None,
            listing: list[tuple[bytes, Entry, int]]) -> None:  # fmt: skip
    for name, entry in store.entries(tree).items():
        path = prefix + name
        if entry.mode in (FOLDER, GITLINK):
            os.mkdir(name, 0o755, dir_fd=fd)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            try:
                if entry.mode == FOLDER:
                    _export(store, entry.oid, below, path + b"/", owner, listing)
                else:
                    listing.append((path, entry, 0))
            finally:
                os.close(below)
            if owner:
                os.chown(name, *owner, dir_fd=fd)
            os.utime(name, (FIXED_MTIME, FIXED_MTIME), dir_fd=fd)
        else:
            content = store.read_blob(entry.oid)
            _write(fd, name, entry, content, owner, mtime_of(path, entry.oid))
            listing.append((path, entry, len(content)))


def delta(
    store: GitObjects,
    differences: Iterable[tuple[bytes, Entry | None, Entry | None]],
    into: Path,
    owner: tuple[int, int] | None = None,
) -> None:
    """Write what makes one tree out of another as an overlay layer: new files, and whiteouts for what went."""
    root = os.fsencode(into)
    put = []
    for path, _, new in differences:
        if new is not None:
            put.append((path, new))
            continue
        _parents(root, path, owner)
        os.mknod(root + b"/" + path, stat.S_IFCHR | 0o000, 0)
    for path, new in put:
        _parents(root, path, owner)
        with suppress(FileNotFoundError):  # a file that became a folder, or a folder that became a file
            _make_room(root + b"/" + path)
        if new.mode == GITLINK:
            os.mkdir(root + b"/" + path)
            continue
        folder = os.open(os.path.dirname(root + b"/" + path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Dated after the base, as what was edited is; by content, as every version must differ.
            mtime = FIXED_MTIME + _SPREAD + 1 + (int(new.oid[:8], 16) & _SPREAD)
            _write(folder, os.path.basename(path), new, store.read_blob(new.oid), owner, mtime)
        finally:
            os.close(folder)


def _make_room(path: bytes) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        remove(Path(os.fsdecode(path)))
    else:
        os.unlink(path)


def _parents(root: bytes, path: bytes, owner: tuple[int, int] | None) -> None:
    here = root
    for part in path.split(b"/")[:-1]:
        here += b"/" + part
        try:
            mode = os.lstat(here).st_mode
        except FileNotFoundError:
            mode = 0
        if stat.S_ISDIR(mode):
            continue
        if mode:  # a whiteout: the file here became a folder
            os.unlink(here)
        os.mkdir(here, 0o755)
        if owner:
            os.chown(here, *owner)


def copy_over(source: Path, target: Path, owner: tuple[int, int] | None = None) -> None:
    """Copy what is in one folder over another with times and links; what is there already stays."""
    for folder, names, files in os.walk(os.fsencode(source)):
        into = os.path.join(os.fsencode(target), os.path.relpath(folder, os.fsencode(source)))
        for name in list(names):
            if os.path.islink(os.path.join(folder, name)):
                names.remove(name)
                files.append(name)
            elif not os.path.lexists(os.path.join(into, name)):
                os.mkdir(os.path.join(into, name), 0o755)
                if owner:
                    os.chown(os.path.join(into, name), *owner)
            elif os.path.islink(os.path.join(into, name)) or not os.path.isdir(os.path.join(into, name)):
                names.remove(name)  # a file of the tree stands here
        for name in files:
            if not os.path.lexists(os.path.join(into, name)):
                _copy(os.path.join(folder, name), os.path.join(into, name), owner)


def _copy(source: bytes, target: bytes, owner: tuple[int, int] | None) -> None:
    found = os.lstat(source)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(found.st_mode):
        with open(source, "rb") as old, open(target, "xb") as new:
            while os.copy_file_range(old.fileno(), new.fileno(), 1 << 30):
                pass
            os.fchmod(new.fileno(), 0o755 if found.st_mode & 0o111 else 0o644)
    else:
        return
    if owner:
        os.chown(target, *owner, follow_symlinks=False)
    os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns), follow_symlinks=False)


# ---------------------------------------------------------------- removal


def remove(folder: Path) -> None:
    """Remove a folder and all below it: read-only, deeply nested, of any size; a missing one is no error.

    Iterative: every folder inside is first moved to the top, so that neither the stack, nor the number of open
    files, nor the length of a path can run out. What is removed is never followed.
    """
    root = os.fsencode(folder)
    try:
        mode = os.lstat(root).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        os.unlink(root)
        return
    _unlock(root)
    pending, count = [root], 0
    while pending:
        here = pending.pop()
        for path in _emptied(here):
            _unlock(path)
            if here != root:
                count += 1
                while os.path.lexists(b"%s/.gone-%d" % (root, count)):
                    count += 1
                os.rename(path, b"%s/.gone-%d" % (root, count))
                path = b"%s/.gone-%d" % (root, count)  # noqa: PLW2901
            pending.append(path)
        if here != root:
            os.rmdir(here)
    os.rmdir(root)


def _emptied(folder: bytes) -> list[bytes]:
    """Remove the files of one folder; returns the folders in it."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                os.unlink(entry.path)
    return folders


def _unlock(path: bytes) -> None:
    if os.geteuid():  # root needs no permission
        os.chmod(path, 0o700)
