"""Source text, its syntax tree, and edits as splices of the text.

The search works on ``ast``; what is tried and what is written is always the file's own text with a few characters
replaced, so formatting, comments, encoding and newlines stay as they were.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
from dataclasses import dataclass
from typing import Any, Iterator, NamedTuple, Optional, Union

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Expressions that need no brackets wherever they are put.
ATOMS = (
    ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant, ast.List, ast.Dict, ast.Set, ast.ListComp,
    ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip
# Expressions whose operands bind tighter than most things, so that a new operand needs brackets.
TIGHT = (
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.Attribute,
    ast.Subscript,
    ast.Starred,
    ast.Await,
    ast.IfExp,
)


PLAIN = re.compile(r"[A-Za-z_][\w.]*(?:\([^()]*\)|\[[^\[\]]*\])*|'[^'\n]*'|\"[^\"\n]*\"|\[[^\[\]]*\]")
NUMBER = re.compile(r"-?[\d.]+")


class Splice(NamedTuple):
    """Replace ``text[start:end]`` of one file by ``new``."""

    path: str
    start: int
    end: int
    new: str


def apply(text: str, splices: list[Splice]) -> Optional[str]:
    """The text after all splices of one file, or None where two of them overlap."""
    end = len(text) + 1
    for splice in sorted(splices, key=lambda one: (one.start, one.end), reverse=True):
        if splice.end > end:
            return None
        text = text[: splice.start] + splice.new + text[splice.end :]
        end = splice.start
    return text


@dataclass(frozen=True)
class Encoded:
    """A file's text and what is needed to write it back byte for byte."""

    text: str
    encoding: str
    bom: bool

    def encode(self, text: str) -> bytes:
        """The bytes of ``text`` in the file's own encoding."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)


def decode(data: bytes) -> Encoded:
    """Decode Python source by its cookie and mark; SyntaxError or UnicodeDecodeError where that fails."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    bom = data.startswith(codecs.BOM_UTF8)
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    return Encoded(data[len(codecs.BOM_UTF8) if bom else 0 :].decode(encoding), encoding, bom)


class Source:
    """One project file: text, tree, and the way from nodes to character positions.

    Not `linked`, nobody asks it what a node is in.
    """

    def __init__(self, path: str, data: bytes, linked: bool = True) -> None:
        self.path = path
        self.encoded = decode(data)
        self.text = self.encoded.text
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        # Comments and cookies do not matter to ast.parse(str); line ends do, and it takes all three kinds.
        self.lines: list[str] = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", self.text)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.tree = ast.parse(self.text)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.in_fstring: set[ast.AST] = set()
        self.mined: dict[str, Any] = {}  # what the search has gathered from the whole file, kept with it
        self._functions: Optional[list[Function]] = None
        if linked:
            self._link(self.tree, False)

    def _link(self, node: ast.AST, fstring: bool) -> None:
        for child in ast.iter_child_nodes(node):
            self.parents.setdefault(child, node)
            inside = fstring or isinstance(child, ast.JoinedStr)
            if fstring:
                self.in_fstring.add(child)
            self._link(child, inside)

    def position(self, lineno: int, column: int) -> int:
        """Character position of an ast position, whose column counts UTF-8 bytes."""
        line = self.lines[lineno - 1] if lineno <= len(self.lines) else ""
        if not line.isascii():
            column = len(line.encode("utf-8")[:column].decode("utf-8", "ignore"))
        return self.starts[lineno - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end position of a node."""
        return (
            self.position(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.position(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def segment(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def atom(self, node: ast.AST) -> str:
        """The text of an expression, in brackets unless it can stand anywhere."""
        text = self.segment(node)
        if isinstance(node, ATOMS) and not (isinstance(node, ast.Constant) and text[:1].isdigit()):
            return text
        if isinstance(node, ast.Constant):
            return text
        if isinstance(node, (ast.Tuple, ast.GeneratorExp)) and text.startswith("(") and text.endswith(")"):
            return text
        return f"({text})"

    def replace(self, node: ast.AST, new: str, loose: bool = True) -> Splice:
        """Put ``new`` in the place of an expression; ``loose`` text gets brackets where its place needs them."""
        start, end = self.span(node)
        if loose and self.tight(node) and not self.fits(node, new):
            new = f"({new})"
        return Splice(self.path, start, end, new)

    def fits(self, node: ast.AST, new: str) -> bool:
        """Whether a text needs no brackets even in a tight place: a name, a call of one, a number."""
        parent = self.parents.get(node)
        number_fits = isinstance(parent, (ast.Compare, ast.BoolOp)) or (
            isinstance(parent, ast.BinOp) and not isinstance(parent.op, ast.Pow)
        )
        return bool(PLAIN.fullmatch(new)) or (number_fits and bool(NUMBER.fullmatch(new)))

    def tight(self, node: ast.AST) -> bool:
        """Whether the place of this expression needs brackets around anything that is no atom."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.Subscript) and node is parent.slice:
            return False
        if isinstance(parent, ast.Call):
            return node is parent.func
        if isinstance(parent, TIGHT):
            start, end = self.span(node)
            return not (self.text[start - 1 : start] == "(" and self.text[end : end + 1] == ")")
        return False

    def statement(self, node: ast.AST) -> Optional[ast.stmt]:
        """The innermost statement that holds a node."""
        current: Optional[ast.AST] = node
        while current is not None and not isinstance(current, ast.stmt):
            current = self.parents.get(current)
        return current

    def function(self, node: ast.AST) -> Optional[Function]:
        """The innermost function that holds a node, not counting the node itself."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, FUNCTIONS):
            current = self.parents.get(current)
        return current

    def owner(self, node: ast.AST) -> Optional[ast.ClassDef]:
        """The innermost class that holds a node, not counting the node itself."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, ast.ClassDef):
            current = self.parents.get(current)
        return current

    def functions(self) -> Iterator[Function]:
        """Every function of the file, outer before inner."""
        if self._functions is None:
            self._functions = [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]
        yield from self._functions

    def indent(self, node: ast.stmt) -> str:
        """The white space before a statement (of its line, where others stand before it)."""
        line: str = self.lines[node.lineno - 1]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def alone(self, node: ast.stmt) -> bool:
        """Whether a statement has its lines for itself (decorators, semicolons and one-line bodies are not)."""
        start, end = self.span(node)
        before = self.text[self.starts[node.lineno - 1] : start]
        after = self.text[end : self.starts[(node.end_lineno or node.lineno)]]
        return not before.strip() and (not after.strip() or after.strip().startswith("#"))

    def block(self, first: ast.stmt, last: Optional[ast.stmt] = None) -> tuple[int, int]:
        """Start and end of the whole lines of one or several statements, last line end included."""
        last = last or first
        return self.starts[first.lineno - 1], self.starts[last.end_lineno or last.lineno]
