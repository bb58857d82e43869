"""The search: collect, trace, localise, then try candidates until enough plausible ones are found or the budget ends."""

# ruff: noqa: B905, E501  (zip(strict=) came after 3.9; rows of costs stay on one line)

from __future__ import annotations

import ast
import heapq
import time
from dataclasses import dataclass
from typing import Any, Iterator, Optional

from .candidates import Candidate, Generator, Order, Stream, combined
from .events import Events
from .localise import Spectrum, Suspect, suspects
from .mine import TestFacts
from .serve import Failure, Server, fresh, pytest_arguments
from .spec import Spec
from .splice import Source, apply
from .statements import missing_names
from .tree import Tree
from .wire import Gone

COLLECT_SHARE, TRACE_SHARE, SEARCH_SHARE = 0.3, 0.25, 0.85
MOST_SUSPECTS = 400
MOST_BATCH = 256
MOST_PLAUSIBLE = 12
EXTRA_LEAST, EXTRA_SHARE = 300, 0.5
COVERING_CPU_SECONDS = 2.0
PAIR_PARENTS = 400
NEAR_PER_ANEW = 40  # a new import costs about as much as this many swaps
MOST_ANEW = 60  # with nothing else left to try in this round; each costs a whole start of pytest
LEAST_LIMIT = 0.03  # CPU seconds; the kernel counts in steps of 4 ms


class Over(Exception):
    """The budget has ended."""


class Done(Exception):
    """There is nothing to repair; the message says what shows it."""


@dataclass
class Plausible:
    """A candidate that passes the required tests and those that cover its lines."""

    candidate: Candidate
    number: int
    rank: float = 0.0


class Search:
    """One attempt at one task."""

    def __init__(self, spec: Spec, tree: Tree, events: Events, command: list[str]) -> None:
        self.spec, self.tree, self.events, self.command = spec, tree, events, command
        self.arguments = pytest_arguments(spec, tree.root)
        self.server: Optional[Server] = None
        self.items: list[str] = []
        self.numbers: dict[str, int] = {}
        self.spectrum = Spectrum()
        self.sources: dict[str, Source] = {}
        self.failing: list[int] = []
        self.guarding: list[int] = []
        self.tried = 0
        self.pairs = 0
        self.stream: Optional[Stream] = None
        self.plausible: list[Plausible] = []
        self.hanging: set[int] = set()
        self.hung: list[Candidate] = []
        self.anew: list[tuple[float, int, Candidate]] = []  # a heap: key, order of arrival, edit outside live functions
        self.deferred = 0
        self.alone = 0
        self.size = 16
        self.stop_at: Optional[int] = None
        self.stop_time = 0.0
        self.began = time.monotonic()
        self.anew_tried = 0

    # the budget

    def remaining(self) -> float:
        """Seconds left for searching: of wall time, or of CPU time where that is limited and nearer its end."""
        wall = self.spec.wall_seconds * SEARCH_SHARE - self.events.seconds()
        if not self.spec.cpu_seconds or self.server is None:
            return wall
        return min(wall, self.spec.cpu_seconds * SEARCH_SHARE - time.process_time() - self.server.cpu_seconds())

    @property
    def space(self) -> int:
        """How many candidates there are to try, as far as is known."""
        return self.pairs + (self.stream.size() if self.stream is not None else 0)

    def check_budget(self) -> None:
        """Over where the time, or the number of candidates, has run out."""
        if self.remaining() <= 0:
            raise Over
        if self.spec.max_candidates and self.tried >= self.spec.max_candidates:
            raise Over

    def enough(self) -> bool:
        """Whether enough has been tried since the first plausible candidate."""
        if len(self.plausible) >= MOST_PLAUSIBLE:
            return True
        if self.stop_at is None:
            return False
        return self.tried >= self.stop_at or time.monotonic() > self.stop_time

    # preparing

    def required_files(self) -> list[str]:
        """The files of the required tests."""
        return list(dict.fromkeys(node.split("::")[0] for node in self.spec.required))

    def collect(self) -> None:
        """Start the server with the suite collected; only the required tests' files where the suite cannot be."""
        self.server = Server(self.spec, self.tree.root, self.tree.sources())
        wide = [*self.required_files(), *self.spec.keep] if self.spec.keep else []
        seconds = self.spec.wall_seconds * COLLECT_SHARE
        found: dict[str, Any] = {"items": [], "errors": []}
        try:
            found = self.server.collect([*self.arguments, *dict.fromkeys(wide)], seconds)
        except Failure as failure:
            self.events.emit("text", f"The suite as a whole cannot be used ({failure}); only the required files are.")
        if not set(self.spec.required) <= set(found["items"]):
            found = self.server.collect([*self.arguments, *self.required_files()], seconds)
        self.items = found["items"]
        self.numbers = {}
        for number, node in enumerate(self.items):
            self.numbers.setdefault(node, number)
        missing = [node for node in self.spec.required if node not in self.numbers]
        if missing and len(missing) == len(self.spec.required):
            detail = found["errors"][0].strip().splitlines()[-1] if found["errors"] else "no such test was found"
            raise Failure(f"the required tests cannot be collected: {missing[0]}: {detail}")

    def trace(self) -> None:
        """Run the required tests and as many others as the budget allows under the tracer."""
        assert self.server is not None
        required = [self.numbers[node] for node in self.spec.required if node in self.numbers]
        seconds = self.spec.wall_seconds * TRACE_SHARE
        self._traced(required, seconds)
        self.failing = [item for item in required if item in self.spectrum.failing]
        if not self.failing:
            if len(required) == len(self.spec.required) and all(item in self.spectrum.passing for item in required):
                raise Done("every required test that can be seen passes before any change")
            raise Failure("the required tests do not fail before any change")
        known = set(self.spec.broken_at_base)
        near = {self.items[item].split("::")[0] for item in self.failing}
        others = [
            item for item in range(len(self.items)) if item not in set(required) and self.items[item] not in known
        ]
        others.sort(key=lambda item: (self.items[item].split("::")[0] not in near, item))
        self._traced(others, seconds)
        self.failing.sort(key=lambda item: (item in self.hanging, self.spectrum.cpu.get(item, 0.0), item))

    def _traced(self, order: list[int], seconds: float) -> None:
        assert self.server is not None
        if not order:
            return
        reply = self.server.ask(
            "trace", seconds * 2 + 90.0, items=order, wall_seconds=seconds, cpu_seconds=max(1.0, seconds / 8)
        )
        for result in reply["results"]:
            if result["letter"] in "pftd":
                self.spectrum.add(result, failed=result["letter"] != "p")
                if result["letter"] in "td":
                    self.hanging.add(result["item"])
                frames = []
                for filename, line, _ in result.get("frames", []):
                    path = self.tree.relative(filename)
                    if path is not None and self.tree.editable(path):
                        frames.append((path, line))
                if result["letter"] != "p":
                    self.spectrum.frames[result["item"]] = frames

    def localise(self) -> list[Suspect]:
        """Read the sources that failing tests ran and rank their statements."""
        assert self.server is not None
        # Tests that fail without being asked for say nothing about this defect.
        wanted = set(self.failing)
        for item in [item for item in self.spectrum.failing if item not in wanted]:
            del self.spectrum.failing[item]
            self.spectrum.frames.pop(item, None)
        paths = sorted({path for lines in self.spectrum.failing.values() for path, _ in lines})
        for path in paths:
            try:
                self.sources[path] = Source(path, self.tree.held[path])
            except (SyntaxError, UnicodeDecodeError, ValueError):
                continue
        for lines in (*self.spectrum.failing.values(), *self.spectrum.passing.values()):
            lines -= {line for line in lines if line[0] not in self.sources}
        found = suspects(self.sources, self.spectrum)[:MOST_SUSPECTS]
        if not found:
            raise Failure("the failing tests run no line that may be edited")
        top = found[0]
        self.events.emit(
            "plan",
            f"Most suspicious of {len(found)} statements: {top.path}:{top.node.lineno} "
            f"({len(self.failing)} failing, {len(self.spectrum.passing)} passing tests traced).",
            suspects=[[one.path, one.node.lineno, round(one.score, 4)] for one in found[:20]],
            failing=len(self.failing), passing=len(self.spectrum.passing),
        )  # fmt: skip
        lines_of = {(one.path, line) for one in found for line in range(one.node.lineno, one.node.lineno + 1)}
        self.guarding = self.spectrum.covering(lines_of)
        self.server.ask("load", 120.0, paths=sorted(self.sources), shortcut=[*self.failing, *self.guarding[:200]])
        return found

    def facts(self) -> TestFacts:
        """What the failing tests mention."""
        facts = TestFacts()
        for item in self.failing[:50]:
            path, *names = self.items[item].split("[")[0].split("::")
            if path not in self.tree.held or not names:
                continue
            try:
                tree = ast.parse(self.tree.held[path])
            except (SyntaxError, ValueError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == names[-1]:
                    facts.read(node)
        for name, _ in self.spectrum.exceptions.values():
            if name and name not in ("AssertionError", "Failed", "OutOfTime") and name.isidentifier():
                facts.exceptions.setdefault(name, None)
        return facts

    # trying

    def run(self) -> None:
        """Try candidates until there are enough plausible ones, nothing is left, or the budget has ended (Over)."""
        found = self.localise()
        self.began = time.monotonic()
        generator = Generator(self.sources, self.spectrum, self.facts())
        order = Order(self.spec.seed, self.spec.attempt, self.spec.attempts)
        self.stream = Stream(found, generator, order, self._imports())
        self._try_all(iter(self.stream))
        if self.enough():
            return
        singles = self.stream.given
        self.events.emit("text", f"All {len(singles)} single edits have been tried.", search_space=self.space)
        again, self.hung = self.hung, []
        self._try_all(iter(again), patience=4.0)
        if self.enough() or self.plausible:
            return
        self._pairs(singles)

    def _imports(self) -> Iterator[Candidate]:
        exported: dict[str, list[str]] = {}
        for path in self.tree.sources():
            module = path[:-3].replace("/", ".").removeprefix("src.").removesuffix(".__init__")
            for name in (
                _defined(self.tree.held[path])
                if any("not defined" in m for _, m in self.spectrum.exceptions.values())
                else ()
            ):
                exported.setdefault(name, []).append(module)
        for item, (_, message) in self.spectrum.exceptions.items():
            for path, line in self.spectrum.frames.get(item, [])[-1:]:
                if path in self.sources:
                    for cost, template, splice in missing_names(self.sources[path], message, exported):
                        yield Candidate((splice,), cost, cost * 0.9, template, path, line, "", 1.0)

    def _limit(self) -> float:
        """CPU seconds one test may take under a candidate."""
        slowest = max(
            [self.spectrum.cpu.get(item, 0.0) for item in (*self.failing, *self.guarding) if item not in self.hanging],
            default=0.02,
        )
        return min(max(4 * slowest, LEAST_LIMIT), max(1.0, 2 * slowest))

    def _try_all(self, candidates: Iterator[Candidate], patience: float = 1.0) -> None:
        while not self.enough():
            self.check_budget()
            size = self.size = min(MOST_BATCH, self.size * 2)  # by count, not by time: same spec, same patch
            if self.spec.max_candidates:
                size = min(size, self.spec.max_candidates - self.tried)
            if self.stop_at is not None:
                size = max(1, min(size, self.stop_at - self.tried))
            batch = []
            for candidate in candidates:
                batch.append(candidate)
                if len(batch) >= size:
                    break
            if batch:
                self._try(batch, patience)
            self._try_anew(batch[-1].key if batch else float("inf"))
            if not batch:
                return
            self.events.progress(
                f"{self.tried} of {self.space} candidates tried, {len(self.plausible)} plausible.",
                candidates_tried=self.tried, search_space=self.space, plausible=len(self.plausible), seconds=round(self.events.seconds(), 2),
            )  # fmt: skip

    def _batch(self, batch: list[Candidate], items: list[int], **more: Any) -> dict[str, Any]:
        assert self.server is not None
        limit = self._limit() * more.pop("patience", 1.0)
        canaries = [[self.failing[0], "f"]] + [[item, "p"] for item in self.guarding[:1]]
        return self.server.ask(
            "batch", 90.0 + self.remaining(), candidates=[one.splices for one in batch], items=items, cpu_seconds=limit,
            canaries=canaries, deadline=time.monotonic() + self.remaining(), **more,
        )  # fmt: skip

    def _try(self, batch: list[Candidate], patience: float) -> None:
        reply = self._batch(batch, self.failing, patience=patience, alone=self.alone >= 3)
        if reply["dirty"]:
            self.alone += 1
            reply = self._batch(batch, self.failing, patience=patience, alone=True)
        self.tried += len(batch) - reply["letters"].count("n") - reply["letters"].count("u")
        for candidate, letter in zip(batch, reply["letters"]):
            if letter == "p":
                self._consider(candidate)
            elif letter == "t" and patience == 1.0:
                self.hung.append(candidate)
            elif letter == "n":
                self.deferred += 1
                heapq.heappush(self.anew, (candidate.key, self.deferred, candidate))

    def _try_anew(self, frontier: float) -> None:
        """Try edits outside live functions, each with the project imported anew, for a bounded share of the time."""
        while self.anew and not self.enough():
            self.check_budget()
            key, _, candidate = self.anew[0]
            share = self.anew_tried * NEAR_PER_ANEW > self.tried
            believed = min((one.candidate.key for one in self.plausible), default=float("inf"))
            if key > believed or (frontier != float("inf") and (key > frontier or share)):
                return  # what costs more than a patch already found is not worth a new import
            if frontier == float("inf") and self.anew_tried >= MOST_ANEW:
                return
            heapq.heappop(self.anew)
            self.anew_tried += 1
            self._consider_anew(candidate)
            self.tried += 1

    def edited(self, candidate: Candidate) -> Optional[dict[str, bytes]]:
        """The files of a candidate, encoded; None where it is no valid Python."""
        found = {}
        for path in {splice.path for splice in candidate.splices}:
            source = self.sources[path]
            text = apply(source.text, [one for one in candidate.splices if one.path == path])
            try:
                if text is None:
                    return None
                compile(text, path, "exec", dont_inherit=True)
                found[path] = source.encoded.encode(text)
            except (SyntaxError, ValueError, UnicodeEncodeError):
                return None
        return found

    def _consider_anew(self, candidate: Candidate) -> None:
        assert self.server is not None
        edited = self.edited(candidate)
        if edited is None:
            return
        nodes = [self.items[item] for item in (*self.failing, *self._covering(candidate))]
        limit = self._limit() * 4 + 10.0
        letters = self.server.anew(edited, [*self.arguments, *nodes], limit, stop=True)
        if all(letters.get(node) == "p" for node in nodes):
            self._accept(candidate)

    def _covering(self, candidate: Candidate) -> list[int]:
        """Passing tests that run the function a candidate changes, as many as a bounded CPU time allows."""
        lines = set()
        for splice in candidate.splices:
            source = self.sources[splice.path]
            first = source.text.count("\n", 0, splice.start) + 1
            last = source.text.count("\n", 0, splice.end) + 1
            lines |= {(splice.path, line) for line in range(first - 1, last + 2)}
        total, found = 0.0, []
        for item in self.spectrum.covering(lines):
            total += self.spectrum.cpu.get(item, 0.0)
            if total > COVERING_CPU_SECONDS:
                break
            found.append(item)
        return found

    def _consider(self, candidate: Candidate) -> None:
        """A candidate that passed in a batch: again by pytest's own protocol in a fork of its own, with covering tests."""
        assert self.server is not None
        items = [*self.failing, *self._covering(candidate)]
        reply = self.server.ask(
            "check", 600.0, candidate=candidate.splices, items=sorted(items), cpu_seconds=self._limit() * 4, stop=True
        )
        if set(reply["letters"]) == {"p"} and self.edited(candidate) is not None:
            self._accept(candidate)

    def _accept(self, candidate: Candidate) -> None:
        self.plausible.append(Plausible(candidate, self.tried))
        if self.stop_at is None:
            self.stop_at = self.tried + max(EXTRA_LEAST, int(self.tried * EXTRA_SHARE))
            self.stop_time = time.monotonic() + max(8.0, EXTRA_SHARE * (time.monotonic() - self.began))
        splice = candidate.splices[0]
        self.events.emit(
            "tool_call",
            f"Plausible: {candidate.template} at {candidate.path}:{candidate.line}: "
            f"{self.sources[splice.path].text[splice.start : splice.end].strip()!r} -> {splice.new.strip()!r}"
            f"{' and more' if len(candidate.splices) > 1 else ''}",
            template=candidate.template, path=candidate.path, line=candidate.line, candidates_tried=self.tried,
        )  # fmt: skip

    # pairs

    def _pairs(self, singles: list[Candidate]) -> None:
        """Two edits at once: first on top of edits that mend some failing tests, then any two cheap ones nearby."""
        self.stop_at = None
        partial = self._partial(singles)
        if partial:
            self.events.emit(
                "text", f"{len(partial)} edits mend a part of the failing tests; trying a second edit on each."
            )
            self._try_all(self._on_top(partial, singles))
        if not self.enough() and not self.plausible:
            self._try_all(self._two(singles))

    def _partial(self, singles: list[Candidate]) -> list[Candidate]:
        """Edits that mend at least one failing test and break no other, a few for each behaviour."""
        if len(self.failing) < 2:
            return []
        items = [*self.failing[:24], *self.guarding[:8]]
        wanted = len(items) - len(self.guarding[:8])
        found: list[tuple[int, float, int, Candidate]] = []
        behaviours: dict[str, int] = {}
        for start in range(0, min(len(singles), 20_000), 256):
            if self.remaining() < 0.4 * self.spec.wall_seconds:
                break
            self.check_budget()
            batch = singles[start : start + 256]
            reply = self._batch(batch, items, full=True)
            for number, (candidate, row) in enumerate(zip(batch, reply["rows"])):
                mended = row[:wanted].count("p")
                if mended and "f" not in row[wanted:] and behaviours.get(row, 0) < 3:
                    behaviours[row] = behaviours.get(row, 0) + 1
                    found.append((-mended, candidate.key, start + number, candidate))
        return [one for *_, one in sorted(found, key=lambda one: one[:3])[:60]]

    def _on_top(self, partial: list[Candidate], singles: list[Candidate]) -> Iterator[Candidate]:
        by_function: dict[tuple[str, str], list[Candidate]] = {}
        for one in singles:
            by_function.setdefault((one.path, one.function), []).append(one)
        streams = [
            (one, by_function[one.path, one.function]) for one in partial if (one.path, one.function) in by_function
        ]
        step = 200
        for start in range(0, max((len(rest) for _, rest in streams), default=0), step):
            for one, rest in streams:
                for other in rest[start : start + step]:
                    both = combined(one, other)
                    if both is not None:
                        self.pairs += 1
                        yield both

    def _two(self, singles: list[Candidate]) -> Iterator[Candidate]:
        """Pairs of the best single edits of one function, by the sum of their keys."""
        groups: dict[tuple[str, str], list[Candidate]] = {}
        for one in singles:
            group = groups.setdefault((one.path, one.function), [])
            if len(group) < PAIR_PARENTS:
                group.append(one)
        heap: list[tuple[float, int, int, int, list[Candidate]]] = []
        for number, group in enumerate(groups.values()):
            group.sort(key=lambda one: one.key)
            if len(group) > 1:
                heap.append((group[0].key + group[1].key, number, 0, 1, group))
        heapq.heapify(heap)
        while heap:
            _, number, first, second, group = heapq.heappop(heap)
            if second + 1 < len(group):
                heapq.heappush(heap, (group[first].key + group[second + 1].key, number, first, second + 1, group))
            if second == first + 1 and second + 1 < len(group):
                heapq.heappush(heap, (group[second].key + group[second + 1].key, number, second, second + 1, group))
            both = combined(group[first], group[second])
            if both is not None:
                self.pairs += 1
                yield both

    # the end

    def answers(self) -> list[Optional[list[str]]]:
        """What the plausible candidates answer on inputs near those of the tests, None where they cannot be asked."""
        nothing: list[Optional[list[str]]] = [None] * len(self.plausible)
        if self.server is None or len(self.plausible) < 2:
            return nothing
        items = [*self.failing[:20], *self.guarding[:20]]
        splices = [one.candidate.splices for one in self.plausible]
        try:
            reply = self.server.ask(
                "compare", 300.0, candidates=splices, items=items, cpu_seconds=self._limit() * 4, seed=self.spec.seed
            )
        except Gone:
            return nothing
        return [found or None for found in reply["answers"]] or nothing

    def confirm(self, ranked: list[Plausible]) -> Optional[Plausible]:
        """The first plausible candidate that holds in a new interpreter with the whole suite; its files stay written."""
        before = self.failed_before()
        for one in ranked:
            edited = self.edited(one.candidate)
            assert edited is not None
            for path, data in edited.items():
                self.tree.write(path, data)
            if self._holds(before):
                return one
            for path in edited:
                self.tree.write(path, self.tree.held[path])
            self.events.emit(
                "text",
                f"Not confirmed in a fresh process: {one.candidate.template} at {one.candidate.path}:{one.candidate.line}.",
            )
        return None

    def failed_before(self) -> set[str]:
        """Tests known to fail without any change."""
        seen = {self.items[item] for item in self.spectrum.passing}
        return {node for node in self.items if node not in seen} | set(self.spec.broken_at_base)

    def _holds(self, before: set[str]) -> bool:
        seconds = max(10.0, self.spec.wall_seconds - self.events.seconds() - 2.0)
        wide = [*self.required_files(), *self.spec.keep] if self.spec.keep else []
        letters = self._fresh([*dict.fromkeys(wide)], seconds)
        if letters is None or not set(self.spec.required) & set(letters):
            letters = self._fresh(self.required_files(), seconds)
        if letters is None:
            return False
        wanted = {self.items[item] for item in self.failing} | {n for n in self.spec.required if n in self.numbers}
        broken = {node for node, letter in letters.items() if letter == "f"} - before
        return all(letters.get(node) == "p" for node in wanted) and not broken

    def _fresh(self, targets: list[str], seconds: float) -> Optional[dict[str, str]]:
        request = {"arguments": [*self.arguments, *targets], "python_path": list(self.spec.python_path)}
        return fresh(self.command, request, self.tree.root, seconds, self.spec.seed)

    def close(self) -> None:
        """End the server."""
        if self.server is not None:
            self.server.close()


def _defined(data: bytes) -> list[str]:
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError):
        return []
    return [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
