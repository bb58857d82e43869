"""The API: what it describes is what it does, whatever it is asked; and the stream that misses nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from reeve.records import (
    AgentSpec,
    Change,
    CheckResult,
    Checks,
    Outcome,
    Question,
    QuestionKind,
    ReviewKind,
)


@pytest.fixture
def described(served):
    served.story.fleet()
    auth = {"authorization": f"Bearer {served.token}"}
    return schemathesis.openapi.from_url(f"{served.base}/api/v1/openapi.json", headers=auth)


def test_it_does_what_it_describes_whatever_it_is_asked(described, served):
    """Hundreds of odd requests; the stream is left out, since it does not end."""
    asked = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/stream"):
            continue

        @settings(
            max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(headers={"authorization": f"Bearer {served.token}"})

        ask()
        asked.add(operation.path)
    assert len(asked) == 22


# ---------------------------------------------------------------- what it says


def test_tasks_go_on_page_by_page(served):
    for number in range(7):
        served.story.task(f"t{number}")
    with served.client() as client:
        first = client.get("/api/v1/tasks", params={"limit": 5}).json()
        second = client.get("/api/v1/tasks", params={"limit": 5, "before": first["more"]}).json()
    assert [row["task"] for row in first["rows"] + second["rows"]] == [f"t{number}" for number in reversed(range(7))]
    assert second["more"] is None


def test_hidden_tests_are_not_told(served):
    from reeve.records import HiddenFile

    hidden = Checks(
        required=("t",), hidden=(HiddenFile("tests/test_secret.py", b"the answer"),), test_patch="the answer"
    )
    served.story.task("one", checks=hidden)
    with served.client() as client:
        said = client.get("/api/v1/tasks/one")
    assert said.json()["task"]["checks"]["hidden"] == ["tests/test_secret.py"]
    assert "the answer" not in said.text
    assert "dGhlIGFuc3dlcg" not in said.text  # nor in base64


def test_what_a_person_does_begins_at_once_and_is_followed(served):
    served.story.fleet()
    with served.client() as client:
        begun = client.post("/api/v1/tasks/docs/reject", json={"why": "no", "minutes": 2})
        assert begun.status_code == 202
        act = ended(client, begun.json()["number"])
    assert act["ok"], act
    assert "docs" in act["said"]
    (review,) = served.story.store.facts(kind="review", task="docs")
    assert (review.body["kind"], review.body["reason"], review.body["minutes"]) == (ReviewKind.REJECT, "no", 2.0)


def test_a_deed_that_cannot_be_done_says_why(served):
    served.story.fleet()
    with served.client() as client:
        begun = client.post("/api/v1/attempts/first-line.1/stop", json={})
        act = ended(client, begun.json()["number"])
    assert not act["ok"]
    assert "has ended already" in act["said"]


def ended(client, number) -> dict:
    while True:
        act = client.get(f"/api/v1/acts/{number}").json()
        if act["ok"] is not None:
            return act


# ---------------------------------------------------------------- names that are no text

LATIN = b"caf\xe9.py".decode("utf-8", "surrogateescape")


@pytest.fixture
def latin(served):
    """A task, a patch, a trajectory and a verdict full of a name whose bytes are no UTF-8."""
    story = served.story
    task = story.task("one", checks=Checks(required=(f"tests/{LATIN}::t",)), tags=(LATIN,), human_minutes=5.0)
    story.tell("task", "one@2", "one", replace(task, source=f"backlog/{LATIN}:1", instruction=f"Mend {LATIN}"))
    diff = f"diff --git a/{LATIN} b/{LATIN}\n--- a/{LATIN}\n+++ b/{LATIN}\n@@ -1 +1 @@\n-a\n+b {LATIN}\n"
    story.attempt(
        "one.1",
        agent=AgentSpec(LATIN, "command", LATIN),
        changes=[Change(LATIN, "modified", 1, 1)],
        refused=(LATIN,),
        reason=LATIN,
        diff=diff.encode("utf-8", "surrogateescape"),
        said=b'{"kind": "tool_call", "text": "\\udce9", "paths": ["/work/caf\\udce9.py"]}\n\xff\xfe\n',
    )
    story.verdict("one.1", Outcome.UNVERIFIED, LATIN, checks=(CheckResult(LATIN, Outcome.FAILED, (LATIN,)),))
    story.decide("one", "ask", "one.1", LATIN)
    story.working("names")
    question = Question("names.1", "p", QuestionKind.PERMISSION, LATIN, "edit", (LATIN,))
    story.tell("question", "names.1?p", "names", question)
    return served


@pytest.mark.parametrize(
    "path", ["fleet", "tasks", "tasks/one", "tasks/names", "attempts/one.1/events", "inbox", "tasks/caf%FF", "trust"]
)
def test_a_name_that_is_no_utf8_is_told_as_its_bytes(latin, path):
    with latin.client() as client:
        said = client.get(f"/api/v1/{path}")
    text = said.content.decode("utf-8")
    said.json()
    assert said.status_code == (404 if "%" in path else 200)
    assert not re.search(r"\\ud[89a-f]", text, re.IGNORECASE)
    assert ("caf\\\\xe9.py" in text) == (path in ("tasks", "tasks/one", "tasks/names", "inbox"))


@pytest.mark.parametrize("path", ["/", "/inbox", "/task/one", "/attempt/one.1", "/attempt/names.1", "/?q=%ff"])
def test_pages_show_a_name_that_is_no_utf8_as_its_bytes(latin, path):
    with latin.client() as client:
        said = client.get(path)
    assert said.status_code == 200
    assert ("caf\\xe9.py" in said.content.decode("utf-8")) == (path != "/?q=%ff")


def test_a_word_that_is_no_utf8_is_refused(latin):
    with latin.client() as client:
        body = b'{"why": "caf\\udce9"}'
        said = client.post("/api/v1/tasks/one/reject", content=body, headers={"content-type": "application/json"})
    assert (said.status_code, "why" in said.json()["error"]) == (422, True)


# ---------------------------------------------------------------- the stream


def events(answer) -> Iterator[dict]:
    found = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
        elif "event" in found:
            yield found
            found = {}
        else:
            found = {}


def test_facts_come_as_events_with_their_tasks(served):
    with served.client() as client, client.stream("GET", "/api/v1/stream") as answer:
        lines = events(answer)
        served.story.task("one")
        seen = set()
        while "one" not in seen:
            event = next(lines)
            assert event["event"] == "facts"
            seen |= set(json.loads(event["data"])["tasks"])
    assert int(event["id"]) == json.loads(event["data"])["seq"] > 0


def test_whoever_comes_back_misses_nothing(served):
    with served.client() as client:
        with client.stream("GET", "/api/v1/stream") as answer:
            served.story.task("one")
            last = next(events(answer))["id"]
        served.story.task("two")
        seen = set()
        with client.stream("GET", "/api/v1/stream", headers={"last-event-id": last}) as answer:
            for event in events(answer):
                told = json.loads(event["data"])
                seen |= set(told["tasks"]) | set(told["kinds"])
                if told["seq"] >= served.story.store.last():
                    break
    assert seen & {"two", "all"}


@pytest.mark.parametrize("last", ["", "-1", "x", "9" * 400, "\u0661"])
def test_a_last_event_that_is_none_of_ours_does_no_harm(served, last):
    headers = {"last-event-id": last.encode()}
    with served.client() as client, client.stream("GET", "/api/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200
        served.story.task("one")
        assert next(events(answer))["event"] == "facts"
