"""Material for candidates: names, values, conditions and statements of the function, the file and the failing tests."""

from __future__ import annotations

import ast
import builtins
from typing import Iterable, Iterator, Optional

from .splice import FUNCTIONS, SCOPES, Function, Source

BUILTINS = frozenset(dir(builtins))
LENGTH_KINDS = {
    "list",
    "str",
    "dict",
    "set",
    "tuple",
    "deque",
    "bytes",
    "range",
    "frozenset",
    "OrderedDict",
    "defaultdict",
}
RESULT_KINDS = {
    "len": "int", "int": "int", "str": "str", "float": "float", "list": "list", "sorted": "list", "set": "set",
    "dict": "dict", "tuple": "tuple", "abs": "int", "sum": "int", "ord": "int", "chr": "str", "bool": "bool",
    "isinstance": "bool", "any": "bool", "all": "bool", "range": "range", "repr": "str", "round": "int",
    "hasattr": "bool", "callable": "bool", "join": "str", "strip": "str", "lower": "str", "upper": "str",
    "split": "list", "replace": "str", "startswith": "bool", "endswith": "bool", "isdigit": "bool", "count": "int",
    "index": "int", "find": "int", "keys": "list", "values": "list", "items": "list",
}  # fmt: skip


class TestFacts:
    """What the failing tests mention: numbers, texts, exception types, names called."""

    __test__ = False

    def __init__(self) -> None:
        self.ints: dict[int, None] = {}
        self.texts: dict[str, None] = {}
        self.exceptions: dict[str, None] = {}
        self.names: dict[str, None] = {}

    def read(self, function: ast.AST) -> None:
        """Take in one test function."""
        for node in ast.walk(function):
            if isinstance(node, ast.Constant):
                if isinstance(node.value, bool):
                    continue
                if isinstance(node.value, int) and abs(node.value) < 10**6:
                    self.ints[node.value] = None
                elif isinstance(node.value, str) and len(node.value) < 40:
                    self.texts[node.value] = None
            elif isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                self.names[name] = None
                if name in ("raises", "assertRaises", "assertRaisesRegex") and node.args:
                    for part in ast.walk(node.args[0]):
                        if isinstance(part, ast.Name):
                            self.exceptions[part.id] = None
                        elif isinstance(part, ast.Attribute):
                            self.exceptions[part.attr] = None
            elif isinstance(node, ast.Attribute):
                self.names[node.attr] = None


def locals_of(function: Function) -> dict[str, int]:
    """Names bound in a function, with the line of their first binding."""
    found: dict[str, int] = {}
    arguments = function.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
        if argument is not None:
            found[argument.arg] = function.lineno
    for node in own_nodes(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, node.lineno)
        elif isinstance(node, SCOPES) or (isinstance(node, ast.ExceptHandler) and node.name):
            found.setdefault(str(node.name), node.lineno)
    return found


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes nested in it."""
    stack: list[ast.AST] = list(reversed(list(ast.iter_child_nodes(function))))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*SCOPES, ast.Lambda)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def module_names(source: Source) -> dict[str, str]:
    """Names bound at the top of a file: function, class, import or value."""
    found: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if source.function(node) is not None or source.owner(node) is not None:
            continue
        if isinstance(node, FUNCTIONS):
            found[node.name] = "function"
        elif isinstance(node, ast.ClassDef):
            found[node.name] = "class"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                found[(alias.asname or alias.name).split(".")[0]] = "import"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, "value")
    return found


class Scope:
    """Everything that can be said at one place of one function (or at the top of a file)."""

    def __init__(self, source: Source, function: Optional[Function], types: dict[str, str], facts: TestFacts) -> None:
        self.source, self.function, self.types, self.facts = source, function, types, facts
        self.owner = source.owner(function) if function is not None else None
        if "names" not in source.mined:
            source.mined["names"] = module_names(source)
            source.mined["conditions"] = dict.fromkeys(self._conditions(source.tree))
        self.module: dict[str, str] = source.mined["names"]
        self.locals: dict[str, int] = {}
        outer: Optional[Function] = function
        while outer is not None:
            for name, line in locals_of(outer).items():
                self.locals.setdefault(name, line if outer is function else 0)
            outer = source.function(outer)
        self.arguments = [one.arg for one in [*function.args.posonlyargs, *function.args.args]] if function else []
        self.attributes = self._attributes()
        self.methods = [one.name for one in self.owner.body if isinstance(one, FUNCTIONS)] if self.owner else []
        within: ast.AST = function if function is not None else source.tree
        self.ints, self.texts = self._constants(within)
        self.conditions = list(dict.fromkeys(self._conditions(within)))
        self.expressions = self._expressions(within)
        self.statements = list(dict.fromkeys(self._simple(within)))
        self.calls = list(dict.fromkeys(self._calls()))
        self.file_conditions = [
            one for one in source.mined["conditions"] if function is not None and self.speakable(one)
        ]

    def _attributes(self) -> dict[str, dict[str, None]]:
        """Attributes seen in the file, by the text of what they are taken from."""
        found: dict[str, dict[str, None]] = {}
        within: ast.AST = self.owner or self.source.tree
        for node in ast.walk(within):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, {})[node.attr] = None
        if self.owner is not None:
            for one in self.owner.body:
                if isinstance(one, FUNCTIONS):
                    found.setdefault("self", {})[one.name] = None
        return found

    def _constants(self, within: ast.AST) -> tuple[list[int], list[str]]:
        ints: dict[int, None] = {}
        texts: dict[str, None] = {}
        for node in ast.walk(within):
            if isinstance(node, ast.Constant) and node not in self.source.in_fstring:
                if isinstance(node.value, int) and not isinstance(node.value, bool):
                    ints[node.value] = None
                elif isinstance(node.value, str) and len(node.value) < 40 and "\n" not in node.value:
                    texts[node.value] = None
        return list(ints), list(texts)

    def _conditions(self, within: ast.AST) -> Iterator[str]:
        for node in ast.walk(within):
            test = getattr(node, "test", None)
            if isinstance(test, ast.expr) and test not in self.source.in_fstring:
                yield self.source.atom(test) if isinstance(test, ast.BoolOp) else self.source.segment(test)
                if isinstance(test, ast.BoolOp):
                    for value in test.values:
                        yield self.source.segment(value)
            elif isinstance(node, ast.comprehension):
                for condition in node.ifs:
                    yield self.source.segment(condition)
            elif isinstance(node, ast.Compare) and node not in self.source.in_fstring:
                yield self.source.segment(node)

    def _expressions(self, within: ast.AST) -> dict[str, str]:
        """Texts of expressions (not bare names or constants) with their kind."""
        found: dict[str, str] = {}
        for node in ast.walk(within):
            if not isinstance(node, ast.expr) or node in self.source.in_fstring:
                continue
            if isinstance(node, (ast.Name, ast.Constant, ast.Starred, ast.Lambda, ast.JoinedStr, ast.Slice)):
                continue
            if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
                continue
            text = self.source.segment(node)
            if len(text) <= 80 and "\n" not in text:
                found.setdefault(self.source.atom(node), self.kind(node))
        return found

    def _simple(self, within: ast.AST) -> Iterator[str]:
        for node in ast.walk(within):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Continue, ast.Break)):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    continue
                text = self.source.segment(node)
                if len(text) <= 100 and "\n" not in text:
                    yield text

    def _calls(self) -> Iterator[str]:
        for node in ast.walk(self.function or self.source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id
        for name, what in self.module.items():
            if what in ("function", "class"):
                yield name

    def visible(self, line: int) -> list[str]:
        """Local names bound before or on a line, arguments first; loops may bind later ones earlier, so all follow."""
        return sorted(self.locals, key=lambda name: (self.locals[name] > line, self.locals[name]))

    def speakable(self, text: str) -> bool:
        """Whether an expression from elsewhere uses only names known here."""
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            return False
        bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return all(
            node.id in self.locals or node.id in self.module or node.id in BUILTINS or node.id in bound
            for node in ast.walk(tree)
            if isinstance(node, ast.Name)
        )

    def kind(self, node: ast.AST) -> str:
        """A guess at the type of an expression, ``?`` where there is none."""
        if isinstance(node, ast.Name):
            return self.types.get(node.id, "?")
        if isinstance(node, ast.Constant):
            return type(node.value).__name__
        if isinstance(node, (ast.Compare,)) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return "bool"
        if isinstance(node, (ast.List, ast.ListComp)):
            return "list"
        if isinstance(node, (ast.Dict, ast.DictComp)):
            return "dict"
        if isinstance(node, (ast.Set, ast.SetComp)):
            return "set"
        if isinstance(node, ast.Tuple):
            return "tuple"
        if isinstance(node, ast.JoinedStr):
            return "str"
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            return RESULT_KINDS.get(name, "?")
        if isinstance(node, ast.BinOp):
            left, right = self.kind(node.left), self.kind(node.right)
            if isinstance(node.op, ast.Div):
                return "float"
            return left if right in (left, "?") else right if left == "?" else left
        if isinstance(node, ast.UnaryOp):
            return self.kind(node.operand)
        if isinstance(node, ast.BoolOp):
            kinds = {self.kind(value) for value in node.values}
            return kinds.pop() if len(kinds) == 1 else "?"
        if isinstance(node, ast.Subscript):
            return {"str": "str"}.get(self.kind(node.value), "list" if isinstance(node.slice, ast.Slice) else "?")
        return "?"


def similar(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio()


def closest(name: str, others: Iterable[str], least: float = 0.55, most: int = 5) -> list[str]:
    """The names most like ``name``, without itself."""
    rated = sorted(((similar(name, other), other) for other in others if other != name), reverse=True)
    return [other for ratio, other in rated if ratio >= least][:most]
