"""`reeve doctor`."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from reeve.cli.doors import agent_context
from reeve.cli.opened import keys, project
from reeve.cli.options import Json
from reeve.cli.output import print_json, safe, screen
from reeve.errors import InputError
from reeve.records import AgentSpec
from reeve.settings import Settings
from reeve.task.build import top_of_repository
from reeve.units import plural

FREE_MB_WANTED = 2_048


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `needed` says that reeve cannot run agents without it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def doctor(*, as_json: Json = False) -> None:
    """Say what this machine can and cannot do, and how to mend it.

    Exits with 4 if agents cannot be run here.
    """
    findings = list(_findings())
    fit = all(finding.ok or not finding.needed for finding in findings)
    if as_json:
        print_json({"ok": fit, "findings": findings})
    else:
        _show(findings, fit=fit)
    raise typer.Exit(0 if fit else 4)


def _show(findings: list[Finding], *, fit: bool) -> None:
    console = screen()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        word, style = ("ok", "green") if finding.ok else ("missing", "red") if finding.needed else ("limited", "yellow")
        line = safe(f"{word:<8}", style).append_text(safe(f"{finding.name:<{width}}  {finding.detail}"))
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(safe(f"{'':8}{'':{width}}  {finding.remedy}", "dim"), soft_wrap=True)
    console.print()
    console.print(safe("This machine can run agents." if fit else "This machine cannot run agents behind walls yet."))


def _findings() -> Iterator[Finding]:
    yield Finding("python", ok=True, detail=f"{platform.python_version()} at {sys.executable}")
    yield _git()
    try:
        settings = project()
    except InputError as error:
        yield Finding("settings", ok=False, detail=str(error), remedy="mend that line; docs/settings.md has all keys")
        settings = None
    yield from _sandbox(settings)
    yield _who()
    if settings is not None:
        yield from _project(settings)
        specs: list[AgentSpec] = []
        yield from _agents(settings, specs)
        yield from _providers(settings, specs)
        yield from _prices(settings)
        yield _ripgrep()
        yield _space(settings.root)


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", ok=False, detail="not installed", remedy="install the package 'git'")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Finding("git", ok=bool(said), detail=said or f"{program} does not answer", remedy="")


def _sandbox(settings: Settings | None) -> Iterator[Finding]:
    from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox

    walls = BubblewrapSandbox()
    problem = walls.available()
    remedy = "" if not problem else _sandbox_remedy(problem)
    version = ".".join(map(str, walls.version))
    said = problem or f"bubblewrap {version}: `true` ran in it, without network"
    yield Finding("sandbox", ok=not problem, detail=said, remedy=remedy)
    if problem:
        return
    near = settings.state if settings is not None and settings.state.is_dir() else Path.cwd()
    if not os.access(near, os.W_OK):
        near = Path(tempfile.gettempdir())
    overlay = walls.trial("overlay", near)
    words = f"overlays work in {near}" if not overlay else f"no overlays in {near}, so trees are copied: {overlay}"
    better = (
        "" if not overlay else "slower, no less safe; a kernel of 5.11 or later and a disk with ext4 or xfs allow them"
    )
    yield Finding("workspaces", ok=not overlay, detail=words, remedy=better, needed=False)


def _sandbox_remedy(problem: str) -> str:
    if "not installed" in problem:
        return "apt-get install bubblewrap"
    return (
        "user namespaces may be closed: `sysctl kernel.unprivileged_userns_clone=1` (Debian), "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), or a container started with them"
    )


def _who() -> Finding:
    from reeve.adapters.sandboxes import SANDBOX_UID

    if os.geteuid() != 0:
        return Finding("user", ok=True, detail=f"uid {os.geteuid()}, an ordinary user")
    return Finding("user", ok=True, detail=f"root; everything behind walls runs as uid {SANDBOX_UID}")


def _project(settings: Settings) -> Iterator[Finding]:
    top = top_of_repository(settings.root)
    if top is None:
        remedy = "`git init`, or go into a repository; tasks may also name one each"
        yield Finding("repository", ok=False, detail=f"none around {settings.root}", remedy=remedy, needed=False)
    else:
        yield Finding("repository", ok=True, detail=str(top))
    folder = settings.root / settings.backlog
    if folder.exists():
        yield Finding("backlog", ok=True, detail=str(folder))
    else:
        yield Finding("backlog", ok=False, detail=f"none at {folder}", remedy="`reeve init` makes one", needed=False)


def _agents(settings: Settings, specs: list[AgentSpec]) -> Iterator[Finding]:
    """Look at every agent; `specs` takes those that could be made, as they call themselves."""
    from reeve.adapters.agents import agent_kinds, make_agents

    kinds = agent_kinds(agent_context(settings))
    for name, spec in sorted(settings.agents.items()):
        used = name in settings.default_agents
        try:
            agent = make_agents({name: spec}, kinds)[name]
            problem, version = agent.available(), agent.spec.version
            specs.append(agent.spec)
        except InputError as error:
            problem, version = str(error), ""
        said = problem or f"kind {spec.kind}, version {version}"
        yield Finding(f"agent {name}", ok=not problem, detail=said, needed=used)
    for kind, problem in sorted(kinds.problems.items()):
        remedy = "the package that brings it is installed and broken: mend or remove it"
        yield Finding(f"agent kind {kind}", ok=False, detail=problem, remedy=remedy, needed=False)


def _providers(settings: Settings, specs: Sequence[AgentSpec]) -> Iterator[Finding]:
    """Say of each provider that an agent may call, or that has a key, whether it can be called; never the key."""
    try:
        found = keys(settings)
    except InputError as error:
        yield Finding("providers", ok=False, detail=str(error), remedy="put the key and nothing else into that file")
        return
    needed = {name for spec in specs if spec.name in settings.default_agents for name in spec.providers}
    used = {name for spec in specs for name in spec.providers}
    for name, source in sorted(settings.providers.items()):
        if name in found.missing:
            problem, _, remedy = found.missing[name].partition(": ")
            if name in used:
                yield Finding(f"provider {name}", ok=False, detail=problem, remedy=remedy, needed=name in needed)
        elif name in used or found.providers[name].key:
            place = source.key_file if source.key_file is not None else f"${source.key_env}"
            key = f"the key is in {place}" if found.providers[name].key else "called without a key"
            yield Finding(f"provider {name}", ok=True, detail=f"{source.base_url}; {key}")


def _prices(settings: Settings) -> Iterator[Finding]:
    from reeve.adapters.gateway.prices import read_prices

    if settings.prices is None:
        return
    try:
        count = len(read_prices(settings.prices))
    except InputError as error:
        yield Finding("prices", ok=False, detail=str(error), remedy="docs/gateway.md has the form of the file")
    else:
        yield Finding("prices", ok=True, detail=f"{plural(count, 'name')} in {settings.prices}")


def _ripgrep() -> Finding:
    program = shutil.which("rg")
    if program is None:
        detail, remedy = "not installed: agents that search do so more slowly", "install the package 'ripgrep'"
        return Finding("ripgrep", ok=False, detail=detail, remedy=remedy, needed=False)
    return Finding("ripgrep", ok=True, detail=program)


def _space(root: Path) -> Finding:
    free_mb = shutil.disk_usage(root).free // 2**20
    enough = free_mb >= FREE_MB_WANTED
    remedy = "" if enough else f"attempts and environments need about {FREE_MB_WANTED} MB"
    return Finding("disk", ok=enough, detail=f"{free_mb} MB free in {root}", remedy=remedy, needed=False)
