"""Messages between the agent and the processes it forks: length-prefixed JSON, and memory shared with one fork."""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import socket
import struct
import time
from typing import Any, Callable, Optional

PR_SET_PDEATHSIG = 1
HEADER = struct.Struct("<Q")


class Gone(Exception):
    """The other side ended, or did not answer in time."""


def send(connection: socket.socket, message: Any) -> None:
    """Send one message."""
    data = json.dumps(message).encode("utf-8")
    try:
        connection.sendall(HEADER.pack(len(data)) + data)
    except OSError as error:
        raise Gone(str(error)) from error


def _exactly(connection: socket.socket, size: int, until: Optional[float], process: int) -> bytes:
    parts = []
    while size:
        if until is not None:
            watched: list[Any] = [connection] if process < 0 else [connection, process]
            ready, _, _ = select.select(watched, [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Gone("no answer in time")
            if connection not in ready:
                raise Gone("ended")
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise Gone("ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive(connection: socket.socket, seconds: Optional[float] = None, process: int = -1) -> Any:
    """Receive one message; Gone where the other side ended or ``seconds`` of wall time passed (None waits for ever).

    ``process`` is a process descriptor of the other side, for a connection that others hold open too.
    """
    until = None if seconds is None else time.monotonic() + seconds
    try:
        (size,) = HEADER.unpack(_exactly(connection, HEADER.size, until, process))
        return json.loads(_exactly(connection, size, until, process))
    except (OSError, ValueError) as error:
        raise Gone(str(error)) from error


class Slots:
    """Bytes shared between a fork and its parent: how far it got, and what it found for each candidate."""

    def __init__(self, size: int) -> None:
        self.memory = mmap.mmap(-1, 8 + max(1, size))

    @property
    def index(self) -> int:
        """The candidate being tried."""
        return int.from_bytes(self.memory[0:4], "little")

    @index.setter
    def index(self, value: int) -> None:
        self.memory[0:4] = value.to_bytes(4, "little")

    def put(self, place: int, data: bytes) -> None:
        """Write result bytes."""
        self.memory[8 + place : 8 + place + len(data)] = data

    def get(self, place: int, size: int) -> bytes:
        """Read result bytes."""
        return bytes(self.memory[8 + place : 8 + place + size])

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()


def die_with(parent: int) -> None:
    """Ask the kernel to kill this fork when its parent ends, where that can be asked."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """CPU seconds a process (and the children it has waited for) has used so far, 0.0 where it cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11 : 15 if children else 13]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def end_group(pid: int) -> None:
    """Kill a process and all of its group; the caller still has to wait for it."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue


def descriptor_of(pid: int) -> int:
    """A descriptor that can be read when the process has ended, -1 where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def watch(pid: int, progress: Callable[[], int], cpu_limit: float, wall_limit: float) -> bool:
    """Wait for a fork; kill it when ``progress()`` stands still for too much CPU or wall time.

    True means it ended by itself. The whole process group is gone afterwards.
    """
    handle = descriptor_of(pid)
    last, since, used = -1, time.monotonic(), 0.0
    try:
        while True:
            if handle >= 0:
                ended = bool(select.select([handle], [], [], 0.2)[0])
            else:
                time.sleep(0.005)
                ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            if ended:
                return True
            now, step = time.monotonic(), progress()
            if step != last:
                last, since, used = step, now, cpu_seconds(pid)
            elif now - since > wall_limit or cpu_seconds(pid) - used > cpu_limit:
                return False
    finally:
        end_group(pid)
        os.waitpid(pid, 0)
        if handle >= 0:
            os.close(handle)
