"""Environments without a set-up: for trying things out, and for tests."""

import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from shutil import copy2

from reeve.adapters.environments.interpreters import interpreters
from reeve.records import Base, Environment, Task

__all__ = ["FakeEnvironments", "copied_environment"]

WITH_PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


class FakeEnvironments:
    """Port Environments that gives the same environment to every task."""

    def __init__(self, environment: Environment | None = None) -> None:
        self.environment = environment or Environment("none", ok=True)

    def prepare(self, task: Task, base: Base) -> Environment:
        """Return the one environment."""
        del task, base
        return self.environment


def copied_environment(folder: Path, packages: Sequence[str] = WITH_PYTEST) -> Environment:
    """Make a virtual environment from packages of our own one, without pip and without network.

    It stands on the first interpreter of our own version. A package with compiled parts works only there.
    """
    python = next(one for one in interpreters() if one.version[:2] == sys.version_info[:2])
    venv = folder / "venv"
    site = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    site.mkdir(parents=True)
    (venv / "bin").mkdir()
    for name in ("python", "python3"):
        (venv / "bin" / name).symlink_to(python.path)
    (venv / "pyvenv.cfg").write_text(f"home = {Path(python.path).parent}\ninclude-system-site-packages = false\n")
    for package in packages:
        for file in distribution(package).files or ():
            if ".." not in file.parts:
                target = site / file  # compiled files too: an environment is read-only where it is used
                target.parent.mkdir(parents=True, exist_ok=True)
                copy2(Path(str(file.locate())), target)
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() else 0o644)
    return Environment(f"copied-{python.named}", ok=True, venv=str(venv))
