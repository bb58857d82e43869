"""What is spent against what may be: the sums of the gateway's facts, what it has reserved, live, and the same everywhere."""

import json
import os
import time

import pytest
from playwright.sync_api import expect
from served import serving

from reeve.durable.locks import only_run
from reeve.ledger.codec import encode
from reeve.ports import Fact
from reeve.records import Limits, Request, RequestOutcome

SOON = 15_000
DAY = 86_400.0


@pytest.fixture
def budgeted(tmp_path):
    (tmp_path / "reeve.toml").write_text(
        "[budgets]\ntask_usd = 2.0\nrun_usd = 4.0\nday_usd = 10.0\nday_tokens = 50000\n"
    )
    with serving(tmp_path) as found:
        yield found


def asked(attempt, number, usd, tokens, *, run="r1", at_utc=None) -> Request:
    at = time.time() if at_utc is None else at_utc
    task = attempt.partition(".")[0]
    outcome = RequestOutcome.ANSWERED
    return Request(attempt, task, number, run, at, "h", "POST", "/v1", outcome, tokens=tokens, usd=usd)


def settle(story, request) -> None:
    story.store.append(Fact("request", str(request.number), request.task, encode(request), request.at_utc))


def reserve(story, *lines) -> None:
    folder = story.store.folder / "gateway"
    folder.mkdir(exist_ok=True)
    told = [json.dumps(line if isinstance(line, int) else encode(line)) for line in lines]
    (folder / "reserved.jsonl").write_text("\n".join(told) + '\n{"number": 9, "usd": 1')


def fleet(served) -> dict:
    with served.client() as client:
        return client.get("/api/v1/fleet").json()


def budget(found, name) -> dict:
    (one,) = [each for each in found["budgets"] if each["name"] == name]
    return one


def test_without_a_request_nothing_is_spent_and_limits_are_told(budgeted):
    found = fleet(budgeted)
    run = budget(found, "run")
    assert (run["usd"], run["tokens"], run["held_usd"], run["limit_usd"], run["limit_tokens"]) == (
        None,
        None,
        0.0,
        4.0,
        None,
    )
    assert (budget(found, "day")["limit_usd"], budget(found, "day")["limit_tokens"]) == (10.0, 50_000)


def test_requests_count_on_attempt_task_run_and_day(budgeted):
    story = budgeted.story
    story.working("names", limits=Limits(usd=1.0, tokens=9_000, wall_seconds=120.0))
    settle(story, asked("other.1", 5, 3.00, 7000, run="r0", at_utc=time.time() - 2 * DAY))
    settle(story, asked("other.1", 4, 1.00, 4000, run="r0", at_utc=time.time()))
    settle(story, asked("names.1", 1, 0.25, 1000))
    settle(story, asked("names.1", 2, 0.50, 2000))
    settle(story, asked("names.2", 3, None, 500))
    reserve(story, asked("names.2", 6, 0.4, 800), asked("names.1", 7, 0.9, 900), 7)
    found = fleet(budgeted)
    work = {each["attempt"]: each for each in found["work"]}
    one, two = work["names.1"]["spent"], work["names.2"]["spent"]
    assert (one["usd"], one["tokens"], one["limit_usd"], one["limit_tokens"]) == (0.75, 3000, 1.0, 9000)
    assert (one["held_usd"], two["usd"], two["tokens"], two["held_usd"]) == (0.0, None, 500, 0.4)
    of_task = work["names.1"]["of_task"]
    assert (of_task["usd"], of_task["tokens"], of_task["held_usd"], of_task["limit_usd"]) == (0.75, 3500, 0.4, 2.0)
    assert work["names.1"]["limit_seconds"] == 120.0
    run, day = budget(found, "run"), budget(found, "day")
    assert (run["usd"], run["tokens"], run["held_usd"]) == (0.75, 3500, 0.4)
    assert (day["usd"], day["tokens"], day["held_tokens"]) == (1.75, 7500, 800)


def test_a_new_run_that_asked_for_nothing_yet_has_spent_nothing(budgeted):
    story = budgeted.story
    settle(story, asked("names.1", 1, 0.25, 1000, at_utc=time.time() - 5))
    assert budget(fleet(budgeted), "run")["usd"] == 0.25
    with only_run(story.store.folder):
        assert budget(fleet(budgeted), "run")["usd"] is None
        settle(story, asked("names.1", 2, 0.5, 10, run="r2", at_utc=time.time() + 1))
        assert budget(fleet(budgeted), "run")["usd"] == 0.5


def test_facts_of_before_the_deck_began_count_too(tmp_path):
    (tmp_path / "reeve.toml").write_text("[budgets]\nday_usd = 10.0\n")
    with serving(tmp_path) as first:
        settle(first.story, asked("names.1", 1, 0.25, 1000))
    with serving(tmp_path) as second:
        settle(second.story, asked("names.1", 2, 0.5, 1000))
        assert budget(fleet(second), "day")["usd"] == 0.75


def test_the_page_says_the_same_live_and_without_colour(budgeted, browser):
    story = budgeted.story
    story.working("names", limits=Limits(usd=1.0, wall_seconds=120.0))
    folder = story.store.folder / "attempts" / "names.1"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{}")
    (folder / "output").write_text('{"kind": "text", "text": "hm"}\n')
    os.utime(folder / "spec.json", (time.time() - 61, time.time() - 61))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(budgeted.entrance)
    row = page.locator("#work-names\\.1")
    expect(row).to_contain_text("$0.00 of $1.00")
    expect(row).to_contain_text("1 min")
    expect(row).to_contain_text("of 2 min 0 s")
    settle(story, asked("names.1", 1, 0.85, 1000))
    expect(row).to_contain_text("$0.85 of $1.00 ! nearly used up", timeout=SOON)
    expect(row).to_contain_text("task: $0.85 of $2.00")
    expect(row.get_by_role("img", name="budget of names.1: 85")).to_be_visible()
    expect(page.locator(".numbers")).to_contain_text("$0.85 of $4.00")
    expect(page.locator(".numbers")).to_contain_text("$0.85 of $10.00, 1\u202fk of 50\u202fk tokens")
    settle(story, asked("names.1", 2, 0.3, 1000))
    expect(row).to_contain_text("$1.15 of $1.00 ✗ used up", timeout=SOON)
    page.goto(f"{budgeted.base}/attempt/names.1")
    expect(page.locator("main")).to_contain_text("$1.15 of $1.00")
    page.goto(f"{budgeted.base}/task/names")
    expect(page.locator("[data-part=head]")).to_contain_text("models: $1.15 of $2.00")
    context.close()
