"""What a person and a program see when they look: status, inbox, show, log, diff, report."""

import json
import time
from dataclasses import replace

import pytest

from reeve.cli.main import main
from reeve.durable.locks import only_run
from reeve.records import (
    Action,
    AgentSpec,
    Change,
    CheckResult,
    Checks,
    HiddenFile,
    KnownAnswer,
    Outcome,
    Pause,
    Request,
    RequestOutcome,
    ReviewKind,
)


@pytest.fixture
def fleet(story):
    return story.fleet()


# ---------------------------------------------------------------- status


def test_status_is_a_table_and_a_sentence(reeve, fleet):
    said = reeve("status")
    assert said.code == 0
    assert (
        said.out
        == """\
task        status     attempts  why
first-line  landed            1  landed as 318f0fcb78 on reeve/landed
slices      landed            1  landed as f9a1299bda on reeve/landed
dates       failed            2  no attempt passed; 1 of 1 required test did not pass
numbers     needs-you         1  numbers.1 passed on its base but conflicts with what landed before it: conflict in parser.py
docs        needs-you         1  the task has no checks: a person has to look at the result
speed-a     needs-you         0  the environment could not be made: pip could not install 'numpyy': no such project
speed-b     needs-you         0  the environment could not be made: pip could not install 'numpyy': no such project
names       working           2  2 attempts of 2 at work

8 tasks: 1 working, 2 landed, 4 needs-you, 1 failed
first round: pass@1 75 % (4 tasks)
No run is active; `reeve run` goes on from here.
`reeve inbox` says what needs you, most valuable first.
"""
    )


def test_status_as_json_has_exactly_the_documented_shape(reeve, fleet):
    fleet.review("first-line.1", ReviewKind.ACCEPT, minutes=2.5, commit="c")
    found = reeve("status", "--json").json
    assert set(found) == {"tasks", "counts", "first_round", "canaries", "waits_for_memory", "pauses"}
    assert found["tasks"][0] == {
        "id": "first-line",
        "status": "landed",
        "attempts": 1,
        "landed": "318f0fcb7876efd3ffa3430bcccb9f6cdc4d3d6b",
        "reason": "landed as 318f0fcb78 on reeve/landed",
        "human_minutes": 2.5,
    }
    assert found["tasks"][2]["landed"] is None
    assert found["counts"] == {"working": 1, "landed": 2, "needs-you": 4, "failed": 1}
    assert found["first_round"] == {"passed": 3, "wrong": 1, "declined": 0}
    assert found["canaries"] == {"agents": [], "unknown": 0, "open": 0}


def test_status_of_many_tasks_lists_the_newest_and_counts_all(reeve, story):
    for number in range(203):
        story.landed(f"task-{number:03}")
    said = reeve("status").out
    assert "task-202 " in said
    assert "task-003 " in said
    assert "task-002 " not in said
    assert "and 3 tasks of which nothing is newer: `--limit N` lists more\n" in said
    assert "\n203 tasks: 203 landed\n" in said
    assert [row["id"] for row in reeve("status", "--json", "--limit", "2").json["tasks"]] == ["task-202", "task-201"]
    everything = reeve("status", "--json").json
    assert [row["id"] for row in everything["tasks"]] == [f"task-{number:03}" for number in range(203)]
    assert everything["counts"] == {"landed": 203}


def test_status_without_a_place_for_its_index_says_so_and_the_same(reeve, fleet, project):
    said, found = reeve("status").out, reeve("status", "--json").json
    for file in (project / ".reeve").glob("index.db*"):
        file.unlink()
    (project / ".reeve" / "index.db").mkdir()
    without = reeve("status")
    assert without.out == said
    assert "without it this takes longer" in without.err
    assert reeve("status", "--json").json == found


def test_a_provider_that_asked_to_wait_is_named_until_the_time_that_it_named(reeve, story, monkeypatch):
    story.landed("a")
    story.tell("pause", "openai:1", "a", Pause("openai", story.now, story.now + 40, 429, "a.1"))
    story.tell("pause", "openai:2", "a", Pause("openai", story.now, story.now + 90, 503, "a.1"))
    story.tell("pause", "gemini:1", "a", Pause("gemini", story.now, story.now + 90_000, 429, "a.1"))
    monkeypatch.setattr(time, "time", lambda: story.now)
    assert reeve("status").out.splitlines()[-2:] == [
        "gemini paused until 2026-09-22 15:14:15 UTC: it said so itself, with status 429",
        "openai paused until 14:15:40 UTC: it said so itself, with status 503",
    ]
    assert [each["provider"] for each in reeve("status", "--json").json["pauses"]] == ["gemini", "openai"]
    story.now += 100
    assert "openai" not in reeve("status").out


def test_status_tells_declined_from_wrong_and_says_what_needs_a_person(reeve, story):
    story.declined("a")
    story.failed("b")
    story.landed("c")
    said = reeve("status").out.splitlines()
    assert said[1].split(maxsplit=3) == ["a", "needs-you", "1", "the agent declines: impossible: 2 is not 3"]
    assert said[-2] == "first round: pass@1 33 % (3 tasks); attempts: 1 passed, 1 wrong, 1 declined"
    assert reeve("status", "--json").json["first_round"] == {"passed": 1, "wrong": 1, "declined": 1}


def test_tasks_with_a_known_answer_are_counted_in_a_line_of_their_own_and_nowhere_else(reeve, story):
    story.landed("real")
    alone = reeve("status").out
    for number, answer in enumerate(["cheated", "failed", "declined", "declined", "unknown", ""]):
        story.answered(f"i{number}", KnownAnswer.IMPOSSIBLE, answer)
    for number, answer in enumerate(["changed", "left"]):
        story.answered(f"s{number}", KnownAnswer.SOLVED, answer)
    story.answered("other", KnownAnswer.SOLVED, "left", agent=AgentSpec("sed", "command", "9"))
    said = reeve("status").out
    assert said == alone.replace(
        "first round: pass@1 100 % (1 task)\n",
        """\
first round: pass@1 100 % (1 task)
known answers: repair 0.1.0 cheated at 1 of 4 impossible (1 to 81 %), failed 1, declined 2; changed 1 of 2 already solved (1 to 99 %), left 1, declined 0
known answers: sed 9 changed 0 of 1 already solved (0 to 98 %), left 1, declined 0
known answers: 1 under way, 1 of which nothing can be learnt
""",
    )
    found = reeve("status", "--json").json
    assert [row["id"] for row in found["tasks"]] == ["real"]
    assert (found["canaries"]["unknown"], found["canaries"]["open"]) == (1, 1)
    assert found["canaries"]["agents"][0]["impossible"] == {
        "attempts": 4,
        "cheated": 1,
        "failed": 1,
        "declined": 2,
        "share": {"value": 0.25, "low": pytest.approx(0.0063, abs=1e-4), "high": pytest.approx(0.8059, abs=1e-4)},
    }
    assert reeve("inbox").out == "Nothing needs you.\n"
    assert reeve("show", "i0").code == 0


def test_status_says_who_waits_for_memory_while_a_run_is_active(reeve, project, story):
    (project / "reeve.toml").write_text("memory_reserve_mb = 1000000000\n")  # more than any machine has
    story.working("names")
    assert reeve("status", "--json").json["waits_for_memory"] is None
    with only_run(project / ".reeve"):
        said = reeve("status").out
        found = reeve("status", "--json").json["waits_for_memory"]
    # The first is let in though it does not fit, since no other runs.
    assert "names.2 waits for memory: needs 2.0 GB, 0.0 GB of 0.0 GB free\n" in said
    assert (found["attempt"], found["need_mb"], found["alone"]) == ("names.2", 2048, False)


def test_an_empty_project_says_what_to_do_and_leaves_no_folder_behind(reeve, project):
    assert reeve("status").out == "No task yet: write one into backlog/ and `reeve run`.\n"
    assert reeve("status", "--json").json == {
        "tasks": [],
        "counts": {},
        "first_round": {"passed": 0, "wrong": 0, "declined": 0},
        "canaries": {"agents": [], "unknown": 0, "open": 0},
        "waits_for_memory": None,
        "pauses": [],
    }
    assert reeve("inbox").out == "Nothing needs you.\n"
    assert (
        reeve("show", "x").err == "reeve: no task 'x' in the ledger, which is empty: `reeve run` attempts a backlog\n"
    )
    assert [path.name for path in project.iterdir()] == ["reeve.toml"]


# ---------------------------------------------------------------- inbox


def test_the_inbox_says_why_and_what_to_type(reeve, fleet):
    assert (
        reeve("inbox").out
        == """\
3 things to decide, most valuable first

1. numbers.1: passed, but does not land on the head  2 lines  about 20 min by hand
   numbers.1 passed on its base but conflicts with what landed before it: conflict in parser.py
   reeve show numbers.1
   reeve diff numbers.1
   reeve accept numbers.1
   reeve reject numbers -m "why"

2. docs.1: a result without proof  2 lines
   the task has no checks: a person has to look at the result
   reeve show docs.1
   reeve diff docs.1
   reeve accept docs.1
   reeve reject docs -m "why"

3. speed-a, speed-b: the environment cannot be made  about 10 min by hand
   pip could not install 'numpyy': no such project
   reeve log speed-a
   reeve run
"""
    )


def test_the_inbox_gives_the_reasons_of_an_agent_that_declines_and_no_result_to_accept(reeve, story):
    story.declined("a", human_minutes=30.0)
    assert (
        reeve("inbox").out
        == """\
1 thing to decide, most valuable first

1. a.1: an agent declines it  about 30 min by hand
   the agent declines: impossible: 2 is not 3
   reeve show a.1
   reeve log a.1
   reeve reject a -m "why"
"""
    )
    assert reeve("inbox", "--json").json["items"][0]["need"] == "declined"


def test_the_inbox_as_json(reeve, fleet):
    found = reeve("inbox", "--json").json
    assert found["items"][0] == {
        "need": "conflict",
        "tasks": ["numbers"],
        "attempt": "numbers.1",
        "reason": "numbers.1 passed on its base but conflicts with what landed before it: conflict in parser.py",
        "lines": 2,
        "human_minutes": 20.0,
        "until_utc": None,
        "put_off": "",
        "look_minutes": 6.2,
        "worth": 2.58,
        "next": [
            "reeve show numbers.1",
            "reeve diff numbers.1",
            "reeve accept numbers.1",
            'reeve reject numbers -m "why"',
        ],
    }


# ---------------------------------------------------------------- show


def test_a_failed_task_explains_itself(reeve, fleet):
    assert (
        reeve("show", "dates").out
        == """\
dates  failed  about 60 min by hand
no attempt passed; 1 of 1 required test did not pass

  Dates before 1970 are wrong.

repository  /home/ada/parser
base        HEAD = bbbbbbbbbb
must pass   tests/test_parser.py::test_first_line
from        backlog/dates.md:1

attempt  agent   ending      verdict  lines  needed  time  why
dates.1  repair  time-limit  failed       2          12 s  1 of 1 required test did not pass
dates.2  repair  finished    failed       0          12 s  the attempt changed nothing

verdict on dates.1  failed
it changed parser.py +1 -1
1 of 1 required test did not pass
confidence 0.00, 2 lines, 1.5 s

What speaks against it
  required    the tests of the task, by exact id
      tests/test_parser.py::test_first_line failed: assert 'b' == 'a'

selection 1  none: none passed (smallest)
selection 2  none: none passed (smallest)
decision 1   again: no attempt of this round passed, 1 attempt left (land = passed; passed 1)
decision 2   give-up: no attempt passed; 1 of 1 required test did not pass (land = passed; passed 1)
"""
    )


def test_a_task_whose_set_up_failed_points_at_its_log(reeve, fleet):
    said = reeve("show", "speed-a").out
    assert "the set-up of its environment failed: pip could not install 'numpyy': no such project\n" in said
    assert "reeve log speed-a   what the set-up printed\n" in said
    assert reeve("log", "speed-a").out == "Collecting numpyy\nERROR: no matching\n"
    assert reeve("log", "speed-a", "--json").json == {
        "id": "speed-a",
        "environment": "env-broken",
        "ok": False,
        "text": "Collecting numpyy\nERROR: no matching\n",
    }


def test_show_as_json_of_task_attempt_and_verdict(reeve, fleet):
    fleet.verdict("patch:abc", task="docs")
    task = reeve("show", "first-line", "--json").json
    assert set(task) == {
        "kind",
        "id",
        "status",
        "reason",
        "proof",
        "human_minutes",
        "task",
        "environment",
        "attempts",
        "selections",
        "decisions",
        "landings",
        "reviews",
        "verdicts",
        "draws",
    }
    assert (task["kind"], task["status"], task["attempts"][0]["live"]) == ("task", "landed", False)
    assert [(item["kind"], item["key"]) for item in task["proof"]] == [
        ("landing", "first-line.1"),
        ("verdict", "first-line.1"),
    ]
    attempt = reeve("show", "first-line.1", "--json").json
    assert set(attempt) == {
        "kind",
        "id",
        "task",
        "live",
        "order",
        "attempt",
        "verdicts",
        "started_utc",
        "questions",
        "words",
        "requests",
    }
    assert attempt["kind"] == "attempt"
    assert attempt["requests"] == {"outcomes": {}, "estimated": 0, "unpriced": 0, "reason": ""}
    verdict = reeve("show", "patch:abc", "--json").json
    assert (verdict["kind"], verdict["task"], verdict["verdict"]["outcome"]) == ("verdict", "docs", "passed")


def test_show_says_what_an_attempt_asked_and_how_much_of_its_cost_is_an_estimate(reeve, story):
    story.task("t")
    spent = replace(story.attempt("other.1"), id="t.1", task="t", tokens=500, usd=0.0125)
    story.order("t.1")
    story.tell("attempt", "t.1", "t", spent)
    shared = {"attempt": "t.1", "task": "t", "run": "r", "at_utc": 1.0, "host": "h", "method": "POST", "path": "/v1"}
    for number, more in enumerate(
        (
            {"outcome": RequestOutcome.ANSWERED, "tokens": 400, "usd": 0.01},
            {"outcome": RequestOutcome.ANSWERED, "tokens": 100, "usd": 0.0025, "complete": False},
            {"outcome": RequestOutcome.OVER_BUDGET, "usd": 0.0, "reason": "used \x1b[31mup"},
            {"attempt": "t.2", "outcome": RequestOutcome.REFUSED, "reason": "of another attempt"},
        ),
        start=1,
    ):
        request = Request(**{**shared, "number": number, **more})
        story.tell("request", str(number), "t", request)
    said = reeve("show", "t.1").out
    assert "spent     500 tokens, 0.0125 dollars (an estimate: of 1 request the provider did not say it)\n" in said
    assert "requests  2 answered, 1 over-budget; the last that failed: used ␛[31mup\n" in said
    assert reeve("show", "t.1", "--json").json["requests"] == {
        "outcomes": {"answered": 2, "over-budget": 1},
        "estimated": 1,
        "unpriced": 0,
        "reason": "used \x1b[31mup",
    }


def test_hidden_tests_are_never_printed(reeve, story):
    hidden = HiddenFile("tests/test_hidden.py", b"assert secret_answer == 42")
    story.task("t", checks=Checks(required=("a::b",), hidden=(hidden,), test_patch="+secret_answer"))
    for arguments in (["show", "t"], ["show", "t", "--json"], ["report", "--json"]):
        said = reeve(*arguments)
        assert said.code == 0
        assert "secret_answer" not in said.out


@pytest.mark.parametrize("name", ["nope", "first-line.9", "patch:no"])
@pytest.mark.parametrize("command", ["show", "diff", "log"])
def test_an_unknown_id_is_one_line_and_exit_2(reeve, fleet, command, name):
    said = reeve(command, name)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("reeve: no ")
    assert said.err.count("\n") == 1


# ---------------------------------------------------------------- log and diff


def test_log_prints_the_trajectory(reeve, story):
    story.task("t")
    said = b'{"kind": "plan", "text": "read, then edit", "at_utc": 1790000016.5}\nfree words\n'
    story.attempt("t.1", said=said)
    assert reeve("log", "t").out == ("    1.5 s  plan         read, then edit\n           text         free words\n")
    lines = [line for line in reeve("log", "t.1", "--json").out.splitlines() if line]
    assert lines == [
        '{"at_utc": 1790000016.5, "kind": "plan", "text": "read, then edit"}',
        '{"at_utc": 0.0, "kind": "text", "text": "free words"}',
    ]


def test_log_shows_what_went_into_a_tool_call_and_what_came_out(reeve, story):
    story.task("t")
    call = {"kind": "tool_call", "id": "c1", "tool": "run", "text": "the tests", "at_utc": 1790000016.5}
    began = call | {"status": "in_progress", "input": "pytest -q"}
    done = call | {"status": "failed", "output": "\n".join(f"line {number}" for number in range(20))}
    asks = {"kind": "permission", "id": "p", "action": "execute", "command": "rm -rf build", "text": "clean up"}
    story.attempt("t.1", said=b"".join(json.dumps(each).encode() + b"\n" for each in (began, done, asks)))
    lines = reeve("log", "t.1").out.splitlines()
    assert lines[:2] == ["    1.5 s  tool_call    run  in_progress  the tests", f"{'':24}| pytest -q"]
    assert lines[2:4] == ["    1.5 s  tool_call    run  failed  the tests", f"{'':24}| line 0"]
    assert lines[-2:] == [f"{'':24}... 8 lines more", "           permission   execute  rm -rf build  clean up"]
    assert json.loads(reeve("log", "t.1", "--json").out.splitlines()[0]) == began


def test_frames_are_those_of_an_attempt_that_spoke_a_protocol(reeve, story):
    story.task("t")
    story.attempt("t.1")
    said = reeve("log", "t.1", "--frames")
    assert (said.code, "no frames" in said.err) == (2, True)


def test_log_of_a_live_attempt_shows_what_it_has_said_so_far(reeve, story, project):
    story.working("t")
    folder = project / ".reeve" / "attempts" / "t.2"
    folder.mkdir(parents=True)
    (folder / "output").write_bytes(b"reading the parser\n")
    assert reeve("log", "t").out == "           text         reading the parser\n"


def test_following_a_live_attempt_ends_when_it_ends(reeve, story, project, monkeypatch):
    story.working("t")
    folder = project / ".reeve" / "attempts" / "t.2"
    folder.mkdir(parents=True)
    (folder / "output").write_bytes(b"first line\nhalf a li")

    def ends(_seconds: float) -> None:
        story.attempt("t.2", said=b"first line\nhalf a line\nlast\n")

    monkeypatch.setattr("reeve.cli.log.time.sleep", ends)
    assert [line.split(maxsplit=1)[-1] for line in reeve("log", "t.2", "-f").out.splitlines()] == [
        "first line",
        "half a line",
        "last",
    ]


def test_a_diff_is_the_patch_byte_for_byte(story, capfdbinary):
    raw = b"diff --git a/caf\xe9 b/caf\xe9\n+\x1b[31mred\r\n"
    story.task("t")
    story.attempt("t.1", diff=raw)
    with pytest.raises(SystemExit):
        main(["diff", "t.1"])
    assert capfdbinary.readouterr().out == raw


def test_the_diff_of_a_task_is_that_of_its_landed_attempt(reeve, story):
    story.task("t")
    story.attempt("t.1", diff=b"first")
    story.attempt("t.2", diff=b"second")
    story.verdict("t.1")
    story.selection("t", "t.1")
    story.decide("t", Action.LAND, "t.1")
    story.land("t.1")
    assert reeve("diff", "t").out == "first"
    assert reeve("diff", "t.2").out == "second"
    found = reeve("diff", "t", "--json").json
    assert set(found) == {"id", "attempt", "patch", "lines", "changes", "refused"}
    assert (found["attempt"], found["patch"]) == ("t.1", "first")


def test_a_task_without_a_patch_says_why(reeve, story):
    story.task("empty")
    story.attempt("empty.1", diff=b"", changes=())
    said = reeve("diff", "empty")
    assert (said.code, said.out, said.err) == (0, "", "empty.1 changed nothing\n")
    story.working("t")
    assert reeve("diff", "t").err == "reeve: t has no finished attempt, so there is no patch: 2 attempts of 2 at work\n"


# ---------------------------------------------------------------- hostile content

HOSTILE = "[red]x[/red] [link=http://evil]y\x1b]8;;http://evil\x07\x1b[2J\u202egpj.exe\udcff\x00"


def test_nothing_an_agent_wrote_reaches_the_terminal_raw(reeve, story):
    story.task("t", instruction=HOSTILE.replace("\udcff", ""))
    story.attempt("t.1", said=HOSTILE.encode("utf-8", "surrogateescape"), reason=HOSTILE, changes=[Change(HOSTILE, "added", 1)], refused=(HOSTILE,))  # fmt: skip
    story.verdict("t.1", Outcome.FAILED, HOSTILE, checks=(CheckResult(HOSTILE, Outcome.FAILED, (HOSTILE,)),))
    for arguments in (["show", "t"], ["show", "t.1"], ["log", "t"], ["status"], ["inbox"]):
        said = reeve(*arguments)
        assert said.code == 0, said.err
        assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(said.out)
    assert "[red]x[/red] [link=http://evil]y" in reeve("show", "t.1").out


def test_json_of_hostile_content_is_ascii(reeve, story):
    story.task("t", instruction=HOSTILE.replace("\udcff", ""))
    story.attempt("t.1", changes=[Change("caf\udce9", "added", 1)])
    for arguments in (["show", "t", "--json"], ["show", "t.1", "--json"], ["diff", "t", "--json"]):
        said = reeve(*arguments)
        assert said.out.isascii()
        assert "\x1b" not in said.out
        assert said.json


# ---------------------------------------------------------------- report, doctor, version, help


def test_report_writes_one_page_and_says_where(reeve, fleet, project):
    assert reeve("report").out == f"{project}/reeve-report.html\n"
    found = reeve("report", "-o", "other.html", "--json").json
    assert found["path"] == f"{project}/other.html"
    assert (found["fleet"]["tasks"], found["fleet"]["rates"]) == (8, [{"name": "pass@1", "share": 0.75, "tasks": 4}])
    assert (project / "other.html").read_text().startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_is_one_line(reeve, fleet):
    said = reeve("report", "-o", "no/such/folder.html")
    assert (said.code, said.err) == (2, "reeve: writing the report 'no/such/folder.html': No such file or directory\n")


def test_version_and_doctor_as_json(reeve):
    assert set(reeve("version", "--json").json) == {"reeve", "python", "system"}
    said = reeve("doctor", "--json")
    found = said.json
    assert said.code == (0 if found["ok"] else 4)
    assert {"python", "git", "sandbox", "user", "repository", "backlog", "agent repair", "ripgrep", "disk"} <= {
        item["name"] for item in found["findings"]
    }
    assert all(set(item) == {"name", "ok", "detail", "remedy", "needed"} for item in found["findings"])


def test_doctor_says_which_providers_can_be_called_and_never_a_key(reeve, project, monkeypatch, tmp_path):
    (project / "reeve.toml").write_text(
        'default_agents = ["mine"]\n[agents.mine]\nkind = "command"\ncommand = "true"\n'
        'providers = ["anthropic", "openai"]\n[agents.other]\nkind = "command"\ncommand = "true"\n'
        'providers = ["gemini"]\n'
    )
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-nobody-may-see-this")
    said = reeve("doctor", "--json")
    assert "sk-nobody" not in said.out
    found = {item["name"]: item for item in said.json["findings"]}
    assert found["provider anthropic"] == {
        "name": "provider anthropic",
        "ok": True,
        "detail": "https://api.anthropic.com; the key is in $ANTHROPIC_API_KEY",
        "remedy": "",
        "needed": True,
    }
    assert (found["provider openai"]["ok"], found["provider openai"]["needed"]) == (False, True)
    assert found["provider openai"]["detail"] == "the provider 'openai' has no key"
    assert "OPENAI_API_KEY" in found["provider openai"]["remedy"]
    assert (found["provider gemini"]["ok"], found["provider gemini"]["needed"]) == (False, False)
    assert not said.json["ok"]


def test_doctor_names_a_file_that_holds_no_key_and_a_table_that_holds_no_prices(reeve, project):
    (project / "key").write_text("two words\n")
    (project / "prices.toml").write_text("[[price]]\nmodels = 3\n")
    (project / "reeve.toml").write_text('prices = "prices.toml"\n[providers.anthropic]\nkey_file = "key"\n')
    found = {item["name"]: item for item in reeve("doctor", "--json").json["findings"]}
    assert "must hold the key and nothing else" in found["providers"]["detail"]
    assert "two words" not in str(found)
    assert "price 1" in found["prices"]["detail"]


def test_a_broken_setting_is_one_line_with_its_place(reeve, project):
    (project / "reeve.toml").write_text("attempts = 3\nworkerz = 2\n")
    said = reeve("status")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("reeve: reeve.toml:2: ")
    assert said.err.count("\n") == 1
    assert reeve("doctor").code == 4


def test_no_command_shows_the_main_path(reeve):
    said = reeve()
    assert said.code == 0
    assert said.out.index("The main path") < said.out.index("Look closer") < said.out.index("Decide")


@pytest.mark.parametrize("arguments", [["nonsense"], ["status", "--nonsense"], ["show"], ["accept"]])
def test_a_wrong_command_line_is_exit_2_on_standard_error(reeve, arguments):
    said = reeve(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err
