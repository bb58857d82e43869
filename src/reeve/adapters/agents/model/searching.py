"""Searches the text of files: with ripgrep where it is installed, else in a Python process that can be ended."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
    from .tree import Mistake, matching

    ripgrep = shutil.which("rg")
    if ripgrep:
        found = _found(_ripgrep(ripgrep, pattern, glob, ignore_case=ignore_case, where=tree.name(where)), tree.root)
    else:
        names = [tree.name(where)] if where.is_file() else tree.files(tree.name(where))
        asked = {"pattern": pattern, "ignore_case": ignore_case, "names": matching(names, glob) if glob else names}
        # In another process: an expression that backtracks for ever can only be ended from outside.
        argv = [sys.executable, "-I", "-S", "-B", os.path.abspath(__file__)]
        found = _found(argv, tree.root, json.dumps(asked).encode())
    if found.late:
        raise Mistake(f"the search took longer than {SECONDS:g} s; search a folder, or for something simpler")
    if found.problem and not found.lines:
        raise Mistake(f"the search failed: {found.problem}")
    shown = [line if len(line) <= MAX_COLUMNS + 200 else line[: MAX_COLUMNS + 200] + "..." for line in found.lines]
    more = f"[{'at least ' if found.cut else ''}{len(shown) - MAX_MATCHES} more lines match]"
    return "\n".join(shown if len(shown) <= MAX_MATCHES else [*shown[:MAX_MATCHES], more])


def _ripgrep(program: str, pattern: str, glob: str, *, ignore_case: bool, where: str) -> list[str]:
    argv = [program, "--no-config", "--no-heading", "--with-filename", "--line-number", "--color=never", "--sort=path",
            "--hidden", "--glob=!.git", f"--max-columns={MAX_COLUMNS}", "--max-columns-preview",
            f"--max-filesize={MAX_FILE_BYTES}"]  # fmt: skip
    argv += ["--ignore-case"] if ignore_case else []
    argv += [f"--glob={glob}"] if glob else []
    return [*argv, f"--regexp={pattern}", "--", where]


@dataclass(frozen=True)
class Found:
    """What a search has printed; `cut`: there was more of it; `late`: it was ended."""

    lines: Sequence[str]
    cut: bool
    late: bool
    problem: str  # what it complained about, unless it was ended by us


def _found(argv: Sequence[str], folder: Path, given: bytes = b"") -> Found:
    """Run a search; of what it prints no more is taken than is looked at, however many lines match."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as complaints:
        asked.write(given)
        asked.seek(0)
        with subprocess.Popen(argv, cwd=folder, stdin=asked, stdout=subprocess.PIPE, stderr=complaints) as process:
            ending = threading.Timer(SECONDS, process.kill)
            ending.start()
            output = process.stdout.read(MAX_OUTPUT_BYTES + 1) if process.stdout is not None else b""
            if cut := len(output) > MAX_OUTPUT_BYTES:
                process.kill()
            status = process.wait()
            ending.cancel()
        complaints.seek(0)
        problem = complaints.read(1000).decode("utf-8", "replace").strip()
    whole = output[: output.rfind(b"\n")] if cut else output
    lines = [line.removeprefix("./") for line in whole.decode("utf-8", "replace").splitlines()]
    late = status < 0 and not cut and time.monotonic() - began >= SECONDS
    return Found(lines, cut, late, problem if status > 1 else "")


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
