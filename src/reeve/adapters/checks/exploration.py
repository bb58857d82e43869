"""What the search for unneeded parts and unnoticed defects is told, and what of its answer is believed.

The answer comes from processes that share the project's code, so it is a claim. It can only name lines: what is needed
is composed here, of lines of the base and of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reeve.adapters.checks.examiner.reduce import ADDED, REMOVED, STAYS, FilePatch, Torn
from reeve.errors import PatchError, RepositoryError
from reeve.ports import ChallengeRequest, Objects
from reeve.records import Defect, Runner, SourceChange, TestOutcome
from reeve.verdict import minimise
from reeve.verdict.surplus import stretches

__all__ = ["Explored", "exploration_plan", "take"]

MOST_DEFECTS = 24
TEXT_BYTES = 512 * 1024
"""Files larger than this, and those that are no text, can only be taken or left as a whole."""
PAIRED = 2000
"""Removed times added lines of one stretch up to which like is put beside like."""
SHOWN = 200
EXECUTABLE = 0o100755


@dataclass(frozen=True, slots=True)
class Explored:
    """What is believed of an exploration; `needed` is a tree ("": not measured), `problem` says what is missing."""

    defects: tuple[Defect, ...] = ()
    needed: str = ""
    complete: bool = False
    problem: str = ""


def exploration_plan(request: ChallengeRequest, sources: Sequence[SourceChange]) -> dict[str, Any] | None:
    """Make the plan for `explore` in the sandbox, JSON-compatible; None where there is nothing to explore.

    `sources` is the difference from the base to the examined tree.
    """
    checks = request.check.checks
    passing = [name for name, outcome in request.tests.items() if outcome is TestOutcome.PASSED]
    files = [_file(source) for source in sources if source.before != source.after]
    if checks.runner is not Runner.PYTEST or not checks.required or not files or request.explore_seconds <= 0:
        return None
    if not set(checks.required) <= set(passing):
        return None
    return {
        "files": files,
        "required": list(checks.required),
        "passing": passing,
        "paths": sorted({name.split("::", 1)[0] for name in passing}),
        "arguments": list(checks.pytest_args),
        "memory_bytes": request.check.limits.memory_mb * 2**20 // 2,
        "seed": request.seed or 0,
        "most_defects": MOST_DEFECTS,
        "minimise": Path(minimise.__file__).read_text(encoding="utf-8"),
    }


def take(explored: object, request: ChallengeRequest, sources: Sequence[SourceChange], objects: Objects) -> Explored:
    """Believe of an answer what can be true; the rest is a problem, never an exception."""
    if not isinstance(explored, dict):
        return Explored(problem="the search for unneeded parts gave no answer")
    problem = _text(explored.get("problem"))
    try:
        defects = tuple(_defects(explored.get("defects"), sources))
        needed = _needed(explored.get("needed"), request, sources, objects)
    except (_Unbelievable, Torn) as error:
        return Explored(problem=f"the search for unneeded parts gave an answer that cannot be true: {error}")
    except (PatchError, RepositoryError) as error:
        return Explored(defects, problem=f"what is needed makes no tree: {error}")
    return Explored(defects, needed, bool(needed) and explored.get("complete") is True, problem)


class _Unbelievable(Exception):  # noqa: N818 - it is the answer that is wrong
    """What was answered cannot be; the message says what."""


# ---------------------------------------------------------------- the plan


def _file(source: SourceChange) -> dict[str, Any]:
    before, after = source.before or b"", source.after or b""
    whole = any(b"\0" in content or len(content) > TEXT_BYTES for content in (before, after))
    made = (source.before is None) != (source.after is None)
    parts = [(ADDED if source.before is None else REMOVED, b"")] if made else []
    parts += [(REMOVED, before), (ADDED, after)] if whole else _parts(_lines(before), _lines(after))
    return {
        "path": source.path,
        "added": source.before is None,
        "removed": source.after is None,
        "whole": whole,
        "parts": [[kind, text.decode("latin-1")] for kind, text in parts if text or kind != STAYS],
    }


def _lines(content: bytes) -> list[bytes]:
    *lines, last = content.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _parts(before: list[bytes], after: list[bytes]) -> list[tuple[str, bytes]]:
    """Cut a file into what stays and single changed lines, in an order that fits both sides."""
    parts: list[tuple[str, bytes]] = []
    for equal, low, high, begin, end in stretches(before, after):
        if equal:
            parts.append((STAYS, b"".join(before[low:high])))
        else:
            parts += _stretch(before[low:high], after[begin:end])
    return parts


def _stretch(old: list[bytes], new: list[bytes]) -> list[tuple[str, bytes]]:
    """Put each removed line before the added one that is most like it, so that they can go together."""
    pairs = (
        _alike(old, new) if len(old) * len(new) <= PAIRED else list(zip(range(len(old)), range(len(new)), strict=False))
    )
    parts: list[tuple[str, bytes]] = []
    low = begin = 0
    for at, to in [*pairs, (len(old), len(new))]:
        parts += [(REMOVED, line) for line in old[low:at]] + [(ADDED, line) for line in new[begin:to]]
        parts += [(REMOVED, line) for line in old[at : at + 1]] + [(ADDED, line) for line in new[to : to + 1]]
        low, begin = at + 1, to + 1
    return parts


def _alike(old: list[bytes], new: list[bytes]) -> list[tuple[int, int]]:
    """Pair lines in their order so that their likeness in sum is greatest."""
    words = [[set(line.split()) | {line.strip()} for line in lines] for lines in (old, new)]
    likeness = [[len(one & other) / len(one | other) for other in words[1]] for one in words[0]]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for at in range(len(old) - 1, -1, -1):
        for to in range(len(new) - 1, -1, -1):
            both = best[at + 1][to + 1] + likeness[at][to] + 0.01
            best[at][to] = max(both, best[at + 1][to], best[at][to + 1])
    pairs: list[tuple[int, int]] = []
    at = to = 0
    while at < len(old) and to < len(new):
        if best[at][to] == best[at + 1][to + 1] + likeness[at][to] + 0.01:
            pairs.append((at, to))
            at, to = at + 1, to + 1
        elif best[at][to] == best[at + 1][to]:
            at += 1
        else:
            to += 1
    return pairs


# ---------------------------------------------------------------- the answer


def _text(value: object) -> str:
    return " ".join(value.split())[:SHOWN] if isinstance(value, str) else ""


def _defects(told: object, sources: Sequence[SourceChange]) -> list[Defect]:
    if not isinstance(told, list) or len(told) > MOST_DEFECTS:
        raise _Unbelievable(f"the defects are no list of at most {MOST_DEFECTS}")
    lines = {source.path: (source.after or b"").count(b"\n") + 1 for source in sources}
    found = []
    for each in told:
        if not isinstance(each, list) or [type(part) for part in each] != [str, int, str, str, bool]:
            raise _Unbelievable(f"a defect is {each!r:.80}")
        path, line, was, now, noticed = each
        if not 1 <= line <= lines.get(path, 0):
            raise _Unbelievable(f"a defect in line {line} of {path!r:.80}")
        found.append(Defect(path, line, _text(was), _text(now), noticed))
    return found


def _needed(told: object, request: ChallengeRequest, sources: Sequence[SourceChange], objects: Objects) -> str:
    """Compose the needed tree of lines of the base and of the result; "" where nothing was told."""
    base, tree = request.check.base_tree, request.check.tree
    if told is None:
        return ""
    if not isinstance(told, dict):
        raise _Unbelievable("what is needed is no object")
    changed = {source.path: source for source in sources if source.before != source.after}
    contents: dict[str, bytes | None] = {}
    for path, numbers in told.items():
        if path not in changed:
            raise _Unbelievable(f"{path!r:.80} is not in the patch")
        file = FilePatch(_file(changed[path]), 0)
        content = file.content(_kept(numbers, file))
        # A link or folder that a regular file took the place of is not put back: nobody tried that.
        if content != changed[path].after and (content is not None or objects.read(base, path) == changed[path].before):
            contents[path] = content
    return _tree(contents, changed, base, tree, objects) if contents else tree


def _kept(numbers: object, file: FilePatch) -> frozenset[int]:
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise _Unbelievable(f"what is kept of {file.path!r:.80} is no list of numbers")
    kept = frozenset(numbers)
    if len(kept) != len(numbers) or not kept <= set(file.all):
        raise _Unbelievable(f"what is kept of {file.path!r:.80} is not in the patch")
    return kept


def _tree(
    contents: dict[str, bytes | None],
    changed: dict[str, SourceChange],
    base: str,
    tree: str,
    objects: Objects,
) -> str:
    """Put contents in the place of those of the result; who may execute a file stays as it is there."""
    kept, rewritten = [], dict[str, tuple[bytes, bool] | None]()
    for piece in objects.split(base, tree):
        path = _path(piece.path)
        if path not in contents:
            kept.append(piece)
            continue
        content = contents[path]
        if content == changed[path].before:
            continue
        if piece.whole:
            mode = piece.entry[0] if piece.entry is not None else 0
            rewritten[path] = None if content is None else (content, mode == EXECUTABLE)
        elif content is not None and path not in rewritten:
            kept += _pieces(piece, _lines(changed[path].before or b""), _lines(content))
            rewritten[path] = None  # its other pieces are in these
    made = objects.join(base, kept)
    whole = {path: file for path, file in rewritten.items() if file is not None}
    return objects.write(made, whole) if whole else made


def _path(path: bytes | str) -> str:
    return path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")


def _pieces(like: Any, before: list[bytes], after: list[bytes]) -> list[Any]:
    """Cut the difference of two texts into pieces of a file."""
    return [
        replace(like, start=low, old=tuple(before[low:high]), new=tuple(after[begin:end]))
        for equal, low, high, begin, end in stretches(before, after)
        if not equal
    ]
