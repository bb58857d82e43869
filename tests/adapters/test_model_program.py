"""The agent `model`, a real process, against the scripted model: what it does, what it says, and how it ends."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateways import Upstream, events, plain, said
from model_attempts import BUGGY, FORMS, Attempt, Kept

from reeve.adapters.gateway.usage import Shape
from reeve.adapters.gateway.words import cut_event, error_body
from reeve.adapters.playback.seen import digest_of_key
from reeve.adapters.playback.server import PlaybackServer
from reeve.attempt.events import declined_in
from reeve.records import Api

FIX = {"edit": {"path": "sums.py", "old": "a - b", "new": "a + b"}}
DONE = {"text": "add adds now; its test passes."}
PYTEST = {"run": f"{sys.executable} -m pytest -q -p no:cacheprovider test_sums.py"}


@pytest.fixture
def against(tmp_path):
    """Make an attempt whose model follows a script."""
    servers = []

    def make(script: object, form: str = "openai-chat", **spec: Any) -> Attempt:
        kept = script if isinstance(script, Kept) else None
        servers.append(PlaybackServer(None if kept else script, source=kept).__enter__())
        return Attempt(tmp_path, servers[-1], form, **spec)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


Against = Callable[..., Attempt]

# ---------------------------------------------------------------- the work


@pytest.mark.parametrize("form", FORMS)
def test_it_reads_edits_and_runs_until_the_bug_is_gone_whatever_the_model_speaks(against: Against, form: str):
    attempt = against([{"read": "sums.py"}, PYTEST, FIX, PYTEST, DONE], form, process=True).run()
    assert (attempt.status, attempt.complaints) == (0, "")
    assert (attempt.work / "sums.py").read_text() == BUGGY.replace("-", "+")
    assert attempt.outputs("read") == ["    1\tdef add(a, b):\n    2\t    return a - b"]
    failed, passed = attempt.outputs("run")
    assert failed.startswith("[exit 1]")
    assert passed.startswith("[exit 0]")
    assert [event["path"] for event in attempt.of("file_change")] == ["sums.py"]
    assert (attempt.result["ok"], attempt.result["text"]) == (True, DONE["text"])
    counted = sum(seen.input_tokens + seen.output_tokens for seen in attempt.server.seen)
    assert attempt.of("usage")[-1]["tokens"] == counted
    assert {seen.path.partition("/v1")[0] for seen in attempt.server.seen} == {""}


LIKE_OPENAI = ("deepseek", "together", "fireworks", "ollama", "litellm", "moonshotai", "groq", "mistral", "cerebras")


@pytest.mark.parametrize("form", LIKE_OPENAI)
def test_providers_that_pydantic_ai_knows_are_spoken_to_behind_the_door(against: Against, form: str):
    attempt = against([FIX, DONE], form).run()
    assert attempt.result["ok"], attempt.result
    assert {seen.path for seen in attempt.server.seen} == {"/v1/chat/completions"}
    assert {seen.key for seen in attempt.server.seen} == {digest_of_key("stand-in")}


def test_a_provider_of_reeve_toml_with_the_api_of_openai_is_spoken_to_by_chat_completions(against: Against):
    attempt = against([FIX, DONE], "my-own-machine").run()
    assert attempt.result["ok"]
    assert {seen.path for seen in attempt.server.seen} == {"/v1/chat/completions"}


def test_thoughts_plans_and_facts_are_events(against: Against):
    plan = {"tool": {"name": "plan", "arguments": {"entries": ["[x] look", "repair"], "facts": ["add subtracts"]}}}
    attempt = against([[{"thought": "Subtracts?"}, plan], DONE], "anthropic").run()
    assert attempt.of("thought")[0]["text"] == "Subtracts?"
    assert attempt.of("plan")[0]["text"] == "[x] look\n[ ] repair"


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_text_goes_to_the_model_and_back(against: Against, form: str):
    odd = {"tool": {"name": "read", "arguments": {"path": "half\ud800"}}}
    turns = [{"read": "latin.txt"}, {"run": "printf 'a\\377\\033[2J\\000b'"}, odd, FIX, DONE]
    attempt = against(turns, form)
    (attempt.work / "latin.txt").write_bytes(b"caf\xe9\n")
    attempt.run()
    assert attempt.result["ok"], attempt.result
    assert attempt.outputs("read")[0].startswith("    1\tcaf\ufffd\n")
    assert attempt.outputs("run") == ["[exit 0]\na\ufffd\x1b[2J\0b"]


ODD = ["[1]", '"x"', '{"path":', "null", "", "7", '{"path": 7}', '{"path": "a", "x": 1}']


@pytest.mark.parametrize("arguments", ODD)
def test_arguments_of_any_form_are_answered(against: Against, arguments: str):
    odd = [{"tool": {"name": name, "input": MARK}} for name in ("read", "run", "edit", "plan", "decline", "nothing")]
    attempt = against(Raw([odd, FIX, DONE], MARK, json.dumps(arguments)[1:-1])).run()
    assert attempt.result["ok"], attempt.result
    assert len(attempt.of("tool_call", status="failed")) == len(odd)


def test_mistakes_of_the_model_go_back_to_it_and_the_work_goes_on(against: Against):
    wrong = [
        {"tool": {"name": "teleport", "arguments": {}}},
        {"tool": {"name": "read", "arguments": {"where": "sums.py"}}},
        {"read": "sumss.py"},
        {"edit": {"path": "sums.py", "old": "a * b", "new": "a + b"}},
        {"write": {"path": "/etc/made", "content": "x"}},
    ]
    attempt = against([wrong, FIX, DONE]).run()
    first, second, third, fourth, fifth = [event["output"] for event in attempt.of("tool_call", status="failed")]
    assert first.startswith("there is no tool 'teleport'; there are list, search, read")
    assert "path: " in second
    assert third == "there is no file 'sumss.py'; did you mean 'sums.py' or 'test_sums.py'?"
    assert "the nearest lines are:\n    1\tdef add(a, b):\n    2\t    return a - b" in fourth
    assert "is outside of" in fifth
    assert attempt.result["ok"]
    assert "+" in (attempt.work / "sums.py").read_text()


def test_guides_of_folders_come_along_with_the_first_file_below_them(against: Against, tmp_path):
    attempt = against([{"read": "shop/till.py"}, {"read": "shop/till.py"}, DONE])
    (attempt.work / "shop").mkdir()
    (attempt.work / "shop" / "till.py").write_text("")
    (attempt.work / "shop" / "AGENTS.md").write_text("Prices are whole cents.")
    attempt.run()
    first, second = attempt.outputs("read")
    assert first.endswith("AGENTS.md of shop/, for what is below it:\nPrices are whole cents.")
    assert "Prices" not in second


# ---------------------------------------------------------------- a long task


def test_a_long_task_survives_a_small_window(against: Against):
    window = 6_000
    reads = [{"read": f"long{number}.txt"} for number in range(30)]
    script = [{"plan": ["[>] read it all", "[ ] repair add"]}, *reads, FIX, PYTEST, DONE]
    attempt = against(script, context_tokens=window)
    for number in range(30):
        (attempt.work / f"long{number}.txt").write_text(f"line {number} of a long text\n" * 400)
    attempt.run()
    assert (attempt.status, attempt.result["ok"]) == (0, True)
    assert (attempt.work / "sums.py").read_text() == BUGGY.replace("-", "+")
    assert len(attempt.outputs("read")) == 30
    assert all("long text" in output for output in attempt.outputs("read"))
    assert max(seen.input_tokens for seen in attempt.server.seen) < window
    assert any("parts were condensed" in event["text"] for event in attempt.of("text"))


def pairs_of_anthropic(messages: list[dict[str, Any]]) -> None:
    """Every use of a tool stands right before its result, and no result is without its use."""
    blocks = [each["content"] if isinstance(each["content"], list) else [] for each in messages]
    for before, after in zip([[], *blocks], [*blocks, []], strict=True):
        used = [block["id"] for block in before if block["type"] == "tool_use"]
        assert used == [block["tool_use_id"] for block in after if block["type"] == "tool_result"]


def pairs_of_chat(messages: list[dict[str, Any]]) -> None:
    expected: list[str] = []
    for each in messages:
        if each["role"] == "tool":
            assert expected.pop(0) == each["tool_call_id"]
        else:
            assert expected == []
            expected = [call["id"] for call in each.get("tool_calls") or ()]
    assert expected == []


@pytest.mark.parametrize(("form", "pairs"), [("anthropic", pairs_of_anthropic), ("openai-chat", pairs_of_chat)])
def test_more_than_two_hundred_turns_fit_into_the_smallest_window(against: Against, form: str, pairs: Any):
    window = 8_000
    plan = {"tool": {"name": "plan", "arguments": {"entries": ["[>] read it all", "[ ] repair add"],
                                                   "facts": ["add subtracts"]}}}  # fmt: skip
    turns: list[object] = [plan]
    for number in range(220):
        turn = [{"text": f"I look at number {number}."}, {"read": f"long{number % 7}.txt"}]
        turns.append([*turn, {"run": f"seq {number} {number + 900}"}] if number % 9 == 0 else turn)
    kept = Kept([*turns, FIX, PYTEST, DONE])
    attempt = against(kept, form, context_tokens=window, requests=0)
    for number in range(7):
        (attempt.work / f"long{number}.txt").write_text(f"line {number} of a long text\n" * 60)
    attempt.run()
    assert (attempt.status, attempt.result) == (0, {**attempt.result, "ok": True, "text": DONE["text"]})
    assert len(attempt.outputs("read")) == 220
    assert max(seen.input_tokens for seen in attempt.server.seen) < window
    for asked in kept.asked:
        pairs(asked["messages"])
        assert "Repair add." in json.dumps(asked["messages"]) or not asked.get("tools")
    last = json.dumps(kept.asked[-1])
    assert "[>] read it all" in last
    assert "add subtracts" in last
    assert "I look at number 0." not in last
    summaries = sum(not asked.get("tools") for asked in kept.asked)
    assert 0 < summaries < 40


def test_a_summary_that_cannot_be_had_is_done_without(against: Against):
    too_long = {"error": {"status": 400, "message": "the prompt is too long: 9000 tokens > 8000 maximum"}}
    reads = [{"read": f"long{number}.txt"} for number in range(30)]
    summaries = {"when": "Write down what of it is", "turns": [too_long]}
    attempt = against({"summaries": summaries, "first": {"turns": [*reads, FIX, DONE]}}, context_tokens=6_000)
    for number in range(30):
        (attempt.work / f"long{number}.txt").write_text(f"line {number} of a long text\n" * 400)
    attempt.run()
    assert attempt.result["ok"]
    assert 400 in {seen.status for seen in attempt.server.seen}


def test_a_window_that_is_smaller_than_was_said_is_found_out(against: Against):
    small = {"error": {"status": 400, "message": "request exceeds the available context size", "times": 1}}
    attempt = against([[{"read": "a.txt"}], [{"read": "b.txt"}], [small, FIX], DONE])
    for name in "ab":
        (attempt.work / f"{name}.txt").write_text("word\n" * 3000)
    attempt.run()
    assert attempt.result["ok"]
    assert 400 in {seen.status for seen in attempt.server.seen}


def test_a_task_that_is_longer_than_the_window_is_told_of_at_once(against: Against):
    small = {"error": {"status": 400, "message": "request exceeds the available context size"}}
    attempt = against([small]).run()
    assert attempt.result["text"].startswith("The work could not go on: the conversation does not fit into the model's")
    assert len(attempt.server.seen) == 1


# ---------------------------------------------------------------- people


class Raw(Kept):
    """A model that says something else than its script, to the letter."""

    def __init__(self, script: object, before: str, after: str) -> None:
        super().__init__(script)
        self.before, self.after = before.encode(), after.encode()

    def answer(self, received):
        answer = super().answer(received)
        return replace(answer, chunks=[chunk.replace(self.before, self.after) for chunk in answer.chunks])


MARK = "the-arguments"
WAITS = {"run": "while [ ! -e go ]; do sleep 0.02; done"}


def test_a_word_reaches_the_model_at_its_next_turn(against: Against):
    told = {"when": "in French", "turns": [FIX, {"text": "C'est fait."}]}
    attempt = against({"told": told, "first": {"turns": [WAITS, DONE]}}).start()
    attempt.until("tool_call", tool="run")
    attempt.say("tell", "Answer in French.")
    (attempt.work / "go").touch()
    attempt.end()
    assert [event["text"] for event in attempt.of("told")] == ["Answer in French."]
    assert attempt.result["text"] == "C'est fait."


def test_a_word_that_comes_with_the_last_answer_is_still_heard(against: Against):
    told = {"when": "one thing more", "turns": [FIX, {"text": "That too."}]}
    attempt = against({"told": told, "first": {"turns": [{"text": "Done."}]}})
    attempt.say("tell", "one thing more")
    attempt.run()
    assert attempt.result["text"] == "That too."


@pytest.mark.parametrize("answer", ["go", "tell"])
def test_a_check_in_says_what_was_done_and_waits(against: Against, answer: str):
    script = [[{"plan": ["[x] look", "[>] repair"]}, FIX], DONE]
    attempt = against(script, check_in_seconds=0).start()
    said = attempt.until("check_in")
    assert said["text"] == "[x] look\n[>] repair\nChanged: sums.py"
    assert len(attempt.server.seen) == 1
    attempt.say(answer, "Well done." if answer == "tell" else "", said["id"])
    attempt.end()
    assert attempt.result["ok"]
    assert [event["text"] for event in attempt.of("told")] == (["Well done."] if answer == "tell" else [])
    assert len(attempt.server.seen) == 2


def test_what_is_refused_is_not_done_and_the_work_goes_on(against: Against):
    attempt = against([{"read": "sums.py"}, FIX, {"run": "echo allowed"}, DONE], ask=True).start()
    asked = attempt.until("permission")
    assert (asked["action"], asked["path"], asked["text"]) == ("edit", "sums.py", "a - b\n->\na + b")
    assert (attempt.work / "sums.py").read_text() == BUGGY
    attempt.say("reject", "not this file", asked["id"])
    asked = attempt.until("permission")
    assert (asked["action"], asked["command"]) == ("execute", "echo allowed")
    attempt.say("allow", "", asked["id"])
    attempt.end()
    (refused,) = attempt.outputs("edit")
    assert refused == "this was refused: not this file; do it another way, or decline"
    assert attempt.outputs("run") == ["[exit 0]\nallowed"]
    assert (attempt.work / "sums.py").read_text() == BUGGY
    assert attempt.result["ok"]


def test_at_the_time_out_even_what_left_the_session_is_ended(against: Against):
    """As a process of its own it takes over orphans, so that nothing gets away."""
    away = "for n in 1 2; do (setsid sh -c 'trap \"\" TERM HUP; echo $$ >> pids; exec sleep 4711' &); done; sleep 4711"
    stays = "(setsid sh -c 'echo $$ > kept; exec sleep 4711' &)"
    script = [{"run": stays}, {"tool": {"name": "run", "arguments": {"command": away, "timeout_seconds": 5}}}, DONE]
    attempt = against(script, process=True).start()
    attempt.until("tool_call", tool="run", status="completed")
    ended = attempt.until("tool_call", tool="run", status="completed")["output"]
    left = [pid for pid in (attempt.work / "pids").read_text().split() if sleeps(pid)]
    kept = (attempt.work / "kept").read_text().strip()
    assert sleeps(kept)
    for pid in (*left, kept):
        os.kill(int(pid), signal.SIGKILL)
    attempt.end()
    assert ended.startswith("[ended: it took longer than 5 s]")
    assert len((attempt.work / "pids").read_text().split()) == 2
    assert left == []


def sleeps(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
    except OSError:
        return False


# ---------------------------------------------------------------- servers of the Model Context Protocol

PRICES = """
import sys
from mcp.server import MCPServer
shop = MCPServer("shop")
print("started", file=sys.stderr)

@shop.tool()
def price(name: str) -> int:
    "Say what something costs."
    if name != "tea":
        raise ValueError(f"no {name} here")
    return 3

shop.run()
"""


def test_tools_of_a_server_are_used_and_one_that_does_not_start_is_told_of(against: Against, tmp_path):
    (tmp_path / "prices.py").write_text(PRICES)
    calls = [{"tool": {"name": "shop_price", "arguments": {"name": name}}} for name in ("tea", "coffee")]
    servers = [
        {"name": "gone", "command": "echo not today >&2; exit 3"},
        {"name": "shop", "command": f"exec {sys.executable} {tmp_path / 'prices.py'}"},
    ]
    attempt = against([calls, DONE], servers=servers).run()
    assert any("the MCP server 'gone' does not start" in event["text"] for event in attempt.of("text"))
    tea, coffee = attempt.of("tool_call", tool="shop_price")[1::2]
    assert (tea["status"], tea["output"]) == ("completed", "3")
    assert (coffee["status"], coffee["output"]) == ("failed", "shop: Error executing tool price")
    assert (tmp_path / "out" / "mcp-shop.log").read_text().startswith("started")
    assert attempt.result["ok"]


SLOW = """
import asyncio
from mcp.server import MCPServer
shop = MCPServer("shop")

@shop.tool()
async def wait() -> str:
    "Wait."
    await asyncio.sleep(1000)

@shop.tool()
def explain() -> str:
    DOC
    return "b" * 100_000

shop.run()
"""


def test_a_server_that_does_not_answer_says_too_much_or_wants_too_much_room_stops_nothing(against: Against, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW.replace("DOC", repr("Explain. " + "x" * 50_000)))
    (tmp_path / "many.py").write_text(
        "from mcp.server import MCPServer\nshop = MCPServer('shop')\nfor number in range(60):\n"
        "    shop.tool(name=f'tool{number}', description='y' * 1500)(lambda text='': text)\nshop.run()\n"
    )
    calls = [{"tool": {"name": f"shop_{name}", "arguments": {}}} for name in ("wait", "explain")]
    servers = [
        {"name": "shop", "command": f"exec {sys.executable} {tmp_path / 'slow.py'}"},
        {"name": "many", "command": f"exec {sys.executable} {tmp_path / 'many.py'}"},
    ]
    attempt = against([calls, FIX, DONE], servers=servers, command_seconds=1.0, context_tokens=20_000).run()
    assert attempt.result["ok"], attempt.result
    assert attempt.outputs("shop_wait") == ["shop: no answer within 1 s"]
    assert len(attempt.outputs("shop_explain")[0]) < 8_100
    assert any("the MCP server 'many' has more tools than" in event["text"] for event in attempt.of("text"))


def test_somebody_can_have_to_be_asked_for_tools_of_servers_too(against: Against, tmp_path):
    (tmp_path / "prices.py").write_text(PRICES)
    call = {"tool": {"name": "shop_price", "arguments": {"name": "tea"}}}
    servers = [{"name": "shop", "command": f"exec {sys.executable} {tmp_path / 'prices.py'}"}]
    attempt = against([call, DONE], servers=servers, ask=True).start()
    asked = attempt.until("permission")
    assert (asked["action"], asked["command"]) == ("other", 'shop_price {"name":"tea"}')
    attempt.say("reject", "", asked["id"])
    attempt.end()
    assert attempt.outputs("shop_price") == ["this was refused; do it another way, or decline"]


# ---------------------------------------------------------------- ends


def test_an_answer_without_an_end_is_no_end_of_the_work(against: Against):
    cut = [{"text": f"part {number}"} for number in range(20)]
    attempt = against(Raw(cut, '"finish_reason":"stop"', '"finish_reason":"length"')).run()
    assert (attempt.result["ok"], attempt.result["why"]) == (False, "endless")
    assert len(attempt.server.seen) == 5


def test_the_same_call_with_the_same_result_ends_it_after_a_warning(against: Against):
    attempt = against([{"read": "sums.py"}] * 20).run()
    assert attempt.status == 0
    assert (attempt.result["ok"], attempt.result["why"]) == (False, "loop")
    assert len(attempt.outputs("read")) == 8


def test_a_warning_about_repetition_reaches_the_model(against: Against):
    warned = {"when": "the same call of read 4 times", "turns": [FIX, DONE]}
    attempt = against({"warned": warned, "first": {"turns": [{"read": "sums.py"}] * 20}}).run()
    assert attempt.result["ok"]
    assert len(attempt.outputs("read")) == 4


def test_the_same_command_is_no_loop_while_the_tree_is_new(against: Against):
    turns = [[{"run": "true"}, {"write": {"path": f"new{number}", "content": "x"}}] for number in range(10)]
    assert against([*turns, DONE]).run().result["ok"]


def test_going_to_and_fro_is_a_loop(against: Against):
    back = {"edit": {"path": "sums.py", "old": "a + b", "new": "a - b"}}
    attempt = against([[FIX, back]] * 12).run()
    assert attempt.result["why"] == "loop"


def test_it_declines_with_reasons_and_leaves_no_result(against: Against):
    decline = {"tool": {"name": "decline", "arguments": {"why": "needs-decision", "text": "Which rounding?"}}}
    attempt = against([decline, DONE]).run()
    assert attempt.status == 0
    (said,) = attempt.of("declined")
    assert declined_in(json.dumps(said).encode()).text == "Which rounding?"
    assert attempt.of("result") == []


def test_a_provider_that_is_overloaded_is_asked_again(against: Against):
    overloaded = {"error": {"status": 529, "message": "Overloaded", "times": 2}}
    attempt = against([[overloaded, FIX], DONE], "anthropic").run()
    assert [seen.status for seen in attempt.server.seen] == [529, 529, 200, 200]
    assert attempt.result["ok"]
    assert "asking again in" in attempt.of("text")[0]["text"]


def test_an_answer_that_breaks_off_is_asked_for_again(against: Against):
    attempt = against([[{"text": "I am"}, {"error": {"status": 500, "times": 1}}, FIX], DONE], "anthropic").run()
    assert attempt.result["ok"]
    assert "+" in (attempt.work / "sums.py").read_text()


GARBAGE = {
    "a page": plain(200, b"<html>Welcome</html>"),
    "nothing": plain(200, b""),
    "an empty stream": events(),
    "no JSON": events(b"data: {nonsense\n\n"),
    "other JSON": events(b'data: {"choices": 5}\n\n'),
}


@pytest.fixture
def upstream():
    found = Upstream()
    yield found
    found.close()


@pytest.mark.parametrize("garbage", GARBAGE)
def test_an_answer_that_is_none_is_asked_for_again_and_then_given_up(upstream: Upstream, tmp_path, garbage: str):
    upstream.answer = GARBAGE[garbage]
    attempt = Attempt(tmp_path, upstream).run()
    assert (attempt.status, attempt.result["why"]) == (1, "error")
    assert len(upstream.seen) == 3


SPOKEN = {"anthropic": "anthropic", "openai": "responses", "openai-chat": "chat", "google": "gemini"}


def begun(form: str) -> bytes:
    """The first event of an answer."""
    return said(SPOKEN[form]).partition(b"\n\n")[0] + b"\n\n"


@pytest.mark.parametrize("form", SPOKEN)
@pytest.mark.parametrize("whole", [True, False])
def test_over_budget_is_the_end_whether_it_is_refused_or_cut_off(upstream: Upstream, tmp_path, form: str, whole: bool):
    reason = "the budget of the attempt is spent"
    shapes = {
        "anthropic": Shape.ANTHROPIC,
        "openai": Shape.RESPONSES,
        "openai-chat": Shape.CHAT,
        "google": Shape.GEMINI,
    }
    refusal = plain(402, error_body(Api(FORMS[form]), 402, reason))
    upstream.answer = refusal if whole else events(begun(form), cut_event(shapes[form], reason))
    attempt = Attempt(tmp_path, upstream, form).run()
    assert (attempt.status, attempt.result["why"]) == (1, "error")
    assert reason in attempt.result["text"]
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("form", ["anthropic", "openai"])
def test_an_answer_that_stops_in_the_middle_is_asked_for_again(upstream: Upstream, tmp_path, form: str):
    def answer(asked, send):
        events(begun(form) if len(upstream.seen) < 3 else said(SPOKEN[form], "It is done."))(asked, send)

    upstream.answer = answer
    attempt = Attempt(tmp_path, upstream, form).run()
    assert len(upstream.seen) >= 3
    assert "the answer broke off" in " ".join(event["text"] for event in attempt.of("text"))


@pytest.mark.parametrize("status", [401, 402, 400])
def test_what_no_patience_helps_against_ends_it_at_once(against: Against, status: int):
    attempt = against([{"error": {"status": status, "message": "the budget of the attempt is spent"}}]).run()
    assert attempt.status == 1
    assert len(attempt.server.seen) == 1
    assert (attempt.result["ok"], attempt.result["why"]) == (False, "error")
    assert f"{status}: the budget of the attempt is spent" in attempt.result["text"]


def test_it_asks_no_more_often_than_it_may(against: Against):
    attempt = against([{"run": f"echo {number}"} for number in range(9)], requests=3).run()
    assert (attempt.result["ok"], attempt.result["why"]) == (False, "requests")
    assert len(attempt.server.seen) == 3


def test_a_model_that_says_nothing_is_asked_three_times(against: Against):
    attempt = against([{"text": ""}] * 5).run()
    assert (attempt.result["ok"], attempt.result["why"]) == (False, "empty")


def test_a_model_that_cannot_be_made_says_why(against: Against):
    attempt = against([DONE], "openrouter").run()
    assert attempt.status == 1
    assert "OpenRouter model names must be prefixed" in attempt.result["text"]


def test_a_wrong_spec_is_told_of(against: Against):
    attempt = against([DONE], process=True, colour="blue").run()
    assert attempt.status == 2
    assert "colour" in attempt.complaints
    assert attempt.events == []
