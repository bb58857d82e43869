"""Starting the runner that supervises one command, and getting its result; what bubblewrap and none have in common."""

import binascii
import fcntl
import json
import os
import py_compile
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

from reeve.errors import SandboxError
from reeve.records import Door, Ending, SandboxResult, SandboxRun
from reeve.units import megabytes

__all__ = ["FILES_LIMIT", "FILES_PER_MB", "RunState", "Supervised", "bytecode_of", "common_spec"]

FILES_LIMIT = 200_000
"""How many files one run may make at most."""

FILES_PER_MB = 200
"""How many files one run may make for each megabyte of disk that it may write."""

_RUNNER = Path(__file__).with_name("runner.py")
_LONGEST_PAUSE_SECONDS = 0.2

Spec = dict[str, Any]


def _runner_argv(*args: str) -> list[str]:
    # The interpreter itself, not the one of a virtual environment, which would look for its site packages.
    python = getattr(sys, "_base_executable", None) or sys.executable
    return [python, "-I", "-S", "-B", "-X", "utf8", str(bytecode_of(_RUNNER)), *args]


@cache
def bytecode_of(source: Path) -> Path:
    """Give the bytecode of a script, as Python keeps it beside an import, or the script itself where there is none.

    Python never keeps any for a script, and to compile this one anew takes longer than the interpreter's own start.
    """
    kept = Path(cache_from_source(str(source), optimization=""))
    if kept.parent.parent != source.parent:  # the runner looks for what stands beside it
        return source
    found = source.stat()
    head = MAGIC_NUMBER + struct.pack("<III", 0, int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    try:
        if not _begins(kept, head) and not sys.dont_write_bytecode:
            py_compile.compile(str(source), str(kept), doraise=True, optimize=0)
        return kept if _begins(kept, head) else source
    except (OSError, py_compile.PyCompileError):
        return source


def _begins(path: Path, head: bytes) -> bool:
    """Say whether a file begins like that; one that is not there does not."""
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except FileNotFoundError:
        return False


def common_spec(run: SandboxRun) -> Spec:
    """Give what every kind of sandbox tells its runner."""
    limits, workspace = run.limits, run.workspace
    writable = [folder for folder in (run.out, run.env_writable) if folder]
    return {
        "argv": list(run.argv),
        "tree": {"kind": workspace.kind, "lowers": workspace.lowers, "upper": workspace.upper, "work": workspace.work},
        "files": {
            path: None if file is None else [binascii.b2a_base64(file[0], newline=False).decode(), file[1]]
            for path, file in run.files.items()
        },
        "owned": writable,
        "written": [workspace.upper, *writable],
        "stdout": run.stdout,
        "wall_seconds": run.wall_seconds,
        "memory_bytes": megabytes(limits.memory_mb),
        "disk_bytes": megabytes(limits.disk_mb),
        "output_bytes": megabytes(limits.output_mb),
        "processes": limits.processes,
        "files_limit": min(FILES_LIMIT, FILES_PER_MB * limits.disk_mb),
        "door": None if run.door is None else _door(run.door),
    }


def _door(door: Door) -> Spec:
    """Give what the runner has to know of a way out, which is not what it is good for: no token."""
    return {
        "attempt": door.attempt,
        "socket": door.socket,
        "ports": [door.api_port, door.proxy_port],
        "private": True,
    }


def _result(data: Mapping[str, Any]) -> SandboxResult:
    return SandboxResult(
        Ending(data["ending"]), data["status"], data["reason"], data["wall_seconds"], data["cpu_seconds"],
        data["peak_memory_mb"], data["disk_mb"], tuple(data.get("refused", ())),
    )  # fmt: skip


class RunState:
    """What can be seen of a detached run from outside, by any process."""

    NEW = "new"  # never started
    RUNNING = "running"  # its runner holds the lock
    ENDED = "ended"  # its exit record is there
    STALE = "stale"  # its runner was killed: nothing of it runs, and it left no record


class Supervised:
    """Port Sandbox on top of the runner; a kind of sandbox says what its runner is told."""

    name = "supervised"

    def spec(self, run: SandboxRun) -> Spec:
        """Describe a run to the runner."""
        raise NotImplementedError

    def run(self, run: SandboxRun, *, stop: Callable[[], bool] | None = None) -> SandboxResult:
        """Run to the end; raises SandboxError if the walls could not be put up.

        When `stop` says so, end it and return with ending INTERRUPTED; it is asked five times a second.
        """
        text = json.dumps(self.spec(run)).encode()
        with _started(_runner_argv("attached"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runner:
            assert runner.stdin is not None  # noqa: S101 - both are pipes
            assert runner.stdout is not None  # noqa: S101
            try:
                runner.stdin.write(b"%d\n" % len(text) + text)
                runner.stdin.flush()
                while stop is not None and not select.select([runner.stdout], [], [], _LONGEST_PAUSE_SECONDS)[0]:
                    if stop():
                        runner.stdin.close()
                        break
                answer = runner.stdout.read()
            finally:
                with suppress(BrokenPipeError):
                    runner.stdin.close()  # tells the runner to end everything, should we be on the way out
        if not answer:
            raise SandboxError(f"running {run.argv[0]!r} behind walls: its runner ended without a word; try again")
        result = _result(json.loads(answer))
        if result.ending is Ending.SANDBOX_FAILED:
            raise SandboxError(f"running {run.argv[0]!r} behind walls: {result.reason}; see 'reeve doctor'")
        return result

    def ensure(self, run: SandboxRun, folder: Path) -> None:
        """Start detached, once: a second call, also of another process, finds the lock or the exit record in `folder`.

        A run whose runner was killed (`state` says STALE) is started again, in the workspace that `run` names. What
        the first one wrote there is still there, so the caller first drops that workspace and opens a fresh one of
        the same name; nothing of the first one is running any more.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _locked(folder)
        if lock is None:
            return
        try:
            if (folder / "exit.json").exists():
                return
            (folder / "stop").unlink(missing_ok=True)
            (folder / "spec.json").write_text(json.dumps(self.spec(run)), encoding="utf-8")
            argv = _runner_argv("detached", str(folder.absolute()), str(lock))
            with _started(argv, pass_fds=[lock]) as runner:
                if status := runner.wait():  # it forks at once; what stays is not our child
                    raise SandboxError(f"starting {run.argv[0]!r} detached: its runner ended with status {status}")
        finally:
            os.close(lock)

    def begun(self, folder: Path) -> bool:
        """Say whether a detached run of this folder is under way or has ended with its exit record."""
        return self.state(folder) in (RunState.RUNNING, RunState.ENDED)

    def wait(self, folder: Path, *, stop: Callable[[], bool]) -> SandboxResult:
        """Wait for a detached run, of whichever process; when `stop` says so, end it: its ending is INTERRUPTED.

        A run that was killed without leaving a record has ending SANDBOX_FAILED.
        """
        pause, asked = 0.002, False
        while True:
            if (found := _recorded(folder)) is not None:
                return found
            if _lock_free(folder):
                return _recorded(folder) or SandboxResult(
                    Ending.SANDBOX_FAILED, None, "its runner was killed, so how it ended is not known", 0.0, 0.0, 0.0
                )
            if not asked and stop():
                (folder / "stop").touch()
                asked, pause = True, 0.002
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def state(self, folder: Path) -> str:
        """Say which RunState the detached run in a folder is in."""
        if (folder / "exit.json").exists():
            return RunState.ENDED
        if not _lock_free(folder):
            return RunState.RUNNING
        if (folder / "exit.json").exists():  # it ended while we looked
            return RunState.ENDED
        return RunState.STALE if (folder / "spec.json").exists() else RunState.NEW


def _started(argv: list[str], *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL,
             pass_fds: list[int] | None = None) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start a runner with nothing of our environment, in a session of its own so that no terminal signal reaches it."""
    try:
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env={}, cwd="/",
                                start_new_session=True, pass_fds=pass_fds or ())  # fmt: skip
    except OSError as error:
        raise SandboxError(f"the runner cannot be started: {error}") from error


def _locked(folder: Path) -> int | None:
    """Take the lock of a run; None if a runner has it. One that only looks holds it for an instant: try again."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(5):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        else:
            return lock
    os.close(lock)
    return None


def _lock_free(folder: Path) -> bool:
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _recorded(folder: Path) -> SandboxResult | None:
    try:
        return _result(json.loads((folder / "exit.json").read_bytes()))
    except FileNotFoundError:
        return None
