"""Kill -9 of whoever supervises, at several moments: after the next start no process, mount or temporary tree is left."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from expedition import CALC, TESTS
from project import REEVE, git, landed, leftovers, make_project
from shops import make_shop, missing
from users import repeated_as_a_user

from reeve.adapters.environments.fake import copied_environment
from reeve.adapters.gateway.handover import connect
from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
from reeve.adapters.scratch import scratch_folder
from reeve.records import Limits, SandboxRun

LIFE = Path(__file__).with_name("life.py")
PATIENCE_SECONDS = 240
WHO = "root" if os.geteuid() == 0 else "user"


@pytest.fixture(autouse=True)
def walls():
    if problem := BubblewrapSandbox().available():
        missing(problem)


@pytest.fixture
def temporary(tmp_path):
    """What a process that is started with it takes for the system's temporary place."""
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


def started(repo, temporary, *command):
    env = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.Popen(
        command or [*REEVE, "run"], cwd=repo, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def killed(process):
    process.kill()
    process.communicate()


def finished(repo, temporary, *command):
    """Run to the end, whatever the end is."""
    process = started(repo, temporary, *command)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in said
    return process.returncode, said


def until(condition, process=None):
    """Look until something is so; the bound only turns a hang into a failure."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if process is not None:
            assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up, "it never came to be"
        time.sleep(0.01)


def facts(repo, kind):
    path = repo / ".reeve" / "ledger.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return [
            json.loads(body)
            for (body,) in connection.execute("SELECT body FROM facts WHERE kind = ? ORDER BY seq", (kind,))
        ]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def processes():
    """Every process of this machine with its arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue


def sleeping(marker):
    return [pid for pid, words in processes() if words[:2] == ["sleep", marker]]


def runners(repo):
    """The runners of the attempts of a project; what they fork is no runner."""
    found = {
        pid for pid, words in processes() if "detached" in words and any(word.startswith(str(repo)) for word in words)
    }
    return sorted(found - {child for pid in found for child in children(pid)})


def of_checks(life):
    """The runners that a process has for its checks."""
    return [pid for pid, words in processes() if "attached" in words and parent(pid) == life.pid]


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def end(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def nothing_left(repo, temporary):
    assert leftovers(repo / ".reeve") == []
    assert list(temporary.iterdir()) == []
    assert [path.name for path in (repo / ".reeve").iterdir() if path.name.startswith("reeve-")] == []


def slow(repo, agent, check):
    """Let the agent, or the check of a result, go on for an hour."""
    toml = repo / "reeve.toml"
    toml.write_text(toml.read_text().replace("rm runs-of-*", f"rm runs-of-*; {agent}"))
    for path in (repo / "backlog").glob("*.md"):
        path.write_text(path.read_text().replace('.txt"]', f'.txt && {check}"]'))


def test_a_kill_while_a_result_is_checked(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3600.{os.getpid()}"
    slow(repo, "true", f"sleep {marker}")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    killed(life)
    until(lambda: not sleeping(marker))  # the check lives no longer than whoever asked for it
    (repo / "backlog" / "t00.md").unlink()
    finished(repo, temporary)
    nothing_left(repo, temporary)
    row(
        81,
        "supervisor",
        "kill -9 while a result is checked",
        "check gone with its caller; workspace swept at the next start",
        WHO,
    )


def test_a_kill_while_an_attempt_runs_and_then_of_its_runner_too(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3601.{os.getpid()}"
    slow(repo, f"case $REEVE_ATTEMPT in *.1) test -e /tmp/x || sleep {marker};; esac", "true")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    killed(life)
    assert len(runners(repo)) == 1  # the attempt goes on without its supervisor, so that nothing of it is lost
    end(runners(repo))
    until(lambda: not sleeping(marker))
    toml = repo / "reeve.toml"
    toml.write_text(toml.read_text().replace(f"sleep {marker}", "true"))
    assert finished(repo, temporary)[0] == 0
    assert landed(repo) == ["t00"]
    assert [attempt["ending"] for attempt in facts(repo, "attempt")] == ["finished"]
    nothing_left(repo, temporary)
    row(
        82,
        "supervisor",
        "kill -9 of the supervisor and of the runner during an attempt",
        "attempt t00.1: finished, once",
        WHO,
    )


def test_a_kill_of_the_runner_of_an_attempt_alone(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3602.{os.getpid()}"
    slow(repo, f"case $REEVE_ATTEMPT in *.1) sleep {marker};; esac", "true")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    end(runners(repo))
    said, _ = life.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in said
    until(lambda: not sleeping(marker))
    first = facts(repo, "attempt")[0]
    assert first["ending"] == "sandbox-failed"
    assert "runner was killed" in first["reason"]
    finished(repo, temporary)
    nothing_left(repo, temporary)
    row(83, "supervisor", "kill -9 of the runner of an attempt", f"ending sandbox-failed: {first['reason']}", WHO)


def test_a_kill_of_the_runner_of_a_check_alone(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3603.{os.getpid()}"
    slow(repo, "true", f"sleep {marker}")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    checks = of_checks(life)
    assert checks
    end(checks)
    said, _ = life.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in said
    until(lambda: not sleeping(marker))
    (verdict,) = facts(repo, "verdict")
    assert verdict["outcome"] == "unverified"
    assert facts(repo, "landing") == []
    nothing_left(repo, temporary)
    row(84, "supervisor", "kill -9 of the runner of a check", f"unverified: {verdict['reason'][:80]}", WHO)


def test_kills_while_tests_are_measured_and_a_pass_is_doubted(tmp_path, temporary, row):
    (tmp_path / "e").mkdir()
    environment = copied_environment(tmp_path / "e")
    repo = tmp_path / "project"
    for folder in ("tests", "backlog"):
        (repo / folder).mkdir(parents=True)
    (repo / "calc.py").write_text(CALC)
    (repo / "tests" / "test_calc.py").write_text(TESTS)
    (repo / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (repo / "reeve.toml").write_text(
        "land = 'passed'\ndefault_agents = ['fix']\n[agents.fix]\nkind = 'command'\ncommand = 'sed -i s/.1:.// calc.py'\n"
    )
    front = {
        "id": "total",
        "attempts": 1,
        "checks": {"required": ["tests/test_calc.py::test_one", "tests/test_calc.py::test_three"]},
    }
    (repo / "backlog" / "total.md").write_text(f"---\n{json.dumps(front)}\n---\nThe total is wrong.\n")
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", ".")
    git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "first")
    command = (sys.executable, str(LIFE), str(environment.venv))
    at = []
    # At the base, on the result, and while it is doubted: each time when the sandbox of that moment is up.
    for kind, count in (("task", 1), ("attempt", 1), ("measurement", 2)):
        life = started(repo, temporary, *command)
        until(lambda kind=kind, count=count, life=life: len(facts(repo, kind)) >= count and of_checks(life), life)
        at.append(len(facts(repo, "verdict")))
        checks = of_checks(life)
        killed(life)
        until(
            lambda checks=checks: not {pid for pid, _ in processes()} & {*checks}
        )  # and with each all that it started
    assert at == [0, 0, 0]
    code, said = finished(repo, temporary, *command)
    assert code == 0, said
    assert landed(repo) == ["total"]
    nothing_left(repo, temporary)
    row(
        85,
        "supervisor",
        "kill -9 while tests are measured and a pass is doubted",
        "one verdict, landed; nothing left at three moments",
        WHO,
    )


def test_a_task_that_is_edited_after_a_kill_leaves_nothing_of_its_old_attempt(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3604.{os.getpid()}"
    slow(repo, f"case $REEVE_ATTEMPT in *.1) sleep {marker};; esac", "true")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    killed(life)
    path = repo / "backlog" / "t00.md"
    path.write_text(path.read_text() + "and do it well\n")
    try:
        assert finished(repo, temporary)[0] == 0
        assert landed(repo) == ["t00"]
        assert sleeping(marker) == []
        nothing_left(repo, temporary)
        endings = {one["id"]: one["ending"] for one in facts(repo, "attempt")}
        assert endings == {"t00.1": "interrupted", "t00.2": "finished"}
    finally:
        end(runners(repo))
    row(86, "supervisor", "kill -9, then the task is edited: its old attempt", "ended and stored as interrupted", WHO)


def behind_a_door(repo):
    """Let the agent have a provider, and so a door; nobody answers there."""
    toml = repo / "reeve.toml"
    said = toml.read_text() + 'providers = ["local"]\n'
    toml.write_text(said + '\n[providers.local]\napi = "openai"\nbase_url = "http://127.0.0.1:9"\n')


def gateways(life):
    """The gateways that a process has started."""
    return [pid for pid, words in processes() if "reeve.adapters.gateway" in words and parent(pid) == life.pid]


def nobody_listens(repo):
    """No process is the gateway of a project: nobody answers at its socket, and nobody holds its lock."""
    folder = repo / ".reeve" / "gateway"
    with pytest.raises(ConnectionRefusedError):
        connect(folder)
    with (folder / "gateway.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_kill_during_an_attempt_with_a_door_leaves_no_gateway_and_nobody_listening(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3605.{os.getpid()}"
    behind_a_door(repo)
    slow(repo, f"case $REEVE_ATTEMPT in *.1) sleep {marker};; esac", "true")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    (gateway,) = gateways(life)
    if WHO == "user":  # even for whoever started it there is no way to the keys that it holds
        with pytest.raises(PermissionError):
            Path(f"/proc/{gateway}/environ").read_bytes()
    killed(life)
    until(lambda: not alive(gateway))  # it ends with whoever started it; the attempt goes on
    nobody_listens(repo)
    end(runners(repo))
    until(lambda: not sleeping(marker))
    toml = repo / "reeve.toml"
    toml.write_text(toml.read_text().replace(f"sleep {marker}", "true"))
    assert finished(repo, temporary)[0] == 0
    assert landed(repo) == ["t00"]
    nothing_left(repo, temporary)
    nobody_listens(repo)
    row(88, "supervisor", "kill -9 during an attempt with a door", "attempt t00.1: finished; nobody listens", WHO)


def test_a_kill_of_the_gateway_alone_is_made_good_and_the_attempt_goes_on(tmp_path, temporary, row):
    repo, marker = make_project(tmp_path, 1), f"3606.{os.getpid()}"
    behind_a_door(repo)
    slow(repo, f"case $REEVE_ATTEMPT in *.1) sleep {marker};; esac", "true")
    life = started(repo, temporary)
    until(lambda: sleeping(marker), life)
    first = gateways(life)
    end(first)
    until(lambda: gateways(life) not in ([], first), life)
    end(sleeping(marker))
    said, _ = life.communicate(timeout=PATIENCE_SECONDS)
    assert life.returncode == 0, said
    assert landed(repo) == ["t00"]
    assert len(facts(repo, "attempt")) == 1
    nothing_left(repo, temporary)
    nobody_listens(repo)
    row(89, "supervisor", "kill -9 of the gateway alone", "started again; attempt t00.1: finished, once", WHO)


def test_a_kill_of_the_runner_while_the_walls_go_up(tmp_path, row):
    shop = make_shop("overlay", tmp_path / "s")
    for number in range(8):
        marker = f"37{number}.{os.getpid()}"
        workspace = shop.open(name=f"k.{number}")
        folder = Path(workspace.upper).parent
        shop.sandbox.ensure(SandboxRun(("sleep", marker), workspace, Limits(), 900.0, str(folder / "stdout")), folder)
        runner, inner = first_inside(folder)
        os.kill(inner, signal.SIGSTOP)  # what it would do to follow its parent, it has not done yet, or never will
        os.kill(runner, signal.SIGKILL)
        until(lambda inner=inner: not alive(inner))
        until(lambda marker=marker: not sleeping(marker))
    row(
        87,
        "supervisor",
        "kill -9 of the runner while the walls go up",
        "everything below it is gone, at 8 moments",
        WHO,
    )


def first_inside(folder):
    """Wait for the process that bubblewrap puts into the new namespaces; returns it after its runner."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        for runner in runners(folder):
            for outer in (outer for first in children(runner) for outer in children(first)):
                for inner in children(outer):
                    if "detached" not in words_of(outer):
                        return runner, inner
    pytest.fail("it never came to be")


def words_of(pid):
    return next((words for each, words in processes() if each == pid), [])


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---------------------------------------------------------------- folders for a while

MAKER = """
import sys
from pathlib import Path
from reeve.adapters.scratch import scratch_folder
from reeve.records import Limits, SandboxRun
with scratch_folder("w-", Path(sys.argv[1])) as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_folder_of_a_killed_maker_goes_with_the_next_and_that_of_a_living_one_stays(tmp_path):
    def maker():
        process = subprocess.Popen(
            [sys.executable, "-c", MAKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return process, Path(process.stdout.readline().strip())

    alive, kept = maker()
    dead, gone = maker()
    (tmp_path / "w-file").write_text("no folder")
    (tmp_path / "w-link").symlink_to(kept)
    dead.kill()
    dead.communicate()
    assert gone.exists()
    with scratch_folder("w-", tmp_path) as mine:
        assert not gone.exists()
        assert (kept / "file").exists()
        assert mine.stat().st_mode & 0o777 == 0o700
    assert not mine.exists()
    with scratch_folder("w-", tmp_path) as locked:
        (locked / "deep" / "closed").mkdir(parents=True)
        (locked / "deep" / "closed").chmod(0)
        (locked / "deep").chmod(0)
    assert not locked.exists()
    assert (tmp_path / "w-link").is_symlink()
    alive.communicate("")
    assert not kept.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="the kills were already tried as an ordinary user")
def test_an_ordinary_user_s_processes_end_the_same_way(row):
    repeated_as_a_user(__file__, "while_an_attempt_runs or attempt_with_a_door or walls_go_up or killed_maker")
    row(82, "supervisor", "kill -9 of the supervisor and of the runner during an attempt", "", "user")
    row(87, "supervisor", "kill -9 of the runner while the walls go up", "", "user")
    row(88, "supervisor", "kill -9 during an attempt with a door", "", "user")
