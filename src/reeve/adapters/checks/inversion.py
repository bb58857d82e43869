"""Turns tests round: a copy of a passing test that cannot pass, whatever the code under test is. Pure.

Only what is certain is used: statements of the outermost level of a test that has no way round them. Where a test
offers nothing of the kind, an assertion that is false is added at its end.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

__all__ = ["SOURCE_BYTES", "Copies", "copies", "inverted"]

SOURCE_BYTES = 1 << 20
"""A larger file is left as it is."""

SWAPPED = {
    "assertEqual": "assertNotEqual",
    "assertListEqual": "assertNotEqual",
    "assertTupleEqual": "assertNotEqual",
    "assertDictEqual": "assertNotEqual",
    "assertSetEqual": "assertNotEqual",
    "assertMultiLineEqual": "assertNotEqual",
    "assertNotEqual": "assertEqual",
    "assertTrue": "assertFalse",
    "assertFalse": "assertTrue",
    "assertIs": "assertIsNot",
    "assertIsNot": "assertIs",
    "assertIsNone": "assertIsNotNone",
    "assertIsNotNone": "assertIsNone",
    "assertIn": "assertNotIn",
    "assertNotIn": "assertIn",
    "assertIsInstance": "assertNotIsInstance",
    "assertNotIsInstance": "assertIsInstance",
    "assertGreater": "assertLessEqual",
    "assertLessEqual": "assertGreater",
    "assertLess": "assertGreaterEqual",
    "assertGreaterEqual": "assertLess",
}
LEAVES = frozenset(
    ("skip", "skipif", "skipTest", "SkipTest", "xfail", "importorskip", "exit", "_exit", "fork", "execv", "abort")
)
"""Names in a test that may end it before its last line, other than by failing."""

LENIENT = re.compile(r"(?i)\bANY\b|approx|almost|is_?close|fuzzy|\bnan\b|dirty|matcher|random|mock")
"""Where these words stand, two different things may be equal."""

ABOUT_EQUALITY = re.compile(r"(?i)(?:^|_|::)(?:eq|ne|any|cmp)(?:_|::|$)|equal|compar|identi")
OWN_RULES = ("addTypeEqualityFunc", "failureException")
REDEFINED = frozenset(("run", "__call__", "debug", "__getattribute__", "__getattr__"))
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class _Edit:
    """What to put in the place of some bytes of the source."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Copies:
    """Two copies of a file; the tests in `names` cannot pass in the second."""

    same: bytes
    turned: bytes
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    """One test function, with the class that it is in, and the test case class of unittest or not."""

    name: str
    function: ast.FunctionDef
    owner: ast.ClassDef | None
    unittest: bool


def inverted(source: bytes, names: Sequence[str], draw: Random) -> tuple[bytes, tuple[str, ...]] | None:
    """Turn tests of a file round, named as in an id behind it; returns the new source and those that must fail in it.

    The first is made to expect something else, the second to deny what it asserts, and so on in turn. A test that is
    not certain to fail then stays as it is. None: the source cannot be read.
    """
    read = _Source.of(source)
    if read is None:
        return None
    edits = read.turned_round(names, len(names), draw, add=False)
    turned = read.edited(list(edits.values()))
    return (source, ()) if turned is None else (turned, tuple(edits))


def copies(
    source: bytes, names: Sequence[str], draw: Random, *, more: Sequence[str] = (), add: bool = False
) -> Copies | None:
    """Copy the tests of a file, once as they are and once turned round, without the others.

    With `add` nothing is changed, and only what is false added. Instead of a test that cannot be turned round one of
    `more` is taken. Tests that are not named go where nothing mentions them: to read and collect them again would
    cost more than to run the others. None: the source cannot be read.
    """
    read = _Source.of(source)
    if read is None:
        return None
    edits = read.turned_round((*names, *more), len(names), draw, add=add)
    gone = read.unneeded((*names, *edits))
    turned = read.edited([*gone, *edits.values()])
    return Copies(read.edited(gone) or source, turned or source, tuple(edits) if turned else ())


class _Source:
    """A source with its tree; positions count bytes of its UTF-8 form with plain line ends."""

    def __init__(self, text: str, encoding: str) -> None:
        self.encoding = encoding
        self.text = text
        self.data = text.encode()
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in self.data.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.plain = not any(word in text for word in OWN_RULES)

    @classmethod
    def of(cls, source: bytes) -> "_Source | None":
        if len(source) > SOURCE_BYTES:
            return None
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
            text = source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
            return cls(text, encoding)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return None

    def edited(self, edits: Sequence[_Edit]) -> bytes | None:
        """Make the edits; None: the source cannot be read after them, which is a fault of ours."""
        data = self.data
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
        try:
            text = data.decode()
            ast.parse(text)
            return text.encode(self.encoding)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def unneeded(self, names: Sequence[str]) -> list[_Edit]:
        """Take out tests that are not named, and that nothing else in the file speaks of."""
        wanted = {part for name in names for part in name.split("::")}
        counts = Counter(re.findall(r"\w+", self.text))
        edits = []
        for node in self.tree.body:
            if isinstance(node, DEFINED) and node.name not in wanted:
                edits += [self._taken_out(node)] if _is_only_test(node, counts) else []
            elif isinstance(node, ast.ClassDef):
                inside = [one for one in node.body if isinstance(one, DEFINED) and one.name not in wanted]
                edits += [self._taken_out(one) for one in inside if _is_only_test(one, counts)]
        return edits

    def _taken_out(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> _Edit:
        start, end = self._span(node)
        if node.decorator_list:
            line = self._span(node.decorator_list[0])[0]
            start = self.data.rindex(b"@", 0, line)
        return _Edit(start, end, "pass")

    # which tests

    def test(self, name: str) -> _Test | None:
        """Find a test by its name and say whether it can be turned round; None: it cannot."""
        *owners, last = name.split("::")
        body: Sequence[ast.stmt] = self.tree.body
        classes: list[ast.ClassDef] = []
        for part in owners:
            owner = _last(body, part)
            if not isinstance(owner, ast.ClassDef) or owner.keywords:
                return None
            classes.append(owner)
            body = owner.body
        function = _last(body, last)
        if not isinstance(function, ast.FunctionDef) or not _runs_to_its_end(function):
            return None
        decorators = [*function.decorator_list, *(each for owner in classes for each in owner.decorator_list)]
        if not all(map(_harmless, decorators)):
            return None
        if any(REDEFINED & _defined(owner) for owner in classes):
            return None
        if "pytestmark" in self.text and "xfail" in self.text:
            return None
        owner = classes[-1] if classes else None
        return _Test(name, function, owner, owner is not None and self._is_case(owner, 10))

    def _is_case(self, owner: ast.ClassDef, depth: int) -> bool:
        """Say whether the assertions of a class are those of unittest, and nobody else's."""
        if not self.plain or not depth or any(one.startswith("assert") for one in _defined(owner)):
            return False
        return bool(owner.bases) and all(self._is_base(base, depth) for base in owner.bases)

    def _is_base(self, base: ast.expr, depth: int) -> bool:
        if isinstance(base, ast.Attribute):
            return base.attr == "TestCase" and isinstance(base.value, ast.Name) and base.value.id == "unittest"
        if not isinstance(base, ast.Name):
            return False
        if self._comes_from("unittest", base.id):
            return base.id == "TestCase"
        found = _last(self.tree.body, base.id)
        return isinstance(found, ast.ClassDef) and self._is_case(found, depth - 1)

    def _comes_from(self, module: str, name: str) -> bool:
        return any(
            isinstance(node, ast.ImportFrom) and node.module == module and name in [each.name for each in node.names]
            for node in self.tree.body
        )

    # how they are turned round

    def turned_round(self, names: Sequence[str], most: int, draw: Random, *, add: bool) -> dict[str, _Edit]:
        """Find an edit for each of the first tests for which there is one."""
        edits: dict[str, _Edit] = {}
        for name in names:
            test = self.test(name) if len(edits) < most else None
            if test is not None:
                deny = len(edits) % 2 == 1
                edits[name] = self.added(test, draw) if add else self.inversion(test, draw, deny=deny)
        return edits

    def inversion(self, test: _Test, draw: Random, *, deny: bool) -> _Edit:
        """Choose the edit of one test: to deny or to expect something else; the other where that is not possible."""
        kinds = [self._denied, self._otherwise]
        for kind in kinds if deny else kinds[::-1]:
            for statement in reversed(test.function.body):
                edit = kind(test, statement, draw)
                if edit is not None:
                    return edit
        return self.added(test, draw)

    def _denied(self, test: _Test, statement: ast.stmt, draw: Random) -> _Edit | None:
        if isinstance(statement, ast.Assert):
            start, end = self._span(statement.test)
            return _Edit(start, end, f"not ({self._text(statement.test)})")
        if isinstance(statement, ast.With) and len(statement.items) == 1:
            return self._other_exception(test, statement.items[0].context_expr, draw)
        call, method = _call_on_self(test, statement)
        if call is None:
            return None
        if method in ("assertRaises", "assertRaisesRegex"):
            return self._other_exception(test, call, draw)
        if method not in SWAPPED or any(word.arg != "msg" for word in call.keywords):
            return None
        end = self._span(call.func)[1]
        return _Edit(end - len(method), end, SWAPPED[method])

    def _other_exception(self, test: _Test, call: ast.expr, draw: Random) -> _Edit | None:
        """Wait for an exception that nobody can raise: what is raised comes through."""
        if not isinstance(call, ast.Call) or not call.args or isinstance(call.args[0], ast.Starred):
            return None
        name = self._text(call.func)
        ours = name == "pytest.raises" or (name == "raises" and self._comes_from("pytest", "raises"))
        case = test.unittest and name in ("self.assertRaises", "self.assertRaisesRegex")
        if not ours and not case:
            return None
        start, end = self._span(call.args[0])
        word = draw.choice(("Refused", "Missing", "Unknown", "Invalid", "Expired"))
        return _Edit(start, end, f'type("{word}Error", (Exception,), {{}})')

    def _otherwise(self, test: _Test, statement: ast.stmt, draw: Random) -> _Edit | None:
        """Expect something else than what is written there."""
        if ABOUT_EQUALITY.search(test.name):
            return None
        if isinstance(statement, ast.Assert):
            compared = statement.test
            if not isinstance(compared, ast.Compare) or len(compared.ops) != 1:
                return None
            sides = (compared.left, compared.comparators[0])
            if LENIENT.search(self._text(compared)):
                return None
            if isinstance(compared.ops[0], ast.Eq):
                return self._other(sides, draw)
            if isinstance(compared.ops[0], ast.NotEq):
                return self._same(compared, sides)
            return None
        call, method = _call_on_self(test, statement)
        if call is None or method != "assertEqual" or len(call.args) < 2:
            return None
        return None if LENIENT.search(self._text(call)) else self._other((call.args[0], call.args[1]), draw)

    def _other(self, sides: tuple[ast.expr, ast.expr], draw: Random) -> _Edit | None:
        """Put another value in the place of the one that is written out."""
        for side in sides[::-1]:
            text = self._another(side, draw)
            if text is not None:
                return _Edit(*self._span(side), text)
        return None

    def _another(self, side: ast.expr, draw: Random) -> str | None:
        number, word = draw.randrange(10**6, 10**7), f"{draw.randrange(16**6):06x}"
        own = self._text(side)
        match side:
            case ast.Constant(value=bool() | None) | ast.Constant(value=complex()):
                return None
            case ast.Constant(value=int() | float() as value):
                return _more(value, number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return _more(-value, number)
            case ast.Constant(value=str() as text):
                return repr(text + word) if text.isascii() else None
            case ast.Constant(value=bytes() as data):
                return repr(data + word.encode())
            case ast.List():
                return f"({own} + [{number}])"
            case ast.Tuple():
                return f"({own} + ({number},))"
            case ast.Set():
                return f"({own} | {{{number}}})"
            case ast.Dict():
                return f"{{**{own}, {word!r}: {number}}}"
        return None

    def _same(self, compared: ast.Compare, sides: tuple[ast.expr, ast.expr]) -> _Edit | None:
        """Ask whether something is not equal to itself, instead of to a plain value that is written out."""
        for side, other in (sides, sides[::-1]):
            if isinstance(other, ast.Constant) and isinstance(other.value, int | str) and _is_asked(side):
                start, end = self._span(compared)
                return _Edit(start, end, f"(one := ({self._text(side)})) != one")
        return None

    def added(self, test: _Test, draw: Random) -> _Edit:
        """Add an assertion that is false at the end of a test."""
        one, other = draw.sample(range(10, 10**4), 2)
        first = next(iter(test.function.args.args), None)
        false = f"assert {one} == {other}"
        if test.unittest and first is not None and first.arg == "self" and draw.randrange(2):
            false = f"self.assertEqual({one}, {other})"
        last, begin = test.function.body[-1], test.function.body[0]
        end = self._span(last)[1]
        if begin.lineno == test.function.lineno or self._before(begin).strip():
            return _Edit(end, end, f"; {false}")  # everything stands on the line of the def
        return _Edit(end, end, f"\n{self._before(begin)}{false}\n" if not self._after(last) else f"; {false}")

    # positions

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[end_line - 1] + end

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self.data[start:end].decode()

    def _before(self, node: ast.stmt) -> str:
        start = self.starts[node.lineno - 1]
        return self.data[start : start + node.col_offset].decode()

    def _after(self, node: ast.stmt) -> str:
        """What stands behind a statement on its last line, but for a comment."""
        end = self._span(node)[1]
        rest = self.data[end : self.starts[node.end_lineno or node.lineno] - 1].decode()
        return "" if rest.lstrip().startswith("#") else rest.strip()


def _more(value: float, number: int) -> str | None:
    """Write another number out; None where it would be the same: the number is too large to tell."""
    other = value + number
    return repr(other) if other != value and abs(value) < 1e100 else None


def _last(body: Sequence[ast.stmt], name: str) -> ast.stmt | None:
    """Find what a name means at the end of a body; None where it is also made conditionally, or in another way."""
    found: ast.stmt | None = None
    for statement in body:
        if isinstance(statement, DEFINED) and statement.name == name:
            found = statement
        elif not isinstance(statement, SCOPES) and any(_binds(node, name) for node in _inside(statement)):
            return None
    return found


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, DEFINED):
        return node.name == name
    return isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)


def _is_only_test(node: ast.stmt, counts: Counter[str]) -> bool:
    """Say that a definition is a test and nothing more: it is named once, and no decorator makes it something else."""
    if not isinstance(node, DEFINED) or counts[node.name] != 1:
        return False
    marks = [ast.unparse(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list]
    if not all(mark.startswith(("pytest.mark.", "mark.")) for mark in marks):
        return False
    return node.name.startswith("Test") if isinstance(node, ast.ClassDef) else node.name.startswith("test")


def _defined(owner: ast.ClassDef) -> set[str]:
    names = {node.name for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    targets = [target for node in owner.body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what is executed by a function itself, not by what it defines."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, SCOPES):
            yield from _inside(child)


def _runs_to_its_end(function: ast.FunctionDef) -> bool:
    """Say that whoever passes this test has reached its last line."""
    for statement in function.body:
        for node in (statement, *(() if isinstance(statement, SCOPES) else _inside(statement))):
            if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom | ast.Await):
                return False
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in LEAVES:
                    return False
    return True


def _harmless(decorator: ast.expr) -> bool:
    """Say that a decorator neither swallows a failure nor runs a test more than once."""
    name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if name.startswith(("pytest.mark.", "mark.")):
        return name.rsplit(".", 1)[-1] not in ("xfail", "asyncio", "anyio", "trio", "flaky", "repeat", "hypothesis")
    return name in ("patch", "mock.patch", "unittest.mock.patch") or name.endswith(("patch.object", "patch.dict"))


def _is_asked(node: ast.expr) -> bool:
    return isinstance(node, ast.Call | ast.Name | ast.Attribute | ast.Subscript | ast.BinOp)


def _call_on_self(test: _Test, statement: ast.stmt) -> tuple[ast.Call | None, str]:
    """Give the call `self.something(...)` of a test case that a statement consists of, and what is called."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not test.unittest or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None, ""
    of_self = isinstance(call.func.value, ast.Name) and call.func.value.id == "self"
    starred = any(isinstance(each, ast.Starred) for each in call.args) or not all(word.arg for word in call.keywords)
    return (call if of_self and not starred else None), call.func.attr
