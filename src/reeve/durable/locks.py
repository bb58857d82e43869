"""Locks between processes: the kernel lets go of them when their holder dies, so none is ever stale."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeve.errors import InputError
from reeve.ports import LandingLock

__all__ = ["landing_lock", "only_run", "sweeping", "working"]


@contextmanager
def only_run(state: Path) -> Iterator[None]:
    """Hold the one right to run a backlog on a ledger; raises InputError while another process has it."""
    with _open(state / "run.lock") as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise InputError(
                f"another `reeve run` (process {holder}) works on {state}; wait for it, or stop it with Ctrl-C"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield


@contextmanager
def landing_lock(state: Path, repository: str) -> Iterator[LandingLock]:
    """Wait for the right to land in a repository: one landing at a time, over all threads and processes."""
    name = hashlib.sha256(os.fsencode(repository)).hexdigest()[:16]
    with _open(state / f"landing-{name}.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield LandingLock(repository)


@contextmanager
def working(state: Path) -> Iterator[None]:
    """Say, for as long as it lasts, that workspaces are in use beside a run, so that none is swept away."""
    with _open(state / "workspaces.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def sweeping(state: Path) -> Iterator[bool]:
    """Give whether nobody else works with workspaces; what is left over can wait for a run to which that is true."""
    with _open(state / "workspaces.lock") as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _open(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
