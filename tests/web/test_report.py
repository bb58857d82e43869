"""The report: one page that asks for nothing, runs nothing, and shows hostile content as what it is."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from reeve.adapters.stores.memory import MemoryStore
from reeve.records import Change, CheckResult, Checks, Ending, HiddenFile, KnownAnswer, Outcome, ReviewKind
from reeve.web.report import render
from stories import Story


@pytest.fixture
def story() -> Story:
    return Story(MemoryStore())


def page(story: Story) -> str:
    return render(story.store, project="parser", at_utc=story.now)


class Reader(HTMLParser):
    """Reads a page strictly: every tag that is opened is closed, in order."""

    VOID = ("meta", "br", "link", "img", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], set(), [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page_tells_the_whole_story(story):
    story.fleet()
    story.review("first-line.1", ReviewKind.ACCEPT, "looked fine", minutes=4.0, commit="c")
    text = Reader(page(story)).text
    for words in (
        "tasks 8",
        "landed 2",
        "needs-you 4",
        "pass@1 75",
        "your minutes 4",
        "2 of your minutes for each landed task",
        "numbers conflict, 2 lines, about 20 min by hand",
        "reeve accept numbers.1",
        "the environment could not be made: pip could not install 'numpyy': no such project",
        "ERROR: no matching",
        "must pass tests/test_parser.py::test_first_line",
        "agent repair 0.1.0",
        "ending time-limit: it did not end within 600 s",
        "1 required test passed, by exact id",
        "return line[1]",
        "first-line.1 passed: the only one that passed land = passed; passed 1; policy p1",
        "318f0fcb7876efd3ffa3430bcccb9f6cdc4d3d6b on reeve/landed",
        "looked fine 4 min, measured",
        "version p1",
    ):
        assert words in text, words


def test_what_agents_did_with_known_answers_stands_in_a_table_of_its_own(story):
    assert "Known answers" not in Reader(page(story.fleet())).text
    for number, answer in enumerate(["cheated", "failed", "failed", "declined", "unknown", ""]):
        story.answered(f"i{number}", KnownAnswer.IMPOSSIBLE, answer)
    story.answered("s", KnownAnswer.SOLVED, "changed")
    text = Reader(page(story)).text
    assert "repair 0.1.0 1 of 4 (1 % to 81 %) 2 1 1 of 1 (3 % to 100 %) 0 0" in text
    assert "1 under way, 1 of which nothing can be learnt." in text
    assert "tasks 8 " in text
    assert "i0" not in text


def test_a_declined_attempt_is_told_from_a_wrong_one(story):
    story.declined("a")
    story.failed("b")
    text = Reader(page(story)).text
    assert "Of these attempts: 0 passed, 1 wrong, 1 declined." in text
    assert "a.1 declined" in text
    assert "the agent declines: impossible: 2 is not 3" in text


def test_the_page_of_an_attempt_shows_the_rules_it_was_given(story):
    story.task("t")
    story.order("t.1", rules=("Be brief.", "Never <b>push</b>."))
    assert "rules Be brief. Never <b>push</b>." in Reader(page(story)).text


def test_the_page_is_well_formed_and_every_link_has_its_target(story):
    story.landed("tasks")  # no id of a task may be that of a section
    reader = Reader(page(story.fleet()))
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in reader.attributes if name == "href"} <= set(ids)


def test_the_page_asks_for_nothing_and_runs_nothing(story):
    text = page(story.fleet())
    reader = Reader(text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on") or name in ("src", "style")]
    assert all(value.startswith("#") for _, name, value in reader.attributes if name == "href")
    policy = next(value for _, name, value in reader.attributes if value and value.startswith("default-src"))
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in css
    assert "@import" not in css


HOSTILE = "</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>\" onclick='x' {{ 7*7 }} {% x %}"


def test_hostile_content_is_shown_and_does_nothing(story):
    raw = HOSTILE + "\u202eevil\x1b[2J\x00\udcff"
    story.task("t", instruction=HOSTILE)
    story.attempt("t.1", diff=raw.encode("utf-8", "surrogateescape"), said=raw.encode("utf-8", "surrogateescape"), reason=raw, changes=[Change(raw, "added", 1)], refused=(raw,), ending=Ending.CRASHED)  # fmt: skip
    story.verdict("t.1", Outcome.FAILED, raw, checks=(CheckResult(raw, Outcome.FAILED, (raw,)),))
    story.broken_setup("u")
    story.environment("u", ok=False, reason=raw, log=raw.encode("utf-8", "surrogateescape"), key="k2")
    text = page(story)
    reader = Reader(text)
    assert not {"script", "img"} & reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert HOSTILE in reader.text
    assert not {"\u202e", "\x1b", "\x00"} & set(text)
    text.encode("utf-8")


def test_a_large_diff_and_a_long_trajectory_are_cut_with_a_word(story):
    story.task("t")
    story.attempt(
        "t.1",
        diff=b"".join(b"+line %d\n" % number for number in range(5000)) + b"+" + b"x" * 10_000 + b"\n",
        said=b"".join(b'{"kind": "plan", "text": "step %d"}\n' % number for number in range(100)),
    )
    text = Reader(page(story)).text
    assert "cut here: 4601 more lines, `reeve diff t.1` has all" in text
    assert "+line 399" in text
    assert "+line 400" not in text
    assert "The first 5 and the last 15; `reeve log t.1` has all." in text
    assert "step 4 " in text
    assert "step 5 " not in text
    assert "step 85 " in text


def test_a_run_without_walls_is_warned_of(story):
    story.task("t")
    story.attempt("t.1", sandbox="none")
    assert "Without walls." in Reader(page(story)).text
    assert "Without walls." not in Reader(page(Story(MemoryStore()).fleet())).text


def test_an_empty_ledger_is_a_page_too(story):
    text = Reader(page(story)).text
    assert "No task was run yet." in text
    assert "Nothing was judged yet, so no rate is shown." in text


def test_a_damaged_artefact_costs_only_itself(story):
    story.landed("t")
    story.store._artefacts.clear()
    text = Reader(page(story)).text
    assert "there is none" in text
    assert "landed as" in text


def test_hidden_tests_are_not_on_the_page(story):
    story.task("t", checks=Checks(required=("a::b",), hidden=(HiddenFile("h.py", b"secret_answer"),)))
    assert "secret_answer" not in page(story)
