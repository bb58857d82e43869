"""Does what a plan says to the tree it stands in, and then tells what the tree looks like from within: scribble.py PLAN."""

import hashlib
import json
import os
import shutil
import socket
import stat
import sys
from contextlib import suppress


def clear(path):
    """Remove whatever stands there."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    for here, _, _ in os.walk(path):
        os.chmod(here, 0o700)
    shutil.rmtree(path)


def make(path, kind, value, mode):
    """Make one thing of a kind, with folders above it, in place of what is in the way."""
    here = b""
    for part in path.split(b"/")[:-1]:
        here = os.path.join(here, part)
        if os.path.lexists(here) and (os.path.islink(here) or not os.path.isdir(here)):
            os.unlink(here)
        if not os.path.isdir(here):
            os.mkdir(here)
    if kind != "mode" and os.path.lexists(path):
        clear(path)
    if kind == "file":
        with open(path, "wb") as file:
            file.write(value)
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(int(value))
    elif kind == "link":
        os.symlink(value, path)
    elif kind == "hard":
        os.link(value, path, follow_symlinks=False)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as plain:
            plain.bind(path)
    elif kind == "device":
        os.mknod(path, 0o20644, os.makedev(0, int(value)))
    elif kind == "folder":
        os.mkdir(path)
    if kind in ("file", "folder", "mode") and os.path.lexists(path) and not os.path.islink(path):
        os.chmod(path, mode)


KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFLNK: "link",
    stat.S_IFREG: "file",
}


def listing(folder, prefix=b""):
    """List everything but folders: path, kind, mode, size, and what git would call its content."""
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    os.chmod(folder, 0o700)
    for name in sorted(os.listdir(folder)):
        path, found = os.path.join(folder, name), os.lstat(os.path.join(folder, name))
        if stat.S_ISDIR(found.st_mode):
            yield (prefix + name).decode("latin-1"), "folder", stat.S_IMODE(found.st_mode), 0, ""
            yield from listing(path, prefix + name + b"/")
            continue
        kind, content = KINDS[stat.S_IFMT(found.st_mode)], b""
        if kind == "link":
            content = os.readlink(path)
        elif kind == "file" and found.st_size < 1 << 20:
            os.chmod(path, 0o600)
            with open(path, "rb") as file:
                content = file.read()
            os.chmod(path, stat.S_IMODE(found.st_mode))
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        shown = content.decode("latin-1") if kind == "link" else ""
        yield (prefix + name).decode("latin-1"), kind, stat.S_IMODE(found.st_mode), found.st_size, digest + shown
    os.chmod(folder, mode)


if __name__ == "__main__":
    with open(sys.argv[1]) as _plan:
        for _path, _kind, _value, _mode in json.load(_plan):
            with suppress(OSError):
                make(_path.encode("latin-1"), _kind, _value.encode("latin-1"), _mode)
    json.dump(list(listing(b".")), sys.stdout)
