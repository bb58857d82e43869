"""Spectrum-based fault localisation: which lines failing tests run and passing tests do not."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator

from .splice import FUNCTIONS, SCOPES, Source

Line = tuple[str, int]
INNERMOST_FRAME = 0.35
OTHER_FRAME = 0.1
MODULE_LEVEL = 0.45


@dataclass
class Spectrum:
    """What the tests ran: lines by test item, which of them failed, and where their exceptions came from."""

    failing: dict[int, set[Line]] = field(default_factory=dict)
    passing: dict[int, set[Line]] = field(default_factory=dict)
    frames: dict[int, list[Line]] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    exceptions: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, result: dict[str, Any], failed: bool) -> None:
        """Take in one traced run of one item."""
        item = result["item"]
        lines = {(path, line) for path, found in result["lines"].items() for line in found}
        (self.failing if failed else self.passing)[item] = lines
        self.cpu[item] = result["cpu"]
        for place, names in result.get("types", {}).items():
            known = self.types.setdefault(place, {})
            for name, kind in names.items():
                if known.get(name, "NoneType") == "NoneType":
                    known[name] = kind
        if failed:
            self.exceptions[item] = (result.get("exception", ""), result.get("message", ""))

    def covering(self, lines: Iterable[Line]) -> list[int]:
        """The passing items that ran any of these lines, cheapest first."""
        wanted = set(lines)
        found = [item for item, ran in self.passing.items() if not wanted.isdisjoint(ran)]
        return sorted(found, key=lambda item: (self.cpu.get(item, 0.0), item))


def ochiai(spectrum: Spectrum) -> dict[Line, float]:
    """Ochiai's suspiciousness of every line that a failing test ran: ef / sqrt(F * (ef + ep))."""
    failed: dict[Line, int] = {}
    passed: dict[Line, int] = {}
    for lines in spectrum.failing.values():
        for line in lines:
            failed[line] = failed.get(line, 0) + 1
    for lines in spectrum.passing.values():
        for line in lines:
            if line in failed:
                passed[line] = passed.get(line, 0) + 1
    total = max(1, len(spectrum.failing))
    return {line: count / math.sqrt(total * (count + passed.get(line, 0))) for line, count in failed.items()}


@dataclass(frozen=True)
class Suspect:
    """One statement and how suspicious it is, from 0 to 1 (1 = the most suspicious of all)."""

    path: str
    node: ast.stmt
    score: float


def header_lines(node: ast.stmt) -> range:
    """The lines of a statement without those of its body."""
    first = node.lineno
    if isinstance(node, SCOPES):
        first = min([first] + [item.lineno for item in node.decorator_list])
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if isinstance(body, list) and body:
        start = getattr(body[0], "lineno", None) or body[0].pattern.lineno
        return range(first, max(node.lineno + 1, start))
    return range(first, (node.end_lineno or node.lineno) + 1)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a body, in order, with those nested in it."""
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, name, []) or [])
        for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from statements(part.body)


def suspects(sources: dict[str, Source], spectrum: Spectrum) -> list[Suspect]:
    """Statements of the project, most suspicious first.

    Lines come by Ochiai, raised where a failing test's exception passed through. Statements outside functions run at
    import, not in a test: they count through the suspicious functions that use the names they bind.
    """
    scores = ochiai(spectrum)
    for frames in spectrum.frames.values():
        for place, line in enumerate(reversed(frames)):
            if line in scores:
                scores[line] += (INNERMOST_FRAME if place == 0 else OTHER_FRAME) / max(1, len(spectrum.frames))
    top = max(scores.values(), default=0.0) or 1.0
    found: list[Suspect] = []
    used: dict[str, float] = {}
    for path in sorted({path for path, _ in scores}):
        source = sources[path]
        for node in statements(source.tree.body):
            score = max((scores.get((path, line), 0.0) for line in header_lines(node)), default=0.0) / top
            inside = source.function(node) is not None or isinstance(node, FUNCTIONS)
            if score > 0 and inside:
                found.append(Suspect(path, node, min(1.0, score)))
                for part in ast.walk(node) if not isinstance(node, SCOPES) else ():
                    name = (
                        part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else ""
                    )
                    if name:
                        used[name] = max(used.get(name, 0.0), score)
    found += _module_level(sources, used)
    return sorted(found, key=lambda one: (-one.score, one.path, one.node.lineno))


def _module_level(sources: dict[str, Source], used: dict[str, float]) -> Iterator[Suspect]:
    for path, source in sorted(sources.items()):
        for node in statements(source.tree.body):
            if isinstance(node, (*SCOPES, ast.Import, ast.ImportFrom)) or source.function(node) is not None:
                continue
            names = {
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
            score = max((used.get(name, 0.0) for name in names), default=0.0)
            if score > 0:
                yield Suspect(path, node, score * MODULE_LEVEL)
