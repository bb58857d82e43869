"""Patterns of paths as in .gitignore: `*` stays within a name, `**` crosses folders, no slash means any depth."""

import re
from collections.abc import Sequence

__all__ = ["matches", "matching"]


def matches(path: str, glob: str) -> bool:
    """Say whether a path of a tree matches a glob; what matches a folder matches everything below it."""
    return re.fullmatch(_pattern(glob), path, re.DOTALL) is not None


def matching(globs: Sequence[str]) -> re.Pattern[str]:
    """Compile globs into one pattern for `fullmatch`; no glob matches nothing."""
    return re.compile("|".join(f"(?:{_pattern(glob)})" for glob in globs) or r"(?!)", re.DOTALL)


def _pattern(glob: str) -> str:
    body = glob.strip().removeprefix("./")
    out = "" if "/" in body.strip("/") or body.startswith("/") else "(?:.*/)?"
    body, at = body.strip("/"), 0
    while at < len(body):
        if body.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif body.startswith("**", at):
            out, at = out + ".*", at + 2
        else:
            one, at = body[at], at + 1
            out += {"*": "[^/]*", "?": "[^/]"}.get(one) or re.escape(one)
    return out + "(?:/.*)?"
