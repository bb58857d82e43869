"""The tree under repair: which files are the project's, and leaving it as it was found."""

from __future__ import annotations

import fnmatch
import os
import shutil
from typing import Iterator, Optional

SKIPPED = {".git", ".hg", ".svn", ".tox", ".nox", "node_modules", "__pycache__", ".venv", "venv", ".eggs"}
TEST_NAMES = ("test_*.py", "*_test.py", "conftest.py", "tests.py")
HELD_BYTES = 64 << 20
HELD_FILE_BYTES = 1 << 20


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a relative path is meant by one of the globs: itself, a folder above it, or its bare name."""
    for pattern in patterns:
        bare = pattern.rstrip("/")
        if fnmatch.fnmatchcase(path, bare) or fnmatch.fnmatchcase(path, bare + "/*"):
            return True
        if bare.startswith("**/") and fnmatch.fnmatchcase(path, bare[3:]):
            return True
        if "/" not in bare and any(fnmatch.fnmatchcase(part, bare) for part in path.split("/")):
            return True
    return False


def is_test(path: str) -> bool:
    """Whether a path looks like a test or its support, by the conventions of pytest."""
    parts = path.split("/")
    return any(part in ("tests", "test", "testing") for part in parts[:-1]) or any(
        fnmatch.fnmatchcase(parts[-1], name) for name in TEST_NAMES
    )


class Tree:
    """The files of the tree as they were at the start, so that they can be put back."""

    def __init__(self, root: str, protected: tuple[str, ...]) -> None:
        self.root = os.path.realpath(root)
        self.protected = protected
        self.held: dict[str, bytes] = {}
        self.stats: dict[str, tuple[int, int, int]] = {}
        self.folders: set[str] = set()
        self._remember()

    def _walk(self) -> Iterator[tuple[str, os.DirEntry[str], bool]]:
        stack = [""]
        while stack:
            folder = stack.pop()
            try:
                entries = sorted(os.scandir(os.path.join(self.root, folder)), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                yield path, entry, is_folder
                if is_folder and entry.name not in SKIPPED:
                    stack.append(path)

    @staticmethod
    def _stat(entry: os.DirEntry[str]) -> tuple[int, int, int]:
        found = entry.stat(follow_symlinks=False)
        return found.st_size, found.st_mtime_ns, found.st_ino

    def _remember(self) -> None:
        total = 0
        for path, entry, is_folder in self._walk():
            if is_folder:
                self.folders.add(path)
                continue
            stat = self._stat(entry)
            self.stats[path] = stat
            wanted = path.endswith(".py") or total + stat[0] <= HELD_BYTES
            if entry.is_file(follow_symlinks=False) and wanted and stat[0] <= HELD_FILE_BYTES:
                try:
                    with open(entry.path, "rb") as stream:
                        self.held[path] = stream.read()
                    total += stat[0]
                except OSError:
                    continue

    def restore(self) -> int:
        """Take away what appeared and put back what changed since the start; the number of paths touched."""
        touched = 0
        seen: set[str] = set()
        for path, entry, is_folder in list(self._walk()):
            seen.add(path)
            try:
                if is_folder and path not in self.folders:
                    shutil.rmtree(entry.path, ignore_errors=True)
                elif not is_folder and path not in self.stats:
                    os.unlink(entry.path)
                elif not is_folder and path in self.held and self._stat(entry) != self.stats[path]:
                    self._write_back(path)
                else:
                    continue
                touched += 1
            except OSError:
                continue
        for path in sorted(set(self.held) - seen):
            if os.path.basename(os.path.dirname(path)) not in SKIPPED:
                self._write_back(path)
                touched += 1
        return touched

    def _write_back(self, path: str) -> None:
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        try:
            with open(full, "rb") as stream:
                if stream.read() == self.held[path]:
                    return
        except FileNotFoundError:
            pass
        self.write(path, self.held[path])

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content, keeping its mode."""
        with open(os.path.join(self.root, path), "wb") as stream:
            stream.write(data)

    def sources(self) -> list[str]:
        """The Python files that may be edited: not tests, not protected."""
        return [path for path in sorted(self.held) if path.endswith(".py") and self.editable(path)]

    def editable(self, path: str) -> bool:
        """Whether the agent may change this file."""
        return path in self.held and not is_test(path) and not matches(path, self.protected)

    def relative(self, filename: str) -> Optional[str]:
        """The path of an absolute file name within the tree, or None."""
        real = os.path.realpath(filename)
        return os.path.relpath(real, self.root) if real.startswith(self.root + os.sep) else None
