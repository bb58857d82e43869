"""Questions, words and check-ins: real processes, an agent that asks and reads its mail, and a person who answers."""

import json
import signal
import subprocess

import pytest
from project import REEVE, git, landed, leftovers, make_project
from test_recovery import facts
from test_stop import PATIENCE_SECONDS, output_of, start, wait_for

ASKS = """
import json, os, pathlib, sys, time

mail = pathlib.Path(os.environ["REEVE_MAIL"])
name = open(os.environ["REEVE_INSTRUCTION_FILE"]).readline().strip()

def say(**event):
    print(json.dumps(event), flush=True)

def heard(fits):
    while True:
        for path in sorted(mail.glob("[0-9]*.json")):
            word = json.loads(path.read_text())
            if fits(word):
                return word
        time.sleep(0.02)

def answer(id):
    return heard(lambda word: word["answers"] == id)
"""
ASK_PERMISSION = """
say(kind="permission", id="p1", action="execute", command="make install", text="may I?")
word = answer("p1")
say(kind="text", text=f"heard {word}")
if word["kind"] == "allow":
    open(name, "w").write("right\\n")
"""
CHECK_IN = """
say(kind="check_in", id="c1", text="I read the parser; I mean to correct it")
word = answer("c1")
open(name, "w").write("right " + word["text"] + "\\n")
"""
WITHDRAW = """
say(kind="permission", id="p1", action="execute", command="make install", text="may I?")
heard(lambda word: word["text"] == "why?")
say(kind="permission", id="p7", status="cancelled")
say(kind="permission", id="p1", status="cancelled")
word = answer("p1")
say(kind="text", text=f"heard {word}")
say(kind="permission", id="p1", status="cancelled")
heard(lambda word: word["text"] == "enough")
open(name, "w").write("right\\n")
"""
LISTEN = """
say(kind="text", text="listening")
word = heard(lambda word: word["kind"] == "tell")
open(name, "w").write("right " + word["text"] + "\\n")
"""
AT_ONCE = """
open(name, "w").write("right\\n")
"""
FIRST_CHECKS_IN = f"if name == 't00.txt':{CHECK_IN.replace(chr(10), chr(10) + '    ')}\nelse:{AT_ONCE.replace(chr(10), chr(10) + '    ')}"


def asking_project(tmp_path, does, settings="", count=1):
    """A project whose agent does what is asked of it here; it stands outside of what is checked."""
    repo = make_project(tmp_path, count)
    toml = f'land = "passed"\nattempts = 1\ndefault_agents = ["asker"]\n{settings}\n[agents.asker]\nkind = "command"\ncommand = "python3 asker.py"\n'
    (repo / "reeve.toml").write_text(toml)
    (repo / "asker.py").write_text(ASKS + does)
    git(repo, "add", ".")
    git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "asker")
    return repo


def reeve(repo, *arguments, status=0):
    done = subprocess.run([*REEVE, *arguments], cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def waiting(repo):
    return [(item["need"], item["attempt"]) for item in json.loads(reeve(repo, "inbox", "--json"))["items"]]


def bodies(repo, kind):
    return [json.loads(body) for found, _, body in facts(repo) if found == kind]


def ended(process):
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out + err


def content(repo, name="t00.txt"):
    return git(repo, "show", f"reeve/landed:{name}")


def test_a_permission_waits_for_a_person_and_the_answer_is_a_fact(tmp_path):
    repo = asking_project(tmp_path, ASK_PERMISSION, '[[permissions]]\nanswer = "ask"\naction = "execute"\n')
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("permission", "t00.1")], process)
    row = json.loads(reeve(repo, "status", "--json"))["tasks"][0]
    assert (row["status"], "make install" in row["reason"]) == ("needs-you", True)
    assert "waits for no answer to a check-in" in reeve(repo, "go", "t00.1", status=2)
    reeve(repo, "allow", "t00")
    assert ended(process)[0] == 0
    assert landed(repo) == ["t00"]
    assert [(each["id"], each["command"]) for each in bodies(repo, "question")] == [("p1", "make install")]
    assert [(each["kind"], each["answers"], each["by"]) for each in bodies(repo, "word")] == [("allow", "p1", "person")]
    assert "make install: allow by person" in reeve(repo, "show", "t00.1")


def test_who_is_refused_goes_on_without_and_hears_why(tmp_path):
    repo = asking_project(tmp_path, ASK_PERMISSION, '[[permissions]]\nanswer = "ask"\n')
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("permission", "t00.1")], process)
    reeve(repo, "deny", "t00.1", "-m", "no installs here")
    assert ended(process)[0] == 1
    assert bodies(repo, "landing") == []
    assert "no installs here" in reeve(repo, "log", "t00.1")


def test_a_question_that_is_taken_back_bothers_nobody_any_more(tmp_path):
    repo = asking_project(tmp_path, WITHDRAW, '[[permissions]]\nanswer = "ask"\n')
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("permission", "t00.1")], process)
    reeve(repo, "tell", "t00.1", "why?")
    wait_for(lambda: waiting(repo) == [], process)
    row = json.loads(reeve(repo, "status", "--json"))["tasks"][0]
    assert row["status"] == "working"
    wait_for(lambda: not (repo / ".reeve" / "attempts" / "t00.1" / "resting").exists(), process)
    assert "waits for no answer" in reeve(repo, "allow", "t00.1", status=2)
    reeve(repo, "tell", "t00.1", "enough")
    code, said = ended(process)
    assert code == 0, said
    assert "t00.1 takes back what it asked" in said
    words = [(each["kind"], each["answers"], each["by"]) for each in bodies(repo, "word")]
    assert words == [("tell", "", "person"), ("withdrawn", "p1", "agent"), ("tell", "", "person")]
    assert "make install: withdrawn by agent" in reeve(repo, "show", "t00.1")


@pytest.mark.parametrize(("answer", "code"), [("allow", 0), ("reject", 1)])
def test_a_rule_answers_at_once_and_is_named(tmp_path, answer, code):
    rules = f'[[permissions]]\nanswer = "{answer}"\naction = "execute"\ncommand = "make *"\n'
    repo = asking_project(tmp_path, ASK_PERMISSION, rules)
    assert ended(start(repo))[0] == code
    (word,) = bodies(repo, "word")
    assert (word["kind"], "make *" in word["by"]) == (answer, True)
    assert waiting(repo) == []


def test_a_check_in_stands_still_until_a_person_lets_it_go_on(tmp_path):
    repo = asking_project(tmp_path, CHECK_IN)
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("check-in", "t00.1")], process)
    assert (repo / ".reeve" / "attempts" / "t00.1" / "resting").exists()
    reeve(repo, "go", "t00.1")
    assert ended(process)[0] == 0
    assert content(repo) == "right"
    assert "has ended already" in reeve(repo, "go", "t00.1", status=2)


def test_a_word_at_a_check_in_lets_it_go_on_with_it(tmp_path):
    repo = asking_project(tmp_path, CHECK_IN)
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("check-in", "t00.1")], process)
    said = json.loads(reeve(repo, "tell", "t00", "mind the lexer", "--json"))
    assert (said["number"], said["kind"], said["answers"]) == (1, "tell", "c1")
    assert ended(process)[0] == 0
    assert content(repo) == "right mind the lexer"


def test_a_word_reaches_an_attempt_that_asked_nothing(tmp_path):
    repo = asking_project(tmp_path, LISTEN)
    process = start(repo)
    wait_for(lambda: "listening" in output_of(repo, "t00.1"), process)
    reeve(repo, "tell", "t00.1", "it's the \x1b[31mparser")
    assert ended(process)[0] == 0
    assert "parser" in content(repo)
    assert "\x1b" not in reeve(repo, "show", "t00.1")


def test_the_place_of_an_attempt_that_waits_goes_to_others(tmp_path):
    repo = asking_project(tmp_path, FIRST_CHECKS_IN, "workers = 1", count=2)
    process = start(repo)
    wait_for(lambda: waiting(repo) == [("check-in", "t00.1")], process)
    wait_for(lambda: (repo / ".git/refs/heads/reeve/landed").exists() and landed(repo) == ["t01"], process)
    reeve(repo, "go", "t00.1")
    assert ended(process)[0] == 0
    assert landed(repo) == ["t01", "t00"]


@pytest.mark.parametrize(("unanswered", "code"), [("go", 0), ("stop", 1)])
def test_where_nobody_answers_what_the_owner_chose_happens(tmp_path, unanswered, code):
    chosen = f'[check_in]\nunanswered = "{unanswered}"\nanswer_seconds = 0.5\n'
    repo = asking_project(tmp_path, CHECK_IN, chosen)
    assert ended(start(repo))[0] == code
    (attempt,) = bodies(repo, "attempt")
    assert attempt["ending"] == {"go": "finished", "stop": "unanswered"}[unanswered]
    assert [word["by"] for word in bodies(repo, "word")] == ["unanswered = go"][: 1 - code]


def test_a_kill_while_it_waits_loses_neither_the_attempt_nor_the_question(tmp_path):
    repo = asking_project(tmp_path, CHECK_IN)
    first = start(repo)
    wait_for(lambda: waiting(repo) == [("check-in", "t00.1")], first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    reeve(repo, "tell", "t00.1", "still there?")  # nobody runs, and the attempt hears it all the same
    process = start(repo)
    assert ended(process)[0] == 0
    assert content(repo) == "right still there?"
    assert len(bodies(repo, "question")) == len(bodies(repo, "word")) == len(bodies(repo, "attempt")) == 1
    assert leftovers(repo / ".reeve") == []


REPEATS = """
for number in range(100):
    say(kind="tool_call", id=str(number), tool="run", status="completed", input="pytest", output="1 failed")
    time.sleep(0.01)
time.sleep(3600)
"""
SILENT = """
say(kind="text", text="thinking")
time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("does", "limits", "reason"),
    [(REPEATS, "", "it did the same 10 times"), (SILENT, "[limits]\nidle_seconds = 1\n", "no sign of progress for 1")],
)
def test_no_progress_ends_an_attempt_and_says_so(tmp_path, does, limits, reason):
    repo = asking_project(tmp_path, does, limits)
    assert ended(start(repo))[0] == 1
    (attempt,) = bodies(repo, "attempt")
    assert attempt["ending"] == "no-progress"
    assert reason in attempt["reason"]
    assert leftovers(repo / ".reeve") == []
