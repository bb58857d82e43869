"""reeve's own loop over a model, as reeve starts it; the loop itself is the folder ``model`` beside this file."""

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from reeve.adapters.agents.command import words_for
from reeve.adapters.agents.context import AgentContext
from reeve.adapters.agents.sources import compiled, source_hash
from reeve.adapters.agents.visible import told_sections, visible_ids
from reeve.errors import InputError
from reeve.ports import Launch
from reeve.records import AgentSpec, Api, Door, Measurement, Order, Task

__all__ = ["SOURCES", "ModelAgent", "sites"]

SOURCES = Path(__file__).parent / "model"
HOW_TO_GET = "pip install 'reeve[model]'"
PLACES = ("/work", "/out", "/reeve/mail")  # arguments, not the spec: without walls they are other folders
IDLE_SECONDS = 300.0

NUMBERS = ("context_tokens", "requests", "command_seconds")
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")

FORMS: Mapping[str, Api] = {
    "anthropic": Api.ANTHROPIC,
    "openai": Api.OPENAI,  # Responses
    "openai-responses": Api.OPENAI,
    "openai-chat": Api.OPENAI,
    "google": Api.GEMINI,
}
"""How pydantic-ai names the ways to speak to a model, of those that need no provider of this name."""

BUILT_IN: Mapping[str, Api] = {"anthropic": Api.ANTHROPIC, "openai": Api.OPENAI, "gemini": Api.GEMINI}
PACKAGES: Mapping[Api, str] = {Api.ANTHROPIC: "anthropic", Api.OPENAI: "openai", Api.GEMINI: "google.genai"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which model is asked, how it is spoken to, and through which provider of reeve.toml; None: of none there is."""

    form: str
    name: str
    provider: str
    api: Api | None


class ModelAgent:
    """Any model that pydantic-ai speaks to, with tools to look at files, change them and run commands.

    Its model reads ``form:name``, as pydantic-ai names it, or ``provider:name`` with a provider of reeve.toml. Options
    are ``context_tokens`` (the window of the model, 128000), ``requests`` (the most it is asked, 300; 0: no limit),
    ``command_seconds`` (the longest command, 600) and ``thinking`` (minimal to max).
    """

    spec: AgentSpec

    def __init__(self, spec: AgentSpec, context: AgentContext | None = None) -> None:
        self.context = context or AgentContext()
        self.options = _options(spec)
        self.target = _target(spec, self.context.apis or BUILT_IN)
        self.spec = replace(spec, version=spec.version or self._version(spec), providers=(self.target.provider,))

    def _version(self, spec: AgentSpec) -> str:
        options = "".join(f" {name}={value}" for name, value in sorted(spec.options.items()))
        return f"{source_hash(SOURCES)} pydantic-ai {_installed() or 'missing'} {spec.model or 'no model'}{options}"

    def available(self) -> str:
        """Say what is missing: the packages, a model, or its provider."""
        if not _installed() or importlib.util.find_spec("pydantic_ai") is None:
            return f"pydantic-ai is not installed: {HOW_TO_GET}"
        if not self.spec.model:
            return 'no model is named: model = "anthropic:claude-opus-4-6" in reeve.toml, for example'
        if self.target.api is None:
            return f"no provider is named {self.target.provider!r}: reeve.toml has a table [providers.NAME] for each"
        package = PACKAGES[self.target.api]
        if not _importable(package):
            return f"the package {package.replace('.', '-')!r} is not installed: {HOW_TO_GET}"
        return ""

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Write the spec; ids of hidden tests are not in it. Raises InputError without a door."""
        del base
        if door is None or self.target.api is None:
            problem = self.available() or "it has no way to its model: the sandbox gives it no door"
            raise InputError(f"agent {self.spec.name!r}: {problem}")
        compiled(SOURCES)
        binds, env = words_for(task, order, folder)
        spec = folder / "spec.json"
        spec.write_text(json.dumps(self._spec(task, order, door), indent=1), encoding="utf-8")
        packages = {f"/reeve/site{number or ''}": site for number, site in enumerate(sites())}
        # The interpreter below the virtual environment: that one is mounted, and finds our packages by what we say.
        interpreter = getattr(sys, "_base_executable", sys.executable)
        return Launch(
            argv=(interpreter, "-I", "-B", "/reeve/model", ":".join(packages), "/reeve/spec.json", *PLACES),
            env=env,
            binds={**binds, **packages, "/reeve/model": str(SOURCES), "/reeve/spec.json": str(spec)},
            idle_seconds=IDLE_SECONDS,
            listens=True,
            private=True,
        )

    def _spec(self, task: Task, order: Order, door: Door) -> dict[str, object]:
        target, checks = self.target, task.checks
        return {
            "instruction": task.instruction,
            "rules": "\n".join(told_sections(order)),
            "required": list(visible_ids(task, checks.required)),
            "keep": list(visible_ids(task, checks.keep)),
            "commands": [check.command for check in checks.commands],
            "protected": list(task.protected),
            "wall_seconds": task.limits.wall_seconds,
            "model": {
                "form": target.form,
                "name": target.name,
                "api": target.api,
                "url": door.url(target.provider),
                "token": door.token,
            },
            "servers": [
                {"name": each.name, "command": each.command or "", "url": each.url or ""} for each in self.context.mcp
            ],
            "proxy": door.proxy if door.hosts else "",
            "ask": self.context.asks,
            "check_in_seconds": self.context.check_in(self.spec),
            **self.options,
        }


# ---------------------------------------------------------------- what reeve.toml says


def _target(spec: AgentSpec, apis: Mapping[str, Api]) -> Target:
    """Find form, model and provider: ``form:name``, ``provider:name``, or a name alone beside a named provider."""
    before, colon, after = spec.model.partition(":")
    known = bool(colon) and (before in FORMS or before in apis)
    form, name = (before, after) if known else ("", spec.model)
    if spec.providers:
        provider = spec.providers[0]
    elif form in apis:
        provider = form
    else:
        provider = next((each for each, api in BUILT_IN.items() if api is FORMS.get(form)), before)
    api = apis.get(provider)
    if not form and api is not None:
        # What is called openai is OpenAI; others with its API mostly have Chat Completions alone.
        form = next(each for each, of in FORMS.items() if of is api) if provider in BUILT_IN else provider
    return Target(form, name, provider, api)


def _options(spec: AgentSpec) -> dict[str, float | str]:
    options: dict[str, float | str] = {}
    for name, value in spec.options.items():
        if name == "thinking" and value in EFFORTS:
            options[name] = value
        elif name == "thinking":
            raise InputError(f"agent {spec.name!r}: thinking must be one of {', '.join(EFFORTS)}, found {value!r}")
        elif name not in NUMBERS:
            raise InputError(
                f"agent {spec.name!r}: unknown option {name!r}; known are {', '.join((*NUMBERS, 'thinking'))}"
            )
        elif not value.isdecimal():
            raise InputError(f"agent {spec.name!r}: {name} must be a whole number, found {value!r}")
        else:
            options[name] = int(value)
    if int(options.get("context_tokens", 8000)) < 8000:
        raise InputError(f"agent {spec.name!r}: context_tokens must be at least 8000, to hold tools and task")
    return options


# ---------------------------------------------------------------- what is installed


def _installed() -> str:
    """Return the version of pydantic-ai; empty if it is not there."""
    for name in ("pydantic-ai-slim", "pydantic-ai"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _importable(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def sites() -> list[str]:
    """List the folders that hold pydantic-ai and what it needs; compiled packages can be in one of their own."""
    found = [importlib.util.find_spec(name) for name in ("pydantic_ai", "pydantic_core")]
    return list(dict.fromkeys(os.path.dirname(os.path.dirname(str(each.origin))) for each in found if each is not None))
