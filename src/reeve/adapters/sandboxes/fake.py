"""A sandbox that starts no process: what a command would do is a function. For tests, ours and yours."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO

from reeve.records import Ending, SandboxResult, SandboxRun

__all__ = ["Act", "FakeSandbox"]

Act = Callable[[SandboxRun, Path, IO[bytes]], int]
"""Gets the run, the folder of the tree and the output; returns the exit status."""


class FakeSandbox:
    """Port Sandbox over copied trees; a detached run is done at once, and `starts` counts how often that happened."""

    name = "fake"

    def __init__(self, act: Act) -> None:
        self.act = act
        self.starts = 0

    def available(self) -> str:
        """Say why it cannot run here; it always can."""
        return ""

    def run(self, run: SandboxRun, *, stop: Callable[[], bool] | None = None) -> SandboxResult:
        """Put the files in place, call the function, name the ending by its status; not if `stop` says so by then."""
        if stop is not None and stop():
            return SandboxResult(Ending.INTERRUPTED, None, "it was stopped", 0.0, 0.0, 0.0)
        self.starts += 1
        tree, began = Path(run.workspace.upper), time.monotonic()
        for path, file in run.files.items():
            target = tree / path
            if file is None:
                target.unlink(missing_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file[0])
            target.chmod(0o755 if file[1] else 0o644)
        with open(run.stdout, "wb") as out:
            status = self.act(run, tree, out)
        ending = Ending.CRASHED if status else Ending.FINISHED
        return SandboxResult(ending, status, f"it ended with status {status}", time.monotonic() - began, 0.0, 0.0)

    def ensure(self, run: SandboxRun, folder: Path) -> None:
        """Do it now, once: a second call finds the exit record."""
        if self.begun(folder):
            return
        folder.mkdir(parents=True, exist_ok=True)
        record = json.dumps(asdict(self.run(run)))
        (folder / "exit.json").write_text(record, encoding="utf-8")

    def begun(self, folder: Path) -> bool:
        """Say whether a detached run of this folder has ended with its exit record."""
        return (folder / "exit.json").exists()

    def wait(self, folder: Path, *, stop: Callable[[], bool]) -> SandboxResult:
        """Return what was recorded; a run that was never started counts as one whose runner was killed."""
        del stop  # it is over already
        if not self.begun(folder):
            return SandboxResult(Ending.SANDBOX_FAILED, None, "it was never started", 0.0, 0.0, 0.0)
        data = json.loads((folder / "exit.json").read_text(encoding="utf-8"))
        return SandboxResult(**{**data, "ending": Ending(data["ending"]), "refused": tuple(data["refused"])})
