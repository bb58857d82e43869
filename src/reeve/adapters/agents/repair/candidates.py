"""Candidates: edits of all suspicious statements, each once, in the order in which an attempt tries them."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from typing import Iterator, Optional

from .expressions import Expressions
from .localise import Spectrum, Suspect, header_lines
from .mine import Scope, TestFacts
from .splice import FUNCTIONS, SCOPES, Function, Source, Splice
from .statements import Statements

DISTRUST = 1.5  # how much more an edit costs where nothing is suspicious
SHALLOW_COST = 2.45
NOISE = 0.7


@dataclass(frozen=True)
class Candidate:
    """One change to try: its splices, what it costs to believe in, and where it came from."""

    splices: tuple[Splice, ...]
    cost: float
    key: float
    template: str
    path: str
    line: int
    function: str
    score: float


def combined(one: Candidate, other: Candidate) -> Optional[Candidate]:
    """Both changes at once, or None where they overlap."""
    for a in one.splices:
        for b in other.splices:
            if a.path == b.path and a.start < max(b.end, b.start + 1) and b.start < max(a.end, a.start + 1):
                return None
    return Candidate(
        (*one.splices, *other.splices), one.cost + other.cost, one.key + other.key,
        f"{one.template} + {other.template}", one.path, one.line, one.function, min(one.score, other.score),
    )  # fmt: skip


def name_of(source: Source, node: ast.AST) -> str:
    """The qualified name of the function around a node, empty at the top of a file."""
    names = []
    current: Optional[ast.AST] = node if isinstance(node, SCOPES) else source.parents.get(node)
    while current is not None:
        if isinstance(current, SCOPES):
            names.append(current.name)
        current = source.parents.get(current)
    return ".".join(reversed(names))


class Generator:
    """Makes the candidates of suspects; keeps what it has made, so that nothing is tried twice."""

    def __init__(self, sources: dict[str, Source], spectrum: Spectrum, facts: TestFacts) -> None:
        self.sources, self.spectrum, self.facts = sources, spectrum, facts
        self.scopes: dict[tuple[str, int], Scope] = {}
        self.seen: set[tuple[Splice, ...]] = set()

    def scope(self, source: Source, node: ast.AST) -> Scope:
        """The scope at a statement."""
        function: Optional[Function] = node if isinstance(node, FUNCTIONS) else source.function(node)
        line = function.lineno if function is not None else 0
        key = (source.path, line)
        if key not in self.scopes:
            types: dict[str, str] = {}
            outer = function
            while outer is not None:
                first = min([outer.lineno] + [item.lineno for item in outer.decorator_list])
                for name, kind in self.spectrum.types.get(f"{source.path}:{first}", {}).items():
                    types.setdefault(name, kind)
                outer = source.function(outer)
            self.scopes[key] = Scope(source, function, types, self.facts)
        return self.scopes[key]

    def of(self, suspect: Suspect) -> Iterator[Candidate]:
        """Every candidate of one suspicious statement."""
        source, node = self.sources[suspect.path], suspect.node
        scope = self.scope(source, node)
        lines = set(header_lines(node))
        function = name_of(source, node)
        weight = 1.0 + DISTRUST * (1.0 - suspect.score)
        expressions, statements = Expressions(source, scope), Statements(source, scope)

        def edits() -> Iterator[tuple[float, str, Splice]]:
            yield from statements.of(node)
            if isinstance(node, (ast.If, ast.While)):
                yield from expressions.condition(node.test)
            for part in header_nodes(node):
                if isinstance(part, ast.expr) and part.lineno in lines:
                    yield from expressions.of(part, part.lineno)
                elif isinstance(part, ast.Lambda):
                    continue

        for cost, template, splice in edits():
            splices = (splice,)
            if splices in self.seen:
                continue
            self.seen.add(splices)
            yield Candidate(splices, cost, cost * weight, template, suspect.path, node.lineno, function, suspect.score)


def header_nodes(node: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without its body."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return
    if isinstance(node, (ast.If, ast.While)):
        yield from ast.walk(node.test)
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        yield from ast.walk(node.target)
        yield from ast.walk(node.iter)
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            yield from ast.walk(item)
    elif isinstance(node, ast.Try):
        return
    elif hasattr(ast, "Match") and isinstance(node, ast.Match):
        yield from ast.walk(node.subject)
    else:
        yield from ast.walk(node)


def unit_interval(*parts: object) -> float:
    """A reproducible number from 0 to 1 for some values."""
    digest = hashlib.blake2b(repr(parts).encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def ordered(candidates: list[Candidate], seed: int, attempt: int, attempts: int) -> list[Candidate]:
    """The order in which one attempt tries candidates.

    Attempt 0 goes best first. Every other attempt takes its own share of the candidates first (dealt in turn, so that
    the cheap ones are shared out too) and weighs functions and templates by its own seeded noise.
    """
    base = sorted(candidates, key=lambda one: (one.key, one.path, one.splices))
    if attempt == 0 or attempts < 2:
        return base
    own = [one for number, one in enumerate(base) if number % (attempts - 1) == attempt - 1]
    rest = [one for number, one in enumerate(base) if number % (attempts - 1) != attempt - 1]

    def weighed(one: Candidate) -> tuple[float, str, tuple[Splice, ...]]:
        where = unit_interval(seed, attempt, "function", one.path, one.function)
        what = unit_interval(seed, attempt, "template", one.template)
        return one.key * (1.0 + NOISE * (where + what - 1.0)), one.path, one.splices

    return sorted(own, key=weighed) + sorted(rest, key=weighed)
