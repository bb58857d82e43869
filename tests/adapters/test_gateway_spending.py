"""Budgets through a real gateway: no two requests spend the same dollar, whatever ends them, and whoever is killed."""

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from gateways import (
    PATHS,
    PROVIDER,
    TOKEN,
    Site,
    Upstream,
    asked,
    event,
    events,
    eventually,
    head,
    plain,
    said,
    site,
)

from reeve.adapters.gateway.process import GatewayProcess
from reeve.ledger.codec import encode
from reeve.ports import Fact
from reeve.records import Budgets, Limits, RequestOutcome

DOLLAR_A_TOKEN = 1_000_000
PRICES = f'[[price]]\nmodels = ["plain"]\ninput = 0\noutput = {DOLLAR_A_TOKEN}\n'
"""So that what an answer costs can be read off its length."""

ANSWERED, OVER_BUDGET, CUT_OFF = RequestOutcome.ANSWERED, RequestOutcome.OVER_BUDGET, RequestOutcome.CUT_OFF


def question(output_tokens: int, *, stream: bool = False, model: str = "plain") -> dict[str, object]:
    return {"model": model, "max_tokens": output_tokens, "stream": stream, "messages": []}


def message(output_tokens: int) -> dict[str, object]:
    return {"type": "message", "usage": {"input_tokens": 0, "output_tokens": output_tokens}}


@contextmanager
def priced(folder: Path, **options: object) -> Iterator[Site]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.toml").write_text(PRICES)
    with site(folder, prices=folder / "prices.toml", **options) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for all stories whose budget is that of an attempt."""
    with priced(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def fresh(shared):
    """The shared gateway, as its provider has heard nothing yet."""
    shared.upstream.seen.clear()
    shared.upstream.gone.clear()
    return shared


class Held:
    """A provider that has heard a question and keeps its answer until it is told."""

    def __init__(self, output_tokens: int) -> None:
        self.heard = threading.Semaphore(0)
        self.told = threading.Event()
        self._answer = plain(200, message(output_tokens))

    def __call__(self, asked, send) -> None:
        self.heard.release()
        assert self.told.wait(60)
        self._answer(asked, send)


ASK = "/anthropic/v1/messages"


# ---------------------------------------------------------------- two that want the same dollar


def test_two_attempts_that_want_the_same_dollar_do_not_both_get_it(tmp_path):
    with priced(tmp_path, budgets=Budgets(run_usd=10.0), hold_seconds=0.05) as found, ThreadPoolExecutor() as pool:
        one, two = found.attempt("a.1"), found.attempt("b.1")
        found.upstream.answer = held = Held(8)
        first = pool.submit(one.ask, ASK, question(8))
        assert held.heard.acquire(timeout=30)
        status, _, body = two.ask(ASK, question(8))
        assert status == 429, "what the other has reserved may come back"
        assert "the budget of this run is too small for this" in json.loads(body)["error"]["message"]
        held.told.set()
        assert first.result()[0] == 200
        assert two.ask(ASK, question(8))[0] == 402, "now it is spent"
        assert two.ask(ASK, question(2))[0] == 200
        facts = sorted(found.settled(4), key=lambda each: each.number)
        assert [each.outcome for each in facts] == [ANSWERED, OVER_BUDGET, OVER_BUDGET, ANSWERED]
        assert len(found.upstream.seen) == 2


def test_what_others_have_reserved_is_waited_for(tmp_path):
    with priced(tmp_path, budgets=Budgets(day_usd=10.0)) as found, ThreadPoolExecutor() as pool:
        one, two = found.attempt("a.1"), found.attempt("b.1")
        with closing(two.client()) as client:
            client.request("GET", "/anthropic/v1/nothing", headers={"x-api-key": TOKEN})
            client.getresponse().read()  # the gateway knows this connection by now
            found.upstream.answer = held = Held(1)
            first = pool.submit(one.ask, ASK, question(8))
            assert held.heard.acquire(timeout=30)
            client.request("POST", ASK, json.dumps(question(8)), {"x-api-key": TOKEN})
            eventually(lambda: taken(client.sock))
            held.told.set()  # not before the second is there
            assert (first.result()[0], client.getresponse().status) == (200, 200)
        assert [each.usd for each in found.settled(3) if each.method == "POST"] == [1.0, 1.0]


def taken(connection: socket.socket) -> bool:
    """Say whether the other side has read all that was sent to it; the kernel knows."""
    ports = [f":{address[1]:04X}" for address in (connection.getpeername(), connection.getsockname())]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = [row[4].split(":")[1] for row in rows if [row[1][8:], row[2][8:]] == ports]
    assert len(waiting) == 1
    return int(waiting[0], 16) == 0


def test_of_many_that_ask_at_once_exactly_as_many_are_answered_as_can_be_paid(tmp_path):
    with priced(tmp_path, budgets=Budgets(run_usd=35.0)) as found, ThreadPoolExecutor(40) as pool:
        attempts = [found.attempt(f"{name}.1") for name in "abcd"]
        found.upstream.answer = plain(200, message(5))
        asks = [pool.submit(attempts[number % 4].ask, ASK, question(5)) for number in range(40)]
        statuses = sorted(each.result()[0] for each in asks)
        assert statuses == [200] * 7 + [402] * 33
        facts = found.settled(40)
        assert sum(each.usd for each in facts) == 35.0
        assert sum(each.outcome is ANSWERED for each in facts) == len(found.upstream.seen) == 7
        assert {each.usd for each in facts if each.outcome is OVER_BUDGET} == {0.0}


# ---------------------------------------------------------------- every budget, and how it says no


@pytest.mark.parametrize(
    ("which", "budgets", "limits"),
    [
        ("the attempt a.2", Budgets(), Limits(usd=100.0)),
        ("the attempt a.2", Budgets(), Limits(tokens=100)),
        ("the task a", Budgets(task_usd=100.0), Limits()),
        ("this run", Budgets(run_usd=100.0), Limits()),
        ("this run", Budgets(run_tokens=100), Limits()),
        ("the day ", Budgets(day_usd=100.0), Limits()),
    ],
)
def test_every_budget_refuses_by_its_name_and_the_ledger_knows(tmp_path, which, budgets, limits):
    with priced(tmp_path, budgets=budgets) as found:
        attempt = found.attempt("a.2", limits=limits)
        found.upstream.answer = plain(200, message(100))
        assert attempt.ask(ASK, question(9))[0] == 200
        status, headers, body = attempt.ask(ASK, question(1))
        assert (status, headers["content-type"]) == (402, "application/json")
        reason = json.loads(body)["error"]["message"]
        assert reason.startswith(f"the budget of {which}")
        assert "is used up: 100" in reason
        refused = found.settled(2)[1]
        assert (refused.outcome, refused.status, refused.reason) == (OVER_BUDGET, 402, reason)
        assert eventually(lambda: found.gateway.spent("a.2").refused) == reason


@pytest.mark.parametrize("name", PATHS)
def test_a_refusal_comes_in_the_form_of_each_api(fresh, name):
    attempt = fresh.attempt(f"form-{name}.1", limits=Limits(tokens=1))
    status, _, body = attempt.ask(f"/{PROVIDER[name]}{PATHS[name]}", asked(name))
    error = json.loads(body)["error"]
    assert status == 402
    assert f"the budget of the attempt form-{name}.1 is too small" in error["message"]
    kinds = {"anthropic": "billing_error", "gemini": "FAILED_PRECONDITION"}
    assert error["status" if name == "gemini" else "type"] == kinds.get(name, "insufficient_quota")
    assert fresh.upstream.seen == []


def test_an_answer_in_one_piece_that_may_be_too_dear_does_not_leave(fresh):
    attempt = fresh.attempt("dear.1", limits=Limits(usd=1000.0))
    status, _, body = attempt.ask(ASK, question(64_000))
    assert status == 402
    assert "ask for fewer tokens of output, or for a stream" in json.loads(body)["error"]["message"]
    assert attempt.ask("/openai/v1/chat/completions", {**question(300), "n": 4})[0] == 402
    assert fresh.upstream.seen == []


def test_a_model_without_a_price_is_refused_where_dollars_are_counted_and_nowhere_else(fresh):
    fresh.upstream.answer = plain(200, message(9))
    status, _, body = fresh.attempt("counted.1", limits=Limits(usd=5.0)).ask(ASK, question(1, model="mystery"))
    assert status == 402
    assert "no price is known for the model 'mystery'" in json.loads(body)["error"]["message"]
    assert fresh.attempt("uncounted.1").ask(ASK, question(1, model="mystery"))[0] == 200
    (fact,) = fresh.settled(1, "uncounted.1")
    assert (fact.tokens, fact.usd) == (9, None)


# ---------------------------------------------------------------- answers that become too long


ENDLESS = {
    "anthropic": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 300}},
    "responses": {"type": "response.output_text.delta", "delta": "x" * 300},
    "chat": {"choices": [{"index": 0, "delta": {"content": "x" * 300}}], "usage": None},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "x" * 300}]}}]},
}
ARRAY = f"/gemini{PATHS['gemini'].partition('?')[0]}"
LAST_WORD = {
    "anthropic": lambda data: (data["type"], data["error"]["type"], data["error"]["message"]),
    "responses": lambda data: (data["type"], data["response"]["error"]["code"], data["response"]["error"]["message"]),
    "chat": lambda data: ("error", data["error"]["code"], data["error"]["message"]),
    "gemini": lambda data: ("error", data["error"]["status"], data["error"]["message"]),
}
KINDS = {
    "anthropic": ("error", "billing_error"),
    "responses": ("response.failed", "insufficient_quota"),
    "chat": ("error", "insufficient_quota"),
    "gemini": ("error", "FAILED_PRECONDITION"),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_stream_ends_where_the_budget_does_and_says_so(fresh, name):
    def endless(asked, send):
        send(head(200, {"Content-Type": "text/event-stream"}))
        while True:
            send(event(ENDLESS[name]))

    fresh.upstream.answer = endless
    attempt = fresh.attempt(f"long-{name}.1", limits=Limits(tokens=20_000))
    path = f"/{PROVIDER[name]}{PATHS[name]}"
    status, _, body = attempt.ask(path, {**asked(name), "max_tokens": 10**6})
    assert status == 200
    assert fresh.upstream.gone.wait(30), "the provider is told to stop"
    data = json.loads(body.rstrip().rpartition(b"data: ")[2])
    *kind, words = LAST_WORD[name](data)
    assert tuple(kind) == KINDS[name]
    assert words == f"the budget of the attempt long-{name}.1 is used up: 20000 tokens; the answer is cut off here"
    (fact,) = fresh.settled(1, attempt.door.attempt)
    assert (fact.outcome, fact.complete, fact.reason) == (CUT_OFF, False, words)
    assert 20_000 <= fact.tokens < 60_000, "no further than what was on its way"
    assert eventually(lambda: fresh.gateway.spent(attempt.door.attempt).refused) == words
    assert attempt.ask(path, asked(name))[0] == 402


def test_a_stream_that_is_an_array_ends_where_the_budget_does(fresh):
    def endless(asked, send):
        send(head(200, {"Content-Type": "application/json"}) + b"[" + json.dumps(ENDLESS["gemini"]).encode())
        while True:
            send(b",\r\n" + json.dumps(ENDLESS["gemini"]).encode())

    fresh.upstream.answer = endless
    attempt = fresh.attempt("array.1", limits=Limits(tokens=9_000))
    with suppress(http.client.IncompleteRead, ConnectionResetError):  # half an element is no whole answer
        _, _, body = attempt.ask(ARRAY, asked("gemini"))
        assert json.loads(body)[-1]["error"]["status"] == "FAILED_PRECONDITION"
    assert fresh.upstream.gone.wait(30)
    assert fresh.settled(1, "array.1")[0].outcome is CUT_OFF


def test_between_two_elements_of_an_array_the_refusal_is_one_more(fresh):
    def one_and_no_end(asked, send):
        send(head(200, {"Content-Type": "application/json"}) + b"[" + json.dumps(ENDLESS["gemini"]).encode())
        eventually(lambda: broken(send))

    fresh.upstream.answer = one_and_no_end
    attempt = fresh.attempt("element.1", limits=Limits(tokens=100))
    question = {**asked("gemini"), "generationConfig": {"maxOutputTokens": 50}}
    status, _, body = attempt.ask(ARRAY, question)
    assert status == 200
    first, last = json.loads(body)
    assert (first, last["error"]["status"]) == (ENDLESS["gemini"], "FAILED_PRECONDITION")


def broken(send) -> bool:
    """Say that the other side is gone; white space between elements is none."""
    try:
        send(b"\n")
    except OSError:
        return True
    return False


def test_a_stream_waits_for_what_others_hold_before_it_is_cut_off(tmp_path):
    with site(tmp_path, budgets=Budgets(run_tokens=12_000)) as found, ThreadPoolExecutor() as pool:
        held = Held(10)

        def answer(asked, send):
            if b'"stream": false' in asked.body:
                held(asked, send)
                return
            send(head(200, {"Content-Type": "text/event-stream"}))
            for _ in range(60):  # about 6000 tokens: more than is left beside what the other holds
                send(event(ENDLESS["anthropic"]))
            assert held.told.wait(60)
            send(said("anthropic", output_tokens=6000))

        found.upstream.answer = answer
        one, two = found.attempt("a.1"), found.attempt("b.1")
        first = pool.submit(one.ask, ASK, question(7000, model="claude-sonnet-4-5"))
        assert held.heard.acquire(timeout=30)
        with closing(two.client()) as client:
            body = json.dumps(question(10_000, stream=True, model="claude-sonnet-4-5"))
            client.request("POST", ASK, body, {"x-api-key": TOKEN})
            response = client.getresponse()
            passed = response.read(20_000)  # what fits has passed by then
            held.told.set()
            assert b"error" not in passed + response.read()
        assert first.result()[0] == 200
        assert {each.outcome for each in found.settled(2)} == {ANSWERED}


# ---------------------------------------------------------------- what comes back


@pytest.mark.parametrize("ending", ["small", "error", "retried", "cancelled", "unreachable"])
def test_what_was_reserved_and_not_used_comes_back(tmp_path, ending):
    with priced(tmp_path, budgets=Budgets(task_usd=10.0)) as found:
        attempt = found.attempt("a.1")
        tries = []

        def answer(asked, send):
            tries.append(asked)
            if ending == "error":
                plain(500, {"error": {"type": "api_error", "message": "no"}})(asked, send)
            elif ending == "retried" and len(tries) == 1:
                plain(429, {}, {"retry-after-ms": "5"})(asked, send)
            else:
                plain(200, message(1))(asked, send)

        found.upstream.answer = answer
        if ending == "cancelled":
            found.upstream.answer = held = Held(1)
            client = attempt.client()
            client.request("POST", ASK, json.dumps(question(10)), {"x-api-key": TOKEN})
            assert held.heard.acquire(timeout=30)
            client.close()
            found.settled(1)
            held.told.set()
        elif ending == "unreachable":
            found.upstream.close()
            assert attempt.ask(ASK, question(10))[0] == 502
            found.upstream = Upstream(int(found.upstream.url.rpartition(":")[2]))
        else:
            assert attempt.ask(ASK, question(10))[0] == (500 if ending == "error" else 200)
        spent = {"small": 1.0, "retried": 1.0}.get(ending, 0.0)
        assert [each.usd for each in found.settled(1)] == [spent]
        found.upstream.answer = plain(200, message(1))
        assert attempt.ask(ASK, question(10 - int(spent)))[0] == 200, "all the rest can be reserved again"
        assert attempt.ask(ASK, question(10 - int(spent)))[0] == 402


# ---------------------------------------------------------------- killed, and begun again


def kill(found: Site) -> None:
    os.kill(found.gateway.pid, signal.SIGKILL)


def test_whoever_kills_the_gateway_makes_nothing_cheaper(tmp_path):
    with priced(tmp_path, budgets=Budgets(day_usd=10.0)) as found, ThreadPoolExecutor() as pool:
        attempt = found.attempt("a.1")
        found.upstream.answer = held = Held(1)
        dying = pool.submit(attempt.ask, ASK, question(7))
        assert held.heard.acquire(timeout=30)
        kill(found)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            dying.result()
        held.told.set()
        found.gateway.open(attempt.door)  # when it is there again it has read what was left
        (fact,) = found.settled(1)
        assert (fact.outcome, fact.usd, fact.complete) == (RequestOutcome.LOST, 7.0, False)
        assert found.gateway.spent("a.1").usd == 7.0
        found.upstream.answer = plain(200, message(1))
        again = found.attempt("a.1")
        assert again.ask(ASK, question(4))[0] == 402
        assert again.ask(ASK, question(3))[0] == 200
        assert sorted(each.number for each in found.settled(3)) == [1, 2, 3]


def test_what_the_ledger_knows_is_not_counted_twice_after_a_kill(tmp_path):
    with priced(tmp_path, budgets=Budgets(day_usd=10.0)) as found:
        found.upstream.answer = plain(200, message(2))
        attempt = found.attempt("a.1")
        attempt.ask(ASK, question(9))
        (fact,) = found.settled(1)
        kill(found)
        # As if it had died between the fact and the line that says that there is one.
        lost = {**encode(fact), "outcome": "lost", "usd": 9.0, "tokens": 9}

        found.gateway.shutdown()
        (tmp_path / "gateway" / "reserved.jsonl").write_text(json.dumps(lost) + '\n{"half a li')
        with second(found, run="run-2", budgets=Budgets(day_usd=10.0)) as later:
            again = later.attempt("a.1")
            assert later.requests() == [fact]
            assert later.gateway.spent("a.1").usd == 2.0
            assert again.ask(ASK, question(9))[0] == 402
            assert again.ask(ASK, question(8))[0] == 200


@contextmanager
def second(found: Site, **options: object) -> Iterator[Site]:
    """Another `reeve run` on the same ledger."""
    first = found.gateway
    first.shutdown()
    for attempt in found.attempts:
        attempt.close()
    found.attempts.clear()
    configuration = first._configuration
    found.gateway = GatewayProcess(
        found.folder / "gateway",
        found.folder / "store",
        {each.name: each for each in configuration.providers},
        prices=Path(configuration.prices) if configuration.prices else None,
        **options,
    )
    try:
        yield found
    finally:
        found.gateway.shutdown()


@pytest.mark.parametrize(
    ("budgets", "status"),
    [(Budgets(day_usd=10.0), 402), (Budgets(task_usd=10.0), 402), (Budgets(run_usd=10.0), 200)],
    ids=["day", "task", "run"],
)
def test_the_next_run_knows_what_this_one_spent(tmp_path, budgets, status):
    with priced(tmp_path, budgets=budgets) as found:
        found.upstream.answer = plain(200, message(6))
        found.attempt("a.1").ask(ASK, question(6))
        found.settled(1)
        with second(found, run="run-2", budgets=budgets) as later:
            assert later.attempt("a.2").ask(ASK, question(6))[0] == status


# ---------------------------------------------------------------- a provider asks to wait


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_provider_that_asks_to_wait_has_the_whole_fleet_wait_and_then_goes_on(tmp_path, status):
    told: list[Fact] = []
    with site(tmp_path, paused=told.append) as found, ThreadPoolExecutor() as pool:
        one, two = found.attempt("a.1"), found.attempt("b.1")
        tries: list[object] = []

        def answer(asked, send):
            tries.append(asked)
            said_so = plain(status, {"error": {"type": "busy"}}, {"retry-after": "1"})
            (said_so if len(tries) == 1 else events(said("anthropic")))(asked, send)

        found.upstream.answer = answer
        first = pool.submit(one.ask, ASK, asked("anthropic"))
        (pause,) = eventually(found.pauses)
        assert (pause.provider, pause.status, pause.attempt) == ("anthropic", status, "a.1")
        assert pause.until_utc - pause.at_utc == pytest.approx(1.0), "what it named, and nothing else"
        assert eventually(lambda: told)[0].body == encode(pause)
        assert two.ask(ASK, asked("anthropic"))[0] == 200
        assert first.result()[0] == 200
        assert all(each.at_utc + each.seconds >= pause.until_utc for each in found.settled(2)), "nobody went before"
        assert len(tries) == 3
        assert len(found.pauses()) == 1


def test_without_a_time_there_is_no_pause_and_the_agent_is_told(tmp_path):
    with site(tmp_path) as found:
        found.upstream.answer = plain(429, {"error": {"type": "rate_limit_error"}}, {"x-why": "tokens"})
        status, headers, body = found.attempt().ask(ASK, asked("anthropic"))
        assert (status, headers["x-why"], json.loads(body)) == (429, "tokens", {"error": {"type": "rate_limit_error"}})
        assert "retry-after" not in headers
        assert found.settled(1)[0].outcome is RequestOutcome.PROVIDER_ERROR
        assert found.pauses() == []
        assert len(found.upstream.seen) == 1


def test_a_pause_that_is_too_long_to_wait_for_is_passed_on_and_outlives_the_gateway(tmp_path):
    with site(tmp_path, hold_seconds=0.05) as found:
        found.upstream.answer = plain(529, {"error": {"type": "overloaded_error"}}, {"retry-after": "3000"})
        attempt = found.attempt("a.1")
        status, headers, body = attempt.ask(ASK, asked("anthropic"))
        assert (status, json.loads(body)["error"]["type"]) == (529, "overloaded_error")
        assert 2900 < int(headers["retry-after"]) <= 3000
        until = eventually(lambda: found.gateway.spent("a.1").paused_until_utc)
        assert until == found.pauses()[0].until_utc
        found.upstream.answer = events(said("chat"))
        assert attempt.ask("/openai/v1/chat/completions", asked("chat"))[0] == 200, "another provider goes on"
        told: list[Fact] = []
        with second(found, run="run-2", hold_seconds=0.05, paused=told.append) as later:
            status, headers, body = later.attempt("b.1").ask(ASK, asked("anthropic"))
            assert (status, json.loads(body)["error"]["type"]) == (529, "overloaded_error")
            assert 2900 < int(headers["retry-after"]) <= 3000
            assert [each.kind for each in told] == ["pause"], "whoever looks at this run sees it too"
            assert len(later.upstream.seen) == 2, "nothing was sent there"
            assert len(later.pauses()) == 1


def test_what_a_pause_had_wait_can_be_given_up_and_costs_nothing(tmp_path):
    with site(tmp_path) as found:
        found.upstream.answer = plain(429, {}, {"retry-after": "3000"})
        client = found.attempt("a.1").client()
        client.request("POST", ASK, json.dumps(asked("anthropic")), {"x-api-key": TOKEN})
        eventually(found.pauses)
        client.close()
        (fact,) = found.settled(1)
        assert (fact.outcome, fact.tokens, fact.usd) == (RequestOutcome.CANCELLED, 0, 0.0)
