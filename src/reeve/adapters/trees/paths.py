"""Which paths of a tree are allowed, which are never taken, and which match a pattern."""

import re
from functools import lru_cache

__all__ = ["links_out", "matches", "problem_of", "reserved", "skipped"]

SKIPPED_FOLDERS = frozenset({
    b"__pycache__", b".pytest_cache", b".mypy_cache", b".ruff_cache", b".hypothesis", b".tox", b".nox",
})  # fmt: skip
SKIPPED_FILES = frozenset({b".coverage", b".DS_Store"})
SKIPPED_SUFFIXES = (b".pyc", b".pyo")

# Code points that HFS+ leaves out when it compares names, so that ".g<ZWNJ>it" opens ".git" on it.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_NTFS_SHORT = re.compile(rb"git~[0-9]+")
_MODULES = re.compile(rb"\.gitmodules|gitmod~[1-4]|gi7eb[a~][~0-9]*")  # with the short names that NTFS gives it


def skipped(name: bytes) -> bool:
    """Say whether a file or folder of this name is debris that no patch carries: caches, bytecode, `.git`."""
    return (
        name in SKIPPED_FOLDERS
        or name in SKIPPED_FILES
        or name.endswith(SKIPPED_SUFFIXES)
        or name.startswith(b".coverage.")
        or name.lower() == b".git"
    )


def reserved(name: bytes) -> bool:
    """Say whether some file system would take this name for `.git`: any case, HFS+ and NTFS look-alikes."""
    for part in name.split(b"\\"):  # a separator on NTFS
        plain = part.split(b":", 1)[0].rstrip(b" .").lower()  # NTFS drops streams, trailing dots and spaces
        if plain == b".git" or _NTFS_SHORT.fullmatch(plain):
            return True
        if _HFS_IGNORED.sub("", part.decode("utf-8", "ignore")).lower() == ".git":
            return True
    return False


def problem_of(path: bytes) -> str:
    """Say why no patch may have this path; empty for a good one."""
    if not path or path.startswith(b"/"):
        return "the path is empty or absolute"
    for part in path.split(b"/"):
        if part in (b"", b".", b".."):
            return "the path has an empty, '.' or '..' part"
        if b"\0" in part:
            return "the path has a NUL byte"
        if reserved(part):
            return f"{part!r} stands for git's own folder on some file system"
    return ""


def links_out(path: bytes, target: bytes) -> str:
    """Say why a symbolic link at `path` may not point to `target`; empty if it stays in the tree."""
    if not target or target.startswith(b"/"):
        return "a symbolic link to an absolute path"
    if _for_modules(path.rsplit(b"/", 1)[-1]):
        return "a symbolic link in place of .gitmodules, which git takes from nobody"
    depth = path.count(b"/")
    for part in target.split(b"/"):
        if part == b"..":
            depth -= 1
        elif part not in (b"", b"."):
            depth += 1
            if reserved(part):
                return "a symbolic link into git's own folder"
        if depth < 0:
            return "a symbolic link that leaves the tree"
    return ""


def _for_modules(name: bytes) -> bool:
    plain = name.split(b":", 1)[0].rstrip(b" .").lower()
    hfs = _HFS_IGNORED.sub("", name.decode("utf-8", "ignore")).lower()
    return _MODULES.fullmatch(plain) is not None or hfs == ".gitmodules"


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[bytes]:
    anchored = "/" in glob.strip("/") or glob.startswith("/")
    out = [] if anchored else ["(?:.*/)?"]
    body, at = glob.strip("/"), 0
    while at < len(body):
        if body.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
        elif body.startswith("**", at):
            out.append(".*")
            at += 2
        else:
            one = body[at]
            out.append("[^/]*" if one == "*" else "[^/]" if one == "?" else re.escape(one))
            at += 1
    out.append("(?:/.*)?")  # whatever matches a folder matches what is below it
    return re.compile(b"".join(piece.encode("utf-8", "surrogateescape") for piece in out), re.DOTALL)


def matches(path: bytes, globs: tuple[str, ...]) -> bool:
    """Say whether one of the patterns covers a path.

    As in .gitignore: `*` and `?` stay within a name, `**` crosses folders, a pattern without a slash matches at
    any depth, and a pattern that names a folder covers all below it.
    """
    return any(_pattern(glob).fullmatch(path) for glob in globs)
