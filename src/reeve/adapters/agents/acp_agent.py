"""Agents of any vendor that speak the Agent Client Protocol; their driver is the folder ``acp`` beside this file."""

import compileall
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from reeve.adapters.agents.briefing import briefing
from reeve.adapters.agents.command import words_for
from reeve.adapters.agents.context import AgentContext, model_variables
from reeve.adapters.agents.installed import Place, architecture
from reeve.adapters.agents.presets import PRESETS, Means, Preset, Setup
from reeve.errors import InputError
from reeve.ports import Launch
from reeve.records import AgentSpec, Door, McpServer, Measurement, Order, Task
from reeve.units import megabytes

__all__ = ["SOURCES", "AcpAgent", "place_of", "preset_of"]

SOURCES = Path(__file__).parent / "acp"
IDLE_SECONDS = 300.0
START_SECONDS = 120.0
OPTIONS = ("preset", "mode", "folder", "authenticate", "usage")
PREFIXES = ("env.", "config.")
USAGES = ("turn", "session", "nothing")


class AcpAgent:
    """Drives an agent over the protocol: one of the presets, or whatever the command starts.

    Options: ``preset`` (default: the agent's own name), ``mode`` of the session, ``folder`` of the host to be seen as
    /reeve/agent, ``authenticate`` (a method), ``usage`` (what a turn's end tells), ``env.NAME`` and ``config.OPTION``.
    A command finds its models by the variables that `model_variables` names.
    """

    spec: AgentSpec

    def __init__(self, spec: AgentSpec, context: AgentContext | None = None) -> None:
        self.context = context or AgentContext()
        self.preset = preset_of(spec)
        self._check(spec)
        self.place = None if self.preset is None else place_of(spec, self.preset, self.context)
        providers = spec.providers or (() if self.preset is None else (self.preset.api.value,))
        self.spec = replace(spec, providers=providers, version=self._version(spec))

    def _check(self, spec: AgentSpec) -> None:
        unknown = [each for each in spec.options if each not in OPTIONS and not each.startswith(PREFIXES)]
        if unknown:
            known = ", ".join((*OPTIONS, *(f"{prefix}NAME" for prefix in PREFIXES)))
            raise InputError(f"agent {spec.name!r}: unknown option {unknown[0]!r}; known are {known}")
        if spec.options.get("usage", "turn") not in USAGES:
            raise InputError(
                f"agent {spec.name!r}: usage is one of {', '.join(USAGES)}, found {spec.options['usage']!r}"
            )
        for provider in spec.providers if self.preset else ():
            api = self.context.apis.get(provider)
            if self.preset and api is not None and api is not self.preset.api:
                raise InputError(
                    f"agent {spec.name!r}: {self.preset.name} speaks the API {str(self.preset.api)!r}, "
                    f"and the provider {provider!r} answers in {str(api)!r}"
                )

    def _version(self, spec: AgentSpec) -> str:
        """The exact version: of the installed package, with a hash of all that it is configured by."""
        if self.preset is None or self.place is None:
            return spec.version or _digest(spec.command, spec.model, spec.options, spec.providers)
        if not self.place.installed:
            return ""
        like = Means("URL", "TOKEN", spec.model or self.preset.model, asks=self.context.asks)
        setup = self.preset.setup(like)
        preset = [self.preset.start, self.preset.as_of, self.preset.usage, self.preset.serves_files]
        configured = [setup.env, setup.files, setup.mode, preset, spec.options]
        return f"{self.place.installed}+{_digest(*configured)[:8]}"

    @property
    def remark(self) -> str:
        """What an owner with rules for permissions should know."""
        asks = self.preset is None or self.preset.asks or not self.context.asks
        return "" if asks else "it cannot be told to ask, so no rule for permissions reaches it"

    def available(self) -> str:
        """Say what is missing, and how to get it."""
        if not (SOURCES / "__main__.py").is_file():
            return f"the sources of its driver are missing: {str(SOURCES)!r}"
        if self.place is not None and (missing := self.place.missing):
            return f"{missing}; `reeve agents install {self.spec.name}`"
        folder = self.spec.options.get("folder")
        return "" if folder is None or Path(folder).is_dir() else f"there is no folder {folder!r}"

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Write the spec of the driver, and start it with the interpreter that reeve itself runs on."""
        del base
        _compiled(SOURCES)
        start = self._start(door)
        binds, env = words_for(task, order, folder)
        spec = folder / "spec.json"
        spec.write_text(json.dumps(self._spec(task, order, start)), encoding="utf-8")
        spec.chmod(0o600 | 0o044)  # whoever runs inside reads it
        python = getattr(sys, "_base_executable", None) or sys.executable
        driver = (python, "-I", "-S", "-B", "-X", "utf8", "/reeve/acp/__main__.py")
        return Launch(
            argv=(*driver, "/reeve/spec.json", "/work", "/out", "/reeve/mail", "--", *start.command),
            env={**env, **start.env, **self._options("env.")},
            binds={**binds, **start.binds, "/reeve/acp": str(SOURCES), "/reeve/spec.json": str(spec)},
            idle_seconds=IDLE_SECONDS,
            listens=True,
            private=True,
        )

    def _spec(self, task: Task, order: Order, start: "_Start") -> dict[str, object]:
        options = self.spec.options
        mode = options.get("mode", start.mode)
        return {
            "files": dict(start.files),
            "prompt": briefing(task, order),
            "modes": [mode] if mode else [],
            "config": self._options("config."),
            "model": "" if self.preset else self.spec.model,
            "mcp": [_server(each) for each in self.context.mcp],
            "authenticate": options.get("authenticate", ""),
            "serves_files": self.preset is None or self.preset.serves_files,
            "usage": options.get("usage", self.preset.usage if self.preset else "turn"),
            "check_in_seconds": self.context.check_in(self.spec),
            "start_seconds": START_SECONDS,
            "output_bytes": megabytes(task.limits.output_mb),
        }

    def _start(self, door: Door | None) -> "_Start":
        """The command, and what it needs to be there."""
        if self.preset is None or self.place is None:
            binds = {"/reeve/agent": self.spec.options["folder"]} if "folder" in self.spec.options else {}
            return _Start(
                ("/bin/sh", "-c", f"exec {self.spec.command}"), model_variables(door, self.context.apis), {}, "", binds
            )
        provider = self.spec.providers[0]
        url, token = (door.url(provider), door.token) if door else ("http://127.0.0.1:8399/none", "none")
        means = Means(url, token, self.spec.model or self.preset.model, asks=self.context.asks)
        setup: Setup = self.preset.setup(means)
        command = tuple(part.replace("{arch}", architecture()) for part in self.preset.start)
        binds = {"/reeve/agent": str(self.place.folder)}
        if self.place.node is not None:
            binds["/reeve/node"] = str(self.place.node)
            command = ("/reeve/node", *command)
        return _Start(command, setup.env, setup.files, setup.mode, binds)

    def _options(self, prefix: str) -> dict[str, str]:
        given = self.spec.options.items()
        return {name.removeprefix(prefix): value for name, value in given if name.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class _Start:
    """A command with what it is configured by."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]
    mode: str
    binds: Mapping[str, str]


def preset_of(spec: AgentSpec) -> Preset | None:
    """Return the preset of an agent, or None for one with a command; raises InputError if it has neither."""
    named = spec.options.get("preset")
    if spec.command is not None:
        if named is not None:
            raise InputError(f"agent {spec.name!r}: it has a command and the preset {named!r}; it can have one of them")
        return None
    found = PRESETS.get(named or spec.name)
    if found is None:
        known = ", ".join(PRESETS)
        raise InputError(
            f"agent {spec.name!r}: kind 'acp' needs a command, or the option 'preset', which is one of {known}"
            + (f"; found {named!r}" if named else "")
        )
    return found


def place_of(spec: AgentSpec, preset: Preset, context: AgentContext) -> Place:
    """Return where the agent stands; a version in reeve.toml is taken instead of the one that the preset pins."""
    return Place(preset, spec.version or preset.version, context.agents)


def _server(server: McpServer) -> dict[str, object]:
    """A server as session/new takes it."""
    if server.command is None:
        return {"type": "http", "name": server.name, "url": server.url or "", "headers": []}
    return {"name": server.name, "command": "/bin/sh", "args": ["-c", f"exec {server.command}"], "env": []}


def _digest(*parts: object) -> str:
    said = json.dumps(parts, sort_keys=True, default=dict)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


@cache
def _compiled(folder: Path) -> None:
    """Compile the driver as an import would, once: it starts with every attempt and must not be compiled by each."""
    compileall.compile_dir(folder, quiet=2)
