"""What the processes of an examination ask of the kernel and say to each other."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reeve.adapters.agents.repair.wire import die_with, end_group
else:
    from repair.wire import die_with, end_group

DUMPABLE, SUBREAPER = 4, 36
LAST_LOOKS = 200


def ask_kernel(option: int, value: int) -> None:
    """Set a property of this process, where there is a way to ask for it."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return


def hide() -> None:
    """Close what /proc shows of this process (memory, descriptors, variables) to other processes of its user."""
    ask_kernel(DUMPABLE, 0)


def show() -> None:
    """Be an ordinary process again: a fork of a hidden one is hidden too, and a tested program would notice."""
    ask_kernel(DUMPABLE, 1)


class Member:
    """A fork that waits to be told what to do, made before anything was read that it must not know."""

    def __init__(self, work: Callable[[socket.socket], None], close: Iterable[int] = ()) -> None:
        self.channel, far = socket.socketpair()
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setpgid(0, 0)
                die_with(parent)
                for descriptor in (self.channel.fileno(), *close):
                    os.close(descriptor)
                work(far)
            finally:
                os._exit(0)
        far.close()

    def end(self) -> None:
        """End it and what is left of its group."""
        end_group(self.pid)
        self.channel.close()


def children() -> list[int]:
    """List the processes whose parent this one is."""
    own, found = os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == own:
                        found.append(int(name))
            except (OSError, ValueError, IndexError):
                continue
    return found


def end_all() -> None:
    """End every process below this one: what loses its parent becomes a child of ours, until there is none."""
    for _ in range(LAST_LOOKS):
        left = children()
        if not left:
            return
        for pid in left:
            end_group(pid)
            try:
                os.waitpid(pid, 0)
            except OSError:
                continue


def adopt() -> None:
    """Become the parent of every process below this one that loses its own."""
    ask_kernel(SUBREAPER, 1)


def site_folders() -> list[str]:
    """List the folders of installed packages; this interpreter was started without them, and without their hooks."""
    import site

    venv = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    if os.path.isfile(os.path.join(venv, "pyvenv.cfg")):
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return [os.path.join(venv, "lib", version, "site-packages")]
    return [*site.getsitepackages()]


def settle() -> None:
    """Make this process what the interpreter would have been, started as usual: site hooks, PYTHONPATH, its flags."""
    import site
    import subprocess

    python_path = os.environ.pop("REEVE_PYTHONPATH", "")
    entries = [entry for entry in python_path.split(os.pathsep) if entry]
    if entries:
        os.environ["PYTHONPATH"] = python_path
    sys.path[:] = [*entries, *sys.path]
    site.main()
    flags = getattr(subprocess, "_args_from_interpreter_flags", None)
    if flags is not None:  # an interpreter that the tests start is to have its site again
        subprocess._args_from_interpreter_flags = (  # type: ignore[attr-defined]  # noqa: SLF001
            lambda: [flag for flag in flags() if flag != "-S"]
        )


def stop(pid: int) -> None:
    """End the group of a fork by the number that it was said to have."""
    if pid > 1 and pid != os.getpid():
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            return


def seconds_left(until: float) -> float:
    """Wall time until a moment of the monotonic clock, 0 when it has passed."""
    return max(0.0, until - time.monotonic())
