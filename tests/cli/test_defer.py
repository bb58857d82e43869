"""Putting off what needs a person: refused where there is nothing, gone until its time or until news, taken back."""

import datetime as dt

import pytest

from reeve.cli.later import until
from reeve.errors import InputError
from reeve.ledger.inbox import apart, inbox
from reeve.ledger.looks import look, measured_minutes
from reeve.ledger.views import task_view, task_views
from reeve.records import Deferral, Outcome, ReviewKind
from stories import START

HOUR = 3600.0


@pytest.fixture
def fleet(story):
    return story.fleet()


def lists(reeve) -> tuple[list[str], list[str]]:
    found = reeve("inbox", "--json").json
    return tuple([item["tasks"][0] for item in found[name]] for name in ("items", "deferred"))


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docz"], "no task 'docz' in the ledger; did you mean 'docs'?"),
        (["dates"], "putting off 'dates': it needs nothing from you, it is failed"),
        (["names.1"], "putting off 'names.1': it needs nothing from you, it is working"),
        (["docs", "--for", "soon"], "found 'soon', wanted a time like 30min, 2h, 1d or 1w, or tomorrow"),
        (["docs", "--for", "0h"], "found '0h', wanted a time"),
        (["docs", "--for", "-2h"], "found '-2h', wanted a time"),
        (["docs", "--for", "\u0662h"], "wanted a time"),
        (["docs", "--for", "2000000d"], "wanted a time"),
        (["docs", "--for", "91d"], "until a time between now and 90 days from now, not 91 days"),
        (["docs", "--now"], "bringing back 'docs': it is not put off"),
        (["docs", "--now", "--for", "1h"], "leave out --for and --message"),
        (["docs", "--now", "-m", "why"], "leave out --for and --message"),
    ],
)
def test_what_cannot_be_put_off_is_said(reeve, fleet, arguments, said):
    found = reeve("defer", *arguments)
    assert (found.code, said in found.err) == (2, True), found.err
    assert fleet.store.facts(kind="deferral") == []


def test_where_nothing_was_run_there_is_nothing_to_put_off(reeve):
    assert "empty: `reeve run`" in reeve("defer", "docs").err


# ---------------------------------------------------------------- gone, and back


def test_it_leaves_the_inbox_and_is_listed_with_its_time(reeve, fleet):
    assert lists(reeve) == (["numbers", "docs", "speed-a"], [])
    said = reeve("defer", "numbers.1", "--for", "2h", "-m", "after lunch", "--json").json
    assert (said["id"], said["reason"], said["minutes"]) == ("numbers", "after lunch", 0.0)
    assert said["until_utc"] - said["at_utc"] == pytest.approx(2 * HOUR)
    assert lists(reeve) == (["docs", "speed-a"], ["numbers"])
    shown = reeve("inbox").out
    assert "1 thing put off; `reeve defer ID --now` brings one back" in shown
    assert "numbers.1 until" in shown
    assert ": after lunch" in shown
    assert task_view(fleet.store, "numbers").status == "needs-you"


def test_it_is_taken_back(reeve, fleet):
    reeve("defer", "docs")
    assert "docs is back in the inbox" in reeve("defer", "docs", "--now").out
    assert lists(reeve) == (["numbers", "docs", "speed-a"], [])
    assert reeve("defer", "docs", "--now").code == 2


def test_one_cause_is_put_off_as_one_and_comes_back_by_any_of_its_tasks(reeve, fleet):
    reeve("defer", "speed-b")
    assert lists(reeve) == (["numbers", "docs"], ["speed-a"])
    assert reeve("defer", "speed-a", "--now").code == 0
    assert lists(reeve)[1] == []


def test_its_time_comes_and_news_bring_it_back_before(fleet):
    fleet.tell("deferral", "docs~1", "docs", Deferral("docs", START + 10 * HOUR, START))
    items = inbox(task_views(fleet.store))
    names = lambda found: [item.tasks[0] for item in found]  # noqa: E731 - one use
    assert [names(part) for part in apart(items, START + 10 * HOUR - 1)] == [["numbers", "speed-a"], ["docs"]]
    assert [names(part) for part in apart(items, START + 10 * HOUR)] == [["numbers", "docs", "speed-a"], []]
    fleet.attempt("docs.2", round_=2)
    fleet.verdict("docs.2", Outcome.UNVERIFIED)
    fleet.decide("docs", "ask", "docs.2", round_=2)
    assert [names(part) for part in apart(inbox(task_views(fleet.store)), START)] == [
        ["numbers", "docs", "speed-a"],
        [],
    ]


def test_what_returns_first_is_listed_first(fleet):
    for task, hours in (("docs", 3), ("numbers", 1)):
        fleet.tell("deferral", f"{task}~1", task, Deferral(task, START + hours * HOUR, START))
    _, later = apart(inbox(task_views(fleet.store)), START)
    assert [item.tasks[0] for item in later] == ["numbers", "docs"]


# ---------------------------------------------------------------- minutes


def test_minutes_before_and_after_count_and_the_time_between_does_not(reeve, fleet):
    store = fleet.store
    look(store, task_view(store, "docs"), START)
    deferral = Deferral("docs", START + 20 * HOUR, START + 240.0, minutes=4.0)
    fleet.tell("deferral", "docs~1", "docs", deferral)
    view = task_view(store, "docs")
    assert view.spent_minutes == 4.0
    assert measured_minutes(store, view, START + 30 * HOUR) == 4.0  # nobody has looked since
    look(store, view, START + 20 * HOUR)
    assert measured_minutes(store, view, START + 20 * HOUR + 120.0) == pytest.approx(6.0)
    fleet.review("docs.1", ReviewKind.REJECT, "no", minutes=6.0)
    assert task_view(store, "docs").spent_minutes == 6.0  # those of the deferral are among them


def test_putting_it_off_measures_the_look_before_it(reeve, fleet):
    import time

    look(fleet.store, task_view(fleet.store, "docs"), time.time() - 180.0)
    assert reeve("defer", "docs", "--json").json["minutes"] == pytest.approx(3.0, abs=0.5)


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("said", "seconds"), [("30min", 1800), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400), ("1w", 604800)]
)
def test_times_from_now(said, seconds):
    assert until(said, START) == START + seconds


def test_tomorrow_is_the_next_morning_where_we_are():
    found = dt.datetime.fromtimestamp(until("tomorrow", START)).astimezone()
    now = dt.datetime.fromtimestamp(START).astimezone()
    assert (found.date() - now.date()).days == 1
    assert (found.hour, found.minute) == (8, 0)


@pytest.mark.parametrize("said", ["", "h", "2", "2 hours", "1e3h", "nan", "1d2h", "2h\n2h"])
def test_no_other_words_are_times(said):
    with pytest.raises(InputError, match="wanted a time"):
        until(said, START)
