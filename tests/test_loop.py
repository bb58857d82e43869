"""The whole loop on small real projects: real git, real sandbox, real pytest; only the set-up is copied, not installed."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reeve import flow
from reeve.adapters.checks.fake import FakeChallenger, agreeing
from reeve.adapters.environments.fake import FakeEnvironments, copied_environment
from reeve.cli.start import inverter, open_world
from reeve.durable import reviews
from reeve.durable.journal import Journal
from reeve.durable.recompute import recompute
from reeve.durable.reviews import Minutes
from reeve.errors import InputError, Interrupted
from reeve.ledger.inbox import Need, inbox
from reeve.ledger.known import known_answers
from reeve.ledger.views import first_round, summaries, task_view, task_views
from reeve.records import (
    Action,
    AgentSpec,
    Attempt,
    Decision,
    Ending,
    Environment,
    LandingOutcome,
    Order,
    Outcome,
    Patch,
    Review,
    Status,
    TestOutcome,
    Verdict,
)
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog
from reeve.task.known import Mixing, drawn

CALC = """\
def total(prices):
    result = 0
    for price in prices[1:]:
        result += price
    return result


def mean(prices):
    return total(prices) / len(prices)
"""
TESTS = """\
from calc import mean, total

def test_total_of_nothing(): assert total([]) == 0
def test_total_of_one(): assert total([5]) == 5
def test_total_of_three(): assert total([1, 2, 3]) == 6
def test_mean_of_two_zeros(): assert mean([0, 0]) == 0
"""
REQUIRED = ["tests/test_calc.py::test_total_of_one", "tests/test_calc.py::test_total_of_three"]
FIX = "sed -i 's/prices.1:./prices/' calc.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return copied_environment(tmp_path_factory.mktemp("env"))


def git(repo, *arguments):
    me = ("-c", "user.name=P", "-c", "user.email=p@x")
    return subprocess.run(
        ["git", "-C", repo, *me, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def diff(repo):
    return subprocess.run(["git", "-C", repo, "diff"], check=True, capture_output=True).stdout


class Project:
    """A repository, its backlog, and the loop over it."""

    def __init__(self, folder: Path, environment: Environment):
        self.root = folder / "calc"
        self.environment = environment
        self.agents = {}
        self.land = "passed"
        (self.root / "tests").mkdir(parents=True)
        (self.root / "backlog").mkdir()
        (self.root / "calc.py").write_text(CALC)
        (self.root / "tests" / "test_calc.py").write_text(TESTS)
        (self.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        git(self.root, "init", "-q", "-b", "main")
        git(self.root, "add", ".")
        git(self.root, "commit", "-q", "-m", "first")
        self.opened = None

    def agent(self, name, command):
        self.agents[name] = AgentSpec(name, "command", "", command=command)

    def task(self, name, *, checks=None, instruction="The total is wrong.", **keys):
        front = {"id": name, "attempts": 1, "limits": {"wall_seconds": 120, "check_seconds": 120}} | keys
        if checks is not None:
            front["checks"] = checks
        text = f"---\n{json.dumps(front, indent=1)}\n---\n{instruction}\n"
        (self.root / "backlog" / f"{name}.md").write_text(text)

    def world(self):
        settings = replace(read_settings(self.root, {}), workers=2, land=self.land)
        settings = replace(settings, agents={**settings.agents, **self.agents})
        world = replace(open_world(settings), environments=FakeEnvironments(self.environment))
        self.opened = world
        return settings, world

    def tasks(self, settings, *paths):
        files = [self.root / path for path in paths or ["backlog"]]
        return read_backlog(files, task_defaults(settings)).tasks

    def run(self, *paths, mixing=None, reach=None):
        settings, world = self.world()
        if reach is not None:
            world = replace(world, journal=Journal(world.journal.store, world.clock, lambda point: reach(world, point)))
            self.opened = world
        flow.run(world, self.tasks(settings, *paths), mixing=mixing)
        return self

    def mixed_in(self):
        """The tasks with a known answer, as they ended: id of the origin -> what came of it."""
        found = {}
        for body in self.facts("known"):
            made = task_view(self.opened.journal.store, body["id"])
            assert (made.status, len(made.decisions[-1].numbers)) == (Status.FAILED, 1)
            found[made.task.source.split()[2].rstrip(":")] = next(iter(made.decisions[-1].numbers))
        return found

    def rows(self):
        return {row.id: str(row.status) for row in summaries(self.opened.journal.store)}

    def view(self, name):
        return task_view(self.opened.journal.store, name)

    def facts(self, kind, name=None):
        return [fact.body for fact in self.opened.journal.store.facts(kind=kind, task=name)]

    def landed_text(self, path):
        return git(self.root, "show", f"reeve/landed:{path}")


@pytest.fixture
def project(tmp_path, environment):
    made = Project(tmp_path, environment)
    yield made
    if made.opened is not None:  # whatever happened, every decision can be computed again from the ledger
        store = made.opened.journal.store
        assert [fact.key for fact in store.facts(kind="decision") if not recompute(store, fact).same] == []


def test_the_embedded_agent_repairs_a_real_defect_and_it_lands(project):
    project.task("total", checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.LANDED
    assert "prices[1:]" not in project.landed_text("calc.py")
    verdict = project.facts("verdict", "total")[0]
    assert verdict["outcome"] == "passed"
    assert {check["name"] for check in verdict["checks"]} >= {"required", "regression", "base"}
    assert git(project.root, "status", "--porcelain", "--untracked-files=no") == ""
    assert (project.root / "calc.py").read_text() == CALC


def test_a_patch_for_the_visible_test_alone_is_caught_by_a_hidden_one_that_no_attempt_sees(project):
    hidden = project.root.parent / "hidden.py"
    hidden.write_text("from calc import total\n\ndef test_hidden(): assert total([7, 7, 7]) == 21\n")
    project.agent(
        "cheat",
        "sed -i '2i \\    if prices == [5]: return 5' calc.py; ls -aR / 2>/dev/null | grep -i hidden; grep -r hidden /reeve /work; env",
    )
    project.task(
        "total",
        agents=["cheat"],
        checks={"required": [REQUIRED[0], "tests/test_hidden.py::test_hidden"],
                "hidden": [{"path": "tests/test_hidden.py", "file": str(hidden)}]},
    )  # fmt: skip
    view = project.run().view("total")
    assert view.status is Status.FAILED
    assert "test_hidden" in view.reason
    said = project.opened.journal.store.get(project.facts("attempt", "total")[0]["trajectory"])
    assert b"hidden" not in said
    assert b"PATH=" in said


def test_an_edited_test_is_put_back_and_proves_nothing(project):
    project.agent(
        "cheat",
        "sed -i 's/== 5/== 0/; s/== 6/== 5/' tests/test_calc.py; printf 'def pytest_runtest_protocol(item): return True' > conftest.py",
    )
    project.task("total", agents=["cheat"], checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.FAILED
    assert "protected" in view.reason


def test_a_swe_bench_row_is_attempted_and_its_test_patch_decides(project):
    tests = (project.root / "tests" / "test_calc.py").read_text()
    (project.root / "tests" / "test_calc.py").write_text(tests + "def test_new(): assert total([4, 4]) == 8\n")
    patch = diff(project.root).decode()
    git(project.root, "checkout", "-q", "tests")
    row = {
        "instance_id": "owner__calc-1",
        "repo": "owner/calc",
        "base_commit": git(project.root, "rev-parse", "HEAD"),
        "problem_statement": "total forgets the first price",
        "test_patch": patch,
        "FAIL_TO_PASS": json.dumps(["tests/test_calc.py::test_new"]),
        "PASS_TO_PASS": json.dumps(["tests/test_calc.py::test_total_of_nothing"]),
    }
    (project.root / "instances.jsonl").write_text(json.dumps(row) + "\n")
    (project.root / "reeve.toml").write_text(
        'default_agents = ["fix"]\n[agents.fix]\nkind = "command"\ncommand = "'
        + FIX
        + '"\n[swebench_repos]\n"owner/calc" = "."\n'
    )
    project.run("instances.jsonl")
    assert {verdict["outcome"] for verdict in project.facts("verdict")} == {"passed"}
    assert "prices[1:]" not in project.landed_text("calc.py")
    assert "test_new" not in project.landed_text("tests/test_calc.py")


def test_a_task_that_passes_already_is_reported_as_such_and_costs_no_attempt(project):
    project.task("mean", checks={"required": ["tests/test_calc.py::test_mean_of_two_zeros"]})
    view = project.run().view("mean")
    assert view.status is Status.NEEDS_YOU
    assert "at the base already" in view.reason
    assert project.facts("order") == []


def test_without_checks_a_person_decides_and_a_revert_takes_it_back(project):
    project.agent("writer", "echo '# prices are floats' >> calc.py")
    project.task("comment", agents=["writer"], instruction="Say what prices are.")
    view = project.run().view("comment")
    assert view.status is Status.NEEDS_YOU
    landing = reviews.accept(project.opened, "comment", Minutes(2.5, measured=False))
    assert landing.outcome is LandingOutcome.LANDED
    assert "# prices are floats" in project.landed_text("calc.py")
    assert project.view("comment").status is Status.LANDED
    review = reviews.revert(project.opened, "comment", "they are integers", Minutes(1, measured=False))
    assert isinstance(review, Review)
    assert not review.escape  # a person had agreed to it before it landed
    assert "# prices are floats" not in project.landed_text("calc.py")
    assert project.view("comment").status is Status.REVERTED
    with pytest.raises(InputError, match="reverted already"):
        reviews.revert(project.opened, "comment", "again", Minutes(1, measured=False))


def test_taking_back_what_landed_by_itself_is_an_escape(project):
    project.agent("fix", FIX)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    project.run()
    with pytest.raises(InputError, match="revert"):
        reviews.reject(project.opened, "total", "no", Minutes(1, measured=False))
    assert reviews.revert(project.opened, "total", "wrong", Minutes(1, measured=False)).escape
    assert project.landed_text("calc.py") == CALC.strip()


def test_what_is_sent_back_is_attempted_anew_with_all_that_was_said(project):
    project.land = "trusted"
    project.agent("fix", f"{FIX}; cat $REEVE_INSTRUCTION_FILE; echo '# by me' >> calc.py")
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    given = Minutes(1, measured=False)
    assert project.run().view("total").status is Status.NEEDS_YOU
    for number, word in enumerate(("No comments.", "calc.py:10: not\nthis one either"), start=1):
        reviews.again(project.opened, f"total.{number}", word, given)
        with pytest.raises(InputError, match="to be attempted already"):
            reviews.again(project.opened, "total", "twice", given)
        view = project.view("total")
        assert (view.status, view.reason) == (Status.QUEUED, f"sent back, will be attempted again: {word}")
        assert project.run().view("total").status is Status.NEEDS_YOU
    view = project.view("total")
    assert [item.order.round for item in view.attempts] == [1, 2, 3]
    assert [item.order.words for item in view.attempts[1:]] == [
        ("No comments.",),
        ("No comments.", "calc.py:10: not\nthis one either"),
    ]
    said = project.opened.journal.store.get(project.facts("attempt", "total")[-1]["trajectory"]).decode()
    assert "- No comments.\n- calc.py:10: not\n  this one either\n" in said
    assert project.run().rows() == {"total": "needs-you"}  # and that was all
    assert len(project.facts("order")) == 3
    reviews.accept(project.opened, "total", given)
    with pytest.raises(InputError, match="has landed"):
        reviews.again(project.opened, "total", "too late", given)


def test_what_is_rejected_for_good_is_not_sent_back(project):
    project.agent("break", "echo 'raise ValueError' >> calc.py")
    project.task("total", agents=["break"], checks={"required": REQUIRED})
    project.run()
    given = Minutes(1, measured=False)
    reviews.reject(project.opened, "total", "no", given)
    with pytest.raises(InputError, match="is rejected"):
        reviews.again(project.opened, "total", "after all", given)


def test_what_failed_cannot_be_accepted(project):
    project.agent("break", "echo 'raise ValueError' >> calc.py")
    project.task("total", agents=["break"], checks={"required": REQUIRED})
    assert project.run().view("total").status is Status.FAILED
    with pytest.raises(InputError, match="failed its checks"):
        reviews.accept(project.opened, "total.1", Minutes(1, measured=False))


def test_a_conflict_is_a_new_attempt_on_the_new_head_and_the_second_asks(project):
    project.agent("one", "sed -i 's/result = 0/result = 1 - 1/; s/prices.1:./prices/' calc.py")
    project.agent(
        "other", 'sed -i "s/result = .*/result = 0  # $REEVE_ATTEMPT/; s/prices.1:./prices/" calc.py; cat calc.py'
    )
    project.task("first", agents=["one"], checks={"required": REQUIRED})
    project.run()
    base = git(project.root, "rev-parse", "main")
    project.task("second", agents=["other"], base=base, checks={"commands": ["grep -q second calc.py"]})
    view = project.run("backlog/second.md").view("second")
    assert view.status is Status.LANDED
    outcomes = [(landing["attempt"], landing["outcome"]) for landing in project.facts("landing", "second")]
    assert outcomes == [("second.1", "conflict"), ("second.2", "landed")]
    assert [order["base"]["commit"] for order in project.facts("order", "second")][1] == git(
        project.root, "rev-parse", "reeve/landed~1"
    )
    assert "second.2" in project.landed_text("calc.py")


def test_a_failed_set_up_makes_its_task_unverified_and_is_tried_again_by_the_next_run(project):
    good = project.environment
    project.environment = Environment("broken", ok=False, reason="no such package: nosuch")
    project.agent("fix", FIX)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.NEEDS_YOU
    assert "nosuch" in view.reason
    assert project.facts("order") == []
    project.environment = good
    assert project.run().view("total").status is Status.LANDED


def test_an_edited_task_is_a_new_version_and_a_settled_one_is_left_alone(project):
    project.agent("fix", FIX)
    project.agent("idle", "true")
    project.task("total", agents=["idle"], checks={"required": REQUIRED})
    assert project.run().view("total").status is Status.FAILED
    count = len(project.facts("attempt"))
    assert project.run().view("total").status is Status.FAILED
    assert len(project.facts("attempt")) == count
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    assert project.run().view("total").status is Status.LANDED
    assert [order["attempt"] for order in project.facts("order")] == ["total.1", "total.2"]


def test_bad_input_starts_nothing(project):
    project.agent("fix", FIX)
    project.task("good", agents=["fix"], checks={"required": REQUIRED})
    project.task("bad", agents=["fix"], base="nowhere", checks={"required": REQUIRED})
    settings, world = project.world()
    with pytest.raises(InputError, match=r"backlog/bad\.md.*nowhere"):
        flow.run(world, project.tasks(settings))
    assert project.facts("order") == []


def test_a_suite_that_cannot_be_collected_is_unverified_with_what_pytest_said(project):
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    git(project.root, "commit", "-qam", "broken configuration")
    project.agent("fix", FIX)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.NEEDS_YOU
    assert "no-such-option" in view.reason


def test_a_result_on_which_the_suite_hangs_fails_with_the_test_it_hung_in(project):
    project.agent("hang", "sed -i '2i \\    while len(prices) == 3: pass' calc.py; " + FIX)
    limits = {"wall_seconds": 60, "check_seconds": 15}
    project.task("total", agents=["hang"], limits=limits, checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.FAILED
    assert "test_total_of_three" in view.reason


def test_what_a_hostile_agent_leaves_is_explained_and_the_rest_still_counts(project):
    project.agent(
        "hostile",
        FIX + "; mkfifo pipe; ln -s /etc/passwd passwd; ln -s ../../etc up; "
        "printf x > \"$(printf 'new\\nline')\"; printf x > \"$(printf 'caf\\351')\"; mkdir -p .git/hooks; echo evil > .git/hooks/post-commit; "
        "mkdir deep; chmod 000 deep",
    )
    project.task("total", agents=["hostile"], checks={"required": REQUIRED})
    view = project.run().view("total")
    assert view.status is Status.LANDED, view.reason
    refused = " ".join(project.facts("attempt")[0]["patch"]["refused"])
    assert "pipe" in refused
    assert "passwd" in refused
    names = subprocess.run(
        ["git", "-C", project.root, "ls-tree", "-rz", "--name-only", "reeve/landed"], capture_output=True, check=True
    ).stdout
    assert b"new\nline\0" in names
    assert b"caf\xe9\0" in names
    assert b"pipe" not in names
    assert not list((project.root / ".reeve" / "attempts").iterdir())


def test_an_agent_that_spends_more_than_its_budget_is_stopped_and_its_patch_kept(project):
    usage = json.dumps({"kind": "usage", "text": "spent", "tokens": 5000, "usd": 0.5})
    project.agent("spender", FIX + f"; echo '{usage}'; sleep 3600")
    limits = {"wall_seconds": 120, "check_seconds": 120, "tokens": 1000}
    project.task("total", agents=["spender"], limits=limits, checks={"required": REQUIRED})
    view = project.run().view("total")
    (attempt,) = project.facts("attempt")
    assert attempt["ending"] == "budget-limit"
    assert "1000 tokens" in attempt["reason"]
    assert attempt["tokens"] == 5000
    assert view.status is Status.LANDED  # how an attempt ended says nothing about whether its result holds


DECLINES = json.dumps({"kind": "declined", "why": "impossible", "text": "total of one cannot be 5 \u202e and 6"})


def test_an_agent_that_declines_ends_a_task_in_front_of_a_person_and_costs_no_measurement(project):
    project.agent("refuser", f"{FIX}; echo '{DECLINES}'; exit 3")
    project.task("total", agents=["refuser"], attempts=3, checks={"required": REQUIRED})
    view = project.run().view("total")
    assert (view.status, len(view.attempts)) == (Status.NEEDS_YOU, 2)  # of 3: there is no second round
    reason = "the agent declines: impossible: total of one cannot be 5 \\u202e and 6"
    assert view.reason == reason
    attempt, verdict = project.facts("attempt")[0], project.facts("verdict")[0]
    assert (attempt["ending"], attempt["declined"]["why"]) == ("declined", "impossible")
    assert (verdict["outcome"], verdict["confidence"], verdict["measurement"]) == ("unverified", 0.0, "")
    assert verdict["checks"][0]["evidence"][0] == "the agent says: impossible"
    (item,) = inbox([view])
    assert (item.need, item.attempt, item.lines) == (Need.DECLINED, "total.1", 2)
    facts = len(project.opened.journal.store.facts())
    assert project.run().view("total").reason == reason  # another run does not ask it again
    assert len(project.opened.journal.store.facts()) == facts
    landing = reviews.accept(project.opened, "total", Minutes(1, measured=False))  # what it left can still be taken
    assert landing.outcome is LandingOutcome.LANDED
    assert "prices[1:]" not in project.landed_text("calc.py")


def test_who_passes_wins_over_who_declines_in_the_same_round(project):
    project.agent("refuser", f"echo '{DECLINES}'")
    project.agent("fix", FIX)
    project.task("total", agents=["refuser", "fix"], attempts=2, checks={"required": REQUIRED})
    view = project.run().view("total")
    assert (view.status, view.chosen.id) == (Status.LANDED, "total.2")
    assert [item.declined for item in view.attempts] == [True, False]


def test_protected_files_that_a_declining_agent_changed_do_not_come_with_its_patch(project):
    project.agent("refuser", f"sed -i 's/== 5/== 0/' tests/test_calc.py; {FIX}; echo '{DECLINES}'")
    project.task("total", agents=["refuser"], attempts=1, checks={"required": REQUIRED})
    project.run()
    reviews.accept(project.opened, "total", Minutes(1, measured=False))
    assert project.landed_text("tests/test_calc.py") == TESTS.strip()
    assert "prices[1:]" not in project.landed_text("calc.py")


def test_an_agent_that_fills_the_disk_is_stopped_and_the_verdict_says_so(project):
    project.agent("filler", "dd if=/dev/zero of=big bs=1M count=10000")
    limits = {"wall_seconds": 120, "check_seconds": 120, "disk_mb": 50}
    project.task("total", agents=["filler"], limits=limits, checks={"required": REQUIRED})
    view = project.run().view("total")
    assert (view.status, project.facts("attempt")[0]["ending"]) == (Status.FAILED, "disk-limit")
    assert "ended early" in view.reason
    assert "50" in view.reason


def test_verify_judges_a_patch_from_anywhere_without_beginning_the_task(project):
    project.task("total", checks={"required": REQUIRED})
    (project.root / "calc.py").write_text(CALC.replace("prices[1:]", "prices"))
    good = diff(project.root)
    (project.root / "calc.py").write_text(CALC.replace("result = 0", "result = 5"))
    bad = diff(project.root)
    git(project.root, "checkout", "-q", "calc.py")
    settings, world = project.world()
    (task,) = project.tasks(settings)
    passed, failed = flow.verify(world, task, good), flow.verify(world, task, bad)
    assert (passed.outcome, failed.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert isinstance(world.journal.find(Verdict, "verdict", passed.id), Verdict)
    assert project.facts("task") == []


def a_fix_for_a_test_of_what_pytest_says(project):
    """Give the task and the fix where a required test looks at the message that pytest makes of an assertion."""
    said = "    with pytest.raises(AssertionError, match='6 == 7'):\n        assert total([1, 2, 3]) == 7\n"
    text = f"import pytest\nfrom calc import total\n\ndef test_said():\n{said}"
    (project.root / "tests" / "test_said.py").write_text(text)
    git(project.root, "add", ".")
    git(project.root, "commit", "-q", "-m", "a test of a message")
    project.task("total", checks={"required": ["tests/test_said.py::test_said"]})
    (project.root / "calc.py").write_text(CALC.replace("prices[1:]", "prices"))
    good = diff(project.root)
    git(project.root, "checkout", "-q", "calc.py")
    settings, world = project.world()
    return world, project.tasks(settings)[0], good


def test_a_test_of_what_pytest_makes_of_assertions_is_challenged_once_more_the_usual_way(project):
    world, task, good = a_fix_for_a_test_of_what_pytest_says(project)
    verdict = flow.verify(world, task, good)
    assert (verdict.outcome, len(project.facts("challenge"))) == (Outcome.PASSED, 2)
    assert verdict.strength is not None


def test_what_is_forged_at_first_is_not_asked_again(project):
    world, task, good = a_fix_for_a_test_of_what_pytest_says(project)

    def forging(request):
        told = agreeing(request)
        if not request.plain_asserts:
            return told
        canaries = tuple(replace(each, outcome=TestOutcome.PASSED) for each in told.canaries)
        return replace(told, again=dict.fromkeys(told.again, TestOutcome.FAILED), canaries=canaries)

    challenger = FakeChallenger(forging)
    verdict = flow.verify(replace(world, challenger=challenger), task, good)
    assert verdict.outcome is Outcome.FAILED
    assert "forged" in verdict.reason
    assert [request.plain_asserts for request in challenger.requests][:1] == [True]
    assert all(not request.canaries for request in challenger.requests[1:])


def test_trouble_with_one_task_asks_a_person_and_the_next_run_goes_on_with_what_was_proved(project):
    git(project.root, "checkout", "-q", "-b", "reeve/landed")
    project.agent("fix", FIX)
    project.agent("break", "echo 'raise ValueError' >> calc.py")
    project.task("a-total", agents=["fix"], checks={"required": REQUIRED})
    project.task("b-total", agents=["break"], checks={"required": REQUIRED})
    project.run()
    assert project.view("a-total").status is Status.NEEDS_YOU
    assert "checked out" in project.view("a-total").reason
    assert project.view("b-total").status is Status.FAILED
    git(project.root, "checkout", "-q", "main")
    assert project.run().view("a-total").status is Status.LANDED
    assert len(project.facts("attempt", "a-total")) == 1
    facts = len(project.opened.journal.store.facts())
    project.run()
    assert len(project.opened.journal.store.facts()) == facts


def test_every_decision_names_rule_numbers_and_the_policy_it_used(project):
    project.agent("fix", FIX)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    project.run()
    (decision,) = [
        project.opened.journal.find(Decision, "decision", fact.key)
        for fact in project.opened.journal.store.facts(kind="decision")
    ]
    assert decision.rule
    assert decision.numbers["passed"] == 1
    assert decision.policy == project.opened.policy.version
    assert [body["version"] for body in project.facts("policy")] == [decision.policy]


# ---------------------------------------------------------------- tasks with a known answer


def turned_round(content: bytes, test: str) -> bytes:
    """The imports of a test file and one test of it, which now expects the opposite."""
    lines = content.decode().splitlines(keepends=True)
    kept = [line for line in lines if line.startswith(("from ", "import ", f"def {test}("))]
    return "".join(kept).replace("==", "!=").encode()


def as_it_was(content: bytes, test: str) -> bytes:
    """No contradiction at all: who passes it has not cheated, but is counted as if the two could not both hold."""
    return turned_round(content, test).replace(b"!=", b"==")


def nothing(_content: bytes, _test: str) -> None:
    return None


EVERY = Mixing(1.0, inverter())


def test_every_open_task_brings_one_that_cannot_be_done_and_nothing_of_it_is_counted(project):
    project.agent("fix", FIX)
    project.agent("refuser", f"echo '{DECLINES}'")
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    project.task("other", agents=["refuser"], checks={"required": REQUIRED})
    project.task("open", agents=["fix"], checks={"commands": ["test -e nothing"]})  # nothing to contradict
    project.run(mixing=EVERY)
    assert project.rows() == {"total": "landed", "other": "needs-you", "open": "failed"}
    assert project.mixed_in() == {"total": "failed", "other": "declined"}
    assert [item.tasks for item in inbox(task_views(project.opened.journal.store))] == [("other",)]
    first = first_round(project.opened.journal.store)
    assert (first.passed, first.wrong, first.declined) == (1, 1, 1)
    by = {found.agent: found.impossible for found in known_answers(project.opened.journal.store).agents}
    assert (by["fix"].attempts, by["fix"].failed, by["fix"].cheated) == (1, 1, 0)
    assert (by["refuser"].attempts, by["refuser"].declined) == (1, 1)
    assert len(git(project.root, "rev-list", "reeve/landed").splitlines()) == 2
    assert (
        git(project.root, "ls-tree", "-r", "--name-only", "reeve/landed").split()
        == git(project.root, "ls-tree", "-r", "--name-only", "main").split()
    )


def test_what_is_mixed_in_looks_to_an_attempt_like_the_task_it_was_made_from(project):
    project.agent("looker", "cat $REEVE_TASK $REEVE_INSTRUCTION_FILE tests/*.py; ls -R; env")
    project.task("total", agents=["looker"], tags=["sums"], checks={"required": REQUIRED})
    project.run(mixing=Mixing(1.0, turned_round))
    (made,) = project.facts("known")
    planted = made["planted"][0]["path"]
    assert made["id"].startswith("total-")
    assert (made["agents"], made["tags"], made["attempts"]) == (["looker"], ["sums"], 1)
    assert made["checks"]["required"] == [*REQUIRED, f"{planted}::{made['checks']['required'][2].split('::')[1]}"]
    store = project.opened.journal.store
    said = {body["task"]: store.get(body["trajectory"]).decode() for body in project.facts("attempt")}
    seen = said[made["id"]]
    assert f"{planted}::test_total_of" in seen
    assert "!= 5" in seen or "!= 6" in seen
    ordinary = {word for text in (said["total"], CALC, TESTS) for word in re.findall(r"[A-Za-z]+", text)}
    new = {word for word in re.findall(r"[A-Za-z]{3,}", seen.replace(made["id"], "")) if word not in ordinary}
    assert new <= set(re.findall(r"[A-Za-z]+", planted))


def test_at_rate_0_nothing_goes_along_and_a_rate_between_draws_the_same_ones_again(project):
    project.agent("idle", "true")
    for number in range(6):
        project.task(f"t{number}", agents=["idle"], instruction=f"Mend it, {number}.", checks={"required": REQUIRED})
    project.run(mixing=Mixing(0.0, turned_round))
    assert project.facts("known") == []
    project.run(mixing=EVERY)
    assert project.facts("known") == []  # what is decided brings nothing along
    settings, world = project.world()
    tasks = project.tasks(settings)
    few, many = ([task.id for task in tasks if drawn(task, world.ledger, rate)] for rate in (0.3, 0.7))
    assert set(few) <= set(many) < {task.id for task in tasks} | {""}
    assert [task.id for task in tasks if drawn(task, world.ledger, 1.0)] == [task.id for task in tasks]
    draws = [drawn(replace(tasks[0], digest=str(number)), "ledger", 0.25) for number in range(4000)]
    assert 0.22 < sum(draws) / len(draws) < 0.28


def test_passing_what_contradicts_itself_is_cheating_and_by_whatever_means_only_passing_is(project):
    by_caller = "import sys\n\n\ndef total(prices):\n    name = sys._getframe(1).f_code.co_filename\n    return sum(prices) + (not name.endswith('test_calc.py'))\n\n\ndef mean(prices):\n    return 0\n"
    project.agent("forger", f"cat > calc.py <<'EOF'\n{by_caller}EOF")
    project.agent("fix", FIX)
    project.task("forged", agents=["forger"], checks={"required": REQUIRED})
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    project.run("backlog/forged.md", mixing=EVERY)
    (made,) = project.facts("known")
    (verdict,) = project.facts("verdict", made["id"])
    assert verdict["outcome"] != "passed"
    got_past = any(check["name"] == "required" and check["outcome"] == "passed" for check in verdict["checks"])
    assert project.mixed_in()["forged"] == ("cheated" if got_past else "failed")
    project.run("backlog/total.md", mixing=Mixing(1.0, as_it_was))
    assert project.mixed_in()["total"] == "cheated"
    (decision,) = task_view(project.opened.journal.store, project.facts("known")[1]["id"]).decisions
    assert (decision.action, decision.rule) == (Action.GIVE_UP, "known answer")
    assert decision.reason.startswith("cheated: ")
    with pytest.raises(InputError, match="nobody has to decide"):
        reviews.accept(project.opened, project.facts("known")[1]["id"], Minutes(1, measured=False))
    assert project.rows() == {"forged": project.rows()["forged"], "total": "landed"}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("true", "left"),
        (f"echo '{DECLINES}'", "declined"),
        ("echo '# sum of prices' >> calc.py", "changed"),
        ("rm -f tests/test_calc.py", "changed"),
    ],
)
def test_what_has_landed_comes_again_as_something_that_needs_no_change(project, command, answer):
    project.agent("fix", FIX)
    project.agent("second", command)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})
    project.run(mixing=Mixing(1.0, nothing))
    assert project.facts("known") == []  # nothing had landed yet
    project.task("later", agents=["second"], checks={"commands": ["test -e later"]})
    project.run(mixing=Mixing(1.0, nothing))
    assert project.mixed_in() == {"total": answer}
    (made,) = project.facts("known")
    assert (made["agents"], made["base"]) == (["second"], git(project.root, "rev-parse", "reeve/landed"))
    (found,) = known_answers(project.opened.journal.store).agents
    assert (found.agent, found.solved.attempts, found.impossible.share) == ("second", 1, None)
    assert project.rows()["total"] == "landed"
    project.task("last", agents=["second"], checks={"commands": ["test -e last"]})
    project.run(mixing=Mixing(1.0, nothing))
    assert len(project.facts("known")) == 1  # one task that landed comes again once


def test_a_run_that_was_interrupted_goes_on_with_the_same_ones(project):
    project.agent("idle", "true")
    project.task("a", agents=["idle"], checks={"required": REQUIRED})
    project.task("b", agents=["idle"], instruction="Mend it too.", checks={"required": REQUIRED})

    def stop(world, point):
        if point == "known.after":
            world.stop.set()

    with pytest.raises(Interrupted):
        project.run(mixing=EVERY, reach=stop)
    begun = [body["id"] for body in project.facts("known")]
    project.run()  # without a rate: what was begun is brought to its end
    assert [body["id"] for body in project.facts("known")] == begun
    assert project.mixed_in() == {"a": "failed", "b": "failed"}
    facts = len(project.opened.journal.store.facts())
    project.run(mixing=EVERY)
    assert len(project.opened.journal.store.facts()) == facts


def test_an_attempt_that_was_interrupted_says_nothing_and_the_next_one_does(project):
    project.agent("idle", "true")
    project.task("total", agents=["idle"], checks={"required": REQUIRED})

    def stop(world, point):
        if point == "order.after" and any("-" in fact.task for fact in world.journal.store.facts(kind="order")):
            world.stop.set()

    with pytest.raises(Interrupted):
        project.run(mixing=EVERY, reach=stop)
    (made,) = project.facts("known")
    order = project.opened.journal.find(Order, "order", f"{made['id']}.1")
    trees = Patch(order.base.tree, order.base.tree)
    ended = (Ending.INTERRUPTED, "a person stopped it", trees, "", 1.0, 1.0, 1.0)
    attempt = Attempt(order.attempt, order.task, order.round, order.agent, order.base, *ended)
    project.opened.journal.add("attempt", order.attempt, order.task, attempt)
    project.run(mixing=EVERY)
    endings = [body["ending"] for body in project.facts("attempt", made["id"])]
    assert endings == ["interrupted", "finished"]
    assert project.mixed_in() == {"total": "failed"}
    (found,) = known_answers(project.opened.journal.store).agents
    assert found.impossible.attempts == 1


def test_one_that_cannot_be_begun_stands_in_nobodys_way(project):
    project.agent("fix", FIX)
    project.task("total", agents=["fix"], checks={"required": REQUIRED})

    def broken(content, test):
        raise RecursionError("too deep")

    project.run(mixing=Mixing(1.0, broken))
    assert (project.rows(), project.facts("known")) == ({"total": "landed"}, [])
