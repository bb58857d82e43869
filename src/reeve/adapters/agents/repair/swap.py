"""Put edited code into live functions of an imported project, without importing it again.

Only the outermost function around an edit is compiled, and its code (and that of the functions nested in it) is
put into every live function object that runs the old one. An edit outside functions, in a decorator or in a default
cannot be made this way: the project has to be imported anew for it.
"""

from __future__ import annotations

import __future__

import ast
import gc
import os
import types
from bisect import bisect_right
from typing import Any, Optional

from .splice import FUNCTIONS, Function, Source, Splice, apply

FUTURES = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}


class NotSwappable(Exception):
    """This edit needs the project to be imported anew."""


class Unit:
    """One outermost function: its lines, and the text that makes it compilable by itself."""

    def __init__(self, source: Source, function: Function, classes: list[ast.ClassDef]) -> None:
        self.source = source
        self.function = function
        first = min([function.lineno] + [item.lineno for item in function.decorator_list])
        self.first, self.last = first, function.end_lineno or function.lineno
        self.start, self.end = source.starts[function.lineno - 1], source.starts[self.last]
        self.body_start = source.span(function.body[0])[0]
        self.classes = classes
        indent = source.indent(function)
        self.prefix = ""
        # Each class of the chain on one line above, one blank narrower than the next: the compiler only needs "deeper".
        for depth, owner in enumerate(classes):
            self.prefix += " " * depth + f"class {owner.name}:\n"
        if indent and len(indent.expandtabs()) < len(classes):
            raise NotSwappable("indentation narrower than its nesting")
        if indent and not classes:
            self.prefix = "if 1:\n"
        self.original = self.code(source.text[self.start : self.end])
        self.live: list[tuple[types.FunctionType, types.CodeType, tuple[tuple[str, int], ...]]] = []

    def code(self, text: str) -> types.CodeType:
        """Compile this unit from an edited text; SyntaxError and ValueError where that fails."""
        lines = self.prefix.count("\n")
        padding = "\n" * max(0, self.function.lineno - 1 - lines)
        module = compile(padding + self.prefix + text, self.source.path, "exec", self.flags(), True)
        code = module
        for _ in self.classes:
            code = next(item for item in code.co_consts if isinstance(item, types.CodeType))
        name = self.function.name
        return next(item for item in code.co_consts if isinstance(item, types.CodeType) and item.co_name == name)

    def flags(self) -> int:
        """The ``from __future__`` features in force in the file."""
        found = 0
        for node in self.source.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    found |= FUTURES.get(alias.name, 0)
        return found


def nested(
    code: types.CodeType, path: tuple[tuple[str, int], ...] = ()
) -> dict[tuple[tuple[str, int], ...], types.CodeType]:
    """Every code object inside another one, keyed by its path of (name, how many of that name came before)."""
    found = {path: code}
    seen: dict[str, int] = {}
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            number = seen.get(item.co_name, 0)
            seen[item.co_name] = number + 1
            found.update(nested(item, (*path, (item.co_name, number))))
    return found


def units_in(source: Source) -> list[Unit]:
    """Every outermost function of a file that compiles by itself, in order of the first line; alive or not."""
    units: list[Unit] = []

    def collect(body: list[ast.stmt], classes: list[ast.ClassDef]) -> None:
        for node in body:
            if isinstance(node, FUNCTIONS):
                try:
                    units.append(Unit(source, node, classes))
                except (NotSwappable, SyntaxError, ValueError, StopIteration):
                    continue
            elif isinstance(node, ast.ClassDef):
                collect(node.body, [*classes, node])
            else:
                for name in ("body", "orelse", "finalbody"):
                    collect(getattr(node, name, []), classes)
                for handler in getattr(node, "handlers", []):
                    collect(handler.body, classes)

    collect(source.tree.body, [])
    return sorted(units, key=lambda unit: unit.first)


class Swapper:
    """Finds units for edits and swaps their code in and out."""

    def __init__(self, root: str, sources: dict[str, Source]) -> None:
        self.root = root
        self.sources = sources
        self.units: dict[str, list[Unit]] = {}
        self.changed: list[tuple[types.FunctionType, types.CodeType, Any, Any]] = []
        self.caches: list[Any] = []
        self.functions = self._live_functions()

    def _live_functions(self) -> dict[str, list[types.FunctionType]]:
        """Live function objects by file, and the caches around them; looked for once, before gc.freeze hides them."""
        found: dict[str, list[types.FunctionType]] = {}
        known: dict[str, Optional[str]] = {}
        cache_type = type(__import__("functools").lru_cache(lambda: None))
        kinds = frozenset((types.FunctionType, cache_type))
        for item in [each for each in gc.get_objects() if type(each) in kinds]:  # few of very many
            if type(item) is types.FunctionType:
                name = item.__code__.co_filename
                if name not in known:
                    real = os.path.realpath(name)
                    path = os.path.relpath(real, self.root) if real.startswith(self.root + os.sep) else None
                    known[name] = path if path in self.sources else None
                path = known[name]
                if path is not None:
                    found.setdefault(path, []).append(item)
            else:
                code = getattr(getattr(item, "__wrapped__", None), "__code__", None)
                if code is not None and os.path.realpath(code.co_filename).startswith(self.root + os.sep):
                    self.caches.append(item)
        return found

    def units_of(self, path: str) -> list[Unit]:
        """The outermost functions of a file that are alive, in order of their first line."""
        if path in self.units:
            return self.units[path]
        units = units_in(self.sources[path])
        firsts = [unit.first for unit in units]
        maps = [
            {(code.co_name, code.co_firstlineno): key for key, code in nested(unit.original).items()} for unit in units
        ]
        for function in self.functions.get(path, []):
            line = function.__code__.co_firstlineno
            place = bisect_right(firsts, line) - 1
            if place >= 0 and line <= units[place].last:
                unit = units[place]
                # A decorated function starts at its first decorator; the unit is compiled without decorators.
                first = unit.function.lineno if line == unit.first else line
                key = maps[place].get((function.__code__.co_name, first))
                if key is not None:
                    unit.live.append((function, function.__code__, key))
        self.units[path] = [unit for unit in units if unit.live]
        return self.units[path]

    def unit_for(self, splice: Splice) -> Unit:
        """The unit that an edit lies in, or NotSwappable; what stands before ``def`` (decorators) is not in it."""
        for unit in self.units_of(splice.path):
            if unit.start < splice.start and splice.end <= unit.end:
                if splice.start >= unit.body_start or self._plain(unit):
                    return unit
                break
        raise NotSwappable("outside live functions")

    def install(self, splices: list[Splice]) -> None:
        """Make the live project behave as if edited; NotSwappable, SyntaxError or ValueError where that cannot be."""
        grouped: dict[int, tuple[Unit, list[Splice]]] = {}
        for splice in splices:
            unit = self.unit_for(splice)
            grouped.setdefault(id(unit), (unit, []))[1].append(splice)
        for unit, own in grouped.values():
            shifted = [Splice(one.path, one.start - unit.start, one.end - unit.start, one.new) for one in own]
            text = apply(unit.source.text[unit.start : unit.end], shifted)
            if text is None:
                raise NotSwappable("overlapping edits")
            if any(splice.start < unit.body_start for splice in own):
                self._install_header(unit, text)
                continue
            codes = nested(unit.code(text))
            for function, old, key in unit.live:
                new = codes.get(key)
                if new is None or new.co_freevars != old.co_freevars:
                    raise NotSwappable("nested functions changed")
                self.changed.append((function, old, function.__defaults__, function.__kwdefaults__))
                function.__code__ = new

    @staticmethod
    def _plain(unit: Unit) -> bool:
        """Whether a new definition of a unit can take the place of its one live function."""
        return not unit.function.decorator_list and len(unit.live) == 1 and unit.live[0][2] == ()

    def _install_header(self, unit: Unit, text: str) -> None:
        """Run the edited definition aside and take over its defaults and code."""
        function, old, _ = unit.live[0]
        space: dict[str, Any] = dict(function.__globals__)
        try:
            exec(compile(unit.prefix + text, unit.source.path, "exec", unit.flags(), True), space)
            made: Any = space
            for name in (*(owner.name for owner in unit.classes), unit.function.name):
                made = made[name] if isinstance(made, dict) else vars(made)[name]
        except (SyntaxError, ValueError):
            raise
        except BaseException as error:
            raise NotSwappable(str(error)) from error
        if not isinstance(made, types.FunctionType) or made.__code__.co_freevars != old.co_freevars:
            raise NotSwappable("no plain function")
        self.changed.append((function, old, function.__defaults__, function.__kwdefaults__))
        function.__code__ = unit.code(text)
        function.__defaults__, function.__kwdefaults__ = made.__defaults__, made.__kwdefaults__

    def undo(self) -> None:
        """Put the original code back and forget what caches remembered of the edited one."""
        for function, code, defaults, keyword_defaults in self.changed:
            function.__code__ = code
            function.__defaults__, function.__kwdefaults__ = defaults, keyword_defaults
        self.changed.clear()
        for cache in self.caches:
            try:
                cache.cache_clear()
            except Exception:
                continue
