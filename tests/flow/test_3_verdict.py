"""The verdict: does a result hold? Judged from measurements, never from what an agent says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve.globs import matches
from reeve.records import (
    Canary,
    CanaryKind,
    Challenge,
    Change,
    CheckResult,
    Checks,
    CommandCheck,
    Defect,
    Ending,
    Environment,
    HiddenFile,
    Measurement,
    Outcome,
    Patch,
    RepoSource,
    Runner,
    Strength,
    Surplus,
    Task,
    TestOutcome,
)
from reeve.verdict.challenged import Doubts
from reeve.verdict.examined import examined_tree
from reeve.verdict.judge import judge
from reeve.verdict.minimise import minimise
from reeve.verdict.protected import globs_of, protected_changes
from reeve.verdict.recheck import FEW, Recheck, recheck, suspects

PASSED, FAILED, ERROR, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
WANTED = "tests/test_a.py::test_wanted"
OTHER = "tests/test_a.py::test_other"
ENVIRONMENT = Environment("env", ok=True)
TASK = Task("fix", "fix it", RepoSource(path="."), checks=Checks(required=(WANTED,)))
PATCH = Patch("base", "tree", changes=(Change("a.py", "modified", 1, 1),))
BASE = Measurement("b", "base", tests={WANTED: FAILED, OTHER: PASSED}, runs=2)
RESULT = Measurement("r", "tree", tests={WANTED: PASSED, OTHER: PASSED}, wall_seconds=3.0)


def verdict(task=TASK, *, patch=PATCH, base=BASE, result=RESULT, **more):
    given = {"id": "fix.1", "attempt": "fix.1", "tree": patch.tree, "environment": ENVIRONMENT} | more
    return judge(task, patch=patch, base=base, result=result, **given)


def result(**outcomes):
    names = {"wanted": WANTED, "other": OTHER}
    return replace(RESULT, tests={**RESULT.tests, **{names[name]: outcome for name, outcome in outcomes.items()}})


def without(measurement, name):
    return replace(measurement, tests={key: value for key, value in measurement.tests.items() if key != name})


def named(found, name):
    return next(check for check in found.checks if check.name == name)


# ---------------------------------------------------------------- what passes


def test_a_result_passes_when_required_tests_pass_and_nothing_else_breaks():
    found = verdict()
    assert found.outcome is Outcome.PASSED
    assert found.tree == "tree"
    assert found.lines == 2
    assert found.wall_seconds == 3.0
    assert {check.name for check in found.checks} == {"base", "required", "regression", "collected"}
    assert found.reason == (
        "1 required test passed that did not all pass at the base, and none of 1 test that passed before fails"
    )


@pytest.mark.parametrize("outcome", [FAILED, ERROR, SKIPPED, TestOutcome.XFAILED])
def test_a_required_test_that_is_not_passed_fails_the_result(outcome):
    found = verdict(result=result(wanted=outcome))
    assert found.outcome is Outcome.FAILED
    assert WANTED in found.reason


def test_a_required_test_that_is_not_reported_fails_the_result():
    found = verdict(result=without(RESULT, WANTED))
    assert found.outcome is Outcome.FAILED
    assert f"{WANTED} was not reported" in found.reason


def test_a_required_id_must_match_exactly():
    task = replace(TASK, checks=Checks(required=(WANTED + "[1]",)))
    assert verdict(task).outcome is Outcome.FAILED


def test_a_required_test_that_the_base_does_not_have_is_a_slip_in_the_task():
    task = replace(TASK, checks=Checks(required=("tests/test_a.py::test_wnated",)))
    found = verdict(task)
    assert found.outcome is Outcome.UNVERIFIED
    assert found.reason.endswith("is not among the 2 tests of the base; did you mean tests/test_a.py::test_wanted?")


@pytest.mark.parametrize("broken", ["tests/test_a.py", "tests", "."])
def test_a_required_test_may_hide_in_a_file_that_the_base_cannot_collect(broken):
    base = Measurement("b", "base", tests={broken: ERROR})
    assert verdict(base=base, result=replace(RESULT, tests={WANTED: PASSED})).outcome is Outcome.PASSED


def test_the_message_of_a_failed_required_test_is_in_the_reason():
    broken = replace(result(wanted=FAILED), messages={WANTED: "a.py:3: in f\n    x\nE   assert 1 == 2\nE    +1"})
    assert verdict(result=broken).reason.endswith("test_wanted failed: assert 1 == 2")


def test_a_required_test_is_missed_with_the_error_of_its_file():
    broken = replace(
        without(RESULT, WANTED),
        tests={OTHER: PASSED, "tests/test_a.py": ERROR},
        messages={"tests/test_a.py": "E   ImportError: no name 'f'"},
    )
    assert "tests/test_a.py broke: ImportError: no name 'f'" in verdict(result=broken).reason


# ---------------------------------------------------------------- what must not break


@pytest.mark.parametrize("now", [FAILED, ERROR, SKIPPED, TestOutcome.XFAILED, None])
def test_a_test_that_passed_at_the_base_must_pass_now(now):
    after = without(RESULT, OTHER) if now is None else result(other=now)
    found = verdict(result=after)
    assert found.outcome is Outcome.FAILED
    assert named(found, "regression").outcome is Outcome.FAILED
    assert OTHER in found.reason


def test_a_test_that_failed_at_the_base_may_fail_now():
    base = replace(BASE, tests={WANTED: FAILED, OTHER: FAILED})
    assert verdict(base=base, result=result(other=FAILED)).outcome is Outcome.PASSED


def test_only_what_is_to_be_kept_counts_where_it_is_named():
    task = replace(TASK, checks=Checks(required=(WANTED,), keep=("tests/test_b.py",)))
    assert verdict(task, result=result(other=FAILED)).outcome is Outcome.PASSED
    for keep in (("tests",), ("tests/test_a.py",), (OTHER,)):
        kept = replace(TASK, checks=Checks(required=(WANTED,), keep=keep))
        assert verdict(kept, result=result(other=FAILED)).outcome is Outcome.FAILED


def test_a_test_that_is_flaky_at_the_base_is_named_and_does_not_fail_a_result():
    found = verdict(base=replace(BASE, flaky=(OTHER,)), result=result(other=FAILED))
    assert found.outcome is Outcome.PASSED
    assert OTHER in named(found, "flaky").evidence[1]
    assert found.confidence < verdict().confidence


def test_a_flaky_required_test_proves_nothing():
    found = verdict(base=replace(BASE, flaky=(WANTED,)))
    assert found.outcome is Outcome.UNVERIFIED
    assert "proves nothing" in found.reason


def test_a_test_that_disagrees_with_itself_on_the_result_alone_needs_a_person():
    found = verdict(result=result(other=FAILED), recheck=Recheck(flaky=(OTHER,)))
    assert found.outcome is Outcome.UNVERIFIED
    excused = Recheck(flaky=(OTHER,), flaky_at_base=(OTHER,))
    assert verdict(result=result(other=FAILED), recheck=excused).outcome is Outcome.PASSED


def test_a_vanished_test_that_did_not_pass_before_needs_a_person():
    gone = "tests/test_a.py::test_gone"
    found = verdict(base=replace(BASE, tests={**BASE.tests, gone: FAILED}))
    assert found.outcome is Outcome.UNVERIFIED
    assert gone in named(found, "collected").evidence[1]


def test_a_flaky_test_may_come_and_go():
    gone = "tests/test_a.py::test_at[12:30]"
    assert verdict(base=replace(BASE, tests={**BASE.tests, gone: FAILED}, flaky=(gone,))).outcome is Outcome.PASSED


def test_a_result_that_reports_no_test_at_all_fails():
    found = verdict(result=replace(RESULT, tests={}))
    assert found.outcome is Outcome.FAILED
    assert found.reason.startswith("no test was reported at all")


# ---------------------------------------------------------------- what cannot be told


def test_a_task_whose_tests_pass_already_is_reported_as_such():
    found = verdict(base=replace(BASE, tests={WANTED: PASSED, OTHER: PASSED}), patch=Patch("base", "base"))
    assert (found.outcome, found.already_passing) == (Outcome.UNVERIFIED, True)
    assert "at the base already" in found.reason


def test_a_required_test_that_passed_already_is_noted():
    task = replace(TASK, checks=Checks(required=(WANTED, OTHER)))
    assert OTHER in " ".join(named(verdict(task), "base").evidence)


def test_an_empty_patch_fails():
    found = verdict(patch=Patch("base", "base"), result=BASE)
    assert (found.outcome, found.reason) == (Outcome.FAILED, "the attempt changed nothing")


def test_a_patch_of_protected_files_alone_changed_nothing():
    found = verdict(tree="base", result=BASE, restored=("tests/test_a.py",))
    assert (found.outcome, found.reason) == (
        Outcome.FAILED,
        "the attempt changed nothing but protected files: tests/test_a.py",
    )


def test_a_patch_of_which_nothing_could_be_taken_says_why():
    patch = Patch("base", "base", refused=("pipe: a FIFO",))
    assert "pipe: a FIFO" in verdict(tree="base", patch=patch).reason


def test_a_task_without_checks_needs_a_person():
    found = verdict(replace(TASK, checks=Checks()), base=Measurement("b", "base"), result=None)
    assert found.outcome is Outcome.UNVERIFIED
    assert "no checks" in found.reason


def test_a_task_without_checks_needs_a_person_also_where_nothing_was_changed():
    found = verdict(replace(TASK, checks=Checks()), tree="base", base=Measurement("b", "base"), result=None)
    assert found.outcome is Outcome.UNVERIFIED
    assert "changed nothing" in found.reason


def test_a_failed_environment_makes_nothing_failed():
    found = verdict(result=None, environment=Environment("e", ok=False, reason="no such package"))
    assert found.outcome is Outcome.UNVERIFIED
    assert "no such package" in found.reason


def test_a_base_that_cannot_be_measured_makes_nothing_failed():
    found = verdict(base=Measurement("b", "base", problem="conftest.py breaks"), result=None)
    assert found.outcome is Outcome.UNVERIFIED
    assert "conftest.py breaks" in found.reason


def test_checks_that_could_not_run_make_nothing_failed():
    broken = Measurement("r", "tree", problem="bwrap: no space", ending=Ending.SANDBOX_FAILED)
    assert verdict(result=broken).outcome is Outcome.UNVERIFIED


def test_a_suite_that_cannot_be_collected_because_of_the_patch_fails():
    broken = Measurement("r", "tree", problem="SyntaxError in a.py")
    found = verdict(result=broken)
    assert found.outcome is Outcome.FAILED
    assert "SyntaxError in a.py" in found.reason


def test_a_suite_that_hangs_because_of_the_patch_fails():
    found = verdict(result=Measurement("r", "tree", problem="stopped after 600 s", ending=Ending.TIME_LIMIT))
    assert found.outcome is Outcome.FAILED
    assert "did not end within their limit" in found.reason


def test_a_suite_that_needed_most_of_its_limit_anyway_needs_a_person():
    slow = replace(BASE, wall_seconds=400.0)
    found = verdict(base=slow, result=Measurement("r", "tree", problem="stopped", ending=Ending.TIME_LIMIT))
    assert found.outcome is Outcome.UNVERIFIED


# ---------------------------------------------------------------- commands, evidence, confidence

BY_COMMAND = replace(TASK, checks=Checks(commands=(CommandCheck("make ok"),)))


def test_commands_alone_are_weak_evidence():
    base = Measurement("b", "base", commands={"make ok": FAILED})
    found = verdict(BY_COMMAND, base=base, result=Measurement("r", "tree", commands={"make ok": PASSED}))
    assert found.outcome is Outcome.PASSED
    assert named(found, "commands").weak
    assert found.confidence == 0.15
    again = verdict(BY_COMMAND, base=base, result=Measurement("r", "tree", commands={"make ok": FAILED}))
    assert again.outcome is Outcome.FAILED


def test_a_command_that_succeeds_at_the_base_proves_nothing():
    base = Measurement("b", "base", commands={"make ok": PASSED})
    assert verdict(BY_COMMAND, base=base).already_passing


def test_what_was_put_back_and_left_out_is_evidence():
    found = verdict(patch=replace(PATCH, refused=("pipe: a FIFO",)), restored=("tests/conftest.py",))
    assert "tests/conftest.py" in named(found, "protected").evidence[0]
    assert "a FIFO" in named(found, "protected").evidence[1]


def test_confidence_counts_kinds_of_evidence():
    hidden = replace(TASK, checks=replace(TASK.checks, hidden=(HiddenFile("tests/test_b.py", b""),)))
    assert verdict(hidden).confidence > verdict().confidence > 0.4
    assert verdict(result=result(wanted=FAILED)).confidence == 0.7
    assert verdict(result=result(wanted=FAILED), recheck=Recheck(confirmed=(WANTED,))).confidence == 0.9


# ---------------------------------------------------------------- commands


LOSS = CommandCheck("train", reads=r"loss (\S+)", lower_by=0.5)


@pytest.mark.parametrize(
    ("before", "after", "outcome", "said"),
    [
        (2.0, 1.5, Outcome.PASSED, "`train` gave 1.5, 2 at the base"),
        (2.0, 1.6, Outcome.FAILED, "`train` gave 1.6, 2 at the base: it must be at least 0.5 lower"),
        (None, 1.0, Outcome.FAILED, "`train` gave 1, and the base gave no number to compare it with"),
    ],
)
def test_a_number_read_from_an_output_is_compared_with_the_base(before, after, outcome, said):
    numbers = {} if before is None else {LOSS.name: before}
    base = Measurement("b", "base", commands={LOSS.name: PASSED}, numbers=numbers)
    after_ = Measurement("r", "tree", commands={LOSS.name: PASSED}, numbers={LOSS.name: after})
    found = verdict(replace(TASK, checks=Checks(commands=(LOSS,))), base=base, result=after_)
    assert found.outcome is outcome
    assert said in named(found, "commands").evidence


# ---------------------------------------------------------------- hidden tests


HIDDEN = "tests/test_hidden.py::test_more"
WITH_HIDDEN = replace(TASK, checks=replace(TASK.checks, hidden=(HiddenFile("tests/test_hidden.py", b""),)))


@pytest.mark.parametrize(("outcome", "judged"), [(PASSED, Outcome.PASSED), (FAILED, Outcome.FAILED)])
def test_every_test_of_a_hidden_file_must_pass_also_where_it_failed_at_the_base(outcome, judged):
    base = replace(BASE, tests={**BASE.tests, HIDDEN: FAILED})
    found = verdict(WITH_HIDDEN, base=base, result=replace(RESULT, tests={**RESULT.tests, HIDDEN: outcome}))
    assert found.outcome is judged
    assert named(found, "hidden").outcome is judged


def test_of_a_hidden_file_of_which_a_task_names_tests_those_alone_must_pass():
    task = replace(WITH_HIDDEN, checks=replace(WITH_HIDDEN.checks, required=(WANTED, HIDDEN)))
    other = "tests/test_hidden.py::test_for_later"
    base = replace(BASE, tests={**BASE.tests, HIDDEN: FAILED, other: FAILED})
    after = replace(RESULT, tests={**RESULT.tests, HIDDEN: PASSED, other: FAILED})
    assert verdict(task, base=base, result=after).outcome is Outcome.PASSED


# ---------------------------------------------------------------- challenged


AGAIN = {WANTED: PASSED, OTHER: PASSED}


def challenge(**more):
    return Challenge("c", "tree", 1, **({"again": AGAIN} | more))


def challenged(*, second=None, control=None, **more):
    return verdict(doubts=Doubts(challenge(**more), second, control))


def canary(kind, outcome, of=""):
    return Canary(kind, "tests/test_words.py::test_it", of, outcome)


def test_a_result_that_passes_again_differently_stands():
    found = challenged()
    assert found.outcome is Outcome.PASSED
    assert named(found, "re-run").outcome is Outcome.PASSED


def test_a_challenge_that_could_not_be_made_is_no_pass():
    found = challenged(again={}, problem="the walls could not be put up")
    assert found.outcome is Outcome.UNVERIFIED
    assert "the walls could not be put up" in found.reason


@pytest.mark.parametrize("outcome", [{WANTED: FAILED}, {WANTED: SKIPPED}, {}])
def test_what_passes_once_and_fails_twice_when_run_differently_has_failed(outcome):
    again = {OTHER: PASSED, **outcome}
    assert challenged(again=again, second=challenge()).outcome is Outcome.UNVERIFIED
    found = challenged(again=again, second=challenge(again=again))
    assert found.outcome is Outcome.FAILED
    assert WANTED in found.reason


def test_a_test_that_depends_on_its_order_at_the_base_too_is_excused():
    again = {WANTED: PASSED, OTHER: FAILED}
    found = challenged(again=again, second=challenge(again=again), control=challenge(again={OTHER: FAILED}))
    assert found.outcome is Outcome.PASSED
    assert OTHER in named(found, "re-run").evidence[1]
    held = challenged(again=again, second=challenge(again=again), control=challenge(again={OTHER: PASSED}))
    assert held.outcome is Outcome.FAILED


@pytest.mark.parametrize("kind", [CanaryKind.MUST_FAIL, CanaryKind.INVERTED])
@pytest.mark.parametrize("outcome", [PASSED, TestOutcome.XPASSED])
def test_what_must_fail_and_passes_shows_a_forgery(kind, outcome):
    found = challenged(canaries=(canary(CanaryKind.MUST_FAIL, FAILED), canary(kind, outcome, WANTED)))
    assert found.outcome is Outcome.FAILED
    assert "the outcomes are forged" in found.reason


@pytest.mark.parametrize("kind", [CanaryKind.MUST_PASS, CanaryKind.COPY])
@pytest.mark.parametrize("outcome", [FAILED, SKIPPED, None])
def test_what_must_pass_and_does_not_goes_to_a_person(kind, outcome):
    found = challenged(canaries=(canary(CanaryKind.MUST_FAIL, FAILED), canary(kind, outcome, WANTED)))
    assert found.outcome is Outcome.UNVERIFIED


def test_canaries_that_did_not_run_prove_nothing():
    assert challenged(canaries=(canary(CanaryKind.MUST_FAIL, None),)).outcome is Outcome.UNVERIFIED
    assert challenged(canaries=(canary(CanaryKind.MUST_FAIL, SKIPPED),)).outcome is Outcome.UNVERIFIED


def test_the_share_of_defects_that_the_checks_notice_is_shown_and_moves_the_confidence():
    strong = challenged(defects=tuple(Defect("a.py", line, "<", "<=", noticed=True) for line in range(8)))
    weak = challenged(defects=tuple(Defect("a.py", line, "<", "<=", noticed=line == 1) for line in range(8)))
    assert (strong.strength, weak.strength) == (Strength(8, 8), Strength(1, 8))
    assert strong.confidence > weak.confidence
    assert named(weak, "strength").weak
    assert not named(strong, "strength").weak
    assert "not noticed: a.py:0: '<' made '<='" in named(weak, "strength").evidence


def test_surplus_is_told_in_lines_and_kind_and_lowers_the_confidence():
    found = verdict(doubts=Doubts(challenge()), surplus=Surplus(1, {"code": 1}, ("notes.md",), "less"))
    assert found.needed_lines == 1
    assert named(found, "scope").evidence == (
        "1 changed line not needed by the checks: code 1",
        "nothing of these files is needed: notes.md",
    )
    whole = verdict(doubts=Doubts(challenge()), surplus=Surplus(0)).confidence
    assert found.confidence < whole
    comment = Surplus(9, {"comments and docstrings": 8, "formatting": 1}, (), "less")
    assert verdict(doubts=Doubts(challenge()), surplus=comment).confidence == whole


def test_what_reading_the_patch_found_counts_beside_what_was_measured():
    forged = CheckResult("integrity", Outcome.FAILED, ("a.py:3 replaces _pytest.runner",))
    assert verdict(read=(forged,)).reason == "a.py:3 replaces _pytest.runner"
    doubtful = CheckResult("contents", Outcome.UNVERIFIED, ("a binary file was added",))
    assert verdict(read=(doubtful,)).outcome is Outcome.UNVERIFIED


@given(st.dictionaries(st.sampled_from([WANTED, OTHER, "tests/test_a.py"]), st.sampled_from(list(TestOutcome))))
def test_nothing_passes_unless_every_required_test_is_reported_as_passed(tests):
    found = verdict(result=replace(RESULT, tests=tests))
    if found.outcome is Outcome.PASSED:
        assert tests[WANTED] in {PASSED, TestOutcome.XPASSED}
        assert tests[OTHER] in {PASSED, TestOutcome.XPASSED}


# ---------------------------------------------------------------- looking twice


class Answers:
    """Port Check from a script: what the suite and single tests give, in their order."""

    def __init__(self, **answers):
        self.answers = {name: list(given) for name, given in answers.items()}
        self.asked = []

    def measure(self, request):
        name = ("base_" if request.tree == request.base_tree else "") + ("alone" if request.only else "suite")
        self.asked.append(name)
        outcome, flaky = self.answers[name].pop(0), ()
        if outcome == "flaky":
            outcome, flaky = FAILED, (OTHER,)
        return Measurement("m", request.tree, tests={OTHER: outcome, WANTED: outcome}, flaky=flaky)


def looked_twice(after, *, request=None, **answers):
    from reeve.ports import CheckRequest
    from reeve.records import Limits

    check = Answers(**answers)
    request = request or CheckRequest("tree", "base", TASK.checks, ENVIRONMENT, Limits(), {})
    return recheck(check, TASK, request, BASE, after), check.asked


def test_a_result_without_failures_is_not_run_again():
    assert looked_twice(RESULT) == (Recheck(), [])


def test_a_required_test_that_fails_again_is_confirmed_at_once():
    assert looked_twice(result(wanted=FAILED), alone=[FAILED]) == (Recheck(confirmed=(WANTED,)), ["alone"])


def test_a_regression_is_confirmed_where_the_base_passes_alone():
    found, asked = looked_twice(result(other=FAILED), alone=[FAILED], base_alone=[PASSED])
    assert found == Recheck(confirmed=(OTHER,))
    assert asked == ["alone", "base_alone"]


def test_a_test_that_needs_others_before_it_is_judged_by_the_suite():
    after = result(other=FAILED)
    assert looked_twice(after, alone=[FAILED], base_alone=[FAILED], suite=[FAILED])[0] == Recheck(confirmed=(OTHER,))
    assert looked_twice(after, alone=[FAILED], base_alone=[FAILED], suite=[PASSED])[0] == Recheck(flaky=(OTHER,))


def test_a_test_that_passes_when_run_again_is_flaky():
    after = result(other=FAILED)
    assert looked_twice(after, alone=[PASSED], base_alone=[PASSED], suite=[PASSED])[0] == Recheck(flaky=(OTHER,))
    at_base = looked_twice(after, alone=[PASSED], base_alone=["flaky"], suite=[PASSED])[0]
    assert at_base == Recheck(flaky=(OTHER,), flaky_at_base=(OTHER,))


def test_many_failures_are_no_accident():
    names = [f"tests/test_a.py::test_{number}" for number in range(FEW + 1)]
    base = replace(BASE, tests=dict.fromkeys(names, PASSED))
    after = replace(RESULT, tests=dict.fromkeys(names, FAILED))
    assert len(suspects(TASK, base, after)) == FEW + 1
    assert recheck(Answers(), TASK, None, base, after) == Recheck()


# ---------------------------------------------------------------- protected paths


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_a.py", "tests/data/x.json", "pkg/tests/helper.py", "test_top.py", "pkg/a_test.py", "test/x",
        "conftest.py", "pkg/conftest.py", "pytest.ini", "tests/pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml",
        ".coveragerc", "sitecustomize.py", "src/usercustomize.py", "x.pth", "pkg/__pycache__/a.cpython-311.pyc",
        "requirements-dev.txt", "poetry.lock", ".github/workflows/ci.yml", "web/a.spec.ts", "noxfile.py",
    ],
)  # fmt: skip
def test_what_measures_a_result_is_protected(path):
    assert protected_changes(TASK, (Change(path, "modified"),)) == (path,)


@pytest.mark.parametrize(
    "path", ["pkg/core.py", "src/contest.py", "pkg/testing/tools.py", "latest.py", "docs/test.md", "pkg/pytest_like.py"]
)
def test_ordinary_code_is_not_protected(path):
    assert protected_changes(TASK, (Change(path, "modified"),)) == ()


def test_a_new_file_may_not_shadow_the_runner_but_the_runner_may_be_worked_on():
    for path in ("pytest.py", "src/_pytest/__init__.py", "pluggy.py"):
        assert protected_changes(TASK, (Change(path, "added"),)) == (path,)
    assert protected_changes(TASK, (Change("src/pluggy/__init__.py", "modified"),)) == ()


def test_files_of_required_ids_hidden_files_and_commands_are_protected():
    checks = Checks(
        required=("spec/checks_a.py::test_x",),
        hidden=(HiddenFile("hidden/x.py", b""),),
        test_patch="--- /dev/null\n+++ b/more/y.py\n",
        commands=(CommandCheck("make all && sh ci/run.sh"),),
    )
    task = replace(TASK, checks=checks, protected=("docs/*.md", "secret"))
    for path in ("spec/checks_a.py", "hidden/x.py", "more/y.py", "Makefile", "ci/run.sh", "docs/a.md", "a/secret/b"):
        assert protected_changes(task, (Change(path, "modified"),)) == (path,), path
    assert protected_changes(task, (Change("docs/a/b.md", "modified"),)) == ()


def test_the_report_of_another_runner_is_protected():
    task = replace(TASK, checks=Checks(runner=Runner.JUNIT, test_command="./t.sh", report="out/*.xml"))
    assert {"/out/*.xml", "out/*.xml"} & set(globs_of(task))
    assert protected_changes(task, (Change("out/a.xml", "added"), Change("t.sh", "modified"))) == ("out/a.xml", "t.sh")


def test_patterns_read_as_in_gitignore():
    assert matches("a/b/c.txt", "*.txt")
    assert matches("c.txt", "/*.txt")
    assert not matches("a/c.txt", "/*.txt")
    assert matches("a/x/y/z", "a/**/z")
    assert matches("a/z", "a/**/z")
    assert matches("a/b", "a/")
    assert not matches("ab", "a?b")
    assert matches("new\nline/tests/x", "**/tests/**")


class Objects:
    """The part of the object store that the examined tree needs."""

    def changes(self, base_tree, tree):
        return (Change("a.py", "modified"), Change("tests/test_a.py", "deleted"))

    def restore(self, tree, from_tree, globs):
        return f"{tree}+{','.join(globs)}", ()


def test_the_examined_tree_has_protected_paths_of_the_base():
    found = examined_tree(Objects(), TASK, "base", "tree")
    assert (found.tree, found.restored) == ("tree+/tests/test_a.py", ("tests/test_a.py",))
    assert examined_tree(Objects(), TASK, "base", "base").tree == "base"


# ---------------------------------------------------------------- minimising


@given(st.integers(1, 12), st.data())
def test_exactly_the_needed_pieces_stay(count, data):
    needed = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    asked = []

    def holds(pieces):
        asked.append(pieces)
        return needed <= set(pieces)

    assert set(minimise(range(count), holds, calls=1000)) == needed
    assert len(asked) == len(set(asked)) or count > 2


def test_a_patch_of_one_piece_costs_no_question():
    assert minimise(["a"], lambda _: pytest.fail("asked")) == ("a",)


@given(st.integers(0, 6))
def test_questions_are_bounded_and_the_result_holds(calls):
    asked = []
    found = minimise(range(20), lambda pieces: asked.append(pieces) or {3, 17} <= set(pieces), calls=calls)
    assert len(asked) <= calls
    assert {3, 17} <= set(found)
