"""The pages on trust, drills and settings: figures that say what the command line says, rows behind them, plots."""

import csv
import io
import json
import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from served import serving

from reeve.adapters.stores.attempt_rows import CONDITIONS, AttemptRows
from reeve.cli.figures import figures_of
from reeve.errors import InputError, LedgerError
from reeve.ledger.attempt_rows import FIGURES, RowsWanted
from reeve.ledger.codec import dumps
from reeve.ledger.periods import Amounts, Happened, periods
from reeve.policy.learn import progress_of, trust_of
from reeve.records import (
    Action,
    AgentSpec,
    KnownAnswer,
    Outcome,
    Policy,
    ReviewKind,
    Surplus,
    TestsDrilled,
    WrongKind,
    WrongPatch,
)
from reeve.settings import read_settings
from reeve.web.deck.computed import Computed, Known
from reeve.web.figures import Figures, Plot
from reeve.web.trust_plots import PLOTS
from stories import BASE, REPAIR

LATE = 90_000
EVIL = "</text></svg><script>alert(1)</script>\u202e\x1b[31m"
EVIL_AGENT = AgentSpec("=cmd|' /C calc'!A0", "acp", EVIL)


def worked(story, *, tasks=24, agents=(REPAIR, EVIL_AGENT)):
    """A ledger in which every figure is known: tasks of known length, audits, minutes and money."""
    story.fleet()
    for number in range(tasks):
        agent, name, passes = agents[number % len(agents)], f"t{number:02}", number % 5 != 4 and number < 20
        story.now += 7200.0
        story.task(name, human_minutes=2.0 + 6 * number)
        story.environment(name)
        story.order(f"{name}.1", agent=agent)
        made = story.attempt(f"{name}.1", agent=agent, reason="it finished")
        del made
        story.verdict(f"{name}.1", Outcome.PASSED if passes else Outcome.FAILED, surplus=Surplus(1) if passes else None)
        if not passes:
            story.selection(name, None)
            story.decide(name, Action.GIVE_UP)
            continue
        story.selection(name, f"{name}.1")
        story.decide(name, Action.LAND, f"{name}.1")
        story.land(f"{name}.1")
        story.drawn(f"{name}.1", uniform=number % 3 != 0, confidence=0.5 + number / 50)
        if number % 4 != 3:
            wrong = number in (5, 6)
            kind = ReviewKind.WRONG if wrong else ReviewKind.ACCEPT
            story.review(f"{name}.1", kind, "no" if wrong else "", minutes=2.0, commit="c", escape=wrong)
    for number, agent in enumerate(agents):
        seen_before(story, f"seen{number}", agent)
    return story


def seen_before(story, name, agent):
    """Two attempts, of which a person chose the second before it landed."""
    story.task(name)
    for index in (1, 2):
        story.order(f"{name}.{index}", index=index - 1, of=2, agent=agent)
        story.attempt(f"{name}.{index}", agent=agent)
        story.verdict(f"{name}.{index}")
    story.selection(name, f"{name}.2", ranked=(f"{name}.2", f"{name}.1"))
    story.decide(name, Action.ASK, f"{name}.2", "it waits for you")
    story.review(f"{name}.2", ReviewKind.ACCEPT, minutes=4.0)
    story.land(f"{name}.2")


def drilled(story):
    for number in range(3):
        known = KnownAnswer.MINED if number else KnownAnswer.INJECTED
        story.task(f"past{number}-repair", known_answer=known, human_minutes=4.0)
        story.attempt(f"past{number}-repair.1")
        story.verdict(f"past{number}-repair.1", Outcome.FAILED if number else Outcome.PASSED)
    wrong = [WrongPatch(WrongKind.COVERED, n < 3, "src/parser.py", n + 1, "a < b", EVIL) for n in range(20)]
    digest = story.store.put(dumps(tuple(wrong)))
    story.tell("drill", f"b:{digest[:16]}", "", TestsDrilled(BASE.repo, BASE.commit, 20, 3, digest))


@pytest.fixture
def measured(served):
    worked(served.story)
    drilled(served.story)
    return served


@pytest.fixture
def figures(tmp_path, served):
    """Compute in this process, on a ledger that a test has written."""

    def compute():
        return figures_of(served.story.store, read_settings(tmp_path, {"HOME": str(tmp_path)}))[0]

    return compute


def known(client) -> dict:
    """Ask until it is computed; each answer comes at once, whether it is or not."""
    while True:
        said = client.get("/api/v1/trust").json()
        assert not said["state"]["problem"]
        if said["trust"] is not None and not said["state"]["computing"]:
            return said["trust"]


def open_trust(served, page):
    page.goto(f"{served.base}/trust")
    expect(page.locator("figure.plot")).to_have_count(4, timeout=LATE)


# ---------------------------------------------------------------- figures and what is behind them


def test_it_says_what_the_command_line_says(measured, reeve_in):
    with measured.client() as client:
        trust = known(client)
        policy = client.get("/api/v1/policy").json()["policy"]
    folder = measured.story.store.folder.parent
    said = json.loads(reeve_in(folder, "trust", "--json").out)
    assert trust["tracks"] == said["tracks"]
    wanted = json.loads(reeve_in(folder, "policy", "--json").out)
    assert [
        each["trust"] | {key: each[key] for key in ("state", "may_land", "why", "fit", "no_fit")}
        for each in policy["cells"]
    ] == wanted["cells"]
    assert policy["clean_audits_of_a_new_cell"] == wanted["clean_audits_of_a_new_cell"] == 96


@pytest.mark.parametrize("agent", [REPAIR, EVIL_AGENT], ids=["repair", "evil"])
def test_as_many_rows_are_behind_a_figure_as_it_says(served, figures, agent):
    worked(served.story)
    found = figures().trust
    rows = AttemptRows(served.story.store.folder)
    track = next(each for each in found.tracks if each.who.agent == agent.name and each.who.kind == "tests")
    who = {"agent": track.who.agent, "version": track.who.version, "kind": "tests", "repository": BASE.repo}
    counts = {of: rows.page(RowsWanted(of, **who)).total for of in FIGURES}
    assert counts["attempts"] == track.attempts > 10
    assert [counts[of] for of in ("passed", "failed", "declined", "unverified")] == [
        track.passed,
        track.failed,
        track.declined,
        track.unverified,
    ]
    assert (counts["landed"], counts["unseen"], counts["escapes"]) == (
        track.landed,
        track.escapes.unseen,
        track.escapes.known,
    )
    assert counts["unseen-audits"] == track.escapes.audited > 0
    assert track.escapes.unseen < track.landed < track.passed
    assert counts["judged"] == counts["timed"] + 2
    (cell,) = [each for each in found.policy.cells if each.trust.cell.agent == agent.name]
    uniform, suspicion, before = cell.streams
    assert (counts["audits"], counts["waiting"]) == (uniform.answered, uniform.drawn - uniform.answered)
    assert (counts["suspicious"], counts["before"]) == (suspicion.drawn, before.drawn)
    minutes = sum(row.minutes for row in rows.page(RowsWanted("decided", **who), at_most=99).rows)
    assert minutes / track.landed == pytest.approx(track.human_minutes_per_landed)


def test_every_figure_has_its_condition_and_its_words():
    assert set(CONDITIONS) == set(FIGURES)


def test_a_figure_that_there_is_not_is_refused(served, figures):
    worked(served.story)
    figures()
    with pytest.raises(InputError, match="no figure is called 'x'"):
        AttemptRows(served.story.store.folder).page(RowsWanted("x"))
    with served.client() as client:
        assert client.get("/trust/rows?of=1%20OR%201").status_code == 404


def test_rows_that_are_damaged_are_an_error_with_their_file(served):
    (served.story.store.folder / "attempts.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match=r"reading .*attempts\.db"):
        AttemptRows(served.story.store.folder).page(RowsWanted())


def test_a_long_list_of_rows_goes_on_on_the_next_page(served, figures, page):
    worked(served.story, tasks=70)
    found = figures().trust
    page.goto(f"{served.base}/trust/rows?of=attempts")
    first = page.locator("[data-list] tbody tr").count()
    page.get_by_role("link", name="older").click()
    page.wait_for_url("**before=*")
    total = sum(track.attempts for track in found.tracks)
    assert (first, page.locator("[data-list] tbody tr").count()) == (50, total - 50)


def test_evidence_audit_by_audit_ends_where_the_cell_stands(served, figures):
    worked(served.story)
    owner = Policy("", highest_escape_rate=0.05, confidence=0.95)
    for cell in figures().trust.policy.cells:
        assert [len(course) for course in cell.progress] == [level.audits for level in cell.trust.levels]
        for level, course in zip(cell.trust.levels, cell.progress, strict=True):
            assert course[-1:] == ((pytest.approx(level.e_value),) if level.audits else ())
        assert cell.progress[0]
    assert not any(progress_of((), owner))
    assert trust_of(cell.trust.cell, (), owner).e_value == pytest.approx(1.0)


def test_horizons_are_estimated_where_there_is_enough_and_the_reason_is_said_where_not(served, figures):
    served.story.fleet()
    assert "needs 10 judged tasks" in figures().trust.horizons.reason
    worked(served.story, tasks=40)
    found = figures().trust.horizons
    assert [each.agent for each in found.agents] == [f"{EVIL_AGENT.name} {EVIL}", "repair 0.1.0"]
    assert {each.success for each in found.agents[0].horizons} == {0.5, 0.8, 0.95}
    assert sum(each.runs for each in found.observed) == sum(each.runs for each in found.agents)
    assert "no agent has a date of release" in found.trend.reason


def test_periods_add_up_and_divide_by_what_landed():
    day = 86400.0
    found = periods(
        Happened(
            Amounts([(day, 1.0), (2 * day, 1.0), (9 * day, 1.0)]),
            Amounts([(0.0, 6.0), (9 * day, 3.0)]),
            Amounts([(day, 1.5)]),
        )
    )
    assert sum(each.landed for each in found) == 3
    assert found[0].minutes_per_landed is None
    assert found[-1].minutes_per_landed == 3.0
    assert (found[-1].minutes_per_landed_so_far, found[-1].usd_per_landed_so_far) == (3.0, 0.5)
    assert len(found) <= 60
    assert periods(Happened()) == ()
    assert periods(Happened(Amounts([(1.0, 1.0)])))[0].usd_per_landed is None


# ---------------------------------------------------------------- computed beside the pages


class Once:
    """A computation that waits until a test lets it go on."""

    def __init__(self):
        import threading

        self.seq, self.begun, self.may, self.runs, self.error = 1, threading.Event(), threading.Event(), 0, None

    def __call__(self, ended):
        self.runs += 1
        self.begun.set()
        while not self.may.wait(0.01):
            if ended():
                return
        if self.error:
            raise self.error
        yield Figures(self.seq, 0.0, None, None)
        yield {"horizon": Plot("t", "s")}


def settled(computed, work) -> Known:
    while (found := computed.look()).computing:
        assert work.runs <= 2
    return found


def test_a_look_never_waits_and_nothing_is_computed_twice_for_the_same_facts():
    work = Once()
    computed = Computed(lambda: work.seq, work)
    assert computed.look() == computed.look() == Known(computing=True)
    work.may.set()
    found = settled(computed, work)
    assert (found.figures.seq, list(found.plots), work.runs) == (1, ["horizon"], 1)
    assert computed.changes == 3
    work.seq = 2
    assert settled(computed, work).figures.seq == 2
    assert work.runs == 2
    computed.close()


def test_a_computation_that_fails_is_said_and_not_tried_again_until_there_are_new_facts():
    work = Once()
    work.error = LedgerError("it broke")
    work.may.set()
    computed = Computed(lambda: work.seq, work)
    assert settled(computed, work) == settled(computed, work) == Known(problem="it broke")
    assert work.runs == 1
    work.error, work.seq = None, 2
    assert settled(computed, work).problem == ""
    computed.close()


def test_closing_ends_what_is_under_way():
    work = Once()
    computed = Computed(lambda: 1, work)
    computed.look()
    work.begun.wait()
    computed.close()
    assert computed.look().figures is None
    assert work.runs == 1


def test_a_page_that_is_open_shows_the_figures_when_they_are_there_and_newer_ones_later(served, page):
    page.goto(f"{served.base}/trust")
    expect(page.locator("main")).to_contain_text("Nothing was attempted yet", timeout=LATE)
    served.story.landed("first-line")
    expect(page.locator("#track-1")).to_contain_text("repair", timeout=LATE)


# ---------------------------------------------------------------- the page, and its plots


def test_the_page_shows_figures_that_lead_to_their_rows(measured, page):
    open_trust(measured, page)
    text = page.locator("main").inner_text()
    assert re.search(r"\d+ more clean audits", text)
    assert "escapes: at most" in text
    assert "uniform: these certify" in text
    assert "No trend: a trend needs 3 agents" in text
    page.locator(".tracks a[href*='of=judged']").first.click()
    page.wait_for_url("**/trust/rows?of=judged*")
    expect(page.locator("h1")).to_contain_text("that were judged")
    page.locator("[data-list] th a").first.click()
    page.wait_for_url("**/task/*")


LOADED = """(each, dark) => {
    each.scrollIntoView();
    const itself = each.complete && each.currentSrc && each.naturalWidth > 200;
    return itself && each.currentSrc.includes("dark=true") === dark;
}"""


def until_loaded(page, picture, *, dark=False) -> None:
    """Wait for a picture, which may be put in anew meanwhile: the page renews itself."""
    late = time.monotonic() + LATE / 1000
    while not picture.evaluate(LOADED, dark):
        assert time.monotonic() < late, "it never loaded"
        page.wait_for_timeout(20)


def test_pictures_are_shown_as_pictures_that_have_loaded(measured, page):
    open_trust(measured, page)
    for picture in page.locator("figure.plot img").all():
        until_loaded(page, picture)
        assert len(picture.get_attribute("alt")) > 40


@pytest.mark.parametrize("name", [each for each in PLOTS if each != "cost"])
def test_exports_are_what_their_endings_say(measured, name):
    with measured.client() as client:
        known(client)
        found = {ending: client.get(f"/trust/plot/{name}.{ending}") for ending in ("svg", "png", "csv")}
        dark = client.get(f"/trust/plot/{name}.svg?dark=true")
    assert [each.status_code for each in found.values()] == [200, 200, 200]
    tree = ET.fromstring(found["svg"].text)
    tags = {each.tag.rpartition("}")[2] for each in tree.iter()}
    assert tree.tag.endswith("}svg")
    assert {"path", "text"} <= tags
    assert not tags & {"script", "foreignObject", "image", "a", "style", "use"}
    assert not [key for each in tree.iter() for key in each.attrib if key.lower().startswith("on") or "href" in key]
    assert ET.fromstring(dark.text).tag == tree.tag
    assert dark.text != found["svg"].text
    assert found["png"].content.startswith(b"\x89PNG\r\n\x1a\n")
    rows = list(csv.DictReader(io.StringIO(found["csv"].text)))
    assert len(rows) >= 2
    assert not [cell for row in rows for cell in row.values() if cell and re.match(r"[=@+]|-\D", cell)]
    for each in found.values():
        assert each.headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in each.headers["content-security-policy"]


def test_a_plot_without_data_says_why_and_an_unknown_one_is_not_there(measured):
    with measured.client() as client:
        known(client)
        said = client.get("/trust/plot/cost.svg")
        assert (said.status_code, "no attempt said what it cost" in said.text) == (404, True)
        assert client.get("/trust/plot/nothing.svg").status_code == 404
        assert client.get("/trust/plot/horizon.html").status_code == 404


def test_money_is_drawn_where_attempts_say_what_they_cost(served, figures):
    story = served.story
    story.task("paid")
    story.order("paid.1")
    made = story.attempt("free.1") if story.task("free") else None
    story.tell("attempt", "paid.1", "paid", replace(made, id="paid.1", task="paid", usd=0.5))
    story.verdict("paid.1")
    story.decide("paid", Action.LAND, "paid.1")
    story.land("paid.1")
    assert figures().trust.periods[-1].usd_per_landed_so_far == 0.5


def test_money_is_a_picture_that_has_loaded_and_a_sheet_with_the_same_numbers(served, page):
    story = served.story
    story.task("free")
    made = story.attempt("free.1")
    for number, usd in enumerate((0.5, 1.5, 4.0)):
        task = f"paid-{number}"
        story.task(task)
        story.order(f"{task}.1")
        story.tell("attempt", f"{task}.1", task, replace(made, id=f"{task}.1", task=task, usd=usd))
        story.verdict(f"{task}.1")
        story.decide(task, Action.LAND, f"{task}.1")
        story.land(f"{task}.1")
        story.now += 7200.0
    page.goto(f"{served.base}/trust")
    picture = page.locator("section[aria-labelledby=cost] figure img")
    expect(picture).to_have_count(1, timeout=LATE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        until_loaded(page, picture, dark=scheme == "dark")
    with served.client() as client:
        rows = list(csv.DictReader(io.StringIO(client.get("/trust/plot/cost.csv").text)))
        assert client.get("/trust/plot/cost.png").content.startswith(b"\x89PNG\r\n\x1a\n")
        assert "<text" in client.get("/trust/plot/cost.svg").text
    numbers = [float(cell) for row in rows for cell in row.values() if cell and re.fullmatch(r"[0-9.]+", cell)]
    assert {0.5, 1.5, 4.0, 1.0, 2.0} <= set(numbers)  # of each period, and so far


@pytest.mark.parametrize("name", ["horizon", "certificates"])
def test_names_are_text_in_every_form(measured, page, name):
    page.goto(f"{measured.base}/trust")
    expect(page.locator("figure.plot")).to_have_count(4, timeout=LATE)
    assert page.locator("main script, main text").count() == 0
    assert page.locator("main svg title, main foreignObject").count() == 0
    content = page.content()
    assert "<script>alert" not in content
    assert "\u202e" not in content
    with measured.client() as client:
        svg = client.get(f"/trust/plot/{name}.svg").text
        sheet = client.get(f"/trust/plot/{name}.csv").text
    assert "<script" not in svg
    assert "\u202e" not in svg + sheet
    assert "\x1b" not in svg + sheet
    assert "'=cmd" in sheet
    alone = page.context.new_page()
    alone.goto(f"{measured.base}/trust/plot/{name}.svg")
    assert alone.evaluate("document.querySelectorAll('script').length") == 0
    assert alone.evaluate("document.documentElement.localName") == "svg"


# ---------------------------------------------------------------- drill


def test_the_drill_says_what_the_tests_let_pass_and_where(measured, page):
    page.goto(f"{measured.base}/drill")
    expect(page.locator("#agents")).to_be_visible(timeout=LATE)
    text = page.locator("main").inner_text()
    assert "Of 20 wrong patches the tests here let 3 pass: 15 % (3 to 38 %)" in text
    assert "of what passes up to" in text
    assert "3 of 20 let pass; 0\u202f% of all would be without them" in text
    assert page.locator("[data-list] tbody tr").count() == 3
    page.locator("summary").click()
    expect(page.locator(".file tbody tr")).to_have_count(3)
    assert "<script>alert" not in page.content()


def test_where_nothing_was_drilled_the_page_says_how(served, page):
    page.goto(f"{served.base}/drill")
    expect(page.locator("main")).to_contain_text("Nothing was drilled yet", timeout=LATE)


# ---------------------------------------------------------------- settings


def test_settings_say_what_is_decided_and_where_and_never_a_key(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-one")
    (tmp_path / "key").write_text("sk-secret-two")
    (tmp_path / "house-rules.md").write_text(f"- Tests first. {EVIL}\n")
    (tmp_path / "reeve.toml").write_text(
        'env = {TOKEN = "sk-secret-three"}\n[budgets]\nday_usd = 12.5\n[trust]\nconfidence = 0.9\n'
        '[providers.mine]\napi = "openai"\nbase_url = "http://localhost:1/v1"\n'
        'key_file = "key"\n[agents.sweeper]\nkind = "command"\ncommand = "true sk-secret-six"\n'
    )
    with serving(tmp_path) as served, served.client() as client:
        said = client.get("/settings").text
        agents = client.get("/api/v1/agents")
    assert "secret" not in said + agents.text
    for words in ("sweeper", "day_usd", "12.5", "0.9", "localhost:1/v1", "reeve.toml", "Tests first."):
        assert words in said
    assert "<script>alert" not in said
    assert "ANTHROPIC_API_KEY" in said
    assert {row["name"] for row in agents.json()} >= {"repair", "sweeper"}


def test_agents_are_as_the_command_line_lists_them(served, reeve_in, monkeypatch):
    monkeypatch.setenv("HOME", str(served.story.store.folder.parent))  # where programs of agents are looked for
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with served.client() as client:
        said = client.get("/api/v1/agents").json()
    assert said == json.loads(reeve_in(served.story.store.folder.parent, "agents", "--json").out)["agents"]


def test_rules_that_cannot_be_read_are_said_beside_the_rest(tmp_path):
    (tmp_path / "reeve.toml").write_text('house_rules = "../elsewhere.md"\n')
    with serving(tmp_path) as served, served.client() as client:
        said = client.get("/settings").text
    assert "house rules must lie in the project" in said
    assert "Providers of models" in said


# ---------------------------------------------------------------- for every eye


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_fault_for_anybody_and_nothing_wider_than_the_window(measured, browser, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(measured.entrance)
    open_trust(measured, page)
    for path in ("/trust", "/trust/rows?of=unseen", "/drill", "/settings"):
        page.goto(measured.base + path)
        found = Axe().run(page).response["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


def test_every_page_of_the_deck_is_in_its_bar_and_has_its_key(served, page):
    for key, path in (("t", "/trust"), ("d", "/drill"), ("s", "/settings"), ("i", "/inbox"), ("f", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"{served.base}{path}")
        expect(page.locator(".top nav [aria-current]")).to_have_attribute("href", path)
