"""Looks for what of a patch the tests do not need (scope) and what they do not notice (strength), by the fork server.

    reach      the tests run once in the warm process, with marks in the changed functions: who runs what
    scope      lines of the patch are taken away for as long as the tests that count pass
    strength   small defects are put into the changed lines

The project is imported once. A variant inside functions is a fork with code exchanged; any other is a fork from the
process before that import. Whatever comes of it is only claims: the project shares these processes.
"""

from __future__ import annotations

import ast
import os
import socket
import time
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any, Callable, Iterable, NamedTuple

from .mutants import Defect, defects
from .reduce import ADDED, STAYS, FilePatch, Kept, Patch, Reduction, Torn

if TYPE_CHECKING:
    from reeve.adapters.agents.repair.serve import Failure, Server, pytest_arguments
    from reeve.adapters.agents.repair.spec import Spec, parse
    from reeve.adapters.agents.repair.splice import FUNCTIONS, Source, Splice, apply
    from reeve.adapters.agents.repair.swap import Unit, units_in
    from reeve.adapters.agents.repair.wire import Gone, cpu_seconds, descriptor_of, end_group, receive, send
    from reeve.adapters.agents.repair.worker import MARK
else:
    from repair.serve import Failure, Server, pytest_arguments
    from repair.spec import Spec, parse
    from repair.splice import FUNCTIONS, Source, Splice, apply
    from repair.swap import Unit, units_in
    from repair.wire import Gone, cpu_seconds, descriptor_of, end_group, receive, send
    from repair.worker import MARK

REACH_SHARE, LOOK_SHARE, SCOPE_SHARE = 0.45, 0.1, 0.55  # of the CPU time, each with all before it
SLOW_SHARE = 0.1  # of the CPU time for all tests, taken by one
PLAIN_SHARE = 0.4  # of what collecting costs where pytest rewrites assertions
AT_ONCE = 6  # defects between two looks at the clock
MOST_ANEW_DEFECTS = 3
MOST_KILLERS = 8
ROUNDS = 6
PROTOCOL_SECONDS = 0.0005
LEAST_LIMIT = 0.06  # CPU seconds of one test under a variant
CHANGES, DEAR, BROKEN, SAME = "changes", "dear", "broken", "same"
NO_CODE, NO_FUNCTION = "no code", "no function any more"

SIMPLE = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.Pass,
    ast.Break, ast.Continue, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal,
)  # fmt: skip


def explore(plan: dict[str, Any], root: str, seconds: float, lending: socket.socket | None = None) -> dict[str, Any]:
    """Explore a patch for `seconds` of CPU time beyond the start.

    The plan: `files` (see FilePatch), `required` and `passing` (test ids), `arguments` and `paths` of pytest,
    `memory_bytes`, `seed`, `most_defects`, `minimise` (source text); where known `took` (test id -> wall seconds),
    and `lent`, where a warm process is at the other end of `lending`: its `pid`, the CPU seconds that it did `cost` to
    make it, and whether it is `plain`, its assertions left as they are.

    The answer: `needed` (path -> numbers of the parts that are kept of each file, or None where that could not be
    measured), `complete`, `defects` (lists of path, line, was, now, noticed), `problem`, and for measuring `cpu` and
    `asked`.
    """
    warm = None
    try:
        warm = Warm(plan, os.path.realpath(root), seconds, lending if plan.get("lent") else None)
        return Exploration(plan, warm).run()
    except (Failure, Gone, OSError) as error:
        return {"needed": None, "complete": False, "defects": [], "problem": f"nothing could be explored: {error}"}
    finally:
        if warm is not None:
            warm.close()


class Lent:
    """A warm process that somebody else has collected the tests in."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection, self.pid, self.handle = connection, pid, descriptor_of(pid)
        self.before = cpu_seconds(pid, children=True)
        self.items = [str(node) for node in receive(connection, 60.0, self.handle)["items"]]

    def ask(self, op: str, seconds: float, **request: Any) -> dict[str, Any]:
        """One request; Gone where it died or took longer than `seconds` of wall time."""
        send(self.connection, {"op": op, **request})
        found: dict[str, Any] = receive(self.connection, seconds, self.handle)
        return found

    def cpu_seconds(self) -> float:
        """CPU seconds since it is ours, with what it forked."""
        return cpu_seconds(self.pid, children=True) - self.before

    def close(self) -> None:
        """End it."""
        end_group(self.pid)


class Warm:
    """The fork server with the tests collected, the price of everything, and what is left to spend."""

    def __init__(self, plan: dict[str, Any], root: str, seconds: float, lending: socket.socket | None = None) -> None:
        self.root, self.began, self.seconds = root, time.process_time(), seconds
        told = {"python_path": ["."], "pytest_args": plan["arguments"], "memory_bytes": plan["memory_bytes"]}
        self.spec: Spec = parse(told)
        self.arguments = pytest_arguments(self.spec, root)
        self.lent = None if lending is None else Lent(lending, int(plan["lent"]["pid"]))
        self.server: Server | None = None
        self.items: list[str] = []
        self.numbers: dict[str, int] = {}
        self.cpu: dict[int, float] = {}  # of each test that was run, in seconds
        self.asked = {"swap": 0, "anew": 0}
        try:
            self.number(plan)
        except BaseException:
            self.close()
            raise
        # What it costs to import the project anew; the budget begins after it.
        self.start_seconds = self.used() if self.lent is None else cost_of_plain(plan["lent"])
        self.start_at = self.used()

    def collect(self, plan: dict[str, Any]) -> list[str]:
        """Collect the tests, or find who has; their ids."""
        if self.lent is not None:
            return self.lent.items
        self.server = Server(self.spec, self.root, [])
        paths = [path for path in plan["paths"] if os.path.exists(os.path.join(self.root, path))]
        return list(self.server.collect([*self.arguments, *paths], 120.0)["items"])

    def number(self, plan: dict[str, Any]) -> None:
        """Number the tests; Failure where a required one is not among them."""
        self.items = self.collect(plan)
        for number, node in enumerate(self.items):
            self.numbers.setdefault(node, number)
        missing = [node for node in plan["required"] if node not in self.numbers]
        if missing:
            raise Failure(f"{missing[0]} is not collected")
        self.passing = sorted({self.numbers[node] for node in plan["passing"] if node in self.numbers})

    def load(self, paths: list[str]) -> None:
        """Find the functions of these files in the warm process; the start ends here."""
        self.ask("load", 120.0, paths=paths, shortcut=self.passing)
        if self.lent is None:
            self.start_seconds = self.used()
        self.start_at = self.used()

    def ask(self, op: str, seconds: float, **request: Any) -> dict[str, Any]:
        """One request to the warm process."""
        warm = self.lent or self.server
        assert warm is not None
        return warm.ask(op, seconds, **request)

    def used(self) -> float:
        """CPU seconds so far, of this process and those of the server."""
        others = sum(each.cpu_seconds() for each in (self.lent, self.server) if each is not None)
        return time.process_time() - self.began + others

    def left(self, share: float = 1.0) -> float:
        """CPU seconds left of a share of everything."""
        return self.start_at + self.seconds * share - self.used()

    def limit(self, items: Iterable[int]) -> float:
        """CPU seconds that one of these tests may take."""
        return max([LEAST_LIMIT, *(4 * self.cpu.get(item, 0.0) for item in items)])

    def reach(self, marks: list[list[Splice]], order: list[int], seconds: float) -> list[dict[str, Any]]:
        """Run tests with marks in the functions; one record each."""
        reply = self.ask(
            "reach", 60.0 + 10 * seconds, marks=marks, items=order, cpu_seconds=max(1.0, seconds),
            total_seconds=max(0.0, seconds), wall_seconds=5.0 + 4 * seconds,
        )  # fmt: skip
        for record in reply["results"]:
            self.cpu[record["item"]] = float(record["cpu"])
        return list(reply["results"])

    def swap(self, candidates: list[list[Splice]], items: list[int], **more: Any) -> dict[str, Any]:
        """Try variants with code exchanged, each in a fork of its own."""
        self.asked["swap"] += len(candidates)
        seconds = max(0.5, 3 * self.left())
        return self.ask(
            "batch", 60.0 + 3 * seconds, candidates=candidates, items=items, cpu_seconds=self.limit(items), alone=True,
            deadline=time.monotonic() + seconds, **more,
        )  # fmt: skip

    def anew(self, items: list[int], write: Callable[[], None], restore: Callable[[], None]) -> dict[str, str]:
        """Run tests with the project imported anew from files as `write` leaves them; letters by id."""
        self.asked["anew"] += 1
        nodes = [self.items[item] for item in items]
        files = list(dict.fromkeys(node.split("::", 1)[0] for node in nodes))
        if self.server is None:
            self.server = Server(self.spec, self.root, [])
        try:
            write()
            limit = 0.5 + 2 * self.start_seconds + self.limit(items)
            return self.server.anew({}, [*self.arguments, *files], limit, stop=True, select=nodes)
        finally:
            restore()

    def close(self) -> None:
        """End every process of it."""
        for each in (self.lent, self.server):
            if each is not None:
                each.close()


def cost_of_plain(lent: dict[str, Any]) -> float:
    """CPU seconds that it would take to collect anew what was lent, with assertions left as they are."""
    return float(lent["cost"]) * (1.0 if lent.get("plain") else PLAIN_SHARE)


class Place(NamedTuple):
    """An outermost function of a file: the number of its mark for being entered, and of its group of marks."""

    unit: Unit
    group: int
    entered: int


class Code:
    """What of a changed Python file can be exchanged in a running process: the functions of the result."""

    def __init__(self, file: FilePatch, root: str) -> None:
        self.file = file
        with open(os.path.join(root, file.path), "rb") as stream:
            self.source = Source(file.path, stream.read())
        if self.source.encoded.bom or self.source.encoded.encoding != "utf-8":
            raise ValueError("positions would be bytes of another encoding")
        self.units = units_in(self.source)
        self.places: dict[int, Place] = {}  # by number of the unit
        self.spans: list[tuple[int, int]] = []  # of each part, in characters of the result
        at = 0
        for kind, text in file.parts:
            length = len(text.encode("latin-1").decode("utf-8")) if kind in " +" else 0
            self.spans.append((at, at + length))
            at += length
        self.judged: dict[tuple[int, str], tuple[str, Any]] = {}
        self.originals: dict[int, tuple[Any, list[str | None]]] = {}

    def line(self, part: int) -> int:
        """The line of the result that a part begins at, from 1."""
        return self.source.text.count("\n", 0, self.spans[part][0]) + 1

    def splices(self, kept: Kept) -> list[Splice]:
        """What has to be exchanged in the result for what is not kept."""
        found: list[Splice] = []
        texts, joined = self.file.texts(kept), False
        for part, (kind, _) in enumerate(self.file.parts):
            if kind == STAYS or self.file.numbers[part] in kept:
                joined = False
                continue
            start, end = self.spans[part]
            new = texts[part].encode("latin-1").decode("utf-8")
            if joined:
                found[-1] = Splice(self.file.path, found[-1].start, end, found[-1].new + new)
            else:
                found.append(Splice(self.file.path, start, end, new))
            joined = True
        return found

    def unit_at(self, start: int, end: int) -> int:
        """The number of the function that a stretch lies in, -1 for none."""
        for number, unit in enumerate(self.units):
            if unit.start < start and end <= unit.end:
                return number
        return -1

    def judge(self, kept: Kept) -> tuple[str, Any, list[Splice]]:
        """How a variant of this file has to be tried, what identifies its code, and its splices.

        The way is SAME (the code of the result), BROKEN (no code), CHANGES (exchange it) or DEAR (import it anew).
        """
        splices = self.splices(kept)
        by_unit: dict[int, list[Splice]] = {}
        for splice in splices:
            by_unit.setdefault(self.unit_at(splice.start, splice.end), []).append(splice)
        if -1 not in by_unit:
            verdicts = [(number, *self.judge_unit(number, own)) for number, own in sorted(by_unit.items())]
            ways = {way for _, way, _ in verdicts}
            if BROKEN not in ways and DEAR not in ways:
                changed = [(number, code) for number, way, code in verdicts if way == CHANGES]
                own = [splice for number, _ in changed for splice in by_unit[number]]
                return (CHANGES if changed else SAME), tuple(changed), own
            if (BROKEN, NO_CODE) in {(way, code) for _, way, code in verdicts}:
                return BROKEN, None, []
        return (*self.judge_whole(splices), [])

    def judge_unit(self, number: int, splices: list[Splice]) -> tuple[str, Any]:
        """The way and the identity of one function with splices."""
        unit = self.units[number]
        shifted = [Splice(one.path, one.start - unit.start, one.end - unit.start, one.new) for one in splices]
        original = unit.source.text[unit.start : unit.end]
        text = apply(original, shifted) or ""
        if (number, text) not in self.judged:
            if number not in self.originals:
                function = only_function(unit, original)
                self.originals[number] = compiled(unit.prefix + original), documentation(function)
            self.judged[number, text] = judged(unit, text, *self.originals[number])
        return self.judged[number, text]

    def judge_whole(self, splices: list[Splice]) -> tuple[str, Any]:
        """The way of a variant that is not inside functions."""
        text = apply(self.source.text, splices) or ""
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return BROKEN, None
        found = differing(self.source.tree.body, tree.body, self.source.text.split("\n"), text.split("\n"))
        return (DEAR, tuple(found)) if found else (SAME, ())


def judged(unit: Unit, text: str, original: Any, documented: list[str | None]) -> tuple[str, Any]:
    """The way of a function with another text, and what identifies its code."""
    try:
        function, code = only_function(unit, text), compiled(unit.prefix + text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return BROKEN, NO_CODE
    if function is None:
        return BROKEN, NO_FUNCTION
    if documentation(function) != documented:
        return DEAR, ""
    return (SAME if code == original else CHANGES), code


def only_function(unit: Unit, text: str) -> Any:
    """The function that a text is, where it is one and nothing else, else None; SyntaxError where it is no code."""
    body: list[Any] = ast.parse(unit.prefix + text).body
    while len(body) == 1 and not isinstance(body[0], FUNCTIONS):
        body = getattr(body[0], "body", [])
    return body[0] if len(body) == 1 and body[0].name == unit.function.name else None


def documentation(function: ast.AST | None) -> list[str | None]:
    """What a running function keeps beside its code, so that exchanging the code would not show it."""
    if function is None:
        return []
    return [ast.get_docstring(node, clean=False) for node in ast.walk(function) if isinstance(node, FUNCTIONS)]


def differing(ours: list[Any], theirs: list[Any], our_lines: list[str], their_lines: list[str]) -> list[Any]:
    """What tells two lists of statements apart; empty where they are the same code."""

    def text(node: Any, lines: list[str]) -> list[str]:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        return lines[first - 1 : node.end_lineno]

    low, ends = 0, (len(ours), len(theirs))
    while low < min(ends) and text(ours[low], our_lines) == text(theirs[low], their_lines):
        low += 1
    high = 0
    while high < min(ends) - low and text(ours[-1 - high], our_lines) == text(theirs[-1 - high], their_lines):
        high += 1
    old, new = ours[low : ends[0] - high], theirs[low : ends[1] - high]
    classes = len(old) == len(new) == 1 and isinstance(old[0], ast.ClassDef) and isinstance(new[0], ast.ClassDef)
    if classes and header(old[0]) == header(new[0]):
        inner = differing(old[0].body, new[0].body, our_lines, their_lines)
        return [low, *inner] if inner else []
    try:
        before, after = (compiled(ast.Module(nodes, [])) for nodes in (old, new))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [ast.dump(node) for node in new]
    return [] if before == after else [low, high, after]


def header(node: ast.ClassDef) -> list[str]:
    """What makes a class beside its body."""
    return [node.name, *(ast.dump(part) for part in (*node.bases, *node.keywords, *node.decorator_list))]


class Exploration:
    """One exploration of one patch."""

    def __init__(self, plan: dict[str, Any], warm: Warm) -> None:
        self.plan, self.warm = plan, warm
        self.patch = Patch(plan["files"])
        # What something else was laid over is not what would be taken away.
        here = [file.content(self.patch.all) == read(os.path.join(warm.root, file.path)) for file in self.patch.files]
        if not all(here):
            self.patch = Patch([each for each, same in zip(plan["files"], here) if same])  # noqa: B905 - Python 3.8
        self.codes: dict[str, Code] = {}
        for file in self.patch.files:
            if file.python and not file.removed and not file.whole:
                try:
                    self.codes[file.path] = Code(file, warm.root)
                except (SyntaxError, ValueError, OSError, RecursionError):
                    continue
        warm.load(sorted(self.codes))
        self.required = [warm.numbers[node] for node in plan["required"]]
        self.quick = list(self.required)
        self.order: dict[int, int] = {}  # the place of each test when all were run
        self.passing: list[int] = []
        self.reached: dict[int, list[int]] = {}  # mark -> tests that pass it
        self.lines_marked: dict[str, dict[int, int]] = {}  # path -> line -> mark of its statement
        self.unmarked: set[int] = set()
        self.all_run = False
        self.known: dict[Any, int] = {}  # identity of a variant -> quick tests it passed, -1: it does not hold
        self.cut = False
        self.trusts_swap = True
        self.dear_defects: list[Defect] = []
        self.good: set[tuple[int, ...]] = set()  # lists of tests that pass in this order without a change
        self.cpu: dict[str, float] = {}
        self.modes: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Explore, and say what came of it."""
        self.cpu["start"] = self.warm.used()
        self.reach()
        answer: dict[str, Any] = {"needed": None, "complete": False, "defects": [], "problem": ""}
        lost = [item for item in self.required if item not in set(self.passing)]
        if lost:
            why = "does not pass in the process that explores" if lost[0] in self.order else "takes too long to explore"
            answer["problem"] = f"{self.warm.items[lost[0]]} {why}"
            return answer
        kept = self.scope()
        self.cpu["scope"] = self.warm.used()
        answer["needed"] = {file.path: [n - file.first for n in file.all if n in kept] for file in self.patch.files}
        answer["complete"] = not self.cut
        answer["defects"] = self.strength()
        self.cpu["strength"] = self.warm.used()
        return {**answer, "cpu": self.cpu, "asked": self.warm.asked}

    # reach

    def reach(self) -> None:
        """Run the tests once, and learn which of them runs which changed line."""
        groups: list[list[Splice]] = []
        count = 0
        for path, code in self.codes.items():
            lines = self.near(code)
            for number, unit in enumerate(code.units):
                own = {line for line in lines if unit.function.lineno <= line <= unit.last}
                found = marks(code.source, unit, own, count) if own else None
                if found is not None:
                    splices, by_line = found
                    code.places[number] = Place(unit, len(groups), count)
                    self.lines_marked.setdefault(path, {}).update(by_line)
                    groups.append(splices)
                    count += len(splices)
        near = {self.warm.items[item].split("::", 1)[0] for item in self.required}
        others = [item for item in self.warm.passing if item not in set(self.required)]
        seconds, took = self.warm.left(REACH_SHARE), self.plan.get("took", {})
        # One that takes long waits for other processes more often than not, in which nothing is marked.
        slow = {item: max(0.0, took.get(self.warm.items[item], 0.0) - SLOW_SHARE * seconds) for item in others}
        others.sort(key=lambda item: (slow[item], self.warm.items[item].split("::", 1)[0] not in near))
        records = self.warm.reach(groups, [*self.required, *others], seconds)
        for record in records:
            self.order[record["item"]] = len(self.order)
            self.unmarked.update(record.get("unmarked", ()))
            if record["letter"] == "p":
                self.passing.append(record["item"])
                for mark in record["hits"]:
                    self.reached.setdefault(mark, []).append(record["item"])
        self.all_run = len(self.passing) == len(self.required) + len(others)
        self.quick.sort(key=lambda item: self.warm.cpu.get(item, 0.0))
        self.cpu["reach"] = self.warm.used()

    def near(self, code: Code) -> set[int]:
        """The lines of the result that were added; for lines that were only removed from a function, what is beside."""
        found: set[int] = set()
        hunk: list[int] = []
        for part, (kind, _) in enumerate([*code.file.parts, (STAYS, "")]):
            if kind != STAYS:
                hunk.append(part)
                continue
            added = [code.line(each) for each in hunk if code.file.parts[each][0] == ADDED]
            if hunk and not added and code.unit_at(*code.spans[hunk[0]]) >= 0:
                added = [max(1, code.line(hunk[0]) - 1), code.line(hunk[0])]
            found.update(added)
            hunk = []
        return found

    def tests_of(self, code: Code, number: int) -> list[int]:
        """The tests that enter a function; all where that is not known."""
        place = code.places.get(number)
        if place is None or place.group in self.unmarked:
            return self.passing
        return self.reached.get(place.entered, [])

    # scope

    def scope(self) -> Kept:
        """What the tests need: found with few tests, then proved with all that could notice what is left out."""
        space: dict[str, Any] = {"__name__": "minimise"}
        exec(compile(self.plan["minimise"], "minimise.py", "exec"), space)  # ours, of the same release
        for _ in range(ROUNDS):
            kept = Reduction(self.patch, self.holds, self.same, self.dear, space["minimise"]).run()
            if self.proved(kept):
                return kept
        self.cut = True
        return self.patch.all

    def dear(self, number: int) -> bool:
        """A line that cannot be taken away by exchanging the code of a function."""
        file = self.patch.of(number)
        code = self.codes.get(file.path)
        if code is None or not self.trusts_swap:
            return True
        unit = code.unit_at(*code.spans[file.numbers.index(number)])
        return unit < 0 or code.spans[file.numbers.index(number)][0] < code.units[unit].body_start

    def judge(self, kept: Kept) -> tuple[str, Any, list[Splice]]:
        """How a variant has to be tried, what identifies it, and its splices where its code can be exchanged."""
        ways = {SAME}
        identity: list[Any] = []
        splices: list[Splice] = []
        for number, file in enumerate(self.patch.files):
            if kept.issuperset(file.all):
                continue
            try:
                content = file.content(kept)
            except Torn:
                return BROKEN, None, []
            code = self.codes.get(file.path)
            own: list[Splice] = []
            if content is None or code is None:
                way, what = (DEAR if content is None or compiles(file, content) else BROKEN), content
            else:
                way, what, own = code.judge(kept)
            if way == BROKEN:
                return BROKEN, None, []
            ways.add(way)
            splices += own
            if way != SAME:
                identity.append((number, what))
        for way in (DEAR, CHANGES):
            if way in ways:
                return (way if self.trusts_swap else DEAR), tuple(identity), splices
        return SAME, (), []

    def same(self, kept: Kept) -> bool:
        """Whether a variant is certainly the code of the result; not looked at when that took too long already."""
        return self.warm.left(REACH_SHARE + LOOK_SHARE) > 0 and self.judge(kept)[0] == SAME

    def holds(self, kept: Kept) -> bool:
        """Whether a variant passes the tests that decide for now."""
        if self.warm.left(SCOPE_SHARE) <= self.anew_seconds():  # that much is needed for the proof as well
            self.cut = True
            return False
        way, what, splices = self.judge(kept)
        if way in (SAME, BROKEN):
            return way == SAME
        passed = self.known.get(what, 0)
        if passed < 0 or passed == len(self.quick):
            return passed >= 0
        if way == CHANGES:
            letter = self.warm.swap([splices], self.quick[passed:])["letters"]
            if letter in "pftdx":
                self.known[what] = len(self.quick) if letter == "p" else -1
                return bool(letter == "p")
            if letter == "u":
                self.cut = True
                return False
        found = self.run_anew(kept, self.quick)
        self.known[what] = len(self.quick) if found else -1
        return found

    def anew_seconds(self) -> float:
        """What importing the project anew costs, about."""
        return 0.6 * self.warm.start_seconds

    def run_anew(self, kept: Kept, items: list[int]) -> bool:
        """Whether tests pass with the project imported anew from a variant."""
        letters = self.letters_anew(kept, items)
        return all(letters.get(self.warm.items[item]) == "p" for item in items)

    def letters_anew(self, kept: Kept, items: list[int]) -> dict[str, str]:
        """What tests give with the project imported anew from a variant, up to the first that fails."""
        return self.warm.anew(items, lambda: self.write(kept), lambda: self.write(self.patch.all))

    def write(self, kept: Kept) -> None:
        """Make the files of the tree what a variant says."""
        for file in self.patch.files:
            content = file.content(kept)
            path = os.path.join(self.warm.root, file.path)
            folder = os.path.dirname(path)
            if content is None:
                if os.path.lexists(path):
                    self.modes[file.path] = os.stat(path).st_mode & 0o777
                    os.unlink(path)
                while folder != self.warm.root and os.path.isdir(folder) and not os.listdir(folder):
                    os.rmdir(folder)  # a folder without files is a package to Python, and nothing to git
                    folder = os.path.dirname(folder)
                continue
            os.makedirs(folder, exist_ok=True)
            if read(path) != content:
                with open(path, "wb") as stream:
                    stream.write(content)
                if file.path in self.modes:
                    os.chmod(path, self.modes[file.path])

    def proved(self, kept: Kept) -> bool:
        """Whether all tests that could notice what is left out pass; those that do not count from now on.

        What was found by exchanging code is proved with the project imported anew: functions that the import runs
        do not show what was exchanged in them afterwards.
        """
        way, _, splices = self.judge(kept)
        if way == SAME:
            return True
        self.cut = self.cut or not self.all_run
        if way == CHANGES:
            items = self.affordable(self.entering(splices))
            row = self.warm.swap([splices], items, full=True)["rows"][0] if items else ""
            killers = [item for item, letter in zip(items, row) if letter != "p"]  # noqa: B905 - Python 3.8
            if killers:
                self.quick += sorted(killers, key=lambda item: self.warm.cpu[item])[:MOST_KILLERS]
                return False
            items = self.quick
        else:
            items = [*self.quick, *self.affordable_anew(SCOPE_SHARE)]
        letters = self.letters_anew(kept, items)
        told = [item for item in items if letters.get(self.warm.items[item], "p") != "p"]
        lost = sorted(item for item in items if self.warm.items[item] not in letters)
        if not told and not lost:
            return True
        killers = [item for item in told or lost[:MOST_KILLERS] if item not in self.quick]
        if killers:
            self.quick += killers
            return False
        self.trusts_swap = False
        self.known.clear()
        return False

    def entering(self, splices: list[Splice]) -> list[int]:
        """Tests that enter a function with splices, other than the quick ones."""
        found: set[int] = set()
        for splice in splices:
            code = self.codes[splice.path]
            found.update(self.tests_of(code, code.unit_at(splice.start, splice.end)))
        return sorted(found - set(self.quick))

    def affordable_anew(self, share: float) -> list[int]:
        """As many tests beside the quick ones as there is time for with the project imported anew: whole files."""
        left = self.warm.left(share) - self.anew_seconds()
        by_file: dict[str, list[int]] = {}
        for item in self.passing:
            by_file.setdefault(self.warm.items[item].split("::", 1)[0], []).append(item)
        there = {self.warm.items[item].split("::", 1)[0] for item in self.quick}
        collecting = 0.5 * self.warm.start_seconds / max(1, len(by_file))
        chosen: list[int] = []
        for file, items in sorted(by_file.items(), key=lambda one: (one[0] not in there, len(one[1]))):
            # By pytest's own protocol, which costs some more than the direct calls that were measured.
            left -= sum(self.warm.cpu[item] + PROTOCOL_SECONDS for item in items) + collecting * (file not in there)
            if left < 0:
                self.cut = True
                break
            chosen += items
        return [item for item in chosen if item not in set(self.quick)]

    def affordable(self, items: Iterable[int]) -> list[int]:
        """As many of these tests as there is time for, the cheapest first; in their order."""
        left = self.warm.left(SCOPE_SHARE)
        chosen = []
        for item in sorted(items, key=lambda item: self.warm.cpu[item]):
            left -= self.warm.cpu[item]
            if left < 0:
                self.cut = True
                break
            chosen.append(item)
        return sorted(chosen, key=self.order.__getitem__)

    # strength

    def strength(self) -> list[list[Any]]:
        """Put defects into the changed lines: path, line, was, now and whether a test noticed."""
        lines = {path: self.near(code) for path, code in self.codes.items()}
        sources = {path: code.source for path, code in self.codes.items()}
        found: list[list[Any]] = []
        waiting: list[tuple[Defect, list[int]]] = []
        for one in defects(sources, lines, self.plan["seed"]):
            if len(found) + len(waiting) >= self.plan["most_defects"] or self.warm.left() <= 0:
                break
            tests = self.noticing(one)
            if tests is None:
                continue
            if tests:
                waiting.append((one, tests))
            else:
                found.append([*one[:4], False])
            if len(waiting) >= AT_ONCE:
                found += self.tried(waiting)
                waiting = []
        found += self.tried(waiting)
        return found + self.tried_anew(self.plan["most_defects"] - len(found))

    def noticing(self, defect: Defect) -> list[int] | None:
        """The tests that could notice a defect; None: it is none, or the project has to be imported anew for it."""
        code = self.codes[defect.path]
        number = code.unit_at(defect.splice.start, defect.splice.end)
        place = code.places.get(number)
        if place is None or not self.trusts_swap or place.group in self.unmarked:
            self.dear_defects.append(defect)
            return None
        unit = place.unit
        splice = Splice(
            defect.path, defect.splice.start - unit.start, defect.splice.end - unit.start, defect.splice.new
        )
        try:
            text = apply(unit.source.text[unit.start : unit.end], [splice]) or ""
            if identity(unit.code(text)) == identity(unit.original):
                return None
        except (SyntaxError, ValueError, RecursionError, MemoryError, StopIteration):
            return None
        mark = self.lines_marked[defect.path].get(defect.line, place.entered)
        return sorted(self.reached.get(mark, []), key=self.order.__getitem__)

    def tried(self, waiting: list[tuple[Defect, list[int]]]) -> list[list[Any]]:
        """Try defects that some test runs; those for which no time was left are not told of."""
        by_tests: dict[tuple[int, ...], list[Defect]] = {}
        for one, those in waiting:
            by_tests.setdefault(tuple(those), []).append(one)
        found: list[list[Any]] = []
        for tests, group in by_tests.items():
            if self.warm.left() <= 0:
                break
            reply = self.warm.swap([[one.splice] for one in group], list(tests))
            late = self.warm.left() < 0
            alike = self.alike(list(tests), reply)
            for one, letter in zip(group, reply["letters"]):  # noqa: B905 - Python 3.8
                if letter == "n":
                    self.dear_defects.append(one)
                elif letter == "p" or (alike and letter in "ft") or (alike and letter == "d" and not late):
                    found.append([*one[:4], letter != "p"])
        return found

    def alike(self, tests: list[int], reply: dict[str, Any]) -> bool:
        """Whether these tests alone pass without a defect too, as far as they were run with one."""
        far = max([n for n, letter in zip(reply["passed"], reply["letters"]) if letter in "ftd"], default=-1)  # noqa: B905
        asked = tests[: far + 1] if far < 255 else tests  # the server counts in a byte
        if far < 0 or tuple(asked) in self.good:
            return True
        if self.warm.swap([[]], asked)["letters"] != "p":
            return False
        self.good.update(tuple(asked[: n + 1]) for n in range(len(asked)))
        return True

    def tried_anew(self, most: int) -> list[list[Any]]:
        """Try defects outside functions."""
        found: list[list[Any]] = []
        for one in self.dear_defects:
            if len(found) >= min(most, MOST_ANEW_DEFECTS) or self.warm.left() < self.anew_seconds():
                break
            source = self.codes[one.path].source
            text = apply(source.text, [one.splice]) or ""
            if not different(source.text, text):
                continue
            path = os.path.join(self.warm.root, one.path)
            items = [*self.quick, *self.affordable_anew(1.0)]
            write = partial(put, path, source.encoded.encode(text))
            letters = self.warm.anew(items, write, partial(put, path, source.encoded.encode(source.text)))
            found.append([*one[:4], any(letters.get(self.warm.items[item]) != "p" for item in items)])
        return found


def compiled(text: Any) -> tuple[Any, ...]:
    """What identifies code, whatever its lines look like; SyntaxError and others where it is none."""
    return identity(compile(text, "variant", "exec", dont_inherit=True))


def identity(code: CodeType) -> tuple[Any, ...]:
    """What code does: everything of it but where its lines are."""
    inner = tuple(identity(one) if isinstance(one, CodeType) else (type(one), repr(one)) for one in code.co_consts)
    return code.co_code, inner, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def marks(source: Source, unit: Unit, lines: set[int], first: int) -> tuple[list[Splice], dict[int, int]] | None:
    """Splices that mark a function, numbered from `first` (that it is entered), and the mark of each of its lines.

    None where it cannot be marked that it is entered.
    """
    body = unit.function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    entered = marked(source, body[1 if documented and len(body) > 1 else 0], first)
    if entered is None:
        return None
    splices, by_line = [entered], {}
    statements: list[Any] = [node for node in ast.walk(unit.function) if isinstance(node, ast.stmt)][1:]
    by_statement: dict[int, int] = {id(body[1 if documented else 0]): first}
    for line in sorted(lines):
        node = innermost(statements, line)
        if node is not None and id(node) not in by_statement:
            splice = marked(source, node, first + len(splices))
            if splice is not None:
                by_statement[id(node)] = first + len(splices)
                splices.append(splice)
        if id(node) in by_statement:
            by_line[line] = by_statement[id(node)]
    return splices, by_line


def innermost(statements: list[Any], line: int) -> Any:
    """The innermost statement on a line; None where there is none."""
    on = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return max(on, key=lambda node: (node.lineno, -(node.end_lineno or 0)), default=None)


def marked(source: Source, node: Any, number: int) -> Splice | None:
    """A mark before a statement; None where none can stand."""
    start = source.span(node)[0]
    for decorator in getattr(node, "decorator_list", [])[:1]:
        start = source.starts[decorator.lineno - 1] + len(source.indent(decorator))
    if isinstance(node, SIMPLE):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return None
        return Splice(source.path, start, start, f"{MARK}({number});")
    line = source.text.rfind("\n", 0, start) + 1
    indent = source.text[line:start]
    if indent.strip() or source.text.startswith("elif", start):
        return None
    return Splice(source.path, start, start, f"{MARK}({number}){source.newline}{indent}")


def compiles(file: FilePatch, content: bytes) -> bool:
    """Whether a content could be what its name says."""
    if not file.python:
        return True
    try:
        ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def different(before: str, after: str) -> bool:
    """Whether a text is code, and other code than before."""
    try:
        return compiled(before) != compiled(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def read(path: str) -> bytes | None:
    """A file, None where there is none."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def put(path: str, content: bytes) -> None:
    """Write a file."""
    with open(path, "wb") as stream:
        stream.write(content)
