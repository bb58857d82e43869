"""The tools that look at files and change them. Their docstrings are what the model reads of them."""

import difflib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .events import HALVES, cut
from .searching import searched
from .tree import Mistake, Tree, matching

__all__ = ["Files"]

MAX_LISTED = 200
MAX_LINE = 2_000  # characters
MAX_FILE_BYTES = 2**24
MAX_COMPARED, MAX_LINE_COMPARED = 5_000, 300


class Files:
    """Looks at the files of a tree and changes them; an answer has at most `most` characters."""

    def __init__(self, tree: Tree, most: int) -> None:
        self.tree = tree
        self.most = most

    # ------------------------------------------------------------ looking

    def list_files(self, pattern: str = ".") -> str:
        """List files, without those that git ignores.

        Args:
            pattern: A folder, or a glob such as 'src/**/*.py' or '*.toml'; '.' is the whole tree.
        """
        globbed = any(sign in pattern for sign in "*?[")
        folder = "." if globbed else pattern
        if not globbed and not self.tree.readable(pattern).is_dir():
            raise Mistake(f"there is no folder {pattern!r}")
        names = self.tree.files(folder)
        if globbed:
            names = matching(names, pattern)
        if not names:
            return "No files."
        return cut("\n".join(names if len(names) <= MAX_LISTED else _by_folder(names, folder)), self.most)

    def search(self, pattern: str, path: str = ".", glob: str = "", ignore_case: bool = False) -> str:
        """Search the text of files; gives 'path:line:text' for each line that matches.

        Args:
            pattern: A regular expression.
            path: A file or a folder to search in.
            glob: Only files that fit this glob, such as '*.py'.
            ignore_case: Take small and capital letters for the same.
        """
        where = self.tree.readable(path)
        if not where.exists():
            raise Mistake(f"there is no file or folder {path!r}")
        found = searched(self.tree, pattern, where, glob, ignore_case=ignore_case)
        return cut(found, self.most) if found else "No matches."

    def read(self, path: str, first_line: int = 1, lines: int = 400) -> str:
        """Read lines of a text file, each with its number and a tab before it.

        Args:
            path: The file.
            first_line: The first line to read, from 1; from the end if it is negative.
            lines: How many lines.
        """
        content = self._lines(self.tree.existing(path))
        total = len(content)
        first = max(1, first_line if first_line > 0 else total + 1 + first_line)
        if first > total:
            return f"{path} has {total} lines." if total else f"{path} is empty."
        shown: list[str] = []
        size, last = 0, first - 1
        for line in content[first - 1 : first - 1 + max(1, lines)]:
            size += len(line) + 8
            if size > self.most and shown:
                break
            shown.append(_numbered(last + 1, line))
            last += 1
        if (first, last) != (1, total):
            shown.append(f"[lines {first} to {last} of {total}]")
        if any(HALVES.search(line) for line in shown):
            shown.append("[\ufffd stands for a byte that is no UTF-8; edit keeps it where old and new do not hold it]")
        return "\n".join(shown)

    # ------------------------------------------------------------ changing

    def edit(self, path: str, old: str, new: str) -> str:
        """Replace one text of a file by another.

        Args:
            path: The file.
            old: The text as it stands there, with its white space; it must be there exactly once.
            new: The text to put in its place.
        """
        target = self.tree.writable(path)
        self.tree.existing(path)
        if not old:
            raise Mistake("old is empty; give the text to replace, or use write for a whole file")
        if old == new:
            raise Mistake("old and new are the same: nothing would change")
        content = self._text(target)
        if "\r\n" in content and "\r\n" not in old:
            old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
        found = content.count(old)
        if found != 1:
            raise Mistake(_not_once(content, old, path, found))
        before, _, after = content.partition(old)
        _written(target, before + new + after)
        first = before.count("\n")
        return f"Replaced in {path}:\n" + _around((before + new + after).split("\n"), first, first + new.count("\n"))

    def write(self, path: str, content: str, replace: bool = False) -> str:
        """Write a whole file; folders on the way are made.

        Args:
            path: The file.
            content: All that it holds afterwards.
            replace: Whether a file that is there already is replaced.
        """
        target = self.tree.writable(path)
        if target.is_dir():
            raise Mistake(f"{path!r} is a folder")
        there = target.exists()
        if there and not replace:
            raise Mistake(f"{path!r} is there already; change it with edit, or say replace=true")
        target.parent.mkdir(parents=True, exist_ok=True)
        _written(target, content)
        return f"{'Replaced' if there else 'Wrote'} {path}: {len(content.splitlines())} lines."

    # ------------------------------------------------------------ text

    def _lines(self, path: Path) -> list[str]:
        return self._text(path).splitlines()

    def _text(self, path: Path) -> str:
        name = self.tree.name(path)
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise Mistake(
                f"{name!r} has {path.stat().st_size >> 20} MB; use run with a command that reads a part of it"
            )
        if b"\0" in content[:8192]:
            raise Mistake(f"{name!r} is binary ({len(content)} bytes)")
        return content.decode("utf-8", "surrogateescape")


def _written(path: Path, content: str) -> None:
    """Write in place: mode and links stay as they are."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(content)


def _numbered(number: int, line: str) -> str:
    return f"{number:>5}\t{line if len(line) <= MAX_LINE else line[:MAX_LINE] + ' [line cut]'}"


def _around(lines: Sequence[str], first: int, last: int) -> str:
    """Show some lines, counted from 0, with two more on either side."""
    begin, end = max(0, first - 2), min(len(lines), last + 3)
    shown = [_numbered(number + 1, lines[number].rstrip("\r")) for number in range(begin, end)]
    return "\n".join(shown if len(shown) <= 40 else [*shown[:20], "    ...", *shown[-20:]])


def _not_once(content: str, old: str, path: str, found: int) -> str:
    lines = content.split("\n")
    if found:
        starts = [content[:at].count("\n") + 1 for at in _starts(content, old)]
        shown = ", ".join(map(str, starts[:10]))
        return f"old is in {path} {found} times (lines {shown}); give more of the lines around the one to replace"
    wanted = [line.strip() for line in old.strip().splitlines()]
    stripped = [line.strip() for line in lines]
    for at in range(len(lines) - len(wanted) + 1):
        if stripped[at : at + len(wanted)] == wanted:
            same = _around(lines, at, at + len(wanted) - 1)
            return f"old is not in {path} as it is given; only the white space differs from these lines:\n{same}"
    # Comparing costs the square of a length: neither minified files nor huge ones are worth that.
    known = dict.fromkeys(line for line in stripped[:MAX_COMPARED] if 0 < len(line) <= MAX_LINE_COMPARED)
    longest = max(wanted, key=len, default="")[:MAX_LINE_COMPARED]
    closest = difflib.get_close_matches(longest, known, n=1, cutoff=0.4)
    if not closest:
        return f"old is not in {path}, and nothing like it; read the file again"
    at = stripped.index(closest[0])
    return f"old is not in {path}; the nearest lines are:\n{_around(lines, at, at)}"


def _starts(content: str, old: str) -> list[int]:
    found, at = [], content.find(old)
    while at >= 0:
        found.append(at)
        at = content.find(old, at + len(old))
    return found


def _by_folder(names: Sequence[str], folder: str) -> list[str]:
    """Show the folders of a long list with the numbers of files in them, one or two levels deep."""
    prefix = "" if os.path.normpath(folder) == "." else os.path.normpath(folder) + "/"
    for depth in (2, 1):
        parts = Counter("/".join(name.removeprefix(prefix).split("/")[:depth]) for name in names)
        whole = {name.removeprefix(prefix) for name in names}
        shown = [
            prefix + part + ("" if part in whole else f"/ ({count} files)") for part, count in sorted(parts.items())
        ]
        if len(shown) <= MAX_LISTED:
            break
    more = [] if len(shown) <= MAX_LISTED else [f"[{len(shown) - MAX_LISTED} more]"]
    return [f"{len(names)} files; list a folder or a glob to see more:", *shown[:MAX_LISTED], *more]
