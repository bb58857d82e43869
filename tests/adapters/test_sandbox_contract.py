"""What every Sandbox promises: bubblewrap over overlays and copies, none over copies; and the fake, as far as it goes."""

import os
import time
from pathlib import Path

import pytest
from shops import PYTHON, make_shop

from reeve.adapters.sandboxes.fake import FakeSandbox
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.errors import SandboxError
from reeve.records import Ending, Limits, SandboxRun

FORKS = """
import os, time
made = 0
while True:
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(600)
    made += 1
print("forked", made)
"""


@pytest.fixture(params=["bubblewrap-overlay", "bubblewrap-copy", "none-copy"])
def place(request, tmp_path):
    """A sandbox with the kind of trees it works on."""
    walls, kind = request.param.split("-")
    shop = make_shop(kind, tmp_path)
    if walls == "none":
        shop.sandbox = NoSandbox()
    return shop


def sh(place, script, **more):
    return place.run(place.open(), "sh", "-c", script, **more)


def test_it_says_how_a_command_ended(place):
    result, out = sh(place, "echo said; echo too >&2")
    assert (result.ending, result.status, out) == (Ending.FINISHED, 0, "said\ntoo\n")
    assert result.wall_seconds > 0
    assert result.cpu_seconds > 0
    assert result.peak_memory_mb > 0


def test_it_counts_all_cpu_time(place):
    burn = "import os, time\nwhile time.process_time() < 0.3: pass\n"
    for _ in range(5):  # the first process to end must not take the count with it, whoever is the quicker one
        result = place.run(
            place.open(),
            PYTHON,
            "-c",
            burn + "if os.fork() == 0:\n while time.process_time() < 0.3: pass\n os._exit(0)\nos.wait()",
        )[0]
        assert 0.59 < result.cpu_seconds < 1.5


def test_a_status_that_is_not_zero_is_a_crash(place):
    assert [sh(place, f"exit {number}")[0].status for number in (1, 3, 127)] == [1, 3, 127]
    result = sh(place, "exit 3")[0]
    assert (result.ending, result.reason) == (Ending.CRASHED, "it ended with status 3")


def test_a_signal_is_a_negative_status(place):
    result = sh(place, "kill -TERM $$")[0]
    assert (result.ending, result.status) == (Ending.CRASHED, -15)


def test_a_command_that_is_not_there_is_a_crash_that_says_so(place):
    result, out = place.run(place.open(), "no-such-program")
    assert (result.ending, result.status) == (Ending.CRASHED, 127)
    assert "no-such-program" in out


def test_the_tree_is_where_it_starts_and_output_can_be_opened_again(place):
    out = sh(place, "cat README; echo one > /dev/stdout; echo two > /dev/stderr; cat < /dev/null")[1]
    assert out == "read me\none\ntwo\n"


def test_the_time_limit_is_named(place):
    result = sh(place, "trap '' TERM INT HUP; sleep 600 & wait", wall_seconds=0.3)[0]
    assert (result.ending, result.status) == (Ending.TIME_LIMIT, None)
    assert "0.3 s" in result.reason


def test_the_memory_limit_counts_all_processes_together(place):
    script = "import os, time\nfor _ in range(6): os.fork()\nx = b'x' * (8 << 20)\ntime.sleep(600)"
    result = place.run(place.open(), PYTHON, "-c", script, limits=Limits(memory_mb=200))[0]
    assert (result.ending, result.status) == (Ending.MEMORY_LIMIT, None)
    assert "200 MB" in result.reason
    assert result.peak_memory_mb > 200


def test_the_memory_limit_holds_for_one_process(place):
    grow = "x = []\nwhile True: x.append(b'x' * (1 << 20))"
    result = place.run(place.open(), PYTHON, "-c", grow, limits=Limits(memory_mb=128))[0]
    assert result.ending is Ending.MEMORY_LIMIT


def test_the_disk_limit_counts_all_files_together(place):
    write = "i=0; while true; do head -c 4000000 /dev/zero > f$i; i=$((i+1)); done"
    result = sh(place, write, limits=Limits(disk_mb=60))[0]
    assert (result.ending, result.status) == (Ending.DISK_LIMIT, None)
    assert result.disk_mb > 60


def test_the_disk_limit_holds_for_one_file(place):
    result = sh(place, "head -c 90000000 /dev/zero > big", limits=Limits(disk_mb=40))[0]
    assert result.ending is Ending.DISK_LIMIT


def test_the_output_limit_is_exact(place):
    result, out = sh(place, "yes", limits=Limits(output_mb=1))
    assert (result.ending, result.status) == (Ending.OUTPUT_LIMIT, None)
    assert len(out) == 1 << 20


def test_a_fork_bomb_stops_at_the_limit_of_processes(place):
    result, out = place.run(place.open(), PYTHON, "-c", FORKS, limits=Limits(processes=30))
    if out:
        assert int(out.split()[1]) <= 31
    else:  # root without walls: the kernel's limit does not hold for it
        assert "more than 30 processes" in result.reason


def test_a_daemon_does_not_outlive_the_command(place):
    marker = f"6{os.getpid()}"
    script = f"import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: os.execlp('sleep', 'sleep', '{marker}')"
    began = time.monotonic()
    result = place.run(place.open(), PYTHON, "-c", script)[0]
    assert result.ending is Ending.FINISHED
    assert time.monotonic() - began < 100
    assert running("sleep", marker) == []


def test_a_daemon_that_holds_the_output_open_is_not_waited_for(place):
    result, out = sh(place, "echo done; sleep 600 & exit 0")
    assert (result.ending, out) == (Ending.FINISHED, "done\n")


def test_files_are_put_into_the_tree_and_never_through_a_link(place):
    outside = place.root / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    workspace = place.open()
    place.run(workspace, "sh", "-c", f"ln -s {outside} trap; ln -s {outside}/file trap2; rm -r src; echo > src")
    files = {
        "trap/file": (b"1", False), "trap2": (b"2", False), "src/deep/x": (b"3", True), "README": None, "gone": None,
        "a\nb": (b"\xff\x00", False),
    }  # fmt: skip
    out = place.run(
        workspace, "sh", "-c", "cat trap/file trap2 src/deep/x; test -x src/deep/x; ls README", files=files
    )[1]
    assert out.startswith("123")
    assert "README" in out
    assert list(outside.iterdir()) == []
    changes = place.trees.capture(workspace, place.base).changes
    assert {"a\nb", "trap/file", "trap2", "README", "src/deep/x"} <= {change.path for change in changes}


def test_variables_binds_and_the_output_folder_are_as_asked(place):
    bind, out = place.root / "bind", place.root / "outside"
    bind.mkdir()
    out.mkdir()
    (bind / "given").write_text("given\n")
    place.root.chmod(0o755)
    result, said = sh(place, 'echo "$GREETING" $(cat /reeve/x/given) > /out/report; env', env={"GREETING": "a  b"},
                      binds={"/reeve/x": str(bind)}, out=str(out))  # fmt: skip
    assert result.status == 0, said
    assert (out / "report").read_text() == "a  b given\n"
    assert ("HOSTSECRET" in said) is False


def test_nothing_of_our_environment_gets_in(place, monkeypatch):
    monkeypatch.setenv("HOST_SECRET", "hunter2")
    out = sh(place, "env; cat /proc/self/environ /proc/1/environ /proc/$PPID/environ 2>/dev/null")[1]
    if place.sandbox.name == "none":
        out = sh(place, "env; cat /proc/self/environ /proc/$PPID/environ")[1]
    assert "hunter2" not in out


def test_an_output_that_cannot_be_written_is_our_failure_not_the_command_s(place):
    with pytest.raises(SandboxError, match="behind walls"):
        place.sandbox.run(SandboxRun(("true",), place.open(), Limits(), 5.0, str(place.root / "no" / "such" / "out")))


# ---------------------------------------------------------------- detached


def detached(place, script, name="d.1", seconds=120.0):
    workspace = place.open(name=name)
    folder = Path(workspace.upper).parent
    return SandboxRun(("sh", "-c", script), workspace, Limits(), seconds, str(folder / "stdout")), folder


def test_a_detached_run_is_started_once_and_its_end_can_be_read_again_and_again(place):
    run, folder = detached(place, "echo started; sleep 0.3")
    assert not place.sandbox.begun(folder)
    for _ in range(3):
        place.sandbox.ensure(run, folder)
        assert place.sandbox.begun(folder)
    result = place.sandbox.wait(folder, stop=lambda: False)
    place.sandbox.ensure(run, folder)
    assert place.sandbox.wait(folder, stop=lambda: True) == result
    assert (result.ending, result.status) == (Ending.FINISHED, 0)
    assert (folder / "stdout").read_text() == "started\n"


def test_a_detached_run_can_be_stopped(place):
    run, folder = detached(place, "sleep 600")
    place.sandbox.ensure(run, folder)
    result = place.sandbox.wait(folder, stop=lambda: True)
    assert (result.ending, result.status) == (Ending.INTERRUPTED, None)
    assert result.wall_seconds < 100


def test_a_detached_run_that_cannot_start_says_so_in_its_record(place):
    run, folder = detached(place, "true")
    os.rmdir(run.workspace.work) if place.kind == "overlay" else os.rename(run.workspace.upper, f"{folder}/away")
    place.sandbox.ensure(run, folder)
    assert place.sandbox.wait(folder, stop=lambda: False).ending is Ending.SANDBOX_FAILED


# ---------------------------------------------------------------- the fake


def test_the_fake_keeps_the_same_promises_without_a_process(tmp_path):
    place = make_shop("fake", tmp_path)

    def act(run, tree, out):
        out.write(b"said\n" + (tree / "given").read_bytes())
        (tree / "README").write_text("changed\n")
        return int(run.argv[0])

    sandbox = FakeSandbox(act)
    run, folder = detached(place, "")
    run = SandboxRun(("3",), run.workspace, Limits(), 1.0, run.stdout, files={"given": (b"g", False), "run.sh": None})
    assert not sandbox.begun(folder)
    assert sandbox.wait(folder, stop=lambda: False).ending is Ending.SANDBOX_FAILED
    for _ in range(2):
        sandbox.ensure(run, folder)
    result = sandbox.wait(folder, stop=lambda: False)
    assert (sandbox.starts, sandbox.begun(folder)) == (1, True)
    assert (result.ending, result.status) == (Ending.CRASHED, 3)
    assert (folder / "stdout").read_bytes() == b"said\ng"
    assert [change.path for change in place.trees.capture(run.workspace, place.base).changes] == [
        "README",
        "given",
        "run.sh",
    ]


def running(*argv):
    """Name the processes of this machine with exactly these arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().rstrip(b"\0").split(b"\0") == [argument.encode() for argument in argv]:
                found.append(path.parent.name)
        except OSError:
            continue
    return found
