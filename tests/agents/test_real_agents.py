"""Claude Code, Codex, Gemini CLI and OpenCode behind walls: each mends a bug, obeys a budget, ends when it is stopped.

`make test-agents` runs this. The model is a script on loopback; the agents, the sandbox and the gateway are real.
"""

import json
import os
import re
import signal
import subprocess
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import REEVE, git, landed, leftovers
from test_recovery import facts
from test_stop import output_of, wait_for
from test_talking import bodies

from reeve.adapters.agents.presets import PRESETS
from reeve.adapters.playback.seen import digest_of_key
from reeve.adapters.playback.server import PlaybackServer
from reeve.adapters.stores.sqlite import SqliteStore

PATIENCE_SECONDS = 400
STOP_SECONDS = 2.0
REAL_KEY = "sk-real-5Jq8-and-nowhere-inside"
SETTINGS = """\
land = "passed"
keep_bodies = true
workers = 3
attempts = 1
{more}
"""
AGENT = """
[agents.{agent}]
kind = "acp"

[providers.{api}]
base_url = "{address}"
key_env = "MODEL_KEY"
"""
TASK = """\
---
id: {name}
agents: ["{agent}"]
checks:
  commands: ["python3 -m unittest -q test_{name}"]
---
add in {name}.py subtracts. Mend it.

[[playback:{name}]]
"""
WRONG = "def add(a, b):\n    return a - b\n"
TEST = """\
import unittest

from {name} import add


class Adds(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(add(2, 3), 5)
"""
FILES = {
    "decoy.txt": "sk-decoy-5Jq8\n",  # what a look inside must find, or it proves nothing
    "look.py": '''\
"""Looks for two keys in all that can be read here: the environments of processes, and files."""

import json, os, pathlib

KEYS = {"real": "sk-real" + "-5Jq8", "decoy": "sk-decoy" + "-5Jq8"}
found, looked = {name: [] for name in KEYS}, {"environments": 0, "files": 0}


def look(path, what):
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError:
        return
    looked[what] += 1
    for name, key in KEYS.items():
        if key.encode() in content:
            found[name].append(str(path))


for process in pathlib.Path("/proc").glob("[0-9]*"):
    for file in ("environ", "cmdline"):
        look(process / file, "environments")
for top in ("/reeve", "/work", "/out", "/tmp", "/root", "/home", "/run", "/var"):
    for here, folders, names in os.walk(top):
        if top == "/reeve":
            folders[:] = [each for each in folders if each != "agent"]
        elif os.statvfs(here).f_flag & os.ST_RDONLY:  # the host's own programs
            folders[:], names = [], []
        for name in names:
            if os.path.isfile(os.path.join(here, name)):
                look(os.path.join(here, name), "files")
print("LOOKED", json.dumps({**found, **looked}))
''',
}


def mends(name, *between):
    return [
        [{"text": "I look first."}, {"read": f"{name}.py"}],
        *between,
        [{"edit": {"path": f"{name}.py", "old": "a - b", "new": "a + b"}}],
        [{"run": f"python3 look.py; python3 -m unittest -q test_{name}"}],
        [{"text": "It adds now."}, {"usage": {"input": 1200, "output": 40, "cached": 1000}}],
    ]


def project(folder, server, *agents, more=""):
    """A repository with one wrong file, and a task to mend it, for each agent: `calc0` for the first."""
    repo = folder / "project"
    (repo / "backlog").mkdir(parents=True)
    settings = SETTINGS.format(more=more)
    for number, agent in enumerate(agents):
        name = f"calc{number}"
        settings += AGENT.format(agent=agent, api=PRESETS[agent].api, address=server.address)
        (repo / f"{name}.py").write_text(WRONG)
        (repo / f"test_{name}.py").write_text(TEST.format(name=name))
        (repo / "backlog" / f"{name}.md").write_text(TASK.format(name=name, agent=agent))
    (repo / "reeve.toml").write_text(settings)
    for name, content in FILES.items():
        (repo / name).write_text(content)
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", ".")
    git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "first")
    return repo


@contextmanager
def running(repo):
    """Have `reeve run` at work; whatever happens, nothing of it stays."""
    env = {**os.environ, "MODEL_KEY": REAL_KEY}
    output = subprocess.PIPE
    process = subprocess.Popen([*REEVE, "run"], cwd=repo, stdout=output, stderr=subprocess.STDOUT, text=True, env=env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_SECONDS)


def run(repo):
    """Have `reeve run` to its end; returns its code and what it said."""
    with running(repo) as process:
        said = process.communicate(timeout=PATIENCE_SECONDS)[0]
    return process.returncode, said


def everything_stored(repo):
    """All that the state folder holds, artefacts unpacked."""
    found = [json.dumps(facts(repo)).encode()]
    for path in (repo / ".reeve").rglob("*"):
        if path.is_file() and not path.is_symlink():
            found.append(path.read_bytes())
            try:
                found.append(zlib.decompress(found[-1]))
            except zlib.error:
                continue
    return b"\n".join(found)


def inside(repo):
    """The processes behind the walls of a project's attempts: they are numbered apart from ours."""
    ours, found = os.readlink("/proc/self/ns/pid"), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            apart = os.readlink(process / "ns" / "pid") != ours
            if apart and str(repo / ".reeve") in (process / "mountinfo").read_text():
                found.append((process, (process / "cmdline").read_bytes().split(b"\0")[:-1]))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("agent", PRESETS)
def test_it_mends_a_bug_and_never_holds_the_key(agent, tmp_path, row):
    with PlaybackServer({"calc0": mends("calc0")}, key=REAL_KEY) as server:
        repo = project(tmp_path, server, agent)
        code, said = run(repo)
        seen = server.seen
    store = SqliteStore(repo / ".reeve")
    (attempt,), verdicts, requests = (bodies(repo, kind) for kind in ("attempt", "verdict", "request"))
    trajectory, frames = (store.get(attempt[name]).decode() for name in ("trajectory", "frames"))
    asked = "".join(store.get(each["body"]).decode() for each in requests)  # with what the tools gave back
    store.close()
    version = attempt["agent"]["version"]
    row(agent, version, "mends", f"{attempt['ending']}, {len(requests)} requests", attempt["wall_seconds"])
    assert code == 0, said + trajectory
    # The verdict, and what landed by it.
    assert {each["outcome"] for each in verdicts} == {"passed"}
    assert landed(repo) == ["calc0"]
    assert "a + b" in git(repo, "show", "reeve/landed:calc0.py")
    assert version.startswith(f"{PRESETS[agent].version}+")
    assert git(repo, "log", "-1", "--format=%(trailers:key=Agent,valueonly)", "reeve/landed") == f"{agent} {version}"
    # The key: outside alone.
    assert {each.key for each in seen} == {digest_of_key(REAL_KEY)}
    looked = json.loads(re.findall(r"LOOKED (\{[^}]*\})", asked)[0].replace("\\", ""))
    assert looked["decoy"] == ["/work/decoy.txt"]
    assert looked["real"] == []
    assert looked["environments"] > 2
    assert REAL_KEY not in frames + trajectory + asked
    stored = everything_stored(repo)
    assert frames.encode() in stored
    assert REAL_KEY.encode() not in stored
    # The account.
    assert {each["outcome"] for each in requests} == {"answered"}
    assert {each["host"] for each in requests} == {server.address.removeprefix("http://")}
    assert attempt["tokens"] == sum(each["tokens"] for each in requests) > 1240
    assert attempt["usd"] == pytest.approx(sum(each["usd"] for each in requests))
    assert attempt["usd"] > 0
    assert leftovers(repo / ".reeve") == []


DEAR = [[{"run": f"echo step {number}"}, {"usage": {"input": 1_000, "output": 2_500}}] for number in range(50)]


@pytest.mark.parametrize("agent", PRESETS)
def test_ten_cents_stop_it_from_spending_a_dollar(agent, tmp_path, row):
    with PlaybackServer({"calc0": DEAR}, key=REAL_KEY) as server:
        repo = project(tmp_path, server, agent, more="[limits]\nusd = 0.10\n")
        code, said = run(repo)
    (attempt,), requests = bodies(repo, "attempt"), bodies(repo, "request")
    answered = [each for each in requests if each["outcome"] == "answered"]
    outcome = f"{attempt['ending']}, {attempt['usd'] or 0:.3f} dollars, {len(answered)} answers"
    row(agent, attempt["agent"]["version"], "ten cents", outcome, attempt["wall_seconds"])
    assert code == 1, said
    assert attempt["ending"] == "budget-limit", (attempt, requests)
    assert answered
    assert 0 < attempt["usd"] <= 0.10
    assert "over-budget" in {each["outcome"] for each in requests}
    assert bodies(repo, "landing") == []
    assert leftovers(repo / ".reeve") == []


@pytest.mark.parametrize("agent", PRESETS)
def test_a_model_that_never_answers_is_no_success_however_it_takes_it(agent, tmp_path, row):
    with PlaybackServer({"calc0": [[{"error": 529}]]}, key=REAL_KEY) as server:
        repo = project(tmp_path, server, agent, more="[limits]\nidle_seconds = 45\n")
        code, said = run(repo)
        assert 529 in {each.status for each in server.seen}
    attempt = bodies(repo, "attempt")[0]
    row(agent, attempt["agent"]["version"], "no model", attempt["ending"], attempt["wall_seconds"])
    assert code == 1, said
    assert attempt["ending"] in ("crashed", "no-progress"), attempt
    assert attempt["usd"] in (None, 0)
    assert bodies(repo, "landing") == []
    assert leftovers(repo / ".reeve") == []


@pytest.mark.parametrize("agent", PRESETS)
def test_two_seconds_after_it_is_stopped_it_is_gone_with_all_that_it_started(agent, tmp_path, row):
    script = [[{"run": "setsid sleep 3000 & trap '' TERM INT HUP; tail -f /dev/null"}]]
    with PlaybackServer({"calc0": script}, key=REAL_KEY) as server:
        repo = project(tmp_path, server, agent)
        with running(repo) as process:
            wait_for(lambda: any(command == [b"sleep", b"3000"] for _, command in inside(repo)), process)
            there = [path for path, _ in inside(repo)]
            stopping = subprocess.Popen([*REEVE, "stop", "calc0.1"], cwd=repo, stdout=subprocess.PIPE, text=True)
            wait_for(lambda: not any(path.exists() for path in there), process)
            gone_utc = time.time()
            assert "interrupted" in stopping.communicate()[0]
            wait_for(lambda: bodies(repo, "attempt"), process)
            process.send_signal(signal.SIGINT)  # or it is tried again, as nobody found fault with it
            said = process.communicate(timeout=PATIENCE_SECONDS)[0]
    store = SqliteStore(repo / ".reeve")
    took = gone_utc - store.fact("stop", "calc0.1").at_utc
    store.close()
    attempt = bodies(repo, "attempt")[0]
    outcome = f"{attempt['ending']}, {len(there)} processes in {took:.2f} s"
    row(agent, attempt["agent"]["version"], "stopped", outcome, attempt["wall_seconds"])
    assert process.returncode == 130, said
    assert attempt["ending"] == "interrupted"
    assert len(there) > 4
    assert took < STOP_SECONDS
    assert leftovers(repo / ".reeve") == []


def test_a_kill_of_reeve_loses_none_of_three_that_are_at_work(tmp_path, row):
    agents = ("claude-code", "codex", "gemini")
    names = [f"calc{number}" for number in range(len(agents))]
    pause = [[{"delay": {"before_seconds": 4}}, {"run": "echo under way"}]]
    with PlaybackServer({name: mends(name, *pause) for name in names}, key=REAL_KEY) as server:
        repo = project(tmp_path, server, *agents)
        with running(repo) as first:
            wait_for(lambda: all("tool_call" in output_of(repo, f"{name}.1") for name in names), first)
            first.send_signal(signal.SIGKILL)
            first.communicate()
        assert bodies(repo, "attempt") == []
        code, said = run(repo)
    for attempt in bodies(repo, "attempt"):
        row(
            attempt["agent"]["name"], attempt["agent"]["version"], "kill -9", attempt["ending"], attempt["wall_seconds"]
        )
    assert code == 0, said
    assert sorted(landed(repo)) == names
    for kind in ("order", "attempt"):
        assert sorted(key for found, key, _ in facts(repo) if found == kind) == [f"{name}.1" for name in names]
    assert {each["ending"] for each in bodies(repo, "attempt")} == {"finished"}
    assert leftovers(repo / ".reeve") == []
