"""What the driver is told: /reeve/spec.json, written by `AcpAgent` and mounted read-only."""

from __future__ import annotations

from .plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Spec", "load"]


class Spec:
    """How the agent is started and what it is asked; every key is needed, so that none is forgotten silently."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.argv: list[str] = data["argv"]
        self.env: dict[str, str] = data["env"]  # beside what the sandbox gives
        self.files: dict[str, str] = data["files"]  # below the home -> content
        self.home: str = data["home"]
        self.work: str = data["work"]  # the tree
        self.out: str = data["out"]  # for frames.jsonl and stderr.log
        self.mail: str = data["mail"]
        self.prompt: str = data["prompt"]
        self.modes: list[str] = data["modes"]  # the first one that the agent offers is set; empty: its own default
        self.config: dict[str, str] = data["config"]  # options of the session -> value
        self.model: str = data["model"]  # set as an option of the session; "": it is not
        self.mcp: list[dict[str, Any]] = data["mcp"]  # servers, as session/new takes them
        self.authenticate: str = data["authenticate"]  # a method that the agent offers; "": it needs none
        self.usage: str = data["usage"]  # what a turn's end tells: tokens of the `turn`, the `session`, or `nothing`
        self.check_in_seconds: float | None = data["check_in_seconds"]  # of work; None: never
        self.start_seconds: float = data["start_seconds"]  # until a session stands
        self.output_bytes: int = data["output_bytes"]  # that may be printed


def load(path: str) -> Spec:
    """Read the spec; raises OSError, ValueError or KeyError for one that is none."""
    with open(path, encoding="utf-8") as file:
        return Spec(loads(file.read()))
