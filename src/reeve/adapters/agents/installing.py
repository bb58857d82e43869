"""Getting agents: exact versions from the package index of npm, into a folder that is there whole or not at all.

No program of a package runs while it is installed, and its dependencies are those of the day on which the preset was
tried: whoever installs it next year has the same program.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from reeve.adapters.agents.installed import Place, architecture, node_for, package_version
from reeve.adapters.agents.presets import ARCHITECTURES, NODE
from reeve.adapters.scratch import scratch_folder
from reeve.errors import SetupError
from reeve.units import duration

__all__ = ["install"]

INSTALL_SECONDS = 1_800.0
LOOK_SECONDS = 0.5
LAST_LINES = 8

Progress = Callable[[str], None]
"""Told what is under way, again whenever there is something new to say."""


def install(place: Place, progress: Progress) -> None:
    """Install an agent, and a Node.js where the machine has none that is new enough; what is there already stays.

    Raises SetupError with what npm said.
    """
    if architecture() not in ARCHITECTURES.values():
        raise SetupError(place.missing)
    preset = place.preset
    if preset.node and place.node is None:
        package = f"node-linux-{architecture()}"
        _npm_install(package, NODE, place.agents / "node" / NODE, progress)
        if place.node is None:
            raise SetupError(f"the Node.js {NODE} that was installed does not start: {place.agents / 'node' / NODE}")
    if place.installed != place.version:
        pinned = (f"--before={preset.as_of}",) if place.version == preset.version else ()
        _npm_install(preset.package, place.version, place.folder, progress, pinned, node=place.node)


def _npm_install(
    package: str,
    version: str,
    target: Path,
    progress: Progress,
    further: Sequence[str] = (),
    *,
    node: Path | None = None,
) -> None:
    """Put one package with all that it needs into a folder; two that install the same at once do not meet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(".installing-", target.parent) as scratch:
        made = scratch / "made"
        made.mkdir()
        _run_npm(package, version, made, progress, further, node)
        found = package_version(made, package)
        if found != version:  # where its needs do not fit the Node.js of npm, npm takes an older one without a word
            raise SetupError(
                f"npm installed {package} {found or 'not at all'} where {version} was asked for; "
                "is its own Node.js old? A newer npm helps"
            )
        made.chmod(0o755)
        if package_version(target, package) == version:
            return  # somebody else was quicker
        shutil.rmtree(target, ignore_errors=True)  # left half-removed
        with suppress(FileExistsError):
            made.rename(target)


def _run_npm(
    package: str, version: str, folder: Path, progress: Progress, further: Sequence[str], node: Path | None
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("npm is not installed, and agents come as its packages; `apt-get install npm` gets it")
    path = os.environ.get("PATH", os.defpath)
    env = {**os.environ, "PATH": f"{node.parent}:{path}" if node else path}
    argv = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact",
            "--loglevel=error", *further, f"{package}@{version}"]  # fmt: skip
    began = time.monotonic()
    log = folder / "npm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=env, umask=0o022
        )
        try:
            while process.poll() is None:
                passed = time.monotonic() - began
                if passed > INSTALL_SECONDS:
                    raise SetupError(f"installing {package} {version}: npm did not end within {duration(INSTALL_SECONDS)}")
                progress(f"{package} {version}: {_megabytes(folder)} MB, {duration(passed)}")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
        finally:
            process.kill()
            process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        last = "\n".join(said.strip().splitlines()[-LAST_LINES:])
        raise SetupError(f"installing {package} {version}: npm ended with status {process.returncode}:\n{last}", log=said)
    log.unlink()
    progress(f"{package} {version}: installed, {_megabytes(folder)} MB in {duration(time.monotonic() - began)}")


def _megabytes(folder: Path) -> int:
    """What a folder takes up on disk so far; what vanishes meanwhile does not count."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total >> 20
