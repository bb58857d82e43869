"""Which paths of a patch are put back to the base before anything is checked.

An attempt may not change what measures it: tests, their configuration, what would shadow or start before the test
runner, lock files and the jobs of a build server. Such paths are restored in the examined tree, and since exactly
that tree lands, an attempt cannot land a change of them either. New test files of an attempt are taken out by the
same rule: they prove nothing (their author is the one examined) and could disturb the tests that do.

`pyproject.toml`, `setup.cfg`, `package.json` and the like hold test configuration next to things that a task may
well ask for. They are protected as a whole: set-up ran at the base, so a change of them could not have had an
effect on the checks other than by that configuration. A task about such a file asks for a person.
"""

import re
import shlex
from collections.abc import Sequence

from reeve.records import Change, Runner, Task

__all__ = ["ALWAYS", "globs_of", "matches", "protected_changes"]

ALWAYS: tuple[str, ...] = (
    # tests and their data
    "**/tests/**",
    "test/**",
    "testing/**",
    "src/test/**",
    "**/test_*.py",
    "**/*_test.py",
    "**/__tests__/**",
    "**/*.test.*",
    "**/*.spec.*",
    "**/*_test.go",
    "**/*Test.java",
    "**/__snapshots__/**",
    # configuration of test runners
    "**/conftest.py",
    "**/pytest.ini",
    "**/.pytest.ini",
    "**/pytest.toml",
    "**/.pytest.toml",
    "**/tox.ini",
    "**/setup.cfg",
    "**/pyproject.toml",
    "**/.coveragerc",
    "**/noxfile.py",
    "**/package.json",
    "**/jest.config.*",
    "**/vitest.config.*",
    "**/.mocharc.*",
    ".config/nextest.toml",
    "**/pom.xml",
    "**/build.gradle*",
    # what runs before the first line of a test runner, or instead of a source file
    "**/sitecustomize.py",
    "**/usercustomize.py",
    "**/*.pth",
    "**/*.pyc",
    "**/*.pyd",
    "**/*.so",
    "**/__pycache__/**",
    "**/.pytest_cache/**",
    "**/.hypothesis/**",
    # lock files
    "**/*.lock",
    "**/requirements*.txt",
    "**/*-requirements.txt",
    "requirements/**",
    "**/package-lock.json",
    "**/pnpm-lock.yaml",
    "**/go.sum",
    # build servers
    ".github/**",
    ".gitlab-ci.yml",
    ".gitlab/**",
    ".circleci/**",
    ".buildkite/**",
    ".ci/**",
    ".travis.yml",
    ".pre-commit-config.yaml",
    "azure-pipelines.yml",
    "appveyor.yml",
    "Jenkinsfile",
)
"""Patterns as in .gitignore: `*` stays within a name, `**` crosses folders, one without a slash is for any depth."""

RUNNER_MODULES = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "py", "unittest", "doctest", "coverage")
"""Modules that a new file at the top of the tree (or of `src`) must not shadow; existing ones are ordinary code."""

STARTS = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "tox": ("tox.ini",),
    "nox": ("noxfile.py",),
    "rake": ("Rakefile",),
}
"""Files that a command reads without naming them."""


INTERPRETERS = r"(?:ba|da|z|k)?sh|python[\d.]*|node|deno|bun|perl|ruby|php|env|time|nice|timeout|exec"
"""Programs whose first word is again something that is run."""


def matches(path: str, glob: str) -> bool:
    """Say whether a path of a tree matches a glob; what matches a folder matches everything below it."""
    return re.fullmatch(_pattern(glob), path, re.DOTALL) is not None


def globs_of(task: Task) -> tuple[str, ...]:
    """List every protected glob of a task: the ones above, its own, and the files its checks consist of."""
    found = list(ALWAYS)
    found += task.protected
    if task.checks.runner is Runner.PYTEST:
        found += [_literal(identifier.split("::", 1)[0]) for identifier in task.checks.required]
    found += [_literal(file.path) for file in task.checks.hidden]
    found += [_literal(path) for path in _paths_of_diff(task.checks.test_patch or "")]
    if task.checks.report:
        found.append(task.checks.report)
    for command in (task.checks.test_command, *(check.command for check in task.checks.commands)):
        found += _files_of_command(command or "")
    return tuple(dict.fromkeys(glob for glob in found if glob))


def protected_changes(task: Task, changes: Sequence[Change]) -> tuple[str, ...]:
    """List the changed paths of a patch that have to be put back, in their order."""
    compiled = re.compile("|".join(f"(?:{_pattern(glob)})" for glob in globs_of(task)), re.DOTALL)
    return tuple(
        change.path
        for change in changes
        if compiled.fullmatch(change.path) or (change.kind == "added" and _shadows_runner(change.path))
    )


def _shadows_runner(path: str) -> bool:
    parts = path.removeprefix("src/").split("/")
    if len(parts) == 1:
        return parts[0].split(".", 1)[0] in RUNNER_MODULES and parts[0].endswith((".py", ".pyi", ".zip"))
    return len(parts) == 2 and parts[0] in RUNNER_MODULES and parts[1] == "__init__.py"


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


def _literal(path: str) -> str:
    return "/" + path.removeprefix("./").lstrip("/")


def _paths_of_diff(diff: str) -> list[str]:
    return [line[6:].rstrip("\t\r") for line in diff.split("\n") if line.startswith(("+++ b/", "--- a/"))]


def _files_of_command(command: str) -> list[str]:
    """List the files of the tree that a command runs; those it only reads are what a task may be about."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = command.split()
    found: list[str] = []
    runs = True  # the next word that is no option names what is run
    for word in words:
        name = word.rsplit("/", 1)[-1]
        if set(word) <= set("();<>|&"):
            runs = True
        elif runs and not word.startswith("-") and not re.match(r"\w+=", word):
            found += [*STARTS.get(name, ()), *([] if word.startswith("/") else [_literal(word)])]
            runs = re.fullmatch(INTERPRETERS, name) is not None
    return found
