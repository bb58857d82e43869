"""What a patch changes beyond what its checks need, in lines and in kind.

Every stretch of changed lines is judged by itself, from what says least about the code to what says most: formatting,
comments, renames, imports, code. What it is told by is text and tokens alone: nothing is run, and whatever an agent
wrote gets an answer.
"""

import ast
import difflib
import io
import keyword
import re
import tokenize
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reeve.records import SourceChange, Surplus

__all__ = ["KINDS", "stretches", "surplus_of"]

FORMATTING = "formatting"
COMMENTS = "comments and docstrings"
RENAMES = "renames"
IMPORTS = "imports"
NEW_FILES = "new files"
UNRELATED = "unrelated files"
CODE = "code"

KINDS = (FORMATTING, COMMENTS, RENAMES, IMPORTS, NEW_FILES, UNRELATED, CODE)
"""In the order in which they are told."""

COMPARED = 4_000_000
"""Lines times lines up to which two texts are compared in full: an agent could write one that takes long."""
PARSED_BYTES = 512 * 1024
"""Sources up to this size are read as Python; a larger one is only looked at line by line."""

SOURCES = (".py", ".pyi", ".pyw")
REMARK = re.compile(r"\s*(?:#|//|--|;|%|/\*|\*/|\*\s|<!--|\"\"\"|''')")
IMPORT = re.compile(r"\s*(?:import\s+\w|from\s+\.*[\w.]*\s+import\b|#include\b|require\s*\(|use\s+[\w:]+)")
Ranges = Sequence[tuple[int, int]]
"""Of lines: from, up to and without."""

SILENT = frozenset((tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT))


def surplus_of(beyond: Sequence[SourceChange], patch: Sequence[SourceChange], *, tree: str, complete: bool) -> Surplus:
    """Count the difference from the needed tree to the examined one: lines added and removed, in all and by kind.

    `beyond` is that difference, `patch` the one from the base to the examined tree. Files of which nothing is needed
    are named, and count as new or unrelated, unless all that was changed in them is formatting or comments. A file
    that is no text counts as one line for each side.
    """
    of_patch = {change.path: change for change in patch}
    kinds = dict.fromkeys(KINDS, 0)
    files = []
    for change in beyond:
        if change.before == change.after:
            continue
        counted: Mapping[str, int] = _kinds_of(change)
        whole = change.path in of_patch and of_patch[change.path].before == change.before
        if whole:
            files.append(change.path)
            counted = _of_whole(change, counted)
        for kind, lines in counted.items():
            kinds[kind] += lines
    found = {kind: lines for kind, lines in kinds.items() if lines}
    return Surplus(sum(found.values()), found, tuple(files), tree, complete)


def stretches(before: Sequence[bytes], after: Sequence[bytes]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Give the stretches of two texts that are equal or not, as (equal, from, to, from, to).

    Takes bounded time whatever the texts are: where they could take long, all between the first and the last
    difference is one stretch.
    """
    ends, low, high = min(len(before), len(after)), 0, 0
    while low < ends and before[low] == after[low]:
        low += 1
    while high < ends - low and before[-1 - high] == after[-1 - high]:
        high += 1
    old, new = before[low : len(before) - high], after[low : len(after) - high]
    yield True, 0, low, 0, low
    if len(old) * len(new) > COMPARED:
        yield False, low, low + len(old), low, low + len(new)
    else:
        for tag, *at in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            yield tag == "equal", at[0] + low, at[1] + low, at[2] + low, at[3] + low
    yield True, len(before) - high, len(before), len(after) - high, len(after)


def _of_whole(change: SourceChange, counted: Mapping[str, int]) -> Mapping[str, int]:
    """Say of a file of which nothing is needed what that makes it."""
    lines = sum(counted.values()) or 1  # an empty file is something too
    if change.before is None:
        return {NEW_FILES: lines}
    if change.after is not None and counted.keys() <= {FORMATTING, COMMENTS}:
        return counted
    return {UNRELATED: lines}


def _kinds_of(change: SourceChange) -> dict[str, int]:
    """Count the changed lines of one file by kind."""
    before, after = change.before or b"", change.after or b""
    if b"\0" in before or b"\0" in after:
        return {CODE: (change.before is not None) + (change.after is not None)}
    sides = before.splitlines(keepends=True), after.splitlines(keepends=True)
    differ = [(low, high, begin, end) for equal, low, high, begin, end in stretches(*sides) if not equal]
    read = _read if change.path.endswith(SOURCES) else _plain
    old = read(before, sides[0], [(low, high) for low, high, _, _ in differ])
    new = read(after, sides[1], [(begin, end) for _, _, begin, end in differ])
    alike = _alike(old, new)
    counted: dict[str, int] = {}
    for low, high, begin, end in differ:
        for kind in _kinds(_Stretch(old, low, high), _Stretch(new, begin, end), alike=alike):
            counted[kind] = counted.get(kind, 0) + 1
    return counted


# ---------------------------------------------------------------- one side of a file


@dataclass(frozen=True, slots=True)
class _Text:
    """One side of a changed file, by lines from 0; `tokens` are those that do something, `tree` is its code.

    What is said of lines is said of the changed ones, and of some around them. None: it cannot be read as Python.
    """

    raw: list[bytes]
    remarks: frozenset[int] = frozenset()  # lines with nothing but a comment or documentation
    tokens: Mapping[int, list[tuple[int, str]]] | None = None  # by the line that they begin in
    tree: ast.Module | None = None  # without its documentation


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Some lines of one side."""

    text: _Text
    low: int
    high: int

    @property
    def lines(self) -> list[str]:
        return [line.decode("utf-8", "replace") for line in self.text.raw[self.low : self.high]]

    def tokens(self) -> list[tuple[int, str]] | None:
        """What does something in these lines; None where that cannot be told."""
        if self.text.tokens is None:
            return None
        return [token for line in range(self.low, self.high) for token in self.text.tokens.get(line, ())]

    def kinds(self) -> Iterator[str]:
        """Judge every line by itself."""
        for number, line in enumerate(self.lines, self.low):
            if not line.strip():
                yield FORMATTING
            elif number in self.text.remarks:
                yield COMMENTS
            else:
                yield IMPORTS if IMPORT.match(line) else CODE


def _plain(content: bytes, raw: list[bytes], changed: Ranges = ()) -> _Text:
    """Read a text of which nothing is known."""
    del content, changed
    remarks = (number for number, line in enumerate(raw) if REMARK.match(line.decode("utf-8", "replace")))
    return _Text(raw, frozenset(remarks))


def _read(content: bytes, raw: list[bytes], changed: Ranges) -> _Text:
    """Read Python, its tokens where it is `changed`; what is none is read as a text."""
    if len(content) > PARSED_BYTES:
        return _plain(content, raw)
    try:
        tree = ast.parse(content)
        found = list(_tokens(content, tree, changed))
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError, tokenize.TokenError):
        return _plain(content, raw)
    documented = list(_documentation(tree))
    for node in documented:
        node.value = ast.Constant(None)
    doc_lines = {line - 1 for node in documented for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    tokens: dict[int, list[tuple[int, str]]] = {}
    commented = set()
    for token, line in found:
        if token.type == tokenize.COMMENT:
            commented.add(line)
        elif token.type not in SILENT and token.string and line not in doc_lines:
            texts = token.string.splitlines() if token.end[0] > token.start[0] else [_bare(token)]
            for number, text in enumerate(texts, line):
                tokens.setdefault(number, []).append((token.type, text))
    return _Text(raw, frozenset(doc_lines | (commented - tokens.keys())), tokens, tree)


def _tokens(content: bytes, tree: ast.Module, changed: Ranges) -> Iterator[tuple[tokenize.TokenInfo, int]]:
    """Read the tokens of whole statements of the outermost level that hold changed lines, each with its line from 0.

    To read all of a file takes longer than everything else that is done with it.
    """
    if b"\r" in content:  # lines end differently for the one and for the other reader
        yield from ((token, token.start[0] - 1) for token in tokenize.tokenize(io.BytesIO(content).readline))
        return
    text = content.decode(tokenize.detect_encoding(io.BytesIO(content).readline)[0])
    lines = io.StringIO(text).readlines()
    edges = _edges(tree, len(lines))
    done = 0
    for low, high in changed:
        begin = max(done, edges[bisect_right(edges, low) - 1])
        done = edges[bisect_left(edges, high)] if low < high else done
        readline = io.StringIO("".join(lines[begin:done])).readline
        yield from ((token, token.start[0] - 1 + begin) for token in tokenize.generate_tokens(readline))


def _edges(tree: ast.Module, count: int) -> list[int]:
    """List the lines, from 0, at which no statement is under way; the first, and one beyond the last."""
    found, reached = [0], 0
    for node in tree.body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1
        if first >= reached > found[-1]:
            found.append(reached)
        reached = max(reached, node.end_lineno or node.lineno)
    return [*found, max(count, reached)]


def _documentation(tree: ast.AST) -> Iterator[ast.Expr]:
    """Find what documents a module, class or function; only statements have statements below them."""
    todo: list[ast.AST] = [tree]
    for node in todo:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            below = getattr(node, name, None)
            if isinstance(below, list):
                todo += below


def _alike(old: _Text, new: _Text) -> bool:
    """Say whether two texts are the same code, whatever it looks like and however it is documented."""
    if old.tree is None or new.tree is None or len(old.tree.body) != len(new.tree.body):
        return False
    pairs = zip(old.tree.body, new.tree.body, strict=True)
    return all(_written(one, old) == _written(other, new) or _same_code(one, other) for one, other in pairs)


def _written(node: ast.stmt, text: _Text) -> tuple[int, int | None, list[bytes]]:
    """Give the lines that a statement stands on, with where it begins in the first and ends in the last."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return node.col_offset, node.end_col_offset, text.raw[first - 1 : node.end_lineno]


def _same_code(one: ast.AST, other: ast.AST) -> bool:
    todo: list[tuple[object, object]] = [(one, other)]
    while todo:
        ours, theirs = todo.pop()
        if type(ours) is not type(theirs):
            return False
        if isinstance(ours, ast.AST):
            todo += [(getattr(ours, name, None), getattr(theirs, name, None)) for name in ours._fields]
        elif isinstance(ours, list) and isinstance(theirs, list):
            if len(ours) != len(theirs):
                return False
            todo += zip(ours, theirs, strict=True)
        elif repr(ours) != repr(theirs):
            return False
    return True


def _bare(token: tokenize.TokenInfo) -> str:
    """Give a token without its looks: a text is a text in whichever quotes."""
    if token.type == tokenize.STRING:
        try:
            return repr(ast.literal_eval(token.string))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return token.string
    return token.string


# ---------------------------------------------------------------- one stretch


def _kinds(old: _Stretch, new: _Stretch, *, alike: bool) -> Iterator[str]:
    """Name the kind of each changed line; `alike` says that both files are the same code."""
    ours, theirs = old.tokens(), new.tokens()
    if ours is None or theirs is None:
        same = _bare_text(old.lines) == _bare_text(new.lines)
    else:
        same = ours == theirs and _keeps_blocks(old, new)
    if alike or same:
        # What is no remark differs by its looks, or by the remark that stands behind it.
        told = COMMENTS if same and ours is not None and _remarks(old) != _remarks(new) else FORMATTING
        yield from (told if kind in (CODE, IMPORTS) else kind for side in (old, new) for kind in side.kinds())
    elif ours and theirs and _renamed(ours, theirs) and _keeps_blocks(old, new):
        yield from [RENAMES] * (old.high - old.low + new.high - new.low)
    else:
        yield from old.kinds()
        yield from new.kinds()


def _bare_text(lines: Iterable[str]) -> str:
    return "".join("".join(lines).split())


def _keeps_blocks(old: _Stretch, new: _Stretch) -> bool:
    """Say whether what does something begins at the same depth: at another one Python reads other code."""
    return _depth(old) == _depth(new)


def _depth(side: _Stretch) -> int | None:
    tokens = side.text.tokens or {}
    lines = (line for number, line in enumerate(side.lines, side.low) if number in tokens)
    first = next(lines, None)
    return None if first is None else len(first) - len(first.lstrip())


def _remarks(side: _Stretch) -> str:
    """Give what the comments of a stretch say."""
    return _bare_text(line.partition("#")[2] for line in side.lines)


def _renamed(ours: list[tuple[int, str]], theirs: list[tuple[int, str]]) -> bool:
    """Say whether the same names were exchanged for the same others everywhere, and nothing else differs."""
    if [kind for kind, _ in ours] != [kind for kind, _ in theirs]:
        return False
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for (kind, one), (_, other) in zip(ours, theirs, strict=True):
        if kind != tokenize.NAME and one != other:
            return False
        if kind == tokenize.NAME and (there.setdefault(one, other) != other or back.setdefault(other, one) != one):
            return False
    changed = {one for one, other in there.items() if one != other}
    return bool(changed) and not any(keyword.iskeyword(name) for one in changed for name in (one, there[one]))
