"""The pages in a real browser: what a person sees, live, by keyboard alone, narrow, dark, and with hostile content."""

import fcntl
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from reeve.ledger.codec import dumps
from reeve.ports import Fact
from reeve.records import (
    AgentSpec,
    Cell,
    Change,
    CheckResult,
    Checks,
    Measurement,
    Outcome,
    Policy,
    Question,
    QuestionKind,
    TestOutcome,
    Trust,
)

EVIL = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202egnp.exe\x1b[31mred\x00"
)
SOON = 15_000
STAGES = tuple(path.stem.split("_", 2)[2] for path in sorted((Path(__file__).parents[1] / "flow").glob("test_?_*.py")))


@pytest.fixture
def fleet(served):
    served.story.fleet()
    return served


def rows(page) -> dict[str, str]:
    found = page.locator("[data-list] tbody tr")
    return {row.locator("th").inner_text(): row.inner_text() for row in found.all()}


# ---------------------------------------------------------------- what is there


def test_the_fleet_says_where_every_task_stands(fleet, page):
    page.reload()
    said = rows(page)
    assert set(said) == {"first-line", "slices", "dates", "numbers", "docs", "speed-a", "speed-b", "names"}
    assert "✓ landed" in said["first-line"]
    assert "✗ failed" in said["dates"]
    assert "conflict in parser.py" in said["numbers"]
    work = page.locator("#work-names\\.1")
    expect(work).to_contain_text("waiting")
    expect(page.locator(".top .count")).to_have_text("3")


def test_filters_and_search_go_together(fleet, page):
    page.goto(f"{fleet.base}/?show=landed")
    assert set(rows(page)) == {"first-line", "slices"}
    page.fill("#search", "slic")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=slic*")
    assert set(rows(page)) == {"slices"}


def test_a_long_list_goes_on_on_the_next_page(served, page):
    for number in range(120):
        served.story.task(f"t{number:03}")
    seen = []
    page.goto(served.base)
    while True:
        seen += rows(page)
        older = page.get_by_role("link", name="older")
        if not older.count():
            break
        older.click()
        page.wait_for_load_state()
    assert seen == [f"t{number:03}" for number in reversed(range(120))]


def test_the_inbox_is_what_the_command_line_says(fleet, page, reeve_in):
    page.goto(f"{fleet.base}/inbox")
    names = page.locator(".inbox .name").all_inner_texts()
    fleet.story.store.close()
    said = reeve_in(fleet.story.store.folder.parent, "inbox", "--json")
    import json

    expected = [", ".join(item["tasks"]) for item in json.loads(said.out)["items"]]
    assert names == expected == ["numbers", "docs", "speed-a, speed-b"]


def test_a_task_shows_its_patch_its_evidence_and_why(fleet, page):
    page.goto(f"{fleet.base}/task/numbers")
    expect(page.locator("h1")).to_have_text("numbers")
    text = page.locator("main").inner_text()
    for words in ("Numbers may hold underscores.", "1 required test passed, by exact id", "conflict in parser.py"):
        assert words in text
    assert page.locator(".diff .add").count() == 1
    assert page.locator(".diff .del").count() == 1


def test_tests_are_compared_with_the_base_one_by_one(served, page):
    story = served.story
    story.task("one", checks=Checks(required=("t.py::asked",)))
    story.attempt("one.1")
    told = {"base": {}, "result": {"t.py::broken": "E  assert 1 == 2"}}
    outcomes = {
        "base": {"t.py::asked": "failed", "t.py::broken": "passed", "t.py::kept": "passed", "t.py::gone": "passed"},
        "result": {"t.py::asked": "passed", "t.py::broken": "failed", "t.py::kept": "passed"},
    }
    for key, tests in outcomes.items():
        found = Measurement(key, key, {name: TestOutcome(each) for name, each in tests.items()}, messages=told[key])
        story.store.append(Fact("measurement", key, "", {"artefact": story.store.put(dumps(found))}, 1.0))
    story.verdict("one.1", Outcome.FAILED, measurement="result", base_measurement="base")
    page.goto(f"{served.base}/task/one")
    rows = [row.inner_text().split("\t") for row in page.locator(".tests tbody tr").all()]
    assert [(name.split()[0], before[2:], after[2:].split("\n")) for name, before, after in rows] == [
        ("t.py::asked", "failed", ["passed"]),
        ("t.py::broken", "passed", ["failed", "E  assert 1 == 2"]),
        ("t.py::gone", "passed", ["not there"]),
    ]
    expect(page.locator("main")).to_contain_text("1 test passed before and after")


def test_a_review_shows_the_numbers_of_the_policy_that_decided(served, page):
    story, cell = served.story, Cell("repair", "0.1.0", "c", "tests", "/home/ada/parser")
    known = Trust(cell, unseen=40, escapes=1, audits=12, wrong=1, more_clean_audits=47, threshold=0.8)
    story.tell("policy", "p1", "", Policy("p1", highest_escape_rate=0.03, audit_share=0.2, trust=(known,)))
    story.unproven("docs")
    page.goto(f"{served.base}/task/docs")
    said = " ".join(page.locator("#policy + dd").inner_text().replace("\u202f", " ").split())
    assert 'land = "trusted", at most 3 % escapes with 95 % confidence, 20 % audited' in said
    assert "not certified, 47 more clean audits to go; 1 wrong of 12 audits, 1 known wrong of 40 unseen" in said
    assert "lands from a confidence of 0.8" in said


def test_stages_are_named_in_their_order(fleet, page):
    page.goto(f"{fleet.base}/task/first-line")
    named = page.locator(".stages a").all_inner_texts()
    assert named == list(STAGES)
    for each in named:
        assert page.locator(f"#{each}").count() == 1


def test_a_thing_that_is_not_there_is_said(fleet, page):
    with fleet.client() as client:
        answer = client.get("/task/first-lime")
        assert answer.status_code == 404
        assert "did you mean &#39;first-line&#39;" in answer.text


# ---------------------------------------------------------------- alive


def test_what_happens_appears_by_itself(served, page):
    expect(page.locator("main")).to_contain_text("No task yet")
    served.story.landed("first-line")
    expect(page.locator("#row-first-line")).to_contain_text("landed", timeout=SOON)
    served.story.unproven("docs")
    expect(page.locator("#row-docs")).to_contain_text("needs-you", timeout=SOON)


def test_a_deck_that_went_away_is_said_and_comes_back(served, page):
    expect(page.locator("#row-late")).to_have_count(0)
    page.context.set_offline(True)
    page.evaluate("() => window.dispatchEvent(new Event('offline'))")
    served.story.task("late")
    page.context.set_offline(False)
    expect(page.locator("#row-late")).to_contain_text("queued", timeout=SOON)


def test_words_that_somebody_types_are_not_taken_away(served, page):
    served.story.unproven("docs")
    page.goto(f"{served.base}/task/docs")
    page.fill("#why", "because it")
    served.story.review("docs.1", "reject", "somebody else was faster")
    expect(page.locator("[data-part=head]")).to_contain_text("rejected", timeout=SOON)
    assert page.input_value("#why") == "because it"


def test_a_live_trajectory_grows(served, page):
    served.story.working("names")
    folder = served.story.store.folder / "attempts" / "names.1"
    folder.mkdir(parents=True)
    (folder / "output").write_text('{"kind": "text", "text": "I look around."}\n')
    page.goto(f"{served.base}/attempt/names.1")
    expect(page.locator("#events")).to_contain_text("I look around.")
    with (folder / "output").open("a") as file:
        file.write('{"kind": "tool_call", "text": "ls -l"}\n')
    expect(page.locator("#event-1")).to_contain_text("ls -l", timeout=SOON)


def test_a_trajectory_is_searched(served, page):
    served.story.task("one")
    served.story.attempt("one.1", said=b'{"kind":"text","text":"apples"}\n{"kind":"text","text":"pears"}\n')
    page.goto(f"{served.base}/attempt/one.1")
    page.fill("#search", "pear")
    expect(page.locator("#event-0")).to_be_hidden()
    expect(page.locator("#event-1")).to_be_visible()


# ---------------------------------------------------------------- deciding


def test_keys_alone_lead_from_the_inbox_to_a_decision_and_on(fleet, page):
    fleet.story.unproven("docs2", instruction="More docs.")
    page.goto(f"{fleet.base}/inbox")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".here .name")).to_have_text("docs")
    page.keyboard.press("Enter")
    page.wait_for_url("**/task/docs*")
    with page.expect_response("**/look/docs"):
        pass
    page.keyboard.press("r")
    page.keyboard.type("It says nothing.")
    page.keyboard.press("Enter")
    page.wait_for_url("**/task/docs2")
    expect(page.locator("#say")).to_contain_text("docs", timeout=SOON)
    page.goto(f"{fleet.base}/task/docs")
    expect(page.locator("[data-part=head]")).to_contain_text("sent back, will be attempted again: It says nothing.")


def test_words_on_lines_go_back_with_the_reason(fleet, page):
    page.goto(f"{fleet.base}/task/docs")
    with page.expect_response("**/look/docs"):
        pass
    page.fill("#why", "Not yet.")
    page.locator(".diff .add .ln").nth(1).click()
    page.keyboard.type("too short")
    page.reload()  # nothing is lost
    expect(page.locator("#why")).to_have_value(re.compile(r"Not yet\.\nparser\.py:\d+: too short"))
    page.get_by_role("button", name="Send back").click()
    page.wait_for_url("**/task/**")
    expect(page.locator("#say")).to_contain_text("docs.1 sent back", timeout=SOON)
    (review,) = fleet.story.store.facts(kind="review", task="docs")
    assert review.body["kind"] == "again"
    assert re.fullmatch(r"Not yet\.\nparser\.py:\d+: too short", review.body["reason"].replace("\r\n", "\n"))


def test_a_reason_is_asked_for(fleet, page):
    page.goto(f"{fleet.base}/task/docs")
    page.get_by_role("button", name="Reject").click()
    assert page.evaluate("document.querySelector('#why').validity.valueMissing")
    with fleet.client() as client:
        assert client.post("/task/docs/reject", data={"why": "  "}).status_code == 422


def test_what_cannot_be_done_is_said(fleet, page):
    page.goto(f"{fleet.base}/task/numbers")
    with page.expect_response("**/look/numbers"):
        pass
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("#say")).not_to_be_empty(timeout=SOON)
    page.goto(f"{fleet.base}/task/numbers")
    expect(page.locator(".act")).to_contain_text("accept numbers.1:")
    expect(page.locator(".act")).to_have_class(re.compile("s-failed"))


def test_a_question_of_an_attempt_is_answered_by_a_button(served, page):
    served.story.working("names")
    question = Question("names.1", "p1", QuestionKind.PERMISSION, "May I?", "execute", (), "rm -rf build")
    served.story.tell("question", "names.1?p1", "names", question)
    page.goto(f"{served.base}/inbox")
    page.get_by_role("link", name="names").click()
    expect(page.locator(".question")).to_contain_text("rm -rf build")
    with running(served.story, "names.1"):
        page.get_by_role("button", name="Allow").click()
        expect(page.locator(".question")).to_have_count(0, timeout=SOON)
    (word,) = served.story.store.facts(kind="word", task="names")
    assert (word.body["kind"], word.body["answers"]) == ("allow", "p1")


def test_the_list_of_keys_opens_and_closes(page):
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_without_scripts_forms_and_links_do_the_same(fleet, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(fleet.entrance)
    page.goto(f"{fleet.base}/task/docs")
    page.fill("#why", "It says nothing.")
    page.get_by_role("button", name="Reject for good").click()
    page.wait_for_url("**/task/docs")
    expect(page.locator(".act")).to_contain_text("reject docs")
    context.close()


# ---------------------------------------------------------------- hostile


def test_what_an_agent_wrote_is_shown_and_never_obeyed(served, page):
    story = served.story
    story.task("evil", instruction=f"Mend it. {EVIL}")
    name = "a<b>&\u202e.py"
    diff = f"diff --git a/x b/x\n--- a/x\n+++ b/{name}\n@@ -1 +1 @@\n-one\n+{EVIL}\n".encode("utf-8", "surrogateescape")
    agent = AgentSpec(f"agent {EVIL}", "command", EVIL)
    story.attempt(
        "evil.1", diff=diff, said=EVIL.encode(), reason=EVIL, changes=[Change(EVIL, "modified", 1, 1)], agent=agent
    )
    story.verdict("evil.1", Outcome.UNVERIFIED, EVIL, checks=(CheckResult(EVIL, Outcome.FAILED, (EVIL, EVIL)),))
    story.decide("evil", "ask", "evil.1", EVIL)
    for path in ("/", "/inbox", "/task/evil", "/attempt/evil.1"):
        page.goto(served.base + path)
        page.wait_for_timeout(100)
        assert page.title() != "owned"
        assert page.locator("main script, main img").count() == 0
        text = page.content()
        assert "\u202e" not in text
        assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_ten_thousand_changed_lines_are_cut_and_said(served, page):
    lines = "".join(f"+line {number}\n" for number in range(10_000))
    diff = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,10000 @@\n{lines}".encode()
    served.story.task("long")
    served.story.attempt("long.1", diff=diff)
    page.goto(f"{served.base}/task/long")
    assert page.locator(".diff tr").count() == 3_000
    page.get_by_role("link", name="Show all").click()
    page.wait_for_url("**whole=1*")
    assert page.locator(".diff tr.add").count() == 10_000


# ---------------------------------------------------------------- for every eye


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_fault_for_anybody_and_nothing_wider_than_the_window(fleet, browser, scheme, width):
    fleet.story.attempt("names.1", said=b'{"kind":"text","text":"hm"}\n' * 3)
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(fleet.entrance)
    for path in ("/", "/inbox", "/task/numbers", "/task/names", "/attempt/dates.1", "/nothing"):
        page.goto(fleet.base + path)
        found = Axe().run(page).response["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


# ---------------------------------------------------------------- later, and once more


def test_a_key_puts_off_what_one_is_at_and_another_brings_it_back(fleet, page):
    page.goto(f"{fleet.base}/inbox")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".here .name")).to_have_text("docs")
    page.keyboard.press("d")
    expect(page.locator(".later .name")).to_have_text("docs", timeout=SOON)
    assert page.locator("ol.inbox:not(.later) .name").all_inner_texts() == ["numbers", "speed-a, speed-b"]
    (deferral,) = fleet.story.store.facts(kind="deferral", task="docs")
    assert deferral.body["until_utc"] > deferral.at_utc
    page.goto(f"{fleet.base}/inbox")
    expect(page.locator(".top .count")).to_have_text("2")
    page.keyboard.press("k")
    expect(page.locator(".here .name")).to_have_text("docs")
    page.keyboard.press("b")
    expect(page.locator(".later")).to_have_count(0, timeout=SOON)
    assert page.locator(".inbox .name").all_inner_texts() == ["numbers", "docs", "speed-a, speed-b"]


def test_what_was_put_off_returns_to_an_open_page_when_its_time_comes(fleet, page):
    with fleet.client() as client:
        client.post("/api/v1/tasks/docs/defer", json={"how_long": "0.001h"})
    page.goto(f"{fleet.base}/inbox")
    expect(page.locator("ol.inbox:not(.later) #item-docs")).to_be_visible(timeout=SOON)


def test_putting_off_a_task_leads_to_the_next(fleet, page):
    page.goto(f"{fleet.base}/task/numbers")
    page.select_option("#how-long", "4h")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_url("**/task/docs")
    expect(page.locator("#say")).to_contain_text("numbers put off until", timeout=SOON)
    page.goto(f"{fleet.base}/task/numbers")
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    page.goto(f"{fleet.base}/task/first-line")  # landed, and not drawn for an audit: nothing to put off
    assert page.locator("[data-key=d]").count() == 0


def test_what_failed_is_tried_again_from_the_list_by_keys(fleet, page):
    page.goto(f"{fleet.base}/?show=not landed")
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.keyboard.type("Mind the leap years.")
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_contain_text("dates sent back: Mind the leap years.", timeout=SOON)
    page.goto(fleet.base)
    expect(page.locator("#row-dates")).to_contain_text("queued")


def test_what_failed_is_tried_again_without_words_and_without_scripts(fleet, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(fleet.entrance)
    page.locator("#row-dates summary").click()
    page.locator("#row-dates").get_by_role("button", name="Try again").click()
    page.wait_for_url("**/?did=*")
    expect(page.locator(".act")).to_contain_text("retry dates: dates sent back")
    expect(page.locator("#row-dates summary")).to_have_count(0)
    (review,) = fleet.story.store.facts(kind="review", task="dates")
    assert (review.body["kind"], review.body["reason"], review.body["minutes"]) == ("again", "", 0.0)
    page.goto(f"{fleet.base}/inbox")
    page.locator("#item-docs button").click()
    page.wait_for_url("**/inbox?did=*")
    expect(page.locator(".later #item-docs")).to_be_visible()
    context.close()


@contextmanager
def running(story, attempt):
    """Hold what the runner of an attempt holds while it runs, and have the mail of an agent that listens."""
    folder = story.store.folder / "attempts" / attempt
    (folder / "mail").mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_an_attempt_at_work_is_told_something_from_the_fleet_without_scripts(fleet, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(fleet.entrance)
    at_work = page.locator("[id='work-names.1']")
    at_work.locator("summary").click()
    at_work.get_by_label("tell names.1", exact=True).fill("Mind the <b>spaces</b>.")
    with running(fleet.story, "names.1"):
        at_work.get_by_role("button", name="Tell").click()
        page.wait_for_url("**/?did=*")
    expect(page.locator(".act")).to_contain_text("names.1: tell: Mind the")
    (word,) = fleet.story.store.facts(kind="word", task="names")
    assert (word.body["kind"], word.body["text"]) == ("tell", "Mind the <b>spaces</b>.")
    context.close()


@pytest.mark.parametrize("task", ["docs", "first-line", "names"])
def test_only_what_failed_is_tried_again(fleet, task):
    with fleet.client() as client:
        number = client.post(f"/api/v1/tasks/{task}/retry", json={}).json()["number"]
        while (act := client.get(f"/api/v1/acts/{number}").json())["ok"] is None:
            pass
    assert not act["ok"]
    assert "it has not failed, it is" in act["said"]


# ---------------------------------------------------------------- long patches, and who wrote what


def test_files_beyond_the_first_lines_come_when_they_are_opened(served, page):
    many = "".join(
        f"diff --git a/f{file} b/f{file}\n--- a/f{file}\n+++ b/f{file}\n@@ -0,0 +1,900 @@\n"
        + "".join(f"+line {number} <b>of</b> {file}\n" for number in range(900))
        for file in range(6)
    )
    served.story.task("long")
    served.story.attempt("long.1", diff=many.encode())
    page.goto(f"{served.base}/task/long")
    assert page.locator(".diff tr.add").count() == 4 * 900
    last = page.locator("details.file").nth(5)
    last.locator("summary").click()
    expect(last.locator("tr.add")).to_have_count(900, timeout=SOON)
    expect(last.locator(".code").last).to_have_text("line 899 <b>of</b> 5")
    with served.client() as client:
        assert client.get("/task/long/patch/6?attempt=long.1").status_code == 404
        assert client.get("/task/long/patch/0?attempt=long.9").status_code == 404
        assert client.get("/task/long/patch/-1?attempt=long.1").status_code == 422


def test_a_hunk_leads_to_the_step_that_wrote_it(served, page):
    events = [
        {"kind": "text", "text": "    return line[0]"},  # says it, and touches no file
        {"kind": "tool_call", "text": "edit", "input": "return line[9]", "paths": ["/work/parser.py"]},
        {"kind": "tool_call", "text": "edit", "input": "now: return line[0]", "paths": ["/work/parser.py"]},
        {"kind": "file_change", "text": "other.py: return line[0]", "paths": ["/work/other.py"]},
        {"kind": "tool_call", "text": "cat", "input": "cat parser.py", "paths": ["/work/parser.py"]},
    ]
    import json

    served.story.task("one")
    served.story.attempt("one.1", said="".join(json.dumps(event) + "\n" for event in events).encode())
    page.goto(f"{served.base}/task/one")
    link = page.locator(".diff .hunk .step")
    assert link.all_inner_texts() == ["step 3"]
    link.click()
    page.wait_for_url("**/attempt/one.1#event-2")
    expect(page.locator("#event-2")).to_contain_text("now: return line[0]")
