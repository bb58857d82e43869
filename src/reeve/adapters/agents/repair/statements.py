"""Fix templates for statements: delete, move, swap, guard, insert, and change what is returned, raised or caught."""

# ruff: noqa: B905, E501  (zip(strict=) came after 3.9; rows of costs stay on one line)

from __future__ import annotations

import ast
import re
from typing import Iterator, Optional

from .expressions import Edit
from .mine import LENGTH_KINDS, Scope
from .splice import FUNCTIONS, SCOPES, Source, Splice

SIMPLE = (
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
    ast.Return,
    ast.Raise,
    ast.Delete,
    ast.Continue,
    ast.Break,
    ast.Assert,
)
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith)
AUGMENTED = {"+=": ["-=", "*=", "=", "//="], "-=": ["+=", "=", "//=", "/=", "*=", "%="], "*=": ["+=", "**=", "/=", "//=", "="], "/=": ["//=", "*=", "%="],
             "//=": ["/=", "%=", "*="], "%=": ["//=", "/=", "-="], "|=": ["&=", "^=", "="], "&=": ["|=", "^=", "-="], "^=": ["|=", "&="]}  # fmt: skip
ERRORS = [
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "AttributeError",
    "StopIteration",
    "Exception",
    "NotImplementedError",
    "RuntimeError",
]


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class Statements:
    """Yields the edits of one statement as a whole."""

    def __init__(self, source: Source, scope: Scope) -> None:
        self.source, self.scope = source, scope

    def of(self, node: ast.stmt) -> Iterator[Edit]:
        """All edits of one statement, without those of its expressions."""
        if is_docstring(node):
            return
        special = getattr(self, "on_" + type(node).__name__.lower(), None)
        if special is not None:
            yield from special(node)
        if isinstance(node, SCOPES):
            return
        if self.source.alone(node):
            yield from self.remove(node)
            yield from self.move(node)
            yield from self.missing(node)

    def deep(self, node: ast.stmt) -> Iterator[Edit]:
        """The many edits that bring in conditions and statements; none costs less than DEEP_COST."""
        if not is_docstring(node) and not isinstance(node, SCOPES) and self.source.alone(node):
            yield from self.guard(node)
            yield from self.insert(node)

    def siblings(self, node: ast.stmt) -> list[ast.stmt]:
        """The statements of the block a statement stands in, itself included."""
        parent = self.source.parents.get(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and node in block:
                return block
        return [node]

    def text(self, node: ast.stmt, shift: str = "") -> str:
        """The whole lines of a statement, with ``shift`` put before each (or taken away, where it begins with ``-``)."""
        start, end = self.source.block(node)
        text = self.source.text[start:end]
        if not shift:
            return text
        lines = text.splitlines(keepends=True)
        if shift.startswith("-"):
            width = shift[1:]
            return "".join(line.removeprefix(width) for line in lines)
        return "".join(shift + line if line.strip() else line for line in lines)

    def unit(self, node: ast.stmt) -> str:
        """One step of indentation, as used where a statement stands."""
        indent = self.source.indent(node)
        parent = self.source.parents.get(node)
        outer = self.source.indent(parent) if isinstance(parent, ast.stmt) else ""
        return indent[len(outer) :] if indent.startswith(outer) and len(indent) > len(outer) else "    "

    def lines(self, node: ast.stmt, new: str) -> Splice:
        """Replace the whole lines of a statement."""
        start, end = self.source.block(node)
        return Splice(self.source.path, start, end, new)

    def before(self, node: ast.stmt, text: str) -> Splice:
        """Insert a line (at the statement's own indentation) before a statement."""
        start = self.source.block(node)[0]
        indent = self.source.indent(node)
        body = text.replace("\n", self.source.newline + indent)
        return Splice(self.source.path, start, start, f"{indent}{body}{self.source.newline}")

    def after(self, node: ast.stmt, text: str, extra: str = "") -> Splice:
        """Insert a line after a statement, indented as it is."""
        end = self.source.block(node)[1]
        lead = "" if self.source.text[:end].endswith(("\n", "\r")) else self.source.newline
        return Splice(self.source.path, end, end, f"{lead}{self.source.indent(node)}{extra}{text}{self.source.newline}")

    def whole(self, node: ast.stmt, cost: float, template: str, new: str) -> Edit:
        """Replace a statement's own text."""
        start, end = self.source.span(node)
        return Edit(cost, template, Splice(self.source.path, start, end, new))

    # removing, moving

    def remove(self, node: ast.stmt) -> Iterator[Edit]:
        siblings = self.siblings(node)
        only = len([one for one in siblings if not is_docstring(one)]) == 1
        parent = self.source.parents.get(node)
        indent = self.source.indent(node)
        if isinstance(node, SIMPLE):
            if not only:
                yield Edit(2.2, "delete statement", self.lines(node, ""))
            elif isinstance(parent, ast.stmt):
                yield Edit(2.4, "delete statement", self.lines(node, f"{indent}pass{self.source.newline}"))
        if isinstance(node, (ast.If, ast.While, ast.For, ast.With)):
            elif_ = (
                isinstance(parent, ast.If)
                and self.source.segment(node)
                and self.source.text[self.source.span(node)[0] :].startswith("elif")
            )
            if not elif_ and node.body and self.source.alone(node.body[0]):
                shift = self.source.indent(node.body[0])[len(indent) :]
                start, end = self.source.block(node.body[0], node.body[-1])
                inner = "".join(
                    line[len(shift) :] if line.startswith(indent + shift) else line
                    for line in self.source.text[start:end].splitlines(keepends=True)
                )
                yield Edit(2.1, "unwrap block", self.lines(node, inner))
                if not only:
                    yield Edit(2.4, "delete block", self.lines(node, ""))
            orelse = getattr(node, "orelse", [])
            if orelse and self.source.alone(orelse[0]) and not elif_:
                cut = self.source.block(node.body[-1])[1]
                end = self.source.block(orelse[-1])[1]
                yield Edit(2.2, "delete else", Splice(self.source.path, cut, end, ""))

    def move(self, node: ast.stmt) -> Iterator[Edit]:
        siblings = self.siblings(node)
        place = siblings.index(node)
        if place + 1 < len(siblings) and self.source.alone(siblings[place + 1]):
            other = siblings[place + 1]
            start, end = self.source.block(node)[0], self.source.block(other)[1]
            gap = self.source.text[self.source.block(node)[1] : self.source.block(other)[0]]
            later = self.text(other)
            if not later.endswith(("\n", "\r")):
                later += self.source.newline
            yield Edit(2.0, "swap statements", Splice(self.source.path, start, end, later + gap + self.text(node)))
        parent = self.source.parents.get(node)
        if isinstance(parent, BLOCKS) and place == len(siblings) - 1 and place > 0 and self.source.alone(parent):
            step = self.unit(node)
            following = (
                getattr(parent, "orelse", []) or getattr(parent, "finalbody", []) or getattr(parent, "handlers", [])
            )
            if not following or siblings is not parent.body:
                yield Edit(1.5, "out of the block", self.lines(node, self.text(node, "-" + step)))
        if place > 0 and isinstance(siblings[place - 1], BLOCKS):
            block = siblings[place - 1]
            last = (getattr(block, "orelse", []) or block.body)[-1]  # type: ignore[attr-defined]
            if self.source.alone(last):
                shift = self.source.indent(last)[len(self.source.indent(node)) :]
                yield Edit(1.7, "into the block", self.lines(node, self.text(node, shift)))
                deeper = getattr(last, "body", None)
                if isinstance(last, BLOCKS) and deeper and self.source.alone(deeper[-1]):
                    shift = self.source.indent(deeper[-1])[len(self.source.indent(node)) :]
                    yield Edit(2.1, "into the block", self.lines(node, self.text(node, shift)))

    # guards

    def guard(self, node: ast.stmt) -> Iterator[Edit]:
        """``if condition:`` around a statement, and ``if condition: return value`` before it."""
        step, newline, indent = self.unit(node), self.source.newline, self.source.indent(node)
        exits = self.exits(node)
        for condition, cost in self.guards(node).items():
            if isinstance(
                node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.If, ast.For, ast.Delete)
            ):
                wrapped = f"{indent}if {condition}:{newline}{self.text(node, step)}"
                yield Edit(cost + 0.4, "only if", self.lines(node, wrapped))
            for number, (leave, surplus) in enumerate(exits):
                text = f"if {condition}:\n{step}{leave}"
                yield Edit(cost + 0.6 + surplus + 0.01 * number, "guard", self.before(node, text))

    def guards(self, node: ast.stmt) -> dict[str, float]:
        """Conditions worth asking before a statement, with costs."""
        found: dict[str, float] = {}
        scope = self.scope
        used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        names = [
            name
            for name in scope.visible(node.lineno)
            if scope.locals[name] <= node.lineno and name not in ("self", "cls")
        ]
        for number, name in enumerate(names[:10]):
            base = (2.4 if name in used or name in scope.arguments else 3.2) + 0.05 * number
            kind = scope.types.get(name, "?")
            found.update(
                {
                    f"not {name}": base,
                    f"{name} is None": base + 0.1,
                    name: base + 0.3,
                    f"{name} is not None": base + 0.3,
                }
            )
            if kind in ("int", "float"):
                for value in (0, 1):
                    found.update({f"{name} {op} {value}": base + 0.3 for op in ("<", "<=", "==", ">", "!=", ">=")})
                found.update({f"{name} {op} 2": base + 0.6 for op in ("<", "==")})
            elif kind in LENGTH_KINDS:
                found.update(
                    {f"len({name}) {op} {value}": base + 0.4 for op in ("==", "<", ">") for value in (0, 1, 2)}
                )
            for other in names[:10]:
                if other != name and kind != "?" and kind == scope.types.get(other, "?"):
                    found.update({f"{name} {op} {other}": base + 0.7 for op in ("==", "!=", "<", ">")})
            if kind == "?" or name in scope.arguments:
                for kind_name in ("str", "int", "list", "dict", "(list, tuple)", "float"):
                    found[f"isinstance({name}, {kind_name})"] = base + 1.2
                    found[f"not isinstance({name}, {kind_name})"] = base + 1.2
        for attribute in list(scope.attributes.get("self", {}))[:10]:
            if "self" in scope.arguments and attribute not in scope.methods:
                found.update({f"not self.{attribute}": 3.2, f"self.{attribute} is None": 3.2, f"self.{attribute}": 3.4})
                found.update({f"self.{attribute} is not None": 3.4})
        for one in scope.conditions:
            found.setdefault(one, 2.6)
            found.setdefault(f"not ({one})", 2.8)
        for one in scope.file_conditions[:60]:
            found.setdefault(one, 3.6)
        return found

    def exits(self, node: ast.stmt) -> list[tuple[str, float]]:
        """Ways to leave before a statement, with extra costs."""
        found: dict[str, float] = {}
        scope = self.scope
        if scope.function is not None:
            for raised in scope.facts.exceptions:
                found[f"raise {raised}"] = 0.0
            inner = [part for part in ast.walk(scope.function) if isinstance(part, ast.Return)]
            for part in inner:
                text = self.source.segment(part)
                if len(text) < 60 and "\n" not in text:
                    found.setdefault(text, 0.1)
            texts = [
                "return",
                "return None",
                "return True",
                "return False",
                "return 0",
                "return []",
                "return ''",
                "return -1",
                "return 1",
                "return {}",
            ]
            for number, text in enumerate(texts):
                found.setdefault(text, 0.3 + 0.1 * number)
            for number, name in enumerate(scope.visible(node.lineno)[:6]):
                found.setdefault(f"return {name}", 0.4 + 0.1 * number)
        if self.loop(node):
            found["continue"], found["break"] = 0.0, 0.1
        return list(found.items())

    def loop(self, node: ast.AST) -> bool:
        """Whether a statement stands in a loop of its own function."""
        current = self.source.parents.get(node)
        while current is not None and not isinstance(current, SCOPES):
            if isinstance(current, (ast.For, ast.While, ast.AsyncFor)):
                return True
            current = self.source.parents.get(current)
        return False

    def iterated(self, node: ast.AST) -> set[str]:
        """Names that the loops around a statement run over: appending to one of them never ends."""
        found = set()
        current = self.source.parents.get(node)
        while current is not None and not isinstance(current, SCOPES):
            if isinstance(current, ast.For) and isinstance(current.iter, ast.Name):
                found.add(current.iter.id)
            current = self.source.parents.get(current)
        return found

    # inserting

    def insert(self, node: ast.stmt) -> Iterator[Edit]:
        """Statements of the same function, and small new ones, before or after a statement."""
        scope = self.scope
        places = ["after"]
        if self.siblings(node)[0] is node or not isinstance(node, SIMPLE):
            places.append("before")
        terminal = isinstance(node, (ast.Return, ast.Raise, ast.Continue, ast.Break))
        texts: dict[str, float] = {}
        if self.loop(node):
            texts.update({"break": 2.3, "continue": 2.5})
        names = [name for name in scope.visible(node.lineno) if name not in ("self", "cls")]
        bound = [name for name in names if scope.locals.get(name, 0) <= node.lineno]
        for number, name in enumerate(bound[:8]):
            kind = scope.types.get(name, "?")
            extra = 0.08 * number
            if kind in ("int", "float"):
                texts.update(
                    {
                        f"{name} += 1": 2.5 + extra,
                        f"{name} -= 1": 2.7 + extra,
                        f"{name} = 0": 3.0 + extra,
                        f"{name} = 1": 3.2 + extra,
                    }
                )
                texts.update({f"{name} = abs({name})": 3.2 + extra, f"{name} = -{name}": 3.3 + extra})
                for other in names[:8]:
                    if other != name and scope.types.get(other, "?") in ("int", "float"):
                        for op in ("+=", "-=", "*=", "="):
                            texts[f"{name} {op} {other}"] = 3.2 + extra
            elif kind == "list":
                texts.update(
                    {
                        f"{name}.sort()": 2.8 + extra,
                        f"{name}.reverse()": 3.2 + extra,
                        f"{name} = {name}[::-1]": 3.4 + extra,
                        f"{name} = []": 3.0 + extra,
                    }
                )
                texts.update(
                    {
                        f"{name} = sorted({name})": 2.9 + extra,
                        f"{name} = list({name})": 3.0 + extra,
                        f"{name}.pop()": 3.2 + extra,
                    }
                )
                texts.update({f"{name}.append({other})": 3.0 + extra for other in names[:8] if other != name})
            elif kind == "str":
                texts.update(
                    {
                        f"{name} = ''": 3.2 + extra,
                        f"{name} = {name}.lower()": 3.2 + extra,
                        f"{name} = {name}.strip()": 3.2 + extra,
                    }
                )
                texts.update(
                    {
                        f"{name} += {other}": 3.3 + extra
                        for other in names[:8]
                        if other != name and scope.types.get(other) == "str"
                    }
                )
            elif kind == "set":
                texts.update({f"{name}.add({other})": 3.0 + extra for other in names[:8] if other != name})
            elif kind in ("dict", "OrderedDict", "defaultdict"):
                texts.update({f"{name} = {{}}": 3.4 + extra, f"{name} = {name}.copy()": 3.2 + extra})
        for one in scope.statements:
            texts.setdefault(one, 2.8)
        if "self" in scope.arguments:
            texts.update({f"self.{name}()": 3.4 for name in scope.methods if not name.startswith("__")})
            if scope.function is not None:
                for name in scope.arguments[1:]:
                    texts.setdefault(f"self.{name} = {name}", 2.6)
        own = self.source.segment(node)
        endless = self.iterated(node)
        for text, cost in texts.items():
            if any(text.startswith(f"{name}.append(") for name in endless):
                continue
            for where in places:
                if (where == "after" and terminal) or (text == own and where == "before"):
                    continue
                if text.startswith(("return", "raise", "break", "continue")) and where == "before":
                    continue
                splice = self.after(node, text) if where == "after" else self.before(node, text)
                yield Edit(cost, f"insert {where}", splice)

    def missing(self, node: ast.stmt) -> Iterator[Edit]:
        """What is left out most: a return at the end, and the call of the base class's initialiser."""
        scope, parent = self.scope, self.source.parents.get(node)
        if not isinstance(parent, FUNCTIONS):
            return
        if parent.body[-1] is node and not isinstance(node, (ast.Return, ast.Raise)):
            names = [name for name in scope.visible(node.lineno) if name not in ("self", "cls")]
            for number, name in enumerate(reversed(names[:12])):
                yield Edit(1.5 + 0.05 * number, "missing return", self.after(node, f"return {name}"))
            for value in ("True", "False", "None", "0", "[]", "''", "self"):
                yield Edit(2.2, "missing return", self.after(node, f"return {value}"))
        first = parent.body[1] if is_docstring(parent.body[0]) and len(parent.body) > 1 else parent.body[0]
        if first is node and parent.name == "__init__" and scope.owner is not None and scope.owner.bases:
            for number, arguments in enumerate(("", ", ".join(scope.arguments[1:]))):
                yield Edit(1.6 + 0.1 * number, "missing super", self.before(node, f"super().__init__({arguments})"))

    # one method per statement type

    def on_expr(self, node: ast.Expr) -> Iterator[Edit]:
        text = self.source.segment(node)
        if isinstance(node.value, (ast.Yield, ast.YieldFrom)):
            value = node.value.value
            if value is not None:
                inner = self.source.segment(value)
                other = f"yield {inner}" if isinstance(node.value, ast.YieldFrom) else f"yield from {inner}"
                yield self.whole(node, 1.4, "yield", other)
                yield self.whole(node, 2.2, "yield", f"return {inner}")
            return
        if isinstance(node.value, ast.Await):
            return
        if self.scope.function is not None:
            yield self.whole(node, 1.3, "missing return", f"return {text}")
            if isinstance(self.scope.function, ast.AsyncFunctionDef):
                yield self.whole(node, 1.2, "missing await", f"await {text}")
        for name in self.scope.visible(node.lineno)[:8]:
            yield self.whole(node, 2.3, "keep result", f"{name} = {text}")
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            base = self.source.segment(node.value.func.value)
            yield self.whole(node, 1.8, "keep result", f"{base} = {text}")

    def on_assign(self, node: ast.Assign) -> Iterator[Edit]:
        value = self.source.segment(node.value)
        if len(node.targets) == 1:
            target = self.source.segment(node.targets[0])
            for operator, cost in (("+=", 1.6), ("-=", 2.2), ("*=", 2.4), ("|=", 2.8)):
                yield self.whole(node, cost, "assignment", f"{target} {operator} {value}")
            if isinstance(node.targets[0], ast.Tuple) and len(node.targets[0].elts) == 2:
                a, b = (self.source.segment(one) for one in node.targets[0].elts)
                yield self.whole(node, 1.5, "swap targets", f"{b}, {a} = {value}")
            if isinstance(node.targets[0], ast.Name):
                if "self" in self.scope.arguments and target in self.scope.attributes.get("self", {}):
                    yield self.whole(node, 1.5, "attribute of self", f"self.{target} = {value}")
                yield self.whole(node, 2.6, "return for assignment", f"return {value}")
        if isinstance(self.scope.function, ast.AsyncFunctionDef) and not isinstance(node.value, ast.Await):
            yield Edit(1.3, "missing await", self.source.replace(node.value, f"await {value}"))

    def on_augassign(self, node: ast.AugAssign) -> Iterator[Edit]:
        target, value = self.source.segment(node.target), self.source.segment(node.value)
        middle = self.source.text[self.source.span(node.target)[1] : self.source.span(node.value)[0]].strip()
        for number, operator in enumerate(AUGMENTED.get(middle, [])):
            yield self.whole(node, 1.1 + 0.3 * number, "assignment", f"{target} {operator} {value}")
        if middle[:-1] in ("-", "/", "//", "+", "%", "**"):
            yield self.whole(
                node, 2.2, "assignment", f"{target} = {self.source.atom(node.value)} {middle[:-1]} {target}"
            )

    def on_return(self, node: ast.Return) -> Iterator[Edit]:
        scope = self.scope
        if node.value is not None:
            text, atom = self.source.segment(node.value), self.source.atom(node.value)
            if scope.kind(node.value) in ("bool", "?"):
                yield self.whole(node, 1.3, "return", f"return not {atom}")
            if isinstance(scope.function, ast.AsyncFunctionDef) and not isinstance(node.value, ast.Await):
                yield self.whole(node, 1.2, "missing await", f"return await {text}")
            for condition in scope.conditions:
                for connective in ("and", "or"):
                    left = atom if isinstance(node.value, ast.BoolOp) else text
                    yield self.whole(node, 3.0, "add condition", f"return {left} {connective} {condition}")
            yield self.whole(node, 2.6, "yield", f"yield {text}")
        values: dict[str, float] = {}
        for number, name in enumerate(scope.visible(node.lineno)):
            values[name] = 1.6 + 0.03 * number
        values.update({"self": 1.8} if "self" in scope.arguments else {})
        values.update(
            {"True": 1.8, "False": 1.8, "None": 1.9, "0": 2.0, "1": 2.2, "[]": 2.0, "''": 2.0, "-1": 2.2, "{}": 2.2}
        )
        values.update({"NotImplemented": 2.4, "set()": 2.6, "()": 2.6})
        for value, cost in values.items():
            yield self.whole(node, cost, "return", f"return {value}")
        for name in scope.facts.exceptions:
            yield self.whole(node, 2.0, "raise for return", f"raise {name}")

    def on_raise(self, node: ast.Raise) -> Iterator[Edit]:
        kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(kind, (ast.Name, ast.Attribute)):
            for cost, names in ((1.1, list(self.scope.facts.exceptions)), (1.9, self.errors())):
                for name in names:
                    if name != self.source.segment(kind):
                        yield Edit(cost, "exception", self.source.replace(kind, name))
        for name in self.scope.visible(node.lineno)[:6]:
            yield self.whole(node, 2.6, "return for raise", f"return {name}")
        for value in ("None", "False", "True"):
            yield self.whole(node, 2.6, "return for raise", f"return {value}")

    def errors(self) -> list[str]:
        """Names of exceptions: built in, and those of the file."""
        own = [name for name in self.scope.module if name.endswith(("Error", "Exception", "Warning"))]
        return list(dict.fromkeys([*own, *ERRORS]))

    def on_try(self, node: ast.Try) -> Iterator[Edit]:
        names = list(dict.fromkeys([*self.errors(), *(name for name, _ in self.raised())]))
        for handler in node.handlers:
            if handler.type is None:
                continue
            text = self.source.segment(handler.type)
            for number, name in enumerate(names):
                if name not in text:
                    inner = text[1:-1] if text.startswith("(") else text
                    yield Edit(1.6 + 0.03 * number, "exception", self.source.replace(handler.type, name))
                    yield Edit(
                        1.8 + 0.03 * number, "exception", self.source.replace(handler.type, f"({inner}, {name})")
                    )

    def raised(self) -> list[tuple[str, str]]:
        """Exception types named by the failing tests."""
        return [(name, "") for name in self.scope.facts.exceptions]

    def on_break(self, node: ast.Break) -> Iterator[Edit]:
        yield self.whole(node, 1.1, "break or continue", "continue")
        yield self.whole(node, 2.0, "break or continue", "pass")
        yield from self._leave(node)

    def on_continue(self, node: ast.Continue) -> Iterator[Edit]:
        yield self.whole(node, 1.1, "break or continue", "break")
        yield self.whole(node, 2.0, "break or continue", "pass")
        yield from self._leave(node)

    def _leave(self, node: ast.stmt) -> Iterator[Edit]:
        if self.scope.function is not None:
            for value in ("None", "True", "False", *self.scope.visible(node.lineno)[:8]):
                yield self.whole(node, 2.0, "return", f"return {value}")

    def on_pass(self, node: ast.Pass) -> Iterator[Edit]:
        texts = {"continue": 1.8, "break": 1.8} if self.loop(node) else {}
        for text in [*texts, *(one for one in self.scope.statements)]:
            yield self.whole(node, texts.get(text, 2.6), "fill in", text)
        if self.scope.function is not None:
            for value in ("None", "True", "False", *self.scope.visible(node.lineno)[:8]):
                yield self.whole(node, 2.2, "fill in", f"return {value}")
            yield self.whole(node, 2.2, "fill in", "raise")

    def on_if(self, node: ast.If) -> Iterator[Edit]:
        start = self.source.span(node)[0]
        elif_ = self.source.text.startswith("elif", start)
        siblings = self.siblings(node)
        place = siblings.index(node)
        if elif_:
            parent = self.source.parents.get(node)
            if isinstance(parent, ast.If):
                yield Edit(1.9, "if for elif", Splice(self.source.path, start, start + 4, "if"))
        elif place > 0 and isinstance(siblings[place - 1], ast.If) and not siblings[place - 1].orelse:  # type: ignore[attr-defined]
            yield Edit(1.7, "elif for if", Splice(self.source.path, start, start + 2, "elif"))
        if not elif_:
            yield Edit(1.9, "while for if", Splice(self.source.path, start, start + 2, "while"))
        chain = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        if node.orelse and not chain and all(self.source.alone(one) for one in (*node.body, *node.orelse)):
            first = self.source.block(node.body[0], node.body[-1])
            second = self.source.block(node.orelse[0], node.orelse[-1])
            text = self.source.text
            new = text[second[0] : second[1]] + text[first[1] : second[0]] + text[first[0] : first[1]]
            yield Edit(1.6, "swap branches", Splice(self.source.path, first[0], second[1], new))

    def on_while(self, node: ast.While) -> Iterator[Edit]:
        start = self.source.span(node)[0]
        yield Edit(1.9, "if for while", Splice(self.source.path, start, start + 5, "if"))

    def on_functiondef(self, node: ast.FunctionDef) -> Iterator[Edit]:
        """Defaults, self, and a method's decorators."""
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = list(zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults))
        pairs += [
            (one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is not None
        ]
        for argument, default in pairs:
            yield from self._default(node, argument.arg, default)
        for argument in positional[: len(positional) - len(arguments.defaults)][-1:]:
            if argument.arg not in ("self", "cls"):
                end = self.source.span(argument)[1]
                for value in ("None", "0", "False", "True", "1", "''", "()"):
                    yield Edit(2.2, "default", Splice(self.source.path, end, end, f"={value}"))
        for decorator in node.decorator_list:
            start = self.source.starts[decorator.lineno - 1]
            yield Edit(
                2.4,
                "drop decorator",
                Splice(self.source.path, start, self.source.starts[decorator.end_lineno or 0], ""),
            )
        if isinstance(self.source.parents.get(node), ast.ClassDef) and not node.name.startswith("__"):
            start, indent = self.source.starts[node.lineno - 1], self.source.indent(node)
            for name in ("property", "staticmethod", "classmethod"):
                yield Edit(
                    2.2,
                    "add decorator",
                    Splice(self.source.path, start, start, f"{indent}@{name}{self.source.newline}"),
                )

    on_asyncfunctiondef = on_functiondef

    def _default(self, node: ast.AST, name: str, default: ast.expr) -> Iterator[Edit]:
        text = self.source.segment(default)
        for number, value in enumerate(("None", "True", "False", "0", "1", "''", "()", "-1", "2", '","', '" "')):
            if value != text:
                yield Edit(1.8 + 0.05 * number, "default", self.source.replace(default, value))
        if (
            isinstance(default, (ast.List, ast.Dict, ast.Set, ast.Call))
            and isinstance(node, FUNCTIONS)
            and self.source.alone(node.body[0])
        ):
            first = node.body[1] if is_docstring(node.body[0]) and len(node.body) > 1 else node.body[0]
            start, end = self.source.span(default)
            stop, indent = self.source.block(first)[0], self.source.indent(first)
            newline = self.source.newline
            body = f"{indent}if {name} is None:{newline}{indent}    {name} = {text}{newline}"
            new = "None" + self.source.text[end:stop] + body
            yield Edit(1.3, "mutable default", Splice(self.source.path, start, stop, new))


def missing_names(source: Source, message: str, exported: dict[str, list[str]]) -> Iterator[Edit]:
    """Imports for a name that a failing test found undefined: from the project, or a module of that name."""
    found = re.search(r"name '(\w+)' is not defined", message)
    if found is None:
        return
    name = found.group(1)
    place = insertion_point(source)
    for number, module in enumerate(exported.get(name, [])[:5]):
        yield Edit(
            1.0 + 0.1 * number,
            "missing import",
            Splice(source.path, place, place, f"from {module} import {name}{source.newline}"),
        )
    for module, cost in ((name, 1.0), *((one, 1.3) for one in known_homes(name))):
        line = f"import {module}" if module == name else f"from {module} import {name}"
        yield Edit(cost, "missing import", Splice(source.path, place, place, line + source.newline))


def known_homes(name: str) -> Iterator[str]:
    """Standard modules, already imported or cheap, that hold a name."""
    import importlib

    for module in ("collections", "functools", "itertools", "math", "os", "os.path", "re", "sys", "time", "datetime", "typing",
                   "contextlib", "copy", "operator", "string", "json", "abc", "enum", "dataclasses", "types", "random", "heapq", "bisect",
                   "decimal", "fractions", "pathlib", "collections.abc", "inspect", "warnings", "statistics", "textwrap"):  # fmt: skip
        if hasattr(importlib.import_module(module), name):
            yield module


def insertion_point(source: Source) -> int:
    """Where a new import goes: after the last import at the top, else after the docstring."""
    last: Optional[ast.stmt] = None
    for node in source.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) or (last is None and is_docstring(node)):
            last = node
        elif not is_docstring(node):
            break
    return source.block(last)[1] if last is not None else 0
