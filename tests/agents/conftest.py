"""The real agents, installed once; nothing but loopback from then on; and the table of what came of it."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "adapters"), str(HERE.parent / "durable")]

from project import REEVE  # noqa: E402
from shops import missing  # noqa: E402

from reeve.adapters.agents.presets import PRESETS  # noqa: E402
from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox  # noqa: E402

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


@pytest.fixture(scope="session", autouse=True)
def agents(tmp_path_factory):
    """Install the pinned agents, then leave the network where that is ours to do; a sandbox has none in any case."""
    if problem := BubblewrapSandbox().available():
        missing(problem)
    folder = tmp_path_factory.mktemp("nowhere")
    (folder / "reeve.toml").touch()
    for name in PRESETS:
        subprocess.run([*REEVE, "agents", "install", name], cwd=folder, check=True)
    if os.geteuid() == 0:
        leave_the_network()


def leave_the_network():
    """Have this thread, and all that it starts from now on, see a network of loopback alone."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "a network of its own cannot be made")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(control, GET_FLAGS, request))[1]
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sh", b"lo", flags | UP))


@pytest.fixture
def row(record_property):
    """Write a row of the table: agent, version, what was tried, its outcome, and how long the attempt took."""

    def write(agent, version, what, outcome, seconds):
        record_property("agent", [agent, version, what, outcome, seconds])

    return write


def pytest_terminal_summary(terminalreporter):
    rows = [
        (*value, word)
        for outcome, word in (("passed", "ok"), ("failed", "FAILED"))
        for report in terminalreporter.stats.get(outcome, [])
        for key, value in getattr(report, "user_properties", ())
        if key == "agent"
    ]
    if not rows:
        return
    terminalreporter.section("real agents")
    for agent, version, what, outcome, seconds, word in sorted(rows, key=lambda each: (each[2], each[0])):
        terminalreporter.write_line(f"{agent:<12} {version:<18} {what:<10} {outcome:<44} {seconds:>6.1f} s  {word}")
    network = "loopback alone" if os.geteuid() == 0 else "the machine's, of which a sandbox sees nothing"
    terminalreporter.write_line(f"versions with the hash of the configuration; network of reeve: {network}")
