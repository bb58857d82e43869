"""Agents: something that can attempt a task."""

from collections.abc import Callable, Mapping

from reeve.adapters.agents.command import CommandAgent
from reeve.adapters.agents.fake import FakeAgent
from reeve.adapters.agents.repair_agent import RepairAgent
from reeve.ports import Agent
from reeve.records import AgentSpec
from reeve.registry import AGENTS, Registry

__all__ = ["KINDS", "CommandAgent", "FakeAgent", "RepairAgent", "agent_kinds", "make_agents"]

KINDS: Mapping[str, Callable[[AgentSpec], Agent]] = {
    "command": CommandAgent,
    "fake": FakeAgent,
    "repair": RepairAgent,
}


def agent_kinds() -> Registry[Agent]:
    """Return the built-in kinds and those that installed packages bring."""
    return Registry.load(AGENTS, KINDS)


def make_agents(specs: Mapping[str, AgentSpec], kinds: Registry[Agent]) -> dict[str, Agent]:
    """Make every named agent; the `spec` of each then carries its exact version."""
    return {name: kinds.make(spec.kind, spec) for name, spec in specs.items()}
