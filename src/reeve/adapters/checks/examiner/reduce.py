"""A patch as lines that can be taken away, and the search for those that nothing needs.

A patch is a list of files, a file a list of parts: text that stays, lines added, lines removed. Every line added or
removed has a number; what is kept of a patch is a set of numbers, so whatever comes of a search is made of lines of the
base and of the result, in their order. Stands alone, for Python 3.8 and newer, and runs nothing itself.
"""

from __future__ import annotations

import re
from typing import Any, Callable, FrozenSet, Iterable, List, Sequence, Tuple

Kept = FrozenSet[int]
Piece = Tuple[int, ...]

STAYS, ADDED, REMOVED = " ", "+", "-"
WORD = re.compile(r"[^\W\d]\w*")
MOST_RENAMES = 6


class Torn(Exception):
    """What is kept of a file has a line in the middle that does not end."""


class FilePatch:
    """One changed file; the texts are bytes decoded as Latin-1, `first` is the number of its first changed line.

    A file that is added or removed has an empty first part, so that even an empty one can be kept or not. With `whole`
    it can only be taken or left: it is no text, or too large.
    """

    def __init__(self, plan: dict[str, Any], first: int) -> None:
        self.path: str = plan["path"]
        self.parts: list[tuple[str, str]] = [(str(kind), str(text)) for kind, text in plan["parts"]]
        self.added, self.removed, self.whole = bool(plan["added"]), bool(plan["removed"]), bool(plan["whole"])
        self.numbers: list[int] = []  # of each part; -1 for one that stays
        number = first
        for kind, _ in self.parts:
            self.numbers.append(-1 if kind == STAYS else number)
            number += kind != STAYS
        self.first, self.end = first, number

    @property
    def all(self) -> range:
        """The numbers of its changed lines."""
        return range(self.first, self.end)

    @property
    def python(self) -> bool:
        """Its name is that of Python source."""
        return self.path.endswith(".py")

    def texts(self, kept: Kept) -> list[str]:
        """What is left of each part."""
        return [
            text if kind == STAYS or (kind == ADDED) == (number in kept) else ""
            for (kind, text), number in zip(self.parts, self.numbers)  # noqa: B905 - Python 3.8
        ]

    def content(self, kept: Kept) -> bytes | None:
        """The file with what is kept of the patch; None: there is no such file then. Torn where lines run together."""
        held = sum(number in kept for number in self.all)
        if (self.added and not held) or (self.removed and held == len(self.all)):
            return None
        if self.whole and 0 < held < len(self.all):
            raise Torn(self.path)
        texts = [text for text in self.texts(kept) if text]
        if not self.whole and any(not text.endswith("\n") for text in texts[:-1]):
            raise Torn(self.path)
        return "".join(texts).encode("latin-1")

    def hunks(self) -> list[Piece]:
        """Changed lines that stand together."""
        found: list[list[int]] = []
        joined = False
        for number in self.numbers:
            if number < 0:
                joined = False
                continue
            if joined or (self.whole and found):
                found[-1].append(number)
            else:
                found.append([number])
            joined = True
        return [tuple(hunk) for hunk in found]


class Patch:
    """All changed files of a patch."""

    def __init__(self, files: Iterable[dict[str, Any]]) -> None:
        self.files: list[FilePatch] = []
        self.kinds: list[str] = []
        self.lines: list[str] = []
        for plan in files:
            file = FilePatch(plan, len(self.lines))
            self.files.append(file)
            changed = [part for part in file.parts if part[0] != STAYS]
            self.kinds += [kind for kind, _ in changed]
            self.lines += [text for _, text in changed]
        self.all: Kept = frozenset(range(len(self.lines)))

    def of(self, number: int) -> FilePatch:
        """The file of a changed line."""
        return next(file for file in self.files if file.first <= number < file.end)

    def pairs(self, piece: Piece) -> list[Piece]:
        """A removed line and the added one after it, which most likely took its place, go together."""
        found: list[Piece] = []
        for number in piece:
            follows = found and len(found[-1]) == 1 and found[-1][0] == number - 1
            if follows and self.kinds[number] == ADDED and self.kinds[number - 1] == REMOVED:
                found[-1] = (number - 1, number)
            else:
                found.append((number,))
        return found

    def added_blocks(self, piece: Piece) -> list[Piece]:
        """Added lines with what is indented deeper below them."""
        return self.blocks(tuple(number for number in piece if self.kinds[number] == ADDED))

    def singles(self, piece: Piece) -> list[Piece]:
        """Lines by themselves, but for removed ones in whose place another is kept: nobody writes both."""
        replaced = {pair[0] for pair in self.pairs(piece) if len(pair) == 2}
        return [(number,) for number in piece if number not in replaced]

    def blocks(self, piece: Piece) -> list[Piece]:
        """Lines with what is indented deeper below them."""
        found: list[list[int]] = []
        head = 0
        for pair in self.pairs(piece):
            line = self.lines[pair[-1]]
            indent = len(line) - len(line.lstrip())
            if found and (not line.strip() or indent > head or line.strip()[0] in ")]}"):
                found[-1] += pair
            else:
                found.append([*pair])
                head = indent
        return [tuple(block) for block in found]

    def cosmetic(self) -> list[Piece]:
        """Pieces that look as if they changed no code: blank lines, comments, white space."""
        found: list[Piece] = []
        for file in self.files:
            if file.python and not file.whole:
                for hunk in file.hunks():
                    found += [pair for pair in self.pairs(hunk) if self._looks_cosmetic(pair)]
        return found

    def _looks_cosmetic(self, pair: Piece) -> bool:
        bare = ["".join(self.lines[number].partition("#")[0].split()) for number in pair]
        return not bare[0] if len(pair) == 1 else bare[0] == bare[1]

    def renames(self) -> list[Piece]:
        """Lines that differ by one name in place of another only, all lines of one such exchange together."""
        found: dict[tuple[str, str], list[int]] = {}
        for file in self.files:
            for hunk in file.hunks() if not file.whole else ():
                for pair in self.pairs(hunk):
                    exchanged = renamed(self.lines[pair[0]], self.lines[pair[1]]) if len(pair) == 2 else None
                    if exchanged is not None:
                        found.setdefault(exchanged, []).extend(pair)
        several = sorted(found.values(), key=len, reverse=True)
        return [tuple(lines) for lines in several if len(lines) > 2][:MOST_RENAMES]


def renamed(before: str, after: str) -> tuple[str, str] | None:
    """The one name of a line that has another in its place, everywhere and nothing else; None for other lines."""
    if WORD.sub("", before) != WORD.sub("", after):
        return None
    old, new = WORD.findall(before), WORD.findall(after)
    exchanged = {(one, other) for one, other in zip(old, new) if one != other}  # noqa: B905 - Python 3.8
    if len(old) != len(new) or len(exchanged) != 1:
        return None
    one, other = next(iter(exchanged))
    return (one, other) if one not in new and other not in old else None


class Reduction:
    """The search for a smallest part of a patch that still holds.

    `holds` says whether what is kept gives what the whole gives, `same` whether that is certain without running
    anything, `dear` whether a line can only be tried at a high price; `minimise` is delta debugging.
    """

    def __init__(
        self,
        patch: Patch,
        holds: Callable[[Kept], bool],
        same: Callable[[Kept], bool],
        dear: Callable[[int], bool],
        minimise: Callable[..., Sequence[Piece]],
    ) -> None:
        self.patch, self.holds, self.same, self.dear, self.minimise = patch, holds, same, dear, minimise
        self.kept = patch.all

    def run(self) -> Kept:
        """What is needed: first what costs nothing to know, then what is cheap to try, then the rest."""
        self.drop_unrun()
        for piece in self.patch.renames():
            self.drop(piece)
        dear = {number for number in self.kept if self.dear(number)}
        if dear != self.kept and not self.drop(dear):
            self.drop_other_files()
        self.levels(lambda number: not self.dear(number))
        self.levels(lambda _: True)
        return self.kept

    def drop_unrun(self) -> None:
        """Take away what leaves the code as it is: files, looks, hunks."""
        for file in self.patch.files:
            self.drop_if_same(file.all)
        looks = self.patch.cosmetic()
        if not self.drop_if_same([number for piece in looks for number in piece]):
            for piece in looks:
                self.drop_if_same(piece)
        for piece in self.pieces(lambda _: True):
            self.drop_if_same(piece)

    def drop_if_same(self, piece: Iterable[int]) -> bool:
        """Take away lines that make no difference to the code."""
        less = self.kept.difference(piece)
        if less != self.kept and self.same(less):
            self.kept = less
            return True
        return False

    def drop(self, piece: Iterable[int]) -> bool:
        """Take away lines if the rest holds without them."""
        less = self.kept.difference(piece)
        if less != self.kept and self.holds(less):
            self.kept = less
            return True
        return False

    def drop_other_files(self) -> None:
        """Texts and data are needed rarely: all at once, then one by one."""
        others = [file for file in self.patch.files if not file.python]
        if others and not self.drop([number for file in others for number in file.all]) and len(others) > 1:
            for file in others:
                self.drop(file.all)

    def pieces(self, wanted: Callable[[int], bool]) -> list[Piece]:
        """What is left of each hunk, where all of it is wanted."""
        hunks = [tuple(n for n in hunk if n in self.kept) for file in self.patch.files for hunk in file.hunks()]
        return [hunk for hunk in hunks if hunk and all(wanted(number) for number in hunk)]

    def levels(self, wanted: Callable[[int], bool]) -> None:
        """Whole files, hunks, blocks, lines that took the place of others, single lines."""
        files = [
            [piece for piece in self.pieces(wanted) if self.patch.of(piece[0]) is file] for file in self.patch.files
        ]
        self.level([tuple(n for piece in pieces for n in piece) for pieces in files if pieces])
        self.level(self.pieces(wanted))
        for finer in (self.patch.blocks, self.patch.added_blocks, self.patch.pairs, self.patch.singles):
            self.level([part for piece in self.pieces(wanted) for part in finer(piece)])

    def level(self, pieces: list[Piece]) -> None:
        """Keep as few of these pieces as hold together with everything that is not among them."""
        fixed = self.kept.difference(number for piece in pieces for number in piece)
        if not pieces or (len(pieces) == 1 and not fixed):
            return
        asked: List[Piece] = [piece for piece in pieces if piece]

        def rest(some: Iterable[Piece]) -> Kept:
            return fixed.union(number for piece in some for number in piece)

        if fixed and self.holds(rest(())):
            self.kept = fixed
        elif len(asked) > 1:
            self.kept = rest(self.minimise(asked, lambda some: self.holds(rest(some)), calls=1000))
