"""`reeve playback` as a person starts it."""

import json
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest
from asking import ask, send

SCRIPT = """\
scripts:
  fix:
    turns:
      - - read: calc.py
      - text: Done.
"""
GREETING = "turns:\n- text: Hello.\n"
BOUND_SECONDS = 30


@contextmanager
def started(folder, *arguments):
    """The running command and its address; it is ended as a person ends it."""
    command = [sys.executable, "-m", "reeve.cli.main", "playback", "--json", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())["address"]
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=BOUND_SECONDS)
    assert (process.returncode, complaints) == (0, "")


def refused(folder, *arguments):
    """What the command says when it does not start."""
    command = [sys.executable, "-m", "reeve.cli.main", "playback", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BOUND_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_it_serves_a_script_and_writes_down_what_it_saw(tmp_path):
    (tmp_path / "some.yaml").write_text(SCRIPT)
    with started(tmp_path, "some.yaml", "--key", "sesame", "--log", "seen.jsonl") as (_, address):
        assert ask("anthropic", address, "[[playback:fix]]", stream=True, key="sesame").calls == [
            ("read", {"path": "calc.py"})
        ]
        assert send(address, "/v1/messages", b"{}", headers={"x-api-key": "guessed"})[0] == 401
        lines = (tmp_path / "seen.jsonl").read_text()
    seen = [json.loads(line) for line in lines.splitlines()]
    assert [(each["status"], each["turn"]) for each in seen] == [(200, 0), (401, None)]
    assert "sesame" not in lines
    assert "guessed" not in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to_also_in_the_middle_of_an_answer(tmp_path, number):
    (tmp_path / "some.yaml").write_text("turns:\n- [{delay: {between_seconds: 3600}}, {text: a}, {text: b}]\n")
    with started(tmp_path, "some.yaml") as (process, address):
        body = json.dumps({"stream": True, "messages": []}).encode()
        client = subprocess.Popen([sys.executable, "-c", ASKING, address, body], stdout=subprocess.PIPE)
        assert client.stdout.readline().startswith(b"event: message_start")
        process.send_signal(number)
        assert process.wait(BOUND_SECONDS) == 0
        client.communicate(timeout=BOUND_SECONDS)


ASKING = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "/v1/messages", sys.argv[2].encode()) as answer:
    for line in answer:
        print(line.decode(), end="", flush=True)
"""


def test_it_records_and_plays_again(tmp_path):
    (tmp_path / "some.yaml").write_text(GREETING)
    with (
        started(tmp_path, "some.yaml", "--key", "sesame") as (_, model),
        started(tmp_path, "--record", model, "--to", "rec.jsonl") as (_, address),
    ):
        heard = ask("responses", address, "Hello?", stream=True, key="sesame")
    assert heard.text == "Hello."
    assert "sesame" not in (tmp_path / "rec.jsonl").read_text()
    assert stat.S_IMODE((tmp_path / "rec.jsonl").stat().st_mode) == 0o600
    with started(tmp_path, "rec.jsonl", "--pace", "real") as (_, address):
        assert ask("responses", address, "Hello?", stream=True) == heard


def test_what_cannot_be_played_is_said_before_anything_starts(tmp_path):
    (tmp_path / "wrong.yaml").write_text("turns:\n- raed: calc.py\n")
    (tmp_path / "right.yaml").write_text(GREETING)
    assert "wrong.yaml:2: unknown key" in refused(tmp_path, "wrong.yaml")
    assert "does not exist" in refused(tmp_path, "none.yaml")
    assert "--to FILE needs --record" in refused(tmp_path, "--to", "x")
    assert "--record URL needs --to FILE" in refused(tmp_path, "--record", "http://127.0.0.1:1")
    assert "http:// or https://" in refused(tmp_path, "--record", "api.example", "--to", "x")
    assert "--pace real is for a recording" in refused(tmp_path, "right.yaml", "--pace", "real")


def test_without_json_it_says_its_address_in_a_sentence(tmp_path):
    command = [sys.executable, "-m", "reeve.cli.main", "playback", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("playback listens at http://127.0.0.1:")
    process.terminate()
    process.communicate(timeout=BOUND_SECONDS)
    assert process.returncode == 0
