"""No sandbox, for `--sandbox none`: the same limits and the same ending of all processes, and no walls at all."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from reeve.adapters.sandboxes.supervised import Spec, Supervised, common_spec
from reeve.errors import SandboxError
from reeve.records import SandboxRun

__all__ = ["NoSandbox"]


class NoSandbox(Supervised):
    """Port Sandbox without walls: what runs can read and write whatever the person who started reeve can.

    There is no /work, /env, /reeve or /out; these names are replaced by host folders in arguments and variables.
    Needs copied trees, as an overlay would have to be mounted. If the runner itself is killed, what it started may
    live on; bubblewrap has no such gap.
    """

    name = "none"

    def available(self) -> str:
        """Say why it cannot run here; nothing is needed, so it always can."""
        return ""

    def spec(self, run: SandboxRun) -> Spec:
        """Describe a run: the command itself, its limits, and where the names of the layout lead."""
        if run.workspace.kind != "copy":
            raise SandboxError("without a sandbox a tree cannot be mounted; open the workspace as a copy")
        folders = {"/work": run.workspace.upper, "/out": run.out or "", **run.binds}
        if run.env_writable:
            folders["/env"] = run.env_writable
        temporary = Path(run.workspace.work) / "tmp"
        (temporary / "home").mkdir(parents=True, exist_ok=True)
        env = {**self._environment(folders, temporary), **run.env}
        common = common_spec(run)
        if common["door"] is not None:
            common["door"]["private"] = False  # it is the host's own loopback
        return {
            **common,
            "argv": [_placed(argument, folders) for argument in run.argv],
            "bwrap": None,
            "env": {name: _placed(value, folders) for name, value in env.items()},
            "uid": None,
            "staged": False,
            "running": _processes_of(os.getuid()),
        }

    def _environment(self, folders: Mapping[str, str], temporary: Path) -> dict[str, str]:
        own = [f"{folders['/env']}/bin"] if "/env" in folders else []
        return {"PATH": ":".join([*own, "/usr/local/bin:/usr/bin:/bin"]), "HOME": str(temporary / "home"),
                "TMPDIR": str(temporary), "LANG": "C.UTF-8"}  # fmt: skip


def _placed(text: str, folders: Mapping[str, str]) -> str:
    """Replace the names of the layout by the host folders they stand for.

    In one pass, the longest name first: a host folder may itself lie below a /work or /env.
    """
    names = sorted((name for name in folders if folders[name]), key=len, reverse=True)
    inside = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, names))})(?=$|[/:;,\s'\"&|)])")
    return inside.sub(lambda found: folders[found[0]], text)


def _processes_of(uid: int) -> int:
    """Count what a user runs already: without a user namespace the kernel's limit counts that too."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                owner = os.stat(f"/proc/{name}").st_uid
                count += len(os.listdir(f"/proc/{name}/task")) if owner == uid else 0
            except OSError:
                continue
    return count
