"""Kill -9 at every named crash point, and at random moments: nothing lost, nothing twice, nothing left running."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from project import REEVE, landed, leftovers, make_project

KINDS = ("base", "order", "attempt", "verdict", "selection", "decision", "landing")
POINTS = [f"{kind}.{side}" for kind in KINDS for side in ("before", "after")]
LIFE = Path(__file__).with_name("life.py")
PATIENCE_SECONDS = 300


def facts(repo):
    path = repo / ".reeve" / "ledger.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute("SELECT kind, key, body FROM facts ORDER BY seq").fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def finish(repo):
    """Run to the end, and say how it ended."""
    done = subprocess.run(
        [*REEVE, "run"], cwd=repo, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def assert_all_landed_once(repo, count):
    names = [f"t{number:02}" for number in range(count)]
    assert sorted(landed(repo)) == names
    shown = subprocess.run([*REEVE, "status", "--json"], cwd=repo, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["counts"]["landed"] == count
    stored = facts(repo)
    for kind in ("order", "attempt"):
        # An attempt that was lost would have been ordered anew, one that ran twice would have two records.
        assert sorted(key for found, key, _ in stored if found == kind) == [f"{name}.1" for name in names]
    assert {json.loads(body)["ending"] for kind, _, body in stored if kind == "attempt"} == {"finished"}
    assert leftovers(repo / ".reeve") == []


def test_a_kill_at_every_crash_point_loses_nothing_and_repeats_nothing(tmp_path):
    repo = make_project(tmp_path, len(POINTS))
    for point in POINTS:
        times = len(POINTS) // 2 if point.startswith("base") else 1
        life = subprocess.run(
            [sys.executable, LIFE, point, str(times)],
            cwd=repo,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert life.returncode == -signal.SIGKILL, (point, life.stderr.decode())
    finish(repo)
    assert_all_landed_once(repo, len(POINTS))


def test_ten_kills_at_random_moments_in_a_run_of_thirty_tasks(tmp_path):
    repo = make_project(tmp_path, 30)
    choose = random.Random(20261121)
    for _ in range(10):
        before = len(facts(repo))
        wanted = before + choose.randrange(1, 18)
        life = subprocess.Popen([*REEVE, "run"], cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(facts(repo)) < wanted and life.poll() is None and time.monotonic() < until:
            time.sleep(choose.random() * 0.02)
        life.kill()
        assert life.wait() == -signal.SIGKILL  # it had not ended by itself
    finish(repo)
    assert_all_landed_once(repo, 30)
