"""The sandbox that is used unless a person asks for none: bubblewrap, below a runner that mounts and watches."""

import binascii
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from reeve.adapters.sandboxes import SANDBOX_UID, hostfiles, seccomp
from reeve.adapters.sandboxes.supervised import Spec, Supervised, common_spec
from reeve.adapters.scratch import scratch_folder
from reeve.errors import SandboxError
from reeve.records import Limits, SandboxRun, Workspace
from reeve.units import megabytes

__all__ = ["BubblewrapSandbox"]

_PATH = "/env/bin:/usr/local/bin:/usr/bin:/bin"
_SHARED_MEMORY_MB, _TMP_MB = 64, 512
_STAGES = ("/mnt", "/media", "/srv", "/opt", "/boot", "/home", "/tmp")  # noqa: S108


class BubblewrapSandbox(Supervised):
    """Port Sandbox: namespaces, an allow-list of mounts, no capabilities, a system call filter, limits.

    `host_env` is where set-up with network takes package index and proxy settings from; `interpreters` are further
    installations of Python that virtual environments point to.
    """

    name = "bubblewrap"

    def __init__(
        self,
        program: str | None = None,
        *,
        host_env: Mapping[str, str] | None = None,
        interpreters: Sequence[Path] = (),
    ) -> None:
        self.program = program or shutil.which("bwrap") or ""
        self.host_env = dict(os.environ if host_env is None else host_env)
        self.interpreters = tuple(interpreters)

    # ------------------------------------------------------------ what this machine can do

    @cached_property
    def version(self) -> tuple[int, ...]:
        """Of bubblewrap; empty if it cannot be started."""
        try:
            said = subprocess.run(
                [self.program, "--version"], capture_output=True, text=True, check=False, env={}
            ).stdout
        except OSError:
            return ()
        return tuple(int(part) for part in said.split()[-1].split(".") if part.isdigit()) if said.split() else ()

    def available(self) -> str:
        """Say why it cannot run here, by running `true` in it once; an empty string means that it can."""
        return self._problem

    @cached_property
    def _problem(self) -> str:
        if not self.version:
            return "bubblewrap is not installed; install the package 'bubblewrap'"
        return self.trial("copy", Path(tempfile.gettempdir()))

    def trial(self, kind: str, near: Path) -> str:
        """Run `true` in a tree of this kind (overlay or copy) on the file system of `near`; says why that failed."""
        with scratch_folder("reeve-trial-", near) as folder:
            names = ("lower", "upper", "work")
            for name in names:
                (folder / name).mkdir()
                if os.geteuid() == 0:
                    os.chown(folder / name, SANDBOX_UID, SANDBOX_UID)
            lower, upper, work = (str(folder / name) for name in names)
            workspace = Workspace("trial", kind, (lower,) if kind == "overlay" else (), upper, work)
            stdout = str(folder / "stdout")
            try:
                result = self.run(SandboxRun(("/bin/sh", "-c", "echo > made"), workspace, Limits(), 20.0, stdout))
            except SandboxError as error:
                return str(error)
            said = Path(stdout).read_text(encoding="utf-8", errors="replace").strip()
            return "" if result.status == 0 else f"a trial run failed: {result.reason} ({said[:200]})"

    # ------------------------------------------------------------ one run

    def spec(self, run: SandboxRun) -> Spec:
        """Describe a run: what is mounted where, and who it runs as."""
        root = os.geteuid() == 0
        at = self._stage(run)
        sources = _Sources(at)
        given = hostfiles.for_setup(self.host_env) if run.network else hostfiles.Given()
        args = [
            *self._walls(run), *_system(), *self._memory(run),
            *self._interpreters(sources), *sources.binds({**given.binds, **run.binds}),
            "--bind", f"{at}/work", "/work",
            *sources.writable("/out", run.out), *sources.writable("/env", run.env_writable),
        ]  # fmt: skip
        for name, value in sorted({**self._environment(), **given.env, **run.env}.items()):
            args += ["--setenv", name, value]
        uid = SANDBOX_UID if root else os.getuid()
        gid = SANDBOX_UID if root else os.getgid()
        data = [(text, path) for path, text in hostfiles.accounts(uid, gid).items() if path not in given.binds]
        return {
            **common_spec(run),
            "argv": _limited(run),
            "bwrap": self.program,
            "args": args,
            "data": data,
            "last": ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/work"],
            "seccomp": binascii.b2a_base64(seccomp.program(network=run.network), newline=False).decode(),
            "env": {"PATH": "/usr/bin:/bin"},  # of bubblewrap itself, which anybody inside can read
            "uid": SANDBOX_UID if root else None,
            "staged": True,
            "stage_at": at,
            "stage": sources.staged,
        }

    def _stage(self, run: SandboxRun) -> str:
        """Choose the folder over which the runner mounts its stage, in its own mount namespace.

        Any user must be able to reach it, and what the runner still uses after that must not lie below it.
        """
        used = [run.workspace.upper, run.stdout, run.out, run.env_writable, self.program]
        real = [os.path.realpath(path) + "/" for path in used if path]
        for at in _STAGES:
            if os.path.isdir(at) and os.path.realpath(at) == at and not any(path.startswith(at + "/") for path in real):
                return at
        raise SandboxError(f"none of {', '.join(_STAGES)} is free to mount on; move the state folder elsewhere")

    def _walls(self, run: SandboxRun) -> list[str]:
        args = [
            "--unshare-all",
            "--unshare-user",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
            "--hostname",
            "sandbox",
        ]
        if (
            run.network or run.door is not None
        ):  # with a door the runner's own namespace, in which there is nothing else
            args.append("--share-net")
        if self.version >= (0, 8):
            args.append("--disable-userns")
        return args

    def _memory(self, run: SandboxRun) -> list[str]:
        # Every folder in memory has a size; the ones that bubblewrap makes itself are remounted read-only at the end.
        sizes = {"/dev/shm": _SHARED_MEMORY_MB, "/tmp": min(_TMP_MB, max(16, run.limits.memory_mb // 2))}  # noqa: S108
        args = ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
        for path, size in sizes.items():
            args += ["--size", str(megabytes(size)), "--perms", "1777", "--tmpfs", path]
        return [*args, "--dir", "/tmp/home"]  # noqa: S108

    def _interpreters(self, sources: "_Sources") -> list[str]:
        args: list[str] = []
        named = [sys.base_prefix, *map(str, self.interpreters)]
        for prefix in dict.fromkeys([*named, *map(os.path.realpath, named)]):
            if prefix != "/" and not (prefix + "/").startswith("/usr/"):
                args += ["--ro-bind", sources.of(prefix), prefix]
        return args

    def _environment(self) -> dict[str, str]:
        return {"PATH": _PATH, "HOME": "/tmp/home", "TMPDIR": "/tmp", "LANG": "C.UTF-8", "USER": "agent",  # noqa: S108
                "LOGNAME": "agent", "SHELL": "/bin/sh"}  # fmt: skip


class _Sources:
    """Host paths as bubblewrap sees them: below the stage that the runner makes."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.staged: list[tuple[str, str]] = []

    def of(self, path: str) -> str:
        self.staged.append((path, f"{self.stage}/{len(self.staged)}"))
        return self.staged[-1][1]

    def binds(self, binds: Mapping[str, str]) -> Iterable[str]:
        for inside in sorted(binds):  # a folder before what lies below it
            yield from ("--ro-bind", self.of(binds[inside]), inside)

    def writable(self, inside: str, path: str | None) -> Iterable[str]:
        return ("--bind", self.of(path), inside) if path else ()


def _limited(run: SandboxRun) -> list[str]:
    """Wrap a command so that it sets its own limit of processes.

    The kernel counts processes per user and user namespace; only a limit set inside counts those of this run alone.
    """
    most = str(run.limits.processes + 2)  # bubblewrap's own two among them
    if os.path.exists("/usr/bin/prlimit"):
        return ["/usr/bin/prlimit", f"--nproc={most}", "--", *run.argv]
    return ["/bin/sh", "-c", 'ulimit -u "$0" 2>/dev/null || ulimit -p "$0"; exec "$@"', most, *run.argv]


def _system() -> list[str]:
    args = ["--ro-bind", "/usr", "/usr"]
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            args += ["--ro-bind", path, path]
    for path in hostfiles.SYSTEM:
        if os.path.exists(path):
            args += ["--ro-bind", os.path.realpath(path), path]
    return args
