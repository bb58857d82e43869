"""The files with the rules of a person and of a repository: read where a run starts, added to by `reeve reject`."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reeve.errors import InputError, SettingsError
from reeve.ledger.plain import one_line
from reeve.records import Whose
from reeve.settings import Settings
from reeve.task.rules import MAX_BYTES, rules_of, with_rule

__all__ = ["Added", "add_rule", "check_rule", "given_rules", "read_rules"]

TITLES = {Whose.ME: "My rules", Whose.REPOSITORY: "House rules"}


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a rule; `new` false: it stood in the file already."""

    whose: Whose
    file: str
    text: str
    new: bool


@dataclass(frozen=True, slots=True)
class _File:
    """One file of rules: as it is shown, and where it really is."""

    shown: str
    path: Path

    def read(self) -> bytes:
        """Return what it holds, a little beyond what it may; nothing if it is not there. A pipe does not block."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SettingsError("must be a file", file=self.shown, line=1)
                return file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise SettingsError(f"cannot be read: {error.strerror}", file=self.shown, line=1) from None


def given_rules(settings: Settings) -> tuple[str, ...]:
    """Read the rules for every attempt of a run, the person's first; one that both files hold is given once.

    Files that are not there hold none. Raises SettingsError with file and line.
    """
    files = [_file(settings, whose) for whose in Whose if whose is not Whose.ME or settings.profile is not None]
    return tuple(dict.fromkeys(rule for file in files for rule in rules_of(file.read(), file=file.shown)))


def read_rules(settings: Settings) -> tuple[tuple[Whose, str, str, str], ...]:
    """Read the files as they are: whose, which file, its text, and why it cannot be read; a problem hides no other."""
    found = []
    for whose in Whose:
        try:
            file = _file(settings, whose)
            found.append((whose, file.shown, file.read()[:MAX_BYTES].decode("utf-8", "replace"), ""))
        except InputError as error:
            found.append((whose, "", "", str(error)))
    return tuple(found)


def check_rule(settings: Settings, whose: Whose, text: str) -> None:
    """Raise InputError if a rule could not be added: known before anything is recorded that says it was."""
    file = _file(settings, whose)
    with_rule(file.read(), one_line(text), title=TITLES[whose], file=file.shown)


def add_rule(settings: Settings, whose: Whose, text: str) -> Added:
    """Add a rule to the end of its file, which is replaced as a whole; where a link leads there, the link stays."""
    file, rule = _file(settings, whose), one_line(text)
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(file.path.parent):
            made = with_rule(file.read(), rule, title=TITLES[whose], file=file.shown)
            if made is not None:
                _replace(file.path, made)
    except OSError as error:
        raise InputError(f"adding a rule to {file.shown}: {error.strerror}; write it there yourself: {rule}") from error
    return Added(whose, file.shown, rule, new=made is not None)


def _file(settings: Settings, whose: Whose) -> _File:
    if whose is Whose.REPOSITORY:
        path = (settings.root / settings.house_rules).resolve()
        if not path.is_relative_to(settings.root):
            # A cloned repository could else hand any file of the person to every agent.
            raise SettingsError(
                "house rules must lie in the project, this leads out", file=settings.house_rules, line=1
            )
        return _File(settings.house_rules, path)
    if settings.profile is None:
        raise InputError("no place is known for rules of your own: set HOME, or `profile` in reeve.toml")
    return _File(str(settings.profile), settings.profile.resolve())


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep others who add a rule in the same folder waiting; no file is left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
