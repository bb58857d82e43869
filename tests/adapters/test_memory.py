"""What memory a machine has left: of /proc, of control groups, and of detached runs."""

import os
import sys
import time
from pathlib import Path

import pytest

from reeve.adapters.memory.linux import LinuxMemory
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.adapters.sandboxes.supervised import RunState
from reeve.records import Limits, SandboxRun, Workspace

PATIENCE_SECONDS = 60


class Machine:
    """Files as /proc and /sys/fs/cgroup have them; sizes in MB."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.groups = folder / "proc", folder / "cgroup"
        self.write(
            self.proc / "meminfo", f"MemTotal:  {8192 << 10} kB\nMemFree: 1 kB\nMemAvailable:   {4096 << 10} kB\n"
        )
        self.write(self.proc / "self" / "cgroup", "0::/user/reeve\n")
        self.memory = LinuxMemory(self.proc, self.groups)

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def group(self, path: str, limit: str, used: int, inactive: int) -> None:
        folder = self.groups / path
        self.write(folder / "memory.max", f"{limit}\n")
        self.write(folder / "memory.current", f"{used << 20}\n")
        self.write(folder / "memory.stat", f"anon 1\ninactive_file {inactive << 20}\n")

    @property
    def numbers(self):
        return self.memory.total_mb(), self.memory.free_mb()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_without_control_groups_the_machine_counts(machine):
    assert machine.numbers == (8192, 4096)


def test_a_control_group_counts_where_it_has_less(machine):
    machine.group("user", str(3072 << 20), used=2048, inactive=512)
    machine.group("user/reeve", "max", used=100, inactive=0)
    assert machine.numbers == (3072, 1536)
    machine.group("user/reeve", str(2048 << 20), used=2100, inactive=0)
    assert machine.numbers == (2048, 0)  # over its limit already
    machine.group("user/reeve", str(7000 << 20), used=10, inactive=0)
    machine.group("user", str(7000 << 20), used=10, inactive=0)
    assert machine.numbers == (7000, 4096)


def test_in_a_container_the_top_of_the_groups_is_its_own(machine):
    machine.write(machine.proc / "self" / "cgroup", "0::/docker/abc\n")
    machine.group("", str(1024 << 20), used=24, inactive=0)
    assert machine.numbers == (1024, 1000)


def test_control_groups_of_the_first_version_count_too(machine):
    machine.write(machine.proc / "self" / "cgroup", "7:cpu,memory:/a\n3:pids:/b\n")
    folder = machine.groups / "memory" / "a"
    machine.write(folder / "memory.limit_in_bytes", f"{2048 << 20}\n")
    machine.write(folder / "memory.usage_in_bytes", f"{1024 << 20}\n")
    machine.write(folder / "memory.stat", f"total_inactive_file {24 << 20}\n")
    assert machine.numbers == (2048, 1048)


def test_this_machine_has_memory():
    memory = LinuxMemory()
    assert 0 < memory.free_mb() <= memory.total_mb()


def test_a_detached_run_is_found_with_all_its_processes_and_what_they_hold(tmp_path):
    tree, folder = tmp_path / "tree", tmp_path / "run"
    tree.mkdir()
    program = "import time; held = bytearray(b'x') * (80 << 20); print('here', flush=True); time.sleep(3600)"
    argv = ("/bin/sh", "-c", f'"{os.path.realpath(sys.executable)}" -c "{program}"; true')
    workspace = Workspace("w", "copy", (), str(tree), str(tmp_path / "work"))
    run = SandboxRun(argv, workspace, Limits(memory_mb=1000), 600.0, str(tmp_path / "said"))
    sandbox, memory = NoSandbox(), LinuxMemory()
    assert memory.used_mb([folder]) == {}
    sandbox.ensure(run, folder)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while sandbox.state(folder) == RunState.RUNNING and not (
            (tmp_path / "said").exists() and "here" in (tmp_path / "said").read_text()
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
        (used,) = memory.used_mb([folder, tmp_path / "other"]).values()
        assert 80 <= used < 400
    finally:
        sandbox.wait(folder, stop=lambda: True)
    assert memory.used_mb([folder]) == {}
    assert os.path.exists(folder / "exit.json")
