"""What the families of findings have in common: something seen in a file, and what a patch adds of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reeve.records import Outcome

__all__ = ["Finding", "Seen", "added"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Something of interest in one version of one file.

    `what` identifies it wherever it stands, `scope` is the function or class around it. Where `per_file` is set, a
    file that did it once may do it again: what it does is no news then.
    """

    what: str
    line: int
    scope: str
    outcome: Outcome
    text: str  # what the code does, as the end of a sentence
    per_file: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a patch brings; PASSED makes it a note. `line` 0: the whole file."""

    outcome: Outcome
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.text}" if self.line else f"{self.path} {self.text}"


def added(before: Iterable[tuple[str, Seen]], after: Iterable[tuple[str, Seen]]) -> list[Finding]:
    """List what is there after and was not there before, each with its path.

    What stands in another function or file than before was moved: as often as something went, it may come back.
    """
    before, after = list(before), list(after)
    kinds = {seen.what for _, seen in before}
    same = Counter((path, seen.scope, seen.what) for path, seen in before)
    rest = Counter(seen.what for _, seen in before)
    left = []
    for path, seen in after:
        if seen.per_file and seen.what in kinds:
            continue
        if same[path, seen.scope, seen.what]:
            same[path, seen.scope, seen.what] -= 1
            rest[seen.what] -= 1
        else:
            left.append((path, seen))
    found = []
    for path, seen in left:
        if rest[seen.what] > 0:
            rest[seen.what] -= 1
            continue
        where = f" in {seen.scope}()" if seen.scope else ""
        found.append(Finding(seen.outcome, path, seen.line, f"{seen.text}{where}"))
    return found
