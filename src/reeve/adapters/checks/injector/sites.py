"""List small defects of source files: `python -S -B sites.py PLAN REPORT EXAMINER REPAIR`, in the tree.

The plan is JSON: `files` (paths), `most` (defects) and `seed`. The report is JSON: `sites`, each with `path`, `line`,
`start` and `end` (characters), `was`, `now` (shown), `new` (the text to put there) and `statement` (the first and last
line of the statement, without those inside it); `lines`, how many lines could
carry one; `unreadable`, what is no Python of this interpreter, or not in UTF-8; `same`, how many compile to the same
code as the original and are therefore no defects.

Lines are drawn without putting back, each with the same chance, and then one defect of each.
"""

from __future__ import annotations

import ast
import json
import os
import random
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType
from typing import Any


def main() -> None:
    """Read the plan, list, write the report."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    for name, folder in (("examiner", sys.argv[3]), ("repair", sys.argv[4])):
        bind(name, folder)
    found = sites(plan["files"], plan["most"], plan["seed"])
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)


def bind(name: str, folder: str) -> None:
    """Make a folder a package under a name, without a place on the path of imports."""
    spec = spec_from_file_location(name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(folder)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def sites(paths: list[str], most: int, seed: int) -> dict[str, Any]:
    """Draw the defects of some files."""
    mutants = import_module("examiner.mutants")
    chance = random.Random(seed)
    by_line: dict[tuple[str, int], list[Any]] = {}
    sources: dict[str, Any] = {}
    unreadable: list[str] = []
    for path in sorted(paths):
        source = read(path)
        if source is None:
            unreadable.append(path)
            continue
        sources[path] = source
        for one in mutants.of_source(source, set(range(1, len(source.lines) + 1))):
            by_line.setdefault((path, one.line), []).append(one)
    drawn = sorted(by_line)
    chance.shuffle(drawn)
    found: list[dict[str, Any]] = []
    same = 0
    for place in drawn:
        if len(found) == most:
            break
        chance.shuffle(by_line[place])
        one, equal = first_real(sources[place[0]], by_line[place])
        same += equal
        if one is not None:
            splice = one.splice
            found.append({
                "path": one.path, "line": one.line, "was": one.was, "now": one.now,
                "start": splice.start, "end": splice.end, "new": splice.new,
                "statement": statement(sources[one.path].tree, one.line),
            })  # fmt: skip
    return {"sites": found, "lines": len(drawn), "unreadable": unreadable, "same": same}


def read(path: str) -> Any:
    """The source of a file, or None where it is none that can be changed by characters."""
    splicing = import_module("repair.splice")
    try:
        with open(path, "rb") as file:
            source = splicing.Source(path, file.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None
    return source if source.encoded.encoding == "utf-8" and not source.encoded.bom else None


def first_real(source: Any, candidates: list[Any]) -> tuple[Any, int]:
    """The first defect that compiles to other code, and how many before it compiled to the same."""
    same = 0
    original = compiled(source.text)
    for one in candidates:
        text = source.text[: one.splice.start] + one.splice.new + source.text[one.splice.end :]
        code = compiled(text)
        if code is None:
            continue
        if code != original:
            return one, same
        same += 1
    return None, same


def statement(tree: ast.AST, line: int) -> list[int]:
    """The lines of the innermost statement at a line: a part of it may be run without an event of its own line."""
    best = [line, line]
    for node in ast.walk(tree):
        if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
            continue
        inner = getattr(node, "body", None)
        last = max(node.lineno, inner[0].lineno - 1) if isinstance(inner, list) and inner else node.end_lineno
        if node.lineno <= line <= (last or node.lineno):
            best = [node.lineno, last or node.lineno]
    return best


def compiled(text: str) -> Any:
    """What the code of a text is, without where its lines are; None: it does not compile."""
    try:
        return essence(compile(text, "x", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def essence(code: CodeType) -> Any:
    """Everything of a code object that decides what it does. 1, 1.0 and True are not the same here."""
    constants = [essence(each) if isinstance(each, CodeType) else (type(each), repr(each)) for each in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
    return code.co_code, constants, names, counts, getattr(code, "co_exceptiontable", b"")


if __name__ == "__main__":
    main()
