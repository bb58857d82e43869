"""Drills on a real repository with a past: real git, real sandbox, real pytest; only the set-up is copied."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from rich.progress import Progress

from reeve import flow
from reeve.adapters.checks import injection
from reeve.adapters.environments.fake import FakeEnvironments, copied_environment
from reeve.adapters.trees.history import read_history
from reeve.cli.drill import Clock, Source, drilled
from reeve.cli.drill_parts import export, injector, package_repository
from reeve.cli.drilled import bound_sentence
from reeve.cli.main import main
from reeve.cli.start import open_world
from reeve.decision.drill import decide_drill
from reeve.durable import reviews
from reeve.durable.drilling import Asked
from reeve.durable.reviews import Minutes
from reeve.errors import InputError, RepositoryError
from reeve.ledger.inbox import inbox
from reeve.ledger.views import first_round, summaries, task_views
from reeve.policy.drill import agent_drills, drill_horizons
from reeve.policy.suite import Suite, escape_bound, most_let_pass, suite_of
from reeve.records import (
    Action,
    AgentSpec,
    Checks,
    DrillResult,
    KnownAnswer,
    Measurement,
    Outcome,
    Policy,
    RepoSource,
    Task,
    TestOutcome,
    Verdict,
    WrongKind,
    WrongPatch,
)
from reeve.settings import read_settings, task_defaults
from reeve.stats.intervals import clopper_pearson
from reeve.task import read_backlog
from reeve.task.injected import halves, missed
from reeve.task.mined import Commit, FileChange, estimated_minutes, is_source, is_test, passed_over, turned, wording

CLAMP = """\
def clamp(value, low, high):
    if value < low:
        return low
    return value
"""
CLAMP_BOTH = CLAMP.replace("    return value\n", "    if value > high:\n        return high\n    return value\n")
MEAN = "\n\ndef mean(values):\n    return sum(values) / len(values)\n"
TEST = """\
from calc import clamp


def test_low():
    assert clamp(1, 2, 3) == 2
"""
TEST_HIGH = "\n\ndef test_high():\n    assert clamp(4, 2, 3) == 3\n"
TEST_MIDDLE = "\n\ndef test_middle():\n    assert clamp(2, 1, 3) == 2\n"
TEST_MEAN = "\n\ndef test_mean():\n    from calc import mean\n\n    assert mean([1, 2, 3]) == 2\n"
FIX = "sed -i 's/    return value$/    return min(value, high)/' calc.py"


class Past:
    """A repository to which commits are added."""

    def __init__(self, root: Path):
        self.root = root
        self.files = {}
        root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        me = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        when = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        env = {**os.environ, **me, **when}
        done = subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True, text=True, env=env)
        return done.stdout.strip()

    def commit(self, message, **files):
        """Write files (None: remove), named with __ for / and _dot_ for a dot, and commit; returns the id."""
        for name, content in files.items():
            path = self.root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return copied_environment(tmp_path_factory.mktemp("env"))


@pytest.fixture
def past(tmp_path):
    made = Past(tmp_path / "calc")
    made.commit(
        "The beginning of it",
        calc_dot_py=CLAMP,
        tests__test_calc_dot_py=TEST,
        pytest_dot_ini="[pytest]\npythonpath = .\n",
    )
    return made


WHOLE = "cat > calc.py <<'END'\n" + CLAMP_BOTH + "\n\ndef double(value):\n    return value * 2\nEND"

AGENTS = {
    "whole": WHOLE,
    "waiter": "sleep 600",
    "lower": "sed -i 's/^LOW = 0/LOW = 1/' calc.py",
    "upper": "sed -i 's/^HIGH = 0/HIGH = 1/' calc.py",
    "fixer": FIX,
    "idler": "true",
    "spy": "git log --all --format=%H%n%B; git reflog; cat .git/* ; ls -R . .git; env",
}


def world_of(past, environment):
    settings = replace(read_settings(past.root, {}), workers=2)
    specs = {name: AgentSpec(name, "command", "", command=command) for name, command in AGENTS.items()}
    settings = replace(settings, agents={**settings.agents, **specs})
    return settings, replace(open_world(settings), environments=FakeEnvironments(environment))


def drill(past, environment, *agents, tasks=20, mine=Source.HISTORY, seed=0, late=lambda: False):
    settings, world = world_of(past, environment)
    asked = Asked(tasks, agents, task_defaults(settings), seed, late)
    with Progress(disable=True) as bars:
        return world, drilled(world, asked, mine, injector(settings, world), bars, Clock(None, world.stop))


# ---------------------------------------------------------------- from the past


def test_a_commit_that_changed_source_and_tests_is_asked_for_again_and_agents_are_told_apart(past, environment):
    fixed = past.commit(
        "Clamp to the upper end too\n\nValues above it came through.\n\nSigned-off-by: Ada <a@x>",
        calc_dot_py=CLAMP_BOTH,
        tests__test_calc_dot_py=TEST + TEST_HIGH,
        setup_dot_cfg="[metadata]\n",
        notes_dot_txt="x\n",
    )
    world, done = drill(past, environment, "fixer", "idler")
    (example,) = done.mined.examples
    task = example.task
    assert task.instruction == "Clamp to the upper end too\n\nValues above it came through."
    assert task.base == past.git("rev-parse", f"{fixed}^")
    assert (task.checks.required, example.passing) == (
        ("tests/test_calc.py::test_high",),
        ("tests/test_calc.py::test_low",),
    )
    assert (task.known_answer, task.attempts, task.human_minutes) == (KnownAnswer.MINED, 1, 4.0)
    assert {each.agent: (each.passed, each.failed) for each in done.agents} == {"fixer": (1, 0), "idler": (0, 1)}
    assert done.agents[0].share.low == pytest.approx(0.025)
    assert "a horizon needs" in done.horizons.reason
    assert (done.interrupted, done.late) == (False, False)
    changed = world.objects.changes(example.base_tree, example.solution_tree)
    assert [change.path for change in changed] == ["calc.py", "notes.txt"]  # no tests, nothing that is protected
    assert {fact.body["rule"] for fact in world.journal.store.facts(kind="decision")} == {"drill"}
    attempts = [fact.body["agent"]["name"] for fact in world.journal.store.facts(kind="attempt")]
    assert sorted(attempts) == ["fixer", "idler"]


def test_nothing_of_a_drill_lands_and_nobody_is_asked_about_it(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    before = past.git("for-each-ref"), past.git("status", "--porcelain", "--untracked-files=no")
    world, done = drill(past, environment, "fixer")
    assert done.agents[0].passed == 1
    assert (past.git("for-each-ref"), past.git("status", "--porcelain", "--untracked-files=no")) == before
    store = world.journal.store
    assert (summaries(store), inbox(task_views(store)), first_round(store).tallies) == ((), (), {})
    assert not store.facts(kind="landing")
    with pytest.raises(InputError, match="nobody has to decide"):
        reviews.accept(world, store.facts(kind="attempt")[0].key, Minutes(1.0, measured=False))
    assert not store.facts(kind="draw")


def test_an_attempt_sees_the_parent_and_nothing_of_what_came_later(past, environment):
    wanted = past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    later = past.commit("A later and secret thing", secret_dot_txt="xyzzy\n")
    world, done = drill(past, environment, "spy")
    assert wanted[:6] not in done.mined.examples[0].task.id
    store = world.journal.store
    said = store.get(store.facts(kind="attempt")[0].body["trajectory"]).decode("latin-1")
    assert "calc.py" in said  # it did look
    for hidden in (wanted, later, wanted[:10], "secret", "xyzzy", "test_high", "mined", "drill", "fixer"):
        assert hidden not in said, hidden


def test_what_makes_no_task_is_counted_with_its_reason(past, environment):
    both = {"calc_dot_py": CLAMP_BOTH, "tests__test_calc_dot_py": TEST + TEST_HIGH}
    past.commit("Clamp to the upper end", **both)
    past.commit("Say how to use it", readme_dot_md="Use it.\n")
    past.commit("Add only a test", tests__test_calc_dot_py=TEST + TEST_HIGH + TEST_MIDDLE)
    past.commit(
        "Tidy a comment and check the middle", calc_dot_py=CLAMP_BOTH + "# done\n", tests__test_more_dot_py=TEST
    )
    past.commit("wip", calc_dot_py=CLAMP_BOTH, tests__test_more_dot_py=TEST + TEST_HIGH)
    past.commit("Add a picture of it", calc_dot_py=CLAMP, tests__test_more_dot_py=TEST, a_dot_png=b"\x89PNG\0\1")
    past.git("mv", "calc.py", "calculate.py")
    past.commit(
        "Rename the module of it",
        tests__test_more_dot_py=TEST.replace("calc", "calculate"),
        tests__test_calc_dot_py=None,
    )
    broken = "def (:\n"
    past.commit("Break all of the module", calculate_dot_py=broken, tests__test_more_dot_py=TEST)
    past.git("checkout", "-q", "-b", "side", "HEAD~1")
    past.commit("Something on the side", notes_dot_txt="x\n")
    past.git("checkout", "-q", "main")
    past.git("merge", "-q", "--no-ff", "-m", "Merge the side", "side")
    _, done = drill(past, environment, "idler")
    assert [example.task.instruction for example in done.mined.examples] == ["Clamp to the upper end"]
    assert done.mined.dropped == {
        "with nothing before it: the first commit, or where a shallow clone ends": 1,
        "merge commits": 1,
        "that rename source files": 1,
        "whose message has fewer than 3 words": 1,
        "with binary files": 1,
        "without source": 3,
        "whose tests pass without them": 2,
    }


def test_a_repository_with_one_commit_says_that_there_is_no_history(past, environment):
    _, done = drill(past, environment, "idler")
    assert done.mined.examples == ()
    assert "there is no history: one commit has nothing before it" in done.mined.notes


def test_a_shallow_clone_is_read_as_far_as_it_goes_and_says_so(past, environment, tmp_path):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    past.commit(
        "Add the mean of values", calc_dot_py=CLAMP_BOTH + MEAN, tests__test_calc_dot_py=TEST + TEST_HIGH + TEST_MEAN
    )
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "2", f"file://{past.root}", clone], check=True)
    past.root = clone
    _, done = drill(past, environment, "idler")
    assert [example.task.instruction for example in done.mined.examples] == ["Add the mean of values"]
    assert done.mined.dropped == {"with nothing before it: the first commit, or where a shallow clone ends": 1}
    assert any("git fetch --unshallow" in note for note in done.mined.notes)


def test_an_environment_that_cannot_be_made_drops_the_commit(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    _, done = drill(past, replace(environment, ok=False, reason="no network"), "idler")
    assert done.mined.dropped["whose environment cannot be made"] == 1


def test_the_newest_come_first_and_no_more_than_were_asked_for(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    past.commit(
        "Add the mean of values", calc_dot_py=CLAMP_BOTH + MEAN, tests__test_calc_dot_py=TEST + TEST_HIGH + TEST_MEAN
    )
    _, done = drill(past, environment, "idler", tasks=1)
    assert [example.task.instruction for example in done.mined.examples] == ["Add the mean of values"]
    assert done.mined.complete


def test_when_time_is_over_it_ends_with_what_is_there(past, environment):
    for number in range(8):
        past.commit(
            f"Add number {number} to it",
            calc_dot_py=CLAMP + f"N = {number}\n",
            tests__test_n_dot_py=f"import calc\ndef test_n(): assert calc.N == {number}\n",
        )
    _, done = drill(past, environment, "idler", late=lambda: True)
    assert len(done.mined.examples) == 1
    assert done.late


def test_a_drill_that_is_made_again_runs_nothing_again(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    world, first = drill(past, environment, "fixer")
    count = len(world.journal.store.facts())
    world, second = drill(past, environment, "fixer")
    assert len(world.journal.store.facts()) == count
    assert second.agents == first.agents


def test_every_planned_attempt_is_made_whatever_the_earlier_ones_gave():
    task = Task("x", "", RepoSource("/r"), attempts=2, known_answer=KnownAnswer.MINED)
    attempt = SimpleNamespace(id="x.1")
    passed = Verdict("x.1", "x", "x.1", "b", "t", Outcome.PASSED, "it holds")
    again = decide_drill(task, 1, [attempt], [passed], 1, Policy("p"))
    assert (again.action, again.attempt, again.numbers["passed"]) == (Action.AGAIN, None, 1.0)
    assert decide_drill(task, 2, [attempt], [passed], 0, Policy("p")).action is Action.GIVE_UP
    unverified = replace(passed, outcome=Outcome.UNVERIFIED, reason="the environment could not be made")
    ended = decide_drill(task, 1, [], [unverified], 2, Policy("p"))
    assert (ended.action, ended.reason) == (Action.GIVE_UP, "the environment could not be made")


def test_when_the_minutes_are_over_attempts_are_ended_and_it_is_no_interruption(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    settings, world = world_of(past, environment)
    asked = Asked(2, ("waiter",), task_defaults(settings))
    clock = Clock(1.0, world.stop)
    clock._seconds = 0.0  # the search does not look at it here
    with Progress(disable=True) as bars:
        done = drilled(world, asked, Source.HISTORY, injector(settings, world), bars, clock)
    assert (len(done.mined.examples), done.agents, done.late, done.interrupted) == (1, (), True, False)


# ---------------------------------------------------------------- injected defects, and the tests themselves


UNTESTED = CLAMP_BOTH + "\n\ndef double(value):\n    return value * 2\n"


def test_defects_are_counted_by_whether_tests_run_their_line_and_those_noticed_are_to_be_undone(past, environment):
    past.commit("Two functions and one test file", calc_dot_py=UNTESTED, tests__test_calc_dot_py=TEST + TEST_HIGH)
    before = past.git("for-each-ref")
    _, done = drill(past, environment, "whole", "idler", mine=Source.DEFECTS, tasks=3)
    assert len(done.mined.wrong) == 6  # one for each line that is code: conditions and results
    uncovered = [one for one in done.mined.wrong if one.kind is WrongKind.UNCOVERED]
    assert {(one.path, one.line) for one in uncovered} == {("calc.py", 6), ("calc.py", 10)}
    assert all(one.let_pass for one in uncovered)
    assert not any(one.let_pass for one in done.mined.wrong if one.kind is WrongKind.COVERED)
    assert len(done.mined.examples) == 3
    for example in done.mined.examples:
        assert example.task.known_answer is KnownAnswer.INJECTED
        assert example.task.checks.required
        assert "calc" not in example.task.instruction.replace("test_calc", "")
        assert not set(example.task.checks.required) & set(example.passing)
    assert {each.agent: (each.passed, each.failed) for each in done.agents} == {"whole": (3, 0), "idler": (0, 3)}
    assert done.suite.by_kind[WrongKind.UNCOVERED].share.value == 1.0
    assert [(each.path, each.let_pass) for each in done.suite.files] == [("calc.py", 2)]
    assert past.git("for-each-ref") == before


def test_the_same_seed_draws_the_same_defects(past, environment):
    past.commit("Two functions and one test file", calc_dot_py=UNTESTED, tests__test_calc_dot_py=TEST + TEST_HIGH)
    drawn = [drill(past, environment, mine=Source.DEFECTS, tasks=1, seed=seed)[1].mined.wrong for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


BOUNDS = "LOW = {}\nHIGH = {}\n\n\ndef between(value):\n    return LOW < value < HIGH\n"
BOUNDS_TESTS = (
    "import calc\n\n\ndef test_low():\n    assert calc.LOW == 1\n\n\ndef test_high():\n    assert calc.HIGH == 1\n"
)


def test_of_two_partial_fixes_half_of_the_tests_lets_one_pass_and_so_with_attempts(past, environment):
    space = "# one\n# two\n# three\n# four\n"
    text = BOUNDS.replace("HIGH = {}", space + "HIGH = {}")
    past.commit("Some bounds to begin with", calc_dot_py=text.format(0, 0))
    past.commit(
        "Give both bounds their values",
        a_dot_txt="a\n",
        calc_dot_py=text.format(1, 1),
        tests__test_bounds_dot_py=BOUNDS_TESTS,
    )
    _, done = drill(past, environment, "lower", "upper")
    assert done.mined.examples[0].task.checks.required == (
        "tests/test_bounds.py::test_high",
        "tests/test_bounds.py::test_low",
    )
    kinds = {kind: (each.tried, each.let_pass) for kind, each in done.suite.by_kind.items()}
    assert kinds == {WrongKind.PARTIAL: (2, 1), WrongKind.ATTEMPT: (2, 1)}


def test_without_tests_there_are_no_defects_and_it_says_why(past, environment):
    past.commit("Away with the tests", tests__test_calc_dot_py=None)
    _, done = drill(past, environment, "idler", mine=Source.DEFECTS)
    assert (done.mined.examples, done.suite.all) == ((), None)
    assert done.mined.notes == ("no defects: there are no tests: pytest collects none",)


def test_without_an_environment_there_are_no_defects_and_it_says_why(past, environment):
    _, done = drill(past, replace(environment, ok=False, reason="no network"), "idler", mine=Source.BOTH)
    assert "no defects: the environment cannot be made: no network" in done.mined.notes


def test_tests_that_all_fail_can_notice_nothing(past, environment):
    past.commit("Fail them all", tests__test_calc_dot_py="def test_low(): assert 0\n")
    _, done = drill(past, environment, "idler", mine=Source.DEFECTS)
    assert done.mined.notes == ("no defects: none of the 1 tests passes",)


def test_a_stop_keeps_what_was_done(past, environment):
    past.commit("Two functions and one test file", calc_dot_py=UNTESTED, tests__test_calc_dot_py=TEST + TEST_HIGH)
    settings, world = world_of(past, environment)

    def late():
        world.stop.set()
        return False

    asked = Asked(3, ("idler",), task_defaults(settings), 0, late)
    with Progress(disable=True) as bars:
        done = drilled(world, asked, Source.DEFECTS, injector(settings, world), bars, Clock(None, world.stop))
    assert done.interrupted
    kept = len(world.journal.store.facts(kind="measurement"))
    assert kept >= 2
    _, again = drill(past, environment, "idler", mine=Source.DEFECTS, tasks=3)
    assert len(again.mined.examples) == 3


# ---------------------------------------------------------------- what is kept, and what is given away


def test_a_set_that_was_found_is_not_searched_again_at_the_same_head(past, environment):
    past.commit("Two functions and one test file", calc_dot_py=UNTESTED, tests__test_calc_dot_py=TEST + TEST_HIGH)
    world, first = drill(past, environment, "idler", mine=Source.BOTH, tasks=2)
    store = world.journal.store
    assert len(store.facts(kind="mined")) == 1
    (fact,) = store.facts(kind="drill")
    assert (fact.body["head"], fact.body["let_pass"]) == (past.git("rev-parse", "HEAD"), 2)
    world, again = drill(past, replace(environment, ok=False, reason="gone"), "whole", mine=Source.BOTH, tasks=2)
    assert [each.task.id for each in again.mined.examples] == [each.task.id for each in first.mined.examples]
    assert again.mined.wrong[:6] == first.mined.wrong[:6]
    world, other = drill(past, environment, "idler", mine=Source.BOTH, tasks=3)
    assert len(world.journal.store.facts(kind="mined")) == 2
    assert len(other.mined.examples) == 3


def test_a_search_that_was_cut_off_or_found_nothing_is_made_again(past, environment):
    past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    past.commit(
        "Double a value",
        calc_dot_py=UNTESTED,
        tests__test_double_dot_py="from calc import double\ndef test_double(): assert double(2) == 4\n",
    )
    world, done = drill(past, environment, tasks=3, late=lambda: True)
    assert (len(done.mined.examples), done.late) == (1, True)
    drill(past, replace(environment, ok=False, reason="no network"), tasks=3)
    assert not world.journal.store.facts(kind="mined")
    world, done = drill(past, environment, tasks=3)
    assert (len(done.mined.examples), len(world.journal.store.facts(kind="mined"))) == (2, 1)


def test_exported_rows_are_read_back_as_tasks_and_hold_what_others_expect(past, environment, tmp_path):
    past.commit("Something before it", notes_dot_txt="x\n")
    wanted = past.commit("Clamp to the upper end", calc_dot_py=CLAMP_BOTH, tests__test_calc_dot_py=TEST + TEST_HIGH)
    settings, world = world_of(past, environment)
    _, done = drill(past, environment, mine=Source.BOTH, tasks=2)
    found = [(each.task, each.base_tree, each.solution_tree, each.passing) for each in done.mined.examples]
    out = tmp_path / "out"
    out.mkdir()
    clone = export(settings, past.root, found, out / "rows.jsonl")
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["mined", "injected"]
    expected = "instance_id repo base_commit patch test_patch problem_statement hints_text FAIL_TO_PASS PASS_TO_PASS"
    assert set(rows[0]) >= set(expected.split())
    assert rows[0]["base_commit"] == past.git("rev-parse", f"{wanted}^")
    assert json.loads(rows[0]["FAIL_TO_PASS"]) == ["tests/test_calc.py::test_high"]
    assert "+    if value > high:" in rows[0]["patch"]
    assert "+def test_high():" in rows[0]["test_patch"]
    there = subprocess.run(["git", "-C", clone, "cat-file", "-e", wanted], capture_output=True, check=False)
    assert there.returncode != 0  # the future stayed where it is
    subprocess.run(["git", "-C", clone, "fsck", "--no-dangling"], check=True)

    defaults = task_defaults(replace(settings, default_agents=("whole",), attempts=1))
    tasks = read_backlog([out / "rows.jsonl"], defaults).tasks
    assert [task.id for task in tasks] == [row["instance_id"] for row in rows]
    for task, row in zip(tasks, rows, strict=True):
        assert flow.verify(world, task, row["patch"].encode()).outcome is Outcome.PASSED
        assert flow.verify(world, task, b"").outcome is not Outcome.PASSED
    assert export(settings, past.root, found, out / "rows.jsonl") == clone  # again, over itself


def test_an_export_never_writes_over_what_is_no_repository(past, environment, tmp_path):
    settings, _ = world_of(past, environment)
    (tmp_path / "drill__calc").mkdir()
    with pytest.raises(InputError, match="no bare repository"):
        export(settings, past.root, [], tmp_path / "rows.jsonl")


def sdist(folder, files, name="calc-1.0"):
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return folder / f"{name}.tar.gz"


FILES = {"calc.py": UNTESTED, "tests/test_calc.py": TEST + TEST_HIGH, "pytest.ini": "[pytest]\npythonpath = .\n"}


def test_a_package_in_a_file_becomes_a_repository_of_one_commit(past, tmp_path):
    settings = read_settings(past.root, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    repo = package_repository(settings, str(sdist(tmp_path, FILES)))
    done = subprocess.run(["git", "-C", repo, "log", "--format=%s"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "calc 1.0"
    assert (repo / "calc.py").read_text() == UNTESTED
    assert package_repository(settings, str(tmp_path / "calc-1.0.tar.gz")) == repo


def test_a_package_of_a_local_index_is_fetched_once(past, tmp_path, monkeypatch):
    links = tmp_path / "links"
    links.mkdir()
    sdist(links, FILES)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    settings = read_settings(past.root, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    repo = package_repository(settings, "calc==1.0")
    (links / "calc-1.0.tar.gz").unlink()
    assert package_repository(settings, "calc==1.0") == repo
    with pytest.raises(RepositoryError, match=r"calc==2\.0"):
        package_repository(settings, "calc==2.0")


@pytest.mark.parametrize("wanted", ["calc", "calc>=1", "../x==1", "calc==1==2", ""])
def test_what_names_no_package_is_refused(past, wanted):
    with pytest.raises(InputError, match="neither NAME==VERSION"):
        package_repository(read_settings(past.root, {}), wanted)


def test_an_archive_that_leads_out_of_itself_is_refused(past, tmp_path):
    settings = read_settings(past.root, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    with pytest.raises(RepositoryError, match="unsafe path"):
        package_repository(settings, str(sdist(tmp_path, {"../../evil.py": "x = 1\n"})))
    (tmp_path / "notes.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"NAME-VERSION\.tar\.gz"):
        package_repository(settings, str(tmp_path / "notes.tar.gz"))


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """`reeve drill` in a folder that is no repository, without walls, with the pytest of this interpreter."""
    monkeypatch.chdir(tmp_path)
    site = Path(pytest.__file__).parents[1]
    agents = [
        f"[agents.{name}]\nkind = 'command'\ncommand = {json.dumps(AGENTS[name])}\n" for name in ("whole", "idler")
    ]
    head = f"setup = 'true'\nworkers = 2\n[env]\nPYTHONPATH = '{site}'\n"
    (tmp_path / "reeve.toml").write_text(head + "".join(agents))

    def call(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["drill", "--sandbox", "none", *arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return call


def test_the_command_drills_a_package_and_says_both_things(command, tmp_path):
    file = str(sdist(tmp_path, FILES))
    agents = ("--agent", "whole", "--agent", "idler")
    code, out, err = command("--package", file, *agents, "--tasks", "2", "--export", "rows.jsonl", "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert [task["kind"] for task in said["tasks"]] == ["injected", "injected"]
    assert {each["agent"]: (each["passed"], each["failed"]) for each in said["agents"]} == {
        "whole": (2, 0),
        "idler": (0, 2),
    }
    assert (said["suite"]["all"]["tried"], said["suite"]["all"]["let_pass"]) == (6, 2)
    assert said["suite"]["files"][0]["path"] == "calc.py"
    assert said["exported"]["rows"] == "rows.jsonl"
    assert "there is no history: one commit has nothing before it" in said["notes"]
    code, out, _ = command("--package", file, "--agent", "whole", "--tasks", "2")
    assert code == 0
    assert re.search(r"^whole \S+ +2 +2 +0 +0 +0 +100% +16% to 100%", out, re.MULTILINE)
    assert re.search(r"^defect in code that no test runs +2 +2 +100%", out, re.MULTILINE)
    assert re.search(r"^whole: of what passes up to \d+% may be wrong", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "nobody"), "--agent nobody: reeve.toml names"),
        ((), "not a git repository"),
        (("--package", "calc"), "neither NAME==VERSION"),
        (("--export", "no/such/folder/x.jsonl"), "no such folder"),
    ],
)
def test_bad_input_is_one_line_before_anything_starts(command, arguments, said):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


# ---------------------------------------------------------------- what runs in the sandbox


INJECTOR = Path(injection.__file__).parent / "injector"


def listed(folder, files, seed=0, most=100):
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "plan").write_text(json.dumps({"files": sorted(files), "most": most, "seed": seed}))
    examiner, repair = INJECTOR.parent / "examiner", INJECTOR.parents[1] / "agents" / "repair"
    command = [sys.executable, "-S", "-B", INJECTOR / "sites.py", "plan", "report", examiner, repair]
    subprocess.run(command, cwd=folder, check=True)
    return json.loads((folder / "report").read_text())


def test_what_compiles_to_the_same_code_is_no_defect(tmp_path):
    found = [listed(tmp_path, {"a.py": "FOUR = 2 * 2\n"}, seed) for seed in range(12)]
    assert {site["now"] for each in found for site in each["sites"]} >= {"3", "pass"}
    assert not [site for each in found for site in each["sites"] if site["now"] == "+"]
    assert sum(each["same"] for each in found) > 0


def test_one_defect_of_each_line_and_what_cannot_be_read_is_named(tmp_path):
    files = {
        "a.py": "x = 1\n\n\ndef f(y):\n    return y + x\n",
        "b.py": "def (",
        "c.py": b"\xef\xbb\xbfx = 1\n",
        "d.py": b"# coding: latin-1\nx = 1\n",
    }
    found = listed(tmp_path, files)
    assert sorted((site["path"], site["line"]) for site in found["sites"]) == [("a.py", 1), ("a.py", 5)]
    assert (found["lines"], found["unreadable"]) == (2, ["b.py", "c.py", "d.py"])
    assert len(listed(tmp_path, files, most=1)["sites"]) == 1


def test_a_part_of_a_statement_belongs_to_its_lines_and_a_body_does_not(tmp_path):
    text = "if (1 <\n    2):\n    x = [3,\n         4]\n"
    found = {
        site["line"]: site["statement"] for seed in range(9) for site in listed(tmp_path, {"a.py": text}, seed)["sites"]
    }
    assert found == {1: [1, 2], 2: [1, 2], 3: [3, 4], 4: [3, 4]}


def test_the_trace_names_the_lines_that_were_run_also_in_threads(tmp_path):
    (tmp_path / "a.py").write_text(
        "import threading\ndef f():\n    return 1\ndef g():\n    return 2\ndef h():\n    return 3\n"
    )
    (tmp_path / "run.py").write_text(
        "import sys, threading\nsys.path.insert(0, '.')\nimport a\na.f()\nt = threading.Thread(target=a.g)\nt.start()\nt.join()\nsys.exit(3)\n"
    )
    (tmp_path / "plan").write_text(json.dumps({"files": ["a.py", "gone.py"]}))
    done = subprocess.run(
        [sys.executable, "-B", INJECTOR / "trace.py", "plan", "report", "run.py"], cwd=tmp_path, check=False
    )
    assert done.returncode == 3
    assert json.loads((tmp_path / "report").read_text()) == {"a.py": [1, 2, 3, 4, 5, 6], "gone.py": []}


# ---------------------------------------------------------------- what it says of tests


def wrong(kind, passes, path="a.py", line=1):
    return WrongPatch(kind, passes, path, line)


def judged(passed, failed):
    results = [("p", Outcome.PASSED)] * passed + [("f", Outcome.FAILED)] * failed
    return agent_drills(
        [
            DrillResult(f"{n}.1", str(n), KnownAnswer.MINED, "a", "1", outcome, "", False, 1.0, None, 4.0, (), "")
            for n, (_, outcome) in enumerate(results)
        ]
    )


def test_files_are_ordered_by_what_would_be_gained():
    tried = [wrong(WrongKind.COVERED, False, "good.py")] * 4
    tried += [wrong(WrongKind.UNCOVERED, True, "bad.py", line) for line in (9, 3, 5)]
    tried += [
        wrong(WrongKind.COVERED, True, "middle.py"),
        wrong(WrongKind.ATTEMPT, True, ""),
        wrong(WrongKind.PARTIAL, False, ""),
    ]
    suite = suite_of(tried, ())
    assert (suite.all.tried, suite.all.let_pass) == (10, 5)
    assert [(each.path, each.tried, each.let_pass, each.share_after) for each in suite.files] == [
        ("bad.py", 3, 3, 0.2),
        ("middle.py", 1, 1, 0.4),
    ]
    assert [one.line for one in suite.files[0].places] == [3, 5, 9]
    assert suite.bounds == ()


def test_no_wrong_patch_says_nothing_of_the_tests():
    assert suite_of((), judged(3, 1)) == Suite(None, {}, (), ())


def test_the_bound_is_odds_times_odds_at_the_upper_ends():
    tried = [wrong(WrongKind.COVERED, number < 2) for number in range(400)]
    (bound,) = suite_of(tried, judged(180, 20)).bounds
    failing, let_pass = clopper_pearson(20, 200).high, clopper_pearson(2, 400).high
    assert (bound.failing, bound.let_pass) == (failing, let_pass)
    assert bound.escape == pytest.approx(failing / (1 - failing) * let_pass / (1 - let_pass))
    assert bound.holds
    assert escape_bound(failing, most_let_pass(failing, 0.05)) == pytest.approx(0.05)
    (worse,) = suite_of([wrong(WrongKind.COVERED, number < 200) for number in range(400)], judged(10, 10)).bounds
    assert not worse.holds


def test_one_sentence_says_what_may_land_unseen_and_what_is_missing_for_more():
    none_let_pass = [wrong(WrongKind.COVERED, False)] * 400
    half_let_pass = [wrong(WrongKind.COVERED, number < 200) for number in range(400)]
    said = [
        bound_sentence(suite_of(tried, agents).bounds[0])
        for tried, agents in (
            (none_let_pass, judged(180, 20)),
            (half_let_pass, judged(10, 10)),
            (none_let_pass, judged(0, 6)),
        )
    ]
    assert said[0].endswith("so at 5% accepted, all that passes may land unseen")
    assert re.search(r"nothing may land unseen on these tests alone until they let at most [1-9]\.\d% pass$", said[1])
    assert said[2].endswith("nothing may land unseen on these tests alone whatever they find")


def test_the_bound_is_wrong_at_most_as_often_as_it_says():
    """Lives of agents and tests whose truth is known: wrong share, chance to be let pass, chance of right ones to pass."""
    draw = Random(7)
    worst = 0.0
    for share_wrong, lets, right_passes in ((0.3, 0.2, 1.0), (0.5, 0.1, 0.9), (0.1, 0.5, 1.0)):
        escapes = share_wrong * lets / (share_wrong * lets + (1 - share_wrong) * right_passes)
        bad, lives = 0, 600
        for _ in range(lives):
            passes = sum(draw.random() < share_wrong * lets + (1 - share_wrong) * right_passes for _ in range(40))
            missed_ = sum(draw.random() < lets for _ in range(60))
            failing, let_pass = clopper_pearson(40 - passes, 40).high, clopper_pearson(missed_, 60).high
            bad += escape_bound(failing, let_pass) < escapes
        worst = max(worst, bad / lives)
    assert worst <= 0.05


def test_half_of_the_tests_is_drawn_once_for_a_task_and_one_test_cannot_be_divided():
    names = tuple(f"t::{number}" for number in range(5))
    shown, held = halves(names, "0:x")
    assert (len(shown), len(held)) == (3, 2)
    assert sorted((*shown, *held)) == sorted(names)
    assert halves(names[::-1], "0:x") == (shown, held)
    assert halves(names[:1], "0:x") is None


def test_a_wrong_result_is_missed_only_if_nothing_shown_fails():
    task = Task("x", "", RepoSource("/r"), checks=Checks(required=("a", "b")))
    (shown,), (held,) = halves(("a", "b"), "0:x")
    assert missed(task, measured(**{shown: "p", held: "f", "kept": "p"}), ("kept",), 0) is True
    assert missed(task, measured(**{shown: "f", held: "p", "kept": "p"}), ("kept",), 0) is False
    assert missed(task, measured(**{shown: "p", held: "f", "kept": "f"}), ("kept",), 0) is False
    assert missed(task, measured(**{shown: "p", held: "p", "kept": "p"}), ("kept",), 0) is None
    assert missed(task, replace(measured(a="p", b="p"), problem="it hangs"), (), 0) is False


def test_horizons_need_tasks_of_different_lengths():
    def results(lengths):
        return [
            DrillResult(f"{n}.1", str(n), KnownAnswer.MINED, "a", "1", Outcome.PASSED if long < 20 else Outcome.FAILED, "", False, 1.0, None, long, (), "")
            for n, long in enumerate(lengths)
        ]  # fmt: skip

    assert drill_horizons(results([4.0] * 9), seed=1).reason == "9 tasks with a length; a horizon needs 10"
    assert "about as long, 4 to 10 minutes" in drill_horizons(results([4.0] * 9 + [10.0]), seed=1).reason
    (agent,) = drill_horizons(results([2.0, 4.0, 6.0, 8.0, 12.0, 18.0, 30.0, 40.0, 60.0, 90.0]), seed=1).agents
    assert 12.0 < agent.horizon(0.5).minutes < 40.0


# ---------------------------------------------------------------- the rules


def change(path, kind="M", lines=4, **more):
    return FileChange(path, kind, lines, **more)


def commit(*changes, parents=("p",), message="Mend the parser of it"):
    return Commit("c" * 40, parents, 0, message, changes)


SOURCE, TESTED = change("pkg/parser.py"), change("tests/test_parser.py")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (commit(SOURCE, TESTED), ""),
        (commit(SOURCE, TESTED, change("tests/data/x.json", "A")), ""),
        (commit(SOURCE, TESTED, parents=("p", "q")), "merge commits"),
        (commit(SOURCE, TESTED, parents=()), "with nothing before it: the first commit, or where a shallow clone ends"),
        (commit(SOURCE), "without tests"),
        (commit(SOURCE, change("tests/test_parser.py", "D")), "without tests"),
        (commit(SOURCE, change("tests/data.json")), "without tests"),
        (commit(TESTED), "without source"),
        (commit(TESTED, change("docs/conf.py")), "without source"),
        (commit(SOURCE, TESTED, change("logo.png", binary=True)), "with binary files"),
        (commit(change("pkg/b.py", "R", before="pkg/a.py"), TESTED), "that rename source files"),
        (commit(SOURCE, change("tests/test_b.py", "R", before="tests/test_a.py")), ""),
        (commit(SOURCE, TESTED, *(change(f"d{n}.txt") for n in range(20))), "of more than 20 files or 400 lines of source"),
        (commit(change("pkg/parser.py", lines=401), TESTED), "of more than 20 files or 400 lines of source"),
        (commit(SOURCE, change("tests/test_parser.py", lines=4000)), ""),
        (commit(SOURCE, TESTED, message="fix it"), "whose message has fewer than 3 words"),
        (commit(SOURCE, TESTED, message="fix it\n\nSigned-off-by: Ada Lovelace <a@x>"), "whose message has fewer than 3 words"),
    ],
)  # fmt: skip
def test_which_commits_are_candidates(given, reason):
    assert passed_over(given) == reason


def test_what_is_a_test_and_what_is_source():
    for path in ("tests/a.py", "pkg/tests/data/x.txt", "test_a.py", "pkg/a_test.py", "conftest.py", "src/Testing/x.py"):
        assert (is_test(path), is_source(path)) == (True, False), path
    for path in ("pkg/a.py", "src/pkg/contest.py", "a.py", "latest/test.c.py"):
        assert (is_test(path), is_source(path)) == (False, True), path
    for path in ("setup.py", "docs/conf.py", ".github/x.py", "README.md", "pkg/a.pyi", "benchmarks/run.py"):
        assert is_source(path) is False, path


def test_a_message_is_an_instruction_without_its_trailers():
    message = "Keep the first line\n\n\n\nIt was lost.\n\nCo-authored-by: B <b@x>\n(cherry picked from commit abc)\nSee: #12\n"
    assert wording(message) == "Keep the first line\n\nIt was lost.\n\nSee: #12"


def test_minutes_follow_the_size_of_the_patch():
    assert [estimated_minutes(lines) for lines in (0, 1, 2, 10, 100)] == [2.0, 2.0, 4.0, 20.0, 200.0]


def measured(flaky=(), **outcomes):
    letters = {"p": TestOutcome.PASSED, "f": TestOutcome.FAILED, "e": TestOutcome.ERROR, "s": TestOutcome.SKIPPED}
    return Measurement("k", "t", {name: letters[letter] for name, letter in outcomes.items()}, flaky=flaky)


def test_a_flaky_test_proves_nothing_on_either_side():
    before = measured(a="f", b="f", c="p", d="f", e="p", flaky=("d",))
    after = measured(a="p", b="p", c="p", d="p", e="f", new="p", skipped="s", flaky=("b",))
    found = turned(before, after)
    assert (found.turned, found.kept, found.flaky) == (("a", "new"), ("c",), ("b", "d"))


def test_the_past_is_read_newest_first_with_renames_and_sizes(past):
    past.commit("Add more", calc_dot_py=CLAMP_BOTH, blob_dot_bin=b"\0\1")
    past.git("mv", "calc.py", "calculate.py")
    head = past.commit("Rename it")
    found = read_history(past.root, head, 10)
    assert [each.message.strip() for each in found.commits] == ["Rename it", "Add more", "The beginning of it"]
    assert found.commits[0].changes == (FileChange("calculate.py", "R", 0, before="calc.py"),)
    assert found.commits[1].changes == (FileChange("blob.bin", "A", 0, binary=True), FileChange("calc.py", "M", 2))
    assert (found.commits[2].parents, found.commits[2].changes, found.shallow) == ((), (), False)
    assert len(read_history(past.root, head, 2).commits) == 2
