"""Takes what was changed in a workspace into the object store: lstat and O_NOFOLLOW only, bounded, never blocking."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field

from reeve.adapters.trees import paths
from reeve.adapters.trees.gittree import BLOB, EXECUTABLE, FOLDER, GITLINK, SYMLINK, Edit, Entry
from reeve.adapters.trees.objects import GitObjects, decoded

__all__ = ["Caps", "captured_copy", "captured_upper"]

# What the kernel writes follows from who mounted the overlay; under root an agent can write the other, to no effect.
_OPAQUE = "user.overlay.opaque" if os.geteuid() else "trusted.overlay.opaque"
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of a workspace is taken at most; past one of them nothing is taken, and the reason is given."""

    file_bytes: int = 64 << 20  # a larger file is left out, the rest is taken
    total_bytes: int = 512 << 20
    paths: int = 20_000  # changed ones
    seen: int = 200_000  # looked at, changed or not
    depth: int = 100
    path_bytes: int = 4000  # of one path; a longer one could not be checked out by anybody
    refusals: int = 100  # listed one by one; further ones are counted


class _TooMuchError(Exception):
    """A cap was reached; its text is the reason."""


@dataclass(slots=True)
class _Walk:
    store: GitObjects
    caps: Caps
    since_ns: int | None = None  # copy: what is older was not changed; None: an upper layer, all was
    refused: list[str] = field(default_factory=list)
    left_out: int = 0
    seen: int = 0
    changed: int = 0
    total: int = 0

    def refuse(self, path: bytes, reason: str) -> None:
        self.left_out += 1
        if len(self.refused) < self.caps.refusals:
            self.refused.append(f"{decoded(path)!r}: {reason}")

    def look(self) -> None:
        self.seen += 1
        if self.seen > self.caps.seen:
            raise _TooMuchError(f"more than {self.caps.seen} files were written: nothing was taken")

    def change(self) -> None:
        self.changed += 1
        if self.changed > self.caps.paths:
            raise _TooMuchError(f"more than {self.caps.paths} files were changed: nothing was taken")

    def reasons(self) -> tuple[str, ...]:
        more = self.left_out - len(self.refused)
        return (*self.refused, f"and {more} more") if more else tuple(self.refused)


def captured_upper(store: GitObjects, upper: str, tree: str, caps: Caps) -> tuple[str, tuple[str, ...]]:
    """Read an overlay's upper layer; returns the resulting tree and what was left out, each with its reason."""
    return _captured(_Walk(store, caps), upper, tree)


def captured_copy(store: GitObjects, folder: str, tree: str, caps: Caps, since_ns: int) -> tuple[str, tuple[str, ...]]:
    """Compare a copied tree with its base; what has a change time (ctime) before `since_ns` is not read."""
    return _captured(_Walk(store, caps, since_ns), folder, tree)


def _captured(walk: _Walk, folder: str, tree: str) -> tuple[str, tuple[str, ...]]:
    fd = os.open(folder, _FOLDER_FLAGS)
    try:
        edit = _folder(walk, fd, tree, b"", 0)
    except _TooMuchError as reason:
        return tree, (*walk.reasons(), str(reason))
    finally:
        os.close(fd)
    return walk.store.edit(tree, edit), walk.reasons()


def _folder(walk: _Walk, fd: int, tree: str | None, prefix: bytes, depth: int, *, opaque: bool = False) -> Edit:
    """Read one folder, given the tree that stood there before; the names in it are never joined to a path on disk.

    An opaque folder, and what lies below it, hides what stood there: what is still the same has to be named too.
    """
    before = walk.store.entries(tree) if tree else {}
    whole = walk.since_ns is not None
    edit = Edit(opaque=opaque or (not whole and _opaque(fd)))
    if edit.opaque:  # what is never taken is never taken away either
        edit.names.update({name: kept for name, kept in before.items() if paths.skipped(name)})
    present = set()
    with os.scandir(fd) as entries:
        for item in entries:
            name = os.fsencode(item.name)
            present.add(name)
            walk.look()
            if paths.skipped(name):
                continue
            path = prefix + name
            if paths.reserved(name):
                walk.refuse(path, "the name stands for git's own folder on some file system")
                continue
            if len(path) > walk.caps.path_bytes:
                walk.refuse(path, f"a path of {len(path)} bytes; the limit is {walk.caps.path_bytes}")
                continue
            old = before.get(name)
            _item(walk, fd, name, path, old, edit, depth)
            if edit.opaque and old is not None and name not in edit.names:
                edit.names[name] = old
    if whole:
        for name in before.keys() - present:
            if not paths.skipped(name) and before[name].mode != GITLINK:
                walk.change()
                edit.names[name] = None
    return edit


def _item(walk: _Walk, fd: int, name: bytes, path: bytes, old: Entry | None, edit: Edit, depth: int) -> None:
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFCHR and found.st_rdev == 0 and walk.since_ns is None:
        if old is not None:  # a whiteout: removed
            walk.change()
            edit.names[name] = None
        return
    if kind == stat.S_IFDIR:
        _subfolder(walk, fd, name, path, old, edit, depth)
    elif kind == stat.S_IFLNK:
        _link(walk, fd, name, path, old, edit, found)
    elif kind == stat.S_IFREG:
        _file(walk, fd, name, path, old, edit, found)
    else:
        walk.refuse(path, _KINDS.get(kind, "neither file, link nor folder"))


def _unchanged(walk: _Walk, found: os.stat_result) -> bool:
    return walk.since_ns is not None and found.st_ctime_ns < walk.since_ns


def _subfolder(walk: _Walk, fd: int, name: bytes, path: bytes, old: Entry | None, edit: Edit, depth: int) -> None:
    if depth >= walk.caps.depth:
        walk.refuse(path, f"folders are nested deeper than {walk.caps.depth}")
        return
    below_fd = _opened(fd, name, _FOLDER_FLAGS)
    if below_fd is None:
        walk.refuse(path, "the folder cannot be opened")
        return
    try:
        if old is not None and old.mode == GITLINK:
            with os.scandir(below_fd) as entries:
                if any(not paths.skipped(os.fsencode(entry.name)) for entry in entries):
                    walk.refuse(path, "files in a submodule")
            return
        tree = old.oid if old is not None and old.mode == FOLDER else None
        below = _folder(walk, below_fd, tree, path + b"/", depth + 1, opaque=edit.opaque)
    finally:
        os.close(below_fd)
    if old is not None and old.mode != FOLDER:
        below.opaque = True  # a file became a folder
        walk.change()
    if below.names or below.opaque:
        edit.names[name] = below


def _link(walk: _Walk, fd: int, name: bytes, path: bytes, old: Entry | None, edit: Edit, found: os.stat_result) -> None:
    if _unchanged(walk, found):
        return
    try:
        target = os.readlink(name, dir_fd=fd)
    except OSError:
        walk.refuse(path, "the link cannot be read")
        return
    entry = Entry(SYMLINK, walk.store.write_blob(target))
    if entry == old:
        return
    if problem := paths.links_out(path, target):
        walk.refuse(path, problem)
        return
    walk.change()
    edit.names[name] = entry


def _file(walk: _Walk, fd: int, name: bytes, path: bytes, old: Entry | None, edit: Edit, found: os.stat_result) -> None:
    if _unchanged(walk, found):
        return
    if found.st_size > walk.caps.file_bytes:
        walk.refuse(path, f"a file of {found.st_size} bytes; the limit is {walk.caps.file_bytes}")
        return
    walk.total += found.st_size
    if walk.total > walk.caps.total_bytes:
        raise _TooMuchError(f"more than {walk.caps.total_bytes} bytes were written: nothing was taken")
    content = _content(fd, name, walk.caps.file_bytes)
    if content is None:
        walk.refuse(path, "the file cannot be read")
        return
    if special := stat.S_IMODE(found.st_mode) & 0o7000:
        walk.refuse(path, f"its mode bits {special:o}; the content was taken")
    entry = Entry(EXECUTABLE if found.st_mode & 0o100 else BLOB, walk.store.write_blob(content))
    if found.st_mode & 0o400 == 0 and old is not None and old.mode in (BLOB, EXECUTABLE):
        entry = Entry(old.mode, entry.oid)  # made unreadable: git knows no such mode, the old one stays
    if entry == old:
        return
    walk.change()
    edit.names[name] = entry


def _opaque(fd: int) -> bool:
    with suppress(OSError):
        return os.getxattr(fd, _OPAQUE) == b"y"
    return False


def _opened(folder: int, name: bytes, flags: int) -> int | None:
    """Open without following; what its owner made unreadable is made readable first."""
    try:
        return os.open(name, flags, dir_fd=folder)
    except PermissionError:
        pass
    except OSError:
        return None
    try:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            if stat.S_ISLNK(os.fstat(handle).st_mode):
                return None
            os.chmod(f"/proc/self/fd/{handle}", 0o700)  # the file that was opened, whatever the name now is
        finally:
            os.close(handle)
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        return None


def _content(folder: int, name: bytes, cap: int) -> bytes | None:
    fd = _opened(folder, name, _FILE_FLAGS)
    if fd is None:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        parts, size = [], 0
        while size <= cap and (part := os.read(fd, min(1 << 20, cap + 1 - size))):
            parts.append(part)
            size += len(part)
        return b"".join(parts) if size <= cap else None
    finally:
        os.close(fd)
