"""Small defects of a function: the ones that are put into a released package, and most of the wrong patches."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.verifier.source import FunctionNode, Replaced, code_nodes, find, parses, splice

__all__ = ["Mutant", "mutants"]

COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
COMPUTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one small defect in one function; `kind` says which sort, `line` where."""

    kind: str
    line: int
    text: str


def mutants(text: str, name: str) -> list[Mutant]:
    """List the small defects of one function of a module, in the order of its text, each once."""
    found: dict[str, Mutant] = {}
    function = find(text, name)
    for kind, change in _changes(function):
        new = splice(text, [change])
        if new != text and parses(new):
            found.setdefault(new, Mutant(kind, change.node.lineno, new))
    return list(found.values())


def _changes(function: FunctionNode) -> Iterator[tuple[str, Replaced]]:
    for node in code_nodes(function):
        for kind, makers in MAKERS.items():
            for make in makers:
                for change in make(node):
                    yield kind, change


def _edited(node: ast.expr, edit: Callable[[ast.expr], object], *, brackets: bool = False) -> Replaced:
    new = copy.deepcopy(node)
    edit(new)
    text = ast.unparse(new)
    return Replaced(node, f"({text})" if brackets else text)


def _compared(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            if other := COMPARED.get(type(operator)):
                yield _edited(node, lambda new, at=at, other=other: new.ops.__setitem__(at, other()))


def _computed(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.BinOp) and (other := COMPUTED.get(type(node.op))) and not _text(node.left):
        yield _edited(node, lambda new: setattr(new, "op", other()), brackets=True)


def _text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _and_or(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield _edited(node, lambda new: setattr(new, "op", other()), brackets=True)


def _part_dropped(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.BoolOp):
        for at in range(len(node.values)):
            rest = [value for number, value in enumerate(node.values) if number != at]
            left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            yield Replaced(node, f"({ast.unparse(left)})")


def _negated(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Replaced(node, f"({ast.unparse(node.operand)})")
    elif isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield Replaced(node.test, f"(not ({ast.unparse(node.test)}))")


def _always(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Constant):
        yield Replaced(node.test, "True")


def _never(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.If) and not isinstance(node.test, ast.Constant):
        yield Replaced(node.test, "False")


def _constant(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield Replaced(node, str(not node.value))
        elif isinstance(node.value, int):
            yield Replaced(node, str(node.value + 1))


def _returned(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.Return) and node.value is not None:
        nothing = isinstance(node.value, ast.Constant) and node.value.value is None
        if not nothing:
            yield Replaced(node, "return None")


def _swapped(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.Call) and len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield _edited(node, lambda new: new.args.__setitem__(slice(0, 2), new.args[1::-1]))


def _keyword_dropped(node: ast.AST) -> Iterator[Replaced]:
    if isinstance(node, ast.Call):
        for at in range(len(node.keywords)):
            yield _edited(node, lambda new, at=at: new.keywords.pop(at))


def _removed(node: ast.AST) -> Iterator[Replaced]:
    simple = ast.Expr | ast.Assign | ast.AugAssign | ast.Delete | ast.Raise | ast.Continue | ast.Break
    if isinstance(node, simple):
        yield Replaced(node, "pass")


MAKERS: dict[str, tuple[Callable[[ast.AST], Iterator[Replaced]], ...]] = {
    "operator": (_compared, _computed, _and_or),
    "condition": (_negated, _never),
    "partial": (_part_dropped,),
    "over-general": (_always,),
    "constant": (_constant,),
    "result": (_returned,),
    "arguments": (_swapped, _keyword_dropped),
    "statement": (_removed,),
}
