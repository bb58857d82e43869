"""Folders for a while: gone when their maker is done with them, and with the next one if it was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["scratch_folder"]


@contextmanager
def scratch_folder(prefix: str, near: Path | None = None) -> Iterator[Path]:
    """Give a private folder in `near` (None: the system's own place) that is removed when the block is left.

    Its maker holds a lock on it, which the kernel lets go of when the maker dies: what stands there under the same
    prefix and is not locked is of one that was killed, and removed first.
    """
    place = Path(near or tempfile.gettempdir())
    for folder in place.glob(f"{prefix}*"):
        _remove_if_dead(folder)
    folder, lock = _locked(prefix, place)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def _locked(prefix: str, place: Path) -> tuple[Path, int]:
    """Make a folder and lock it; between the two it looks dead to others, so it may have gone: then another."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_if_dead(folder: Path) -> None:
    with suppress(OSError):  # of another user, or not a folder, or in use
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_uid == os.geteuid():
                _remove(folder)
        finally:
            os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder with what nobody may enter in it, such as the kernel leaves of an overlay."""
    for here, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(here, name)
            if not os.path.islink(path):
                with suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
