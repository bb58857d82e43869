"""One version of a Python file, read without running it: its places, and what the names in it stand for.

A name is followed through imports, through assignments of such names, and through the usual ways to write one
differently (`getattr(os, "_exit")`, `__import__("os")`, `vars(os)["_exit"]`, `sys.modules["os"]`). It is not followed
through what only running the code can tell; computed names are findings of their own.
"""

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple, TypeGuard

__all__ = [
    "FRAMEWORKS",
    "IMPORTERS",
    "Function",
    "Module",
    "Site",
    "folded",
    "literal",
    "parsed",
    "with_literal",
    "words",
]

Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_BYTES = 2**19
MAX_NAME = 200  # characters of such a name
MAX_PARTS = 20  # of a dotted name: what is longer stands for nothing known
MAX_FOLDED = 10_000  # characters of a string that is put together from constants
IMPORTERS = ("builtins.__import__", "importlib.import_module", "importlib.__import__")
BUILTIN_NAMES = frozenset(dir(builtins)) | {"exit", "quit", "__builtins__"}
FRAMEWORKS = frozenset(
    ("pytest", "_pytest", "pluggy", "unittest", "doctest", "hypothesis", "coverage", "nose", "nose2", "xdist", "mock")
)
"""Modules that run, write or replace tests."""


class Site(NamedTuple):
    """A node with what is around it. `at_import`: it runs when the module is imported, before any call.

    There is one for each node of a file, and a named tuple is made several times faster than a frozen record.
    """

    node: ast.AST
    scope: str
    at_import: bool
    main: bool  # below `if __name__ == "__main__"`, `if TYPE_CHECKING`, or the like
    local: frozenset[str]  # names that the functions around it bind themselves
    handling: bool = False  # in an `except` block


@dataclass(frozen=True)
class Module:
    """A parsed file; `text` is what its bytes say."""

    tree: ast.Module
    text: str
    path: str = ""
    told: dict[int, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)  # of a node, by its id

    @cached_property
    def sites(self) -> list[Site]:
        """Every node, in the order of the text."""
        return list(_sites(self))

    def sites_of(self, *kinds: type[ast.AST]) -> list[Site]:
        """Give the places of nodes of these kinds, in the order of the text."""
        found = [pair for kind in kinds for pair in self._by_kind.get(kind, ())]
        if len(kinds) > 1:
            found.sort(key=itemgetter(0))
        return [site for _, site in found]

    @cached_property
    def _by_kind(self) -> dict[type[ast.AST], list[tuple[int, Site]]]:
        found: dict[type[ast.AST], list[tuple[int, Site]]] = {}
        for number, site in enumerate(self.sites):
            found.setdefault(type(site.node), []).append((number, site))
        return found

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node, those of one depth after another."""
        found: list[ast.AST] = [self.tree]
        for node in found:
            found += self.below[id(node)]
        return found

    @cached_property
    def below(self) -> dict[int, list[ast.AST]]:
        """What is right below each node, by its id: it is asked for several times."""
        found = {}
        todo: list[ast.AST] = [self.tree]
        for node in todo:
            found[id(node)] = children(node)
            todo += found[id(node)]
        return found

    @cached_property
    def imported(self) -> dict[str, frozenset[str]]:
        """What imported names stand for, anywhere in the file: name -> dotted names."""
        found: dict[str, set[str]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    dotted = alias.name if alias.asname else alias.name.split(".")[0]
                    found.setdefault(alias.asname or dotted, set()).add(dotted)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    found.setdefault(alias.asname or alias.name, set()).add(f"{node.module}.{alias.name}")
        return {name: frozenset(dotted) for name, dotted in found.items()}

    @cached_property
    def aliases(self) -> dict[str, frozenset[str]]:
        """`imported`, and names that were assigned such a thing."""
        found = dict(self.imported)
        assigned = [pair for node in self.nodes for pair in _assigned(node)]
        for name, value in assigned * 2:  # twice: a name may be used above where it is assigned
            # `next = next.next`: a name of its own from there on, however it is spelt.
            own = f"builtins.{name}"
            told = self._dotted(value, frozenset(), found)
            dotted = frozenset(each for each in told if each != own and not each.startswith(f"{own}."))
            if dotted and _followed(dotted):
                found[name] = found.get(name, frozenset()) | dotted
        return found

    @cached_property
    def followed(self) -> frozenset[str]:
        """Names that were assigned something which is followed."""
        return frozenset(name for name, dotted in self.aliases.items() if dotted != self.imported.get(name))

    @cached_property
    def defined(self) -> frozenset[str]:
        """Names that the module itself defines at its top: they are no builtins."""
        names = set()
        for node in self.tree.body:
            if isinstance(node, Function | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
        return frozenset(names - {"__builtins__"})

    def dotted(self, node: ast.AST | None, site: Site) -> frozenset[str]:
        """Say what an expression stands for; empty: nothing that can be told from the text."""
        return self._dotted(node, site.local, self.aliases)

    def _dotted(self, node: ast.AST | None, local: frozenset[str], names: dict[str, frozenset[str]]) -> frozenset[str]:
        if names is not self.__dict__.get("aliases"):
            return self._told(node, local, names)  # the names themselves are still being read
        if id(node) not in self.told:
            self.told[id(node)] = self._told(node, local, names)
        return self.told[id(node)]

    def _told(self, node: ast.AST | None, local: frozenset[str], names: dict[str, frozenset[str]]) -> frozenset[str]:
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and len(parts) < MAX_PARTS:
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            roots = self._name(node.id, local, names)
        elif isinstance(node, ast.Call):
            roots = self._call(node, local, names)
        elif isinstance(node, ast.Subscript):
            roots = self._item(node, local, names)
        else:
            roots = frozenset()
        found = (_spelt(".".join((root, *reversed(parts)))) for root in roots)
        return frozenset(name for name in found if len(name) < MAX_NAME)

    def _name(self, name: str, local: frozenset[str], names: dict[str, frozenset[str]]) -> frozenset[str]:
        if name in local:
            return frozenset()
        found = names.get(name, frozenset())
        # Another function may have something else under the name of a builtin.
        if name in BUILTIN_NAMES and name not in self.defined and name not in self.imported:
            found |= {f"builtins.{name}"}
        return found

    def _call(self, node: ast.Call, local: frozenset[str], names: dict[str, frozenset[str]]) -> frozenset[str]:
        called = self._dotted(node.func, local, names)
        first = node.args[0] if node.args else None
        if called & {*IMPORTERS} and isinstance(name := folded(first), str):
            return frozenset({name})
        if "sys.modules.get" in called and isinstance(name := folded(first), str):
            return frozenset({name})
        if "builtins.getattr" in called and len(node.args) > 1 and isinstance(name := folded(node.args[1]), str):
            return frozenset(f"{root}.{name}" for root in self._dotted(first, local, names))
        if "builtins.vars" in called:
            return frozenset(f"{root}.__dict__" for root in self._dotted(first, local, names))
        return frozenset()

    def _item(self, node: ast.Subscript, local: frozenset[str], names: dict[str, frozenset[str]]) -> frozenset[str]:
        name = folded(node.slice)
        if not isinstance(name, str):
            return frozenset()
        found = set()
        for root in self._dotted(node.value, local, names):
            if root == "sys.modules":
                found.add(name)
            elif root.endswith(".__dict__"):
                found.add(f"{root.removesuffix('.__dict__')}.{name}")
            elif root == "builtins.__builtins__":
                found.add(f"builtins.{name}")
        return frozenset(found)

    @cached_property
    def mentions(self) -> list[tuple[Site, frozenset[str]]]:
        """Every expression that stands for something known, outermost first."""
        found = (
            (site, self.dotted(site.node, site))
            for site in self.sites_of(ast.Name, ast.Attribute, ast.Call, ast.Subscript)
        )
        return [(site, dotted) for site, dotted in found if dotted]

    @cached_property
    def known(self) -> frozenset[str]:
        """Everything that is mentioned or imported."""
        mentioned = (name for _, dotted in self.mentions for name in dotted)
        return frozenset((*mentioned, *(name for dotted in self.imported.values() for name in dotted)))

    @cached_property
    def imports(self) -> list[tuple[Site, str]]:
        """Every module that is imported, by a statement or by a call with its name."""
        found = []
        for site in self.sites_of(ast.Import, ast.ImportFrom, ast.Call):
            node = site.node
            if isinstance(node, ast.Import):
                found += [(site, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found += [(site, node.module)] + [(site, f"{node.module}.{alias.name}") for alias in node.names]
            elif isinstance(node, ast.Call) and self.dotted(node.func, site) & {*IMPORTERS}:
                name = folded(node.args[0] if node.args else None)
                found += [(site, name)] if isinstance(name, str) else []
        return found

    @cached_property
    def command_line(self) -> bool:
        """It is a program that people start."""
        name = self.path.rsplit("/", 1)[-1]
        programs = {"argparse", "optparse", "getopt", "click", "typer", "docopt", "fire", "cmd", "cleo", "cyclopts"}
        return (
            name in ("__main__.py", "cli.py", "main.py", "setup.py", "manage.py", "_cli.py", "commandline.py")
            or bool({"bin", "scripts", "commands", "cli"} & {*self.path.split("/")[:-1]})
            or any(dotted.split(".")[0] in programs or dotted == "sys.argv" for dotted in self.known)
            or any(isinstance(node, ast.If) and _guards(node.test) == "__main__" for node in self.tree.body)
        )


def children(node: ast.AST) -> list[ast.AST]:
    """List what is right below a node, in the order of the text; several times faster than the function of `ast`."""
    found: list[ast.AST] = []
    for name in node._fields:
        if name == "ctx":  # whether a name is read or written is asked of the name
            continue
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
    return found


def parsed(path: str, content: bytes | None) -> Module | None:
    """Parse a file; None: it cannot be parsed, or is larger than anybody writes (`MAX_BYTES`)."""
    if content is None or len(content) > MAX_BYTES:
        return None
    try:
        # Bytes and not text: a declared encoding then means what it means to the interpreter.
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError, OverflowError):
        return None
    return Module(tree, content.decode("utf-8", "replace"), path)


def folded(node: ast.AST | None, depth: int = 0) -> str | bytes | int | float | None:
    """Give the value of a constant, also of one that is put together or turned round; None: it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bytes | int | float) else None
    if depth > 20:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = folded(node.left, depth + 1), folded(node.right, depth + 1)
        return _limited(left + right) if isinstance(left, str) and isinstance(right, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [
            folded(part.value if isinstance(part, ast.FormattedValue) else part, depth + 1) for part in node.values
        ]
        return _limited("".join(map(str, parts))) if all(part is not None for part in parts) else None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        inner = folded(node.value, depth + 1)
        step = literal(node.slice.step) if node.slice.step is not None else None
        backwards = node.slice.lower is None and node.slice.upper is None and step == ("-1",)
        return inner[::-1] if isinstance(inner, str) and backwards else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join" and node.args:
        glue, items = folded(node.func.value, depth + 1), node.args[0]
        if isinstance(glue, str) and isinstance(items, ast.List | ast.Tuple):
            words = [folded(item, depth + 1) for item in items.elts]
            return _limited(glue.join(map(str, words))) if all(isinstance(word, str) for word in words) else None
    return None


def literal(node: ast.AST | None) -> tuple[str] | None:
    """Give a literal (also a container of such) in one spelling, as a tuple of one; None: it is none.

    A list is spelt as a tuple: a list that a test gives can be asked for as the key of a table only so.
    """
    if node is None:
        return None
    if isinstance(node, ast.Constant):
        return (repr(node.value),)
    if not isinstance(node, ast.UnaryOp | ast.Tuple | ast.List | ast.Set | ast.Dict | ast.BinOp):
        return None
    if sum(1 for _ in zip(ast.walk(node), range(2000), strict=False)) >= 2000:
        return None
    try:
        return (repr(_as_tuples(ast.literal_eval(node))),)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _as_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_as_tuples, value))
    return {key: _as_tuples(each) for key, each in value.items()} if isinstance(value, dict) else value


def with_literal(node: ast.AST | None) -> TypeGuard[ast.expr]:
    """Say whether an expression is a literal."""
    return literal(node) is not None


def words(text: str) -> frozenset[str]:
    """List names that are written in a row."""
    return frozenset(text.split())


def _limited(text: str) -> str | None:
    return text if len(text) <= MAX_FOLDED else None


def _spelt(dotted: str) -> str:
    """Bring the names of builtins and of module dictionaries into one spelling."""
    return dotted.replace("builtins.__builtins__.", "builtins.").replace(".__dict__.__getitem__", ".__dict__")


def _followed(dotted: frozenset[str]) -> bool:
    roots = {name.split(".")[0] for name in dotted}
    return bool(roots & (sys.stdlib_module_names | FRAMEWORKS))


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=False)
                yield from ((each.id, value) for each, value in pairs if isinstance(each, ast.Name))
    elif isinstance(node, ast.NamedExpr | ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value


def _guards(test: ast.expr) -> str:
    """Name what an `if` waits for when its body is not for those who import the module."""
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__":
        equal = len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)
        return "__main__" if equal and folded(test.comparators[0]) == "__main__" else ""
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name if name == "TYPE_CHECKING" else ""


def _sites(module: Module) -> Iterator[Site]:
    stack = [Site(node, "", at_import=True, main=False, local=frozenset()) for node in reversed(module.tree.body)]
    while stack:
        site = stack.pop()
        yield site
        inside = module.below[id(site.node)]
        if inside:
            stack += reversed(_below(module, site, inside))


def _below(module: Module, site: Site, inside: list[ast.AST]) -> list[Site]:
    node, scope, at_import, main, local, handling = site
    if isinstance(node, Function | ast.Lambda):
        return _function(module, node, site, inside)
    if isinstance(node, ast.ClassDef):
        scope = f"{scope}.{node.name}" if scope else node.name
    elif isinstance(node, ast.ExceptHandler):
        handling = True
    elif isinstance(node, ast.If) and _guards(node.test):
        # The guard holds for the body alone: `else` runs for everybody.
        guarded = {id(each) for each in node.body}
        return [Site(child, scope, at_import, main or id(child) in guarded, local, handling) for child in inside]
    return [Site(child, scope, at_import, main, local, handling) for child in inside]


def _function(module: Module, node: Function | ast.Lambda, site: Site, below: list[ast.AST]) -> list[Site]:
    name = node.name if isinstance(node, Function) else ""
    scope = ".".join(part for part in (site.scope, name) if part)
    body = node.body if isinstance(node.body, list) else [node.body]
    inside = {id(each) for each in body}
    local = site.local | _bound(node, body, module)
    # Decorators, defaults and annotations belong to what is around.
    return [
        Site(child, scope, at_import=False, main=site.main, local=local, handling=site.handling)
        if id(child) in inside
        else Site(child, *site[1:])
        for child in below
    ]


def _bound(node: Function | ast.Lambda, body: list[ast.stmt] | list[ast.expr], module: Module) -> frozenset[str]:
    """List the names that a function binds, without those that it binds to something that is followed."""
    args = node.args
    names = {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    names |= {arg.arg for arg in (args.vararg, args.kwarg) if arg is not None}
    stored: set[str] = set()
    outer: set[str] = set()
    todo: list[ast.AST] = list(body) if isinstance(node, Function) else []
    below = module.below
    while todo:
        each = todo.pop()
        if isinstance(each, Function | ast.ClassDef):
            stored.add(each.name)
            continue
        if isinstance(each, ast.Name):
            if isinstance(each.ctx, ast.Store):
                stored.add(each.id)
            continue
        if isinstance(each, ast.Global | ast.Nonlocal):
            outer |= {*each.names}
        todo += below[id(each)]
    return frozenset((names | (stored - module.followed)) - outer)
