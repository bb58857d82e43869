"""What installed packages add: checked when it is registered, and no harm to anybody else when it is broken."""

import sys
from pathlib import Path

import pytest

from reeve.adapters.agents import agent_kinds
from reeve.adapters.agents.command import CommandAgent
from reeve.errors import InputError
from reeve.ports import Agent, Launch
from reeve.records import AgentSpec, Order, RepoSource, Task
from reeve.registry import AGENTS, TASK_READERS, Registry
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog
from stories import BASE


class Good:
    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec

    def available(self) -> str:
        return ""

    def launch(self, task, order, folder, base, door=None) -> Launch:
        return Launch(("true",), {}, {})


def install(folder: Path, name: str, source: str, entry_point: str, group: str = AGENTS) -> None:
    """Lay out what pip leaves behind after installing a package with one entry point."""
    (folder / f"{name}.py").write_text(source)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry_point}\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("shouting_agent", "broken_agent", "wrong_agent", "ticket_reader"):
        sys.modules.pop(name, None)


def test_a_kind_is_made_by_its_name():
    registry: Registry[Agent] = Registry(AGENTS)
    registry.register("good", Good)
    assert registry.names() == ("good",)
    assert isinstance(registry.make("good", AgentSpec("x", "good", "1")), Agent)


@pytest.mark.parametrize(
    ("name", "kind", "complaint"),
    [
        ("Good", Good, "is no name for a kind"),
        ("good", object(), "is not callable"),
        ("good", object, "has no available and no launch"),
        ("good", type("Lazy", (Good,), {"launch": None}), "has no launch"),
        ("good", lambda: None, "cannot be made from one argument"),
        ("good", lambda one, two: None, "cannot be made from one argument"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_registered(name, kind, complaint):
    with pytest.raises(InputError, match=complaint):
        Registry(AGENTS).register(name, kind)


def test_a_name_is_given_once():
    registry = Registry(AGENTS)
    registry.register("good", Good)
    with pytest.raises(InputError, match="is there already"):
        registry.register("good", Good)


def test_what_a_function_makes_is_checked_when_it_is_made():
    registry = Registry(AGENTS)
    registry.register("odd", lambda spec: spec)
    with pytest.raises(InputError, match="what the kind 'odd' makes has no available and no launch"):
        registry.make("odd", AgentSpec("x", "odd", "1"))


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(InputError, match="no kind 'docker'; known are acp, command, fake, model, repair"):
        agent_kinds().make("docker", AgentSpec("x", "docker", "1"))


def test_an_installed_package_adds_an_agent_without_a_change_to_reeve(site, tmp_path):
    guide = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
    source = guide.split("```python\n")[1].split("```")[0]
    install(site, "shouting_agent", source, "shouting = shouting_agent:ShoutingAgent")
    assert 'shouting = "shouting_agent:ShoutingAgent"' in guide
    agent = agent_kinds().make("shouting", AgentSpec("loud", "shouting", "", options={"word": "HEY"}))
    assert isinstance(agent, Agent)
    assert agent.spec.version
    order = Order("one.1", "one", "d", 1, 0, 1, agent.spec, BASE, 42, "p")
    launch = agent.launch(
        Task("one", "Shout.", RepoSource("/r")), order, tmp_path, None, None
    )  # as attempt.make does, which knows of doors
    assert launch.env == {"WORD": "HEY"}
    assert "SHOUT" in (tmp_path / "shout.sh").read_text()


def test_a_broken_package_stops_nobody_else(site):
    install(site, "broken_agent", "raise RuntimeError('no such driver')", "broken = broken_agent:Agent")
    install(site, "wrong_agent", "class Agent: ...", "wrong = wrong_agent:Agent")
    kinds = agent_kinds()
    assert set(kinds.names()) == {"acp", "command", "fake", "model", "repair"}
    assert set(kinds.problems) == {"broken", "wrong"}
    assert isinstance(kinds.make("command", AgentSpec("x", "command", "1", "true")), CommandAgent)
    with pytest.raises(InputError, match=r"installed but unusable: broken_agent .*no such driver"):
        kinds.make("broken", AgentSpec("x", "broken", "1"))


def test_a_package_cannot_take_the_name_of_a_built_in_kind(site):
    install(site, "shouting_agent", "def Agent(spec): ...", "command = shouting_agent:Agent")
    kinds = agent_kinds()
    assert "is there already" in kinds.problems["command"]
    assert isinstance(kinds.make("command", AgentSpec("x", "command", "1", "true")), CommandAgent)


READER = """
from reeve.task import task_from_words

class TicketReader:
    name = "tickets"
    def __init__(self, defaults): self.defaults = defaults
    def reads(self, path): return path.suffix == ".ticket"
    def read(self, path): return [task_from_words(path.read_text(), [], self.defaults)]
"""


def test_an_installed_package_adds_a_task_reader(site):
    install(site, "ticket_reader", READER, "tickets = ticket_reader:TicketReader", TASK_READERS)
    (site / ".git").mkdir()
    (site / "backlog").mkdir()
    (site / "backlog" / "one.ticket").write_text("Repair the parser")
    backlog = read_backlog([site / "backlog"], task_defaults(read_settings(site, {})))
    assert [task.instruction for task in backlog.tasks] == ["Repair the parser"]
