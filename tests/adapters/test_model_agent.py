"""The kind `model`: what it is given and which version it has, and whole attempts from the launch to the patch."""

import json
import os
from dataclasses import replace

import pytest
from shops import make_shop
from test_agents_kinds import BASE, HIDDEN, TASK
from test_sandbox_door import free_port

from reeve.adapters.agents import AgentContext, agent_kinds
from reeve.adapters.agents.model_agent import ModelAgent
from reeve.adapters.gateway.process import GatewayProcess
from reeve.adapters.playback.seen import digest_of_key
from reeve.adapters.playback.server import PlaybackServer
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.errors import InputError
from reeve.records import AgentSpec, Api, Door, Ending, Limits, McpServer, Order, Provider, SandboxRun

KEY = "sk-the-real-key"
TOKEN = "a-token"
APIS = {"anthropic": Api.ANTHROPIC, "openai": Api.OPENAI, "gemini": Api.GEMINI, "at-home": Api.OPENAI}
PATHS = {
    "anthropic:claude-opus-4-6": "/v1/messages",
    "openai:gpt-5.5": "/v1/responses",
    "openai-chat:gpt-5.5": "/v1/chat/completions",
    "google:gemini-2.5-flash": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "at-home:qwen3": "/v1/chat/completions",
}
DOOR = Door("one.1", "one", "/nowhere", TOKEN, tuple(APIS))


def make(spec: AgentSpec, **more) -> ModelAgent:
    agent = agent_kinds(AgentContext(apis=APIS, **more)).make("model", spec)
    assert isinstance(agent, ModelAgent)
    return agent


def launched(agent: ModelAgent, folder, task=TASK, door: Door | None = DOOR, rules: tuple[str, ...] = ()):
    folder.mkdir(exist_ok=True)
    order = Order("one.1", "one", "d", 1, 0, 2, agent.spec, BASE, 42, "p", rules)
    launch = agent.launch(task, order, folder, None, door)
    with open(launch.binds["/reeve/spec.json"], encoding="utf-8") as file:
        return launch, json.load(file)


def named(model: str, **options: str) -> AgentSpec:
    return AgentSpec("mine", "model", "", options=options, model=model)


# ---------------------------------------------------------------- what it is given


@pytest.mark.parametrize(
    ("model", "form", "provider"),
    [
        ("anthropic:claude-opus-4-6", "anthropic", "anthropic"),
        ("openai:gpt-5.5", "openai", "openai"),
        ("openai-chat:gpt-5.5", "openai-chat", "openai"),
        ("google:gemini-2.5-flash", "google", "gemini"),
        ("gemini:gemini-2.5-flash", "gemini", "gemini"),
        ("at-home:qwen3:32b", "at-home", "at-home"),
    ],
)
def test_a_model_is_found_at_its_provider(tmp_path, model, form, provider):
    agent = make(named(model))
    assert agent.available() == ""
    assert agent.spec.providers == (provider,)
    target = launched(agent, tmp_path / "reeve")[1]["model"]
    assert (target["form"], f"{model.partition(':')[0]}:{target['name']}") == (form, model)
    assert (target["url"], target["token"]) == (f"http://127.0.0.1:8399/{provider}", TOKEN)


def test_what_keeps_it_from_working_is_said(tmp_path):
    assert make(AgentSpec("mine", "model", "")).available().startswith("no model is named: model = ")
    nowhere = make(named("elsewhere:x"))
    assert nowhere.available() == "no provider is named 'elsewhere': reeve.toml has a table [providers.NAME] for each"
    with pytest.raises(InputError, match="agent 'mine': no provider is named 'elsewhere'"):
        launched(nowhere, tmp_path / "reeve")
    with pytest.raises(InputError, match="the sandbox gives it no door"):
        launched(make(named("openai:x")), tmp_path / "reeve", door=None)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"speed": "9"}, "unknown option 'speed'; known are context_tokens, requests, command_seconds, thinking"),
        ({"requests": "many"}, "requests must be a whole number, found 'many'"),
        ({"context_tokens": "4000"}, "context_tokens must be at least 8000"),
        ({"thinking": "hard"}, "thinking must be one of minimal, low, medium, high, xhigh, max, found 'hard'"),
    ],
)
def test_an_option_that_is_none_is_refused(options, complaint):
    with pytest.raises(InputError, match=complaint):
        make(named("openai:x", **options))


def test_the_version_names_sources_library_model_and_options():
    plain = make(named("openai:gpt-5.5")).spec.version
    assert " pydantic-ai " in plain
    assert plain.endswith(" openai:gpt-5.5")
    others = [make(named("openai:gpt-5.4")), make(named("openai:gpt-5.5", thinking="high"))]
    assert len({plain, *(each.spec.version for each in others)}) == 3
    assert make(replace(named("openai:gpt-5.5"), version="mine-1")).spec.version == "mine-1"


def test_the_spec_holds_checks_rules_servers_and_options_and_nothing_hidden(tmp_path):
    servers = (McpServer("notes", "notes --stdio"), McpServer("wiki", url="https://wiki.example/mcp"))
    agent = make(named("openai:x", requests="7"), mcp=servers, asks=True, check_in_seconds=60.0)
    hosts = replace(DOOR, hosts=("wiki.example:443",))
    task = replace(HIDDEN, checks=replace(HIDDEN.checks, commands=TASK.checks.commands))
    spec = launched(agent, tmp_path / "reeve", task, hosts, rules=("Write no comments.",))[1]
    assert "Write no comments." in spec["rules"]
    assert spec["required"] == ["tests/test_a.py::test_one"]
    assert (spec["commands"], spec["protected"]) == (["make lint"], ["docs/**"])
    assert [each["name"] for each in spec["servers"]] == ["notes", "wiki"]
    assert (spec["proxy"], spec["requests"], spec["ask"], spec["check_in_seconds"]) == (hosts.proxy, 7, True, 60.0)
    written = b"".join(path.read_bytes() for path in (tmp_path / "reeve").rglob("*") if path.is_file())
    for secret in (b"test_new", b"test_secret", b"test_other", b"the answer"):
        assert secret not in written


# ---------------------------------------------------------------- whole attempts


class Site:
    """A workspace, a gateway with the real key, and a model that plays a script."""

    def __init__(self, walls: str, folder) -> None:
        self.walls, self.folder = walls, folder
        self.shop = make_shop("overlay" if walls == "bubblewrap" else "copy", folder)
        self.sandbox = self.shop.sandbox if walls == "bubblewrap" else NoSandbox()

    def run(self, model: str, script: object, limits: Limits | None = None):
        """Have an attempt made; returns its result, its events, its patch, and what the model was asked."""
        with PlaybackServer(script, key=KEY) as server:
            providers = {name: Provider(name, api, server.address, KEY) for name, api in APIS.items()}
            gateway = GatewayProcess(self.folder / "gateway", self.folder / "store", providers, run="run-1")
            try:
                return *self._run(make(named(model)), gateway, limits or Limits()), server.seen
            finally:
                gateway.shutdown()

    def _run(self, agent: ModelAgent, gateway: GatewayProcess, limits: Limits):
        door = Door("one.1", "one", gateway.socket, TOKEN, agent.spec.providers, limits=limits)
        if self.walls == "none":
            door = replace(door, api_port=free_port(), proxy_port=free_port())
        launch, _ = launched(agent, self.folder / "reeve", door=door)
        for name in ("out", "mail"):
            (self.folder / name).mkdir()
        gateway.open(door)
        workspace = self.shop.open()
        binds = {**launch.binds, "/reeve/mail": str(self.folder / "mail")}
        output, out = self.folder / "output", str(self.folder / "out")
        run = SandboxRun(
            launch.argv, workspace, limits, 300.0, str(output), env=launch.env, binds=binds, out=out, door=door
        )
        result = self.sandbox.run(run)
        gateway.close(door.attempt)
        self.spent = gateway.spent(door.attempt)
        lines = output.read_bytes().splitlines()
        return result, [json.loads(line) for line in lines], self.shop.trees.capture(workspace, self.shop.base)


@pytest.fixture(params=["bubblewrap", "none"])
def site(request, tmp_path):
    return Site(request.param, tmp_path)


@pytest.mark.parametrize("model", PATHS)
def test_an_attempt_from_its_launch_to_its_patch(site: Site, model: str):
    edit = {"edit": {"path": "src/a.py", "old": "two", "new": "2"}}
    turns = [[{"read": "src/a.py"}, {"run": "ls"}], [edit, {"run": "cat src/a.py"}], {"text": "Done."}]
    result, events, patch, seen = site.run(model, turns)
    assert (result.ending, result.status) == (Ending.FINISHED, 0), events
    assert [change.path for change in patch.changes] == ["src/a.py"]
    assert [event["output"] for event in events if event.get("tool") == "run" and "output" in event] == [
        "[exit 0]\nREADME\nblob.bin\nlink\nrun.sh\nsrc\ntests",
        "[exit 0]\none\n2\nthree",
    ]
    assert (events[-1]["kind"], events[-1]["ok"], events[-1]["text"]) == ("result", True, "Done.")
    assert [each.path for each in seen] == [PATHS[model]] * 3
    assert {each.key for each in seen} == {digest_of_key(KEY)}
    assert site.spent.tokens == sum(each.input_tokens + each.output_tokens for each in seen)


@pytest.mark.parametrize("site", ["bubblewrap"], indirect=True)
def test_behind_walls_commands_see_neither_the_loop_nor_a_key(site: Site):
    looks = ["cat /proc/$PPID/environ", "head -c 1 /proc/$PPID/mem", "ls /proc/$PPID/fd", "env", "cat /reeve/spec.json"]
    result, events, _, _ = site.run("anthropic:x", [[{"run": look} for look in looks], {"text": "Done."}])
    assert result.status == 0, events
    said = [event["output"] for event in events if event.get("tool") == "run" and "output" in event]
    for denied in said[:3]:
        assert "denied" in denied
    assert KEY not in json.dumps(events)
    assert TOKEN not in said[3]


def test_a_budget_that_is_spent_ends_it_with_a_word(site: Site):
    dear = [[{"run": "true"}, {"usage": {"input": 1_000, "output": 4_000}}] for _ in range(20)]
    result, events, _, seen = site.run("anthropic:claude-opus-4-6", dear, Limits(tokens=8_000))
    assert result.status == 1
    assert (events[-1]["kind"], events[-1]["ok"], events[-1]["why"]) == ("result", False, "error")
    assert "8000" in events[-1]["text"].replace(",", "")
    assert 1 <= len(seen) <= 3


def test_what_a_command_left_running_is_gone_with_the_attempt(site: Site):
    result, events, _, _ = site.run("openai-chat:x", [{"run": "sleep 86399 & setsid sleep 86399 &"}, {"text": "Done."}])
    assert result.status == 0, events
    assert b"sleep\x0086399\x00" not in [cmdline(pid) for pid in filter(str.isdigit, os.listdir("/proc"))]


def cmdline(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
