"""Python source as text with places: functions are found by name, nodes are replaced without touching their surroundings."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "Function",
    "FunctionNode",
    "Replaced",
    "code_nodes",
    "find",
    "functions",
    "indent_of",
    "parses",
    "segment",
    "splice",
]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a module or of one of its classes; `line` is its first, decorators included, as in code objects."""

    name: str  # qualified
    line: int
    last: int
    decorated: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """New text for the place of a node."""

    node: ast.expr | ast.stmt
    text: str


def functions(text: str) -> list[Function]:
    """List the functions of a module and the methods of its classes, in their order."""
    found = []
    for name, node in _named(ast.parse(text).body, ""):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        found.append(Function(name, first, node.end_lineno or first, bool(node.decorator_list)))
    return found


def find(text: str, name: str) -> FunctionNode:
    """Parse a module and return one of its functions; KeyError if it has none of that name."""
    return dict(_named(ast.parse(text).body, ""))[name]


def _named(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for node in body:
        if isinstance(node, FunctionNode):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _named(node.body, f"{prefix}{node.name}.")


def code_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Walk the body of a function in the order of its text; docstrings and the parts of f-strings are left out."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    for statement in body:
        yield from _walk(statement)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.JoinedStr):  # its parts have no true places in older Pythons
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


def segment(text: str, node: ast.expr | ast.stmt) -> str:
    """Return the text of a node."""
    data, start, end = _place(text, node)
    return data[start:end].decode()


def splice(text: str, changes: Sequence[Replaced]) -> str:
    """Put new text in the place of nodes that do not overlap."""
    places = sorted(((*_place(text, change.node)[1:], change.text) for change in changes), reverse=True)
    data = text.encode()
    for start, end, new in places:
        data = data[:start] + new.encode() + data[end:]
    return data.decode()


def _place(text: str, node: ast.expr | ast.stmt) -> tuple[bytes, int, int]:
    data = text.encode()
    starts, at = [0], data.find(b"\n")
    while at >= 0:
        starts.append(at + 1)
        at = data.find(b"\n", at + 1)
    start = starts[node.lineno - 1] + node.col_offset
    end = starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
    return data, start, end


def indent_of(node: ast.stmt) -> str:
    """Return the indentation of a statement that stands on a line of its own."""
    return " " * node.col_offset


def parses(text: str) -> bool:
    """Say whether a text is a Python module."""
    try:
        compile(text, "module", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
