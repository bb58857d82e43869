"""The agents that come with reeve: what they start, and what they may see."""

import json
import subprocess
from dataclasses import replace

import pytest

from reeve.adapters.agents import AgentContext, agent_kinds, make_agents
from reeve.adapters.agents.repair_agent import SOURCES, source_version
from reeve.adapters.agents.visible import DECLINING
from reeve.attempt.events import declined_in
from reeve.errors import InputError
from reeve.ports import Agent
from reeve.records import (
    AgentSpec,
    Api,
    Base,
    Checks,
    CommandCheck,
    Declined,
    Declines,
    Door,
    HiddenFile,
    KnownAnswer,
    Limits,
    Measurement,
    Order,
    RepoSource,
    Runner,
    Task,
    TestOutcome,
)

BASE = Base("/repo", "c" * 40, "t" * 40)
SPECS = {
    "repair": AgentSpec("repair", "repair", ""),
    "sweeper": AgentSpec("sweeper", "command", "", "sed -i s/colour/color/ *.txt"),
    "rover": AgentSpec("rover", "acp", "", "rover acp"),
    "script": AgentSpec("script", "fake", "", options={"script": "open('made', 'w').write('x')"}),
}
TASK = Task(
    "one",
    "Repair it.",
    RepoSource("/repo"),
    checks=Checks(required=("tests/test_a.py::test_one",), keep=("tests",), commands=(CommandCheck("make lint"),)),
    protected=("docs/**",),
    limits=Limits(wall_seconds=100.0, memory_mb=1000),
    env={"TZ": "UTC"},
)
HIDDEN = replace(
    TASK,
    checks=Checks(
        required=("tests/test_a.py::test_one", "tests/test_new.py::test_secret"),
        keep=("tests/test_new.py::test_other", "tests/test_b.py"),
        hidden=(HiddenFile("tests/test_new.py", b"def test_secret(): assert 'the answer'"),),
    ),
)


@pytest.fixture
def agents():
    return make_agents(SPECS, agent_kinds())


def order(number: int = 1, agent: str = "repair") -> Order:
    return Order(f"one.{number}", "one", "d", 1, 0, 2, SPECS[agent], BASE, 42, "p")


def spec_of(agent: Agent, task: Task, folder, number: int = 1, base: Measurement | None = None) -> dict:
    launch = agent.launch(task, order(number), folder, base)
    with open(launch.binds["/reeve/spec.json"], encoding="utf-8") as file:
        return json.load(file)


def test_a_command_with_providers_finds_their_models_and_the_token_that_stands_for_a_key(tmp_path):
    context = AgentContext(apis={"anthropic": Api.ANTHROPIC, "at-home": Api.OPENAI})
    sweeper = make_agents(SPECS, agent_kinds(context))["sweeper"]
    door = Door("one.1", "one", "/gateway.sock", "the-token", ("anthropic", "at-home"))
    env = sweeper.launch(TASK, order(agent="sweeper"), tmp_path, None, door).env
    assert env["ANTHROPIC_BASE_URL"] == env["REEVE_URL_ANTHROPIC"] == "http://127.0.0.1:8399/anthropic"
    assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:8399/at-home/v1"
    assert {env[name] for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "REEVE_TOKEN")} == {"the-token"}
    without = sweeper.launch(TASK, order(agent="sweeper"), tmp_path, None, Door("one.1", "one", "", "the-token")).env
    assert "the-token" not in without.values()


@pytest.mark.parametrize("name", SPECS)
def test_every_agent_keeps_the_contract(agents, name, tmp_path):
    agent = agents[name]
    assert isinstance(agent, Agent)
    assert agent.available() == ""
    assert agent.spec.version
    launch = agent.launch(TASK, order(agent=name), tmp_path, None)
    assert launch.argv
    assert launch.env["REEVE_SEED"] == "42"
    assert launch.env["REEVE_ATTEMPT"] == "one.1"
    assert launch.env["TZ"] == "UTC"
    assert all(inside.startswith("/reeve/") for inside in launch.binds)
    for variable in ("REEVE_INSTRUCTION_FILE", "REEVE_TASK"):
        assert launch.env[variable] in launch.binds
    assert launch == agent.launch(TASK, order(agent=name), tmp_path, None)


@pytest.mark.parametrize("name", SPECS)
def test_no_agent_is_given_anything_of_a_hidden_test(agents, name, tmp_path):
    base = Measurement("k", "t", {"tests/test_new.py::test_third": TestOutcome.FAILED})
    launch = agents[name].launch(HIDDEN, order(agent=name), tmp_path, base)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("test_new", "test_secret", "test_other", "test_third", "the answer"):
        assert secret.encode() not in written
        assert secret not in repr(launch)


def test_tests_that_a_patch_brings_are_hidden_too(agents, tmp_path):
    patch = (
        "diff --git a/tests/test_a.py b/tests/test_a.py\n--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -1 +1 @@\n"
        "diff --git a/tests/old name.py b/tests/new name.py\nrename from tests/old name.py\nrename to tests/new name.py\n"
        'diff --git "a/tests/t\\303\\251st.py" "b/tests/t\\303\\251st.py"\n'
    )
    hidden = ("tests/test_a.py::test_one", "tests/new name.py::test_x", "tests/tést.py::test_y")
    required = (*hidden, "tests/test_b.py::test_two")
    task = replace(TASK, checks=Checks(required=required, test_patch=patch))
    assert spec_of(agents["repair"], task, tmp_path)["required"] == ["tests/test_b.py::test_two"]


def test_hidden_files_hide_all_ids_of_a_runner_whose_ids_name_no_file(agents, tmp_path):
    checks = replace(HIDDEN.checks, runner=Runner.JUNIT, test_command="x", report="y", required=("suite::test",))
    assert spec_of(agents["repair"], replace(HIDDEN, checks=checks), tmp_path)["required"] == []


def test_a_command_finds_the_instruction_and_the_visible_task(agents, tmp_path):
    launch = agents["sweeper"].launch(TASK, order(agent="sweeper"), tmp_path, None)
    assert launch.argv == ("/bin/sh", "-c", "sed -i s/colour/color/ *.txt")
    with open(launch.binds["/reeve/instruction.md"], encoding="utf-8") as file:
        assert file.read() == f"Repair it.\n\n{DECLINING}"
    with open(launch.binds["/reeve/task.json"], encoding="utf-8") as file:
        seen = json.load(file)
    assert seen["required"] == ["tests/test_a.py::test_one"]
    assert seen["commands"] == ["make lint"]
    assert seen["declining"] == DECLINING
    assert seen["base"] == BASE.commit  # pinned for every task: how a base is spelled tells nothing
    assert seen["limits"]["wall_seconds"] == 100.0


def test_every_kind_of_agent_is_told_the_rules_of_its_order(agents, tmp_path):
    told = replace(order(agent="sweeper"), rules=("Use pathlib,\nnot os.path.", "Never push."))
    for name in agents:
        launch = agents[name].launch(TASK, told, tmp_path, None)
        with open(launch.binds["/reeve/instruction.md"], encoding="utf-8") as file:
            said = file.read()
        assert "## Rules of this person and repository" in said
        assert "\n- Use pathlib,\n  not os.path.\n- Never push.\n" in said
        with open(launch.binds["/reeve/task.json"], encoding="utf-8") as file:
            assert json.load(file)["rules"] == list(told.rules)


def test_the_line_that_an_attempt_is_shown_declines():
    (line,) = [line for line in DECLINING.splitlines() if line.startswith("{")]
    assert declined_in(line.encode()) == Declined(Declines.IMPOSSIBLE, "your reasons")
    assert all(why in DECLINING for why in Declines)


def test_nothing_that_an_attempt_can_read_says_that_the_answer_to_its_task_is_known(agents, tmp_path):
    ordinary = replace(TASK, known_answer=None)
    for answer in KnownAnswer:
        known = replace(TASK, known_answer=answer, source="made from one", planted=(HiddenFile("t.py", b"x"),))
        folders = []
        for number, task in enumerate((ordinary, known)):
            folders.append(tmp_path / f"{answer}{number}")
            folders[-1].mkdir()
            agents["sweeper"].launch(task, order(agent="sweeper"), folders[-1], None)
            agents["repair"].launch(task, order(), folders[-1], None)
        written = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
        assert written[0] == written[1]


def test_another_command_is_another_version():
    kinds = agent_kinds()
    versions = {kinds.make("command", AgentSpec("x", "command", "", text)).spec.version for text in ("a", "b")}
    assert len(versions) == 2
    assert kinds.make("command", AgentSpec("x", "command", "7", "a")).spec.version == "7"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (AgentSpec("x", "command", ""), "needs a command"),
        (AgentSpec("x", "fake", ""), "needs the option 'script'"),
        (AgentSpec("x", "repair", "", options={"speed": "9"}), "unknown option 'speed'"),
    ],
)
def test_an_agent_that_lacks_something_says_so(spec, complaint):
    with pytest.raises(InputError, match=complaint):
        agent_kinds().make(spec.kind, spec)


def test_a_fake_does_what_its_script_says(agents, tmp_path):
    launch = agents["script"].launch(TASK, order(agent="script"), tmp_path, None)
    command = launch.argv[-1].replace("/reeve/script.py", launch.binds["/reeve/script.py"])
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "made").read_text() == "x"


# ---------------------------------------------------------------- repair


def test_repair_is_told_what_it_needs(agents, tmp_path):
    tests = {
        "tests/test_a.py::test_one": TestOutcome.FAILED,
        "tests/test_a.py::test_broken": TestOutcome.ERROR,
        "tests/test_a.py::test_fine": TestOutcome.PASSED,
    }
    spec = spec_of(agents["repair"], TASK, tmp_path, base=Measurement("k", "t", tests))
    assert spec == {
        "instruction": "Repair it.",
        "required": ["tests/test_a.py::test_one"],
        "keep": ["tests"],
        "protected": ["docs/**"],
        "seed": 42,
        "attempt": 0,
        "attempts": 2,
        "wall_seconds": 90.0,
        "memory_bytes": 500 * 2**20,
        "python_path": [],
        "pytest_args": [],
        "broken_at_base": ["tests/test_a.py::test_broken"],
    }


def test_repair_is_started_with_the_tasks_own_python(agents, tmp_path):
    launch = agents["repair"].launch(TASK, order(), tmp_path, None)
    assert launch.argv == ("/env/bin/python", "-P", "-B", "/reeve/repair", "--spec", "/reeve/spec.json")
    assert launch.binds["/reeve/repair"] == str(SOURCES)


def test_attempts_explore_different_parts_also_where_agents_take_turns(agents, tmp_path):
    parts = [spec_of(agents["repair"], replace(TASK, attempts=3), tmp_path, number)["attempt"] for number in (1, 2, 3)]
    assert parts == [0, 1, 2]
    shared = replace(TASK, attempts=4, agents=("repair", "sweeper"))
    specs = [spec_of(agents["repair"], shared, tmp_path, number) for number in (1, 3)]
    assert [(spec["attempt"], spec["attempts"]) for spec in specs] == [(0, 2), (1, 2)]


def test_folders_to_import_from_can_be_named(tmp_path):
    agent = agent_kinds().make("repair", AgentSpec("repair", "repair", "", options={"python_path": "src:lib"}))
    assert spec_of(agent, TASK, tmp_path)["python_path"] == ["src", "lib"]


def test_repairs_version_is_its_sources(agents):
    assert agents["repair"].spec.version == source_version()
    assert len(source_version()) == 12
