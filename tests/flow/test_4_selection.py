"""The selection: which attempt of a round is best, and why."""

from hypothesis import given
from hypothesis import strategies as st

from reeve.records import Outcome, Policy, Verdict
from reeve.selection.choose import RULE, choose

POLICY = Policy("1")


def verdict(attempt, outcome=Outcome.PASSED, *, lines=10, needed=None, seconds=1.0):
    return Verdict(
        attempt, "t", attempt, "base", "tree", outcome, "", lines=lines, needed_lines=needed, wall_seconds=seconds
    )


def chosen(*verdicts):
    return choose("t", 1, verdicts, POLICY)


def test_the_smallest_needed_patch_is_chosen():
    found = chosen(verdict("t.1", lines=4), verdict("t.2", lines=30, needed=2), verdict("t.3", lines=6, needed=5))
    assert found.chosen == "t.2"
    assert [ranked.attempt for ranked in found.ranking] == ["t.2", "t.1", "t.3"]
    assert found.rule == RULE
    assert found.reason == "t.2 needs the fewest changed lines of 3 that passed: 2 against 4 of t.1"


def test_lines_then_time_then_order_break_ties():
    assert chosen(verdict("t.1", lines=9, needed=2), verdict("t.2", lines=3, needed=2)).chosen == "t.2"
    by_time = chosen(verdict("t.1", seconds=5.0), verdict("t.2", seconds=2.0))
    assert (by_time.chosen, "least time" in by_time.reason) == ("t.2", True)
    assert chosen(verdict("t.10"), verdict("t.9")).chosen == "t.9"


def test_nothing_is_chosen_where_nothing_passed():
    found = chosen(verdict("t.1", Outcome.FAILED), verdict("t.2", Outcome.UNVERIFIED, lines=99))
    assert found.chosen is None
    assert [ranked.attempt for ranked in found.ranking] == ["t.2", "t.1"]
    assert found.reason == "none of 2 attempts passed: 1 unverified and 1 failed"
    assert chosen().chosen is None


def test_a_failed_attempt_is_never_preferred():
    assert chosen(verdict("t.1", Outcome.FAILED, lines=1), verdict("t.2", lines=500)).chosen == "t.2"


@given(st.permutations([verdict(f"t.{n}", outcome, lines=n % 3) for n in range(1, 6) for outcome in Outcome]))
def test_the_order_in_which_verdicts_come_does_not_matter(verdicts):
    assert chosen(*verdicts) == chosen(*sorted(verdicts, key=lambda one: (one.attempt, one.outcome)))
