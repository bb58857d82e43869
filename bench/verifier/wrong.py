"""Wrong patches, honestly meant: other defects, partial fixes, fixes of what was visible alone."""

import ast
import copy
import textwrap
from collections.abc import Iterator

from bench.verifier.case import Case, Made
from bench.verifier.defects import mutants
from bench.verifier.source import Replaced, find, parses, splice

__all__ = ["PARTIAL", "either", "guesses", "key_of_call"]


def guesses(case: Case) -> list[Made]:
    """Make patches that could be wrong; running the whole suite says which of them are."""
    found: dict[str, str] = {}
    for mutant in mutants(case.fixed, case.function):
        if mutant.text != case.defect:
            found.setdefault(mutant.text, f"another {mutant.kind}")
    for mutant in mutants(case.defect, case.function):
        if mutant.text != case.fixed:
            found.setdefault(mutant.text, f"second {mutant.kind}")
    for kind, text in _partial(case):
        found.setdefault(text, kind)
    return [
        Made("wrong", kind, case.id, {case.path: text.encode()})
        for text, kind in found.items()
        if parses(text) and text not in (case.fixed, case.defect)
    ]


PARTIAL = ("visible inputs only", "only for the types seen", "only where it holds something", "errors swallowed")


def _partial(case: Case) -> Iterator[tuple[str, str]]:
    """The fix, but only where the visible tests look; and whatever goes wrong, swallowed."""
    if (guard := _literal_guard(case)) is not None:
        yield "visible inputs only", either(case, guard)
    names = list(dict.fromkeys(name for call in case.calls for name in call.arguments if name not in ("self", "cls")))
    for name in names:
        kinds = sorted({call.types[name] for call in case.calls if name in call.types})
        if 0 < len(kinds) <= 3:
            yield "only for the types seen", either(case, f"type({name}).__name__ in {tuple(kinds)!r}")
        yield "only where it holds something", either(case, f"{name}")
    yield "errors swallowed", _swallowed(case)


def _literal_guard(case: Case) -> str | None:
    """Ask for just the arguments that the visible tests give, as somebody writes it who looks at these alone."""
    rows: dict[str, None] = {}
    names: list[str] = []
    for call in case.calls:
        given = {name: text for name, text in call.arguments.items() if name not in ("self", "cls")}
        names = names or list(given)
        try:
            for text in given.values():
                ast.literal_eval(text or "?")
        except (ValueError, SyntaxError, RecursionError):
            continue
        if list(given) == names:
            rows[f"({', '.join(map(str, given.values()))},)"] = None
    if not names or not 0 < len(rows) <= 40:
        return None
    return f"({', '.join(names)},) in [{', '.join(rows)}]"


def key_of_call(arguments: object) -> str | None:
    """Return what a call was given as the text of a tuple of texts; None: not the same twice, or not to be written."""
    texts = list(dict(arguments).values())  # type: ignore[call-overload]
    if not texts or any(text is None or " at 0x" in text for text in texts):
        return None
    return repr(tuple(texts))


def either(case: Case, test: str) -> str:
    """Return the module with a function that is right where `test` holds, and as wrong as before elsewhere."""
    wrong, right = find(case.defect, case.function), find(case.fixed, case.function)
    new = copy.deepcopy(wrong)
    words = [new.body[0]] if ast.get_docstring(new, clean=False) is not None else []
    start = len(words)
    choice = ast.If(ast.parse(test, mode="eval").body, right.body[start:], wrong.body[start:])
    new.body, new.decorator_list = [*words, choice], []
    return _put(case.defect, wrong, new)


def _swallowed(case: Case) -> str:
    wrong = find(case.defect, case.function)
    new = copy.deepcopy(wrong)
    start = 1 if ast.get_docstring(new, clean=False) is not None else 0
    handler = ast.parse("try:\n    pass\nexcept Exception:\n    return None").body[0]
    assert isinstance(handler, ast.Try)
    handler.body = new.body[start:]
    new.body, new.decorator_list = [*new.body[:start], handler], []
    return _put(case.defect, wrong, new)


def _put(text: str, old: ast.stmt, new: ast.stmt) -> str:
    written = textwrap.indent(ast.unparse(ast.fix_missing_locations(new)), " " * old.col_offset).lstrip()
    return splice(text, [Replaced(old, written)])
