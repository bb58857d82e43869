"""What the agent is asked to do, and with what: /reeve/spec.json."""

import json
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Server", "Spec", "Target", "load"]


class Part(BaseModel):
    """A part of the spec: read once, never changed, no key unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(Part):
    """The model, and the address behind which its provider is; `token` stands in the place of a key.

    `form` says how it is spoken to: the name of a provider as pydantic-ai knows it (``anthropic``, ``openai``,
    ``openai-chat``, ``google``, ``deepseek`` ...); any other name is spoken to in the form of `api`.
    """

    form: str
    name: str
    api: Literal["anthropic", "openai", "gemini"]
    url: str
    token: str = Field(repr=False)


class Server(Part):
    """A server of the Model Context Protocol: a shell command to start, or an address."""

    name: str
    command: str = ""
    url: str = ""


class Spec(Part):
    """One attempt at one task. Numbers that are 0 mean: no limit."""

    instruction: str
    rules: str = ""  # of this house, as a section
    required: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    wall_seconds: float = 0.0
    model: Target
    thinking: str = ""
    context_tokens: int = Field(128_000, ge=1_000)
    requests: int = Field(300, ge=0)
    command_seconds: float = Field(600.0, gt=0)
    retry_seconds: float = Field(1.0, gt=0)  # the first wait after a failed request; each further one is longer
    ask: bool = False  # somebody answers for what changes or runs something
    check_in_seconds: float | None = None  # of work; None: never
    servers: tuple[Server, ...] = ()
    proxy: str = ""  # behind which listed hosts are; "": none are
    work: Path
    out: Path
    mail: Path
    scratch: Path


def load(path: str, work: str, out: str, mail: str) -> Spec:
    """Read a spec; raises OSError and ValueError. The places are not in it, since only the sandbox knows them."""
    written = json.loads(Path(path).read_bytes())
    return Spec.model_validate({**written, "work": work, "out": out, "mail": mail, "scratch": tempfile.gettempdir()})
