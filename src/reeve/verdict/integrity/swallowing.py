"""Code that catches what only a test raises, or everything."""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Function, Module, Site, with_literal

__all__ = ["swallowing"]

EVERYTHING = frozenset(("builtins.BaseException", "builtins.SystemExit", "builtins.GeneratorExit"))


def swallowing(module: Module) -> Iterator[Seen]:
    """Find handlers that swallow everything, and those for failed assertions."""
    whole = {
        each
        for site in module.sites_of(ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(site.node, Function)
        for each in _around(site.node)
    }
    asserts = bool(module.sites_of(ast.Assert))
    for site in module.sites_of(ast.ExceptHandler, ast.Call):
        node = site.node
        if isinstance(node, ast.ExceptHandler):
            caught = _caught(module, site, node.type)
            if "builtins.AssertionError" in caught and not asserts and not _raises(node):
                yield _seen(site, "assertion", "catches failed assertions")
            elif (node.type is None or "builtins.BaseException" in caught) and _swallows(node) and id(node) in whole:
                yield _seen(site, "everything", "swallows every exception, also those that end a test")
        elif isinstance(node, ast.Call) and "contextlib.suppress" in module.dotted(node.func, site):
            caught = frozenset(name for arg in node.args for name in module.dotted(arg, site))
            if caught & {"builtins.BaseException", "builtins.AssertionError"} and id(node) in whole:
                yield _seen(site, "everything", "suppresses exceptions that end a test")


def _around(function: Function) -> Iterator[int]:
    """Name the handlers and calls that stand around all that a function does; elsewhere they are merely careless."""
    body = [part for part in function.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    for part in body if len(body) <= 2 else ():
        if isinstance(part, ast.Try):
            yield from map(id, part.handlers)
        elif isinstance(part, ast.With):
            yield from (id(item.context_expr) for item in part.items)


def _caught(module: Module, site: Site, node: ast.expr | None) -> frozenset[str]:
    types = node.elts if isinstance(node, ast.Tuple) else [node]
    return frozenset(name for each in types for name in module.dotted(each, site))


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for part in handler.body for node in ast.walk(part))


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler only passes by: what looks at the exception, cleans up or reports it does not."""
    return all(
        isinstance(part, ast.Pass | ast.Continue | ast.Break)
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        or (isinstance(part, ast.Return | ast.Assign) and (part.value is None or with_literal(part.value)))
        for part in handler.body
    )


def _seen(site: Site, what: str, text: str) -> Seen:
    line = getattr(site.node, "lineno", 0)
    return Seen(f"swallows {what}", line, site.scope, Outcome.UNVERIFIED, text)
