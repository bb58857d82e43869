"""Small defects for changed lines: what a slip of the hand would do, as splices of the source.

The same source, lines and seed give the same defects in the same order: one for every line first, then a second one,
and so on. Texts of errors, annotations and documentation are left alone, because tests seldom look at them.
"""

from __future__ import annotations

import ast
import random
import re
from typing import TYPE_CHECKING, Any, Iterable, Iterator, NamedTuple

if TYPE_CHECKING:
    from reeve.adapters.agents.repair.splice import FUNCTIONS, Source, Splice
else:
    from repair.splice import FUNCTIONS, Source, Splice

COMPARED = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}  # fmt: skip
COMPUTED = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"), ast.Pow: ("**", "*"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.BitXor: ("^", "&"), ast.MatMult: ("@", "+"),
}  # fmt: skip
DROPPED = (ast.Assign, ast.AugAssign, ast.Delete, ast.Raise)
UNLIKELY = "ZeroDivisionError"
SHOWN = 120


class Defect(NamedTuple):
    """One small defect; `line` from 1, `was` and `now` the text that changes."""

    path: str
    line: int
    was: str
    now: str
    splice: Splice


def defects(sources: dict[str, Source], lines: dict[str, set[int]], seed: int) -> Iterator[Defect]:
    """Give the defects of the lines of each file, spread over them."""
    chance = random.Random(seed)
    found: list[list[Defect]] = []
    for path in sorted(sources):
        by_line: dict[int, list[Defect]] = {}
        for one in of_source(sources[path], lines.get(path, set())):
            by_line.setdefault(one.line, []).append(one)
        for line in sorted(by_line):
            chance.shuffle(by_line[line])
            found.append(by_line[line])
    chance.shuffle(found)
    for number in range(max([len(some) for some in found], default=0)):
        for some in found:
            if number < len(some):
                yield some[number]


def of_source(source: Source, lines: set[int]) -> list[Defect]:
    """All defects that begin on one of these lines."""
    found: list[Defect] = []
    if not lines:
        return found
    near = list(nodes_near(source.tree, lines))
    quiet = quiet_nodes(near)
    for node in near:
        if node in quiet or node in source.in_fstring:
            continue
        for splice in of_node(source, node):
            at = source.text.count("\n", 0, splice.start) + 1
            was = source.text[splice.start : splice.end]
            if at in lines and was != splice.new:
                found.append(Defect(source.path, at, shown(was), shown(splice.new), splice))
    return found


def nodes_near(node: ast.AST, lines: set[int]) -> Iterator[ast.AST]:
    """Every node that stands on one of the lines; what lies elsewhere is not even looked into."""
    for child in ast.iter_child_nodes(node):
        first = getattr(child, "lineno", None)
        if first is None:
            yield from nodes_near(child, lines)
            continue
        last = getattr(child, "end_lineno", None) or first
        if any(first <= line <= last for line in lines):
            yield child
            yield from nodes_near(child, lines)


def shown(text: str) -> str:
    """One line of a bounded length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + "…"


def quiet_nodes(near: Iterable[ast.AST]) -> set[ast.AST]:
    """What is never changed: documentation, annotations, texts of errors."""
    found: set[ast.AST] = set()
    for node in near:
        parts: list[Any] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts = [node]
        elif isinstance(node, ast.Raise):
            parts = [*node.exc.args, *node.exc.keywords] if isinstance(node.exc, ast.Call) else []
        elif isinstance(node, ast.Assert):
            parts = [node.msg]
        elif isinstance(node, (ast.AnnAssign, ast.arg)):
            parts = [node.annotation]
        elif isinstance(node, FUNCTIONS):
            parts = [node.returns]
        for part in parts:
            if part is not None:
                found.update(ast.walk(part))
    return found


def of_node(source: Source, node: ast.AST) -> Iterator[Splice]:
    """The defects of one node."""
    make = MADE.get(type(node))
    if make is not None:
        yield from make(source, node)
    if isinstance(node, DROPPED) and source.alone(node):
        yield source.replace(node, "pass", loose=False)


def of_compare(source: Source, node: Any) -> Iterator[Splice]:
    """Another comparison."""
    sides = [node.left, *node.comparators]
    for place, op in enumerate(node.ops):
        old, new = COMPARED[type(op)]
        yield from between(source, sides[place], sides[place + 1], old, new)


def of_operation(source: Source, node: Any) -> Iterator[Splice]:
    """Another operator."""
    old, new = COMPUTED[type(node.op)]
    if isinstance(node.left, (ast.Constant, ast.JoinedStr)) and isinstance(node.op, ast.Mod):
        return  # formats a text
    yield from between(source, node.left, node.right, old, new)


def of_augmented(source: Source, node: Any) -> Iterator[Splice]:
    """Another operator of an augmented assignment, or a plain one."""
    old, new = COMPUTED[type(node.op)]
    yield from between(source, node.target, node.value, old + "=", new + "=")


def of_boolean(source: Source, node: Any) -> Iterator[Splice]:
    """`or` for `and`; one operand less."""
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    yield from between(source, node.values[0], node.values[1], old, new)
    yield source.replace(node, source.atom(node.values[-1]))


def of_unary(source: Source, node: Any) -> Iterator[Splice]:
    """No `not`, no sign."""
    if isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield source.replace(node, source.atom(node.operand))


def of_condition(source: Source, node: Any) -> Iterator[Splice]:
    """A condition turned round or decided."""
    if isinstance(node.test, ast.Constant):
        return
    yield source.replace(node.test, f"not {source.atom(node.test)}")
    yield source.replace(node.test, "False")
    if not isinstance(node, ast.While):
        yield source.replace(node.test, "True")


def of_constant(source: Source, node: Any) -> Iterator[Splice]:
    """Another constant."""
    value = node.value
    if value is True or value is False:
        yield source.replace(node, repr(not value))
    elif value is None:
        yield source.replace(node, "True")
    elif isinstance(value, (int, float)):
        yield source.replace(node, repr(value + 1))
        if value:
            yield source.replace(node, "0")
    elif isinstance(value, (str, bytes)):
        mark = "b" if isinstance(value, bytes) else ""
        yield source.replace(node, mark + "''" if value else mark + "'?'", loose=False)


def of_return(source: Source, node: Any) -> Iterator[Splice]:
    """Nothing is given back."""
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield source.replace(node.value, "None", loose=False)


def of_expression(source: Source, node: Any) -> Iterator[Splice]:
    """A call is not made."""
    if isinstance(node.value, (ast.Call, ast.Await)) and source.alone(node):
        yield source.replace(node, "pass", loose=False)


def of_call(source: Source, node: Any) -> Iterator[Splice]:
    """Two arguments change places; one is left out."""
    plain = [argument for argument in node.args if not isinstance(argument, (ast.Starred, ast.GeneratorExp))]
    if len(plain) < len(node.args) or not plain:
        return
    if len(plain) > 1:
        (start, middle), (again, end) = source.span(plain[0]), source.span(plain[1])
        text = source.text
        yield Splice(source.path, start, end, text[again:end] + text[middle:again] + text[start:middle])
    if isinstance(node.func, (ast.Name, ast.Attribute)) and len(plain) == 1 and not node.keywords:
        yield source.replace(node, source.segment(plain[0]))


def of_slice(source: Source, node: Any) -> Iterator[Splice]:
    """A bound moved by one."""
    for bound in (node.lower, node.upper):
        if bound is not None and not isinstance(bound, ast.Constant):
            yield source.replace(bound, f"{source.atom(bound)} + 1")


def of_leave(source: Source, node: Any) -> Iterator[Splice]:
    """`continue` for `break`."""
    yield source.replace(node, "continue" if isinstance(node, ast.Break) else "break", loose=False)


def of_raise(source: Source, node: Any) -> Iterator[Splice]:
    """Another exception."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(raised, (ast.Name, ast.Attribute)):
        yield source.replace(raised, UNLIKELY, loose=False)


def of_handler(source: Source, node: Any) -> Iterator[Splice]:
    """Another exception is caught."""
    if node.type is not None:
        yield source.replace(node.type, UNLIKELY, loose=False)


def of_loop(source: Source, node: Any) -> Iterator[Splice]:
    """A loop that does not run."""
    yield source.replace(node.iter, "()", loose=False)


def between(source: Source, left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[Splice]:
    """Exchange the operator that stands between two operands."""
    start, end = source.span(left)[1], source.span(right)[0]
    pattern = r"\s+".join(re.escape(word) for word in old.split(" "))
    if old[0].isalpha():
        pattern = r"\b" + pattern + r"\b"
    found = re.search(pattern, source.text[start:end])
    if found is not None and "#" not in source.text[start : start + found.start()]:
        yield Splice(source.path, start + found.start(), start + found.end(), new)


MADE: dict[type, Any] = {
    ast.Compare: of_compare, ast.BinOp: of_operation, ast.AugAssign: of_augmented, ast.BoolOp: of_boolean,
    ast.UnaryOp: of_unary, ast.If: of_condition, ast.While: of_condition, ast.IfExp: of_condition,
    ast.Constant: of_constant, ast.Return: of_return, ast.Expr: of_expression, ast.Call: of_call,
    ast.Slice: of_slice, ast.Break: of_leave, ast.Continue: of_leave, ast.Raise: of_raise,
    ast.ExceptHandler: of_handler, ast.For: of_loop,
}  # fmt: skip
