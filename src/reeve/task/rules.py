"""Rules that a person, or a repository, gives to every agent: read from Markdown, and added to it."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from reeve.errors import SettingsError
from reeve.task.located import Unreadable, decode

__all__ = ["ADDED", "MAX_BYTES", "MAX_CHARACTERS", "MAX_RULES", "rules_of", "with_rule"]

MAX_BYTES = 65_536
"""Of one file; read no further than this."""

MAX_RULES = 100
"""In one file: every attempt is given all of them, so their number costs whatever an agent costs."""

MAX_CHARACTERS = 2_000
"""Of one rule."""

ADDED = "Corrections"
"""Heading below which rules are added to a file that has sections."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BREAK = re.compile(r" {0,3}([-*_=])(?:[ \t]*\1){2,}[ \t]*")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_ITEM = re.compile(r"( *)(?:[-*+]|\d{1,9}[.)])(?:[ \t]+(.*))?")
_FENCE = re.compile(r"\s*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)?(```|~~~)")


@dataclass(slots=True)
class _Block:
    """One rule as it was written: an item of a list with all that is indented below it, or text outside of lists."""

    line: int
    section: str
    lines: list[str]
    indent: int | None = None  # of the mark of an item; None: it is no item

    @property
    def text(self) -> str:
        """Without what makes it an item."""
        first, *rest = self.lines
        return "\n".join((first, textwrap.dedent("\n".join(rest)))).strip()


@dataclass(slots=True)
class _Document:
    """What has been read so far."""

    blocks: list[_Block] = field(default_factory=list)
    section: str = ""
    open: _Block | None = None  # what the next line may belong to
    fence: str = ""  # that closes the code under way
    blank: bool = True  # the line before was

    def read(self, line: str, number: int) -> None:
        """Take in one line."""
        mark = _FENCE.match(line)
        if self.fence or (mark and self._continues(line)):
            self._go_on(line, number)
        elif _BREAK.fullmatch(line):
            self.open = None
        elif heading := _HEADING.fullmatch(line):
            self._head(len(heading[1]), (heading[2] or "").strip())
        elif (item := _ITEM.fullmatch(line)) and len(item[1]) <= self._deepest():
            self._begin(_Block(number, self.section, [item[2] or ""], len(item[1])))
        elif line.strip() or self.open:
            self._go_on(line, number)
        if mark and self.fence in ("", mark[1]):
            self.fence = "" if self.fence else mark[1]
        self.blank = not line.strip()

    def _deepest(self) -> int:
        """How far the mark of a new item may be indented; one further in belongs to the item above it."""
        return 3 if self.open is None or self.open.indent is None else self.open.indent

    def _continues(self, line: str) -> bool:
        return self.open is not None and not _ITEM.fullmatch(line)

    def _head(self, level: int, text: str) -> None:
        title = level == 1 and not self.blocks and not self.section
        self.section, self.open = "" if title else text, None

    def _go_on(self, line: str, number: int) -> None:
        is_item = self.open is not None and self.open.indent is not None
        if self.open is None or (is_item and self.blank and not self.fence and line.strip() and line[0] not in " \t"):
            self._begin(_Block(number, self.section, []))
        if self.open is not None:
            self.open.lines.append(line)

    def _begin(self, block: _Block) -> None:
        self.open = block
        self.blocks.append(block)


def rules_of(content: bytes, *, file: str) -> tuple[str, ...]:
    """Read the rules of a Markdown file: each top-level item of a list is one, and so is text outside of lists.

    Headings and comments are no rules. Below a heading other than the title a rule begins with it ("Never: push"):
    without it, it could say the opposite. Raises SettingsError with line where the file is no UTF-8 or too large.
    """
    return tuple(f"{each.section}: {each.text}" if each.section else each.text for each in _written(content, file))


def with_rule(content: bytes, rule: str, *, title: str, file: str) -> bytes | None:
    """Return a file with one rule more, on one line at its end; None: it is there already.

    What stands in it stays byte for byte. An empty file is given a title. Raises SettingsError as `rules_of`, and
    where the rule would not be read as one there, as after code that does not end.
    """
    rule = " ".join(rule.split())
    before = _written(content, file)
    if any(" ".join(each.text.split()) == rule for each in before):
        return None
    made = content + "".join(_addition(content, rule, title)).encode()
    after = [(each.section, each.text) for each in _written(made, file)]
    section = after[-1][0] if after else ""
    if after != [*((each.section, each.text) for each in before), (section, rule)] or section not in ("", ADDED):
        message = f"at the end of this file {rule!r} would not be read as a rule; write it there yourself"
        raise SettingsError(message, file=file, line=content.count(b"\n") + 1)
    return made


def _addition(content: bytes, rule: str, title: str) -> Iterator[str]:
    text = content.decode("utf-8-sig")
    end = "\r\n" if "\r\n" in text else "\n"
    document = _document(text)
    if not text.strip():
        yield f"# {title}{end}{end}"
    elif not text.endswith("\n"):
        yield end
    if document.section not in ("", ADDED):
        yield f"{end}## {ADDED}{end}{end}"
    elif text.strip() and (document.open is None or document.open.indent is None):
        yield end
    yield f"- {rule}{end}"


def _written(content: bytes, file: str) -> list[_Block]:
    if len(content) > MAX_BYTES:
        raise SettingsError(f"rules may take {MAX_BYTES >> 10} KB, found more", file=file, line=1)
    try:
        text = decode(content)
    except Unreadable as error:
        raise SettingsError(error.message, file=file, line=error.line) from None
    bare = _without_comments(text)
    if (start := bare.find("<!--")) >= 0:
        raise SettingsError("this comment does not end", file=file, line=bare.count("\n", 0, start) + 1)
    found = [block for block in _document(text).blocks if block.text]
    if len(found) > MAX_RULES:
        message = f"a file may hold {MAX_RULES} rules, this is one more"
        raise SettingsError(message, file=file, line=found[MAX_RULES].line)
    for block in found:
        if len(block.text) > MAX_CHARACTERS:
            message = f"a rule may have {MAX_CHARACTERS} characters, found {len(block.text)}"
            raise SettingsError(message, file=file, line=block.line)
    return found


def _document(text: str) -> _Document:
    document = _Document()
    for number, line in enumerate(_without_comments(text).split("\n"), start=1):
        document.read(line.removesuffix("\r").expandtabs(4), number)
    return document


def _without_comments(text: str) -> str:
    """Take comments out; the lines after them keep their numbers."""
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
