"""One clean tree to run checks in: every run gets a workspace of its own, and nothing of it is kept."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reeve.errors import Interrupted
from reeve.ports import Sandbox, Trees
from reeve.records import Ending, Environment, Limits, SandboxResult, SandboxRun, Workspace

__all__ = ["LOG_BYTES", "CleanTree", "Done", "regular_file", "tail"]

LOG_BYTES = 256 * 1024
"""How much of what a run printed is kept, from its end."""

FIXED_ENV = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}
"""What must be the same in every run for two of them to be comparable; a task may set it otherwise."""


def _nothing(_: Workspace) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended, what it printed (its end), and the workspace and folder it wrote to."""

    result: SandboxResult
    log: str
    workspace: Workspace
    out: Path


@dataclass(frozen=True)
class CleanTree:
    """A tree with an environment and limits; `run` starts from it afresh every time."""

    sandbox: Sandbox
    trees: Trees
    tree: str
    environment: Environment
    limits: Limits
    env: Mapping[str, str] = field(default_factory=dict)
    stop: Callable[[], bool] | None = None

    @property
    def python(self) -> str:
        """The interpreter that a run finds."""
        return "/env/bin/python" if self.environment.venv else "python3"

    @property
    def python_path(self) -> str:
        """Where a run looks for modules first, unless it is told otherwise; empty: nowhere in particular."""
        # Without walls there is no /work, where an editable installation says that the tree is.
        found = "/work/src:/work" if self.sandbox.name == "none" else ""
        return self.env.get("PYTHONPATH", found)

    @contextmanager
    def run(
        self,
        argv: tuple[str, ...],
        *,
        seconds: float,
        env: Mapping[str, str] | None = None,
        binds: Mapping[str, str] | None = None,
        remove: Callable[[Workspace], tuple[str, ...]] = _nothing,
        files: Mapping[str, bytes] | None = None,
        given: Mapping[str, bytes] | None = None,
        shown: Mapping[str, bytes] | None = None,
    ) -> Iterator[Done]:
        """Run one command to its end; what it wrote can be read until the block is left.

        `remove` names files of the tree that have to go before the start, `files` those that are put into it, `given`
        those that lie in /out, where the command can remove them, and `shown` those that it can only read, by where it
        finds them. All this stands beside the workspace, and is swept with it. Raises Interrupted when `stop` says so.
        """
        layers = (Path(self.environment.layer),) if self.environment.layer else ()
        workspace = self.trees.open(self.tree, f"check-{uuid.uuid4().hex[:16]}", layers)
        folder = Path(workspace.upper).parent / "check"
        folder.mkdir(mode=0o700)
        try:
            out = _shared(folder / "out")
            for name, content in (given or {}).items():
                _readable(out / name, content)
            mounts = dict(binds or {})
            for number, (place, content) in enumerate((shown or {}).items()):
                mounts[place] = str(_readable(folder / f"shown-{number}", content))
            found = {"PYTHONPATH": self.python_path} if self.python_path else {}
            if self.environment.venv:
                mounts["/env"] = self.environment.venv
            result = self.sandbox.run(
                SandboxRun(
                    argv=argv,
                    workspace=workspace,
                    limits=self.limits,
                    wall_seconds=seconds,
                    stdout=str(folder / "output"),
                    env={**FIXED_ENV, **found, **self.env, **(env or {})},
                    binds=mounts,
                    files={
                        **dict.fromkeys(remove(workspace)),
                        **{path: (content, False) for path, content in (files or {}).items()},
                    },
                    out=str(out),
                ),
                stop=self.stop,
            )
            if result.ending is Ending.INTERRUPTED:
                raise Interrupted("the checks were stopped; what was measured before is kept")
            yield Done(result, tail(folder / "output"), workspace, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self.trees.drop(workspace)


def _shared(folder: Path) -> Path:
    """Make a folder that the unprivileged user of the sandbox can write to, in a parent that only we can enter."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def _readable(path: Path, content: bytes) -> Path:
    """Write a file that the unprivileged user of the sandbox can read."""
    path.write_bytes(content)
    path.chmod(0o644)
    return path


def regular_file(path: Path, limit: int) -> bytes | None:
    """Read a file that a checked program wrote: never through a link, never blocking, at most `limit` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not os.path.isfile(f"/proc/self/fd/{file.fileno()}") or found.st_nlink > 1:
            return None
        return file.read(limit)


def tail(path: Path) -> str:
    """Read the end of what a run printed."""
    content = regular_file(path, 1 << 26) or b""
    return content[-LOG_BYTES:].decode("utf-8", "replace")
