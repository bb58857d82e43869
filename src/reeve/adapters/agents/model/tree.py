"""The files that the agent works on: where they are, which there are, and which were changed."""

import difflib
import fnmatch
import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Mistake", "Tree", "matching"]

MAX_FILES = 20_000
"""How many files are looked at; of a larger tree, what lies beyond is neither listed nor watched."""

PASSED_OVER = {".git", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox", ".mypy_cache", ".pytest_cache",
               ".ruff_cache", ".hypothesis"}  # fmt: skip
GIT_SECONDS = 20.0
HASHED_BYTES = 2**22

LIBRARIES = (Path("/usr"), Path("/env"))
"""What can be read beside the tree: packages that the project uses."""

Stamp = tuple[int, int, int]  # inode, size, time of the last change in ns


class Mistake(Exception):  # noqa: N818 - what the model made
    """A call that cannot be done as it is; its text goes back to the model."""


class Tree:
    """A folder with the files of a project.

    Paths are relative to it, with '/'; a path that leads out of it is named in full.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.scratch = Path(os.path.realpath(scratch))
        self._stamps = self._stamped()

    # ------------------------------------------------------------ paths

    def path(self, named: str) -> Path:
        """Return what a path of the model means; raises Mistake if it is empty or holds a NUL."""
        if not named.strip() or "\0" in named:
            raise Mistake(f"{named!r} is no path")
        return Path(os.path.normpath(self.root / named))

    def readable(self, named: str) -> Path:
        """Return a path that may be read; raises Mistake if it, or what it links to, is elsewhere."""
        path = self.path(named)
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(folder) for folder in (self.root, self.scratch, *LIBRARIES)):
            raise Mistake(f"{named!r} leads out of {self.root}; beside it {self.scratch}, /usr and /env can be read")
        return path

    def writable(self, named: str) -> Path:
        """Return a path that may be written; raises Mistake if it, or what it links to, is outside of the tree."""
        path = self.path(named)
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(folder) and real != folder for folder in (self.root, self.scratch)):
            raise Mistake(f"{named!r} is outside of {self.root} and {self.scratch}; only files there can be changed")
        return path

    def name(self, path: Path) -> str:
        """Return how a path is called."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def existing(self, named: str) -> Path:
        """Return the path of a file; raises Mistake with the nearest names if there is none."""
        path = self.readable(named)
        if path.is_file():
            return path
        if path.is_dir():
            raise Mistake(f"{named!r} is a folder; list shows what is in it")
        if path.exists():
            raise Mistake(f"{named!r} is no regular file")
        raise Mistake(f"there is no file {named!r}{self._nearest(self.name(path))}")

    def _nearest(self, name: str) -> str:
        known = self.files()
        base = name.rpartition("/")[2]
        same = [each for each in known if each.rpartition("/")[2] == base]
        found = (same or difflib.get_close_matches(name, known, n=3, cutoff=0.6))[:3]
        return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""

    # ------------------------------------------------------------ files

    def files(self, below: str = ".") -> list[str]:
        """List the files that git knows or would take, else all but caches and hidden folders, sorted."""
        folder = self.path(below)
        found = self._git_files(folder) if folder.is_relative_to(self.root) else None
        return sorted(found if found is not None else self._walked(folder))[:MAX_FILES]

    def _git_files(self, folder: Path) -> list[str] | None:
        if not (self.root / ".git").exists():
            return None
        argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(folder)]
        try:
            done = subprocess.run(argv, cwd=self.root, capture_output=True, check=False, timeout=GIT_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        names = {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
        return [name for name in names if os.path.lexists(self.root / name)]

    def _walked(self, folder: Path) -> list[str]:
        found: list[str] = []
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if name not in PASSED_OVER)
            found += [self.name(Path(here, file)) for file in files]
            if len(found) >= MAX_FILES:
                break
        return found

    # ------------------------------------------------------------ changes

    def changed(self) -> list[str]:
        """List the files that were made, changed or removed since this was asked last."""
        before, self._stamps = self._stamps, self._stamped()
        paths = before.keys() | self._stamps.keys()
        return sorted(path for path in paths if before.get(path) != self._stamps.get(path))

    def digest(self, names: Iterable[str]) -> str:
        """Return a hash of what files hold now, to tell a new state from one that was there before."""
        content = hashlib.sha256()
        for name in names:
            try:
                with open(self.root / name, "rb") as file:
                    content.update(name.encode("utf-8", "surrogateescape") + b"\0" + file.read(HASHED_BYTES) + b"\0")
            except OSError:
                content.update(name.encode("utf-8", "surrogateescape") + b"\0gone\0")
        return content.hexdigest()

    def _stamped(self) -> dict[str, Stamp]:
        stamps = {}
        for name in self.files():
            try:
                found = os.lstat(self.root / name)
            except OSError:
                continue
            stamps[name] = (found.st_ino, found.st_size, found.st_mtime_ns)
        return stamps


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Keep the names that fit a glob; ``*`` crosses folders, and a pattern without '/' fits a name in any folder."""
    pattern = os.path.normpath(pattern)
    # As in a shell, '**/' also stands for no folder at all.
    patterns = {pattern, pattern.replace("**/", "")}
    if "/" not in pattern:
        patterns.add(f"*/{pattern}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
