"""What built-in kinds of agents are told beside their own table of reeve.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reeve.records import Api, McpServer

__all__ = ["AgentContext"]


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

    @property
    def agents(self) -> Path:
        """The folder in which installed agents stand, each in <name>/<version>."""
        return self.cache / "agents"
