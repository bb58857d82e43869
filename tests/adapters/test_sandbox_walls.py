"""The walls of bubblewrap: what runs inside reaches nothing outside, and nothing of it outlives whom it was for."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from shops import PYTHON, missing
from test_sandbox_contract import detached, running

from reeve.adapters.sandboxes import SANDBOX_UID, seccomp
from reeve.adapters.sandboxes.supervised import RunState
from reeve.records import Ending, Limits, SandboxRun

PROBES = """
import ctypes, errno, json, os, socket, struct, sys
found = {}
def probe(name):
    def run(function):
        try:
            found[name] = repr(function())
        except OSError as error:
            found[name] = errno.errorcode.get(error.errno, "?")
        except Exception as error:
            found[name] = type(error).__name__
    return run
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if libc.syscall(*args) == -1:
        raise OSError(ctypes.get_errno(), "")
    return "done"
@probe("who")
def _(): return os.getuid(), os.getgid(), os.getgroups()
@probe("network")
def _(): return socket.create_connection(("%s", %d), 2)
@probe("abstract socket")
def _():
    s = socket.socket(socket.AF_UNIX); s.connect("\\0%s"); return "connected"
@probe("unix socket")
def _():
    s = socket.socket(socket.AF_UNIX); s.connect("%s"); return "connected"
for path in ("/etc/shadow", "/root/.ssh", "/root/.bashrc", "/home", "%s", "/var/log", "/run", "/sys/kernel", "/proc/kcore"):
    @probe("read " + path)
    def _(): return os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
for path in ("/usr/x", "/etc/x", "/x", "/proc/sys/kernel/core_pattern", "/dev/x", "/proc/sysrq-trigger", "/reeve/x"):
    @probe("write " + path)
    def _(): open(path, "w").write("x"); return "written"
@probe("processes")
def _(): return len([name for name in os.listdir("/proc") if name.isdigit()])
@probe("capabilities")
def _(): return [line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "CapPrm"))]
@probe("no new privileges")
def _(): return [line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs", "Seccomp:"))]
@probe("open files")
def _(): return sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1]
@probe("user namespace")
def _(): return call(272, 0x10000000)
@probe("mount namespace")
def _(): return call(272, 0x00020000)
@probe("clone user namespace")
def _(): return call(56, 0x10000000 | 17, 0, 0, 0, 0)
@probe("clone3")
def _(): return call(435, 0, 0)
@probe("ptrace")
def _(): return call(101, 16, 1, 0, 0)
@probe("mount")
def _(): return call(165, b"none", b"/tmp", b"tmpfs", 0, 0)
@probe("bpf")
def _(): return call(321, 0, 0, 0)
@probe("keyctl")
def _(): return call(250, 0, 0, 0)
@probe("io_uring")
def _(): return call(425, 1, 0)
@probe("terminal input")
def _(): return call(16, 1, 0x5412, b"x")
@probe("terminal input, high half set")
def _(): return call(16, 1, ctypes.c_ulong(0xF00000005412), b"x")
@probe("netlink")
def _(): return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
@probe("packet")
def _(): return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
@probe("device")
def _(): return os.mknod("/tmp/dev", 0o20666, os.makedev(1, 1))
@probe("set uid bit")
def _():
    open("/work/suid", "w").close(); os.chmod("/work/suid", 0o4755); return oct(os.stat("/work/suid").st_mode)
@probe("mount table")
def _(): return "%s" in open("/proc/self/mountinfo").read()
@probe("command lines")
def _(): return any("%s" in open(f"/proc/{p}/cmdline").read() for p in os.listdir("/proc") if p.isdigit() and p != str(os.getpid()))
for path, size in (("/tmp", 700), ("/dev/shm", 100)):
    @probe("fill " + path)
    def _():
        with open(path + "/big", "wb") as file:
            for _ in range(size): file.write(bytes(1 << 20))
        return "filled"
json.dump(found, sys.stdout)
"""


@pytest.fixture
def probed(real_shop):
    """What an attacker inside found out, with live targets outside."""
    secret = real_shop.root / "secret"
    secret.write_text("s")
    secret.chmod(0o666)
    path, name = str(real_shop.root / "s"), f"reeve-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as plain,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        plain.bind(path)
        os.chmod(path, 0o777)
        plain.listen()
        abstract.bind(f"\0{name}")
        abstract.listen()
        hidden = str(real_shop.root)
        script = PROBES % ("127.0.0.1", tcp.getsockname()[1], name, path, secret, hidden, hidden)
        files = {"probe.py": (script.encode(), False)}
        result, out = real_shop.run(real_shop.open(), PYTHON, "probe.py", files=files)
    assert result.status == 0, out
    return json.loads(out)


def test_an_attacker_inside_gets_nowhere(probed):
    allowed = {"who", "processes", "capabilities", "no new privileges", "open files", "set uid bit", "mount table",
               "command lines"}  # fmt: skip
    blocked = {name: said for name, said in probed.items() if name not in allowed}
    open_doors = {name: said for name, said in blocked.items() if not said.startswith("E")}
    # Folders that are there and empty tell nothing; names below /root are those of the interpreter alone.
    assert {name: said for name, said in open_doors.items() if said != "[]"} == {}
    uid = SANDBOX_UID if os.geteuid() == 0 else os.geteuid()
    assert probed["who"].startswith(f"({uid}, ")
    assert int(probed["processes"]) <= 4
    assert set(json.loads(probed["capabilities"].replace("'", '"'))) == {"0000000000000000"}
    assert probed["no new privileges"] == "['1', '2']"
    assert probed["open files"] == "[0, 1, 2]"
    assert probed["command lines"] == "False"


def test_the_system_call_filter_answers_as_documented(probed):
    if not seccomp.program():
        missing("no table of system calls for this kind of machine")
    assert {
        name: probed[name] for name in ("clone3", "io_uring", "netlink", "terminal input, high half set", "keyctl")
    } == {
        "clone3": "ENOSYS",
        "io_uring": "ENOSYS",
        "netlink": "EAFNOSUPPORT",
        "terminal input, high half set": "EPERM",
        "keyctl": "EPERM",
    }
    assert {probed[name] for name in ("user namespace", "clone user namespace", "ptrace", "mount", "bpf")} == {"EPERM"}


def test_set_up_with_network_reaches_this_machine_and_nothing_else_changes(overlay_shop):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ask = f"import socket, os; socket.create_connection(('127.0.0.1', {port}), 5); print(open('/etc/hosts').read() != '')"
        folder = overlay_shop.root / "env"
        folder.mkdir()
        result, out = overlay_shop.run(overlay_shop.open(), PYTHON, "-c", f"{ask}; open('/env/made', 'w'); open('/etc/shadow')",
                                       network=True, env_writable=str(folder))  # fmt: skip
    assert "True" in out
    assert "No such file" in out
    assert result.status == 1
    assert (folder / "made").exists()


def test_set_up_sees_the_package_index_settings_and_no_other(overlay_shop, tmp_path):
    wheels, config = tmp_path / "wheels", tmp_path / "pip.conf"
    wheels.mkdir()
    (wheels / "a.whl").write_text("w")
    config.write_text(f"[global]\nfind-links = file://{wheels}\n")
    tmp_path.chmod(0o755)
    overlay_shop.sandbox.host_env = {
        "PIP_CONFIG_FILE": str(config),
        "HTTPS_PROXY": "http://p:1",
        "TOKEN": "x",
        "HOME": "/",
    }
    script = f'ls {wheels}; cat "$PIP_CONFIG_FILE"; echo "$HTTPS_PROXY"; env'
    out = overlay_shop.run(overlay_shop.open(), "sh", "-c", script, network=True)[1]
    assert out.startswith("a.whl\n[global]\n")
    assert "http://p:1" in out
    assert "TOKEN" not in out
    assert "http://p:1" not in overlay_shop.run(overlay_shop.open(), "env")[1]


# ---------------------------------------------------------------- nothing is left


CALLER = """
import sys
from pathlib import Path
from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
from reeve.records import Limits, SandboxRun, Workspace
workspace = Workspace("t.1", "overlay", tuple(sys.argv[5:]), sys.argv[1], sys.argv[2])
script = "echo up; sleep " + sys.argv[4]
run = SandboxRun(("sh", "-c", script), workspace, Limits(), 900.0, sys.argv[3] + "/stdout")
if sys.stdin.readline() == "detached\\n":
    BubblewrapSandbox().ensure(run, Path(sys.argv[3]))
    print("started", flush=True)
    sys.stdin.readline()
else:
    BubblewrapSandbox().run(run)
"""


def caller(shop, marker, how):
    """Start a process that runs something in the sandbox; returns it and the folder once the command is up."""
    workspace = shop.open()
    folder = Path(workspace.upper).parent
    process = subprocess.Popen(
        [sys.executable, "-c", CALLER, workspace.upper, workspace.work, str(folder), marker, *workspace.lowers],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    process.stdin.write(f"{how}\n".encode())
    process.stdin.flush()
    until(lambda: running("sleep", marker))
    return process, folder


def until(true):
    """Look until something is so; the bound only turns a hang into a failure."""
    pause, give_up = threading.Event(), time.monotonic() + 120
    while not true():
        assert time.monotonic() < give_up, "waited in vain"
        pause.wait(0.01)


def mounts():
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "reeve" in line]


def test_a_caller_that_is_killed_takes_its_run_along(overlay_shop):
    before, marker = mounts(), f"7{os.getpid()}"
    process, _ = caller(overlay_shop, marker, "attached")
    process.kill()
    process.communicate()
    until(lambda: not running("sleep", marker))
    assert mounts() == before


def test_a_runner_that_is_killed_takes_its_run_along_and_the_record_says_stale(overlay_shop):
    before, marker = mounts(), f"8{os.getpid()}"
    process, folder = caller(overlay_shop, marker, "detached")
    process.communicate()
    for runner in runners(folder):
        os.kill(runner, signal.SIGKILL)
    until(lambda: not running("sleep", marker))
    sandbox = overlay_shop.sandbox
    until(lambda: sandbox.state(folder) == RunState.STALE)
    assert sandbox.wait(folder, stop=lambda: False).ending is Ending.SANDBOX_FAILED
    assert mounts() == before


def test_a_detached_run_outlives_its_caller_and_is_found_again_once(overlay_shop):
    marker = f"9{os.getpid()}"
    process, folder = caller(overlay_shop, marker, "detached")
    process.kill()
    process.communicate()
    sandbox = overlay_shop.sandbox
    assert sandbox.state(folder) == RunState.RUNNING
    again, _ = detached(overlay_shop, "echo again > /work/again", name="other")
    sandbox.ensure(again, folder)
    assert len(runners(folder)) == 1
    assert sandbox.wait(folder, stop=lambda: True).ending is Ending.INTERRUPTED
    assert running("sleep", marker) == []
    assert (folder / "stdout").read_text() == "up\n"
    sandbox.ensure(again, folder)
    assert sandbox.state(folder) == RunState.ENDED


def test_ten_starters_at_once_start_one_run(overlay_shop):
    run, folder = detached(overlay_shop, "echo one >> /work/count; cat /work/count; sleep 0.2")
    threads = [threading.Thread(target=overlay_shop.sandbox.ensure, args=(run, folder)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlay_shop.sandbox.wait(folder, stop=lambda: False).ending is Ending.FINISHED
    assert (folder / "stdout").read_text() == "one\n"


def test_a_stale_run_is_started_again_in_a_fresh_workspace(overlay_shop):
    run, folder = detached(overlay_shop, "echo hello")
    (folder / "lock").touch()
    (folder / "spec.json").write_text("{}")
    assert overlay_shop.sandbox.state(folder) == RunState.STALE
    overlay_shop.trees.drop(run.workspace)
    again = overlay_shop.open(name="d.1")
    overlay_shop.sandbox.ensure(SandboxRun(run.argv, again, Limits(), 60.0, run.stdout), folder)
    assert overlay_shop.sandbox.wait(folder, stop=lambda: False).status == 0


def test_the_state_folder_may_be_private_and_its_path_hold_colons_and_commas(tmp_path):
    from shops import make_shop

    folder = tmp_path / "a:b,c \\d"
    folder.mkdir(mode=0o700)
    shop = make_shop("overlay", folder)
    workspace = shop.open()
    shop.edit(workspace, "echo x > x")
    assert [change.path for change in shop.trees.capture(workspace, shop.base).changes] == ["x"]


def test_a_runner_stays_small(overlay_shop):
    marker = f"5{os.getpid()}"
    process, folder = caller(overlay_shop, marker, "detached")
    process.communicate()
    (runner,) = runners(folder)
    resident = [line for line in Path(f"/proc/{runner}/status").read_text().splitlines() if line.startswith("VmRSS")]
    overlay_shop.sandbox.wait(folder, stop=lambda: True)
    assert int(resident[0].split()[1]) < 15 * 1024


def runners(folder):
    """Name the runners of a folder; what they fork is no runner."""
    found, below = set(), set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"detached" in words and os.fsencode(folder) in words:
            pid = path.parent.name
            found.add(int(pid))
            below.update(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return sorted(found - below)
