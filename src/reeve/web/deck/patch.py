"""A patch as a page shows it: files, hunks and lines, what the checks need told apart from what they do not."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["FilePatch", "Line", "files_of"]

HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
LINE_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a patch; numbers are those in the file before and after, None: it is not there.

    `needed` is None for lines that change nothing, and where it was not measured.
    """

    kind: str  # hunk, add, del, same, note
    text: str
    before: int | None = None
    after: int | None = None
    needed: bool | None = None


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What a patch does to one file."""

    path: str
    lines: tuple[Line, ...]

    @property
    def added(self) -> int:
        """How many lines it adds."""
        return sum(line.kind == "add" for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines it takes away."""
        return sum(line.kind == "del" for line in self.lines)

    @property
    def surplus(self) -> int:
        """How many of its lines the checks do not need."""
        return sum(line.needed is False for line in self.lines)


def files_of(diff: str, needed: str | None = None) -> tuple[FilePatch, ...]:
    """Read a git diff; `needed` is the diff of what the checks need of it, None: nobody measured that.

    A line counts as needed if the needed diff has the same line in the same file: one taken away at its number, one
    added by its text, as often as it stands there.
    """
    parts = dict(_parts(diff))
    kept = dict(_parts(needed)) if needed is not None else None
    return tuple(
        FilePatch(path, tuple(_lines(rows, None if kept is None else kept.get(path, ()))))
        for path, rows in parts.items()
    )


def _parts(diff: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Cut a diff at its files; a file is named as git quotes it."""
    rows: list[str] = []
    for line in diff.split("\n"):
        if line.startswith("diff --git ") and rows:
            yield _path(rows), tuple(rows)
            rows = []
        rows.append(line)
    if rows and rows[0].startswith("diff --git "):
        yield _path(rows), tuple(rows)


def _path(rows: Sequence[str]) -> str:
    for prefix in ("+++ b/", '+++ "b/', "--- a/", '--- "a/'):
        for row in rows:
            if row.startswith("@@ "):
                break
            if row.startswith(prefix):
                return row[len(prefix) :].rstrip("\t").rstrip('"')
    return rows[0].removeprefix("diff --git ").partition(" b/")[2] or rows[0].removeprefix("diff --git ")


def _lines(rows: Sequence[str], needed: Sequence[str] | None) -> Iterator[Line]:
    gone, come = _wanted(needed) if needed is not None else (set[int](), Counter[str]())
    for line in _numbered(rows):
        if needed is None or line.kind not in ("add", "del"):
            yield line
            continue
        if line.kind == "del":
            held = line.before in gone
        else:
            held = come[line.text] > 0
            come[line.text] -= held
        yield Line(line.kind, line.text, line.before, line.after, held)


def _wanted(rows: Sequence[str]) -> tuple[set[int], Counter[str]]:
    gone, come = set[int](), Counter[str]()
    for line in _numbered(rows):
        if line.kind == "del" and line.before is not None:
            gone.add(line.before)
        elif line.kind == "add":
            come[line.text] += 1
    return gone, come


def _numbered(rows: Sequence[str]) -> Iterator[Line]:
    before = after = 0
    inside = False
    for row in rows:
        if found := HUNK.match(row):
            inside, before, after = True, int(found[1]), int(found[2])
            yield Line("hunk", _cut(row))
        elif not inside:
            if row.startswith(("new file", "deleted file", "old mode", "new mode", "Binary", "GIT binary", "rename")):
                yield Line("note", _cut(row))
        elif row.startswith("+"):
            yield Line("add", _cut(row[1:]), None, after)
            after += 1
        elif row.startswith("-"):
            yield Line("del", _cut(row[1:]), before)
            before += 1
        elif row.startswith("\\"):
            yield Line("note", row[2:])
        elif row:
            yield Line("same", _cut(row[1:]), before, after)
            before, after = before + 1, after + 1


def _cut(text: str) -> str:
    return text if len(text) <= LINE_CHARACTERS else f"{text[:LINE_CHARACTERS]} … {len(text)} characters"
