"""What of a patch the tests need, and which small defects they notice, is found in the real sandbox, and believed with care."""

import json
from dataclasses import replace

import pytest
from checking import place
from hypothesis import given, settings
from hypothesis import strategies as st

from reeve.adapters.checks.challenge import SandboxedChallenger
from reeve.adapters.checks.examiner.reduce import ADDED, REMOVED, Patch, Reduction, Torn, renamed
from reeve.adapters.checks.exploration import MOST_DEFECTS, exploration_plan, take
from reeve.ports import ChallengeRequest, CheckRequest
from reeve.records import Checks, Environment, HiddenFile, Limits, Runner, SourceChange, TestOutcome
from reeve.verdict.minimise import minimise

WANTED = "tests/test_a.py::test_wanted"
ENOUGH = 60.0  # seconds of CPU: far more than any of these searches takes


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return place(tmp_path_factory.mktemp("exploration"))


def request_for(here, base, tree, checks, seconds=ENOUGH, seed=1):
    tests = here.measure(tree, checks).tests
    for name in checks.required:
        assert tests[name] is TestOutcome.PASSED
    return ChallengeRequest(here.request(tree, checks, base=base), tests, seconds, canaries=False, seed=seed)


def explored(here, before, after, *, checks=None, seconds=ENOUGH, seed=1):
    """Challenge a patch; what came of it, and the trees."""
    checks = checks or Checks(required=(WANTED,))
    base = here.tree(before)
    tree = here.tree(after, base)
    request = request_for(here, base, tree, checks, seconds, seed)
    challenger = SandboxedChallenger(here.sandbox, here.trees, here.objects, here.store)
    return challenger.challenge(replace(request, check=replace(request.check, fresh=True)))


def needed_of(here, challenge, path):
    assert challenge.problem == ""
    content = here.objects.read(challenge.needed, path)
    return None if content is None else content.decode()


# ---------------------------------------------------------------- scope

BEFORE = {
    "a.py": "def f(x):\n    return 1\n\n\ndef g(x):\n    return x\n",
    "README": "hello\n",
    "tests/test_a.py": """\
from a import f, g

def test_wanted():
    assert f(1) == 2

def test_other():
    assert g(3) == 3
""",
}
AFTER = {
    "a.py": '''\
import os


def f(x):
    # adds one
    y = x + 1
    z = 3
    if x > 100:
        return 7
    return y


def g(x):
    """Gives it back."""
    return  x
''',
    "README": "hello you\n",
    "new.py": "q = 1\n",
}
NEEDED = "def f(x):\n    y = x + 1\n    return y\n\n\ndef g(x):\n    return x\n"


def test_what_no_test_needs_is_taken_away_and_the_rest_is_a_smallest_one(here):
    challenge = explored(here, BEFORE, AFTER)
    assert needed_of(here, challenge, "a.py") == NEEDED
    assert needed_of(here, challenge, "README") == "hello\n"
    assert needed_of(here, challenge, "new.py") is None
    assert challenge.complete
    checks = Checks(required=(WANTED,))
    assert set(here.measure(challenge.needed, checks).tests.values()) == {TestOutcome.PASSED}
    for line in ("    y = x + 1\n", "    return y\n"):
        less = here.tree({"a.py": NEEDED.replace(line, "", 1)}, challenge.needed)
        assert here.measure(less, checks).tests.get(WANTED) is not TestOutcome.PASSED


def test_a_patch_without_surplus_stays_whole(here):
    challenge = explored(here, BEFORE, {"a.py": NEEDED})
    assert challenge.needed == challenge.tree
    assert challenge.complete


def test_what_another_test_needs_stays(here):
    before = {**BEFORE, "a.py": "def f(x):\n    return 1 if x else 1 / 1\n\n\ndef g(x):\n    return f(x) + 2\n"}
    after = "def f(x):\n    return x + 1\n\n\ndef g(x):\n    if x == 3:\n        return 3\n    return f(x) + 2\n"
    challenge = explored(here, before, {"a.py": after})
    assert needed_of(here, challenge, "a.py") == after
    assert challenge.complete


def test_code_outside_functions_is_searched_too(here):
    before = {"a.py": "import re\n\nSTEP = 1\nUNUSED = 1\n\n\nclass C:\n    step = 1\n", "tests/test_a.py": """\
from a import STEP, C

def test_wanted():
    assert (STEP, C.step) == (2, 3)
"""}  # fmt: skip
    after = "import re\nimport os\n\nSTEP = 2\nUNUSED = 2\n\n\nclass C:\n    step = 3\n    other = 4\n\n\ndef h():\n    pass\n"
    challenge = explored(here, before, {"a.py": after})
    assert needed_of(here, challenge, "a.py") == ("import re\n\nSTEP = 2\nUNUSED = 1\n\n\nclass C:\n    step = 3\n")
    assert challenge.complete


def test_a_function_that_only_the_import_runs_is_not_mistaken_for_unneeded(here):
    before = {"a.py": "def build():\n    return {'a': 1}\n\n\nTABLE = build()\n\n\ndef f():\n    return 1\n", "tests/test_a.py": """\
from a import TABLE

def test_wanted():
    assert TABLE['a'] == 2
"""}  # fmt: skip
    after = "def build():\n    found = 2\n    return {'a': found}\n\n\nTABLE = build()\n\n\ndef f():\n    return 1 + 0 * 5\n"
    challenge = explored(here, before, {"a.py": after})
    assert needed_of(here, challenge, "a.py") == after.replace("1 + 0 * 5", "1")
    assert challenge.complete


def test_files_of_other_kinds_are_needed_where_a_test_reads_them(here):
    before = {"data.txt": "1\n", "notes.txt": "1\n", "gone.txt": "1\n", "tests/test_a.py": """\
import pathlib

def test_wanted():
    assert pathlib.Path("data.txt").read_text().startswith("2\\n")
    assert pathlib.Path("made/more.txt").exists()
"""}  # fmt: skip
    after = {"data.txt": "2\n3\n", "notes.txt": "2\n", "gone.txt": None, "made/more.txt": "", "made/extra.txt": "x\n"}
    challenge = explored(here, before, after)
    assert {path: needed_of(here, challenge, path) for path in (*after, "gone.txt")} == {
        "data.txt": "2\n",
        "notes.txt": "1\n",
        "gone.txt": "1\n",
        "made/more.txt": "",
        "made/extra.txt": None,
    }
    assert challenge.complete


def test_documentation_that_is_tested_is_needed(here):
    checks = Checks(required=(WANTED,), pytest_args=("--doctest-modules",))
    before = {**BEFORE, "a.py": "def f(x):\n    return 1\n\n\ndef g(x):\n    return x\n"}
    documented = 'def f(x):\n    """\n    >>> f(1)\n    2\n    """\n    return x + 1\n\n\ndef g(x):\n'
    after = documented.replace('"""\n', '"""\n    More.\n\n', 1) + '    """Says it."""\n    return x\n'
    challenge = explored(here, before, {"a.py": after}, checks=checks)
    assert needed_of(here, challenge, "a.py") == documented + "    return x\n"
    assert challenge.complete


def test_a_rename_goes_as_a_whole(here):
    before = "def f(x):\n    old = x\n    old = old + 1\n    y = 1\n    old = old * 1\n    return old - y\n"
    after = before.replace("old", "new").replace("y = 1", "y = 0")
    challenge = explored(
        here,
        {
            **BEFORE,
            "a.py": before + "\n\ng = f\n",
            "tests/test_a.py": BEFORE["tests/test_a.py"].replace("def test_other", "def other"),
        },
        {"a.py": after + "\n\ng = f\n"},
    )
    assert needed_of(here, challenge, "a.py") == before.replace("y = 1", "y = 0") + "\n\ng = f\n"


def test_tests_that_lie_over_a_changed_file_leave_it_as_it_is(here):
    hidden = HiddenFile("tests/test_a.py", BEFORE["tests/test_a.py"].encode())
    checks = Checks(required=(WANTED,), hidden=(hidden,))
    challenge = explored(
        here,
        {**BEFORE, "tests/test_a.py": "x = 1\n"},
        {"a.py": AFTER["a.py"], "tests/test_a.py": "x = 2\n"},
        checks=checks,
    )
    assert needed_of(here, challenge, "a.py") == NEEDED
    assert needed_of(here, challenge, "tests/test_a.py") == "x = 2\n"


def test_when_the_time_is_over_the_smallest_so_far_is_given(here):
    challenge = explored(here, BEFORE, AFTER, seconds=0.001)
    assert not challenge.complete
    if challenge.needed:
        assert set(here.measure(challenge.needed, Checks(required=(WANTED,))).tests.values()) == {TestOutcome.PASSED}


# ---------------------------------------------------------------- strength


def found(challenge, path="a.py"):
    """What was noticed, by line."""
    assert challenge.problem == ""
    lines: dict[int, set[bool]] = {}
    for defect in challenge.defects:
        assert defect.path == path
        lines.setdefault(defect.line, set()).add(defect.noticed)
    return lines


def test_defects_are_noticed_where_tests_look_and_not_in_a_branch_that_none_runs(here):
    after = "def f(x):\n    if x == 77:\n        return x * 3\n    return x + 1\n\n\ndef g(x):\n    return x\n"
    lines = found(explored(here, BEFORE, {"a.py": after}))
    assert lines[3] == {False}
    assert lines[4] == {True}
    assert set(lines) == {2, 3, 4}


def test_the_same_seed_gives_the_same_defects_at_most_so_many(here):
    body = "".join(f"    if x > {n + 50}:\n        return {n}\n" for n in range(20))
    after = f"def f(x):\n{body}    return x + 1\n\n\ndef g(x):\n    return x\n"
    first, second, other = (explored(here, BEFORE, {"a.py": after}, seed=seed).defects for seed in (1, 1, 2))
    assert len(first) == MOST_DEFECTS
    assert first == second
    assert first != other
    assert len({defect.line for defect in first}) == MOST_DEFECTS  # one for a line before any has two


def test_a_defect_that_hangs_or_ends_the_process_is_noticed(here):
    after = """\
import os


def f(x):
    n = 0
    while n < 1:
        n += 1
    if x > 5:
        os._exit(3)
    return x + n


def g(x):
    return x
"""
    challenge = explored(here, BEFORE, {"a.py": after})
    hangs = {(defect.line, defect.was, defect.noticed) for defect in challenge.defects}
    assert (7, "n += 1", True) in hangs
    assert (8, "x > 5", True) in hangs


def test_defects_outside_functions_are_tried_with_the_project_imported_anew(here):
    before = {
        "a.py": "STEP = 1\n",
        "tests/test_a.py": "from a import STEP\n\ndef test_wanted():\n    assert STEP == 2\n",
    }
    challenge = explored(here, before, {"a.py": "STEP = 2\nOTHER = 3\n"})
    lines = found(challenge)
    assert lines[1] == {True}
    assert lines[2] == {False}


def test_where_lines_were_only_removed_what_is_beside_them_is_tried(here):
    before = {**BEFORE, "a.py": "def f(x):\n    y = x + 1\n    y = 0\n    return y\n\n\ndef g(x):\n    return x\n"}
    lines = found(explored(here, before, {"a.py": before["a.py"].replace("    y = 0\n", "")}))
    assert lines == {2: {True}, 3: {True}}


# ---------------------------------------------------------------- what is asked for


def test_there_is_a_plan_only_where_there_is_something_to_explore(here):
    base = here.tree(BEFORE)
    tree = here.tree(AFTER, base)
    request = request_for(here, base, tree, Checks(required=(WANTED,)))
    sources = here.objects.sources(base, tree)
    assert json.loads(json.dumps(exploration_plan(request, sources)))["required"] == [WANTED]
    assert exploration_plan(request, ()) is None
    assert exploration_plan(replace(request, explore_seconds=0.0), sources) is None
    assert exploration_plan(replace(request, tests={WANTED: TestOutcome.FAILED}), sources) is None
    for checks in (Checks(), Checks(required=(WANTED,), runner=Runner.JUNIT)):
        assert exploration_plan(replace(request, check=replace(request.check, checks=checks)), sources) is None


# ---------------------------------------------------------------- what is believed


@pytest.fixture(scope="module")
def case(here):
    """A request, the difference it is about, and the trees."""
    base = here.tree(BEFORE)
    tree = here.tree({**AFTER, "b.bin": "\0"}, base)
    return request_for(here, base, tree, Checks(required=(WANTED,))), here.objects.sources(base, tree)


def believed(here, case, **answer):
    whole = {"needed": None, "complete": True, "defects": [], "problem": ""}
    return take({**whole, **answer}, *case, here.objects)


@pytest.mark.parametrize(
    "answer",
    [
        {"needed": {"a.py": [10**9]}},
        {"needed": {"a.py": [-1]}},
        {"needed": {"a.py": [True]}},
        {"needed": {"a.py": [1, 1]}},
        {"needed": {"a.py": "0"}},
        {"needed": {"a.py": [[0]]}},
        {"needed": {"../a.py": []}},
        {"needed": {"tests/test_a.py": []}},
        {"needed": {"b.bin": [0]}},
        {"needed": ["a.py"]},
        {"needed": "a.py"},
        {"defects": None},
        {"defects": [["a.py", 1, "a", "b", True]] * (MOST_DEFECTS + 1)},
        {"defects": [["a.py", 0, "a", "b", True]]},
        {"defects": [["a.py", 10**6, "a", "b", True]]},
        {"defects": [["other.py", 1, "a", "b", True]]},
        {"defects": [["a.py", 1, "a", "b", 1]]},
        {"defects": [["a.py", True, "a", "b", True]]},
        {"defects": [["a.py", 1, "a", "b"]]},
        {"defects": [{"path": "a.py"}]},
        {"defects": {}},
    ],
)
def test_an_answer_that_cannot_be_true_is_refused(here, case, answer):
    told = believed(here, case, **answer)
    assert "cannot be true" in told.problem
    assert (told.defects, told.needed, told.complete) == ((), "", False)


@pytest.mark.parametrize("answer", [None, [], "x", 3, {}])
def test_no_answer_is_a_problem(here, case, answer):
    told = take(answer, *case, here.objects)
    assert told.problem
    assert (told.defects, told.needed, told.complete) == ((), "", False)


def test_what_is_said_is_short(here, case):
    told = believed(here, case, problem="x\n" * 10**5, defects=[["a.py", 1, "y" * 10**5, "z\n\x1b[0m", True]])
    assert len(told.problem) <= 200
    assert len(told.defects[0].was) <= 200
    assert "\n" not in told.defects[0].now


def test_nothing_measured_is_never_complete(here, case):
    assert (believed(here, case).needed, believed(here, case).complete) == ("", False)
    assert not believed(here, case, needed={"README": []}, complete=1).complete
    assert believed(here, case, needed={"README": []}).complete


def test_who_may_execute_a_file_stays(here):
    base = here.objects.write(here.empty, {"run.sh": (b"a\nb\n", True)})
    tree = here.objects.write(base, {"run.sh": (b"A\nb\nc\n", True), "new.sh": (b"x\ny\n", True)})
    request = ChallengeRequest(here.request(tree, Checks(), base=base), {}, 1.0)
    told = take(
        {"needed": {"run.sh": [0, 1], "new.sh": [0, 1]}, "complete": True, "defects": []},
        request,
        here.objects.sources(base, tree),
        here.objects,
    )
    expected = here.objects.write(base, {"run.sh": (b"A\nb\n", True), "new.sh": (b"x\n", True)})
    assert told.needed == expected


# ---------------------------------------------------------------- for any patch

LINES = st.lists(st.sampled_from(["a", "b", "    c", "", "# d", "if e:", "\tf", "é"]), max_size=7)
CONTENTS = st.one_of(
    st.none(),
    st.tuples(LINES, st.booleans()).map(lambda told: "\n".join(told[0]).encode() + b"\n" * told[1]),
    st.binary(max_size=6),
)
PATCHES = st.dictionaries(st.sampled_from(["a.py", "b/c.py", "d.txt", "é"]), st.tuples(CONTENTS, CONTENTS), min_size=1)


def sources_of(patch):
    return [SourceChange(path, *sides) for path, sides in patch.items() if sides[0] != sides[1]]


@given(PATCHES, st.data())
@settings(deadline=None)
def test_whatever_is_kept_of_a_patch_is_lines_of_the_base_and_of_the_result_in_their_order(patch, data):
    request = ChallengeRequest(
        _check(Checks(required=("t.py::t",))), {"t.py::t": TestOutcome.PASSED}, explore_seconds=1.0
    )
    sources = sources_of(patch)
    plan = exploration_plan(request, sources)
    if not sources:
        assert plan is None
        return
    parts = Patch(json.loads(json.dumps(plan))["files"])
    for file, source in zip(parts.files, sources, strict=True):
        assert file.content(parts.all) == source.after
        assert file.content(frozenset()) == source.before
    kept = data.draw(st.frozensets(st.sampled_from(sorted(parts.all))))
    for file, source in zip(parts.files, sources, strict=True):
        try:
            content = file.content(kept)
        except Torn:
            continue
        both = [side.splitlines() for side in (source.before or b"", source.after or b"")]
        if content is not None and b"\0" not in (source.before or b"") + (source.after or b""):
            assert set(content.splitlines()) <= {*both[0], *both[1]}


def _check(checks):
    return CheckRequest("t", "b", checks, Environment("e", ok=True), Limits(), {})


@given(PATCHES, st.data())
@settings(deadline=None)
def test_what_is_found_holds_and_is_a_smallest_one_for_the_lines_that_are_needed(patch, data):
    plan = exploration_plan(
        ChallengeRequest(_check(Checks(required=("t",))), {"t": TestOutcome.PASSED}, 1.0), sources_of(patch)
    )
    if plan is None:
        return
    parts = Patch(plan["files"])
    wanted = data.draw(st.frozensets(st.sampled_from(sorted(parts.all)), min_size=1))
    dear = data.draw(st.frozensets(st.sampled_from(sorted(parts.all))))
    free = data.draw(st.frozensets(st.sampled_from(sorted(parts.all)))) - wanted

    def holds(kept):
        return wanted <= kept

    def same(kept):
        return parts.all - kept <= free

    replaced = {
        number
        for file in parts.files
        for hunk in file.hunks()
        for number in hunk[:-1]
        if (parts.kinds[number], parts.kinds[number + 1]) == (REMOVED, ADDED) and number + 1 in wanted
    }
    found = Reduction(parts, holds, same, dear.__contains__, minimise).run()
    assert wanted <= found <= wanted | replaced


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a = b + a", "c = b + c", ("a", "c")),
        ("a = b", "b = a", None),
        ("a = b", "a = b", None),
        ("a = b", "c = d", None),
        ("a = 1", "b = 2", None),
        ("a = b", "b = b", None),
    ],
)
def test_a_line_is_renamed_where_one_name_has_another_in_its_place(before, after, expected):
    assert renamed(before, after) == expected
