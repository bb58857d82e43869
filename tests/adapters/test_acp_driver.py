"""The driver of the Agent Client Protocol, against real processes that the official SDK makes speak it."""

import json
import os
import time

import pytest
from driving import Drive

from reeve.attempt.events import declined_in
from reeve.records import Declined, Declines


@pytest.fixture
def drive(tmp_path):
    """Start drivers in a folder of their own; whatever they start is gone with them."""
    started = []

    def start(behaviour: str, **more) -> Drive:
        started.append(Drive(tmp_path, behaviour, **more))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


# ---------------------------------------------------------------- an attempt that goes well


def test_an_agent_mends_a_file_and_everything_it_told_is_printed(drive, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    attempt = drive("edits")
    assert attempt.end() == 0
    assert (tmp_path / "work" / "calc.py").read_text() == "def add(a, b):\n    return a + b\n"
    told = [(event["kind"], event["text"]) for event in attempt.events]
    assert told == [
        ("plan", "[x] look\n[>] mend"),
        ("thought", "It is the sign."),
        ("tool_call", "Mend calc.py"),
        ("file_change", "1 line added, 1 removed at line 2\n-    return a - b\n+    return a + b"),
        ("text", "Mended the sign."),
        ("usage", ""),
        ("usage", ""),
        ("result", "Mended the sign."),
    ]
    (call,) = attempt.of("tool_call")
    assert (call["id"], call["tool"], call["status"], call["paths"]) == ("t1", "edit", "completed", ["calc.py"])
    assert json.loads(call["input"]) == {"file_path": f"{tmp_path}/work/calc.py"}
    assert attempt.of("file_change")[0]["path"] == "calc.py"
    first, last = attempt.of("usage")
    assert first["usd"] == 0.25
    assert {name: last[name] for name in ("tokens", "usd", "cached_tokens", "reasoning_tokens")} == {
        "tokens": 1200, "usd": 0.25, "cached_tokens": 300, "reasoning_tokens": 50
    }  # fmt: skip
    assert all(abs(event["at_utc"] - time.time()) < 600 for event in attempt.events)


def test_every_frame_is_kept_in_order_in_both_directions(drive, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "calc.py").write_text("a - b")
    attempt = drive("edits", modes=["wild", "free"])
    assert attempt.end() == 0
    frames = attempt.frames
    asked = [(each["from"], each["frame"].get("method")) for each in frames if "method" in each["frame"]]
    assert asked[:4] == [
        ("reeve", "initialize"), ("reeve", "session/new"), ("reeve", "session/set_mode"), ("reeve", "session/prompt"),
    ]  # fmt: skip
    assert ("agent", "fs/read_text_file") in asked
    assert frames[0]["frame"]["params"]["clientCapabilities"]["terminal"] is False
    assert [each["frame"]["params"]["update"]["sessionUpdate"] for each in frames if each["frame"].get("method") == "session/update"] == [
        "plan", "agent_thought_chunk", "agent_thought_chunk", "tool_call", "tool_call_update",
        "agent_message_chunk", "agent_message_chunk", "agent_message_chunk", "usage_update",
    ]  # fmt: skip
    assert frames[-1]["frame"]["result"]["stopReason"] == "end_turn"
    assert [each["at_utc"] for each in frames] == sorted(each["at_utc"] for each in frames)


def test_the_agent_has_a_home_of_its_own_its_settings_and_the_whole_environment(drive, tmp_path):
    attempt = drive("tells", env={"GIVEN": "by the sandbox"}, files={".agent/config.toml": "x = 1"}, modes=["free"])
    assert attempt.end() == 0
    seen = json.loads(attempt.result[1])
    assert seen["env"]["HOME"] == f"{tmp_path}/out/home"
    assert seen["env"]["GIVEN"] == "by the sandbox"
    assert seen["home"] == [".agent", ".agent/config.toml"]
    assert (tmp_path / "out/home/.agent/config.toml").read_text() == "x = 1"
    assert (seen["cwd"], seen["mode"], seen["prompt"]) == (f"{tmp_path}/work", "free", "Mend it.")
    assert seen["group"]


def test_files_are_served_inside_the_tree_alone_and_terminals_not_at_all(drive, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "elsewhere")
    attempt = drive("writes")
    assert attempt.end() == 0
    assert (tmp_path / "work/new/made.txt").read_text() == "made\n"
    assert not (tmp_path / "outside.txt").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    refusals = attempt.result[1].split("\n")
    assert refusals[0].startswith("Resource not found")  # by which agents know that they may make it
    assert len(refusals) == 5
    assert [each["path"] for each in attempt.of("file_change")] == ["new/made.txt"]
    errors = [each["frame"]["error"]["code"] for each in attempt.frames if "error" in each["frame"]]
    assert errors == [-32002, -32602, -32602, -32602, -32601]


def test_long_messages_are_seen_while_they_are_said(drive, tmp_path):
    attempt = drive("talks_slowly")
    first = attempt.wait_for("text")
    (tmp_path / "work" / "enough").touch()
    assert attempt.end() == 0
    said = "".join(attempt.texts())
    assert first["text"].startswith("word word ")
    assert said == attempt.result[1]


# ---------------------------------------------------------------- ends that are no success


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("silent", "the agent ended its turn without having said or done anything"),
        ("pretends", "the agent ended its turn after a failure: exceeded retry limit, 529"),
        ("refuses", "the model refused to go on"),
        ("breaks", "the agent's turn failed: Internal error"),
        ("dies", "the agent ended with status -9; the last words on its standard error: out of luck"),
    ],
)
def test_an_end_that_is_no_success_says_why(drive, behaviour, reason):
    attempt = drive(behaviour)
    assert attempt.end() == 1
    ok, said = attempt.result
    assert not ok
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/agent"], "the agent cannot be started: '/no/such/agent': No such file or directory"),
        (["true"], "the agent ended with status 0"),
        (
            ["sh", "-c", "echo no key >&2; exit 3"],
            "the agent ended with status 3; the last words on its standard error: no key",
        ),
        (["cat"], "the agent refused 'initialize': there is no method 'initialize' here (-32601)"),
        (["sleep", "600"], "the agent did not answer 'initialize' within 0.3 s of its start"),
    ],
)
def test_what_is_no_agent_at_all_ends_with_a_reason(drive, command, reason):
    attempt = drive("none", command=command, start_seconds=0.3 if command[0] == "sleep" else 60)
    assert attempt.end() == 1
    assert attempt.result == (False, reason)


def test_a_mode_or_model_that_is_not_offered_is_a_failure_and_not_left_out(drive):
    attempt = drive("edits", modes=["wild"])
    assert attempt.end() == 1
    assert attempt.result == (False, "the agent offers no mode wild; it offers ask, free")


def test_a_model_that_cannot_be_chosen_is_a_failure(drive):
    attempt = drive("edits", model="best")
    assert attempt.end() == 1
    assert attempt.result == (False, "the agent offers no choice of a model, so 'best' cannot be set")


def test_the_line_that_declines_becomes_the_event(drive):
    attempt = drive("declines")
    assert attempt.end() == 0
    (event,) = attempt.of("declined")
    assert (event["why"], event["text"]) == ("impossible", "2 is not 3")
    assert declined_in(attempt.output.read_bytes()) == Declined(Declines.IMPOSSIBLE, "2 is not 3")


def test_what_the_agent_left_behind_in_its_group_is_gone_with_it(drive):
    attempt = drive("leaves_children")
    assert attempt.end() == 0
    pid = int(attempt.result[1])
    deadline = time.monotonic() + 30
    while not gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---------------------------------------------------------------- agents that speak badly


def test_whatever_is_no_frame_is_noted_and_nothing_of_it_ends_the_attempt(drive):
    attempt = drive("babbles")
    assert attempt.end() == 0
    assert attempt.result == (True, "still here")
    said = attempt.texts()
    assert "Warning: this is a log line" in said
    assert "[an update of a kind that is not known here: 'dream_update']" in said
    assert sum("dream_update" in each for each in said) == 1
    assert "[a line of more than 32 MB was left out]" in said
    dreams = [each for each in attempt.frames if "sheep" in json.dumps(each)]
    assert len(dreams) == 2
    codes = {each["frame"]["id"]: each["frame"]["error"]["code"] for each in attempt.frames
             if each["from"] == "reeve" and "error" in each["frame"]}  # fmt: skip
    assert codes == {"y": -32602, "z": -32601}
    assert attempt.output.stat().st_size < 1 << 20


def test_a_megabyte_on_standard_error_blocks_nobody_and_is_kept_up_to_a_bound(drive, tmp_path):
    attempt = drive("shouts")
    assert attempt.end() == 0
    assert attempt.result == (True, "done shouting")
    kept = (tmp_path / "out/stderr.log").read_bytes()
    assert kept.startswith(b"eee")
    assert kept.endswith(b"the last of it\n")
    assert len(kept) < 1_200_000


def test_a_call_that_never_began_output_in_meta_and_tokens_in_meta_are_understood(drive):
    attempt = drive("starts_late")
    assert attempt.end() == 0
    call, about = attempt.of("tool_call")
    assert (call["text"], call["tool"], call["status"]) == ("pytest", "execute", "failed")
    assert (about["text"], about["status"], about["output"]) == ("ls", "completed", "")
    assert (call["input"], call["output"]) == ('{"command": ["pytest", "-q"]}', "1 failed\n")
    assert attempt.texts() == ["It fails."]
    assert attempt.of("usage")[0]["tokens"] == 730


def test_tokens_that_are_those_of_the_last_call_alone_are_not_told(drive):
    attempt = drive("starts_late", usage="nothing")
    assert attempt.end() == 0
    assert attempt.of("usage") == []


def test_an_attempt_that_is_told_in_too_many_words_is_told_in_fewer(drive):
    attempt = drive("talks_much", output_bytes=1 << 20)
    assert attempt.end() == 0
    assert attempt.output.stat().st_size < 1 << 20
    assert attempt.result == (True, "the end")


def test_the_agent_cannot_look_into_its_driver(drive):
    attempt = drive("tells")
    assert attempt.end() == 0
    seen = json.loads(attempt.result[1])
    assert set(seen["fds"]) <= {"0", "1", "2", "3", "4", "5", "6", "7", "8"}
    if os.geteuid() != 0:
        assert seen["locked_out"]


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize(("kind", "answer"), [("allow", "selected:once"), ("reject", "selected:no")])
def test_a_permission_is_printed_and_answered_by_mail(drive, kind, answer):
    attempt = drive("asks")
    asked = attempt.wait_for("permission")
    assert (asked["id"], asked["action"], asked["command"]) == ("permission-1", "execute", "make test")
    assert asked["text"] == "Run the tests"
    attempt.send(kind=kind, answers="permission-7", text="to nothing that was asked")
    attempt.send(kind=kind, answers="permission-1", text="")
    assert attempt.end() == 0
    assert attempt.result == (True, answer)
    later = attempt.of("permission")[1]
    assert (later["id"], later["status"]) == ("permission-1", "allowed" if kind == "allow" else "rejected")


def test_a_question_is_withdrawn_when_a_word_comes_instead_of_an_answer(drive):
    attempt = drive("asks")
    attempt.wait_for("permission")
    attempt.send(kind="tell", text="Leave the tests alone.")
    second = attempt.wait_for("permission", 3)
    assert attempt.of("permission")[1]["status"] == "cancelled"
    attempt.send(kind="allow", answers=second["id"])
    assert attempt.end() == 0
    assert attempt.texts("told") == ["Leave the tests alone."]


def test_a_question_that_the_agent_takes_back_is_none_any_more(drive):
    attempt = drive("withdraws")
    assert attempt.wait_for("permission", 3)["status"] == "cancelled"
    attempt.send(kind="allow", answers="permission-1")  # too late: nobody waits for it
    attempt.send(kind="allow", answers="permission-2")
    attempt.wait_for("permission", 4)
    (attempt.root / "work" / "enough").touch()
    assert attempt.end() == 0
    assert [(each["id"], each.get("status")) for each in attempt.of("permission")] == [
        ("permission-1", None),
        ("permission-2", None),
        ("permission-1", "cancelled"),
        ("permission-2", "allowed"),
    ]
    answers = {each["frame"].get("id"): each["frame"] for each in attempt.frames if each["from"] == "reeve"}
    assert answers["q1"]["error"]["code"] == -32800
    assert answers["q2"]["result"] == {"outcome": {"outcome": "selected", "optionId": "once"}}
    assert "q7" not in answers


# ---------------------------------------------------------------- words and check-ins


def test_a_word_reaches_the_agent_at_its_next_turn(drive):
    attempt = drive("waits")
    attempt.until(lambda: any("session/prompt" in json.dumps(each) for each in attempt.frames))
    attempt.send(kind="tell", text="Use the other parser.")
    assert attempt.end() == 0
    assert attempt.texts("told") == ["Use the other parser."]
    ok, said = attempt.result
    assert ok
    assert said.startswith("turn 2: The person you work for says:\n\nUse the other parser.\n\n")


def test_a_word_waits_for_the_tool_call_under_way(drive):
    attempt = drive("works")
    assert attempt.wait_for("tool_call")["status"] == "in_progress"
    attempt.send(kind="tell", text="Stop that.")
    assert attempt.end() == 0
    order = [(event["kind"], event.get("status", "")) for event in attempt.events]
    assert order.index(("tool_call", "completed")) < order.index(("told", ""))


def test_an_agent_that_cannot_be_interrupted_hears_the_word_after_its_turn(drive, tmp_path):
    attempt = drive("deaf")
    attempt.until(lambda: any("session/prompt" in json.dumps(each) for each in attempt.frames))
    attempt.send(kind="tell", text="Hello?")
    attempt.until(lambda: any("session/cancel" in json.dumps(each) for each in attempt.frames))
    (tmp_path / "work" / "enough").touch()
    assert attempt.end() == 0
    assert attempt.texts() == ["turn 1", "turn 2"]
    assert attempt.texts("told") == ["Hello?"]


def test_after_a_stretch_of_work_the_attempt_says_where_it_stands_and_waits(drive):
    attempt = drive("reports", check_in_seconds=0.2)
    asked = attempt.wait_for("check_in")
    assert (asked["id"], asked["text"]) == ("check-in-1", "I looked around.\nNext I mend it.")
    attempt.send(kind="go", answers="check-in-0", text="")
    attempt.send(kind="go", answers="check-in-1", text="")
    assert attempt.end() == 0
    assert attempt.texts() == ["working: Mend it.", "working: Go on with the task from where you were."]
    assert len(attempt.of("check_in")) == 1


def test_a_word_answers_a_check_in_too(drive):
    attempt = drive("reports", check_in_seconds=0.2)
    attempt.wait_for("check_in")
    attempt.send(kind="tell", text="Mend the other one.")
    assert attempt.end() == 0
    assert attempt.texts("told") == ["Mend the other one."]
    assert "Mend the other one." in attempt.result[1]


def test_a_report_is_work_in_its_own_right_only_once(drive):
    """The stretch begins anew after each check-in, and the report itself is not interrupted for another one."""
    attempt = drive("waits", check_in_seconds=0.2)
    attempt.send(kind="go", answers="check-in-1")
    assert attempt.end() == 0
    (asked,) = attempt.of("check_in")
    assert asked["text"].startswith("turn 2: Pause here.")
