"""Fix templates for expressions. Each yields (cost, template, replacement of the node); cheap is common and small.

Costs are relative: 1 is the commonest slip (a boundary, an operator of the same family), 4 and more is material from
elsewhere. The search multiplies them by suspiciousness.
"""

# ruff: noqa: B905, RUF007, E501  (zip(strict=) and pairwise came after 3.9; rows of costs stay on one line)

from __future__ import annotations

import ast
from typing import Iterator, NamedTuple, Optional

from .mine import BUILTINS, LENGTH_KINDS, Scope, closest
from .splice import Source, Splice
from .tables import (
    COMPARISONS,
    COMPARISON_SWAPS,
    CONFUSED,
    METHODS,
    OPERATORS,
    PAIRED,
    OPERATOR_SWAPS,
    SUFFIXES,
    WRAPS,
)


DEEP_COST = 2.3


class Edit(NamedTuple):
    """One small change: what it costs to believe in, which template made it, and the text it replaces."""

    cost: float
    template: str
    splice: Splice


def group_mates(name: str, groups: list[list[str]]) -> list[str]:
    """Names that are taken for ``name``, nearest first."""
    found: dict[str, None] = {}
    for group in groups:
        if name in group:
            found.update(dict.fromkeys(other for other in group if other != name))
    return list(found)


class Expressions:
    """Yields the edits of every expression of one statement."""

    def __init__(self, source: Source, scope: Scope) -> None:
        self.source, self.scope = source, scope

    def of(self, node: ast.expr, line: int) -> Iterator[Edit]:
        """All edits of one expression node."""
        if node in self.source.in_fstring or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield from self.target(node, line)
            elif isinstance(node, (ast.Attribute, ast.Subscript)) and node not in self.source.in_fstring:
                name = "on_attribute" if isinstance(node, ast.Attribute) else "on_subscript"
                yield from getattr(self, name)(node, line)
            return
        special = getattr(self, "on_" + type(node).__name__.lower(), None)
        if special is not None:
            yield from special(node, line)
        if not isinstance(node, (ast.Starred, ast.Slice, ast.JoinedStr, ast.FormattedValue)):
            yield from self.anything(node, line)

    def deep(self, node: ast.expr, line: int) -> Iterator[Edit]:
        """The many edits that bring in expressions from elsewhere; none costs less than DEEP_COST."""
        if node in self.source.in_fstring or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return
        if isinstance(node, ast.IfExp):
            yield from self.more_conditions(node.test)
        for generator in getattr(node, "generators", []):
            for condition in generator.ifs:
                yield from self.more_conditions(condition)
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield from self.filters(node, line)
        if not isinstance(node, (ast.Starred, ast.Slice, ast.JoinedStr, ast.FormattedValue)) and self.free(node):
            yield from self.material(node, line)

    def free(self, node: ast.expr) -> bool:
        """Whether any other expression could stand here."""
        parent = self.source.parents.get(node)
        if (isinstance(parent, ast.Call) and parent.func is node) or (
            isinstance(parent, ast.keyword) and parent.arg is None
        ):
            return False
        return not (
            isinstance(parent, ast.Attribute)
            and isinstance(node, ast.Name)
            and node.id in ("self", "cls", *self.scope.module)
        )

    def put(self, node: ast.AST, cost: float, template: str, new: str, loose: bool = True) -> Iterator[Edit]:
        """One edit, unless it changes nothing."""
        splice = self.source.replace(node, new, loose)
        if self.source.text[splice.start : splice.end] != splice.new:
            yield Edit(cost, template, splice)

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str, cost: float, template: str) -> Iterator[Edit]:
        """Replace the operator that stands between two operands."""
        start, end = self.source.span(left)[1], self.source.span(right)[0]
        gap = self.source.text[start:end]
        place = gap.find(old.split(maxsplit=1)[0])
        if place < 0 or "#" in gap:
            return
        last = old.rsplit(maxsplit=1)[-1]
        stop = gap.find(last, place + (0 if last == old else len(old.split(maxsplit=1)[0]))) + len(last)
        text = new
        if new[0].isalpha() and gap[place - 1 : place] not in (" ", "\n", ")"):
            text = " " + text
        if new[-1].isalpha() and gap[stop : stop + 1] not in (" ", "\n", "("):
            text += " "
        yield Edit(cost, template, Splice(self.source.path, start + place, start + stop, text))

    # one method per node type

    def on_compare(self, node: ast.Compare, _line: int) -> Iterator[Edit]:
        operands = [node.left, *node.comparators]
        seg, atom = self.source.segment, self.source.atom
        for left, operator, right in zip(operands, node.ops, operands[1:]):
            old = COMPARISONS[type(operator)]
            for new, cost in COMPARISON_SWAPS[old].items():
                yield from self.between(left, right, old, new, cost, "comparison")
        if len(node.ops) == 1:
            old = COMPARISONS[type(node.ops[0])]
            left, right = node.left, node.comparators[0]
            if old not in ("==", "!=", "is", "is not"):
                yield from self.put(node, 2.4, "swap operands", f"{atom(right)} {old} {atom(left)}")
            if isinstance(right, ast.Constant) and right.value is None:
                name = atom(left)
                yield from self.put(node, 1.6, "truth for None", name if "not" in old or old == "!=" else f"not {name}")
            kind = self.scope.kind(left)
            if old in ("in", "not in"):
                for suffix in ("keys()", "values()"):
                    yield from self.put(right, 2.4, "member of", f"{atom(right)}.{suffix}")
            if kind == "?" and old == "==":
                yield from self.put(node, 2.6, "isinstance", f"isinstance({seg(left)}, {seg(right)})")
        elif len(node.ops) == 2:
            for keep in (0, 1):
                text = f"{seg(operands[keep])} {COMPARISONS[type(node.ops[keep])]} {seg(operands[keep + 1])}"
                yield from self.put(node, 1.8, "drop comparison", text)

    def on_binop(self, node: ast.BinOp, _line: int) -> Iterator[Edit]:
        old = OPERATORS[type(node.op)]
        atom = self.source.atom
        for new, cost in OPERATOR_SWAPS[old].items():
            yield from self.between(node.left, node.right, old, new, cost, "operator")
        yield from self.put(node, 1.5, "drop operand", self.source.segment(node.left))
        yield from self.put(node, 1.6, "drop operand", self.source.segment(node.right))
        if old not in ("+", "*", "|", "&", "^") or self.scope.kind(node) in ("str", "list", "tuple", "?"):
            yield from self.put(node, 1.7, "swap operands", f"{atom(node.right)} {old} {atom(node.left)}")
        # Precedence: a + b * c against (a + b) * c, and the other way round.
        for inner, outer_first in ((node.left, False), (node.right, True)):
            if isinstance(inner, ast.BinOp):
                a, b = inner.left, inner.right
                op = OPERATORS[type(inner.op)]
                if outer_first:
                    text = f"({atom(node.left)} {old} {atom(a)}) {op} {atom(b)}"
                else:
                    text = f"{atom(a)} {op} ({atom(b)} {old} {atom(node.right)})"
                yield from self.put(node, 1.9, "brackets", text)

    def on_boolop(self, node: ast.BoolOp, _line: int) -> Iterator[Edit]:
        old = "and" if isinstance(node.op, ast.And) else "or"
        new = "or" if old == "and" else "and"
        values = node.values
        for left, right in zip(values, values[1:]):
            yield from self.between(left, right, old, new, 1.0 if len(values) == 2 else 1.3, "connective")
        if len(values) > 2:
            yield from self.put(node, 1.2, "connective", f" {new} ".join(self.source.atom(value) for value in values))
        for number in range(len(values)):
            rest = [self.source.segment(value) for place, value in enumerate(values) if place != number]
            yield from self.put(node, 1.5, "drop condition", f" {old} ".join(rest))
        for inner in values:
            if isinstance(inner, ast.BoolOp) and len(values) == 2 and len(inner.values) == 2:
                a, b = (self.source.atom(one) for one in inner.values)
                c = self.source.atom(values[1] if inner is values[0] else values[0])
                yield from self.put(node, 2.0, "brackets", f"{a} {new} ({b} {old} {c})")

    def on_unaryop(self, node: ast.UnaryOp, _line: int) -> Iterator[Edit]:
        yield from self.put(
            node, 1.1, "drop unary", self.source.segment(node.operand), loose=not isinstance(node.operand, ast.Name)
        )

    def on_constant(self, node: ast.Constant, _line: int) -> Iterator[Edit]:
        value, scope = node.value, self.scope
        if isinstance(value, bool):
            yield from self.put(node, 1.0, "constant", str(not value))
            yield from self.put(node, 2.2, "constant", "None")
        elif isinstance(value, int):
            near = {value + 1: 1.1, value - 1: 1.1, 0: 1.5, 1: 1.5, -1: 1.7, 2: 1.7, -value: 1.7, value * 2: 2.4, value // 2: 2.4,
                    value * 10: 2.4, value // 10: 2.4, value + 2: 2.4, value - 2: 2.6}  # fmt: skip
            for other in scope.ints:
                near.setdefault(other, 1.9)
            for other in range(3, 11):
                near.setdefault(other, 2.6)
            for other in (16, 26, 60, 64, 100, 1000, 97, 65, 122, 90):
                near.setdefault(other, 3.0)
            for other in list(scope.facts.ints)[:60]:
                near.setdefault(other, 3.4)
            for other, cost in near.items():
                yield from self.put(node, cost, "constant", str(other))
            if abs(value) < 10:
                yield from self.put(node, 2.2, "constant", f"{value}.5" if value >= 0 else str(value))
        elif isinstance(value, float):
            for number in (value + 1, value - 1, -value, value * 2, value / 2, value * 10, value / 10, 0.0, 1.0, 0.5):
                yield from self.put(node, 2.0, "constant", repr(number))
        elif isinstance(value, str):
            yield from self.text(node, value)
        elif value is None:
            for new, cost in (
                ("True", 2.0),
                ("False", 2.0),
                ("0", 2.0),
                ("[]", 2.0),
                ("''", 2.0),
                ("{}", 2.2),
                ("-1", 2.4),
            ):
                yield from self.put(node, cost, "constant", new)

    def text(self, node: ast.Constant, value: str) -> Iterator[Edit]:
        """Other texts for a text constant."""
        if len(value) > 60 or self.source.segment(node)[:1] not in "'\"":
            return
        quote = '"' if self.source.segment(node).startswith('"') else "'"
        near: dict[str, float] = {}
        for other in (
            value.lower(),
            value.upper(),
            value.title(),
            value.swapcase(),
            value.strip(),
            value + " ",
            value[::-1],
        ):
            near.setdefault(other, 2.0)
        if value in PAIRED:
            near[PAIRED[value]] = 1.2
        for other in self.scope.texts:
            near.setdefault(other, 1.7)
        for other in (
            "",
            " ",
            ",",
            ", ",
            "\n",
            "_",
            "-",
            ".",
            "0",
            "1",
            "a",
            "z",
            "A",
            "/",
            ":",
            "aeiou",
            "aeiouAEIOU",
            "x",
            "(",
            ")",
        ):
            near.setdefault(other, 2.6)
        for place in range(len(value)) if len(value) > 1 else ():
            near.setdefault(value[:place] + value[place + 1 :], 2.2)
        for other in list(self.scope.facts.texts)[:60]:
            near.setdefault(other, 3.0)
        for char in dict.fromkeys("aeiouy"):
            if len(value) <= 12 and char not in value:
                near.setdefault(value + char, 3.2)
        for other, cost in near.items():
            text = repr(other)
            if quote == '"' and text[0] == "'" and '"' not in other and "\\" not in text:
                text = f'"{other}"'
            yield from self.put(node, cost, "constant", text)

    def on_name(self, node: ast.Name, line: int) -> Iterator[Edit]:
        scope, name = self.scope, node.id
        parent = self.source.parents.get(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        if called:
            for other in group_mates(name, CONFUSED):
                if other in BUILTINS or other in scope.module:
                    yield from self.put(node, 1.2, "function", other)
            for number, other in enumerate(closest(name, [one for one in scope.module if one != "self"])):
                yield from self.put(node, 1.6 + number * 0.2, "function", other)
            for other in scope.calls:
                yield from self.put(node, 2.4, "function", other)
            return
        kind = scope.types.get(name, "?")
        for number, other in enumerate(scope.visible(line)):
            known = scope.types.get(other, "?")
            cost = 1.3 if kind == known != "?" else 1.8 if "?" in (kind, known) else 2.8
            yield from self.put(node, cost + 0.02 * number, "name", other)
        if name in scope.module:
            for other, what in scope.module.items():
                if what == scope.module[name]:
                    yield from self.put(node, 2.0, "name", other)
        elif name not in scope.locals and name not in BUILTINS:
            for number, other in enumerate(closest(name, [*scope.module, *scope.locals, *BUILTINS])):
                yield from self.put(node, 1.0 + number * 0.2, "unknown name", other)
        for owner in ("self", "cls"):
            if owner in scope.arguments and name in scope.attributes.get(owner, {}):
                yield from self.put(node, 1.3, "attribute of self", f"{owner}.{name}")
        for other in list(scope.attributes.get("self", {}))[:12]:
            if "self" in scope.arguments and other not in scope.methods:
                yield from self.put(node, 2.8, "attribute of self", f"self.{other}")
        for other in list(scope.attributes.get(name, {}))[:8]:
            yield from self.put(node, 2.6, "attribute", f"{name}.{other}")

    def target(self, node: ast.Name, line: int) -> Iterator[Edit]:
        """Other targets for an assignment or a loop."""
        for number, other in enumerate(self.scope.visible(line)):
            if other not in self.scope.module:
                yield from self.put(node, 2.2 + 0.05 * number, "target", other)

    def on_attribute(self, node: ast.Attribute, _line: int) -> Iterator[Edit]:
        scope = self.scope
        base = self.source.atom(node.value)
        start = self.source.span(node.value)[1]
        parent = self.source.parents.get(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        others: dict[str, float] = {}
        for other in group_mates(node.attr, METHODS):
            others.setdefault(other, 1.2)
        if isinstance(node.value, ast.Name):
            known = scope.attributes.get(node.value.id, {})
            for other in known:
                same = (other in scope.methods) == (node.attr in scope.methods)
                others.setdefault(other, 1.5 if same else 2.4)
        every = {attr for known in scope.attributes.values() for attr in known} | set(scope.facts.names)
        for number, other in enumerate(closest(node.attr, sorted(every), 0.6)):
            others.setdefault(other, 1.7 + 0.1 * number)
        for other, cost in others.items():
            if other.isidentifier() and other != node.attr:
                place = self.source.text.rfind(node.attr, start, self.source.span(node)[1])
                splice = Splice(self.source.path, place, place + len(node.attr), other)
                yield Edit(cost, "method" if called else "attribute", splice)
        if isinstance(node.ctx, ast.Load) and not called:
            yield from self.put(node, 2.2, "drop attribute", base)
            if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr in scope.locals:
                yield from self.put(node, 1.6, "local for attribute", node.attr)

    def on_call(self, node: ast.Call, line: int) -> Iterator[Edit]:
        seg, scope = self.source.segment, self.scope
        arguments = [seg(one) for one in node.args]
        keywords = [f"{one.arg}={seg(one.value)}" if one.arg else f"**{seg(one.value)}" for one in node.keywords]
        function = seg(node.func)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")

        def with_arguments(positional: list[str], named: Optional[list[str]] = None) -> str:
            return f"{function}({', '.join([*positional, *(keywords if named is None else named)])})"

        bare = len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords
        if bare:
            arguments = [seg(node.args[0])]
            arguments[0] = arguments[0][1:-1] if arguments[0].startswith("(") else arguments[0]
        for first in range(len(arguments)):
            for second in range(first + 1, len(arguments)):
                swapped = list(arguments)
                swapped[first], swapped[second] = swapped[second], swapped[first]
                yield from self.put(node, 1.4, "swap arguments", with_arguments(swapped), loose=False)
            rest = arguments[:first] + arguments[first + 1 :]
            yield from self.put(node, 1.8, "drop argument", with_arguments(rest), loose=False)
        for number in range(len(keywords)):
            yield from self.put(
                node, 1.7, "drop argument", with_arguments(arguments, keywords[:number] + keywords[number + 1 :]), False
            )
        if len(node.args) == 1 and not isinstance(node.args[0], (ast.Starred, ast.GeneratorExp)):
            yield from self.put(node, 1.7, "unwrap", arguments[0])
        if isinstance(node.func, ast.Attribute):
            yield from self.put(node, 1.8, "drop call", seg(node.func.value))
        yield from self.put(node, 2.6, "drop call", function, loose=False)
        if bare:
            return
        if name == "range":
            if len(arguments) == 1:
                for start in ("1", "2"):
                    yield from self.put(node, 1.3, "range", f"range({start}, {arguments[0]})", loose=False)
                yield from self.put(node, 1.3, "range", f"range(1, {arguments[0]} + 1)", loose=False)
                yield from self.put(node, 1.5, "range", f"range({arguments[0]} - 1, -1, -1)", loose=False)
            if len(arguments) == 2:
                yield from self.put(node, 1.6, "range", f"range({arguments[0]} + 1, {arguments[1]} + 1)", loose=False)
                for step in ("2", "-1"):
                    yield from self.put(node, 1.9, "range", with_arguments([*arguments, step]), loose=False)
        if name in ("sorted", "sort", "max", "min"):
            if name.startswith("sort") and not any(one.arg == "reverse" for one in node.keywords):
                yield from self.put(
                    node, 1.3, "keyword", with_arguments(arguments, [*keywords, "reverse=True"]), loose=False
                )
            if not any(one.arg == "key" for one in node.keywords):
                tables = [
                    name
                    for name in self.scope.visible(line)
                    if self.scope.types.get(name) in ("dict", "defaultdict", "list")
                ]
                own = [f"lambda x: {name}[x]" for name in tables] + [f"{name}.get" for name in tables]
                own += [name for name, what in scope.module.items() if what == "function"]
                for key in own[:12]:
                    yield from self.put(
                        node, 1.9, "keyword", with_arguments(arguments, [*keywords, f"key={key}"]), loose=False
                    )
                for key in ("len", "abs", "str", "str.lower", "lambda x: x[1]", "lambda x: -x", "lambda x: x[0]"):
                    yield from self.put(
                        node, 2.4, "keyword", with_arguments(arguments, [*keywords, f"key={key}"]), loose=False
                    )
        yield from self.extra_arguments(node, arguments, keywords, function, name, line)
        if name in ("get", "pop", "next", "getattr") and len(arguments) == (2 if name == "getattr" else 1):
            for default in ("None", "0", "[]", "''", "{}", "False"):
                yield from self.put(node, 2.0, "default", with_arguments([*arguments, default]), loose=False)
        if isinstance(node.func, ast.Name) and "self" in scope.arguments and name in scope.methods:
            yield from self.put(node.func, 1.1, "method of self", f"self.{name}")

    def extra_arguments(
        self, node: ast.Call, arguments: list[str], keywords: list[str], function: str, name: str, line: int
    ) -> Iterator[Edit]:
        """Arguments that a function of this file takes and this call does not give."""
        for definition in self.source.functions():
            if definition.name != name and not (definition.name == "__init__" and self._class_of(definition) == name):
                continue
            names = [one.arg for one in definition.args.args if one.arg not in ("self", "cls")]
            given = {one.arg for one in node.keywords}
            missing = [
                one
                for one in [*names[len(arguments) :], *(k.arg for k in definition.args.kwonlyargs)]
                if one not in given
            ]
            for parameter in missing[:4]:
                values = [parameter] if parameter in self.scope.locals else []
                if f"{parameter}" in self.scope.attributes.get("self", {}):
                    values.append(f"self.{parameter}")
                values += ["None", "True", "False", *self.scope.visible(line)[:6]]
                for number, value in enumerate(dict.fromkeys(values)):
                    text = ", ".join([*arguments, *keywords, f"{parameter}={value}"])
                    yield from self.put(
                        node, 1.5 + 0.2 * number, "missing argument", f"{function}({text})", loose=False
                    )
        names = self.scope.visible(line)[:7]
        if name in ("max", "min", "divmod", "pow", "zip", "isinstance", "math.gcd") or name in self.scope.module:
            for number, pair in enumerate((a, b) for a in names for b in names if a != b):
                yield from self.put(
                    node, 2.4 + 0.03 * number, "arguments", f"{function}({', '.join([*pair, *keywords])})", loose=False
                )
        for number, value in enumerate(self.scope.visible(line)[:10]):
            text = ", ".join([*arguments, value, *keywords])
            yield from self.put(node, 2.8 + 0.05 * number, "missing argument", f"{function}({text})", loose=False)

    def _class_of(self, definition: ast.AST) -> str:
        owner = self.source.owner(definition)
        return owner.name if owner is not None else ""

    def on_subscript(self, node: ast.Subscript, line: int) -> Iterator[Edit]:
        seg = self.source.segment
        base, index = self.source.atom(node.value), node.slice
        stored = isinstance(node.ctx, (ast.Store, ast.Del))
        if isinstance(index, ast.Slice):
            lower, upper, step = (seg(one) if one is not None else "" for one in (index.lower, index.upper, index.step))

            def cut(low: str, high: str, by: str) -> str:
                return f"{base}[{low}:{high}{':' + by if by else ''}]"

            options = [
                (1.3, cut("", upper, step)), (1.3, cut(lower, "", step)), (1.4, cut(upper, lower, step)), (1.5, cut(lower, upper, "")),
                (1.6, cut(lower, upper, "-1")), (1.9, cut(lower, upper, "2")), (1.6, base),
            ]  # fmt: skip
            options += [(1.3, cut("1", upper, step)), (1.4, cut(lower, "-1", step)), (1.8, cut("2", upper, step))]
            if lower:
                options += [
                    (1.2, cut(f"{lower} + 1", upper, step)),
                    (1.2, cut(f"{lower} - 1", upper, step)),
                    (1.8, cut(f"-{lower}", upper, step)),
                ]
                options += [(1.6, f"{base}[{lower}]"), (1.7, cut("", lower, step))]
            if upper:
                options += [
                    (1.2, cut(lower, f"{upper} + 1", step)),
                    (1.2, cut(lower, f"{upper} - 1", step)),
                    (1.8, cut(lower, f"-{upper}", step)),
                ]
                options += [
                    (1.7, cut(upper, "", step)),
                    (1.7, cut(lower, f"{lower} + {upper}", step) if lower else base),
                ]
            for number, name in enumerate(self.scope.visible(line)[:8]):
                options += [
                    (2.6 + 0.05 * number, cut(name, upper, step)),
                    (2.6 + 0.05 * number, cut(lower, name, step)),
                ]
            for cost, text in options:
                yield from self.put(node, cost, "slice", text, loose=False)
            return
        text = seg(index)
        if not isinstance(index, (ast.Tuple, ast.Constant)) or (
            isinstance(index, ast.Constant) and isinstance(index.value, int)
        ):
            for new, cost in ((f"{text} + 1", 1.6), (f"{text} - 1", 1.6), (f"-{self.source.atom(index)}", 1.9)):
                if not isinstance(index, ast.Constant):
                    yield from self.put(index, cost, "index", new)
            for new, cost in ((f"{text}:", 1.7), (f":{text}", 1.7)):
                yield from self.put(node, cost, "slice", f"{base}[{new}]", loose=False)
        if not stored:
            yield from self.put(node, 1.9, "drop index", base, loose=False)
            if self.scope.kind(node.value) in ("dict", "?", "defaultdict", "OrderedDict"):
                yield from self.put(node, 1.6, "get", f"{base}.get({text})", loose=False)
                for default in ("0", "[]", "''", "None", "False"):
                    yield from self.put(node, 2.2, "get", f"{base}.get({text}, {default})", loose=False)
            for number, name in enumerate(self.scope.visible(line)[:8]):
                yield from self.put(index, 2.4 + 0.05 * number, "index", name, loose=False)

    def on_ifexp(self, node: ast.IfExp, _line: int) -> Iterator[Edit]:
        atom = self.source.atom
        yield from self.put(
            node,
            1.2,
            "swap branches",
            f"{atom(node.orelse)} if {self.source.segment(node.test)} else {atom(node.body)}",
        )
        yield from self.put(node, 1.7, "one branch", self.source.segment(node.body))
        yield from self.put(node, 1.7, "one branch", self.source.segment(node.orelse))
        yield from self.condition(node.test)

    def condition(self, test: ast.expr) -> Iterator[Edit]:
        """Edits of the test of an if, a while, a conditional expression or a comprehension."""
        text, atom = self.source.segment(test), self.source.atom(test)
        plain = isinstance(test, (ast.Name, ast.Call, ast.Attribute, ast.Subscript))
        yield from self.put(test, 1.2, "negate", f"not {atom}")
        if plain:
            yield from self.put(test, 1.5, "truth for None", f"{text} is not None")
            yield from self.put(test, 1.5, "truth for None", f"{text} is None")
        if isinstance(test, (ast.Name, ast.Attribute)):
            for new in (" > 0", " == 0", " != 0", " > 1"):
                yield from self.put(test, 2.4, "truth for number", text + new)
        yield from self.put(test, 2.2, "always", "True", loose=False)
        yield from self.put(test, 2.2, "never", "False", loose=False)

    def more_conditions(self, test: ast.expr) -> Iterator[Edit]:
        """A test with another condition joined to it, or in its place."""
        text = self.source.segment(test)
        left = f"({text})" if isinstance(test, (ast.BoolOp, ast.IfExp, ast.Lambda)) else text
        extra = [(one, 2.6) for one in self.scope.conditions] + [(one, 3.6) for one in self.scope.file_conditions[:80]]
        for number, name in enumerate(self.scope.visible(test.lineno)[:10]):
            extra += [
                (name, 2.7 + number * 0.05),
                (f"not {name}", 2.7 + number * 0.05),
                (f"{name} is not None", 3.0),
                (f"{name} is None", 3.0),
            ]
            kind = self.scope.types.get(name, "?")
            if kind in ("int", "float"):
                extra += [
                    (f"{name} {op} {value}", 3.0) for op in ("==", "!=", ">", "<", ">=", "<=") for value in (0, 1, 2)
                ]
                extra += [(f"{name} % 2 == 0", 3.3), (f"{name} % 2 == 1", 3.3)]
            if kind in LENGTH_KINDS:
                extra += [(f"len({name}) {op} {value}", 3.1) for op in ("==", ">", "<") for value in (0, 1, 2)]
            for other in self.scope.visible(test.lineno)[:10]:
                if other != name and kind == self.scope.types.get(other, "?") != "?":
                    extra += [(f"{name} {op} {other}", 3.2) for op in ("==", "!=", "<", "<=")]
        for one, cost in dict(reversed(extra)).items():
            if one != text:
                atom_one = f"({one})" if " or " in one or " and " in one or " if " in one else one
                for connective, surplus in (("and", 0.0), ("or", 0.1)):
                    yield from self.put(test, cost + surplus, "add condition", f"{left} {connective} {atom_one}")
                yield from self.put(test, cost + 0.3, "add condition", f"{left} and not ({one})")
        for one in self.scope.conditions:
            yield from self.put(test, 2.6, "other condition", one)

    def on_listcomp(self, node: ast.ListComp, _line: int) -> Iterator[Edit]:
        yield from self.comprehension(node)

    on_setcomp = on_generatorexp = on_dictcomp = on_listcomp

    def comprehension(self, node: ast.expr) -> Iterator[Edit]:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        for generator in generators:
            for condition in generator.ifs:
                yield from self.condition(condition)
                start, end = self.source.span(condition)
                place = self.source.text.rfind("if", 0, start)
                text = self.source.text[place:end]
                if text.startswith("if") and text.count("(") == text.count(")"):
                    yield Edit(1.7, "drop filter", Splice(self.source.path, place, end, ""))

    def filters(self, node: ast.expr, line: int) -> Iterator[Edit]:
        """A comprehension with one more filter."""
        last: ast.comprehension = node.generators[-1]  # type: ignore[attr-defined]
        bound = [part.id for part in ast.walk(last.target) if isinstance(part, ast.Name)]
        end = self.source.span(last.ifs[-1] if last.ifs else last.iter)[1]
        if self.source.text[end : end + 1] not in ("]", "}", ")"):
            return
        word = " and " if last.ifs else " if "
        filters: dict[str, float] = {}
        for name in bound:
            filters.update(
                {name: 2.4, f"not {name}": 2.8, f"{name} is not None": 2.8, f"{name} > 0": 2.6, f"{name} % 2 == 0": 2.8}
            )
            filters.update(
                {
                    f"{name} >= 0": 2.8,
                    f"{name} != 0": 2.8,
                    f"{name} % 2 == 1": 2.8,
                    f"{name}.isalpha()": 3.0,
                    f"{name}.isdigit()": 3.0,
                }
            )
            for other in self.scope.visible(line)[:8]:
                if other not in bound:
                    filters.update(
                        {f"{name} {op} {other}": 2.8 for op in ("in", "not in", "!=", "==", "<", ">", "<=", ">=")}
                    )
        for one in self.scope.conditions:
            filters.setdefault(one, 2.8)
        for one, cost in filters.items():
            yield Edit(cost, "add filter", Splice(self.source.path, end, end, word + one))

    def on_list(self, node: ast.List, _line: int) -> Iterator[Edit]:
        yield from self.elements(node, node.elts, "[", "]")

    def on_tuple(self, node: ast.Tuple, _line: int) -> Iterator[Edit]:
        text = self.source.segment(node)
        left, right = ("(", ")") if text.startswith("(") else ("", "")
        yield from self.elements(node, node.elts, left, right)

    def on_set(self, node: ast.Set, _line: int) -> Iterator[Edit]:
        yield from self.elements(node, node.elts, "{", "}")

    def elements(self, node: ast.expr, elements: list[ast.expr], left: str, right: str) -> Iterator[Edit]:
        """Drop or swap the elements of a display."""
        if len(elements) > 12:
            return
        texts = [self.source.segment(one) for one in elements]
        comma = "," if isinstance(node, ast.Tuple) else ""
        for number in range(len(texts)):
            rest = texts[:number] + texts[number + 1 :]
            tail = comma if len(rest) == 1 else ""
            if rest or left in "[(":
                yield from self.put(node, 2.0, "drop element", f"{left}{', '.join(rest)}{tail}{right}", loose=False)
            if number + 1 < len(texts):
                swapped = list(texts)
                swapped[number], swapped[number + 1] = swapped[number + 1], swapped[number]
                yield from self.put(node, 1.5, "swap elements", f"{left}{', '.join(swapped)}{right}", loose=False)

    def on_await(self, node: ast.Await, _line: int) -> Iterator[Edit]:
        yield from self.put(node, 1.5, "drop await", self.source.segment(node.value))

    def anything(self, node: ast.expr, line: int) -> Iterator[Edit]:
        """Edits that fit any expression: wraps, plus or minus one, negation, other expressions, names."""
        scope, text, atom = self.scope, self.source.segment(node), self.source.atom(node)
        parent = self.source.parents.get(node)
        if not self.free(node):
            return
        kind = scope.kind(node)
        constant = isinstance(node, ast.Constant)
        if (
            kind in ("int", "?", "float")
            and not constant
            and not isinstance(node, (ast.Compare, ast.BoolOp, ast.Lambda, ast.Await))
        ):
            plus = 1.6 if kind != "?" else 2.0
            plus -= 0.3 if isinstance(node, ast.BinOp) else 0.0  # a forgotten + 1 stands behind the whole sum
            plus -= 0.3 if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "range" else 0.0
            for suffix, cost in (
                (" + 1", plus),
                (" - 1", plus),
                (" + 2", plus + 1.4),
                (" * 2", plus + 0.9),
                (" // 2", plus + 1.0),
                (" ** 2", plus + 1.0),
                (" % 2", plus + 1.2),
                (" / 2", plus + 1.2),
                (" % 10", plus + 1.4),
                (" // 10", plus + 1.4),
            ):
                yield from self.put(
                    node,
                    cost,
                    "arithmetic",
                    (text if isinstance(node, ast.BinOp) and suffix[1] in "+-" else atom) + suffix,
                )
            yield from self.put(node, 1.9 if kind != "?" else 2.3, "negate", f"-{atom}")
        if not constant and not isinstance(node, ast.Lambda):
            for number, name in enumerate(WRAPS.get(kind, WRAPS["?"])):
                wrapped = f"not {atom}" if name == "not" else f"{name}({text})"
                if not text.startswith(name + "(") or name == "abs":
                    yield from self.put(
                        node, (1.9 if kind != "?" else 2.4) + 0.05 * number, "wrap", wrapped, loose=name == "not"
                    )
            for number, suffix in enumerate(
                SUFFIXES.get(kind, SUFFIXES["?"] if kind not in ("int", "bool", "float") else [])
            ):
                if not isinstance(parent, ast.Attribute):
                    yield from self.put(
                        node, (2.1 if kind != "?" else 2.6) + 0.05 * number, "suffix", atom + suffix, loose=False
                    )
        if (
            isinstance(node, (ast.Compare, ast.Call))
            and kind in ("bool", "?")
            and not isinstance(parent, (ast.If, ast.While))
        ):
            yield from self.put(node, 1.7, "negate", f"not {atom}")
        if not isinstance(node, ast.Name):
            for number, name in enumerate(scope.visible(line)):
                cost = 2.0 if kind == scope.types.get(name, "?") != "?" else 2.5
                yield from self.put(node, cost + 0.02 * number, "name for expression", name, loose=False)

    def material(self, node: ast.expr, line: int) -> Iterator[Edit]:
        """Other expressions of the function in the place of this one, and joined to it."""
        scope, text, atom = self.scope, self.source.segment(node), self.source.atom(node)
        kind, constant = scope.kind(node), isinstance(node, ast.Constant)
        yield from self.arithmetic_with_names(node, kind, atom, text, line)
        names = scope.visible(line)
        indices = [name for name in names if scope.types.get(name) in ("int", "str")][:5]
        for container in [name for name in names if scope.types.get(name) in ("list", "tuple", "str", "dict")][:4]:
            for number, index in enumerate(index for index in indices if index != container):
                yield from self.put(node, 2.8 + 0.05 * number, "element", f"{container}[{index}]", loose=False)
        if kind in ("list", "?") and not constant:
            for name in [name for name in scope.visible(line) if scope.types.get(name) == "dict"][:3]:
                yield from self.put(node, 3.0, "sort", f"sorted({text}, key=lambda x: {name}[x])", loose=False)
            for name in [name for name, what in scope.module.items() if what == "function"][:4]:
                yield from self.put(node, 3.4, "sort", f"sorted({text}, key={name})", loose=False)
        for other, other_kind in scope.expressions.items():
            if other != atom:
                cost = 2.8 if kind == other_kind != "?" else 3.2 if "?" in (kind, other_kind) else 4.2
                yield from self.put(node, cost, "expression", other, loose=False)
        if not isinstance(node, ast.Name) and not constant:
            for value in dict.fromkeys([0, 1, *scope.ints]):
                yield from self.put(node, 3.0, "constant for expression", str(value), loose=False)
            for value_text in ("None", "True", "False", "[]", "''"):
                yield from self.put(node, 3.4, "constant for expression", value_text, loose=False)

    def arithmetic_with_names(self, node: ast.expr, kind: str, atom: str, text: str, line: int) -> Iterator[Edit]:
        """``e op x`` for the names and numbers in reach, of a kind that goes with ``e``."""
        scope = self.scope
        if isinstance(node, (ast.Compare, ast.BoolOp, ast.Lambda)) or kind in ("bool", "NoneType"):
            return
        operators = {
            "int": "+-*%",
            "float": "+-*/",
            "list": "+",
            "str": "+",
            "tuple": "+",
            "set": "-|&",
            "?": "+-",
        }.get(kind, "")
        operands: dict[str, float] = {}
        for name in scope.visible(line)[:12]:
            other = scope.types.get(name, "?")
            if other == kind or "?" in (other, kind) or {other, kind} <= {"int", "float"}:
                operands[name] = 2.9 if other == kind else 3.6
        for other_text, other_kind in scope.expressions.items():
            if other_kind == kind != "?" and len(operands) < 40:
                operands.setdefault(other_text, 3.9)
        for value in scope.ints if kind in ("int", "float") else ():
            operands.setdefault(str(value), 3.3)
        if kind == "str":
            operands.update({repr(one): 3.4 for one in scope.texts[:12]})
        for operand, cost in operands.items():
            for number, operator in enumerate(operators):
                left = text if operator in "+-" and isinstance(node, ast.BinOp) else atom
                yield from self.put(node, cost + 0.1 * number, "extend", f"{left} {operator} {operand}")
                if operator in "-/%" or kind in ("str", "list", "tuple"):
                    yield from self.put(node, cost + 0.2 + 0.1 * number, "extend", f"{operand} {operator} {atom}")
