"""The agent's process: a group of its own, three streams that never block us, and an end in bounded time."""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Broken", "Process"]

_TERM, _KILL, _PIPE, _FILE_TOO_LARGE = 15, 9, 13, 25
TERM_SECONDS, PATIENCE_SECONDS = 0.3, 5.0
CHUNK_BYTES = 1 << 16
STDERR_BYTES, LAST_WORDS_BYTES = 1 << 20, 2_000
UNREAD_BYTES = 64 << 20


class Broken(Exception):  # noqa: N818 - what happened
    """The agent cannot go on; the text says why."""


class Process:
    """Started at once, in the current folder; raises Broken if it cannot be."""

    def __init__(self, argv: list[str], env: Mapping[str, str], stderr_path: str) -> None:
        inside_in, self._in = os.pipe()
        self._out, inside_out = os.pipe()
        self._err, inside_err = os.pipe()
        inside = (inside_in, inside_out, inside_err)
        moves = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(inside)]
        try:  # Python ignores two signals, and what it starts would too
            self.pid = os.posix_spawnp(
                argv[0], argv, env, file_actions=moves, setpgroup=0, setsigdef=(_PIPE, _FILE_TOO_LARGE)
            )
        except OSError as error:
            raise Broken(f"the agent cannot be started: {argv[0]!r}: {error.strerror}") from None
        finally:
            for fd in inside:
                os.close(fd)
        for fd in (self._in, self._out, self._err):
            os.set_blocking(fd, False)
        self._log = open(stderr_path, "wb", buffering=0)  # noqa: SIM115 - for as long as the process is
        self._logged = 0
        self.last_words = b""  # of its standard error
        self._unsent, self._sending = bytearray(), False
        self._status: int | None = None
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._poll.register(self._err, select.POLLIN)
        self._reading = {self._out, self._err}

    # ------------------------------------------------------------ its streams

    def write(self, data: bytes) -> None:
        """Send to its standard input, now or as soon as it reads; raises Broken if it never does."""
        self._unsent += data
        if len(self._unsent) > UNREAD_BYTES:
            raise Broken("the agent does not read what it is sent")
        self._send()

    def read(self, timeout_seconds: float) -> bytes | None:
        """Wait for its standard output for at most so long, while its standard error is taken in and input sent.

        Empty: nothing came. None: nothing will come any more.
        """
        if self._out not in self._reading:
            return None
        ready = dict(self._poll.poll(max(0.0, timeout_seconds) * 1000))
        if self._in in ready:
            self._send()
        if self._err in ready:
            self._listen()
        if self._out not in ready:
            return b""
        found = self._take(self._out)
        return None if found == b"" else found or b""

    def _take(self, fd: int) -> bytes | None:
        """What is there of a stream; empty: it has ended. None: nothing just now."""
        try:
            found = os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            found = b""
        if not found:
            self._reading.discard(fd)
            self._poll.unregister(fd)
        return found

    def _listen(self) -> None:
        found = self._take(self._err) or b""
        self.last_words = (self.last_words + found)[-LAST_WORDS_BYTES:]
        kept = found[: STDERR_BYTES - self._logged]
        self._log.write(kept)
        self._logged += len(kept)

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._in, self._unsent[:CHUNK_BYTES])]
        except BlockingIOError:
            self._poll.register(self._in, select.POLLOUT)
            self._sending = True
            return
        except OSError:
            self._unsent.clear()  # it has closed its input: its end is noticed where its output is read
        if self._sending:
            self._poll.unregister(self._in)
            self._sending = False

    # ------------------------------------------------------------ its end

    def status(self) -> int | None:
        """Its exit status, negative for a signal; None: it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def end(self, hear: Callable[[bytes], None]) -> None:
        """Close its input and end all of its group within PATIENCE_SECONDS; `hear` gets what it says meanwhile."""
        self._unsent.clear()
        self._send()
        os.close(self._in)
        began = time.monotonic()
        asked = False
        while self.status() is None and time.monotonic() - began < PATIENCE_SECONDS:
            if not asked and time.monotonic() - began > TERM_SECONDS:
                self._signal(_TERM)
                asked = True
            said = self.read(0.02)
            if said is None:
                time.sleep(0.02)
            elif said:
                hear(said)
        self._signal(_KILL)  # what it left behind in its group, too
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        while self._err in self._reading and dict(self._poll.poll(0)).get(self._err, 0):
            self._listen()
        self._log.write(self.last_words if self._logged == STDERR_BYTES else b"")
        self._log.close()

    def _signal(self, number: int) -> None:
        try:  # noqa: SIM105 - contextlib would be half of what this program imports
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass
