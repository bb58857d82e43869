"""Which files of the host are shown inside: an allow-list, and what set-up needs to reach a package index."""

import configparser
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["SYSTEM", "Given", "accounts", "for_setup"]

SYSTEM = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime", "/etc/timezone",
    "/etc/nsswitch.conf", "/etc/protocols", "/etc/services", "/etc/mime.types", "/etc/terminfo", "/etc/os-release",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/ca-certificates", "/etc/java-17-openjdk",
)  # fmt: skip
"""Read-only, where the host has them; none of them names a person, a machine or a secret."""

_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "PIP_CLIENT_CERT",
          "PIP_CONSTRAINT", "PIP_REQUIREMENT")  # fmt: skip
_LOCATIONS = ("find-links", "index-url", "extra-index-url", "cert", "client-cert", "constraint")
_CONFIG_INSIDE = "/etc/reeve-pip"


@dataclass(frozen=True, slots=True)
class Given:
    """What set-up with network gets beyond the allow-list."""

    binds: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


def accounts(uid: int, gid: int) -> dict[str, str]:
    """Return the files that make one user known inside."""
    return {
        "/etc/passwd": f"agent:x:{uid}:{gid}:agent:/tmp/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "/etc/group": f"agent:x:{gid}:\nnogroup:x:65534:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    }


def for_setup(host_env: Mapping[str, str]) -> Given:
    """Collect name resolution, proxy and package index settings of the person who runs us.

    Set-up is the owner's own code, and the only thing that runs with network; it sees these and no other settings.
    """
    given = Given()
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        if os.path.exists(path):
            given.binds[path] = os.path.realpath(path)
    for name, value in host_env.items():
        if name.lower() in _VARIABLES or name.startswith("PIP_") or name in _FILES:
            given.env[name] = value
        if name in _FILES or name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
            _locate(given, value.split())
    _pip(given, host_env)
    return given


def _locate(given: Given, values: Iterable[str]) -> None:
    """Show what is named by an absolute path or a file URL at its own path."""
    for value in values:
        path = value.removeprefix("file://")
        if path.startswith("/") and path.strip("/") and os.path.exists(path):
            given.binds[path.rstrip("/")] = os.path.realpath(path)


def _pip(given: Given, host_env: Mapping[str, str]) -> None:
    home = Path(host_env.get("HOME", "/nonexistent"))
    config = Path(host_env.get("XDG_CONFIG_HOME") or home / ".config")
    merged = configparser.RawConfigParser(strict=False)
    candidates = [Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    if named := host_env.get("PIP_CONFIG_FILE"):
        candidates.append(Path(named))
    present = [path for path in candidates if path.is_file() and os.access(path, os.R_OK)]
    for path in present:
        try:
            merged.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip will say so
    given.env.pop("PIP_CONFIG_FILE", None)
    for number, path in enumerate(present):
        inside = path if path == candidates[0] else Path(f"{_CONFIG_INSIDE}/{number}/pip.conf")
        given.binds[str(inside)] = str(path.resolve())
    # Inside, pip finds the machine's file by itself; of the others the one that wins is named.
    if present and present[-1] != candidates[0]:
        given.env["PIP_CONFIG_FILE"] = f"{_CONFIG_INSIDE}/{len(present) - 1}/pip.conf"
    for section in merged.sections():
        for key in _LOCATIONS:
            _locate(given, merged.get(section, key, fallback="").split())
