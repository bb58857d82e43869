"""Objects that answer every question of a test with yes."""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Function, Module, Site, folded

__all__ = ["overloads"]

EQUALITY = ("__eq__", "__ne__")
ORDER = ("__lt__", "__le__", "__gt__", "__ge__")
MEMBERSHIP = ("__contains__", "__instancecheck__", "__subclasscheck__")
ASKED = (*EQUALITY, *ORDER, *MEMBERSHIP)
VALUES = frozenset(
    f"builtins.{name}" for name in ("str", "bytes", "int", "float", "complex", "bool", "list", "tuple", "dict", "set")
)
WORDS = {name: name.strip("_") for name in ASKED}


def overloads(module: Module) -> Iterator[Seen]:
    """Find comparisons that do not look at what they are compared with, and values that lie about what they are."""
    for site in module.sites_of(ast.ClassDef, ast.Dict, ast.Call, ast.Assign):
        node = site.node
        if isinstance(node, ast.ClassDef):
            yield from _class(module, site, node)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield from _assigned(module, site, folded(key), value)
        elif isinstance(node, ast.Call) and "builtins.setattr" in module.dotted(node.func, site) and len(node.args) > 2:
            yield from _assigned(module, site, folded(node.args[1]), node.args[2])
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield from _assigned(module, site, target.attr, node.value)


def _class(module: Module, site: Site, node: ast.ClassDef) -> Iterator[Seen]:
    scope = f"{site.scope}.{node.name}" if site.scope else node.name
    bases = {name for base in node.bases for name in module.dotted(base, site)}
    for part in node.body:
        if isinstance(part, Function) and part.name in ASKED:
            yield from _blind(scope, part.name, part)
            if part.name in EQUALITY and bases & VALUES:
                text = f"gives a kind of {min(bases & VALUES).removeprefix('builtins.')} its own {part.name}"
                yield Seen(f"value {part.name}", part.lineno, scope, Outcome.UNVERIFIED, text)
        elif isinstance(part, Function) and part.name == "__class__":
            text = "lies about its own class (__class__)"
            yield Seen("class", part.lineno, scope, Outcome.UNVERIFIED, text)
        elif isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Name):
                    inner = Site(part, scope, site.at_import, site.main, site.local)
                    yield from _assigned(module, inner, target.id, part.value)
    if "builtins.AssertionError" in bases:
        text = "makes a kind of AssertionError of its own"
        yield Seen("assertion error", node.lineno, scope, Outcome.UNVERIFIED, text)


def _assigned(module: Module, site: Site, name: object, value: ast.expr) -> Iterator[Seen]:
    """Find `__eq__ = lambda ...`, and the name of a function of the same file."""
    if not isinstance(name, str) or name not in ASKED:
        return
    if isinstance(value, ast.Lambda):
        yield from _blind(site.scope, name, value)
    elif isinstance(value, ast.Name):
        for node in module.tree.body:
            if isinstance(node, Function) and node.name == value.id:
                yield from _blind(site.scope, name, node)


def _blind(scope: str, name: str, node: Function | ast.Lambda) -> Iterator[Seen]:
    """Find a comparison that never looks at the other side and yet agrees."""
    answers = _answers(node)
    if answers is None or not _agrees(name, answers):
        return
    text = f"has a {name} that does not look at what it is given: every comparison agrees"
    outcome = Outcome.FAILED if name in EQUALITY else Outcome.UNVERIFIED
    yield Seen(f"blind {name}", node.lineno, scope, outcome, text)


def _answers(node: Function | ast.Lambda) -> list[ast.expr | None] | None:
    """List what a method returns if it never uses its last parameter; None: it does use it, or never returns."""
    args = [*node.args.posonlyargs, *node.args.args]
    if node.args.vararg is not None:
        other = node.args.vararg.arg
    elif len(args) > 1:
        other = args[1].arg
    else:
        return None
    body: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
    returned: list[ast.expr | None] = [] if isinstance(node.body, list) else [node.body]
    for_show = _for_show(body)
    for each in (inner for part in body for inner in ast.walk(part)):
        if (
            isinstance(each, ast.Name)
            and each.id == other
            and isinstance(each.ctx, ast.Load)
            and id(each) not in for_show
        ):
            return None
        if isinstance(each, ast.Name) and each.id in ("super", "locals", "__class__"):
            return None
        if isinstance(each, ast.Return):
            returned.append(each.value)
    return returned or None


def _for_show(body: list[ast.AST]) -> frozenset[int]:
    """List the nodes that cannot matter: statements of their own, `x or True`, `isinstance(x, object)`."""
    parts: list[ast.AST] = [part for part in body if isinstance(part, ast.Expr)]
    parts += [each for part in body for each in ast.walk(part) if _always(each)]
    return frozenset(id(each) for part in parts for each in ast.walk(part))


def _always(node: ast.AST) -> bool:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return folded(node.values[-1]) is True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance" and node.args:
        return isinstance(last := node.args[-1], ast.Name) and last.id == "object"
    return False


def _agrees(name: str, answers: list[ast.expr | None]) -> bool:
    """Say whether the answer is the one that a test hopes for; "don't know" and an honest no are not."""
    for answer in answers:
        if answer is None or isinstance(answer, ast.Name):
            continue
        value = folded(answer)
        if isinstance(answer, ast.Constant | ast.BoolOp) or value is not None:
            says = bool(value) if not isinstance(answer, ast.BoolOp) else True
            if says is (name != "__ne__"):
                return True
        elif isinstance(answer, ast.UnaryOp | ast.Compare | ast.Call):
            return True
    return False
