"""What the driver is told: where things are by its arguments, the rest by /reeve/spec.json, which `AcpAgent` writes."""

from __future__ import annotations

from .plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Spec", "load"]


class Spec:
    """How the agent is started and what it is asked; every key is needed, so that none is forgotten silently.

    `work` is the tree, `out` a folder for the agent's home, frames.jsonl and stderr.log. They are arguments because
    only in those a sandbox without walls puts its own folders in the place of /work and the like.
    """

    def __init__(self, places: list[str], command: list[str], data: dict[str, Any]) -> None:
        self.work, self.out, self.mail = places
        self.command = command
        self.home = f"{self.out}/home"
        self.files: dict[str, str] = data["files"]  # below the home -> content
        self.prompt: str = data["prompt"]
        self.modes: list[str] = data["modes"]  # the first one that the agent offers is set; empty: its own default
        self.config: dict[str, str] = data["config"]  # options of the session -> value
        self.model: str = data["model"]  # set as an option of the session; "": it is not
        self.mcp: list[dict[str, Any]] = data["mcp"]  # servers, as session/new takes them
        self.authenticate: str = data["authenticate"]  # a method that the agent offers; "": it needs none
        self.serves_files: bool = data["serves_files"]  # the agent may read and write files through us
        self.usage: str = data["usage"]  # what a turn's end tells: tokens of the `turn`, the `session`, or `nothing`
        self.check_in_seconds: float | None = data["check_in_seconds"]  # of work; None: never
        self.start_seconds: float = data["start_seconds"]  # until a session stands
        self.output_bytes: int = data["output_bytes"]  # that may be printed


def load(arguments: list[str]) -> Spec:
    """Read ``SPEC.json WORK OUT MAIL -- COMMAND...``; raises OSError, ValueError or KeyError for what is none."""
    path, *places = arguments[:4]
    if len(places) != 3 or arguments[4:5] != ["--"] or not arguments[5:]:
        raise ValueError("wanted: SPEC.json WORK OUT MAIL -- COMMAND...")
    with open(path, encoding="utf-8") as file:
        return Spec(places, arguments[5:], loads(file.read()))
