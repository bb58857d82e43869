"""Ctrl-C, a full disk, a second run: what was done is kept, nothing is left running, and the next run goes on."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from project import REEVE, git, landed, leftovers, make_project

PATIENCE_SECONDS = 120


def start(repo):
    return subprocess.Popen([*REEVE, "run"], cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process):
    """Wait until something is true of the world outside, or the process has ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.02)


def slow_project(tmp_path):
    """An agent that edits at once, and then works for an hour unless a file says that it need not."""
    repo = make_project(tmp_path, 2)
    toml = (repo / "reeve.toml").read_text()
    (repo / "reeve.toml").write_text(toml.replace("rm runs-of-*", "rm runs-of-*; echo edited; sleep 3600"))
    return repo


def fill(path):
    """Write until there is no room left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, bytes(1 << 12)):
            pass
    os.close(descriptor)


def output_of(repo, attempt):
    path = repo / ".reeve" / "attempts" / attempt / "output"
    return path.read_text() if path.exists() else ""


def test_ctrl_c_keeps_what_was_done_leaves_nothing_and_the_next_run_goes_on(tmp_path):
    repo = slow_project(tmp_path)
    process = start(repo)
    wait_for(lambda: all("edited" in output_of(repo, f"t{number:02}.1") for number in (0, 1)), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, out + err
    assert "goes on" in out + err
    assert leftovers(repo / ".reeve") == []
    shown = subprocess.run([*REEVE, "diff", "t00.1"], cwd=repo, capture_output=True, text=True, check=True).stdout
    assert "+right" in shown  # what the attempt had done is kept
    done = subprocess.run(
        [*REEVE, "run"], cwd=repo, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(landed(repo)) == ["t00", "t01"]


def test_one_attempt_is_stopped_with_what_it_started_and_the_run_goes_on(tmp_path):
    repo = slow_project(tmp_path)

    def said(*arguments):
        return subprocess.run([*REEVE, *arguments], cwd=repo, capture_output=True, text=True, check=False)

    process = start(repo)
    wait_for(lambda: all("edited" in output_of(repo, f"t{number:02}.1") for number in (0, 1)), process)
    assert said("stop", "t00.9").returncode == 2
    stopped = said("stop", "t00.1", "-m", "long enough", "--json")
    assert json.loads(stopped.stdout) == {"attempts": [{"id": "t00.1", "ending": "interrupted"}]}
    assert process.poll() is None  # the other one goes on
    assert said("stop", "t01").returncode == 0
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, out + err
    assert sorted(landed(repo)) == ["t00", "t01"]  # what they had done was right
    first = json.loads(said("show", "t00.1", "--json").stdout)["attempt"]
    assert (first["ending"], first["reason"]) == ("interrupted", "a person stopped it: long enough")
    again = said("stop", "t00.1")
    assert (again.returncode, "has ended already" in again.stderr) == (2, True)
    assert "no attempt under way" in said("stop", "t01").stderr
    assert leftovers(repo / ".reeve") == []


def test_a_second_run_on_the_same_ledger_is_refused_with_the_number_of_the_first(tmp_path):
    repo = slow_project(tmp_path)
    process = start(repo)
    try:
        wait_for(lambda: "edited" in output_of(repo, "t00.1"), process)
        second = subprocess.run(
            [*REEVE, "run"], cwd=repo, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert second.returncode == 2
        assert str(process.pid) in second.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert leftovers(repo / ".reeve") == []


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can mount a small disk; an ordinary user's run is the same code"
)
def test_a_full_disk_is_a_clear_message_and_once_there_is_room_the_run_goes_on(tmp_path):
    repo = make_project(tmp_path, 2)
    state = repo / ".reeve"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", state], check=True)
    try:
        subprocess.run([*REEVE, "run", "t00"], cwd=repo, capture_output=True, check=True, timeout=PATIENCE_SECONDS)
        filler = state / "filler"
        fill(filler)
        full = subprocess.run(
            [*REEVE, "run"], cwd=repo, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert full.returncode not in (0, 130)
        said = full.stdout + full.stderr
        assert "Traceback" not in said
        assert "full" in said or "No space" in said
        filler.unlink()
        done = subprocess.run(
            [*REEVE, "run"], cwd=repo, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(landed(repo)) == ["t00", "t01"]
        assert git(repo, "fsck", "--no-dangling") == ""
    finally:
        subprocess.run(["umount", "-l", state], check=True)
