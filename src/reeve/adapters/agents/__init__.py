"""Agents: something that can attempt a task."""

from collections.abc import Callable, Mapping

from reeve.adapters.agents.acp_agent import AcpAgent
from reeve.adapters.agents.command import CommandAgent
from reeve.adapters.agents.context import AgentContext
from reeve.adapters.agents.fake import FakeAgent
from reeve.adapters.agents.model_agent import ModelAgent
from reeve.adapters.agents.repair_agent import RepairAgent
from reeve.ports import Agent
from reeve.records import AgentSpec
from reeve.registry import AGENTS, Registry

__all__ = [
    "KINDS",
    "TOLD",
    "AcpAgent",
    "AgentContext",
    "CommandAgent",
    "FakeAgent",
    "ModelAgent",
    "RepairAgent",
    "agent_kinds",
    "make_agents",
]

KINDS: Mapping[str, Callable[[AgentSpec], Agent]] = {
    "acp": AcpAgent,
    "command": CommandAgent,
    "fake": FakeAgent,
    "model": ModelAgent,
    "repair": RepairAgent,
}

TOLD: Mapping[str, Callable[[AgentSpec, AgentContext], Agent]] = {
    "acp": AcpAgent,
    "command": CommandAgent,
    "model": ModelAgent,
}
"""Of these, the kinds that also want to know what the project decides for all agents."""


def agent_kinds(context: AgentContext | None = None) -> Registry[Agent]:
    """Return the built-in kinds and those that installed packages bring; each is made from one argument."""
    told = {name: _told(kind, context) for name, kind in TOLD.items()} if context else {}
    return Registry.load(AGENTS, {**KINDS, **told})


def _told(kind: Callable[[AgentSpec, AgentContext], Agent], context: AgentContext) -> Callable[[AgentSpec], Agent]:
    return lambda spec: kind(spec, context)


def make_agents(specs: Mapping[str, AgentSpec], kinds: Registry[Agent]) -> dict[str, Agent]:
    """Make every named agent; the `spec` of each then carries its exact version."""
    return {name: kinds.make(spec.kind, spec) for name, spec in specs.items()}
