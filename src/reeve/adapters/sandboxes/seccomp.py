"""The system calls that nothing sandboxed may make, as a classic BPF program in pure Python.

A second wall behind the namespaces: what the kernel never gets asked, a kernel bug cannot grant. Everything
else is allowed, as tests of unknown projects must run. clone3 and io_uring answer "not implemented" because
their arguments lie in memory that a filter cannot read, and every libc then uses the older calls.
"""

import errno
import platform
import struct
from dataclasses import dataclass

__all__ = ["program"]

_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _ARG = 0, 4, 16
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_SEGMENT_BYTES = 1 << 16  # of System V shared memory: a detached segment is memory that no process shows
_CORE = 4  # RLIMIT_CORE


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    denied: tuple[int, ...]
    clone: int
    socket: int
    ioctl: int
    shmget: int
    setrlimit: int
    prlimit: int
    highest: int | None = None  # numbers from here on belong to another calling convention


_BOTH = (428, 429, 430, 431, 432, 433, 442)  # open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
_ABSENT = (425, 426, 427, 435)  # io_uring_setup io_uring_enter io_uring_register clone3
_MACHINES = {
    # ptrace process_vm_readv/writev kcmp bpf perf_event_open add_key request_key keyctl userfaultfd mount umount2
    # pivot_root chroot unshare setns init/finit/delete_module kexec_load/file reboot swapon/off acct syslog
    # quotactl open_by_handle_at vhangup iopl ioperm
    "x86_64": _Machine(
        0xC000003E,
        (101, 310, 311, 312, 321, 298, 248, 249, 250, 323, 165, 166, 155, 161, 272, 308, 175, 313, 176, 246, 320, 169,
         167, 168, 163, 103, 179, 304, 153, 172, 173, *_BOTH),
        clone=56, socket=41, ioctl=16, shmget=29, setrlimit=160, prlimit=302, highest=0x40000000,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        (117, 270, 271, 272, 280, 241, 217, 218, 219, 282, 40, 39, 41, 51, 97, 268, 105, 273, 106, 104, 294, 142,
         224, 225, 89, 116, 60, 265, 58, *_BOTH),
        clone=220, socket=198, ioctl=29, shmget=194, setrlimit=164, prlimit=261,
    ),
}  # fmt: skip


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _fail(number: int) -> bytes:
    return _op(_RETURN, _ERRNO | number)


def _when(number: int, body: list[bytes]) -> list[bytes]:
    """Run `body`, which must return on every path, for one system call."""
    return [_op(_EQUAL, number, 0, len(body)), *body]


def _low(argument: int) -> bytes:
    """Load the low half of an argument: of an int the kernel ignores the high one, so comparing it could be evaded."""
    return _op(_LOAD, _ARG + 8 * argument)


def _high(argument: int) -> bytes:
    return _op(_LOAD, _ARG + 8 * argument + 4)


def _core_limit(argument: int, new: int | None = None) -> list[bytes]:
    """Answer "done" to a change of the limit of core files, and change nothing: at 0 a crash reporter would run.

    `new` is the argument that is a null pointer where the limit is only asked for.
    """
    done = [_fail(0)]
    if new is not None:
        done = [_low(new), _op(_EQUAL, 0, 0, 2), _high(new), _op(_EQUAL, 0, 1, 0), _fail(0), _op(_RETURN, _ALLOW)]
    return [_low(argument), _op(_EQUAL, _CORE, 0, len(done)), *done, _op(_RETURN, _ALLOW)]


def program(*, network: bool = False, machine: str = "") -> bytes:
    """Return the filter for this machine; empty for a kind of machine that has no table (`reeve doctor` says so).

    With `network` the sockets that name look-ups use are allowed too.
    """
    kind = _MACHINES.get(machine or platform.machine())
    if kind is None:
        return b""
    families = (_UNIX, _INET, _INET6, *((_NETLINK,) if network else ()))
    ops = [_op(_LOAD, _ARCH), _op(_EQUAL, kind.audit, 1, 0), _fail(errno.ENOSYS), _op(_LOAD, _NUMBER)]
    if kind.highest:
        ops += [_op(_AT_LEAST, kind.highest, 0, 1), _fail(errno.ENOSYS)]
    for number in kind.denied:
        ops += _when(number, [_fail(errno.EPERM)])
    for number in _ABSENT:
        ops += _when(number, [_fail(errno.ENOSYS)])
    ops += _when(kind.clone, [_low(0), _op(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _fail(errno.EPERM), _op(_RETURN, _ALLOW)])
    chosen = [_op(_EQUAL, family, len(families) - at, 0) for at, family in enumerate(families)]
    ops += _when(kind.socket, [_low(0), *chosen, _fail(errno.EAFNOSUPPORT), _op(_RETURN, _ALLOW)])
    asked = [_op(_EQUAL, request, len(_TERMINAL_INPUT) - at, 0) for at, request in enumerate(_TERMINAL_INPUT)]
    ops += _when(kind.ioctl, [_low(1), *asked, _op(_RETURN, _ALLOW), _fail(errno.EPERM)])
    large = [_high(1), _op(_EQUAL, 0, 0, 2), _low(1), _op(_AT_LEAST, _SEGMENT_BYTES + 1, 0, 1)]
    ops += _when(kind.shmget, [*large, _fail(errno.ENOMEM), _op(_RETURN, _ALLOW)])
    ops += _when(kind.setrlimit, _core_limit(0))
    ops += _when(kind.prlimit, _core_limit(1, new=2))
    ops.append(_op(_RETURN, _ALLOW))
    return b"".join(ops)
