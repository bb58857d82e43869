"""Runs git plumbing where libgit2 has no answer: nobody's configuration, hooks, attributes or prompts apply."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from reeve.errors import RepositoryError

__all__ = ["clean_env", "git", "git_status"]


def clean_env(config: Path | None = None, **more: str) -> dict[str, str]:
    """Return the whole environment that git is started with; `config` takes the place of the person's own."""
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config) if config else os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        **more,
    }


def git_status(
    args: list[str], *, env: Mapping[str, str], stdin: bytes = b"", cwd: Path | None = None
) -> tuple[int, bytes, bytes]:
    """Run git to its end; returns exit status, output and error output."""
    try:
        done = subprocess.run(["git", *args], input=stdin, capture_output=True, env=dict(env), cwd=cwd, check=False)
    except OSError as error:
        raise RepositoryError(f"git cannot be started: {error}; install git") from error
    return done.returncode, done.stdout, done.stderr


def git(args: list[str], *, env: Mapping[str, str], doing: str, stdin: bytes = b"", cwd: Path | None = None) -> bytes:
    """Run git and return its output; raises RepositoryError that says what was being done."""
    status, out, err = git_status(args, env=env, stdin=stdin, cwd=cwd)
    if status:
        said = err.decode("utf-8", "replace").strip().splitlines()
        raise RepositoryError(
            f"{doing}: git {args[0]} ended with status {status}: {said[-1] if said else 'no message'}"
        )
    return out
