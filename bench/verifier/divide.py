"""Test files divided: some tests stay visible, some become a hidden file, some are kept for the truth alone."""

import ast
import re
from collections.abc import Collection

__all__ = ["definitions", "function_of", "hidden_path", "only", "without"]


def function_of(test: str) -> str:
    """Return the test function of an id: what stands in it, its parameters left out."""
    path, separator, name = test.partition("::")
    return path + separator + name.partition("[")[0]


def definitions(path: str, text: str) -> list[str]:
    """List the test functions that are written in a file, as ids; inherited ones are written elsewhere."""
    return [f"{path}::{name}" for name, _ in _tests(ast.parse(text))]


def without(path: str, text: str, dropped: Collection[str]) -> str:
    """Take test functions out of a file; what else stands in it stays as it is."""
    lines, tree = text.split("\n"), ast.parse(text)
    gone = [node for name, node in _tests(tree) if f"{path}::{name}" in dropped]
    emptied = [
        body[0]
        for owner in tree.body
        if isinstance(owner, ast.ClassDef)
        and (body := [node for node in owner.body if not _is_docstring(node)])
        and all(node in gone for node in body)
    ]
    for node in sorted(gone, key=lambda each: each.lineno, reverse=True):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        left = [" " * node.col_offset + "pass"] if node in emptied else []
        lines[first - 1 : node.end_lineno] = left
    return "\n".join(lines)


def only(path: str, text: str, kept: Collection[str]) -> str:
    """Leave of all test functions of a file just some; a test class without any of them goes, unless it is used."""
    tree = ast.parse(text)
    dropped = [f"{path}::{name}" for name, _ in _tests(tree) if f"{path}::{name}" not in kept]
    text = without(path, text, dropped)
    lines = text.split("\n")
    for owner in reversed(ast.parse(text).body):
        if not isinstance(owner, ast.ClassDef) or len(re.findall(rf"\b{owner.name}\b", text)) > 1:
            continue
        if not any(f"{path}::{owner.name}::" in name for name in kept):
            first = min([owner.lineno, *(each.lineno for each in owner.decorator_list)])
            lines[first - 1 : owner.end_lineno] = []
    return "\n".join(lines)


def hidden_path(path: str) -> str:
    """Name the hidden file that stands beside a test file."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}test_hidden_{name.removeprefix('test_')}"


def _tests(tree: ast.Module) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    found = []
    for node in tree.body:
        if _is_test(node):
            found.append((node.name, node))
        elif isinstance(node, ast.ClassDef):
            found += [(f"{node.name}::{each.name}", each) for each in node.body if _is_test(each)]
    return found


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
