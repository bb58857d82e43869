"""What an agent may do where it asks: the owner's rules, in their order, as a function of what is asked for.

A rule that allows must fit all of what is asked; one that rejects or asks a person needs to fit some part of it. An
agent cannot pass a rule by asking for more at once, or by putting something in front of a command.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from reeve.attempt.shell import UNKNOWN, Simple, Unreadable, simple_commands
from reeve.globs import matches
from reeve.records import Answer, Rule

__all__ = ["NO_RULE", "answer"]

NO_RULE = "no rule: the walls hold"
"""What is said where no rule fits: allowed, since whatever is done stays behind the walls and is checked afterwards."""

TREE = "/work"
MAX_PARTS = 4_096  # commands times paths of one request
MAX_PATH_CHARACTERS = 4_096
STRICTEST = (Answer.REJECT, Answer.ASK, Answer.ALLOW)
TAKES_ALL_BELOW = ("delete", "move")
COMPOUND = re.compile(r"[;|&<>()`$\n]")

Fit = tuple[Answer, int, bool]
"""An answer, the number of its rule (0: none), and whether the rule is certain to fit."""


def answer(rules: Sequence[Rule], action: str, paths: Sequence[str], command: str) -> tuple[Answer, str]:
    """Answer what an agent asks for, and say by which rule; never raises, whatever it asks for.

    Each path with each simple command of `command` is a part, answered by the first rule that fits it; of all
    answers the strictest holds. A command that rejecting or asking rules might fit, if only the shell could tell, is
    put before a person.
    """
    parts: Sequence[Simple | None] = _parts(command) or [None]
    places: Sequence[str | None] = [_place(path) for path in paths] or [None]
    if len(parts) * len(places) > MAX_PARTS or any(place and len(place) > MAX_PATH_CHARACTERS for place in places):
        parts, places = [UNKNOWN], [None]
    fits = [fit for place in places for part in parts for fit in _first(rules, action, place, part)]
    fits += [fit for place in places for fit in _whole(rules, action, place, " ".join(command.split()))]
    found = min(fits, key=lambda fit: (STRICTEST.index(fit[0]), fit[1]))
    return found[0], _told(rules, found)


# ---------------------------------------------------------------- what is asked for


def _parts(command: str) -> tuple[Simple, ...]:
    if not command.strip():
        return ()
    try:
        return simple_commands(command) or (UNKNOWN,)
    except Unreadable:
        return (UNKNOWN,)


def _place(path: str) -> str:
    """Write a path in the one way that rules are compared with; links cannot be followed here."""
    return "/" + posixpath.normpath(posixpath.join(TREE, path)).lstrip("/")


# ---------------------------------------------------------------- which rule fits


def _first(rules: Sequence[Rule], action: str, place: str | None, part: Simple | None) -> Iterator[Fit]:
    """Give the first rule that is certain to fit, and a question for each one before it that might."""
    for number, rule in enumerate(rules, start=1):
        if rule.action not in ("", action):
            continue
        strict = rule.answer is not Answer.ALLOW
        fitting = (
            _path_fits(rule.path, place, action, strict=strict),
            _command_fits(rule.command, part, strict=strict),
        )
        if all(fitting):
            yield rule.answer, number, True
            return
        if strict and False not in fitting:
            yield Answer.ASK, number, False
    yield Answer.ALLOW, 0, True


def _whole(rules: Sequence[Rule], action: str, place: str | None, command: str) -> Iterator[Fit]:
    """Give the patterns that describe more than one simple command (``curl * | sh``) their say; they only forbid."""
    for number, rule in enumerate(rules, start=1):
        if rule.answer is Answer.ALLOW or rule.action not in ("", action) or not COMPOUND.search(rule.command):
            continue
        if fnmatchcase(command, rule.command) and _path_fits(rule.path, place, action, strict=True):
            yield rule.answer, number, True


def _path_fits(pattern: str, place: str | None, action: str, *, strict: bool) -> bool | None:
    """Say whether a path fits; None: something below it could, and the action takes all that is below.

    A pattern that begins with ``/`` is for the whole file system, another for the tree. One for any depth that rejects
    or asks holds outside of the tree too.
    """
    if not pattern or place is None:
        return not pattern
    inside = place == TREE or place.startswith(f"{TREE}/")
    if pattern.startswith("/"):
        path = place[1:]
    elif inside:
        path = place[len(TREE) + 1 :]
    elif strict and ("/" not in pattern.rstrip("/") or pattern.startswith("**")):
        path = place[1:]
    else:
        return False
    if matches(path, pattern):
        return True
    below = path == "" or _certain(pattern).lstrip("/").startswith(f"{path}/")
    return None if below and action in TAKES_ALL_BELOW else False


def _command_fits(pattern: str, part: Simple | None, *, strict: bool) -> bool | None:
    """Say whether a simple command fits; None: it might, and only the shell can tell.

    A rule that rejects or asks also fits behind something else (``sudo git push``, ``/usr/bin/git push``) and across
    options (``git -C . push``). It then fits a mere mention too (``echo git push``): rather once too often.
    """
    if not pattern:
        return True
    if part is None:
        return False
    if fnmatchcase(part.text, pattern):
        return True
    if not strict:
        return False
    program, _, rest = pattern.partition(" ")
    wide = (f"* {pattern}", *((f"{program} * {rest}", f"* {program} * {rest}") if rest else ()))
    bare = " ".join(word.rpartition("/")[2] for word in part.words)
    if any(fnmatchcase(text, each) for text in (part.text, bare) for each in (pattern, *wide)):
        return True
    might = part.certain < len(part.text) or part == UNKNOWN
    return None if might and _certain(pattern).startswith(part.text[: part.certain]) else False


def _certain(pattern: str) -> str:
    """Return what every text that fits a pattern begins with."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


# ---------------------------------------------------------------- how it is said


def _told(rules: Sequence[Rule], fit: Fit) -> str:
    _, number, certain = fit
    if not number:
        return NO_RULE
    rule = rules[number - 1]
    said = [f"rule {number}: {rule.answer}", rule.action, rule.path, rule.command]
    return " ".join(filter(None, said)) + ("" if certain else "; whether it fits cannot be told, so a person is asked")
