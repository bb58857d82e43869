"""Memory as Linux tells it: of the machine, of the control groups around this process, and of detached runs."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

__all__ = ["LinuxMemory"]

MB = 2**20


class LinuxMemory:
    """Port Memory on /proc and /sys/fs/cgroup.

    A control group with a limit below what the machine has left counts instead of it; page cache that can be given
    up counts as free in both.
    """

    def __init__(self, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._cgroups = cgroups

    def total_mb(self) -> float:
        """Say how much there is, or how much the control groups allow of it."""
        return min([self._meminfo("MemTotal"), *(limit for limit, _ in self._groups())]) / MB

    def free_mb(self) -> float:
        """Say how much could be taken now without anything being killed or swapped out."""
        return max(min([self._meminfo("MemAvailable"), *(limit - used for limit, used in self._groups())]), 0) / MB

    def used_mb(self, folders: Collection[Path]) -> Mapping[Path, float]:
        """Say what the processes of detached runs hold by themselves; runs of which nothing is alive are left out.

        Counted is what makes free memory fall: pages of their own, not those of files. Pages that processes share after
        a fork count in each, files in memory in none.
        """
        wanted = {os.fsencode(str(folder)): folder for folder in folders}
        roots: defaultdict[Path, set[int]] = defaultdict(set)
        children: defaultdict[int, set[int]] = defaultdict(set)
        for pid, parent in self._processes() if wanted else ():
            children[parent].add(pid)
            arguments = set(self._read(f"{pid}/cmdline").split(b"\0"))
            for folder in arguments & wanted.keys() if b"detached" in arguments else ():
                roots[wanted[folder]].add(pid)
        return {folder: self._own(_below(pids, children)) / MB for folder, pids in roots.items()}

    def _own(self, pids: Collection[int]) -> int:
        pages = 0
        for pid in pids:
            fields = self._read(f"{pid}/statm").split()
            pages += max(int(fields[1]) - int(fields[2]), 0) if len(fields) > 2 else 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _processes(self) -> Iterator[tuple[int, int]]:
        """List all processes with their parents."""
        for name in os.listdir(self._proc):
            if name.isdigit() and (stat := self._read(f"{name}/stat")):
                yield int(name), int(stat.rpartition(b")")[2].split()[1])  # a name may hold blanks and brackets

    def _meminfo(self, name: str) -> int:
        for line in self._read("meminfo").splitlines():
            if line.startswith(f"{name}:".encode()):
                return int(line.split()[1]) << 10
        return 0

    def _groups(self) -> Iterator[tuple[int, int]]:
        """List limit and use in bytes of the control groups around this process that have a limit."""
        for line in self._read("self/cgroup").decode(errors="replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                names = ("", "memory.max", "memory.current", b"inactive_file")
            elif "memory" in controllers.split(","):
                names = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", b"total_inactive_file")
            else:
                continue
            top = self._cgroups / names[0]
            # In a container the path is that of the host, and only the top is there.
            folder = top / path.lstrip("/") if (top / path.lstrip("/")).is_dir() else top
            while folder.is_relative_to(top):
                found = self._group(folder, *names[1:])
                yield from [found] if found else []
                folder = folder.parent

    def _group(self, folder: Path, limit: str, use: str, reclaimable: bytes) -> tuple[int, int] | None:
        try:
            allowed, used = (folder / limit).read_bytes().strip(), int((folder / use).read_bytes())
            if not allowed.isdigit():
                return None  # "max"
            for line in (folder / "memory.stat").read_bytes().splitlines():
                if line.startswith(reclaimable + b" "):
                    used -= int(line.split()[1])
        except (OSError, ValueError):
            return None
        return int(allowed), used

    def _read(self, name: str) -> bytes:
        """Read one file below /proc; nothing where the process is gone meanwhile."""
        try:
            return (self._proc / name).read_bytes()
        except OSError:
            return b""


def _below(pids: set[int], children: Mapping[int, set[int]]) -> set[int]:
    """Add all descendants."""
    found, waiting = set(pids), list(pids)
    while waiting:
        fresh = children.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found
