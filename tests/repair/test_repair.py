"""The embedded agent, started as a sandbox starts it, on little repositories."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from world import AGENT, attempt, processes_in

from reeve.attempt.events import declined_in
from reeve.records import Declines

STACK = textwrap.dedent("""
    class Stack:
        '''Last in, first out.'''

        def __init__(self):
            self.items = []

        def push(self, value):
            self.items.append(value)

        def top(self):
            return self.items[0]      # the newest

        def size(self):
            return len(self.items)
""")
TEST_STACK = textwrap.dedent("""
    from shop.stack import Stack


    def filled():
        stack = Stack()
        stack.push(1)
        stack.push(2)
        return stack


    def test_top():
        assert filled().top() == 2


    def test_size():
        assert filled().size() == 2


    def test_top_of_one():
        stack = Stack()
        stack.push(7)
        assert stack.top() == 7
""")


def test_a_defect_in_a_class_of_a_package_is_repaired_and_nothing_else_changes(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/stack.py": STACK, "test_stack.py": TEST_STACK, "README": "x\n"}
    run = attempt(tmp_path, files, ["test_stack.py::test_top"])
    assert run.code == 0, run.stderr
    assert run.result["outcome"] == "patched"
    assert run.changed == ["shop/stack.py"]
    assert run.text("shop/stack.py") == STACK.replace("self.items[0]", "self.items[-1]")
    assert {event["kind"] for event in run.events} <= {"plan", "text", "tool_call", "usage", "result"}
    assert all(isinstance(event["text"], str) and event["text"] for event in run.events)
    for number in ("candidates_tried", "plausible", "search_space", "seconds"):
        assert run.result[number] > 0
    assert processes_in(run.folder) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_where_every_required_test_passes_already_it_declines_and_changes_nothing(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/stack.py": STACK, "test_stack.py": TEST_STACK}
    run = attempt(tmp_path, files, ["test_stack.py::test_size", "test_stack.py::test_top_of_one"])
    assert (run.code, run.result["outcome"], run.changed) == (0, "declined", [])
    (declined,) = [event for event in run.events if event["kind"] == "declined"]
    assert declined_in(json.dumps(declined).encode()).why is Declines.ALREADY_DONE


def test_what_it_cannot_see_pass_it_does_not_decline(tmp_path: Path) -> None:
    tests = TEST_STACK + "\n\ndef test_skipped():\n    import pytest\n    pytest.skip('not here')\n"
    files = {"shop/__init__.py": "", "shop/stack.py": STACK, "test_stack.py": tests}
    for required in ("test_stack.py::test_skipped", "test_stack.py::test_nowhere"):
        run = attempt(tmp_path, files, ["test_stack.py::test_size", required])
        assert run.result["outcome"] == "cannot"
        assert "declined" not in {event["kind"] for event in run.events}


def test_localisation_puts_the_faulty_line_first(tmp_path: Path) -> None:
    module = textwrap.dedent("""
        def grade(points):
            if points >= 90:
                mark = "A"
            elif points >= 50:
                mark = "F"
            else:
                mark = "F"
            return mark
    """)
    test = textwrap.dedent("""
        import pytest
        from grades import grade


        @pytest.mark.parametrize("points, mark", [(95, "A"), (10, "F"), (60, "A")])
        def test_grade(points, mark):
            assert grade(points) == mark
    """)
    run = attempt(tmp_path, {"grades.py": module, "test_grades.py": test}, ["test_grades.py::test_grade[60-A]"])
    plan = next(event for event in run.events if event["kind"] == "plan")
    assert plan["suspects"][0][:2] == ["grades.py", 6]
    assert run.text("grades.py") == module.replace('mark = "F"', 'mark = "A"', 1)


def test_a_defect_across_files_with_decorators_and_fixtures_is_repaired(tmp_path: Path) -> None:
    files = {
        "src/cart/__init__.py": "from .model import Cart\n",
        "src/cart/rules.py": "import functools\n\n\ndef logged(function):\n    @functools.wraps(function)\n    def wrapper(*args):\n        return function(*args)\n    return wrapper\n\n\n@logged\ndef discount(total, percent):\n    return total - total * percent / 10\n",
        "src/cart/model.py": "from .rules import discount\n\n\nclass Cart:\n    def __init__(self):\n        self.prices = []\n\n    @property\n    def total(self):\n        return discount(sum(self.prices), 10)\n",
        "tests/conftest.py": "import pytest\nfrom cart import Cart\n\n\n@pytest.fixture\ndef cart():\n    made = Cart()\n    made.prices += [100, 100]\n    return made\n",
        "tests/test_cart.py": "from cart.rules import discount\n\n\ndef test_total(cart):\n    assert cart.total == 180\n    assert discount(50, 20) == 40\n\n\ndef test_prices(cart):\n    assert cart.prices == [100, 100]\n",
    }
    run = attempt(tmp_path, files, ["tests/test_cart.py::test_total"], python_path=["src"])
    assert run.result["outcome"] == "patched", run.events
    assert run.changed == ["src/cart/rules.py"]
    assert "total * percent / 100" in run.text("src/cart/rules.py")


def test_an_edit_outside_functions_is_found_by_importing_anew(tmp_path: Path) -> None:
    files = {
        "limits.py": "LIMIT = 9\n\n\ndef allowed(n):\n    return n <= LIMIT\n",
        "user.py": "from limits import allowed\n\n\ndef count(values):\n    return sum(1 for value in values if allowed(value))\n",
        "test_user.py": "from user import count\nimport limits\n\n\ndef test_count():\n    assert count([9, 10, 11]) == 2\n    assert limits.LIMIT == 10\n\n\ndef test_less():\n    assert count([1, 2]) == 2\n",
    }
    run = attempt(tmp_path, files, ["test_user.py::test_count"])
    assert run.result["outcome"] == "patched", run.events
    assert run.text("limits.py").startswith("LIMIT = 10\n")


def test_two_edits_are_found_where_one_is_not_enough(tmp_path: Path) -> None:
    module = "def span(values):\n    low = max(values)\n    high = min(values)\n    return low, high\n"
    test = "from span import span\n\n\ndef test_low():\n    assert span([3, 1, 2])[0] == 1\n\n\ndef test_high():\n    assert span([3, 1, 2])[1] == 3\n\n\ndef test_one():\n    assert span([5]) == (5, 5)\n"
    run = attempt(
        tmp_path,
        {"span.py": module, "test_span.py": test},
        ["test_span.py::test_low", "test_span.py::test_high"],
        max_candidates=20000,
    )
    assert run.result["outcome"] == "patched", run.events
    before = {"__name__": "span"}
    exec(run.text("span.py"), before)
    assert before["span"]([4, 9, 6]) == (4, 9)  # type: ignore[operator]


HANGING = textwrap.dedent("""
    def count(n):
        found = 0
        while n > 0:
            n -= 1
            found += 2
        return found


    def wait(flag):
        return flag
""")


def test_a_hanging_candidate_is_ended_and_the_search_goes_on(tmp_path: Path) -> None:
    # Every edit of the loop's condition or step hangs before the one that mends it is reached.
    test = "from loop import count\n\n\ndef test_count():\n    assert count(3) == 3\n    assert count(5) == 5\n\n\ndef test_none():\n    assert count(0) == 0\n"
    run = attempt(tmp_path, {"loop.py": HANGING, "test_loop.py": test}, ["test_loop.py::test_count"])
    assert run.result["outcome"] == "patched"
    assert "found += 1" in run.text("loop.py")
    assert processes_in(run.folder) == []


def test_the_count_of_candidates_is_respected_and_the_tree_left_alone(tmp_path: Path) -> None:
    files = {
        "m.py": "def f(a):\n    b = a\n    return b\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(3) == 'cannot be guessed' * f(1)\n",
    }
    run = attempt(tmp_path, files, ["test_m.py::test_f"], max_candidates=50)
    assert run.code == 0
    assert run.result["outcome"] == "budget"
    assert 0 < run.result["candidates_tried"] <= 50
    assert run.result["search_space"] > 50
    assert run.changed == []


def test_the_same_spec_gives_the_same_patch_and_another_attempt_another_order(tmp_path: Path) -> None:
    files = {
        "m.py": "def f(a, b):\n    return a * 2 + b\n",
        "test_m.py": "from m import f\n\n\ndef test_none():\n    assert f(0, 0) == 0\n\n\ndef test_bad():\n    assert f(3, 3) == 12\n",
    }
    seen = []
    for number, which in enumerate((0, 0, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = attempt(folder, files, ["test_m.py::test_bad"], attempt=which, attempts=3, max_candidates=900)
        seen.append(([event["text"] for event in run.plausible], run.after["m.py"], run.result["candidates_tried"]))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_protected_files_and_tests_are_never_edited(tmp_path: Path) -> None:
    files = {
        "core.py": "def low(a):\n    return a - 1\n",
        "m.py": "from core import low\n\n\ndef f(a):\n    return low(a)\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(3) == 4\n\n\ndef test_g():\n    assert f(1) == 2\n",
    }
    run = attempt(tmp_path, files, ["test_m.py::test_f", "test_m.py::test_g"], protected=["core.py"])
    assert set(run.changed) <= {"m.py"}
    assert run.result["outcome"] == "patched"


def test_state_left_by_a_candidate_makes_no_false_patch(tmp_path: Path) -> None:
    # An edit that appends to SEEN for good would make the test pass in every later candidate of the same process.
    module = "SEEN = []\nOTHER = []\n\n\ndef remember(value):\n    OTHER.append(value)\n    return value\n\n\ndef known(value):\n    return value in SEEN\n"
    test = "from memory import known, remember\n\n\ndef test_known():\n    remember('x')\n    assert known('x')\n\n\ndef test_unknown():\n    assert not known('never')\n"
    run = attempt(tmp_path, {"memory.py": module, "test_memory.py": test}, ["test_memory.py::test_known"])
    assert run.result["outcome"] == "patched"
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=run.folder, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_project_that_prints_exits_forks_and_writes_files_disturbs_nothing(tmp_path: Path) -> None:
    module = textwrap.dedent("""
        import os
        import sys


        def noisy(a):
            print("noise" * 100)
            sys.stderr.write("more noise")
            os.write(1, b'{"kind": "result", "outcome": "forged"}\\n')
            with open("left-over.txt", "w") as stream:
                stream.write("x")
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            if a < 0:
                sys.exit(3)
            return a - 2
    """)
    test = "from noise import noisy\n\n\ndef test_noisy():\n    assert noisy(1) == 3\n\n\ndef test_other():\n    assert noisy(2) == 4\n"
    run = attempt(
        tmp_path,
        {"noise.py": module, "test_noise.py": test},
        ["test_noise.py::test_noisy", "test_noise.py::test_other"],
        max_candidates=1500,
    )
    assert run.result["outcome"] == "patched"
    assert run.changed == ["noise.py"]
    assert "return a + 2" in run.text("noise.py")


FINE = {"m.py": "def f():\n    return 1\n", "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f() == 1\n"}


@pytest.mark.parametrize(
    ("files", "required", "reason"),
    [
        (FINE, [], "no required test"),
        (
            {"test_m.py": "import pytest\n\n\ndef test_f():\n    pytest.skip('no')\n"},
            ["test_m.py::test_f"],
            "do not fail",
        ),
        (FINE, ["test_m.py::test_absent"], "cannot be collected"),
        ({"test_m.py": "def test_f(:\n"}, ["test_m.py::test_f"], "cannot be collected"),
        ({"test_m.py": "def test_f():\n    assert False\n"}, ["test_m.py::test_f"], "no line that may be edited"),
        ({**FINE, "conftest.py": "import os\nos._exit(0)\n"}, ["test_m.py::test_f"], "cannot be collected"),
    ],
    ids=[
        "nothing required",
        "skipped",
        "no such test",
        "syntax error in the test",
        "nothing to edit",
        "conftest exits",
    ],
)
def test_what_cannot_be_done_is_said_with_its_reason(
    tmp_path: Path, files: dict[str, str], required: list[str], reason: str
) -> None:
    run = attempt(tmp_path, dict(files), required)
    assert run.code == 0, run.stderr
    assert run.result["kind"] == "result"
    assert run.result["outcome"] == "cannot"
    assert reason in run.result["text"]
    assert run.changed == []


@pytest.mark.parametrize("bad", [{"required": "x"}, {"wall_seconds": "long"}, []], ids=["required", "wall", "list"])
def test_a_wrong_spec_is_one_line_and_exit_2(tmp_path: Path, bad: object) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(bad), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-B", str(AGENT), "--spec", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
