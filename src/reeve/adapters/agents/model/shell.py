"""The tool that runs commands: in the tree, under a limit of time, with what they print bounded."""

import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from .processes import end, orphans, reap, running, started_by
from .tree import Mistake

__all__ = ["Shell"]

KEPT_BYTES = 2**18
"""What is kept of an output before it is cut for the model: so much of the beginning, and so much of the end."""

SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
GRACE_SECONDS = 2.0
AFTER_SECONDS = 0.3
"""How long a command that has ended may have its last output on the way."""

QUIET = {"PAGER": "cat", "GIT_PAGER": "cat", "TERM": "dumb", "GIT_TERMINAL_PROMPT": "0", "PYTHONDONTWRITEBYTECODE": "1"}


class Shell:
    """Runs shell commands in a folder; an answer has at most `most` characters, `limit_seconds` is the longest run."""

    def __init__(self, folder: Path, most: int, limit_seconds: float) -> None:
        self.folder = folder
        self.most = most
        self.limit_seconds = limit_seconds
        self._orphans: set[int] = set()  # of commands that have ended

    def run(self, command: str, timeout_seconds: float = 120.0) -> str:
        """Run a shell command in the folder of the project; gives its exit status and what it printed.

        It has no input. At the time-out it is ended with everything that it started. What is to go on in the
        background is started with '&'.

        Args:
            command: The command, as for a shell.
            timeout_seconds: How long it may take.
        """
        if not command.strip() or "\0" in command:
            raise Mistake("the command is empty")
        seconds = min(timeout_seconds, self.limit_seconds) if timeout_seconds >= 1 else 1.0  # NaN is not
        self._orphans = reap(self._orphans)
        before = orphans(running())
        process = subprocess.Popen(  # noqa: S602 - a shell command is what is asked for
            command, shell=True, executable=SHELL, cwd=self.folder, env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        output = _Output(process.stdout)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process, before)
            output.join(AFTER_SECONDS)
            return f"[ended: it took longer than {seconds:g} s]\n{output.text(self.most)}"
        output.join(AFTER_SECONDS)
        how = f"[exit {status}]" if status >= 0 else f"[ended by signal {_signal(-status)}]"
        left = [f"{each.pid} ({each.name})" for each in started_by(process.pid, before)]
        self._orphans |= orphans(running()) - before
        more = f"\n[still running in the background: {', '.join(left)}]" if left else ""
        return f"{how}\n{output.text(self.most)}{more}"


class _Output:
    """Reads what a process and its children print for as long as any of them can, and keeps the two ends of it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = pipe or open(os.devnull, "rb")  # noqa: SIM115 - closed where it is read
        self._first, self._last, self._bytes = b"", b"", 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the end of the output, but not for what goes on in the background."""
        self._thread.join(seconds)

    def text(self, most: int) -> str:
        """Return at most about `most` characters: more of the end, where the results are, than of the beginning."""
        first, last, total = self._first, self._last, self._bytes
        begin, end = most // 4, most - most // 4
        whole = (first + last).decode("utf-8", "replace")
        if total <= len(first) + len(last) and len(whole) <= most:
            return whole.rstrip("\n")
        tail = last if total > KEPT_BYTES else first
        head, foot = first.decode("utf-8", "replace")[:begin], tail.decode("utf-8", "replace")[-end:]
        return f"{head}\n[... of {total} bytes only the first and the last are shown ...]\n{foot}".rstrip("\n")

    def _read(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._bytes += len(chunk)
                room = KEPT_BYTES - len(self._first)
                self._first += chunk[:room]
                self._last = (self._last + chunk[room:])[-KEPT_BYTES:]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _end(process: "subprocess.Popen[bytes]", before: set[int]) -> None:
    """End a command with everything that it started: politely, then not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    end(process.pid, before)
    process.wait()
