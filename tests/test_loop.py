"""The whole loop on small real projects: real git, real sandbox, real pytest; only the set-up is copied, not installed."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reeve import flow
from reeve.adapters.environments.fake import FakeEnvironments, copied_environment
from reeve.cli.start import open_world
from reeve.durable import reviews
from reeve.durable.reviews import Minutes
from reeve.errors import InputError
from reeve.ledger.views import task_view
from reeve.records import AgentSpec, Decision, Environment, LandingOutcome, Outcome, Review, Status, Verdict
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog

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
        settings = replace(read_settings(self.root, {}), workers=2)
        settings = replace(settings, agents={**settings.agents, **self.agents})
        world = replace(open_world(settings), environments=FakeEnvironments(self.environment))
        self.opened = world
        return settings, world

    def tasks(self, settings, *paths):
        files = [self.root / path for path in paths or ["backlog"]]
        return read_backlog(files, task_defaults(settings)).tasks

    def run(self, *paths):
        settings, world = self.world()
        flow.run(world, self.tasks(settings, *paths))
        return self

    def view(self, name):
        return task_view(self.opened.journal.store, name)

    def facts(self, kind, name=None):
        return [fact.body for fact in self.opened.journal.store.facts(kind=kind, task=name)]

    def landed_text(self, path):
        return git(self.root, "show", f"reeve/landed:{path}")


@pytest.fixture
def project(tmp_path, environment):
    return Project(tmp_path, environment)


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
        FIX + "; mkfifo pipe; ln -s /etc/passwd passwd; ln -s ../../etc up; printf '\\0\\1' > data.bin; "
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
