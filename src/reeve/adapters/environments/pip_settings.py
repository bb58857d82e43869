"""Where pip installs from on this machine: the person's own settings, handed to set-up and to nothing else."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree

__all__ = ["PipSettings", "copy_pip", "pip_settings"]

TAKEN = frozenset({
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "proxy", "default-timeout",
    "timeout",
})  # fmt: skip
PASSED = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PipSettings:
    """Variables for the set-up, and the local folders and files that they speak of, to be mounted as they are."""

    env: Mapping[str, str]
    binds: Mapping[str, str]


@cache
def pip_settings() -> PipSettings:
    """Ask pip itself, once, how it is configured; only indexes, certificates and proxies are taken."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False, timeout=120
    )
    env = {name: os.environ[name] for name in PASSED if os.environ.get(name)}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        option = key.rsplit(".", 1)[-1]
        if option in TAKEN:
            plain = " ".join(shlex.split(value)).replace("\\n", " ")
            env["PIP_" + option.upper().replace("-", "_")] = plain
    words = [word for name, value in env.items() for word in value.split() if name not in ("NO_PROXY", "no_proxy")]
    paths = {re.sub(r"^file://", "", word) for word in words if word.startswith(("file:///", "/"))}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        # The pages of an index in a folder link to files beside it.
        parents = [
            Path(word.removeprefix("file://")).parent for word in env.get(name, "").split() if "file:///" in word
        ]
        paths |= {str(parent) for parent in parents if len(parent.parts) > 2}
    return PipSettings(env, {path: path for path in sorted(paths) if Path(path).exists() and path != "/"})


def copy_pip(into: Path) -> None:
    """Copy our own pip and nothing else of ours: set-up needs one, and a bare system may have none to give."""
    found = find_spec("pip")
    if found is None or not found.submodule_search_locations:
        raise OSError("there is no pip beside reeve; install it with the package manager of this system")
    package = Path(next(iter(found.submodule_search_locations)))
    for source in (package, *package.parent.glob("pip-*.dist-info")):
        copytree(source, into / source.name)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
