r"""Supervises one sandboxed command; started as ``python -I -S -B runner.py attached`` or ``detached FOLDER LOCK_FD``.

It mounts the overlay in a mount namespace of its own (so that no kill leaves a mount), starts the command as an
unprivileged user, copies its output, watches memory, disk, output and time, ends every process of it, and says
how it went. Attached, it reads ``<length>\\n<spec>`` from standard input, ends when that is closed (its caller has
gone), and writes the result to standard output. Detached, it is a session of its own, reads FOLDER/spec.json, holds
the lock it was given, ends early when FOLDER/stop appears, lets its clock stand still while FOLDER/resting is there,
and leaves FOLDER/exit.json.

One of these runs beside every attempt, so it starts in milliseconds and stays small: it imports only what is
compiled in, reads JSON with the scanner behind the json module, and calls the kernel through _ctypes, not ctypes
(together 15 ms of CPU less for each attempt).
"""

from __future__ import annotations

import _ctypes
import _json
import binascii
import errno
import os
import resource
import select
import stat
import sys
import time

TYPE_CHECKING = False  # as `typing` has it, without importing it
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NoReturn

    from reeve.adapters.sandboxes.doorway import Doorway

    Spec = Mapping[str, Any]
    Early = tuple[str, str] | None  # an ending and its reason, before the command ended by itself

_NEWNS, _NEWUSER, _NEWPID, _NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PDEATHSIG, _NO_NEW_PRIVS, _SUBREAPER = 1, 38, 36
_KILL, _STOP, _FILE_TOO_LARGE = 9, 19, 25
_PAGE, _TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
_FREE_BYTES = 32 << 20


class Failed(Exception):  # noqa: N818 - what happened
    """The walls could not be put up."""


# ---------------------------------------------------------------- the kernel


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001
    _type_ = "l"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


_LIBC = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is the program itself


def call(name: str, *args: object) -> None:
    """Call a function of libc; raises OSError."""
    values = [_Int(arg) if isinstance(arg, int) else arg for arg in args]
    if _Function(_ctypes.dlsym(_LIBC, name))(*values) & 0xFFFFFFFF == 0xFFFFFFFF:
        number = _ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None) -> None:
    """Mount; raises Failed with what was refused."""
    try:
        call("mount", source, target, kind, flags, options)
    except OSError as error:
        what = kind.decode() if kind else "a folder"
        raise Failed(f"mounting {what} was refused by the kernel: {error.strerror}") from None


# ---------------------------------------------------------------- the spec


def loads(text: str) -> Any:
    """Read JSON without importing the json package."""

    class Context:
        strict, object_hook, object_pairs_hook = False, None, None
        parse_float, parse_int, parse_constant = float, int, float
        memo: dict[str, str] = {}  # noqa: RUF012

    return _json.make_scanner(Context)(text.strip(), 0)[0]  # type: ignore[arg-type]


def dumps(result: Mapping[str, object]) -> str:
    """Write a flat result as JSON; None is null, a tuple is a list of texts."""

    def value(item: object) -> str:
        if isinstance(item, str):
            return _json.encode_basestring_ascii(item)
        if isinstance(item, (list, tuple)):
            return "[" + ", ".join(map(value, item)) + "]"
        return "null" if item is None else repr(item)

    return "{" + ", ".join(f"{value(key)}: {value(item)}" for key, item in result.items()) + "}\n"


# ---------------------------------------------------------------- mounts


def enter(*, network: bool) -> None:
    """Go into a mount namespace of our own; an ordinary user needs a user namespace for that.

    What is started after this has a namespace of processes too, of which it is the first: when it ends, all end.
    With `network` there is one of those as well, for a door; otherwise bubblewrap makes one that nobody can reach.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        call("unshare", _NEWNS | _NEWPID | (_NEWNET if network else 0) | (0 if uid == 0 else _NEWUSER))
        if uid:
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
    except OSError as error:
        raise Failed(f"a namespace was refused by the kernel: {error.strerror}") from None
    mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)


def handle(path: str) -> int:
    """Open a path for mounting; once it is open, nothing that is mounted later can hide it."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise Failed(f"{path!r} cannot be mounted: {error.strerror}") from None


def stage(spec: Spec) -> None:
    """Mount everything the sandbox is made of below one folder that an unprivileged user can reach."""
    tree, at = spec["tree"], os.fsencode(spec["stage_at"])
    layers = [handle(path) for path in tree.get("lowers", ())]
    upper = handle(tree["upper"])
    scratch = handle(tree["work"]) if tree["kind"] == "overlay" else None
    binds = [(handle(source), os.fsencode(target)) for source, target in spec["stage"]]
    mount(b"reeve", at, b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755,size=8m")
    os.mkdir(at + b"/work")
    if scratch is None:
        mount(b"/proc/self/fd/%d" % upper, at + b"/work", None, _MS_BIND, None)
    else:
        overlay(at + b"/work", layers, upper, scratch)
    for fd, target in binds:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        mount(b"/proc/self/fd/%d" % fd, target, None, _MS_BIND | _MS_REC, None)


def overlay(target: bytes, layers: list[int], upper: int, scratch: int) -> None:
    """Mount the tree. The numbers of open files stand for the paths, which may be long or hold a colon."""
    options = b"lowerdir=%s,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d" % (
        b":".join(b"/proc/self/fd/%d" % fd for fd in layers), upper, scratch)  # fmt: skip
    # Without these an upper layer could point into lower ones, and would not be readable by itself.
    options += b",userxattr" if os.getuid() else b",redirect_dir=nofollow,metacopy=off,index=off"
    mount(b"reeve", target, b"overlay", _MS_NOSUID | _MS_NODEV, options)


# ---------------------------------------------------------------- files put into the tree


def put_files(spec: Spec, root: str) -> None:
    """Write files into the tree as its owner; a link on the way gives way instead of being followed."""
    if not spec["files"]:
        return
    uid = spec["uid"]
    if uid is not None:
        os.setegid(uid)
        os.seteuid(uid)
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for path, file in spec["files"].items():
            put_file(top, os.fsencode(path), file)
        os.close(top)
    except OSError as error:
        raise Failed(f"a file could not be put into the tree: {error.strerror}") from None
    finally:
        if uid is not None:
            os.seteuid(0)
            os.setegid(0)


def put_file(top: int, path: bytes, file: tuple[str, bool] | None) -> None:
    """Write or delete one file below an open folder."""
    *folders, name = path.split(b"/")
    here = os.dup(top)
    for folder in folders:
        try:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        except OSError:
            clear(here, folder)
            os.mkdir(folder, 0o755, dir_fd=here)
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        os.close(here)
        here = below
    clear(here, name)
    if file is not None:
        mode = 0o755 if file[1] else 0o644
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)
        os.fchmod(fd, mode)
        with open(fd, "wb") as out:
            out.write(binascii.a2b_base64(file[0]))
    os.close(here)


def clear(folder: int, name: str | bytes) -> None:
    """Remove what stands at a name, a whole folder too."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        for each in os.listdir(below):
            clear(below, each)
        os.close(below)
        os.rmdir(name, dir_fd=folder)


# ---------------------------------------------------------------- the start


def memory_file(content: bytes) -> int:
    """Return the number of an open file that holds `content` and that a child may inherit."""
    fd = os.memfd_create("reeve", 0)
    os.write(fd, content)
    os.lseek(fd, 0, 0)
    return fd


def command(spec: Spec, status: int) -> list[str]:
    """Build the argument list to start; bubblewrap reads its own from a file so that no listing shows host paths."""
    if spec["bwrap"] is None:
        return list(spec["argv"])
    args = list(spec["args"])
    for text, target in spec["data"]:
        args += ["--ro-bind-data", str(memory_file(text.encode())), target]
    if spec["seccomp"]:
        args += ["--seccomp", str(memory_file(binascii.a2b_base64(spec["seccomp"])))]
    args += ["--json-status-fd", str(status), *spec["last"]]
    packed = b"".join(os.fsencode(arg) + b"\0" for arg in args)
    return [spec["bwrap"], "--args", str(memory_file(packed)), "--", *spec["argv"]]


def limit(which: int, value: int) -> None:
    """Set a limit that the process cannot raise again; one that is lower already stays."""
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def start(spec: Spec, out: int, status: int) -> int:
    """Fork and start the command; returns its process id.

    It ends when we do, from its first moment on: bubblewrap takes care of that only once it has set itself up, and
    whoever kills us before must not leave a command behind that nobody watches.
    """
    argv = command(spec, status)
    ours, held = os.pipe()  # the second is open for as long as we live
    pid = os.fork()
    if pid:
        os.close(ours)
        return pid
    os.close(held)
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if spec["bwrap"] is None:
            os.chdir(spec["tree"]["upper"])
            limit(resource.RLIMIT_NPROC, spec["processes"] + spec["running"])
        # 1, not 0: with 0 the kernel would still start a crash reporter of the host that reads from a pipe, as root.
        limit(resource.RLIMIT_CORE, 1)
        limit(resource.RLIMIT_NOFILE, 1024)
        limit(resource.RLIMIT_FSIZE, spec["disk_bytes"])
        limit(resource.RLIMIT_DATA, 4 * spec["memory_bytes"] + (1 << 30))
        if spec["uid"] is not None:
            os.setgroups([])
            os.setresgid(spec["uid"], spec["uid"], spec["uid"])
            os.setresuid(spec["uid"], spec["uid"], spec["uid"])
        call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)
        call("prctl", _PDEATHSIG, _KILL, 0, 0, 0)  # after the change of user, which clears it
        if select.select([ours], [], [], 0)[0]:
            os._exit(1)
        if spec["bwrap"] is None:
            os.closerange(3, 1024)
        elif other := os.fork():
            keep(other)
        os.execvpe(argv[0], argv, spec["env"])  # noqa: S606 - a list, no shell
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def keep(pid: int) -> NoReturn:
    """Be the first process of the namespace: collect all that ends in it, then end as bubblewrap did.

    Bubblewrap ends before the process that collected the command. Were it the first, the kernel would end that one
    without adding up what it had used, and the CPU time of the command with it.
    """
    os.closerange(0, 1024)
    code = 127
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            os._exit(code)
        if ended == pid:
            found = os.waitstatus_to_exitcode(status)
            code = found if found >= 0 else 128 - found


# ---------------------------------------------------------------- watching


def children(pid: int) -> list[int]:
    """List the children of a process, of all its threads."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def descendants(pid: int) -> list[int]:
    """List all processes below one."""
    found, pending = [], [pid]
    while pending:
        below = children(pending.pop())
        found += below
        pending += below
    return found


def resident(pids: Iterable[int]) -> tuple[int, float]:
    """Add up the memory in bytes, shared pages counting several times, and the CPU seconds of processes."""
    memory = ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        memory += int(fields[21]) * _PAGE
        ticks += sum(map(int, fields[11:15]))  # its own, and of its children that have ended
    return memory, ticks / _TICKS


def proportional(pids: Iterable[int]) -> int:
    """Add up the memory of processes, in bytes, with shared pages counted once; slower."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) << 10
        except FileNotFoundError:
            continue
        except OSError:
            total += resident([pid])[0]
    return total


def usage(folders: Iterable[str], most_bytes: int, most_files: int) -> tuple[int, int]:
    """Add up the disk space and the files of folders, not past the limits; folders that vanish are no error.

    Every folder is opened from the one above it and never through a link: a path may be longer than the kernel
    takes, and may change while we look. Folders nested so deep that no more can be opened count as past the limit.
    """
    used, files = 0, 0
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    pending: list[tuple[int | None, list[str]]] = [(None, list(folders))]
    try:
        while pending:
            parent, names = pending[-1]
            if not names:
                pending.pop()
                if parent is not None:
                    os.close(parent)
                continue
            try:
                here = os.open(names.pop(), flags, dir_fd=parent)
            except OSError as error:
                if error.errno == errno.EMFILE:
                    return used, most_files + 1
                continue
            below: list[str] = []
            pending.append((here, below))
            with os.scandir(here) as entries:
                for entry in entries:
                    files += 1
                    if used > most_bytes or files > most_files:
                        return used, files
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    used += found.st_blocks * 512
                    if stat.S_ISDIR(found.st_mode):
                        below.append(entry.name)
    finally:
        for fd, _ in pending:
            if fd is not None:
                os.close(fd)
    return used, files


_IN_MEMORY = (b"/memfd:", b"/SYSV", b"/dev/zero")
_BOUNDED = (b"/tmp/", b"/dev/")  # file systems in memory that have a size of their own


def nameless(pids: Iterable[int], bounded: tuple[bytes, ...] = _BOUNDED) -> tuple[int, int]:
    """Add up what processes hold that no folder and no resident memory shows: bytes of memory, and of disk.

    That is files without a name, in memory (memfd, shared mappings) or on disk (removed while open). Open ones
    count with what they take up; of those that are only mapped nothing but the size of the mapping can be known.
    """
    held: dict[tuple[int, int], tuple[bytes, int]] = {}
    mapped: dict[tuple[int, int], tuple[bytes, int]] = {}
    for pid in pids:
        opened(pid, held)
        mappings(pid, mapped)
    memory = disk = 0
    for name, size in (mapped | held).values():
        if name.startswith(_IN_MEMORY):
            memory += size
        elif not name.startswith(bounded):
            disk += size
    return memory, disk


def opened(pid: int, into: dict[tuple[int, int], tuple[bytes, int]]) -> None:
    """Find the open files without a name of one process; one that has gone, or hides them, has none."""
    folder = b"/proc/%d/fd/" % pid
    try:
        for number in os.listdir(folder):
            name = os.readlink(folder + number)
            if name.endswith(b" (deleted)"):
                found = os.stat(folder + number)
                if not found.st_nlink:  # else it is just called so
                    into[found.st_dev, found.st_ino] = name, found.st_blocks * 512
    except OSError:
        return


def mappings(pid: int, into: dict[tuple[int, int], tuple[bytes, int]]) -> None:
    """Find the shared mappings of files without a name of one process."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            for line in file:
                if not line.endswith(b" (deleted)\n"):
                    continue
                place, mode, offset, device, inode, name = line.split(maxsplit=5)
                if mode.endswith(b"s"):
                    first, _, last = place.partition(b"-")
                    major, _, minor = device.partition(b":")
                    key = os.makedev(int(major, 16), int(minor, 16)), int(inode)
                    end = int(last, 16) - int(first, 16) + int(offset, 16)
                    into[key] = name, max(end, into.get(key, (name, 0))[1])
    except OSError:
        return


def without_shared(pids: Iterable[int]) -> int:
    """Add up the resident memory of processes but for what they share, in bytes."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                fields = file.read().split()
        except OSError:
            continue
        total += (int(fields[1]) - int(fields[2])) * _PAGE
    return total


class Watch:
    """What is known of the running command, and which limit it has passed."""

    def __init__(self, spec: Spec, pid: int, way: Doorway | None) -> None:
        self.spec, self.pid, self.way = spec, pid, way
        self.began = self.looked = time.monotonic()
        self.deadline = self.began + spec["wall_seconds"]
        self.rested = 0.0
        self.pause = 0.02
        self.peak = self.output = self.disk = 0
        self.cpu = 0.0
        self.next_disk = self.next_nameless = self.began + 0.3
        self.removed = 0  # bytes on disk of files that were removed while open
        self.before = usage([spec["tree"]["upper"]], 1 << 60, 1 << 40) if spec["tree"]["kind"] == "copy" else (0, 0)

    def passed(self, *, resting: bool) -> Early:
        """Look once; returns the ending and its reason, or None. The time in which it rests does not count."""
        now = time.monotonic()
        if resting:
            self.deadline += now - self.looked
            self.rested += now - self.looked
        self.looked = now
        if self.way is not None:
            self.way.tend()
        if now >= self.deadline:
            return "time-limit", f"it ran longer than {self.spec['wall_seconds']:g} s"
        reached = self.memory() or (self.nameless(now) if now >= self.next_nameless else None)
        return reached or (self.storage(now) if now >= self.next_disk else None)

    def memory(self) -> Early:
        """Look at the memory, and at the number of processes where no limit of the kernel holds."""
        spec, pids = self.spec, descendants(self.pid)
        if spec["bwrap"] is None:
            pids.append(self.pid)
        if spec["bwrap"] is None and len(pids) > spec["processes"] + 1:
            return "crashed", f"it had more than {spec['processes']} processes"
        used, cpu = resident(pids)
        self.cpu = max(self.cpu, cpu)
        if used > spec["memory_bytes"]:
            used = proportional(pids)
        self.peak = max(self.peak, used)
        if used > spec["memory_bytes"]:
            return "memory-limit", f"its processes used more than {spec['memory_bytes'] >> 20} MB of memory"
        self.pause = 0.02 if used > spec["memory_bytes"] // 2 else min(self.pause * 1.5, 0.2)
        return None

    def nameless(self, now: float) -> Early:
        """Look at what is held without a name, less often if a look takes long."""
        spec, pids = self.spec, [*descendants(self.pid), self.pid]
        memory, self.removed = nameless(pids, _BOUNDED if spec["bwrap"] else ())
        self.next_nameless = time.monotonic() + max(0.3, 20 * (time.monotonic() - now))
        if memory:
            memory += without_shared(pids)
            self.peak = max(self.peak, memory)
        if memory > spec["memory_bytes"]:
            return "memory-limit", f"its processes used more than {spec['memory_bytes'] >> 20} MB of memory"
        if self.removed > spec["disk_bytes"]:
            self.disk = max(self.disk, self.removed)
            return "disk-limit", f"it wrote more than {spec['disk_bytes'] >> 20} MB, to files that it removed"
        return None

    def storage(self, now: float) -> Early:
        """Look at the disk; a look that takes long is taken less often."""
        spec = self.spec
        reached = self.measure()
        self.next_disk = time.monotonic() + max(0.3, 20 * (time.monotonic() - now))
        if reached:
            return reached
        free = os.statvfs(spec["tree"]["upper"])
        if free.f_bavail * free.f_frsize < _FREE_BYTES:
            return "sandbox-failed", "the disk of the state folder is full; free some space"
        return None

    def measure(self) -> Early:
        """Measure what was written; returns the ending if it is too much."""
        spec = self.spec
        most_bytes, most_files = spec["disk_bytes"] + self.before[0], spec["files_limit"] + self.before[1]
        used, files = usage(spec["written"], most_bytes, most_files)
        used += self.removed
        self.disk = max(self.disk, used - self.before[0])
        if used > most_bytes:
            return "disk-limit", f"it wrote more than {spec['disk_bytes'] >> 20} MB"
        if files > most_files:
            return "disk-limit", f"it made more than {spec['files_limit']} files"
        return None


def copy_output(watch: Watch, source: int, target: int) -> bool:
    """Move what was printed to the file; returns True once the limit is reached."""
    limit_bytes = watch.spec["output_bytes"]
    while True:
        try:
            data = os.read(source, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            return False
        room = limit_bytes - watch.output
        view = memoryview(data)[:room]
        while view:
            view = view[os.write(target, view) :]
        watch.output += min(len(data), room)
        if len(data) > room:
            return True


def supervise(watch: Watch, source: int, target: int, asked: CallerGone | StopFile) -> Early:
    """Watch until the command ends (None), a limit is passed or we are asked to stop."""
    ended = os.pidfd_open(watch.pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(source, select.POLLIN)
    if asked.fd is not None:
        poll.register(asked.fd, select.POLLIN)
    look = time.monotonic() + watch.pause
    try:
        while True:
            events = dict(poll.poll(max(0.0, min(look, watch.deadline) - time.monotonic()) * 1000))
            if source in events and copy_output(watch, source, target):
                return "output-limit", f"it printed more than {watch.spec['output_bytes'] >> 20} MB"
            if source in events and events[source] & select.POLLHUP:
                poll.unregister(source)
            if ended in events:
                return None
            if asked(events):
                return "interrupted", asked.reason
            if time.monotonic() >= min(look, watch.deadline):
                if passed := watch.passed(resting=asked.resting()):
                    return passed
                look = time.monotonic() + watch.pause
    finally:
        os.close(ended)


class CallerGone:
    """Asks to stop when standard input is closed."""

    fd, reason = 0, "it was stopped"

    def __call__(self, events: Mapping[int, int]) -> bool:
        """Say whether to stop."""
        return 0 in events and not os.read(0, 4096)

    def resting(self) -> bool:
        """Say whether it waits for a person; whoever waits for the result himself asks nobody."""
        return False


class StopFile:
    """Asks to stop when a file appears in an open folder; looked for as often as the memory is."""

    fd, reason = None, "it was stopped"

    def __init__(self, folder: int) -> None:
        self.folder = folder

    def __call__(self, _events: Mapping[int, int]) -> bool:
        """Say whether to stop."""
        return self.there("stop")

    def resting(self) -> bool:
        """Say whether it waits for a person, so that its clock stands still."""
        return self.there("resting")

    def there(self, name: str) -> bool:
        """Say whether a file is in the folder."""
        try:
            os.stat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return False
        return True


# ---------------------------------------------------------------- the end


def end_all(spec: Spec, pid: int) -> None:
    """End every process of the command. In a sandbox its first process takes all others with it."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        if spec["bwrap"] is not None:
            targets = children(pid) or [pid]
        else:
            targets = [*descendants(os.getpid())]
            signal_all(targets, _STOP)  # what cannot run cannot fork
        signal_all(targets, _KILL)
        if ended_within(pid, 0.5):
            return
    raise Failed("its processes did not end when they were killed")


def signal_all(pids: Iterable[int], number: int) -> None:
    """Send a signal; whoever has gone needs none."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def ended_within(pid: int, seconds: float) -> bool:
    """Wait for a child without collecting it."""
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def reap(pid: int) -> tuple[int, resource.struct_rusage]:
    """Collect the command, and end and collect what it left behind; returns its exit status and what it used."""
    _, code, used = os.wait4(pid, 0)
    while True:
        left = descendants(os.getpid())
        signal_all(left, _STOP)
        signal_all(left, _KILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return os.waitstatus_to_exitcode(code), used


def read_status(fd: int) -> bool:
    """Read from bubblewrap whether the command was started at all: it reports an exit status only then."""
    os.lseek(fd, 0, 0)
    return b'"exit-code"' in os.read(fd, 1 << 16)


def ending_of(spec: Spec, watch: Watch, code: int, peak_bytes: int) -> tuple[str, int, str]:
    """Name the ending of a command that ended by itself, its exit status and the reason."""
    if spec["bwrap"] is not None and 128 < code < 193:
        code = 128 - code  # bubblewrap passes a signal on as a shell does
    if code == 0:
        return "finished", 0, "it ended with status 0"
    if peak_bytes > spec["memory_bytes"]:
        return "memory-limit", code, f"its processes used more than {spec['memory_bytes'] >> 20} MB of memory"
    if code == -_FILE_TOO_LARGE or watch.disk >= spec["disk_bytes"]:
        return "disk-limit", code, f"it wrote more than {spec['disk_bytes'] >> 20} MB"
    return "crashed", code, f"it ended with status {code}" if code > 0 else f"it was ended by signal {-code}"


def tail(fd: int) -> str:
    """Return the last line of an open file, for a message."""
    size = os.fstat(fd).st_size
    lines = os.pread(fd, 500, max(0, size - 500)).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "bubblewrap said nothing"


def prepare(spec: Spec) -> Doorway | None:
    """Put up what surrounds the command; returns its way out, if it has one."""
    call("prctl", _SUBREAPER, 1, 0, 0, 0)
    for folder in spec["owned"] if spec["uid"] is not None else ():
        os.chown(folder, spec["uid"], spec["uid"])
    door = spec["door"]
    if spec["staged"]:
        enter(network=door is not None)
    way = doorway(door) if door is not None else None  # before anything is mounted over the way to the gateway
    if spec["staged"]:
        stage(spec)
    else:
        os.close(handle(spec["tree"]["upper"]))  # so that a missing tree is our failure, not the command's
    put_files(spec, spec["stage_at"] + "/work" if spec["staged"] else spec["tree"]["upper"])
    return way


def doorway(door: Spec) -> Doorway:
    """Open the listening sockets of a door."""
    here, kept = os.path.split(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, here if kept == "__pycache__" else os.path.join(here, kept))
    import doorway as way  # type: ignore[import-not-found]  # it stands beside this file

    try:
        made: Doorway = way.Doorway(door)
    except OSError as error:
        ports = ", ".join(map(str, door["ports"]))
        raise Failed(f"opening a way out on the ports {ports}: {error.strerror}") from None
    return made


def started(spec: Spec, status: int) -> tuple[int, int]:
    """Start the command; returns its process id and where its output can be read."""
    source, out = os.pipe()
    os.set_blocking(source, False)
    if spec["uid"] is not None:
        os.fchown(out, spec["uid"], spec["uid"])  # so that /dev/stdout can be opened
    pid = start(spec, out, status)
    os.close(out)
    return pid, source


def watched(watch: Watch, source: int, target: int, asked: CallerGone | StopFile) -> Early:
    """Watch the command to its end, by itself or by us, which is then returned with its reason."""
    try:
        early = supervise(watch, source, target, asked)
    except Exception:
        end_all(watch.spec, watch.pid)
        raise
    if early:
        watch.memory()  # the kernel does not add up what is killed
        end_all(watch.spec, watch.pid)
    return early


def run(spec: Spec, asked: CallerGone | StopFile) -> dict[str, object]:
    """Do all of it; returns the result."""
    began = time.monotonic()
    target = os.open(spec["stdout"], os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    way = prepare(spec)
    status = memory_file(b"")
    pid, source = started(spec, status)
    watch = Watch(spec, pid, way)
    early = watched(watch, source, target, asked)
    code, used = reap(pid)
    if copy_output(watch, source, target) and not early:
        early = "output-limit", f"it printed more than {spec['output_bytes'] >> 20} MB"
    early = watch.measure() if early is None else early
    peak = max(watch.peak, used.ru_maxrss << 10)
    if early:
        ending, exit_status, reason = early[0], None, early[1]
    elif spec["bwrap"] is not None and not read_status(status):
        raise Failed(tail(target))
    else:
        ending, exit_status, reason = ending_of(spec, watch, code, peak)
    every = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "ending": ending, "status": exit_status, "reason": reason,
        "wall_seconds": time.monotonic() - began - watch.rested,
        "cpu_seconds": max(watch.cpu, every.ru_utime + every.ru_stime),
        "peak_memory_mb": peak / 2**20, "disk_mb": watch.disk / 2**20,
    }  # fmt: skip


def guarded(spec: Spec, asked: CallerGone | StopFile) -> dict[str, object]:
    """Run; whatever goes wrong on our side is a result too."""
    began = time.monotonic()
    try:
        return run(spec, asked)
    except Exception as error:
        number = getattr(error, "errno", None)
        reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        if number == errno.ENOSPC:
            reason = "the disk is full; free some space"
        spent = {"wall_seconds": time.monotonic() - began, "cpu_seconds": 0.0}
        return {
            "ending": "sandbox-failed",
            "status": None,
            "reason": reason,
            "peak_memory_mb": 0.0,
            "disk_mb": 0.0,
            **spent,
        }


def attached() -> None:
    """Take the spec from standard input, give the result to standard output."""
    head = b""
    while not head.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            return
        head += part
    text, left = b"", int(head)
    while left > len(text):
        part = os.read(0, left - len(text))
        if not part:
            return
        text += part
    result = dumps(guarded(loads(text.decode()), CallerGone())).encode()
    os.write(1, result)


def detached(folder: str, lock: int) -> None:
    """Become a session of our own, take the spec from the folder, and leave the result there."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.set_inheritable(lock, False)  # the command must not be able to hold it
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with open(os.open("spec.json", os.O_RDONLY, dir_fd=here), encoding="utf-8") as file:
        spec = loads(file.read())
    record(here, guarded(spec, StopFile(here)))


def record(folder: int, result: Mapping[str, object]) -> None:
    """Write the result so that it is there whole or not at all."""
    fd = os.open("exit.json.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(dumps(result))
        file.flush()
        os.fsync(file.fileno())
    os.rename("exit.json.new", "exit.json", src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


if __name__ == "__main__":
    os.umask(0o022)
    if sys.argv[1] == "attached":
        attached()
    else:
        detached(sys.argv[2], int(sys.argv[3]))
