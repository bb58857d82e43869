"""A result is doubted in the real sandbox: what honest code does is the same again, and what is forged shows."""

import hashlib
import json
from dataclasses import replace

import pytest
from checking import place, with_limits

from reeve.adapters.checks.challenge import SandboxedChallenger, read_report, same_names
from reeve.adapters.checks.examiner.order import arrange, file_of, named_by
from reeve.adapters.checks.examiner.told import Told
from reeve.adapters.checks.fake import FakeChallenger
from reeve.adapters.checks.pytest_plugin.reeve_report import named_by as named_by_plugin
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.adapters.trees.copy import CopyTrees
from reeve.errors import Interrupted
from reeve.ports import ChallengeRequest
from reeve.records import CanaryKind, Challenge, Checks, HiddenFile, Runner, TestOutcome

PASSED, FAILED, ERROR, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED
XFAILED, XPASSED = TestOutcome.XFAILED, TestOutcome.XPASSED
MUST_FAIL, INVERTED = CanaryKind.MUST_FAIL, CanaryKind.INVERTED
MUST_PASS, COPY = CanaryKind.MUST_PASS, CanaryKind.COPY
WANTED = "tests/test_a.py::test_wanted"
CHECKS = Checks(required=(WANTED,))
PLAIN = pytest.mark.parametrize("plain", [False, True], ids=["usual", "plain"])
"""Whether pytest leaves assertions as they are."""
PROJECT = {
    "a.py": "def f():\n    return 2\n",
    "tests/test_a.py": (
        "import unittest\nfrom a import f\n\n"
        "def test_wanted():\n    assert f() == 2\n\n"
        "def test_other():\n    assert f() > 0\n\n"
        "class TestCases(unittest.TestCase):\n    def test_case(self):\n        self.assertEqual(f(), 2)\n"
    ),
    "tests/test_b.py": "from a import f\n\ndef test_again():\n    assert [f(), f()] == [2, 2]\n",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return place(tmp_path_factory.mktemp("challenge"))


def challenger(at) -> SandboxedChallenger:
    return SandboxedChallenger(at.sandbox, at.trees, at.objects, at.store, programs=at.folder / "programs")


def challenge(at, files: dict[str, str], checks: Checks = CHECKS, tests=None, env=None, **more) -> Challenge:
    """Challenge a tree; `tests` are what was measured, and are measured if they are not given."""
    tree = at.tree(files)
    tests = at.measure(tree, checks).tests if tests is None else tests
    request = at.request(tree, checks, fresh=True, env=env or {})
    return challenger(at).challenge(ChallengeRequest(request, tests, **more))


def is_as_it_must_be(found: Challenge) -> bool:
    """Say that every canary did what it must, and that there was one of each kind that must fail."""
    good = {COPY, MUST_PASS}
    kinds = {one.kind for one in found.canaries}
    return MUST_FAIL in kinds and all((one.outcome is PASSED) == (one.kind in good) for one in found.canaries)


# ---------------------------------------------------------------- honest results


@pytest.mark.parametrize("seed", range(3))
@PLAIN
def test_an_honest_result_is_the_same_again_and_its_canaries_are_as_they_must(here, seed, plain):
    found = challenge(here, PROJECT, seed=seed, plain_asserts=plain)
    assert (found.problem, found.seed) == ("", seed)
    assert dict(found.again) == dict(here.measure(here.tree(PROJECT), CHECKS).tests)
    assert is_as_it_must_be(found)
    assert {one.kind for one in found.canaries} == {MUST_FAIL, INVERTED, MUST_PASS, COPY}
    assert WANTED in {one.of for one in found.canaries}
    assert found.cpu_seconds > 0


EVERYTHING = {
    "conftest.py": """
import pytest
@pytest.fixture(scope="session")
def once():
    yield []
@pytest.fixture(scope="module")
def per_module(once):
    once.append(1)
    yield once
@pytest.fixture(scope="session", params=["x", "y"])
def costly(request):
    return request.param
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "rep_" + call.when, outcome.get_result())
@pytest.fixture
def looks_back(request):
    yield
    assert request.node.rep_call.passed
""",
    "test_x.py": """
import os, threading, unittest, warnings
import pytest

def test_ok(): pass
def test_bad(): assert 1 == 2
@pytest.mark.xfail
def test_x(): assert 0
@pytest.mark.xfail
def test_xp(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.mark.xfail(raises=KeyError)
def test_other_error(): raise ValueError
def test_x_inside(): pytest.xfail("no")
@pytest.mark.skip(reason="no")
def test_s(): pass
def test_s_inside(): pytest.skip("no")
@pytest.mark.parametrize("a", ["x y", "\\n[]", "é"])
def test_p(a): pass
@pytest.mark.parametrize("b", [1, 2])
def test_costly(costly, b): pass
class TestC:
    @pytest.fixture(autouse=True, scope="class")
    def per_class(self): yield
    def test_m(self, per_module): assert per_module
    def test_tmp(self, tmp_path, capsys, caplog, monkeypatch, looks_back):
        (tmp_path / "f").write_text("x")
        print("hello")
        assert capsys.readouterr().out == "hello\\n"
@pytest.fixture
def broken():
    yield
    raise RuntimeError("down")
def test_td(broken): pass
@pytest.fixture
def unset(): raise RuntimeError("up")
def test_su(unset): pass
def test_thread(): threading.Thread(target=threading.Event().wait, daemon=True).start()
def test_forks():
    if os.fork() == 0: os._exit(0)
def test_forks_and_stays():
    os.fork()
def test_writes():
    with open("test_x.py", "a") as file: file.write("# more\\n")
@pytest.mark.filterwarnings("error")
def test_warns():
    with pytest.raises(UserWarning): warnings.warn("x")
class TestU(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.made = 1
    def setUp(self): self.own = self.made
    def test_u(self): self.assertEqual(self.own, 1)
    def test_u_bad(self): self.fail()
    def test_u_skip(self): self.skipTest("no")
    @unittest.expectedFailure
    def test_u_x(self): self.fail()
    @unittest.expectedFailure
    def test_u_xp(self): pass
    def test_u_broken(self): self.addCleanup(lambda: 1 / 0)
class TestSkips(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("no")
    def test_never(self): pass
""",
    "sub/test_y.py": "import nothing_of_that_name\ndef test_never(): pass",
    "sub/test_z.py": "import pytest\npytest.skip('all of it', allow_module_level=True)",
}


@PLAIN
def test_every_outcome_is_the_same_in_a_run_that_has_nothing_from_pytests_own(here, plain):
    tree = here.tree(EVERYTHING)
    measured = here.measure(tree, CHECKS)
    found = challenge(here, EVERYTHING, tests=measured.tests, seed=4, plain_asserts=plain)
    assert found.problem == ""
    assert dict(found.again) == dict(measured.tests)
    assert {*measured.tests.values()} == {PASSED, FAILED, ERROR, SKIPPED, XFAILED, XPASSED}


def test_the_order_is_another_one_and_a_control_run_keeps_it(here):
    body = "".join(f"def test_{n}(): pass\n" for n in range(30))
    files = {f"test_{name}.py": body for name in "abcdef"}
    tests = dict.fromkeys([f"test_{name}.py::test_{n}" for name in "abcdef" for n in range(30)], PASSED)
    first = list(challenge(here, files, tests=tests, seed=1).again)
    control = list(challenge(here, files, tests=tests, seed=1, canaries=False).again)
    other = list(challenge(here, files, tests=tests, seed=2, canaries=False).again)
    assert sorted(first) == sorted(tests)
    assert first == control
    assert list(tests) != first != other
    of_one_file = [name for name in first if name.startswith("test_a.py")]
    assert of_one_file != [name for name in tests if name.startswith("test_a.py")]


def test_a_test_that_needs_another_one_before_it_shows(here):
    files = {
        "test_o.py": "x = []\n"
        + "".join(f"def test_{n}():\n    x.append(1)\n    assert len(x) == {n + 1}\n" for n in range(6))
    }
    measured = here.measure(here.tree(files), CHECKS).tests
    assert set(measured.values()) == {PASSED}
    found = challenge(here, files, tests=measured, seed=1)
    assert FAILED in found.again.values()
    # A test that does not hold by itself is no measure for a copy of it.
    assert {one.of for one in found.canaries if one.kind is INVERTED} <= {"test_o.py::test_0"}


def test_tests_in_a_process_with_threads_run_where_the_threads_are(here):
    files = {
        "a.py": "import threading, queue\nasked, told = queue.Queue(), queue.Queue()\n"
        "def work():\n    while True: told.put(asked.get() + 1)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "def f():\n    asked.put(1)\n    return told.get(timeout=1)\n",
        "test_a.py": "from a import f\ndef test_wanted(): assert f() == 2\ndef test_other(): assert f() > 0\n",
    }
    found = challenge(here, files, Checks(required=("test_a.py::test_wanted",)), seed=1)
    assert (found.problem, set(found.again.values())) == ("", {PASSED})
    assert is_as_it_must_be(replace(found, canaries=tuple(one for one in found.canaries if one.kind is not COPY)))


def test_ids_that_are_others_in_every_run_are_compared_by_their_function(here):
    body = "import os, pytest\n@pytest.mark.parametrize('a', [os.urandom(8).hex(), 'same'])\ndef test_r(a): pass\n"
    found = challenge(here, {"test_r.py": body}, seed=1)
    assert dict(found.again) == dict(here.measure(here.tree({"test_r.py": body}), CHECKS).tests)
    before = {"f::t[1]": PASSED, "f::t[2]": PASSED, "f::u[1]": PASSED}
    assert same_names(before, {"f::t[3]": PASSED, "f::t[4]": FAILED}) == {"f::t[1]": FAILED, "f::t[2]": FAILED}
    assert same_names(before, {"f::t[3]": PASSED, "f::u[1]": PASSED}) == {"f::t[3]": PASSED, "f::u[1]": PASSED}


def test_a_seed_that_the_project_chose_holds_in_every_process(here):
    files = {
        "test_r.py": "import random\nrandom.seed(5)\ndef test_r(): assert random.random() == random.Random(5).random()\n"
    }
    found = challenge(here, files, Checks(required=("test_r.py::test_r",)), seed=1, canaries=False)
    assert dict(found.again) == {"test_r.py::test_r": PASSED}


def test_only_what_the_task_keeps_is_run_and_what_it_requires_beside(here):
    files = {**PROJECT, "test_c.py": "def test_1(): pass\ndef test_2(): assert 0\n"}
    checks = Checks(required=(WANTED,), keep=("test_c.py::test_1", "tests/test_b.py"))
    found = challenge(here, files, checks, seed=1)
    assert set(found.again) == {WANTED, "test_c.py::test_1", "tests/test_b.py::test_again"}
    assert is_as_it_must_be(found)


def test_required_and_hidden_tests_outside_the_usual_folders_run_again_too(here):
    files = {
        **PROJECT,
        "pytest.ini": "[pytest]\ntestpaths = tests\n",
        "extra/test_e.py": "def test_e():\n    assert 1 == 1\n",
    }
    hidden = (HiddenFile("more/test_h.py", b"from a import f\ndef test_h():\n    assert f() == 2\n"),)
    checks = Checks(required=("extra/test_e.py::test_e", "more/test_h.py::test_h"), hidden=hidden)
    found = challenge(here, files, checks, seed=1)
    assert found.problem == ""
    assert {"extra/test_e.py::test_e", "more/test_h.py::test_h", WANTED} <= set(found.again)
    assert is_as_it_must_be(found)


def test_files_that_a_project_names_in_its_own_way_get_company(here):
    files = {
        "pytest.ini": "[pytest]\npython_files = tests.py\n",
        "pkg/tests.py": PROJECT["tests/test_a.py"],
        "a.py": PROJECT["a.py"],
    }
    found = challenge(here, files, Checks(required=("pkg/tests.py::test_wanted",)), seed=1)
    assert is_as_it_must_be(found)
    assert {one.kind for one in found.canaries} == {MUST_FAIL, INVERTED, MUST_PASS, COPY}


def test_another_runner_is_run_once_more(here):
    report = '<testsuite><testcase classname="c" name="t"/></testsuite>'
    checks = Checks(required=("c::t",), runner=Runner.JUNIT, test_command=f"echo '{report}' > r.xml", report="r.xml")
    found = challenge(here, PROJECT, checks, tests={"c::t": PASSED})
    assert (dict(found.again), found.canaries, found.problem) == ({"c::t": PASSED}, (), "")


# ---------------------------------------------------------------- forged results

GET_HOLD = "import gc, sys, types\nimport _pytest.python, _pytest.runner, _pytest.reports, unittest\n"
WRONG = "def f():\n    return 1\n"
CHEATS = {
    "reports that are made to pass": (
        GET_HOLD
        + """
make = _pytest.reports.TestReport.from_item_and_call.__func__
def forged(cls, item, call):
    report = make(cls, item, call)
    report.outcome, report.longrepr = "passed", None
    return report
_pytest.reports.TestReport.from_item_and_call = classmethod(forged)
""",
        {"re-run"},
    ),
    "a plugin that makes reports pass": (
        GET_HOLD
        + """
import pytest
class Plugin:
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        outcome.get_result().outcome = "passed"
for one in gc.get_objects():
    if type(one).__name__ == "PytestPluginManager":
        one.register(Plugin())
""",
        {"re-run"},
    ),
    "a plugin that swallows what tests raise": (
        GET_HOLD
        + """
import pytest
class Plugin:
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        outcome = yield
        outcome.force_result(None)
for one in gc.get_objects():
    if type(one).__name__ == "PytestPluginManager":
        one.register(Plugin())
""",
        {"must-fail", "inverted"},
    ),
    "test functions whose code is exchanged": (
        GET_HOLD
        + """
def nothing(): pass
setup = _pytest.python.Function.setup
def exchanging(self):
    setup(self)
    for one in gc.get_objects():
        if isinstance(one, types.FunctionType) and one.__name__.startswith("test_") and not one.__closure__:
            if one.__code__.co_argcount == 0:
                one.__code__ = nothing.__code__
_pytest.python.Function.setup = exchanging
""",
        {"must-fail", "inverted"},
    ),
    "assertions that never escape": (
        GET_HOLD
        + """
run = _pytest.python.Function.runtest
def quiet(self):
    try: run(self)
    except AssertionError: pass
_pytest.python.Function.runtest = quiet
""",
        {"must-fail", "inverted"},
    ),
    "one test alone that is not run": (
        GET_HOLD
        + """
run = _pytest.python.Function.runtest
def quiet(self):
    if self.nodeid != "tests/test_a.py::test_wanted": run(self)
_pytest.python.Function.runtest = quiet
""",
        {"copy"},
    ),
    "an object that equals everything": (
        """
class Same(int):
    def __eq__(self, other): return True
    __hash__ = None
def f():
    return Same(1)
""",
        {"inverted"},
    ),
    "what the caller expects, read from its code": (
        """
import sys
def f():
    code = sys._getframe(1).f_code
    return next((one for one in code.co_consts if type(one) is int), 1)
""",
        {"inverted"},
    ),
    "a tracer that gives the tests another function": (
        WRONG
        + """
import sys
def expects(code): return next((one for one in code.co_consts if type(one) is int and one > 1), 1)
def tracer(frame, event, arg):
    if event == "call" and frame.f_code.co_name.startswith("test_") and "f" in frame.f_globals:
        frame.f_globals["f"] = lambda: expects(frame.f_code)
sys.settrace(tracer)
""",
        {"inverted"},
    ),
    "phases that are never run": (
        GET_HOLD
        + """
call = _pytest.runner.CallInfo.from_call.__func__
def idle(cls, func, when, reraise=None): return call(cls, lambda: None, when, reraise)
_pytest.runner.CallInfo.from_call = classmethod(idle)
""",
        {"re-run"},
    ),
    "a status of 0 at the import": ("import os\nos._exit(0)\n", {"problem"}),
    "a status of 0 at the call": ("import os\ndef f(): os._exit(0)\n", {"re-run"}),
    "lines in every pipe that is open": (
        r"""
import os
def f():
    lines = "".join(f"{g} {n} {p} passed\n" for g in range(9) for n in range(9) for p in range(9))
    for number in range(3, 64):
        try: os.write(number, lines.encode()[:4000])
        except OSError: pass
    os._exit(0)
""",
        {"problem"},
    ),
    "a report of one's own": (
        WRONG
        + """
import os
for name in ("report", "plan", *os.listdir("/out")):
    open("/out/" + name, "w").write('{"outcomes": {"tests/test_a.py::test_wanted": "passed"}}')
""",
        {"re-run"},
    ),
    "the examiner is ended": (
        """
import os, signal
def f():
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()): os.kill(int(name), signal.SIGKILL)
    return 1
""",
        {"problem"},
    ),
}  # fmt: skip


def evidence(found: Challenge) -> set[str]:
    """Name what speaks against a result that was measured as passed."""
    seen = {"re-run"} if found.again.get(WANTED) is not PASSED and found.again else set()
    seen |= {"problem"} if found.problem else set()
    for one in found.canaries:
        if (one.outcome is PASSED) != (one.kind in (COPY, MUST_PASS)):
            seen.add(str(one.kind))
    return seen


@pytest.mark.parametrize("cheat", CHEATS)
@PLAIN
def test_a_forged_result_shows(here, cheat, plain):
    forging, expected = CHEATS[cheat]
    source = forging if "def f" in forging else forging + WRONG
    tests = {WANTED: PASSED, "tests/test_a.py::test_other": PASSED, "tests/test_a.py::TestCases::test_case": PASSED}
    limited = with_limits(here, check_seconds=60)
    found = challenge(limited, {**PROJECT, "a.py": source}, tests=tests, seed=7, plain_asserts=plain)
    assert expected <= evidence(found)


MESSAGE = "import pytest\n\ndef test_wanted():\n    with pytest.raises(AssertionError, match='1 == 2'):\n        assert 1 == 2\n"


def test_an_assertion_that_is_left_as_it_is_has_no_message_of_pytest(here):
    files = {**PROJECT, "tests/test_a.py": MESSAGE}
    usual = challenge(here, files, tests={WANTED: PASSED}, seed=3)
    plain = challenge(here, files, tests={WANTED: PASSED}, seed=3, plain_asserts=True)
    assert (usual.again[WANTED], plain.again[WANTED]) == (PASSED, FAILED)


def test_where_python_leaves_assertions_out_it_is_pytest_that_makes_them_hold(here):
    found = challenge(here, PROJECT, seed=3, plain_asserts=True, env={"PYTHONOPTIMIZE": "1"})
    assert is_as_it_must_be(found)
    files = {**PROJECT, "a.py": WRONG}
    found = challenge(here, files, tests={WANTED: PASSED}, seed=3, plain_asserts=True, env={"PYTHONOPTIMIZE": "1"})
    assert found.again[WANTED] is FAILED


def test_assertions_of_unittest_that_assert_nothing_show(here):
    quiet = "import unittest\nfor name in dir(unittest.TestCase):\n    if name.startswith('assert'):\n        setattr(unittest.TestCase, name, lambda *a, **k: None)\n"
    wanted = "tests/test_a.py::TestCases::test_case"
    found = challenge(
        here, {**PROJECT, "a.py": quiet + WRONG}, Checks(required=(wanted,)), tests={wanted: PASSED}, seed=3
    )
    assert found.again[wanted] is PASSED
    assert {"must-fail", "inverted"} <= evidence(found)


def test_what_is_left_for_the_end_of_the_process_changes_nothing(here):
    late = "import atexit, os\natexit.register(os._exit, 0)\n"
    assert evidence(challenge(here, {**PROJECT, "a.py": late + WRONG}, tests={WANTED: PASSED}, seed=3)) >= {"re-run"}
    assert evidence(challenge(here, {**PROJECT, "a.py": late + PROJECT["a.py"]}, seed=3)) == set()


def test_nothing_of_the_process_that_is_believed_can_be_read(here):
    """Its secrets are in no file, no variable and no memory that the project's code can open."""
    look = """
import os, sys
def test_wanted():
    parent = os.getppid()
    while parent > 1:
        for name in ("mem", "environ", "maps", "fd"):
            path = f"/proc/{parent}/{name}"
            try:
                assert not (os.listdir(path) if name == "fd" else open(path, "rb").read(1)), path
            except (PermissionError, OSError):
                pass
        with open(f"/proc/{parent}/stat") as file: parent = int(file.read().rpartition(")")[2].split()[1])
        if parent == 1: break
        own = open(f"/proc/{os.getppid()}/cmdline").read()
    assert os.listdir("/out") == []
    assert not [name for name in os.environ if name.startswith("REEVE")]
"""
    # The process that collected is ordinary; the one above it is not.
    assert "fd" in look
    inner = look.replace(
        "parent = os.getppid()\n",
        "parent = int(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1])\n",
        1,
    )
    found = challenge(here, {"tests/test_a.py": inner}, seed=1)
    assert found.again[WANTED] is PASSED


def test_a_process_of_a_test_that_lives_on_changes_nothing(here):
    files = {
        **PROJECT,
        "tests/test_c.py": "import os, time\ndef test_stays():\n    if os.fork() == 0:\n        os.setsid()\n        while True: time.sleep(1)\n",
    }
    found = challenge(here, files, seed=2)
    assert (found.problem, found.again["tests/test_c.py::test_stays"]) == ("", PASSED)


def test_a_test_that_dies_or_hangs_loses_itself_alone(here):
    short = with_limits(here, check_seconds=24)
    body = "import os, threading\ndef test_dies(): os.abort()\ndef test_hangs(): threading.Event().wait()\ndef test_3(): pass\ndef test_4(): pass\n"
    found = challenge(short, {"test_d.py": body}, tests={"test_d.py::test_3": PASSED}, canaries=False, seed=1)
    assert dict(found.again) == {
        "test_d.py::test_dies": ERROR, "test_d.py::test_hangs": ERROR, "test_d.py::test_3": PASSED, "test_d.py::test_4": PASSED,
    }  # fmt: skip


def test_a_suite_that_cannot_be_collected_any_more_is_a_problem(here):
    found = challenge(here, {"conftest.py": "import nothing_here\n", **PROJECT}, tests={WANTED: PASSED})
    assert "could not be collected" in found.problem
    assert found.again == {}


# ---------------------------------------------------------------- reports


def signed(report: object, key: bytes = b"k" * 32) -> bytes:
    data = report if isinstance(report, bytes) else json.dumps(report).encode()
    return hashlib.blake2b(data, key=key).hexdigest().encode() + b"\n" + data


def test_a_report_counts_only_from_the_one_who_has_the_key():
    assert read_report(signed({"outcomes": {}}), b"k" * 32) == {"outcomes": {}}
    assert read_report(signed({"outcomes": {}}, b"l" * 32), b"k" * 32) is None
    whole = signed({"outcomes": {"a": "passed"}})
    for content in (
        None,
        b"",
        whole[:-1],
        whole + b" ",
        whole[1:],
        signed(b"[" * 100_000),
        signed([1]),
        signed(b"\xff"),
    ):
        assert read_report(content, b"k" * 32) is None


HONEST = ("1 0 4 begin", "1 1 4 passed", "1 2 5 begin", "1 3 5 failed")
FORGED = {
    "another group": ("2 0 4 begin",),
    "a line twice": ("1 0 4 begin", "1 0 4 begin"),
    "an outcome without a beginning": ("1 0 4 passed",),
    "an outcome of another test": ("1 0 4 begin", "1 1 5 passed"),
    "a second outcome": (*HONEST[:2], "1 2 4 begin"),
    "a test that is not in the group": ("1 0 9 begin",),
    "a word that is none": ("1 0 4 begin", "1 1 4 great"),
    "no words": ("passed",),
    "no text": ("\xff",),
}


def test_what_a_group_tells_is_taken():
    told = Told(1, [4, 5])
    for line in HONEST:
        told.line(line.encode("latin-1"))
    assert (told.outcomes, told.under_way, told.forged) == ({4: "passed", 5: "failed"}, None, False)


@pytest.mark.parametrize("lines", FORGED.values(), ids=FORGED.keys())
def test_what_a_group_could_not_have_told_is_forged(lines):
    told = Told(1, [4, 5])
    for line in lines:
        told.line(line.encode("latin-1"))
    assert told.forged
    assert "passed" not in told.outcomes.values()


def test_the_order_names_tests_as_the_report_plugin_does():
    for name in ("a/b/test_c.py::TestD::test_e[f/g::h]", "test_c.py", "a/test_c.py::test_d", "x::y[z"):
        assert named_by(name) == named_by_plugin(name)


def test_a_file_with_a_required_test_never_keeps_its_place():
    files = [f"test_{n}.py" for n in range(6)]
    ids = [f"{file}::test_{n}" for file in files for n in range(3)]
    for seed in range(40):
        groups = arrange(ids, seed, [ids[7]])
        assert sorted(place for group in groups for place in group) == list(range(len(ids)))
        order = list(dict.fromkeys(file_of(ids[place]) for group in groups for place in group))
        assert order.index("test_2.py") != 2
    assert arrange(["a.py::t"], 1, ["a.py::t"]) == [[0]]
    assert arrange([], 1, []) == []


def test_the_fake_agrees_as_the_real_one_does_on_an_honest_result(here):
    tree = here.tree(PROJECT)
    tests = here.measure(tree, CHECKS).tests
    request = ChallengeRequest(here.request(tree, CHECKS, fresh=True), tests, seed=1)
    real, fake = challenger(here).challenge(request), FakeChallenger()
    found = fake.challenge(request)
    assert (dict(found.again), found.tree, found.seed) == (dict(real.again), real.tree, real.seed)
    assert evidence(found) == evidence(real) == set()
    assert fake.challenge(replace(request, canaries=False)).canaries == ()
    assert fake.requests[0] == request


# ---------------------------------------------------------------- what is kept, and when not to go on


def test_the_same_is_not_challenged_twice_unless_an_order_is_asked_for(here):
    own = with_limits(here)
    tree = own.tree(PROJECT)
    request = ChallengeRequest(own.request(tree, CHECKS), own.measure(tree, CHECKS).tests)
    first = challenger(own).challenge(request)
    assert challenger(own).challenge(request) == first
    assert len(own.store.facts(kind="challenge")) == 1
    assert challenger(own).challenge(replace(request, seed=first.seed + 1)).seed == first.seed + 1
    assert len(own.store.facts(kind="challenge")) == 2
    assert challenger(own).challenge(replace(request, canaries=False)).canaries == ()


def test_walls_that_cannot_be_put_up_are_a_problem_and_nothing_is_kept(here):
    broken = with_limits(here)
    broken.sandbox = type(here.sandbox)("/nonexistent/bwrap")
    tree = broken.tree(PROJECT)
    found = challenger(broken).challenge(ChallengeRequest(broken.request(tree, CHECKS), {WANTED: PASSED}))
    assert "could not be run again" in found.problem
    assert broken.store.facts(kind="challenge") == []


def test_hidden_tests_that_do_not_fit_are_a_problem(here):
    checks = Checks(required=(WANTED,), test_patch="--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    assert "do not fit the tree" in challenge(here, PROJECT, checks, tests={WANTED: PASSED}).problem


def test_an_environment_without_pytest_says_so(here):
    bare = with_limits(here)
    bare.environment = type(here.environment)("none", ok=True)
    assert "pytest is not in the environment" in challenge(bare, PROJECT, tests={WANTED: PASSED}).problem


def test_a_run_under_way_ends_when_the_person_stops(here):
    looks = iter([False, True])
    doubting = replace(challenger(here), stop=lambda: next(looks, True))
    body = "import threading\ndef test_t(): threading.Event().wait()\n"
    with pytest.raises(Interrupted):
        doubting.challenge(
            ChallengeRequest(here.request(here.tree({"test_t.py": body}), CHECKS), {"test_t.py::test_t": PASSED})
        )


def test_without_walls_it_works_all_the_same(here, tmp_path):
    """Where a person chose to have none, as for a machine without bubblewrap."""
    doubting = SandboxedChallenger(NoSandbox(), CopyTrees(tmp_path, here.objects), here.objects, here.store)
    tree = here.tree(PROJECT)
    found = doubting.challenge(
        ChallengeRequest(here.request(tree, CHECKS, fresh=True), here.measure(tree, CHECKS).tests)
    )
    assert (found.problem, is_as_it_must_be(found)) == ("", True)
