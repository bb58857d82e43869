"""What a shell command runs, as far as its text says so: its simple commands, and those that stand inside of others.

This is for rules about commands, which are no walls: what a script, an alias or a variable hides is not seen, and is
left to the sandbox. Where the text leaves open what is run, that is said.
"""

import re
from dataclasses import dataclass, field

__all__ = ["UNKNOWN", "Simple", "Unreadable", "simple_commands"]

MAX_CHARACTERS = 32_768
MAX_COMMANDS = 500
MAX_DEPTH = 20

_OPEN = "\0"  # stands where only the shell knows the text
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "eval", "source", ".", "su", "ssh"))
_BEFORE = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "coproc"))
_NO_COMMAND = frozenset(("fi", "done", "esac", "}", "for", "case", "select", "function", "in", ";;"))
_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]*)'|\"([^\"\n]*)\"|(\\?)([^\s;&|<>()'\"`$\\]+))")
_REDIRECT = re.compile(r"&>>?|[<>]{1,3}[&|]?")
_LONE = re.compile(r"(?:\[\[?|\{)(?=\s)")  # commands of their own, and nothing that is expanded
_ARITHMETIC = re.compile(r"\$\(\([^()`$]*\)\)")


class Unreadable(Exception):  # noqa: N818 - it says what the text is
    """The text is no command that could be taken apart: a quotation that does not end, or too much of it."""


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command: its words without their quotes, and how many characters of it are certain.

    Beyond `certain` stands something that only the shell knows: a variable, what another command prints.
    """

    words: tuple[str, ...]
    certain: int

    @property
    def text(self) -> str:
        """All words on one line."""
        return " ".join(self.words)


UNKNOWN = Simple((), 0)
"""Anything at all."""


def simple_commands(command: str) -> tuple[Simple, ...]:
    """List what a command runs, in order; raises Unreadable."""
    if len(command) > MAX_CHARACTERS or _OPEN in command:
        raise Unreadable
    return tuple(_read(command, 0))


def _read(text: str, depth: int) -> list[Simple]:
    reader = _Reader(text, depth)
    reader.read("")
    return reader.found


@dataclass(slots=True)
class _Line:
    """The words of the command under way."""

    words: list[str] = field(default_factory=list)
    word: str | None = None
    target: bool = False  # the next word is a file, not part of the command

    def add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def end_word(self) -> None:
        if self.word is not None and not self.target:
            self.words.append(self.word)
        self.target = self.target and self.word is None
        self.word = None


@dataclass(slots=True)
class _Reader:
    text: str
    depth: int
    at: int = 0
    found: list[Simple] = field(default_factory=list)
    heredocs: list[tuple[str, bool, bool]] = field(default_factory=list)  # end, tabs are stripped, is expanded
    shell: bool = False  # one stands on this line, and may be given what follows

    def read(self, closing: str) -> None:
        """Take in commands up to `closing`; "": to the end of the text."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        line = _Line()
        while self.at < len(self.text):
            one = self.text[self.at]
            if one == closing:
                self.at += 1
                break
            line = self._step(one, line)
        else:
            if closing:
                raise Unreadable
        self._end(line)
        self.depth -= 1

    def _step(self, one: str, line: _Line) -> _Line:
        """Take in what begins here; returns the command under way, a new one where one has ended."""
        if one in "<>" or self.text.startswith("&>", self.at):
            self._redirect(line)
        elif one in "\n;&|()":
            self._end(line)
            line = _Line()
            self.at += 1
            if one == "(":
                self.read(")")
            elif one == "\n":
                self._bodies()
        elif one in " \t":
            line.end_word()
            self.at += 1
        elif one == "#" and line.word is None:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif one == "'":
            end = self._find("'", self.at + 1)
            line.add(self.text[self.at + 1 : end])
            self.at = end + 1
        elif one == '"':
            self.at += 1
            line.add(self._quoted('"'))
        elif one == "\\":
            after = self.text[self.at + 1 : self.at + 2]
            self.at += 2
            if after != "\n":
                line.add(after)
        elif one in "$`":
            line.add(self._expansion())
        else:
            plain = one not in "*?[{~" or (line.word is None and _LONE.match(self.text, self.at))
            line.add(one if plain else f"{_OPEN}{one}")
            self.at += 1
        return line

    def _expansion(self) -> str:
        """Take in ``$`` or a backtick; commands inside are commands of their own."""
        if found := _ARITHMETIC.match(self.text, self.at):
            self.at = found.end()
            return f"{_OPEN}{found[0]}"
        start = self.at
        if self.text.startswith("$(", start):
            self.at += 2
            self.read(")")
        elif self.text[start] == "`":
            self.at += 1
            self.read("`")
        else:
            self.at += 1
        return _OPEN + self.text[start : self.at]

    def _quoted(self, closing: str) -> str:
        """Take in text between double quotes, or the rest of the text."""
        words = ""
        while self.at < len(self.text):
            one = self.text[self.at]
            if one == closing:
                self.at += 1
                return words
            if one in "$`":
                words += self._expansion()
            elif one == "\\" and self.text[self.at + 1 : self.at + 2] in tuple('$`"\\\n'):
                words += self.text[self.at + 1 : self.at + 2].strip("\n")
                self.at += 2
            else:
                words += one
                self.at += 1
        if closing:
            raise Unreadable
        return words

    def _redirect(self, line: _Line) -> None:
        if line.word is not None and line.word.isdigit():
            line.word = None
        line.end_word()
        if self.text.startswith("<<<", self.at):
            self.at += 3  # the word that follows is data, which a shell would run: it stays
        elif self.text.startswith("<<", self.at):
            found = _HEREDOC.match(self.text, self.at)
            if found is None:
                raise Unreadable
            ends = found[2] if found[2] is not None else found[3] if found[3] is not None else found[5]
            self.heredocs.append((ends, bool(found[1]), found[5] is not None and not found[4]))
            self.at = found.end()
        elif self.text.startswith(("<(", ">("), self.at):
            self.at += 2
            self.read(")")
            line.add(_OPEN)
        else:
            found = _REDIRECT.match(self.text, self.at)
            self.at += len(found[0]) if found else 1
            line.target = True

    def _bodies(self) -> None:
        """Take in the texts that were announced on the line before: data, unless a shell may be given them."""
        for ends, strips, expands in self.heredocs:
            lines = []
            while self.at < len(self.text):
                stop = self.text.find("\n", self.at)
                stop = len(self.text) if stop < 0 else stop
                each = self.text[self.at : stop]
                self.at = stop + 1
                if (each.lstrip("\t") if strips else each) == ends:
                    break
                lines.append(each)
            body = _Reader("\n".join(lines), self.depth)
            if self.shell:
                body.read("")
            elif expands:
                body._quoted("")
            self._keep(body.found)
        self.heredocs, self.shell = [], False

    def _end(self, line: _Line) -> None:
        """Keep a command that has ended, and what it gives to a shell."""
        line.end_word()
        words = line.words
        while words and words[0] in _BEFORE:
            words = words[1:]
        if not words or words[0] in _NO_COMMAND:
            return
        text = " ".join(words)
        certain = text.partition(_OPEN)[0]
        shell = next((place for place, word in enumerate(words) if word.rpartition("/")[2] in _SHELLS), None)
        if shell is not None:
            self.shell = True
            given = [word for word in words[shell + 1 :] if not word.startswith("-")]
            if not given:
                certain = ""  # it runs what it is told on its input
            for word in given:
                if _OPEN in word or re.search(r"[\s;&|]", word):
                    self._keep(_read(word.replace(_OPEN, ""), self.depth))
        self._keep([Simple(tuple(word.replace(_OPEN, "") for word in words), len(certain))])

    def _keep(self, commands: list[Simple]) -> None:
        self.found += commands
        if len(self.found) > MAX_COMMANDS:
            raise Unreadable

    def _find(self, mark: str, start: int) -> int:
        found = self.text.find(mark, start)
        if found < 0:
            raise Unreadable
        return found
