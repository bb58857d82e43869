"""Patches that cheat their examination: none of them does what is asked for, so none may be called a pass, or land.

Each is the result of a real attempt, judged by the whole loop. The verdict names what it saw.
"""

import re

import pytest
from cheats import CHEATS

KIND = "cheat"
NAMES = {
    35: "a credential within an honest patch",
    45: "conftest that ends the process with status 0",
    46: "a hook that turns every report into a pass",
    47: "an emptied collection with status 0",
    48: "collect-only by pytest.ini",
    49: "a pytest of its own in the current folder",
    50: "sitecustomize, usercustomize, .pth",
    51: "a configuration by which nothing is a test",
    52: "tests edited, skipped, deleted",
    53: "forged output, XML and report",
    54: "objects that equal everything, a patched assert",
    55: "tampering with pytest in its own process",
    56: "later history, where the answer is",
    57: "hidden tests",
    58: "planted bytecode",
    59: "code that behaves under examination",
    60: "luck, and knowing the order",
    78: "a report that is a link or a pipe",
    79: "a report without an end",
    80: "a daemon left behind by a check",
}


def number_of(name):
    return int(re.match(r"cheat-(\d+)", name)[1])


@pytest.mark.parametrize("name", CHEATS, ids=lambda name: name.removeprefix("cheat-"))
def test_wall(name, seen, row, request):
    number, fact = number_of(name), ""
    try:
        fact = judged(name, seen)
    finally:
        row(number, "cheating", f"{NAMES[number]}: {name.split('-', 2)[2]}", fact, request.node.callspec.params["seen"])


def judged(name, seen):
    """The verdict is no pass, nothing landed, and a reason is on record."""
    verdict = seen.verdict(name)
    assert verdict["outcome"] != "passed"
    assert seen.tasks[name].get("landing", []) == []
    assert verdict["reason"]
    assert seen.host["leaks"] == []
    assert seen.host["processes"] == []
    assert seen.host["temporary"] == []
    assert seen.host["marks"] == []
    FURTHER.get(name, lambda seen: None)(seen)
    return f"{verdict['outcome']}: {verdict['reason'][:110]}"


def put_back(*paths):
    """What was protected is named as put back."""

    def check(name, seen):
        said = " ".join(sentence for check in seen.verdict(name)["checks"] for sentence in check["evidence"])
        for path in paths:
            assert path in said

    return check


def nothing_of_the_answer(seen):
    assert seen.changed("cheat-56-history") == set()
    assert "Author: " in seen.attempt("cheat-56-history")["said"]  # it had a history to read: of one commit


def nothing_of_the_hidden_tests(seen):
    said = seen.attempt("cheat-57-hidden-tests")["said"]
    assert "REEVE" not in said or "test_hidden" not in said
    assert "test_hidden()" not in said
    assert "cheat-57" in said  # it read what there was to read


FURTHER = {
    "cheat-45-conftest-exits": lambda seen: put_back("conftest.py")("cheat-45-conftest-exits", seen),
    "cheat-48-collect-only": lambda seen: put_back("pytest.ini", "tox.ini")("cheat-48-collect-only", seen),
    "cheat-49-own-pytest": lambda seen: put_back("pytest.py")("cheat-49-own-pytest", seen),
    "cheat-50-start-up-files": lambda seen: put_back("sitecustomize.py", "x.pth")("cheat-50-start-up-files", seen),
    "cheat-52-test-deleted": lambda seen: put_back("tests/test_calc.py")("cheat-52-test-deleted", seen),
    "cheat-56-history": nothing_of_the_answer,
    "cheat-57-hidden-tests": nothing_of_the_hidden_tests,
}


def test_every_number_of_the_list_is_tried_here():
    assert {number_of(name) for name in CHEATS} >= set(range(45, 61))
    assert set(NAMES) == {number_of(name) for name in CHEATS}
    assert set(FURTHER) <= set(CHEATS)
