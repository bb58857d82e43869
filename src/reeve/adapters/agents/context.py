"""What built-in kinds of agents are told beside their own table of reeve.toml, and how a command finds its models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reeve.records import AgentSpec, Api, Door, McpServer

__all__ = ["AgentContext", "model_variables"]


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What a project decides for all of its agents, and where this machine keeps installed ones.

    `asks` says that the owner has rules for permissions: an agent that can be told to ask before it acts then is.
    """

    cache: Path = Path("/nonexistent")  # where nothing is installed
    apis: Mapping[str, Api] = field(default_factory=dict)  # of providers by name
    mcp: tuple[McpServer, ...] = ()
    asks: bool = False
    check_in_seconds: float | None = None  # of work between check-ins; None: none
    check_in_of: Callable[[AgentSpec], float | None] | None = None  # the same for each agent; None: it is one for all

    def check_in(self, agent: AgentSpec) -> float | None:
        """Return the seconds of work between check-ins of an agent; None: none."""
        return self.check_in_seconds if self.check_in_of is None else self.check_in_of(agent)

    @property
    def agents(self) -> Path:
        """The folder in which installed agents stand, each in <name>/<version>."""
        return self.cache / "agents"


USUAL: Mapping[Api, Mapping[str, str]] = {
    Api.ANTHROPIC: {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "{token}"},
    Api.OPENAI: {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_BASE": "{url}/v1", "OPENAI_API_KEY": "{token}"},
    Api.GEMINI: {"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "{token}"},
}
"""How programs that speak an API are told where it is."""


def model_variables(door: Door | None, apis: Mapping[str, Api]) -> dict[str, str]:
    """Say where a command finds the models of its door: the usual variables of each API, our own for each provider."""
    if door is None or not door.providers:
        return {}
    found = {"REEVE_TOKEN": door.token}
    for name in reversed(door.providers):  # of two with one API the first has the usual variables
        url, usual = door.url(name), USUAL.get(apis.get(name, Api.OPENAI), {})
        found |= {variable: value.format(url=url, token=door.token) for variable, value in usual.items()}
        found[f"REEVE_URL_{name.upper().replace('-', '_')}"] = url
    return found
