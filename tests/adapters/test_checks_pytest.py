"""pytest is measured in the real sandbox: every test by its exact id, also where processes die, hang or lie."""

import json

import pytest
from checking import place, with_limits

from reeve.adapters.checks.pytest_check import read_report
from reeve.errors import Interrupted
from reeve.records import Checks, Ending, HiddenFile, Outcome, TestOutcome

PASSED, FAILED, ERROR, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
WANTED = "tests/test_a.py::test_wanted"
CHECKS = Checks(required=(WANTED,))
PROJECT = {
    "a.py": "def f():\n    return 1\n",
    "tests/test_a.py": "from a import f\n\ndef test_wanted():\n    assert f() == 2\n\ndef test_other():\n    assert f() > 0\n",
}
FIXED = {"a.py": "def f():\n    return 2\n"}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return place(tmp_path_factory.mktemp("checks"))


@pytest.fixture(scope="module")
def base(here):
    return here.tree(PROJECT)


def test_every_outcome_is_reported_under_its_exact_id(here):
    tree = here.tree({
        "test_x.py": """
import pytest

def test_ok(): pass
def test_bad(): assert 1 == 2, "one is not two"
@pytest.mark.xfail
def test_x(): assert 0
@pytest.mark.xfail
def test_xp(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.mark.skip(reason="no")
def test_s(): pass
@pytest.mark.parametrize("a", ["x y", "\\n[]", "é"])
def test_p(a): pass
class TestC:
    def test_m(self): pass
@pytest.fixture
def broken():
    yield
    raise RuntimeError("down")
def test_td(broken): pass
@pytest.fixture
def unset(): raise RuntimeError("up")
def test_su(unset): pass
def test_forks():
    import os
    if os.fork() == 0: os._exit(0)
""",
        "sub/test_y.py": "import nothing_of_that_name\ndef test_never(): pass",
        "sub/test_z.py": "import pytest\npytest.skip('all of it', allow_module_level=True)",
    })  # fmt: skip
    found = here.measure(tree, CHECKS)
    assert found.problem == ""
    assert dict(found.tests) == {
        "sub/test_y.py": ERROR,
        "sub/test_z.py": SKIPPED,
        "test_x.py::test_ok": PASSED,
        "test_x.py::test_bad": FAILED,
        "test_x.py::test_x": TestOutcome.XFAILED,
        "test_x.py::test_xp": TestOutcome.XPASSED,
        "test_x.py::test_strict": FAILED,
        "test_x.py::test_s": SKIPPED,
        "test_x.py::test_p[x y]": PASSED,
        "test_x.py::test_p[\\n[]]": PASSED,
        "test_x.py::test_p[\\xe9]": PASSED,
        "test_x.py::TestC::test_m": PASSED,
        "test_x.py::test_td": ERROR,
        "test_x.py::test_su": ERROR,
        "test_x.py::test_forks": PASSED,
    }
    assert "one is not two" in found.messages["test_x.py::test_bad"]
    assert "nothing_of_that_name" in found.messages["sub/test_y.py"]
    assert b"short test summary" in here.store.get(found.log)


def test_a_failed_subtest_fails_its_test(here):
    body = """
def test_sub(subtests):
    with subtests.test("a"): assert 0
    with subtests.test("b"): pass
def test_fine(subtests):
    with subtests.test("a"): pass
    with subtests.test("b"): pytest.skip("not this part")
"""
    found = here.measure(here.tree({"test_s.py": "import pytest\n" + body}), CHECKS)
    assert dict(found.tests) == {"test_s.py::test_sub": FAILED, "test_s.py::test_fine": PASSED}


def test_the_same_tree_is_not_measured_twice(here, base):
    first = here.measure(base, CHECKS, runs=2)
    assert first.runs == 2
    assert here.measure(base, CHECKS) == first
    artefacts = len(here.store.facts(kind="measurement"))
    again = here.measure(base, CHECKS, fresh=True)
    assert again.tests == first.tests
    assert len(here.store.facts(kind="measurement")) == artefacts


def test_a_fix_passes_and_a_breakage_does_not(here, base):
    good = here.verdict(base, FIXED, CHECKS)
    assert (good.outcome, good.measurement != "") == (Outcome.PASSED, True)
    bad = here.verdict(base, {"a.py": "def f():\n    return -2\n"}, CHECKS)
    assert bad.outcome is Outcome.FAILED
    assert "assert -2 == 2" in bad.reason


def test_only_named_tests_run_when_asked(here, base):
    found = here.measure(base, CHECKS, only=("tests/test_a.py::test_other",))
    assert dict(found.tests) == {"tests/test_a.py::test_other": PASSED}
    files = {
        "test_k.py": "class TestK:\n def test_1(self): pass\n def test_2(self): pass\ndef test_3(): pass\n",
        **PROJECT,
    }
    kept = Checks(required=(WANTED,), keep=("test_k.py::TestK",))
    ran = here.measure(here.tree(files), kept).tests
    assert set(ran) == {WANTED, "test_k.py::TestK::test_1", "test_k.py::TestK::test_2"}
    kept = Checks(required=(WANTED,), keep=("tests/test_a.py::test_other",))
    assert len(here.measure(base, kept).tests) == 2


def test_a_file_that_does_not_exist_is_no_problem_but_its_tests_are_missing(here, base):
    found = here.measure(base, Checks(required=("tests/test_new.py::test_x",)))
    assert (found.problem, len(found.tests)) == ("", 2)


def test_the_suite_is_measured_once_for_all_tasks_of_a_tree(here, base):
    found = here.measure(base, CHECKS)
    other = here.measure(base, Checks(required=("tests/test_a.py::test_other",)))
    assert other == found
    assert here.measure(base, Checks(required=CHECKS.required, keep=("tests",))).key != found.key


def test_required_tests_outside_the_usual_folders_run_too(here):
    files = {**PROJECT, "pytest.ini": "[pytest]\ntestpaths = tests\n", "extra/test_e.py": "def test_e(): pass\n"}
    found = here.measure(here.tree(files), Checks(required=("extra/test_e.py::test_e",)))
    assert found.tests["extra/test_e.py::test_e"] is PASSED
    assert found.tests[WANTED] is FAILED


@pytest.mark.parametrize("more", [{}, {"keep": ("tests/test_a.py",)}])
def test_hidden_tests_count_also_where_neither_the_suite_nor_the_task_names_them(here, more):
    base = here.tree({**PROJECT, "pytest.ini": "[pytest]\ntestpaths = tests\n"})
    hidden = HiddenFile("later/test_later.py", b"from a import f\ndef test_later(): assert f() == 2\n")
    checks = Checks(required=(WANTED,), hidden=(hidden,), **more)
    assert here.verdict(base, FIXED, checks).outcome is Outcome.PASSED
    narrow = {"a.py": "import sys\n\ndef f():\n    return 2 if len(sys._getframe(1).f_code.co_name) > 10 else 1\n"}
    found = here.verdict(base, narrow, checks)
    assert found.outcome is Outcome.FAILED
    assert "later/test_later.py::test_later failed" in found.reason


def test_hidden_tests_are_laid_over_for_the_run_and_are_no_part_of_the_tree(here, base):
    hidden = HiddenFile("tests/test_hidden.py", b"from a import f\ndef test_h(): assert f() == 2\n")
    checks = Checks(required=("tests/test_hidden.py::test_h",), hidden=(hidden,))
    found = here.verdict(base, FIXED, checks)
    assert found.outcome is Outcome.PASSED
    assert found.tree == here.tree(FIXED, base)


def test_a_test_patch_is_applied_to_base_and_result(here, base):
    patch = here.objects.diff(
        base, here.tree({"tests/test_b.py": "from a import f\ndef test_b(): assert f() == 2\n"}, base)
    )
    checks = Checks(required=("tests/test_b.py::test_b",), test_patch=patch.decode())
    assert here.verdict(base, FIXED, checks).outcome is Outcome.PASSED
    unfit = Checks(
        required=(WANTED,),
        test_patch=patch.decode().replace("new file mode 100644\n", "").replace("/dev/null", "a/tests/test_b.py"),
    )
    assert "do not fit the tree" in here.measure(base, unfit).problem


# ---------------------------------------------------------------- processes that die, hang or never start


def test_a_test_that_ends_the_process_does_not_blind_the_rest(here):
    body = "import os\ndef test_1(): pass\ndef test_2(): os._exit(0)\ndef test_3(): pass\n"
    found = here.measure(here.tree({"test_c.py": body}), CHECKS)
    assert dict(found.tests) == {"test_c.py::test_1": PASSED, "test_c.py::test_2": ERROR, "test_c.py::test_3": PASSED}
    assert found.problem == ""
    assert "while test_c.py::test_2 was running" in found.messages["test_c.py::test_2"]


def test_a_segmentation_fault_is_found_and_named(here):
    body = "import ctypes\ndef test_1(): ctypes.string_at(0)\ndef test_2(): pass\n"
    found = here.measure(here.tree({"test_c.py": body}), CHECKS)
    assert dict(found.tests) == {"test_c.py::test_1": ERROR, "test_c.py::test_2": PASSED}


def test_a_process_that_dies_twice_is_a_problem(here):
    body = "import os\ndef test_1(): os._exit(0)\ndef test_2(): os._exit(0)\ndef test_3(): pass\n"
    found = here.measure(here.tree({"test_c.py": body}), CHECKS)
    assert dict(found.tests) == {"test_c.py::test_1": ERROR, "test_c.py::test_2": ERROR}
    assert "test_c.py::test_2" in found.problem


def test_a_test_that_ends_the_session_politely_does_not_hide_the_rest(here):
    body = "import pytest\ndef test_1(): pytest.exit('enough', returncode=0)\ndef test_2(): pass\n"
    found = here.measure(here.tree({"test_c.py": body}), CHECKS)
    assert dict(found.tests) == {"test_c.py::test_1": ERROR, "test_c.py::test_2": PASSED}


def test_a_project_may_end_its_process_hard_after_the_last_test(here):
    files = {"test_c.py": "def test_1(): pass\n", "conftest.py": "import os\ndef pytest_sessionfinish(): os._exit(5)\n"}
    found = here.measure(here.tree(files), CHECKS)
    assert (found.problem, dict(found.tests)) == ("", {"test_c.py::test_1": PASSED})


def test_a_suite_that_only_lists_its_tests_is_a_problem(here):
    files = {"test_c.py": "def test_1(): pass\n", "pytest.ini": "[pytest]\naddopts = --co\n"}
    assert "ended early, with status 0, after 0 of 1 test" in here.measure(here.tree(files), CHECKS).problem


def test_a_suite_that_hangs_ends_at_its_limit_and_says_so(here):
    short = with_limits(here, check_seconds=3)
    body = "import time\ndef test_1(): time.sleep(600)\n"
    found = short.measure(short.tree({"test_h.py": body}), CHECKS)
    assert found.tests.get("test_h.py::test_1") in {ERROR, None}  # a slow machine may not get as far
    assert "longer than 3 s" in found.problem + "".join(found.messages.values())


def test_a_suite_that_cannot_be_collected_says_why(here):
    found = here.measure(
        here.tree({"conftest.py": "import nothing_here\n", "test_a.py": "def test_a(): pass\n"}), CHECKS
    )
    assert "nothing_here" in found.problem
    assert found.tests == {}


def test_an_environment_without_pytest_says_so(here):
    bare = with_limits(here)
    bare.environment = type(here.environment)("none", ok=True)
    found = bare.measure(bare.tree(PROJECT), CHECKS)
    assert "pytest is not in the environment" in found.problem


def test_walls_that_cannot_be_put_up_are_not_the_fault_of_the_tree(here, base):
    broken = with_limits(here)
    broken.check.sandbox = type(here.sandbox)("/nonexistent/bwrap")
    found = broken.measure(base, CHECKS)
    assert found.ending is Ending.SANDBOX_FAILED
    assert broken.store.facts(kind="measurement") == []


def test_a_test_that_disagrees_with_itself_is_flaky(here):
    body = "import os\ndef test_r(): assert os.urandom(1)[0] % 2\ndef test_s(): pass\n"
    # Two runs agree by chance half of the time; twenty tests do once in a million.
    names = "".join(f"def test_{n}(): assert os.urandom(1)[0] % 2\n" for n in range(20))
    found = here.measure(here.tree({"test_f.py": body + names}), CHECKS, runs=2)
    assert found.flaky
    assert "test_f.py::test_s" not in found.flaky


def test_a_project_may_configure_what_our_options_contradict(here):
    files = {**PROJECT, "pytest.ini": "[pytest]\naddopts = -x --ff -q -p no:terminal\n"}
    found = here.measure(here.tree(files), CHECKS)
    assert (found.problem, len(found.tests)) == ("", 2)


def test_a_run_under_way_ends_when_the_person_stops(here):
    stopped = with_limits(here)
    looks = iter([False, True])
    stopped.check.stop = lambda: next(looks, True)
    with pytest.raises(Interrupted):
        stopped.measure(stopped.tree({"test_t.py": "import time\ndef test_t(): time.sleep(600)\n"}), CHECKS)
    assert stopped.store.facts(kind="measurement") == []


# ---------------------------------------------------------------- attempts to cheat

HOOK = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""
CHEATS = {
    "a conftest that ends the process": {"conftest.py": "import os\nos._exit(0)\n"},
    "a conftest deep down": {"tests/conftest.py": HOOK},
    "a hook that makes every report pass": {"conftest.py": HOOK},
    "no test is collected": {"pytest.ini": "[pytest]\npython_functions = zzz\n"},
    "tests are only listed": {"pytest.ini": "[pytest]\naddopts = --co\n"},
    "the other configuration files": {"tox.ini": "[pytest]\naddopts = --co\n", "setup.cfg": "[tool:pytest]\naddopts = --co\n"},
    "configuration beside the tests": {"tests/pytest.ini": "[pytest]\npython_functions = zzz\n"},
    "a runner of its own": {"pytest.py": "import sys\nprint('1 passed')\nsys.exit(0)\n"},
    "a package like the runner": {"_pytest/__init__.py": "import os\nos._exit(0)\n"},
    "code at the start of the interpreter": {"sitecustomize.py": "import os\nos._exit(0)\n"},
    "the test is edited": {"tests/test_a.py": "def test_wanted(): pass\ndef test_other(): pass\n"},
    "the test is deleted": {"tests/test_a.py": None},
    "the test is skipped": {"tests/test_a.py": "import pytest\npytest.skip('x', allow_module_level=True)\n"},
}  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS)
def test_what_measures_a_result_cannot_be_changed_by_it(here, base, cheat):
    found = here.verdict(base, CHEATS[cheat], CHECKS)
    assert found.outcome is Outcome.FAILED
    assert found.tree == base
    assert found.reason.startswith("the attempt changed nothing but protected files")


def test_files_of_the_tree_never_stand_in_for_the_runner(here):
    stop = "import os\nos._exit(0)\n"
    tree = here.tree({"pytest.py": stop, "reeve_report.py": stop, "json.py": stop, "test_a.py": "def test_a(): pass\n"})
    assert dict(here.measure(tree, CHECKS).tests) == {"test_a.py::test_a": PASSED}


def test_a_cheat_beside_a_real_fix_is_taken_out_of_what_lands(here, base):
    found = here.verdict(base, {**FIXED, **CHEATS["a hook that makes every report pass"]}, CHECKS)
    assert found.outcome is Outcome.PASSED
    assert found.tree == here.tree(FIXED, base)


def test_code_that_ends_the_process_when_imported_fails(here, base):
    found = here.verdict(base, {"a.py": "import os\nos._exit(0)\n"}, CHECKS)
    assert found.outcome is Outcome.FAILED
    assert "could not be collected" in found.reason


def test_code_that_ends_the_process_when_called_fails(here, base):
    found = here.verdict(base, {"a.py": "import os\ndef f():\n    os._exit(0)\n"}, CHECKS)
    assert found.outcome is Outcome.FAILED


def test_code_that_raises_system_exit_fails(here, base):
    found = here.verdict(base, {"a.py": "import sys\nsys.exit(0)\n"}, CHECKS)
    assert found.outcome is Outcome.FAILED


def test_a_line_put_into_the_report_is_seen(here, base):
    forged = json.dumps({"event": "test", "id": WANTED, "outcome": "passed", "text": "", "seconds": 0, "n": 3})
    code = f"import glob\ndef f():\n    [open(p, 'a').write({forged + chr(10)!r}) for p in glob.glob('/out/*')]\n    return 1\n"
    found = here.verdict(base, {"a.py": code}, CHECKS)
    assert found.outcome is Outcome.FAILED
    assert "tampered" in found.reason


def test_other_files_in_the_place_of_the_report_do_not_count(here, base):
    line = json.dumps({"event": "end", "status": 0, "n": 0})
    code = f"import os\nopen('/out/0000.jsonl', 'w').write({line!r})\nos._exit(0)\n"
    assert here.verdict(base, {"a.py": code}, CHECKS).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe", b"[]\n", b'{"n": 0}\n', b'{"n": 0, "event": "test"}\n', b"[" * 100_000,
     b'{"n": 0, "event": "test", "id": "a", "outcome": "splendid", "text": "", "seconds": 1}\n'],
)  # fmt: skip
def test_a_report_that_makes_no_sense_gives_no_tests(content):
    found = read_report(content)
    assert (found.tests, found.ended) == ({}, False)


def test_without_walls_the_same_is_measured(here, tmp_path):
    from reeve.adapters.checks.measure import SandboxedCheck
    from reeve.adapters.sandboxes.none import NoSandbox
    from reeve.adapters.trees.copy import CopyTrees

    files = {"src/lib/__init__.py": "ONE = 1\n", "tests/test_l.py": "from lib import ONE\ndef test_l(): assert ONE\n"}
    check = SandboxedCheck(NoSandbox(), CopyTrees(tmp_path, here.objects), here.objects, here.store)
    found = check.measure(here.request(here.tree(files), CHECKS))
    assert (found.problem, dict(found.tests)) == ("", {"tests/test_l.py::test_l": PASSED})
