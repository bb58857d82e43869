"""Runners that are not pytest are read through JUnit XML; a bare command is the last resort."""

import pytest
from checking import place, with_limits

from reeve.adapters.checks.junit_check import read_junit
from reeve.adapters.checks.pytest_check import Suite
from reeve.records import Checks, CommandCheck, Outcome, Runner, TestOutcome

PASSED, FAILED, ERROR, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
PROJECT = {
    "a.py": "def f():\n    return 1\n",
    "test_a.py": """
import unittest
from a import f

class TestA(unittest.TestCase):
    def test_wanted(self): self.assertEqual(f(), 2)
    def test_other(self): self.assertGreater(f(), 0)
    @unittest.skip("not now")
    def test_skipped(self): pass
    def test_broken(self): raise RuntimeError("down")
""",
}
FIXED = {"a.py": "def f():\n    return 2\n"}
COMMAND = "python -m nose2 --plugin nose2.plugins.junitxml --junit-xml --junit-xml-path out.xml"
CHECKS = Checks(required=("test_a.TestA::test_wanted",), runner=Runner.JUNIT, test_command=COMMAND, report="*.xml")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return place(tmp_path_factory.mktemp("checks"), ("nose2",))


def xml(content):
    suite = Suite()
    read_junit(content.encode() if isinstance(content, str) else content, suite)
    return suite


# ---------------------------------------------------------------- another runner, really run


def test_another_runner_is_measured_by_class_and_name(here):
    found = here.measure(here.tree(PROJECT), CHECKS)
    assert (found.problem, dict(found.tests)) == (
        "",
        {
            "test_a.TestA::test_broken": ERROR,
            "test_a.TestA::test_other": PASSED,
            "test_a.TestA::test_skipped": SKIPPED,
            "test_a.TestA::test_wanted": FAILED,
        },
    )
    assert "1 != 2" in found.messages["test_a.TestA::test_wanted"]


def test_another_runner_gives_verdicts_too(here):
    base = here.tree(PROJECT)
    good = here.verdict(base, FIXED, CHECKS)
    assert good.outcome is Outcome.PASSED
    assert here.verdict(base, {"a.py": "def f():\n    return -2\n"}, CHECKS).outcome is Outcome.FAILED


def test_a_report_that_lies_in_the_tree_already_is_no_measurement(here):
    forged = '<testsuite><testcase classname="test_a.TestA" name="test_wanted"/></testsuite>'
    checks = Checks(required=CHECKS.required, runner=Runner.JUNIT, test_command="true", report="*.xml")
    found = here.measure(here.tree({**PROJECT, "out.xml": forged}), checks)
    assert found.tests == {}
    assert "wrote no report" in found.problem


def test_an_attempt_cannot_bring_its_own_report_or_change_the_command(here):
    base = here.tree({**PROJECT, "run.sh": COMMAND})
    checks = Checks(required=CHECKS.required, runner=Runner.JUNIT, test_command="sh ./run.sh", report="*.xml")
    forged = '<testsuite><testcase classname="test_a.TestA" name="test_wanted"/></testsuite>'
    found = here.verdict(base, {"run.sh": f"echo '{forged}' > out.xml", "x.xml": forged}, checks)
    assert found.outcome is Outcome.FAILED
    assert found.tree == base


def test_a_report_that_is_a_link_or_a_pipe_is_not_read(here, tmp_path):
    forged = tmp_path / "forged.xml"
    forged.write_text('<testsuite><testcase classname="test_a.TestA" name="test_wanted"/></testsuite>')
    for command in (f"ln -s {forged} out.xml", "mkfifo out.xml"):
        checks = Checks(required=CHECKS.required, runner=Runner.JUNIT, test_command=command, report="*.xml")
        found = here.measure(here.tree(PROJECT), checks)
        assert found.tests == {}
        assert found.problem


# ---------------------------------------------------------------- the format


def test_outcomes_of_all_dialects_are_understood():
    found = xml("""<?xml version="1.0"?>
        <testsuites><testsuite name="s"><properties/>
          <testcase classname="c" name="ok" time="0.5"><system-out>text</system-out></testcase>
          <testcase classname="c" name="bad"><failure message="no">at line 3</failure></testcase>
          <testcase classname="c" name="err"><error message="boom"/></testcase>
          <testcase classname="c" name="skip"><skipped/></testcase>
          <testcase name="alone"/>
          <testcase classname="c" name="off" status="disabled"/>
          <testcase classname="c" name="again"><flakyFailure message="x"/></testcase>
        </testsuite></testsuites>""")
    assert found.problem == ""
    assert found.tests == {
        "c::ok": PASSED, "c::bad": FAILED, "c::err": ERROR, "c::skip": SKIPPED, "alone": PASSED, "c::off": SKIPPED,
        "c::again": PASSED,
    }  # fmt: skip
    assert found.flaky == {"c::again"}
    assert found.messages["c::bad"] == "no\nat line 3"


def test_of_two_results_for_one_test_the_worse_counts():
    bad, good = '<testcase classname="c" name="x"><failure/></testcase>', '<testcase classname="c" name="x"/>'
    assert xml(f"<testsuite>{bad}{good}</testsuite>").tests == {"c::x": FAILED}
    assert xml(f"<testsuite>{good}{bad}</testsuite>").tests == {"c::x": FAILED}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><testsuite/>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
        ("<html/>", "outermost"),
        ("<testsuite><testcase", "cannot be read"),
        ("", "cannot be read"),
        (b"\x00\xff\xfe", "cannot be read"),
        ("<testsuite>" + "<a>" * 100, "nested too deep"),
    ],
)
def test_hostile_and_torn_reports_are_refused(content, said):
    assert said in xml(content).problem


def test_messages_are_bounded():
    found = xml(f'<testsuite><testcase name="x"><failure>{"y" * 100_000}</failure></testcase></testsuite>')
    assert len(found.messages["x"]) <= 1500


# ---------------------------------------------------------------- commands


def test_a_command_is_measured_by_its_status_alone(here):
    checks = Checks(commands=(CommandCheck("grep -q 'return 2' a.py"), CommandCheck("echo said; exit 3")))
    found = here.measure(here.tree(PROJECT), checks)
    assert dict(found.commands) == {"grep -q 'return 2' a.py": FAILED, "echo said; exit 3": FAILED}
    assert found.messages["echo said; exit 3"] == "said\nended with status 3"
    assert found.tests == {}


def test_commands_give_weak_verdicts(here):
    checks = Checks(commands=(CommandCheck("grep -q 'return 2' a.py"),))
    base = here.tree(PROJECT)
    found = here.verdict(base, FIXED, checks)
    assert (found.outcome, found.confidence) == (Outcome.PASSED, 0.15)
    assert here.verdict(base, {"b.py": "x = 1\n"}, checks).outcome is Outcome.FAILED
    assert here.verdict(here.tree(FIXED, base), {"b.py": "x = 1\n"}, checks).already_passing


def test_a_command_that_does_not_end_is_not_passed(here):
    checks = Checks(commands=(CommandCheck("sleep 600", timeout_seconds=1),))
    found = with_limits(here).measure(here.tree(PROJECT), checks)
    assert dict(found.commands) == {"sleep 600": ERROR}


def test_commands_do_not_see_what_another_left(here):
    checks = Checks(commands=(CommandCheck("touch left"), CommandCheck("test ! -e left")))
    assert set(here.measure(here.tree(PROJECT), checks).commands.values()) == {PASSED}


@pytest.mark.parametrize(
    ("check", "outcome", "said"),
    [
        (CommandCheck("exit 3", status=3), PASSED, None),
        (CommandCheck("true", status=3), FAILED, "ended with status 0, not 3"),
        (CommandCheck("echo loss 9; echo loss 0.5", reads="loss (.*)", at_most=1.0), PASSED, None),
        (CommandCheck("echo loss 0.5; echo loss 9", reads="loss (.*)", at_most=1.0), FAILED, "gave 9, more than 1"),
        (CommandCheck("echo 0.5", reads="(.*)", at_least=1.0), FAILED, "gave 0.5, less than 1"),
        (CommandCheck("echo 1,250", reads="(.*)", at_least=1000.0), PASSED, None),
        (CommandCheck("echo nan; echo inf", reads="(.*)", at_least=0.0), FAILED, "no number"),
        (CommandCheck("echo 5; exit 1", reads="(.*)", at_least=1.0), FAILED, "ended with status 1"),
    ],
)
def test_a_command_has_an_expected_result(here, check, outcome, said):
    found = here.measure(here.tree(PROJECT), Checks(commands=(check,)))
    assert found.commands == {check.name: outcome}
    assert said is None or said in found.messages[check.name]


def test_a_number_must_be_better_than_at_the_base(here):
    checks = Checks(commands=(CommandCheck("python -c 'import a; print(a.f())'", reads="(.+)", higher_by=1.0),))
    base = here.tree(PROJECT)
    assert here.verdict(base, FIXED, checks).outcome is Outcome.PASSED
    found = here.verdict(base, {"b.py": "x = 1\n"}, checks)
    assert found.outcome is Outcome.FAILED
    assert "gave 1, 1 at the base: it must be at least 1 higher" in found.reason
