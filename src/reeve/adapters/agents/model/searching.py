"""Searches the text of files: with ripgrep where it is installed, else in a Python process that can be ended."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["searched"]

SECONDS = 30.0
MAX_MATCHES = 200
MAX_COLUMNS = 300
MAX_FILE_BYTES = 2**22
MAX_OUTPUT_BYTES = 2**20


def searched(tree: "Tree", pattern: str, where: Path, glob: str, *, ignore_case: bool) -> str:
    """Return lines 'path:line:text', sorted by path; raises Mistake for a pattern that is none, or takes too long."""
    from .tree import Mistake

    ripgrep = shutil.which("rg")
    try:
        done = (
            _by_ripgrep(ripgrep, tree, pattern, where, glob, ignore_case)
            if ripgrep
            else _by_python(tree, pattern, where, glob, ignore_case)
        )
    except subprocess.TimeoutExpired:
        raise Mistake(f"the search took longer than {SECONDS:g} s; search a folder, or for something simpler") from None
    if done.returncode > 1:
        raise Mistake(f"the search failed: {done.stderr.decode('utf-8', 'replace').strip()[:1000]}")
    lines = [line.removeprefix("./") for line in done.stdout[:MAX_OUTPUT_BYTES].decode("utf-8", "replace").splitlines()]
    shown = [line if len(line) <= MAX_COLUMNS + 200 else line[: MAX_COLUMNS + 200] + "..." for line in lines]
    more = [f"[{len(lines) - MAX_MATCHES} more lines match]"] if len(lines) > MAX_MATCHES else []
    return "\n".join([*shown[:MAX_MATCHES], *more])


def _by_ripgrep(
    program: str, tree: "Tree", pattern: str, where: Path, glob: str, ignore_case: bool
) -> subprocess.CompletedProcess[bytes]:
    argv = [program, "--no-config", "--no-heading", "--with-filename", "--line-number", "--color=never", "--sort=path",
            "--hidden", "--glob=!.git", f"--max-columns={MAX_COLUMNS}", "--max-columns-preview",
            f"--max-filesize={MAX_FILE_BYTES}"]  # fmt: skip
    argv += ["--ignore-case"] if ignore_case else []
    argv += [f"--glob={glob}"] if glob else []
    argv += [f"--regexp={pattern}", "--", tree.name(where)]
    return subprocess.run(
        argv, cwd=tree.root, capture_output=True, check=False, timeout=SECONDS, stdin=subprocess.DEVNULL
    )


def _by_python(
    tree: "Tree", pattern: str, where: Path, glob: str, ignore_case: bool
) -> subprocess.CompletedProcess[bytes]:
    """Search in another process: an expression that backtracks for ever can only be ended from outside."""
    from .tree import matching

    names = [tree.name(where)] if where.is_file() else tree.files(tree.name(where))
    asked = {"pattern": pattern, "ignore_case": ignore_case, "names": matching(names, glob) if glob else names}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", os.path.abspath(__file__)], input=json.dumps(asked).encode(),
        cwd=tree.root, capture_output=True, check=False, timeout=SECONDS,
    )  # fmt: skip


def main() -> int:
    """Read what to search from standard input, print what matches; 2: the pattern is no expression."""
    asked = json.loads(sys.stdin.buffer.read())
    try:
        expression = re.compile(asked["pattern"], re.IGNORECASE if asked["ignore_case"] else 0)
    except re.error as error:
        sys.stderr.write(f"{asked['pattern']!r} is no regular expression: {error}")
        return 2
    printed = 0
    for name in asked["names"]:
        for number, line in _lines(name):
            if expression.search(line):
                shown = line if len(line) <= MAX_COLUMNS else line[:MAX_COLUMNS] + " [...]"
                sys.stdout.buffer.write(f"{name}:{number}:{shown}\n".encode("utf-8", "surrogateescape"))
                printed += 1
                if printed > 10 * MAX_MATCHES:
                    return 0
    return 0 if printed else 1


def _lines(name: str) -> "Sequence[tuple[int, str]]":
    try:
        if os.path.getsize(name) > MAX_FILE_BYTES:
            return ()
        with open(name, "rb") as file:
            content = file.read()
    except OSError:
        return ()
    if b"\0" in content[:8192]:
        return ()
    return list(enumerate(content.decode("utf-8", "surrogateescape").splitlines(), start=1))


if __name__ == "__main__":
    sys.exit(main())
