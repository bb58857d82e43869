"""A throw-away `.git` for the agent: one commit of the base tree, no remotes, no later commits, nobody's configuration.

It is made once per tree and lies below every workspace as one more read-only layer; what an agent does to it
is copied up like any other file, and never read by us.
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from reeve.adapters.trees.folders import mtime_of
from reeve.adapters.trees.gitrun import clean_env, git
from reeve.adapters.trees.gittree import FOLDER, GITLINK, Entry
from reeve.adapters.trees.objects import GitObjects

__all__ = ["make_private_git"]

# With checkStat=minimal git compares size and date alone, so one index is right in every workspace.
_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tcheckStat = minimal
\ttrustctime = false
[user]
\tname = agent
\temail = agent@localhost
[gc]
\tauto = 0
[commit]
\tgpgSign = false
"""
_WHO = "reeve <reeve@localhost> 1000000000 +0000"


def make_private_git(
    store: GitObjects, tree: str, listing: Sequence[tuple[bytes, Entry, int]], into: Path, owner: tuple[int, int] | None
) -> None:
    """Write `.git` into the empty folder `into` for a tree whose files and sizes `listing` names."""
    folder = into / ".git"
    for name in ("objects/pack", "refs/heads", "refs/tags", "info"):
        (folder / name).mkdir(parents=True)
    commit = store.commit(tree, (), "The tree this attempt starts from", author=_WHO, committer=_WHO)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "refs/heads/main").write_text(f"{commit}\n")
    (folder / "config").write_text(_CONFIG)
    (folder / "info/exclude").write_text("__pycache__/\n*.py[co]\n.pytest_cache/\n")
    (folder / "index").write_bytes(index_of(listing))
    wanted = [commit, tree, *_folders(store, tree), *(entry.oid for _, entry, _ in listing if entry.mode != GITLINK)]
    git(["pack-objects", "-q", "--delta-base-offset", str(folder / "objects/pack/pack")],
        env={**clean_env(), "GIT_DIR": str(store.folder)}, doing="making the private repository of a tree",
        stdin="".join(f"{oid}\n" for oid in dict.fromkeys(wanted)).encode())  # fmt: skip
    for here, _, files in os.walk(into):
        for path in (here, *(os.path.join(here, file) for file in files)):
            if owner:
                os.chown(path, *owner)
        for file in files:
            os.chmod(os.path.join(here, file), 0o644)


def _folders(store: GitObjects, tree: str) -> Iterable[str]:
    for entry in store.entries(tree).values():
        if entry.mode == FOLDER:
            yield entry.oid
            yield from _folders(store, entry.oid)


def index_of(listing: Sequence[tuple[bytes, Entry, int]]) -> bytes:
    """Write git's index (version 2) for files as `export` dates them, so that `git status` need not read any."""
    parts = [b"DIRC" + struct.pack(">II", 2, len(listing))]
    for path, entry, size in sorted(listing):
        date = mtime_of(path, entry.oid)
        fixed = struct.pack(">10I", date, 0, date, 0, 0, 0, entry.mode, 0, 0, size & 0xFFFFFFFF)
        body = fixed + bytes.fromhex(entry.oid) + struct.pack(">H", min(len(path), 0xFFF)) + path
        parts.append(body + b"\0" * (8 - len(body) % 8))
    content = b"".join(parts)
    return content + hashlib.sha1(content, usedforsecurity=False).digest()
