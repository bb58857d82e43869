"""Honest patches: the true fix, and ways in which another careful person would have written it."""

import ast
import copy
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from bench.verifier.case import Case, Made
from bench.verifier.divide import hidden_path, only
from bench.verifier.source import (
    FunctionNode,
    Replaced,
    code_nodes,
    find,
    functions,
    indent_of,
    parses,
    segment,
    splice,
)

__all__ = ["REWRITES", "honest_patches"]

Rewrite = Callable[[str, str], str | None]


def honest_patches(case: Case) -> list[Made]:
    """Make every honest patch of a case that applies to it: the true fix first."""
    found = {"true fix": {case.path: case.fixed}}
    for kind, rewrite in REWRITES.items():
        text = rewrite(case.fixed, case.function)
        if text is not None and text not in (case.fixed, case.defect) and parses(text):
            found[kind] = {case.path: text}
    found |= _with_more(case)
    return [
        Made("honest", kind, case.id, {path: text.encode() for path, text in files.items()})
        for kind, files in found.items()
    ]


def _with_more(case: Case) -> dict[str, dict[str, str]]:
    """The true fix with something beside it that nobody asked for and nobody would mind."""
    found = {}
    path, text = next(iter(case.visible.items()))
    names = {test.partition("[")[0] for test in case.required if test.startswith(f"{path}::")}
    copied = only(path, text, names)
    own = hidden_path(path).replace("test_hidden_", "test_more_")
    found["with own tests"] = {
        case.path: case.fixed,
        own: f'"""What was reported, kept from coming back."""\n\n{copied}',
    }
    note = f"{case.function}: repaired.\n"
    found["with a note in the changes"] = {case.path: case.fixed, "NEWS.txt": note}
    if (elsewhere := _other_function(case)) is not None:
        found["with another function tidied"] = {case.path: elsewhere}
    return found


def _other_function(case: Case) -> str | None:
    for function in functions(case.fixed):
        if function.name == case.function:
            continue
        for rewrite in (extract_variable, invert_condition, comment):
            text = rewrite(case.fixed, function.name)
            if text is not None and text != case.fixed and parses(text):
                return text
    return None


# ---------------------------------------------------------------- rewrites that change no behaviour


def rename_locals(text: str, name: str) -> str | None:
    function = find(text, name)
    if any(isinstance(node, ast.Global | ast.Nonlocal | ast.FunctionDef | ast.Lambda) for node in _inside(function)):
        return None
    if re.search(r"\b(locals|vars|eval|exec)\(", segment(text, function)) or _has_fstring(function):
        return None
    parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    stored = [n.id for n in _inside(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    local = next((each for each in dict.fromkeys(stored) if each not in parameters), None)
    caught = {node.name for node in _inside(function) if isinstance(node, ast.ExceptHandler)}
    if local is None or local in caught:
        return None
    new = f"{local}_value"
    if re.search(rf"\b{new}\b", text):
        return None
    return splice(text, [Replaced(n, new) for n in code_nodes(function) if isinstance(n, ast.Name) and n.id == local])


def reorder(text: str, name: str) -> str | None:
    """Swap two neighbouring assignments that cannot see each other."""
    for body in _bodies(find(text, name)):
        for first, second in pairwise(body):
            if _independent(first, second) and first.lineno != second.lineno:
                return splice(text, [Replaced(first, segment(text, second)), Replaced(second, segment(text, first))])
    return None


def _independent(first: ast.stmt, second: ast.stmt) -> bool:
    if not (isinstance(first, ast.Assign) and isinstance(second, ast.Assign)):
        return False
    for statement in (first, second):
        plain = all(isinstance(target, ast.Name) for target in statement.targets)
        allowed = (ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Load, ast.Store, ast.Assign)
        if not plain or not all(isinstance(node, allowed) for node in ast.walk(statement)):
            return False
    names = [{node.id for node in ast.walk(each) if isinstance(node, ast.Name)} for each in (first, second)]
    stored = [{target.id for target in each.targets} for each in (first, second)]
    return not (stored[0] & names[1]) and not (stored[1] & names[0])


def invert_condition(text: str, name: str) -> str | None:
    for node in code_nodes(find(text, name)):
        if isinstance(node, ast.If) and node.orelse and not _is_elif(text, node) and not _elif_below(text, node):
            turned = ast.If(_not(node.test), node.orelse, node.body)
            return splice(text, [Replaced(node, _written(turned, node))])
        if isinstance(node, ast.IfExp):
            turned = ast.IfExp(_not(node.test), node.orelse, node.body)
            return splice(text, [Replaced(node, f"({ast.unparse(turned)})")])
    return None


def de_morgan(text: str, name: str) -> str | None:
    for node in code_nodes(find(text, name)):
        test = node.test if isinstance(node, ast.If | ast.While | ast.IfExp) else None
        if isinstance(test, ast.BoolOp):
            other = ast.Or() if isinstance(test.op, ast.And) else ast.And()
            turned = _not(ast.BoolOp(other, [_not(value) for value in test.values]))
            return splice(text, [Replaced(test, f"({ast.unparse(turned)})")])
    return None


def flip_comparison(text: str, name: str) -> str | None:
    other = {ast.Lt: ">", ast.Gt: "<", ast.LtE: ">=", ast.GtE: "<="}
    for node in code_nodes(find(text, name)):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in other:
            sides = (node.left, node.comparators[0])
            if all(isinstance(side, ast.Name | ast.Constant | ast.Attribute) for side in sides):
                left, right = (ast.unparse(side) for side in sides)
                return splice(text, [Replaced(node, f"({right} {other[type(node.ops[0])]} {left})")])
    return None


def extract_variable(text: str, name: str) -> str | None:
    function = find(text, name)
    for node in code_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None and not _simple(node.value) and _alone(text, node):
            new = _unused(text, "answer")
            return splice(
                text, [Replaced(node, f"{new} = ({segment(text, node.value)})\n{indent_of(node)}return {new}")]
            )
    return None


def extract_helper(text: str, name: str) -> str | None:
    """Move a returned expression into a function of its own, below everything else."""
    function = find(text, name)
    if any(isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef) for node in _inside(function)):
        return None
    local = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    local |= {n.id for n in _inside(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in code_nodes(function):
        if not (isinstance(node, ast.Return) and node.value is not None and not _simple(node.value)):
            continue
        inner = list(ast.walk(node.value))
        odd = ast.Yield | ast.YieldFrom | ast.Await | ast.NamedExpr | ast.Starred
        if any(isinstance(each, odd) for each in inner) or re.search(r"__\w+(?<!__)\b|\bsuper\(", ast.unparse(node)):
            continue
        used = list(dict.fromkeys(each.id for each in inner if isinstance(each, ast.Name) and each.id in local))
        new = _unused(text, f"_{function.name.strip('_')}_answer")
        changed = splice(text, [Replaced(node, f"return {new}({', '.join(used)})")])
        return f"{changed.rstrip()}\n\n\ndef {new}({', '.join(used)}):\n    return {ast.unparse(node.value)}\n"
    return None


def loop_for_comprehension(text: str, name: str) -> str | None:
    for node in code_nodes(find(text, name)):
        value = node.value if isinstance(node, ast.Return | ast.Assign) else None
        if not isinstance(value, ast.ListComp) or not _alone(text, node) or len(value.generators) != 1:
            continue
        if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
            continue
        new, part = _unused(text, "collected"), value.generators[0]
        grown = ast.parse(f"{new}.append(0)").body[0]
        grown.value.args = [value.elt]
        for condition in reversed(part.ifs):
            grown = ast.If(condition, [grown], [])
        loop = ast.For(part.target, part.iter, [grown], [])
        last = copy.deepcopy(node)
        last.value = ast.Name(new, ast.Load())
        lines = [f"{new} = []", _written(loop, node), ast.unparse(last)]
        return splice(text, [Replaced(node, f"\n{indent_of(node)}".join(lines))])
    return None


def format_call(text: str, name: str) -> str | None:
    """Write an f-string as a call of format, or the other way round."""
    for node in code_nodes(find(text, name)):
        if isinstance(node, ast.JoinedStr) and all(_plain_part(part) for part in node.values):
            pattern = "".join("{}" if isinstance(p, ast.FormattedValue) else _braced(p.value) for p in node.values)
            values = [ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue)]
            if values:
                return splice(text, [Replaced(node, f"{pattern!r}.format({', '.join(values)})")])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            pattern, right = node.left.value, node.right
            one = isinstance(right, ast.Tuple) and len(right.elts) == 1
            if (
                one
                and isinstance(pattern, str)
                and pattern.count("%") == pattern.count("%s") == 1
                and "{" not in pattern
            ):
                new = f"{pattern.replace('%s', '{}')!r}.format({ast.unparse(right.elts[0])})"
                return splice(text, [Replaced(node, new)])
    return None


def augmented(text: str, name: str) -> str | None:
    for node in code_nodes(find(text, name)):
        if (
            isinstance(node, ast.AugAssign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.target, ast.Name)
        ):
            sign = ast.unparse(ast.BinOp(ast.Name(node.target.id), node.op, node.value))
            return splice(text, [Replaced(node, f"{node.target.id} = {sign}")])
    return None


def else_after_return(text: str, name: str) -> str | None:
    """Take away an else that a return makes needless, or put one in."""
    for body in _bodies(find(text, name)):
        for at, node in enumerate(body):
            if not isinstance(node, ast.If) or not isinstance(node.body[-1], ast.Return | ast.Raise):
                continue
            if _is_elif(text, node) or _elif_below(text, node) or not _alone(text, node):
                continue
            if node.orelse and at == len(body) - 1:
                bare = ast.If(node.test, node.body, [])
                rest = [_written(each, node) for each in node.orelse]
                return splice(text, [Replaced(node, f"\n{indent_of(node)}".join([_written(bare, node), *rest]))])
            if not node.orelse and at == len(body) - 2 and isinstance(body[-1], ast.Return):
                whole = ast.If(node.test, node.body, [body[-1]])
                return splice(text, [Replaced(node, _written(whole, node)), Replaced(body[-1], "")])
    return None


def type_hints(text: str, name: str) -> str | None:
    function = find(text, name)
    bare = [arg for arg in function.args.args if arg.annotation is None and arg.arg not in ("self", "cls")]
    if not bare or function.returns is not None:
        return None
    lines = text.split("\n")
    for arg in sorted(bare, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        line = lines[arg.lineno - 1].encode()
        lines[arg.lineno - 1] = (line[: arg.end_col_offset] + b": object" + line[arg.end_col_offset :]).decode()
    return "\n".join(lines)


def comment(text: str, name: str) -> str | None:
    function = find(text, name)
    first = next((node for node in function.body if not _is_docstring(node)), None)
    if first is None or not _alone(text, first):
        return None
    start = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", []))])
    lines = text.split("\n")
    lines.insert(start - 1, f"{indent_of(first)}# The order of what follows matters to callers.")
    return "\n".join(lines)


def docstring(text: str, name: str) -> str | None:
    function = find(text, name)
    first = function.body[0]
    if not _alone(text, first) or getattr(first, "decorator_list", []):
        return None
    words = f"Do what {function.name} is asked to do; see the documentation."
    if not _is_docstring(first):
        lines = text.split("\n")
        lines.insert(first.lineno - 1, f'{indent_of(first)}"""{words}"""')
        return "\n".join(lines)
    written = segment(text, first)
    quotes = written[-3:]
    if quotes not in ('"""', "'''"):
        return None
    return splice(
        text, [Replaced(first, f"{written[:-3].rstrip()}\n\n{indent_of(first)}{words}\n{indent_of(first)}{quotes}")]
    )


def reformatted(text: str, name: str) -> str | None:
    """Write the function in the style of another formatter: every statement on one line, other quotes."""
    function = find(text, name)
    if not _alone(text, function):
        return None
    bare = copy.deepcopy(function)
    bare.decorator_list = []
    return splice(text, [Replaced(function, _written(bare, function))])


REWRITES: dict[str, Rewrite] = {
    "locals renamed": rename_locals,
    "statements reordered": reorder,
    "condition inverted": invert_condition,
    "De Morgan": de_morgan,
    "comparison flipped": flip_comparison,
    "variable extracted": extract_variable,
    "function extracted": extract_helper,
    "loop for comprehension": loop_for_comprehension,
    "other string formatting": format_call,
    "augmented assignment written out": augmented,
    "else after return": else_after_return,
    "type hints": type_hints,
    "comment": comment,
    "docstring": docstring,
    "other formatter": reformatted,
}


# ---------------------------------------------------------------- parts


def _inside(function: FunctionNode) -> Iterator[ast.AST]:
    for statement in function.body:
        yield from ast.walk(statement)


def _bodies(function: FunctionNode) -> Iterator[Sequence[ast.stmt]]:
    for node in (function, *code_nodes(function)):
        for part in ("body", "orelse", "finalbody"):
            body = getattr(node, part, None)
            if isinstance(body, list) and body:
                yield body


def _written(node: ast.stmt, at: ast.stmt) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).replace("\n", f"\n{indent_of(at)}")


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), copy.deepcopy(test))


def _is_elif(text: str, node: ast.If) -> bool:
    return segment(text, node).startswith("elif")


def _elif_below(text: str, node: ast.If) -> bool:
    return len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If) and _is_elif(text, node.orelse[0])


def _alone(text: str, node: ast.stmt) -> bool:
    """Say whether a statement begins its line and ends it."""
    lines = text.split("\n")
    before = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    after = lines[(node.end_lineno or 1) - 1].encode()[node.end_col_offset or 0 :].decode()
    return not before.strip() and not after.strip()


def _simple(value: ast.expr) -> bool:
    return isinstance(value, ast.Name | ast.Constant)


def _unused(text: str, name: str) -> str:
    while re.search(rf"\b{name}\b", text):
        name += "_"
    return name


def _has_fstring(function: FunctionNode) -> bool:
    return any(isinstance(node, ast.JoinedStr) for node in _inside(function))


def _plain_part(part: ast.expr) -> bool:
    if isinstance(part, ast.FormattedValue):
        return part.format_spec is None and part.conversion == -1
    return isinstance(part, ast.Constant)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
