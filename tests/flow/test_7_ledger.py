"""The ledger: append-only facts, and what is derived from them."""

import pytest

from reeve.adapters.stores.sqlite import SqliteStore
from reeve.errors import InputError
from reeve.ledger.inbox import Need, inbox
from reeve.ledger.plain import one_line, plain
from reeve.ledger.rates import Rate, pass_rates
from reeve.ledger.status import status_of
from reeve.ledger.views import FirstRound, counts, find, first_round, summaries, task_view, task_views
from reeve.records import Action, Ending, LandingOutcome, Outcome, ReviewKind
from reeve.stats.pass_at_k import Tally
from stories import DIFF, Story


@pytest.fixture
def story(tmp_path):
    store = SqliteStore(tmp_path / "state")
    yield Story(store)
    store.close()


def told(story: Story, task: str) -> tuple[str, str]:
    derived = status_of(story.store.facts(task=task))
    return str(derived.status), derived.reason


# ---------------------------------------------------------------- status


def test_a_task_moves_through_its_statuses_as_its_facts_arrive(story):
    seen = []

    def look() -> None:
        seen.append(told(story, "t"))

    story.task("t")
    look()
    story.order("t.1", of=2)
    story.order("t.2", index=1, of=2)
    look()
    story.attempt("t.1")
    look()
    story.attempt("t.2")
    look()
    story.verdict("t.1")
    look()
    story.verdict("t.2", Outcome.FAILED)
    look()
    story.selection("t", "t.1")
    story.decide("t", Action.LAND, "t.1")
    look()
    story.land("t.1")
    look()
    story.review("t.1", ReviewKind.REVERT, "it was slow")
    look()
    assert seen == [
        ("queued", "waits for its first attempt"),
        ("working", "2 attempts of 2 at work"),
        ("working", "1 attempt of 2 at work"),
        ("verifying", "2 results being checked"),
        ("verifying", "1 result being checked"),
        ("verifying", "all attempts are judged; the selection follows"),
        ("verifying", "waits for its turn to land: t.1 passed: the only one that passed"),
        ("landed", "landed as 29bb4ff57c on reeve/landed"),
        ("reverted", "reverted: it was slow"),
    ]


def test_a_second_round_after_a_failed_one_is_at_work_again(story):
    story.failed("t")
    assert told(story, "t")[0] == "failed"
    story.order("t.3", round_=3)
    assert told(story, "t") == ("working", "1 attempt of 1 at work")


def test_an_interrupted_attempt_leaves_its_task_queued(story):
    story.task("t")
    story.attempt("t.1", ending=Ending.INTERRUPTED, reason="a person stopped it")
    assert told(story, "t") == ("queued", "will be attempted again: a person stopped it")


def test_facts_of_an_older_version_of_a_task_are_history(story):
    story.landed("t")
    story.task("t", instruction="Now also keep the last line.")
    assert told(story, "t")[0] == "queued"
    assert summaries(story.store)[0].attempts == 0
    assert task_view(story.store, "t").task.instruction == "Now also keep the last line."


def test_a_landed_task_stays_landed_when_a_person_agrees(story):
    landing = story.landed("t")
    story.review("t.1", ReviewKind.ACCEPT, commit=landing.commit)
    assert told(story, "t")[0] == "landed"
    assert summaries(story.store)[0].landed == landing.commit


def test_an_accepted_result_that_did_not_land_still_needs_a_person(story):
    story.unproven("t")
    story.review("t.1", ReviewKind.ACCEPT)
    assert told(story, "t") == ("needs-you", "accepted, not landed yet: `reeve accept t.1` again lands it")
    story.land("t.1", LandingOutcome.CONFLICT, "conflict in a.py")
    assert told(story, "t") == ("needs-you", "accepted, but it did not land: conflict in a.py")
    story.land("t.1", key="t.1+1")
    assert told(story, "t")[0] == "landed"


def test_a_rejected_task_says_why(story):
    story.unproven("t")
    story.review("t.1", ReviewKind.REJECT, "wrong approach")
    assert told(story, "t") == ("rejected", "rejected: wrong approach")


def test_a_verdict_on_a_patch_from_elsewhere_changes_no_status(story):
    story.task("t")
    before = told(story, "t")
    story.verdict("patch:abc", task="t")
    assert told(story, "t") == before
    assert [verdict.id for verdict in task_view(story.store, "t").verdicts] == ["patch:abc"]


def test_a_status_carries_the_facts_that_prove_it(story):
    story.landed("t")
    proof = status_of(story.store.facts(task="t")).proof
    assert [(fact.kind, fact.key) for fact in proof] == [("landing", "t.1"), ("verdict", "t.1")]


def test_status_does_not_depend_on_the_order_in_which_facts_are_given(story):
    story.fleet()
    for row in summaries(story.store):
        facts = story.store.facts(task=row.id)
        assert status_of(facts) == status_of(list(reversed(facts)))


# ---------------------------------------------------------------- views


def test_the_fleet_is_summarised_in_the_order_in_which_tasks_came(story):
    story.fleet()
    rows = summaries(story.store)
    assert [(row.id, str(row.status), row.attempts) for row in rows] == [
        ("first-line", "landed", 1),
        ("slices", "landed", 1),
        ("dates", "failed", 2),
        ("numbers", "needs-you", 1),
        ("docs", "needs-you", 1),
        ("speed-a", "needs-you", 0),
        ("speed-b", "needs-you", 0),
        ("names", "working", 2),
    ]
    assert {str(status): number for status, number in counts(rows).items()} == {
        "working": 1,
        "landed": 2,
        "needs-you": 4,
        "failed": 1,
    }


def test_minutes_of_people_are_those_of_their_reviews(story):
    story.unproven("t")
    story.review("t.1", ReviewKind.ACCEPT, minutes=2.5)
    story.review("t.1", ReviewKind.REJECT, "no", minutes=1.0)
    assert summaries(story.store)[0].human_minutes == 3.5


def test_an_attempt_without_an_end_is_live(story):
    story.working("t")
    story.attempt("t.1")
    assert [(item.id, item.live) for item in task_view(story.store, "t").attempts] == [("t.1", False), ("t.2", True)]


def test_the_chosen_attempt_is_the_landed_one(story):
    story.landed("t")
    assert task_view(story.store, "t").chosen.id == "t.1"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("first-lin", "no task 'first-lin' in the ledger; did you mean 'first-line'?"),
        ("zzz", "no task 'zzz' in the ledger; `reeve status` lists the tasks"),
        ("first-line.9", "no attempt 'first-line.9' of task 'first-line': it has first-line.1"),
        ("patch:00", "no verdict 'patch:00' in the ledger; `reeve show TASK` lists those of a task"),
    ],
)
def test_an_unknown_id_is_refused_with_the_nearest_known_one(story, wanted, message):
    story.fleet()
    with pytest.raises(InputError) as caught:
        find(story.store, wanted)
    assert str(caught.value) == message


def test_only_the_first_round_counts_for_pass_at_k(story):
    story.failed("a")
    story.landed("b")
    story.unproven("c")
    assert first_round(story.store) == FirstRound({Tally(1, 0): 1, Tally(1, 1): 1}, passed=1, wrong=1)


def test_an_attempt_that_declines_has_not_passed_and_is_counted_apart_from_a_wrong_one(story):
    story.declined("a")
    story.failed("b")
    story.landed("c")
    first = first_round(story.store)
    assert first == FirstRound({Tally(1, 0): 2, Tally(1, 1): 1}, passed=1, wrong=1, declined=1)
    assert told(story, "a") == ("needs-you", "the agent declines: impossible: 2 is not 3")


def test_rates_of_several_attempts_rest_on_the_tasks_that_had_several():
    assert pass_rates(()) == ()
    assert pass_rates((Tally(1, 1), Tally(2, 1), Tally(2, 2))) == (
        Rate("pass@1", pytest.approx(2.5 / 3), 3),
        Rate("pass@2", 1.0, 2),
        Rate("pass^2", 0.5, 2),
    )
    assert [rate.name for rate in pass_rates((Tally(1, 1),))] == ["pass@1"]


# ---------------------------------------------------------------- inbox


def test_the_inbox_is_ordered_by_what_a_minute_of_a_person_is_worth(story):
    story.unprovable("no-checks", human_minutes=500.0)
    story.broken_setup("broken-a", human_minutes=100.0)
    story.broken_setup("broken-b", human_minutes=100.0)
    story.unproven("unproven-small", human_minutes=5.0)
    story.unproven("unproven-large", human_minutes=50.0)
    story.unproven("unproven-unestimated")
    story.declined("refused", human_minutes=400.0)
    story.conflicting("conflict", human_minutes=30.0)
    story.landed("drawn", human_minutes=5.0)
    story.drawn("drawn.1")
    story.landed("not-drawn")
    story.drawn("not-drawn.1", uniform=False)
    story.landed("wrong", human_minutes=20.0)
    story.review("wrong.1", ReviewKind.WRONG, "no", commit="c")
    items = inbox(task_views(story.store))
    assert [(item.need, item.tasks, item.worth) for item in items] == [
        (Need.WRONG, ("wrong",), 36.36),  # 4 x 20 minutes for 2.2
        (Need.DECLINED, ("refused",), 20.0),
        (Need.UNVERIFIED, ("unproven-large",), 6.82),
        (Need.SETUP_FAILED, ("broken-a", "broken-b"), 6.0),  # both for one look
        (Need.AUDIT, ("drawn",), 5.45),
        (Need.NO_CHECKS, ("no-checks",), 5.0),
        (Need.CONFLICT, ("conflict",), 3.87),
        (Need.UNVERIFIED, ("unproven-unestimated",), 1.36),
        (Need.UNVERIFIED, ("unproven-small",), 0.68),
    ]


def test_accepting_is_offered_for_a_declined_task_only_where_there_is_a_patch(story):
    story.declined("bare")
    story.declined("patched", diff=DIFF)
    bare, patched = inbox(task_views(story.store))
    assert bare.next == ("reeve show bare.1", "reeve log bare.1", 'reeve reject bare -m "why"')
    assert (bare.lines, patched.lines) == (None, 2)
    assert patched.next[2:] == ("reeve diff patched.1", "reeve accept patched.1", 'reeve reject patched -m "why"')


def test_a_failed_set_up_is_one_thing_to_do_and_another_environment_another(story):
    story.broken_setup("a", key="env1")
    story.broken_setup("b", key="env2")
    story.broken_setup("c", key="env1")
    items = inbox(task_views(story.store))
    assert [item.tasks for item in items] == [("a", "c"), ("b",)]
    assert items[0].reason == "pip could not install 'numpyy': no such project"


def test_nothing_is_in_the_inbox_once_a_person_decided(story):
    story.unproven("t")
    story.review("t.1", ReviewKind.REJECT, "no")
    assert inbox(task_views(story.store)) == ()


# ---------------------------------------------------------------- what is shown


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\rb\x07", "a␍b␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("user\u202etxt.exe", "user<U+202E>txt.exe"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("\ud800", "<U+D800>"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("naïve 日本語 🙂", "naïve 日本語 🙂"),
    ],
)
def test_nothing_that_a_terminal_would_obey_is_shown_raw(hostile, shown):
    assert plain(hostile) == shown


def test_one_line_is_one_line_of_the_width_asked_for():
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("abcdefgh", 5) == "abcd…"
