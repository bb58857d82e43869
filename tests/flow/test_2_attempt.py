"""Attempt: how it ended, and what its agent printed, which is hostile input."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeve.attempt.ending import ending_of
from reeve.attempt.events import FIRST_EVENTS, LAST_EVENTS, MAX_TEXT, declined_in, events_of, printable, spent
from reeve.records import Declined, Declines, Ending, Event, SandboxResult

# The machine may be slow; that is no finding.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def ended(ending: Ending, status: int | None = None, reason: str = "") -> tuple[Ending, str]:
    return ending_of(SandboxResult(ending, status, reason, 12.0, 1.0, 10.0))


def line(kind: str, text: str = "", **more) -> bytes:
    return json.dumps({"kind": kind, "text": text, **more}).encode() + b"\n"


# ---------------------------------------------------------------- ending


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (1, "the agent ended with status 1 after 12 s"),
        (127, "the agent ended with status 127 (the command was not found) after 12 s"),
        (-11, "the agent was ended by SIGSEGV after 12 s"),
        (137, "the agent was ended by SIGKILL after 12 s"),
        (160, "the agent was ended by signal 32 after 12 s"),
        (255, "the agent ended with status 255 after 12 s"),
    ],
)
def test_another_status_than_0_is_a_crash(status, reason):
    assert ended(Ending.FINISHED, status) == (Ending.CRASHED, reason)


def test_status_0_is_finished_and_says_nothing_of_the_result():
    assert ended(Ending.FINISHED, 0) == (Ending.FINISHED, "the agent ended by itself after 12 s")


@pytest.mark.parametrize(
    "ending",
    [
        Ending.TIME_LIMIT,
        Ending.MEMORY_LIMIT,
        Ending.DISK_LIMIT,
        Ending.OUTPUT_LIMIT,
        Ending.INTERRUPTED,
        Ending.SANDBOX_FAILED,
    ],
)
def test_what_the_sandbox_did_stands_whatever_the_status(ending):
    assert ended(ending, 0, "said by the sandbox") == (ending, "said by the sandbox")
    assert ended(ending, -9) == (ending, f"{ending.value} after 12 s")


@pytest.mark.parametrize("status", [0, 1, 127])
def test_who_declines_and_ends_by_itself_has_declined_whatever_the_status(status):
    result = SandboxResult(Ending.FINISHED, status, "", 12.0, 1.0, 10.0)
    declined = Declined(Declines.IMPOSSIBLE, "test_a  wants 2,\ntest_b wants 3" + " x" * 300)
    ending, reason = ending_of(result, declined)
    assert ending is Ending.DECLINED
    assert reason.startswith("the agent declines: impossible: test_a wants 2, test_b wants 3 x")
    assert len(reason) <= len("the agent declines: impossible: ") + 200
    assert ending_of(result, Declined(Declines.ALREADY_DONE, " \n"))[1].endswith("already-done: it gives no reason")


@pytest.mark.parametrize(
    ("result", "ending"),
    [
        (SandboxResult(Ending.FINISHED, -9, "", 1.0, 1.0, 1.0), Ending.CRASHED),
        (SandboxResult(Ending.FINISHED, 139, "", 1.0, 1.0, 1.0), Ending.CRASHED),
        (SandboxResult(Ending.TIME_LIMIT, 0, "", 1.0, 1.0, 1.0), Ending.TIME_LIMIT),
        (SandboxResult(Ending.INTERRUPTED, 0, "", 1.0, 1.0, 1.0), Ending.INTERRUPTED),
        (SandboxResult(Ending.FINISHED, None, "", 1.0, 1.0, 1.0), Ending.SANDBOX_FAILED),
    ],
)
def test_who_was_ended_has_not_declined_whatever_it_said(result, ending):
    assert ending_of(result, Declined(Declines.IMPOSSIBLE, "no"))[0] is ending


def test_an_end_without_a_status_is_the_sandboxs_failure_and_not_the_agents():
    assert ended(Ending.FINISHED) == (Ending.SANDBOX_FAILED, "the sandbox ended without the agent's exit status")


@pytest.mark.parametrize(
    ("status", "declined", "ending"),
    [
        (1, None, Ending.BUDGET_LIMIT),
        (0, None, Ending.FINISHED),
        (-11, None, Ending.CRASHED),
        (1, Declined(Declines.IMPOSSIBLE, "no"), Ending.DECLINED),
    ],
)
def test_who_gives_up_when_the_gateway_refuses_has_run_into_the_budget(status, declined, ending):
    result = SandboxResult(Ending.FINISHED, status, "", 12.0, 1.0, 10.0)
    found, reason = ending_of(result, declined, "the limit of 0.1 dollars")
    assert found is ending
    assert (reason == "the limit of 0.1 dollars") == (ending is Ending.BUDGET_LIMIT)


# ---------------------------------------------------------------- events


def test_events_and_free_text_are_read_in_order():
    raw = b"hello\nworld\n" + line("plan", "look", at_utc=5.5) + line("result", "done") + b"bye"
    assert events_of(raw, at_utc=1.0) == (
        Event(1.0, "text", "hello\nworld"),
        Event(5.5, "plan", "look"),
        Event(1.0, "result", "done"),
        Event(1.0, "text", "bye"),
    )


@pytest.mark.parametrize(
    "raw",
    [
        b'{"kind": "secret", "text": "x"}',
        b'{"kind": 3}',
        b'{"text": "x"}',
        b"{",
        b"[1]",
        b'{"kind": "text"',
        b"{" * 100_000,
    ],
)
def test_what_is_no_event_is_text(raw):
    (event,) = events_of(raw)
    assert event.kind == "text"
    assert event.text.startswith(raw[:20].decode())


def test_a_text_that_is_no_string_is_shown_as_json():
    (event,) = events_of(b'{"kind": "tool_call", "text": {"path": "a.py"}}\n')
    assert event.text == '{"path": "a.py"}'


@pytest.mark.parametrize("time_", [-1, 1e400, True, "now", None])
def test_a_time_that_cannot_be_is_not_taken(time_):
    raw = json.dumps({"kind": "text", "text": "x", "at_utc": time_}).encode()
    assert events_of(raw, at_utc=7.0)[0].at_utc == 7.0


def test_nothing_that_a_terminal_or_a_page_could_obey_gets_through():
    hostile = "\x1b[2J\x1b]0;title\x07red\x1b[31m \x00\x07\r over \u202etxt.exe \u200b\x9b31m \ud800"
    shown = printable(hostile)
    assert shown == "red \\x00\\x07\\x0d over \\u202etxt.exe \\u200b\\x9b31m \\ud800"
    shown.encode()


def test_invalid_utf_8_is_shown_and_not_raised():
    assert events_of(b"caf\xe9\n")[0].text == "caf\ufffd"


def test_a_huge_line_is_cut_and_says_how_long_it_was():
    (event,) = events_of(b"x" * 5_000_000)
    assert len(event.text) < MAX_TEXT + 50
    assert event.text.endswith("[cut: 5000000 bytes]")
    (event,) = events_of(line("text", "y" * 2_000_000))
    assert event.text.endswith("bytes]")


def test_of_too_many_events_the_ends_and_the_result_are_kept():
    half = [line("plan", str(number)) for number in range(5_000)]
    events = events_of(b"".join([*half, line("result", "found it"), *half]))
    assert len(events) == FIRST_EVENTS + LAST_EVENTS + 2
    assert events[0].text == "0"
    assert events[-1].text == "4999"
    assert events[FIRST_EVENTS].text == "[5001 events left out]"
    assert Event(0.0, "result", "found it") in events


def test_the_last_word_that_declines_counts_and_is_kept_of_too_many():
    raw = line("declined", "both cannot hold", why="impossible") + line("declined", "ask Ada", why="needs-decision")
    assert declined_in(raw) == Declined(Declines.NEEDS_DECISION, "ask Ada")
    assert events_of(raw)[1] == Event(0.0, "declined", "needs-decision: ask Ada")
    half = [line("plan", str(number)) for number in range(5_000)]
    first, second = raw.splitlines(keepends=True)
    events = events_of(b"".join([*half, first, line("result", "no"), second, *half]))
    kept = events[FIRST_EVENTS + 1 : FIRST_EVENTS + 3]
    assert kept == (Event(0.0, "result", "no"), Event(0.0, "declined", "needs-decision: ask Ada"))
    assert declined_in(line("declined", why="already-done")) == Declined(Declines.ALREADY_DONE, "")
    assert declined_in(line("declined", "a\u202eb\x1b[2J", why="impossible")).text == "a\\u202eb"
    assert len(declined_in(line("declined", "x" * 100_000, why="impossible")).text) < MAX_TEXT + 50


@pytest.mark.parametrize("why", ["", "Impossible", "too hard", None, 3, True, ["impossible"], {"impossible": 1}])
def test_a_reason_that_is_none_of_the_three_declines_nothing_and_is_text(why):
    raw = line("declined", "no", why=why)
    assert declined_in(raw) is None
    assert [event.kind for event in events_of(raw)] == ["text"]
    assert declined_in(line("declined", "no")) is None
    assert declined_in(line("result", "no", why="impossible") + b"declined: impossible\n") is None


def test_cost_is_the_largest_total_that_was_said():
    raw = line("usage", tokens=10, usd=0.5) + line("usage", tokens=30) + line("usage", tokens=20, usd=0.25)
    assert spent(raw) == (30, 0.5)


@pytest.mark.parametrize("bad", [b"NaN", b"Infinity", b"-1", b'"9"', b"true", b"null", b"1e999", b"9" * 5000])
def test_a_cost_that_is_no_amount_is_not_counted(bad):
    assert spent(b'{"kind": "usage", "tokens": ' + bad + b', "usd": ' + bad + b"}\n" + line("usage", tokens=1)) == (
        1,
        None,
    )


def test_only_usage_events_speak_of_cost():
    assert spent(line("text", tokens=5) + b"tokens: 5\n") == (None, None)


@unhurried
@given(st.binary(max_size=300))
def test_whatever_is_printed_can_be_read_shown_and_stored(raw):
    for event in events_of(raw):
        assert not set(event.text) & set(map(chr, [*range(9), *range(11, 32), *range(127, 160)]))
        json.dumps(event.text).encode()
        event.text.encode()
    spent(raw)
    declined_in(raw)
