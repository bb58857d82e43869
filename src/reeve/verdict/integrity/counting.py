"""Code that counts how often it was asked and behaves differently from some number on: more often than any test asks.

A program counts for many reasons. What is looked for is a count that the module itself keeps, and that is compared with
a number written out: caches count what they hold, and limits belong to an object that somebody made.
"""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Module, Site, folded

__all__ = ["counting"]

GROWING = ("append", "appendleft", "add")


def counting(module: Module) -> Iterator[Seen]:
    """Find comparisons of a module's own count of its calls with a constant."""
    counts = {count for site in module.sites if not site.at_import for count in _counted(module, site)}
    counts |= {f"next({name})" for name in _counters(module)}
    if not counts:
        return
    for site in module.sites:
        node = site.node
        if not isinstance(node, ast.Compare) or site.main or site.at_import:
            continue
        sides = [node.left, *node.comparators]
        limits = [value for side in sides if isinstance(value := folded(side), int) and value > 1]
        if limits and any(ast.unparse(side) in counts for side in sides):
            text = f"counts its calls, and behaves differently after {limits[0]}"
            yield Seen("counting", node.lineno, site.scope, Outcome.UNVERIFIED, text, per_file=True)


def _counted(module: Module, site: Site) -> Iterator[str]:
    """Name what grows by a constant with every call, as it would be asked for."""
    node = site.node
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and folded(node.value) is not None:
        if _root(node.target) in module.defined - site.local:
            yield ast.unparse(node.target)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROWING:
        constant = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
        if constant and _root(node.func.value) in module.defined - site.local:
            yield f"len({ast.unparse(node.func.value)})"


def _counters(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = node.value.func
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name == "count":
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
