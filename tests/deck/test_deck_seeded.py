"""Items of known truth as the deck shows them: unmarked until they are answered, told then; and what answers teach."""

import json
import re
import time

import pytest
from scipy.stats import beta

from reeve.cli.start import open_world
from reeve.durable import reviews
from reeve.durable.reviews import Minutes
from reeve.ledger.codec import encode
from reeve.records import Action, Checks, RepoSource, ReviewKind, Seeded, Task
from reeve.settings import read_settings
from reeve.stats.reviewers import Reviewers, corrected_rate
from stories import BASE, REPAIR

SOON_SECONDS = 30.0
MARKED = re.compile("seeded|seeding|withheld|held back|put here|known to be")


def seed(story, name, *, right):
    """An item as a run leaves it: the fact that tells first, then what any other result leaves."""
    task = Task(name, "Mend it.", RepoSource("/home/ada/parser"), checks=Checks(required=("t.py::test_a",)), digest="d")
    proof = ("t.py::test_b",)
    seeded = Seeded(
        "own.1", task, BASE, "2" * 40, REPAIR, right, "what repair delivered", proof, "m", (f"of {name}",), "x.1", True
    )
    story.tell("seeded", f"beside-{name}.1", name, seeded)
    waits(story, name)


def waits(story, name):
    story.task(name)
    story.attempt(f"{name}.1")
    story.verdict(f"{name}.1")
    story.selection(name, f"{name}.1")
    story.decide(name, Action.ASK, f"{name}.1", f"{name}.1 passed; not certified yet")
    story.drawn(f"{name}.1", unseen=False)


def until(look):
    """Wait for what comes soon."""
    end = time.monotonic() + SOON_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("right", [True, False])
def test_an_item_is_unmarked_in_inbox_page_and_api_until_it_is_answered_and_told_of_then(served, right):
    waits(served.story, "own")
    seed(served.story, "mend-it-0a1b2c", right=right)
    with served.client() as client:
        pages = ["/", "/inbox", "/task/{}", "/attempt/{}.1", "/api/v1/inbox", "/api/v1/tasks", "/api/v1/tasks/{}"]
        for path in pages:
            ours, others = (client.get(path.format(id_)).text for id_ in ("mend-it-0a1b2c", "own"))
            assert "mend-it-0a1b2c" in ours
            assert not MARKED.search(ours), path
            if path.startswith("/task"):
                assert ours.replace("mend-it-0a1b2c", "own").count("button") == others.count("button")
        assert client.get("/api/v1/fleet").json()["totals"]["needs-you"]["tasks"] == 2
        done = client.post("/api/v1/tasks/mend-it-0a1b2c/accept", json={"attempt": "mend-it-0a1b2c.1", "minutes": 2})
        assert done.status_code == 202, done.text
        page = until(lambda: "known to be" in (text := client.get("/task/mend-it-0a1b2c").text) and text)
        assert f"known to be {'right' if right else 'wrong: with it t.py::test_b fails'}" in page
        assert "nothing was landed" in page
        assert client.get("/api/v1/tasks/mend-it-0a1b2c").json()["seeded"]["known_to_be"] == ("wrong", "right")[right]
        for path in ("/", "/inbox"):
            assert "mend-it-0a1b2c" not in client.get(path).text
        assert client.get("/api/v1/fleet").json()["totals"]["needs-you"]["tasks"] == 1
    assert not served.story.store.facts(kind="landing")


def test_the_stream_of_events_does_not_tell_kinds_that_would(served):
    seed(served.story, "mend-it-0a1b2c", right=False)
    with served.client() as client, client.stream("GET", "/api/v1/stream?after=0") as events:
        heard = next(line for line in events.iter_lines() if line.startswith("data:"))
    told = json.loads(heard.removeprefix("data:"))
    assert "mend-it-0a1b2c" in told["tasks"]
    assert not MARKED.search(heard)


def test_what_reviewers_are_like_is_found_from_their_answers(served, tmp_path, reeve_in):
    """Ada misses four wrong items of twenty and turns down two right ones of twenty; bob finds all ten wrong ones."""
    world, story = open_world(read_settings(tmp_path, {}), sandbox="none"), served.story
    for number in range(20):
        for right in (True, False):
            name = f"item{number}-{'ab'[right]}"
            seed(story, name, right=right)
            took = Minutes(0.5, measured=False, reviewer="ada")
            if (right and number >= 2) or (not right and number < 4):
                reviews.accept(world, f"{name}.1", took)
            elif number % 2:
                reviews.reject(world, name, "no", took)
            else:
                reviews.again(world, name, "no", took)
    for number in range(10):
        seed(story, f"bob{number}", right=False)
        reviews.reject(world, f"bob{number}", "no", Minutes(1.0, measured=True, reviewer="bob"))
    for number in range(50):
        story.landed(f"own{number}")
        story.drawn(f"own{number}.1")
        kind = ReviewKind.WRONG if number < 10 else ReviewKind.ACCEPT
        story.review(f"own{number}.1", kind, commit="c", escape=number < 10)
    planted = Reviewers(known_bad=30, found_bad=26, known_good=20, found_good=18)
    for words in ("trust", "policy"):
        found = json.loads(reeve_in(tmp_path, words, "--json").out)["reviewers"]
        assert found["items"] == encode(planted)
        assert (found["sensitivity"]["value"], found["specificity"]["value"]) == (26 / 30, 18 / 20)
        assert found["sensitivity"]["low"] == pytest.approx(beta.ppf(0.025, 26, 5))  # exact, by Clopper and Pearson
        assert found["corrected"] == encode(corrected_rate(10, 50, planted))
        assert found["meant"]["value"] == pytest.approx(0.05 * 30 / 26)
        assert {each["reviewer"]: each["items"]["found_bad"] for each in found["by_reviewer"]} == {"ada": 16, "bob": 10}
        assert (found["minutes"], found["wrong"], found["audited"], found["missing"]) == (30.0, 10, 50, [])
        text = " ".join(reeve_in(tmp_path, words).out.split())
        assert "of 30 known to be wrong 26 found wrong (86.7 %, 69.3 to 96.2 %)" in text
        assert "ada 16 of 20 wrong and 18 of 20 right; bob 10 of 10 wrong and 0 of 0 right" in text
        assert "10 of 50 uniform audits found wrong mean that" in text
        assert "a certified 5 % is one of at most 5.77 % (5.2 to 7.22 %)" in text
    with served.client() as client:
        page = until(lambda: "Reviewers err" in (text := client.get("/trust").text) and text)
        assert "of 30 known to be wrong 26 found wrong" in page
        assert client.get("/api/v1/trust").json()["trust"]["reviewers"]["items"] == encode(planted)


def test_with_no_answer_it_says_what_is_missing(served, tmp_path, reeve_in):
    found = json.loads(reeve_in(tmp_path, "trust", "--json").out)["reviewers"]
    assert (found["sensitivity"], found["corrected"], found["meant"]) == (None, None, None)
    assert "no known-bad item was reviewed" in found["missing"]
    said = " ".join(reeve_in(tmp_path, "policy").out.split())
    assert "`reeve drill` makes what items of known truth are made of" in said
