"""The port Environments for Python: a virtual environment per set-up, made in the sandbox, kept by its hash.

Set-up is the owner's own code at the base commit. It runs behind the same walls as an attempt, as the same
unprivileged user, with network for it alone. The environment is made to live at /env, where every attempt and every
check sees it, read-only.
"""

import fcntl
import hashlib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from reeve.adapters.environments.derive import SetupPlan, derive, fits_python
from reeve.adapters.environments.files import SetupFiles, TreeFiles
from reeve.adapters.environments.interpreters import Interpreter, interpreters
from reeve.adapters.environments.layer import take_layer
from reeve.adapters.environments.pip_settings import copy_pip, pip_settings
from reeve.adapters.sandboxes import owner_of_trees
from reeve.adapters.trees.folders import remove
from reeve.adapters.trees.objects import GitObjects
from reeve.errors import Interrupted, RepositoryError, SandboxError
from reeve.ports import Sandbox, Store, Trees
from reeve.records import Base, Checks, Ending, Environment, Limits, Runner, SandboxResult, SandboxRun, Task, Workspace

__all__ = ["SETUP_LIMITS", "PythonEnvironments"]

SETUP_LIMITS = Limits(wall_seconds=600, memory_mb=4096, disk_mb=4096, processes=512, output_mb=16)
NO_VERSION = "0.0.0"
RECIPE = 1  # raise it when the same plan would make another environment

SCRIPT = """\
set -eu
env=$1; work=$2; pip=$3
step() {{ printf '\\n[reeve] %s\\n' "$*"; "$@"; }}
step {python} -m venv --without-pip "$env"
site=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$pip" > "$site/reeve_setup.pth"
printf '#!/bin/sh\\nexec python -m pip "$@"\\n' > "$env/bin/pip"
chmod 755 "$env/bin/pip"
cp "$env/bin/pip" "$env/bin/pip3"
cd "$work"
{commands}
{last}
rm -f "$site/reeve_setup.pth"
printf '\\n[reeve] ready\\n'
"""
LOG_BYTES = 1 << 20
AGAIN = "the whole log is kept, and the next `reeve run` tries it again"
VERSION_VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
)
"""How tools that read the version from git's history are told one: a set-up sees no history."""
HINTS = (
    (r"NewConnectionError|Temporary failure in name resolution|Network is unreachable|ConnectTimeout",
     "there is no network, or pip needs a proxy: check `pip download pip` in a shell"),
    (r"ResolutionImpossible|conflicting dependencies", "its requirements contradict each other"),
    (r"No matching distribution found", "that package or version is not on the index that pip uses"),
    (r"requires a different Python", "it needs another Python version"),
    (r"No space left on device|Disk quota exceeded", "the disk, or the limit of a set-up, is full"),
    (r"[Cc]ommand '?(gcc|cc|g\+\+|x86_64-linux-gnu-gcc)'? failed|No such file or directory: '(gcc|cc)'",
     "a package has to be compiled and cannot be: install a compiler, or name another set-up"),
)  # fmt: skip
PYTEST = "if ! python -c 'import pytest' 2>/dev/null; then step python -m pip install pytest; fi"


class PythonEnvironments:
    """Keeps environments below `folder`, one per key; a set-up that failed is tried again by the next program run.

    `limits` are those of one set-up, and have nothing to do with those of an attempt.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        trees: Trees,
        objects: GitObjects,
        store: Store,
        folder: Path,
        limits: Limits = SETUP_LIMITS,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._trees = trees
        self._objects = objects
        self._store = store
        self._folder = folder
        self._limits = limits
        self._stop = stop
        self._failed: dict[str, Environment] = {}
        self._plans: dict[tuple[str, str, str | None, bool], tuple[SetupPlan, str]] = {}

    def prepare(self, task: Task, base: Base) -> Environment:
        """Return the environment of a base, made once; a failed set-up is returned, and not tried again by us."""
        with_pytest = _wants_pytest(task.checks)
        try:
            plan, version = self._planned(base, task.setup, with_pytest=with_pytest)
        except (RepositoryError, OSError) as error:
            return Environment(f"unread-{base.tree[:16]}", ok=False, reason=f"reading the project's files: {error}")
        if not plan.commands and not with_pytest:
            return Environment("none", ok=True)  # another runner, which the machine has
        python = next((one for one in interpreters() if fits_python(plan.requires_python, one.version)), None)
        if python is None:
            return Environment(f"python-{plan.inputs[:16]}", ok=False, reason=_no_python(plan))
        making = _Making(plan, python, task, version, with_pytest=with_pytest)
        key = making.key
        with self._locked(key):
            if (known := self._failed.get(key) or self._ready(key)) is not None:
                return known
            made = self._make(making, base)
            if not made.ok:
                self._failed[key] = made
            return made

    def _planned(self, base: Base, setup: str | None, *, with_pytest: bool) -> tuple[SetupPlan, str]:
        """Read what set-up depends on, once for all tasks of a base."""
        asked = (base.repo, base.commit, setup, with_pytest)
        if (known := self._plans.get(asked)) is None:
            files = TreeFiles(self._objects, base.tree)
            plan = derive(files, base.tree, setup, with_pytest=with_pytest)
            known = self._plans[asked] = plan, version_of(files, base) if plan.needs_tree else NO_VERSION
        return known

    def _ready(self, key: str) -> Environment | None:
        """Find a finished environment; its folder may have moved, so places are named from where it is now."""
        folder = self._folder / key
        try:
            body = json.loads((folder / "environment.json").read_text())
        except (OSError, ValueError):
            return None
        layer = str(folder / "layer") if body["layer"] else None
        return Environment(**{**body, "venv": str(folder / "venv"), "layer": layer})

    def _make(self, making: "_Making", base: Base) -> Environment:
        """Make an environment beside its place, and move it there when it is whole."""
        folder = self._folder / f"{making.key}.making"
        remove(folder)
        owner = owner_of_trees()
        for each in (folder, folder / "venv"):
            each.mkdir()
            if owner:
                os.chown(each, *owner)
        try:
            workspace = self._trees.open(base.tree, f"setup-{making.key}")
            try:
                result = self._sandbox.run(making.run(workspace, folder, self._limits), stop=self._stop)
                if result.ending is Ending.INTERRUPTED:
                    raise Interrupted("the set-up was stopped; the next `reeve run` begins it again")
                count = take_layer(
                    Path(workspace.upper), self._trees.checkout(base.tree), folder / "layer", owner_of_trees()
                )
            finally:
                self._trees.drop(workspace)
            return self._finished(making.key, folder, result, count)
        except (SandboxError, RepositoryError, OSError) as error:
            return Environment(making.key, ok=False, reason=f"the set-up could not run: {error}")
        finally:
            remove(folder)

    def _finished(self, key: str, folder: Path, result: SandboxResult, count: int) -> Environment:
        log = (folder / "log").read_bytes()[-LOG_BYTES:] if (folder / "log").exists() else b""
        made = Environment(key, ok=True, log=self._store.put(log), seconds=result.wall_seconds)
        if result.status != 0:
            return replace(made, ok=False, reason=reason_of(log.decode("utf-8", "replace"), result))
        body = asdict(made) | {"venv": "venv", "layer": "layer" if count else None}
        (folder / "environment.json").write_text(json.dumps(body))
        remove(self._folder / key)  # a damaged one without its record
        folder.rename(self._folder / key)
        found = self._ready(key)
        if found is None:
            raise OSError(f"the environment {key} was made and cannot be read back")
        return found

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the lock of one environment against other threads and other processes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{key}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class _Making:
    """Everything that one set-up depends on, and the run that does it."""

    plan: SetupPlan
    python: Interpreter
    task: Task
    version: str
    with_pytest: bool

    @property
    def key(self) -> str:
        content = [
            RECIPE,
            self.plan.inputs,
            self.python.path,
            self.python.named,
            self.version,
            sorted(self.task.env.items()),
            self.with_pytest,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]

    def run(self, workspace: Workspace, folder: Path, limits: Limits) -> SandboxRun:
        settings = pip_settings()
        copy_pip(folder / "pip")
        script = folder / "setup.sh"
        commands = "\n".join(f"step /bin/sh -ec {shlex.quote(command)}" for command in self.plan.commands)
        last = PYTEST if self.with_pytest else ""
        script.write_text(SCRIPT.format(python=self.python.path, commands=commands, last=last))
        script.chmod(0o644)
        prefix = {} if self.python.prefix.startswith("/usr") else {self.python.prefix: self.python.prefix}
        env = {
            "PATH": "/env/bin:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": "/env",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            **dict.fromkeys(VERSION_VARIABLES, self.version),
        }
        return SandboxRun(
            argv=("/bin/sh", "/reeve/setup.sh", "/env", "/work", "/reeve/pip"),
            workspace=workspace,
            limits=limits,
            wall_seconds=limits.wall_seconds,
            stdout=str(folder / "log"),
            env={**env, **settings.env, **self.task.env},
            binds={"/reeve/setup.sh": str(script), "/reeve/pip": str(folder / "pip"), **prefix, **settings.binds},
            env_writable=str(folder / "venv"),
            network=True,
        )


def version_of(files: SetupFiles, base: Base) -> str:
    """Say which version a project calls itself that reads it from its history, which set-up does not see."""
    info = (files.read("PKG-INFO") or b"").decode("utf-8", "replace")
    if found := re.search(r"^Version: (\S+)$", info, re.MULTILINE):
        return found[1]
    command = [
        "git",
        "-c",
        f"safe.directory={base.repo}",
        "-C",
        base.repo,
        "describe",
        "--tags",
        "--abbrev=0",
        base.commit,
    ]
    env = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    found = re.search(r"\d+(\.\d+)+((a|b|rc|\.post|\.dev)\d+)?$", done.stdout.strip())
    return found[0] if found else NO_VERSION


def reason_of(log: str, result: SandboxResult) -> str:
    """Say in one sentence why a set-up failed, and what to do."""
    steps = re.findall(r"^\[reeve\] (.+)$", log, re.MULTILINE)
    at = f"`{steps[-1][:200]}`" if steps else "its start"
    if result.ending not in (Ending.FINISHED, Ending.CRASHED):
        return f"set-up stopped in {at}: {result.reason}; {AGAIN}"
    errors = [line.strip() for line in log.splitlines() if re.match(r"\s*(ERROR|error|\w*Error)\b", line)]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = errors[0] if errors else lines[-1] if lines else f"status {result.status}"
    hint = next((hint for pattern, hint in HINTS if re.search(pattern, log)), "")
    return f"set-up failed in {at}: {said[:300]}{'; ' + hint if hint else ''}; {AGAIN}"


def _wants_pytest(checks: Checks) -> bool:
    """Commands alone bring what they need; whatever else a task asks for, pytest may be wanted by its agent."""
    only_commands = bool(checks.commands) and not checks.required and not checks.keep
    return checks.runner is Runner.PYTEST and not only_commands


def _no_python(plan: SetupPlan) -> str:
    here = ", ".join(one.named for one in interpreters())
    return f"the project asks for Python {plan.requires_python}, this machine has {here}: install one that fits"
