"""Every error that reeve raises on purpose.

    ReeveError
    ├── InputError          what the person gave cannot be used (exit 2, nothing was started)
    │   ├── TaskError       a task file or row; carries file and line
    │   └── SettingsError   reeve.toml; carries file and line
    ├── RepositoryError     a repository, commit, tree or patch cannot be read or written
    │   └── PatchError      a patch does not apply, or touches what no patch may touch
    ├── SandboxError        the sandbox itself failed (never: the command inside it failed)
    │   └── GatewayError    the gateway could not be started, or does not answer
    ├── SetupError          an environment could not be made; carries the log
    ├── CheckError          a check could not run: the result is unverified, never failed
    ├── LedgerError         a fact could not be stored or read
    └── Interrupted         the person asked to stop; what was done is kept

A message says what was being done, what was found, and what to do next.
"""


class ReeveError(Exception):
    """The root of all errors that reeve raises on purpose; its text is meant for a person."""

    exit_code = 1


class InputError(ReeveError):
    """What the person gave cannot be used; nothing has been started."""

    exit_code = 2


class LocatedError(InputError):
    """An input error at a place in a file; `str()` gives ``file:line: message``."""

    def __init__(self, message: str, *, file: str, line: int) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line


class TaskError(LocatedError):
    """A task cannot be read."""


class SettingsError(LocatedError):
    """reeve.toml cannot be read."""


class RepositoryError(ReeveError):
    """A repository, commit or tree cannot be read or written."""


class PatchError(RepositoryError):
    """A patch does not apply, or touches what no patch may touch."""


class SandboxError(ReeveError):
    """The sandbox itself failed; says nothing about the command that was to run in it."""


class GatewayError(SandboxError):
    """The gateway could not be started or does not answer; says nothing about the attempts behind it."""


class SetupError(ReeveError):
    """An environment could not be made; `log` holds what the set-up printed."""

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class CheckError(ReeveError):
    """A check could not run; its result is unverified."""


class LedgerError(ReeveError):
    """A fact could not be stored or read."""


class Interrupted(ReeveError):  # noqa: N818 - named after what happened, as KeyboardInterrupt is
    """The person asked to stop."""

    exit_code = 130
