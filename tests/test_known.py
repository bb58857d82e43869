"""Tasks whose answer is known, made of others: nothing in them gives away what they are for."""

import re
from dataclasses import replace

import pytest

from reeve.records import ID, Checks, HiddenFile, KnownAnswer, RepoSource, Runner, Task
from reeve.task.known import drawn, impossible, solved, solved_first

CONTENT = b"def test_one(): assert 1 == 1\n"
TASK = Task(
    "parser",
    "Mend the parser.",
    RepoSource("/r"),
    checks=Checks(required=("tests/test_parser.py::test_one[a::b-1]",), keep=("tests",)),
    attempts=5,
    agents=("one", "two", "three"),
    human_minutes=20.0,
    tags=("x",),
    source="backlog/parser.md:1",
    digest="d",
)
FILES = {"tests/test_parser.py": CONTENT, "tests/parser_test.py": CONTENT}


def opposite(content, test):
    return content.replace(b"==", b"!=") + b"# " + test.encode()


def made(task=TASK, files=FILES, invert=opposite, ledger="ledger"):
    return impossible(task, ledger=ledger, commit="c" * 40, read=files.get, invert=invert)


def required(*ids, **checks):
    return replace(TASK, checks=Checks(required=ids, **checks))


def test_an_impossible_one_asks_for_a_test_and_its_opposite_and_is_an_ordinary_task_otherwise():
    task = made()
    (planted,) = task.planted
    assert planted.content == b"def test_one(): assert 1 != 1\n# test_one\n"
    assert re.fullmatch(r"tests/test_parser_[a-z]+\.py", planted.path)
    assert task.checks == Checks(
        required=("tests/test_parser.py::test_one[a::b-1]", f"{planted.path}::test_one[a::b-1]"), keep=("tests",)
    )
    assert (task.known_answer, task.base, task.attempts) == (KnownAnswer.IMPOSSIBLE, "c" * 40, 1)
    assert (sorted(task.agents), task.human_minutes) == (["one", "three", "two"], None)
    assert (task.instruction, task.repo, task.limits, task.tags) == (TASK.instruction, TASK.repo, TASK.limits, ("x",))
    assert re.fullmatch(r"parser-[0-9a-f]{6}", task.id)
    assert not re.search("canary|known|answer|impossible|contra|invert|fake|trap", f"{task.id} {planted.path}")
    assert task == made()
    assert made(ledger="another").id != task.id
    assert made(replace(TASK, digest="e")).digest != task.digest


WHOLE = b"""\
import unittest

import pytest

LIMIT = 3


def test_first():
    assert LIMIT == 3


def helper():
    return test_named


@pytest.mark.parametrize("value", [1, 2])
def test_wanted(value):
    assert value == LIMIT


def test_named():
    pass


class TestShop(unittest.TestCase):
    def setUp(self):
        self.value = 1

    def test_one(self):
        self.assertEqual(self.value, 1)

    def test_two(self):
        pass


class TestOther:
    def test_all(self):
        pass
"""
ALONE = b"""\
import unittest

import pytest

LIMIT = 3


def helper():
    return test_named


@pytest.mark.parametrize("value", [1, 2])
def test_wanted(value):
    assert value != LIMIT


def test_named():
    pass
"""
CASE_ALONE = b"""\
class TestShop(unittest.TestCase):
    def setUp(self):
        self.value = 1

    def test_one(self):
        self.assertEqual(self.value, 1)
"""


def test_the_planted_file_holds_one_test_and_what_it_needs():
    files = {"tests/test_parser.py": WHOLE}
    task = made(
        required("tests/test_parser.py::test_wanted[1]"),
        files,
        lambda content, _: content.replace(b"value ==", b"value !="),
    )
    assert task.planted[0].content == ALONE
    task = made(required("tests/test_parser.py::TestShop::test_one"), files, lambda content, _: content)
    assert task.planted[0].content.endswith(CASE_ALONE)


def test_every_agent_of_a_task_gets_its_share():
    first = {made(replace(TASK, digest=str(number))).agents[0] for number in range(40)}
    assert first == {"one", "two", "three"}


def test_an_id_stays_an_id_however_long_the_first_one_was():
    task = made(replace(TASK, id="x" * 100))
    assert ID.fullmatch(task.id)


@pytest.mark.parametrize(
    "task",
    [
        required("tests/test_parser.py::test_one", hidden=(HiddenFile("tests/test_parser.py", b""),)),
        required("tests/test_parser.py::test_one", test_patch="diff"),
        required("tests/test_parser.py::test_one", runner=Runner.JUNIT, test_command="x", report="y"),
        required("tests/test_none.py::test_one"),
        required("tests/test_parser.py"),
        required(),
    ],
)
def test_where_a_test_is_unseen_or_unread_there_is_no_opposite(task):
    assert made(task) is None


@pytest.mark.parametrize("error", [SyntaxError, ValueError, RecursionError, MemoryError])
def test_a_test_file_that_cannot_be_read_as_one_makes_none(error):
    def invert(_content, _test):
        raise error("cannot")

    assert made(invert=invert) is None
    assert made(invert=lambda _content, _test: None) is None
    assert made(files={"tests/test_parser.py": b"x" * (2**20 + 1)}) is None


def test_one_that_can_be_turned_round_is_taken_where_another_cannot():
    ids = [f"tests/test_parser.py::test_{name}" for name in "abcdef"]
    task = made(required(*ids), invert=lambda content, test: content if test == "test_e" else None)
    assert task.checks.required[-1].endswith("::test_e")


def test_a_planted_file_takes_no_name_that_is_there_and_follows_the_habit_of_its_folder():
    taken = {}
    for _ in range(6):
        path = made(files=FILES | taken).planted[0].path
        assert path not in taken
        taken[path] = b""
    assert made(files=FILES | taken) is None
    beside = made(required("tests/parser_test.py::Case::test_one")).planted[0].path
    assert re.fullmatch(r"tests/parser_[a-z]+_test\.py", beside)


def test_a_solved_one_is_the_landed_task_from_its_own_commit_for_the_agents_at_work():
    landed = replace(TASK, id="landed", agents=("gone",), digest="l")
    task = solved(landed, TASK, ledger="ledger", commit="e" * 40)
    assert (task.known_answer, task.base, sorted(task.agents)) == (
        KnownAnswer.SOLVED,
        "e" * 40,
        ["one", "three", "two"],
    )
    assert (task.checks, task.attempts, task.planted) == (landed.checks, 1, ())
    assert task.id.startswith("landed-")


def test_a_draw_rests_on_ledger_and_content_and_what_a_low_rate_draws_a_high_one_does():
    tasks = [replace(TASK, digest=str(number)) for number in range(3000)]
    low, high = ({task.digest for task in tasks if drawn(task, "ledger", rate)} for rate in (0.02, 0.5))
    assert low < high
    assert 30 < len(low) < 90  # 60 are expected
    assert low != {task.digest for task in tasks if drawn(task, "another", 0.02)}
    assert not any(drawn(task, "ledger", 0.0) for task in tasks)
    assert all(drawn(task, "ledger", 1.0) for task in tasks)
    assert 1300 < sum(solved_first(task, "ledger") for task in tasks) < 1700
