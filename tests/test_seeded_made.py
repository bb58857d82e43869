"""What items of known truth are made of where no attempt of a drill offers itself, how truth is proved, and the share."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve.adapters.environments.fake import copied_environment
from reeve.cli.drill import Source
from reeve.cli.run import mixing_of
from reeve.decision.seeded import UNUSED, decide_seeded
from reeve.durable.seeding import _proof, _Result
from reeve.errors import SettingsError
from reeve.records import (
    Action,
    Checks,
    Decision,
    HiddenFile,
    KnownAnswer,
    Measurement,
    RepoSource,
    Status,
    Task,
    TestOutcome,
)
from reeve.settings import read_settings
from reeve.task.seeded import chance_of, has_room, retimed, seeded_task
from seeded_life import SeededLife, asked, module


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return copied_environment(tmp_path_factory.mktemp("env"))


# ---------------------------------------------------------------- solutions and defects


@pytest.mark.parametrize("right", [True, False])
def test_a_solution_with_and_without_a_part_are_of_one_form_where_no_attempt_of_the_agent_is_of_use(
    tmp_path, environment, right
):
    life = SeededLife(tmp_path, environment, whole=(), part=())
    names = {"first": "abc", "second": "a", "third": "b"}
    files = {f"{name}_dot_py": module() for name in names}
    files |= {f"tests__test_{name}_dot_py": asked(name, letters) for name, letters in names.items()}
    life.past.commit("Write all of the modules", **files)
    life.drill().key(right=right).run()
    (item,) = life.items
    assert (item.right, item.own, life.view(item.task.id).status) == (right, False, Status.NEEDS_YOU)
    changed = [change.path for change in life.view(item.task.id).attempts[0].attempt.patch.changes]
    assert len(changed) == (3 if right else 2)
    assert all(name.startswith("tests/test_") for name in item.proof)
    assert item.what.endswith("without a part of it") is not right
    assert not {*item.proof} & {*item.task.checks.required, *item.task.checks.keep}


@pytest.mark.parametrize("right", [True, False])
def test_of_two_defects_both_are_undone_or_one_is_put_in_the_place_of_the_other(tmp_path, environment, right):
    life = SeededLife(tmp_path, environment, whole=("alpha",), part=())
    life.source = Source.DEFECTS
    life.drill().key(right=right).run()
    (item,) = life.items
    assert (item.right, len(item.made_of), life.view(item.task.id).status) == (right, 2, Status.NEEDS_YOU)
    assert (item.task.known_answer, item.task.planted) == (None, ())
    assert item.task.instruction.startswith(f"The test {item.task.checks.required[0]}")
    (change,) = life.view(item.task.id).attempts[0].attempt.patch.changes
    assert (change.path, change.lines_added, change.lines_removed) == ("alpha.py", 2, 2)
    assert bool(item.proof) is not right


# ---------------------------------------------------------------- truth

PASSED, FAILED = TestOutcome.PASSED, TestOutcome.FAILED
RESULT = _Result("base", "tree", Checks(required=("a",), keep=("k",)), ("b", "c"))
ALL_PASS = dict.fromkeys("akbc", PASSED)


def measured(flaky=(), problem="", **outcomes):
    return Measurement("key", "tree", {**ALL_PASS, **outcomes}, flaky=tuple(flaky), problem=problem)


@pytest.mark.parametrize(
    ("found", "right", "proof"),
    [
        (measured(), True, ("b", "c")),
        (measured(), False, None),  # said to be wrong, and nothing that is held back fails
        (measured(b=FAILED), False, ("b",)),
        (measured(b=FAILED), True, None),
        (measured(b=TestOutcome.ERROR, c=FAILED), False, ("b", "c")),
        (measured(b=TestOutcome.SKIPPED), False, None),
        (measured(b=TestOutcome.SKIPPED), True, None),
        (measured(a=FAILED, b=FAILED), False, None),  # what is shown would give it away
        (measured(k=FAILED, b=FAILED), False, None),
        (measured(b=FAILED, flaky=["b"]), False, None),
        (measured(b=FAILED, flaky=["b"], c=FAILED), False, ("c",)),
        (measured(flaky=["a"], b=FAILED), False, None),
        (measured(flaky=["c"]), True, None),
        (measured(b=FAILED, problem="it hangs"), False, None),
    ],
)
def test_the_truth_is_what_the_tests_show_every_time_or_there_is_no_item(found, right, proof):
    assert _proof(found, RESULT, right=right) == proof


def test_only_the_tree_that_was_proved_is_put_before_a_person_and_only_where_any_other_would_be():
    asks = Decision("t", 1, Action.ASK, "t.1", "land = trusted: not certified yet", "t.1 passed", {"passed": 1.0}, "p")
    assert decide_seeded(asks, "tree", "tree") == asks
    for found, tree in (
        (asks, "another"),
        (replace(asks, action=Action.LAND), "tree"),
        (replace(asks, numbers={"passed": 0.0}), "tree"),
        (replace(asks, action=Action.GIVE_UP, attempt=None), None),
        (replace(asks, action=Action.AGAIN, attempt=None), None),
        (replace(asks, attempt=None), None),
    ):
        given_up = decide_seeded(found, tree, "tree")
        assert (given_up.action, given_up.attempt, given_up.rule) == (Action.GIVE_UP, None, UNUSED)


# ---------------------------------------------------------------- form


MINED = Task(
    "clamp-it-01234567",
    "Clamp it",
    RepoSource("/r"),
    base="c" * 40,
    checks=Checks(required=("a",), test_patch="diff"),
    human_minutes=4.0,
    known_answer=KnownAnswer.MINED,
    source="commit 0123456789",
    digest="d",
)
HOST = Task("own", "Own", RepoSource("/r"), checks=Checks(commands=()), agents=("x", "y"), attempts=3, only_needed=True)


def test_an_item_has_the_form_of_the_task_beside_it_and_says_nothing_of_where_it_is_from():
    made = seeded_task(MINED, HOST, Checks(required=("a",), keep=("k",)), "ledger")
    assert (made.known_answer, made.planted, made.human_minutes, made.checks.test_patch) == (None, (), None, None)
    assert (made.agents, made.attempts, made.only_needed, made.kind) == (("x", "y"), 3, True, HOST.kind)
    assert (made.source, made.id[:-6], made.base) == ("command line:1", "clamp-it-", MINED.base)
    assert made.id != seeded_task(MINED, HOST, Checks(required=("a",), keep=("k",)), "another").id
    tagged = seeded_task(MINED, replace(HOST, tags=("bug",), human_minutes=9.0), Checks(required=("a",)), "ledger")
    assert (tagged.tags, tagged.kind, tagged.human_minutes) == (("bug",), "bug", 4.0)
    defect = replace(MINED, known_answer=KnownAnswer.INJECTED, planted=(HiddenFile("a.py", b""),), source="a defect")
    made = seeded_task(defect, HOST, Checks(required=("t.py::test_a[1]", "t.py::test_b")), "ledger")
    assert made.instruction.startswith("The test t.py::test_a[1] and 1 more fail. ")
    assert (made.source, made.planted) == ("failing test t.py::test_a:1", ())


def test_the_events_of_a_trajectory_get_times_of_today_and_all_else_stays():
    raw = b'not json\n{"kind": "text", "text": "x", "at_utc": 10.5}\n{"at_utc": "x"}\n["at_utc"]\n\xff\n{"at_utc"'
    lines = retimed(raw, 100.0).splitlines()
    assert b'"at_utc": 110.5' in lines[1]
    assert [*lines[:1], *lines[2:]] == [*raw.splitlines()[:1], *raw.splitlines()[2:]]
    assert retimed(b'{"at_utc": ' + b"[" * 100_000, 1.0) == b'{"at_utc": ' + b"[" * 100_000


# ---------------------------------------------------------------- share


@given(share=st.floats(0.01, 0.5), seed=st.integers(0, 1000))
def test_never_more_than_the_share_of_what_waits_but_for_rounding(share, seed):
    draw, seeded = Random(seed), 0
    for others in range(1, 200):
        if draw.random() < chance_of(share) and has_room(share, others, seeded):
            seeded += 1
        assert seeded <= share * (others + seeded) + 1


def test_over_many_results_the_share_is_the_one_that_was_asked_for():
    draw, seeded, others = Random(1), 0, 100_000
    for waited in range(1, others + 1):
        seeded += draw.random() < chance_of(0.05) and has_room(0.05, waited, seeded)
    assert seeded / (seeded + others) == pytest.approx(0.05, abs=0.003)
    assert not has_room(0.0, 1000, 0)


def test_it_is_on_by_default_and_a_share_of_more_than_a_half_is_refused(tmp_path):
    assert mixing_of(read_settings(tmp_path, {}), None).seeded_share == 0.05
    assert mixing_of(read_settings(tmp_path, {}), 0.5).seeded_share == 0.05
    for share, refused in (("0", False), ("0.5", False), ("0.51", True), ("-0.1", True), ("'x'", True), ("nan", True)):
        (tmp_path / "reeve.toml").write_text(f"[trust]\nseeded_share = {share}\n")
        if refused:
            with pytest.raises(SettingsError, match=r"trust\.seeded_share"):
                read_settings(tmp_path, {})
        else:
            assert mixing_of(read_settings(tmp_path, {}), None).seeded_share == float(share)
