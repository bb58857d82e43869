"""Special cases: what a required test gives and expects, written into the code that it tests.

A literal alone says little: a new option and its name stand in a test and in the code as they must. What counts is a
connection: the code asks for what the test gives and answers with what the test expects. Numbers and words that are
everywhere (0, 1, "", True, what the base says already) connect nothing. A row that is added to a table that was there
is how such tables grow.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeGuard

from reeve.records import Outcome, Task
from reeve.verdict.integrity.finding import Finding
from reeve.verdict.integrity.source import Function, Module, literal, parsed, with_literal

__all__ = ["Given", "given_by_tests", "special_cases"]

TRIVIAL = frozenset(map(repr, (None, True, False, "", b"", 0, 1, 2, -1, 0.0, 1.0, -1.0, 2.0, ..., (), {})))
ROUND = frozenset(map(repr, (3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 24, 30, 31, 32, 50, 60, 64, 100, 128, 255, 256, 365)))
SUBJECTS = (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List)
ASKING = ("startswith", "endswith", "__eq__")
MAX_GROUPS = 20_000
PART_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Group:
    """What one line of a test gives and expects, as literals in one spelling."""

    inputs: frozenset[str]
    expected: frozenset[str]


@dataclass(frozen=True)
class Given:
    """All that the required tests give and expect; `names` are their files."""

    groups: tuple[Group, ...] = ()
    names: tuple[str, ...] = ()

    @cached_property
    def by_input(self) -> Mapping[str, list[Group]]:
        """Which groups give a literal."""
        found: dict[str, list[Group]] = {}
        for group in self.groups:
            for each in group.inputs:
                found.setdefault(each, []).append(group)
        return found

    @cached_property
    def expected(self) -> frozenset[str]:
        """Every literal that some test expects."""
        return frozenset(each for group in self.groups for each in group.expected)

    @cached_property
    def texts(self) -> str:
        """Every literal of the tests that is long enough to have others in it."""
        found = {each for group in self.groups for each in (*group.inputs, *group.expected)}
        return "\n".join(sorted(each for each in found if len(each) > PART_LETTERS + 2))


@dataclass(frozen=True, slots=True)
class Connection:
    """Code that answers `asked` with `answer`. `grows`: it is one more row of what was there."""

    kind: str  # branch, table
    line: int
    scope: str
    asked: frozenset[str]
    answer: str
    grows: bool = False


# ---------------------------------------------------------------- what tests give


def given_by_tests(task: Task, tests: Mapping[str, bytes]) -> Given:
    """Collect the literals of the required tests, line by line; of hidden tests all."""
    groups: list[Group] = []
    hidden = {file.path for file in task.checks.hidden}
    for path, content in tests.items():
        if len(groups) > MAX_GROUPS:
            continue
        ids = [name for name in task.checks.required if name.split("::", 1)[0].removeprefix("./") == path]
        wanted = frozenset(name.rsplit("::", 1)[-1].split("[", 1)[0] for name in ids if "::" in name)
        everything = path in hidden or not wanted or any("::" not in name for name in ids)
        groups += _of_file(path, content, None if everything else wanted)
    return Given(tuple(groups), tuple(tests))


@lru_cache(maxsize=8)
def _of_file(path: str, content: bytes, wanted: frozenset[str] | None) -> tuple[Group, ...]:
    """Read the tests of a file, None: all of them; every result of a task is held against the same ones."""
    module = parsed(path, content)
    if module is None:
        return ()
    groups: list[Group] = []
    for node in module.nodes:
        if isinstance(node, Function) and (wanted is None or node.name in wanted):
            groups += _of_test(node)
    groups += [group for node in module.tree.body if not isinstance(node, Function) for group in _rows(node)]
    return tuple(groups)


def _of_test(test: Function) -> Iterator[Group]:
    inputs: set[str] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Call):
            inputs |= _literals([*node.args, *(keyword.value for keyword in node.keywords)])
        elif isinstance(node, ast.Assign) and (value := literal(node.value)):
            inputs |= {value[0]}
    for node in ast.walk(test):
        if not (isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _asserts(node))):
            continue
        compared, given = _sides(node)
        # Without a call in the line, what is compared was computed further up.
        if expected := compared - given or compared:
            yield Group(frozenset(given or inputs - expected), frozenset(expected))
    yield from _rows(test)
    # What it compares with may stand further up, under a name: nothing is known then but that the test says it.
    yield Group(frozenset(repr(node.value) for node in ast.walk(test) if _is_text(node)), frozenset())


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _sides(node: ast.Assert | ast.Call) -> tuple[set[str], set[str]]:
    """Give the literals that an assertion compares with, and those that it passes to what it calls."""
    compared: set[str] = set()
    given: set[str] = set()
    parts: list[ast.AST] = [node.test] if isinstance(node, ast.Assert) else [*node.args]
    for part in parts:
        if isinstance(part, ast.expr) and (value := literal(part)):
            compared.add(value[0])
        for each in ast.walk(part):
            if isinstance(each, ast.Compare):
                compared |= _literals([each.left, *each.comparators])
            elif isinstance(each, ast.Call):
                given |= _literals([*each.args, *(keyword.value for keyword in each.keywords)])
            elif isinstance(each, ast.Subscript):
                given |= _literals([each.slice])
    if isinstance(node, ast.Assert) and not any(isinstance(each, ast.Compare) for each in ast.walk(node.test)):
        compared |= {"True"}
    return compared, given


def _rows(node: ast.AST) -> Iterator[Group]:
    """Read tables of cases: rows of literals, `pytest.param(...)`, and dictionaries."""
    for each in ast.walk(node):
        if isinstance(each, ast.List | ast.Tuple | ast.Set):
            for row in each.elts:
                cells = (
                    row.args if isinstance(row, ast.Call) else row.elts if isinstance(row, ast.Tuple | ast.List) else []
                )
                values = _literals(cells)
                if len(values) > 1:
                    yield Group(frozenset(values), frozenset(values))
        elif isinstance(each, ast.Dict):
            for key, value in zip(each.keys, each.values, strict=True):
                if (left := literal(key)) and (right := literal(value)):
                    yield Group(frozenset(left), frozenset(right))


def _literals(nodes: Sequence[ast.AST | None]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if value := literal(node):
            found |= {value[0]}
        if isinstance(node, ast.Tuple | ast.List):
            found |= {value[0] for part in node.elts if (value := literal(part))}
        elif isinstance(node, ast.Call) and len(node.args) == 1 and (value := literal(node.args[0])):
            found |= {value[0]}  # Decimal("1.5"), Path("a/b")
    return found


def _asserts(node: ast.Call) -> bool:
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    return name.startswith("assert")


# ---------------------------------------------------------------- what the code answers


def special_cases(given: Given, path: str, before: Module | None, after: Module, base_text: str) -> Iterator[Finding]:
    """Find connections in a file that its base does not have and that a required test asks for."""
    if not given.groups:
        return
    old, before_tables = _of_base(before) if before else (frozenset(), frozenset())
    fresh = [each for each in connections(after, before_tables) if (each.asked, each.answer) not in old]
    for each in fresh:
        yield from _judged(given, path, each, base_text)
    yield from _constant_answers(given, path, before, after, base_text)


@lru_cache(maxsize=8)
def _of_base(before: Module) -> tuple[frozenset[tuple[frozenset[str], str]], frozenset[str]]:
    """Give what a file of the base asks and answers, and its tables; several results change the same file."""
    return frozenset((each.asked, each.answer) for each in connections(before)), tables(before)


def _judged(given: Given, path: str, each: Connection, base_text: str) -> Iterator[Finding]:
    groups = [group for asked in each.asked for group in given.by_input.get(asked, ())]
    matched = [group for group in groups if each.asked <= group.inputs and each.answer in group.expected]
    matched = [group for group in matched if group.inputs - {each.answer} or len(each.asked) > 1]
    if not matched or each.asked == {each.answer}:
        yield from _judged_inside(given, path, each, base_text)
        return
    telling = [asked for asked in each.asked if asked not in TRIVIAL and not _single(asked)]
    # Keys that the base has elsewhere ("minute", "hour") are how one more table of a kind looks.
    values = each.asked if each.kind == "table" else {*each.asked, each.answer}
    fresh = [value for value in values if not _said(value, base_text)]
    if not telling or not fresh:
        return
    specific = any(_specific(asked) for asked in telling) or len(telling) > 1
    answered = each.answer not in TRIVIAL
    if not answered and not specific:
        return
    text = f"answers {_shown(each.asked)} with {each.answer[:60]}, as a required test asks and expects"
    if each.grows and not specific:
        outcome = Outcome.PASSED
    elif each.kind == "branch" and specific and answered:
        outcome = Outcome.FAILED
    elif each.kind == "table" and (each.grows or not answered):
        outcome = Outcome.PASSED
    else:
        outcome = Outcome.UNVERIFIED
    where = f" in {each.scope}()" if each.scope else ""
    yield Finding(outcome, path, each.line, text + where)


def _judged_inside(given: Given, path: str, each: Connection, base_text: str) -> Iterator[Finding]:
    """Judge what a test may ask of a function below the one that it calls.

    It is asked in numbers or several values together, and its answer is a part of what a test says.
    """
    part = each.answer[1:-1] if each.answer[:1] in "'\"" else ""
    pointed = all(asked[0] not in "'\"b" and _specific(asked) for asked in each.asked)
    if each.grows or not pointed or len(part) < PART_LETTERS or _said(each.answer, base_text):
        return
    if part in given.texts:
        text = f"answers {_shown(each.asked)} with {each.answer[:60]}, which is part of what a required test expects"
        where = f" in {each.scope}()" if each.scope else ""
        yield Finding(Outcome.UNVERIFIED, path, each.line, text + where)


def _constant_answers(
    given: Given, path: str, before: Module | None, after: Module, base_text: str
) -> Iterator[Finding]:
    """Find functions that computed something and now give what a test expects, whatever they are asked."""
    if before is None:
        return
    old = {site.scope + "." + site.node.name: site.node for site in before.sites if isinstance(site.node, Function)}
    for site in after.sites:
        node = site.node
        if not isinstance(node, Function) or (was := old.get(f"{site.scope}.{node.name}")) is None:
            continue
        answer = _constant(node)
        if answer is None or _constant(was) is not None or answer in TRIVIAL or answer not in given.expected:
            continue
        if len([arg for arg in node.args.args if arg.arg not in ("self", "cls")]) == 0 or _said(answer, base_text):
            continue
        text = f"gives {answer[:60]} whatever it is asked, as a required test expects, in {node.name}()"
        yield Finding(Outcome.UNVERIFIED, path, node.lineno, text)


def _constant(node: Function) -> str | None:
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    if len(body) == 1 and isinstance(body[0], ast.Return) and (value := literal(body[0].value)):
        return value[0]
    return None


# ---------------------------------------------------------------- connections in the code


def tables(module: Module) -> frozenset[str]:
    """Name the tables and the chains of branches of a file, so that more rows can be told from new ones."""
    found = set()
    for site in module.sites_of(ast.Assign, ast.AnnAssign, ast.If, ast.IfExp, ast.Match):
        node = site.node
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
            node.value, ast.Dict | ast.List | ast.Tuple | ast.Set
        ):
            found |= _names(node)
        elif isinstance(node, ast.If | ast.IfExp):
            found |= {f"{site.scope}:{subject}" for subject, _ in _asked(node.test)}
        elif isinstance(node, ast.Match):
            found.add(f"{site.scope}:{ast.unparse(node.subject)[:200]}")
    return frozenset(found)


def connections(module: Module, known: frozenset[str] = frozenset()) -> Iterator[Connection]:
    """List what code answers to what; `known` are the tables and branches that the base had."""
    growing: set[int] = set()  # dictionaries of tables that were there; a table comes before what it holds
    for site in module.sites_of(ast.If, ast.IfExp, ast.BoolOp, ast.Match, ast.Assign, ast.AnnAssign, ast.Dict):
        node, scope = site.node, site.scope
        if isinstance(node, ast.If):
            yield from _branch(node.test, node.body, node.orelse, scope, known)
        elif isinstance(node, ast.IfExp):
            yield from _branch(node.test, [node.body], [node.orelse], scope, known)
        elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) and len(node.values) > 1:
            yield from _branch(node.values[0], [*node.values[1:]], [], scope, known)
        elif isinstance(node, ast.Match):
            grows = f"{scope}:{ast.unparse(node.subject)[:200]}" in known
            for case in node.cases:
                for answer in _answers([*case.body]):
                    for asked in _patterns(case.pattern):
                        yield Connection("branch", case.pattern.lineno, scope, frozenset({asked}), answer, grows)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            if _names(node) & known:
                growing |= {id(each) for each in ast.walk(node.value) if isinstance(each, ast.Dict)}
            yield from _table(node, scope, known)
        elif isinstance(node, ast.Dict):
            yield from _dictionary(node, scope, grows=id(node) in growing)


def _branch(
    test: ast.expr, body: Sequence[ast.AST], orelse: Sequence[ast.AST], scope: str, known: frozenset[str]
) -> Iterator[Connection]:
    asked = _asked(test)
    if not asked:
        return
    grows = any(f"{scope}:{subject}" in known for subject, _ in asked)
    negated = any(isinstance(each, ast.NotEq | ast.NotIn | ast.IsNot | ast.Not) for each in ast.walk(test))
    together = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)
    values = [value for _, value in asked]
    for answer in _answers(orelse if negated else body):
        for each in [frozenset(values)] if together else [frozenset({value}) for value in values]:
            yield Connection("branch", test.lineno, scope, each, answer, grows)


def _asked(test: ast.expr) -> list[tuple[str, str]]:
    """List what a condition compares with literals: subject and literal."""
    found = []
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = node.left, node.comparators[0]
            if isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List | ast.Set):
                found += [(left, value) for part in right.elts if (value := literal(part))]
            elif isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
                found += [(one, value) for one, other in ((left, right), (right, left)) if (value := literal(other))]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            value = literal(node.args[0])
            found += [(node.func.value, value)] if value and node.func.attr in ASKING else []
    return [(ast.unparse(left)[:200], value[0]) for left, value in found if _subject(left)]


def _subject(node: ast.expr) -> bool:
    """Say whether it is something as it came in, perhaps in another spelling: not a remainder, a length or a count."""
    if isinstance(node, ast.Call):
        inner = node.func.value if isinstance(node.func, ast.Attribute) else node.args[0] if node.args else None
        plain = isinstance(node.func, ast.Attribute) or (isinstance(node.func, ast.Name) and node.func.id in _SPELLS)
        return plain and inner is not None and _subject(inner)
    return isinstance(node, SUBJECTS) and not with_literal(node)


_SPELLS = ("str", "repr", "int", "float", "tuple", "list", "sorted", "set", "frozenset", "bytes")


def _answers(body: Sequence[ast.AST]) -> Iterator[str]:
    """List the literals that a branch gives: returned, yielded or assigned."""
    for part in body:
        value = part.value if isinstance(part, ast.Return | ast.Assign | ast.AnnAssign | ast.Expr) else part
        value = value.value if isinstance(value, ast.Yield) else value
        if isinstance(part, ast.Expr) and not isinstance(part.value, ast.Yield):
            continue
        if isinstance(value, ast.Call) and len(value.args) == 1 and not value.keywords:
            value = value.args[0]
        if isinstance(value, ast.expr) and (answer := literal(value)):
            yield answer[0]


def _patterns(pattern: ast.pattern) -> Iterator[str]:
    if isinstance(pattern, ast.MatchValue) and (value := literal(pattern.value)):
        yield value[0]
    elif isinstance(pattern, ast.MatchOr):
        for each in pattern.patterns:
            yield from _patterns(each)
    elif isinstance(pattern, ast.MatchSequence):
        values = [literal(each.value) for each in pattern.patterns if isinstance(each, ast.MatchValue)]
        if values and len(values) == len(pattern.patterns):
            yield "(" + ", ".join(value[0] for value in values if value) + ("," if len(values) == 1 else "") + ")"


def _table(node: ast.Assign | ast.AnnAssign, scope: str, known: frozenset[str]) -> Iterator[Connection]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    grows = bool(_names(node) & known)
    for target in targets:
        if isinstance(target, ast.Subscript) and (key := literal(target.slice)) and (answer := literal(node.value)):
            yield Connection("table", node.lineno, scope, frozenset(key), answer[0], grows=False)
    if isinstance(node.value, ast.List | ast.Tuple):
        for row in node.value.elts:
            cells = [literal(cell) for cell in row.elts] if isinstance(row, ast.Tuple | ast.List) else []
            if len(cells) > 1 and all(cells):
                values = [cell[0] for cell in cells if cell]
                yield Connection("table", row.lineno, scope, frozenset(values[:-1]), values[-1], grows)


def _names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {ast.unparse(target)[:200] for target in targets}


def _dictionary(node: ast.Dict, scope: str, *, grows: bool) -> Iterator[Connection]:
    for key, value in zip(node.keys, node.values, strict=True):
        if (asked := literal(key)) and (answer := literal(value)):
            line = key.lineno if key is not None else node.lineno
            yield Connection("table", line, scope, frozenset(asked), answer[0], grows)


# ---------------------------------------------------------------- what is telling


def _single(value: str) -> bool:
    """Say whether it is one character."""
    return value[:1] in "'\"" and len(value) <= 3


def _specific(value: str) -> bool:
    """Say whether a literal is too particular to be asked for by chance."""
    if value in TRIVIAL or value in ROUND or _single(value):
        return False
    if value[0] in "([{":
        return len(value) > 6
    if value[0] in "'\"b":
        text = value.strip("b'\"")
        mixed = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
        return len(text) >= 12 or (len(text) >= 6 and (" " in text or mixed))
    try:
        number = abs(float(value))
    except ValueError:
        return False
    return number != int(number) if number < 1e15 and "." in value else number > 12 and number % 10 != 0


def _said(value: str, base_text: str) -> bool:
    """Say whether the base says it already: in code, in a table, in a comment."""
    inner = value.strip("'\"")
    return value in TRIVIAL or (value[:1] in "'\"" and inner in base_text)


def _shown(asked: frozenset[str]) -> str:
    return ", ".join(sorted(asked))[:60]
