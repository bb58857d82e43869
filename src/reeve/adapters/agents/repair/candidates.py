"""Candidates: edits of all suspicious statements, each once, in the order in which an attempt tries them."""

from __future__ import annotations

import ast
import hashlib
import heapq
from dataclasses import dataclass
from typing import Iterable, Iterator, Optional

from .expressions import DEEP_COST, Expressions
from .localise import Spectrum, Suspect, header_lines
from .mine import Scope, TestFacts
from .splice import FUNCTIONS, SCOPES, Function, Source, Splice
from .statements import Statements

DISTRUST = 1.5  # how much more an edit costs where nothing is suspicious
NOISE = 0.5
NOT_OURS = 0.8  # what a candidate of another attempt's share costs more
LEAST_COST = 0.95


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

    def of(self, suspect: Suspect, deep: bool) -> Iterator[Candidate]:
        """The candidates of one suspicious statement: the near ones, or those with material from elsewhere."""
        source, node = self.sources[suspect.path], suspect.node
        scope = self.scope(source, node)
        lines = set(header_lines(node))
        function = name_of(source, node)
        weight = weight_of(suspect)
        expressions, statements = Expressions(source, scope), Statements(source, scope)

        def edits() -> Iterator[tuple[float, str, Splice]]:
            yield from statements.deep(node) if deep else statements.of(node)
            if isinstance(node, (ast.If, ast.While)):
                yield from expressions.more_conditions(node.test) if deep else expressions.condition(node.test)
            for part in header_nodes(node):
                if isinstance(part, ast.expr) and part.lineno in lines:
                    yield from expressions.deep(part, part.lineno) if deep else expressions.of(part, part.lineno)

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


class Order:
    """The order in which one attempt tries candidates.

    Attempt 0 goes best first. Every other attempt prefers its own share of the candidates (dealt by hash, so that the
    cheap ones are shared out too) and weighs functions and templates by its own seeded noise.
    """

    def __init__(self, seed: int, attempt: int, attempts: int) -> None:
        self.seed, self.attempt, self.others = seed, attempt, attempts - 1
        self.greedy = attempt == 0 or attempts < 2
        self.noise: dict[tuple[str, ...], float] = {}

    def _noise(self, *parts: str) -> float:
        if parts not in self.noise:
            self.noise[parts] = unit_interval(self.seed, self.attempt, parts) - 0.5
        return self.noise[parts]

    def key(self, candidate: Candidate) -> float:
        """Smaller is sooner."""
        if self.greedy:
            return candidate.key
        noise = self._noise("function", candidate.path, candidate.function) + self._noise(
            "template", candidate.template
        )
        share = int(unit_interval(self.seed, candidate.splices) * self.others) % self.others
        return candidate.key * (1.0 + NOISE * noise) + (0.0 if share == self.attempt - 1 else NOT_OURS)

    def least(self, suspect: Suspect, deep: bool) -> float:
        """A lower bound of the keys of a suspect's candidates."""
        weight = (DEEP_COST if deep else LEAST_COST) * weight_of(suspect)
        return weight if self.greedy else weight * (1.0 - NOISE)


def weight_of(suspect: Suspect) -> float:
    """How much an edit's cost grows with how little its place is suspected."""
    return 1.0 + DISTRUST * (1.0 - suspect.score)


class Stream:
    """Candidates of all suspects, best first, made only when their turn comes."""

    def __init__(self, suspects: list[Suspect], generator: Generator, order: Order, first: Iterable[Candidate]) -> None:
        self.generator, self.order = generator, order
        self.steps = sorted(
            (
                (order.least(one, deep), one.path, one.node.lineno, one.node.col_offset, deep, one)
                for one in suspects
                for deep in (False, True)
            ),
            key=lambda step: step[:5],
        )
        self.expanded = 0
        self.made = 0
        self.given: list[Candidate] = []
        self.heap: list[tuple[float, int, Candidate]] = []
        self._push(first)

    def _push(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            self.made += 1
            heapq.heappush(self.heap, (self.order.key(candidate), self.made, candidate))

    def __iter__(self) -> Iterator[Candidate]:
        while True:
            while self.expanded < len(self.steps):
                least, *_, deep, suspect = self.steps[self.expanded]
                if self.heap and self.heap[0][0] < least:
                    break
                self.expanded += 1
                self._push(self.generator.of(suspect, deep))
            if not self.heap:
                return
            candidate = heapq.heappop(self.heap)[2]
            self.given.append(candidate)
            yield candidate

    def size(self) -> int:
        """How many candidates there are; extrapolated from the statements looked at so far."""
        return self.made if not self.expanded else self.made * len(self.steps) // self.expanded
