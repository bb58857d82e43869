"""What runs: which processes a command has started, also those that left its session, and how to end them."""

import ctypes
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Process", "end", "orphans", "reap", "running", "started_by"]

GET_CHILD_SUBREAPER = 37

ROUNDS = 20
"""How often is looked for new ones, while the others are ended."""


@dataclass(frozen=True)
class Process:
    """A process as the kernel shows it; `ended`: only its status is left."""

    pid: int
    parent: int
    session: int
    name: str
    ended: bool


def running() -> dict[int, Process]:
    """List the processes that can be seen, by their id."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                head, _, rest = file.read().rpartition(b")")
        except OSError:
            continue
        state, parent, _, session = rest.split()[:4]
        command = head.partition(b"(")[2].decode("utf-8", "replace")
        found[int(name)] = Process(int(name), int(parent), int(session), command, state in (b"Z", b"X"))
    return found


def orphans(known: Mapping[int, Process]) -> set[int]:
    """List our children where we take over what commands leave behind; elsewhere those are none of ours."""
    ours = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(GET_CHILD_SUBREAPER, ctypes.byref(ours), 0, 0, 0)
    return {each.pid for each in known.values() if each.parent == os.getpid()} if ours.value else set()


def started_by(pid: int, before: set[int]) -> list[Process]:
    """List what a command has started and what still runs; `before` are the orphans that we had before it."""
    known = running()
    ours = (orphans(known) - before) | {each.pid for each in known.values() if each.session == pid}
    while more := {each.pid for each in known.values() if each.parent in ours} - ours:
        ours |= more
    return [known[each] for each in sorted(ours & known.keys()) if not known[each].ended]


def end(pid: int, before: set[int]) -> None:
    """End what a command has started, and what that starts meanwhile."""
    for _ in range(ROUNDS):
        left = started_by(pid, before)
        if not left:
            return
        for each in left:
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        reap(orphans(running()) - before - {pid})


def reap(pids: set[int]) -> set[int]:
    """Take the status of orphans that have ended; returns those that have not."""
    left = set()
    for pid in pids:
        try:
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                left.add(pid)
        except ChildProcessError:
            continue
    return left
