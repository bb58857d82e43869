"""Which paths of a patch are put back to the base before anything is checked.

An attempt may not change what measures it: tests, their configuration, what would shadow or start before the test
runner, lock files and the jobs of a build server. Nor may it change what the next attempt is told: house rules, and the
files that agents read by themselves. Such paths are restored in the examined tree, and since exactly that tree lands,
an attempt cannot land a change of them either. New test files of an attempt are taken out by the same rule: they prove
nothing (their author is the one examined) and could disturb the tests that do.

`pyproject.toml`, `setup.cfg`, `package.json` and the like hold test configuration next to things that a task may
well ask for. They are protected as a whole: set-up ran at the base, so a change of them could not have had an
effect on the checks other than by that configuration.

A task that asks for changes of such paths declares them (`may_change`), and they stay as the attempt has them. Three
things stay protected whatever it declares: the files its own checks consist of, what its own `protected` names, and,
unless a pattern names them outright, files that act on every test (a conftest, a start-up file, compiled code, a module
under the name of another): "tests/**" asks for tests, not for a new judge of them.
"""

import re
import shlex
import sys
from collections.abc import Sequence

from reeve.globs import matches, matching
from reeve.records import Change, Runner, Task

__all__ = [
    "ACTS_ON_EVERY_TEST",
    "ALWAYS",
    "declared",
    "globs_of",
    "protected_changes",
    "shadows",
]

ALWAYS: tuple[str, ...] = (
    # tests and their data
    "**/tests",
    "/test",
    "/testing",
    "src/test",
    "**/test_*.py",
    "**/*_test.py",
    "**/tests.py",
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
    "**/*._pth",
    "**/pyvenv.cfg",
    "**/.env",
    "**/*.pyc",
    "**/*.pyo",
    "**/*.pyd",
    "**/*.so",
    "**/*.dylib",
    "**/*.egg-info",
    "**/*.dist-info",
    "**/__pycache__",
    "**/.pytest_cache",
    "**/.hypothesis",
    # what runs of tests leave behind
    "**/.coverage",
    "**/.coverage.*",
    "**/junit*.xml",
    # lock files
    "**/*.lock",
    "**/requirements*.txt",
    "**/*-requirements.txt",
    "requirements/**",
    "**/package-lock.json",
    "**/pnpm-lock.yaml",
    "**/go.sum",
    # what agents are told
    "**/house-rules.md",
    "**/AGENTS*.md",
    "**/CLAUDE*.md",
    "**/GEMINI.md",
    "**/.claude",
    "**/.codex",
    "**/.gemini",
    "**/.opencode",
    "**/opencode.json*",
    "**/.mcp.json",
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
"""Patterns of `reeve.globs`."""

ACTS_ON_EVERY_TEST: tuple[str, ...] = (
    "conftest.py",
    "sitecustomize.py",
    "usercustomize.py",
    "*.pth",
    "*._pth",
    "*.pyc",
    "*.pyo",
    "*.pyd",
    "*.so",
    "*.dylib",
    "*.egg-info",
    "*.dist-info",
    "pyvenv.cfg",
)
"""What a task must name outright to declare it."""

RUNNER_MODULES = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "py", "unittest", "doctest", "coverage")
"""What a run of tests is made of."""

TEST_LIBRARIES = (
    "aiohttp", "anyio", "assertpy", "asynctest", "attr", "attrs", "ddt", "dirty_equals", "exceptiongroup",
    "execnet", "expects", "factory", "faker", "flexmock", "freezegun", "hamcrest", "httpx", "hypothesis",
    "hypothesmith", "mock", "moto", "nose", "nose2", "numpy", "pandas", "parameterized", "pretend",
    "pyfakefs", "pytest_asyncio", "pytest_mock", "requests", "requests_mock", "respx", "responses", "scipy",
    "sure", "testfixtures", "testtools", "time_machine", "tomli", "trio", "tzdata", "typing_extensions",
    "vcr", "xdist", "yaml",
)  # fmt: skip
"""What tests often import from elsewhere, and would take from the tree if a file of that name were there."""

SHADOWED = frozenset((*RUNNER_MODULES, *TEST_LIBRARIES, *sys.stdlib_module_names)) - {"test", "this", "antigravity"}
"""Modules that a new file at an import root must not shadow; existing ones are ordinary code."""

IMPORT_ROOTS = ("", "src/", "lib/")

TEST_FOLDERS = ("test", "tests", "testing", "spec", "specs")
"""Names (in any case) of a folder that is protected as a whole when a required or hidden test lies in it."""

STARTS = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "tox": ("tox.ini",),
    "nox": ("noxfile.py",),
    "rake": ("Rakefile",),
    "mypy": ("mypy.ini", ".mypy.ini"),
    "pyright": ("pyrightconfig.json",),
    "ruff": ("ruff.toml", ".ruff.toml"),
    "flake8": (".flake8",),
    "pylint": (".pylintrc", "pylintrc"),
    "tsc": ("tsconfig*.json",),
    "eslint": (".eslintrc*", "eslint.config.*"),
}
"""Files that a command reads without naming them."""


INTERPRETERS = r"(?:ba|da|z|k)?sh|python[\d.]*|node|deno|bun|perl|ruby|php|env|time|nice|timeout|exec"
"""Programs whose first word is again something that is run."""


def globs_of(task: Task) -> tuple[str, ...]:
    """List every protected glob of a task: the ones above, its own, and the files its checks consist of."""
    return tuple(dict.fromkeys((*ALWAYS, *_always_of(task), *_folders_of_tests(task))))


def declared(task: Task, path: str) -> bool:
    """Say whether a task asks for changes of a protected path; never of a file that its own checks consist of."""
    return _declared(task, matching(task.may_change), matching(_always_of(task)), path)


def protected_changes(task: Task, changes: Sequence[Change]) -> tuple[str, ...]:
    """List the changed paths of a patch that have to be put back, in their order."""
    protected, may_change, always = matching(globs_of(task)), matching(task.may_change), matching(_always_of(task))
    return tuple(
        change.path
        for change in changes
        if (protected.fullmatch(change.path) or (change.kind == "added" and shadows(task, change.path)))
        and not _declared(task, may_change, always, change.path)
    )


def shadows(task: Task, path: str) -> bool:
    """Say whether a new file would be imported in place of a module of the runner, the language or a test library.

    Import roots are the top of the tree, `src` and `lib`; beside a required test, where there may be a package, only
    the modules of the runner count.
    """
    root = next((each for each in IMPORT_ROOTS[1:] if path.startswith(each)), "")
    if _module(path.removeprefix(root)) in SHADOWED:
        return True
    folders = {identifier.split("::", 1)[0].rpartition("/")[0] for identifier in task.checks.required}
    beside = (path.removeprefix(f"{folder}/") for folder in folders if folder and path.startswith(f"{folder}/"))
    return any(_module(each) in RUNNER_MODULES for each in beside)


def _module(path: str) -> str:
    """Name the top-level module that a path (from an import root) makes; a bare name may be a link to a folder."""
    folder, _, name = path.partition("/")
    if name:
        return folder if name.startswith("__init__.") else ""
    stem, _, suffix = folder.partition(".")
    return stem if suffix in ("", "py", "pyi", "pyw", "zip") else ""


def _declared(task: Task, may_change: re.Pattern[str], always: re.Pattern[str], path: str) -> bool:
    if not may_change.fullmatch(path) or always.fullmatch(path):
        return False
    parts = path.split("/")
    acting = [part for part in parts if any(matches(part, glob) for glob in ACTS_ON_EVERY_TEST)]
    if not acting and not shadows(task, path):
        return True
    # A pattern names such a file by its last part, up to its suffix: "**/conftest.py", "vendor/*.so".
    named = [glob.rstrip("/").rsplit("/", 1)[-1] for glob in task.may_change if matches(path, glob)]
    return any(each in (*acting, parts[-1]) or each in ACTS_ON_EVERY_TEST for each in named)


def _always_of(task: Task) -> tuple[str, ...]:
    """List what stays protected whatever a task declares: the files of its own checks, and what it protects itself."""
    found = list(task.protected)
    found += [_literal(path) for path in _test_files(task)]
    if task.checks.report:
        found.append(task.checks.report)
    for command in (task.checks.test_command, *(check.command for check in task.checks.commands)):
        found += _files_of_command(command or "")
    return tuple(glob for glob in found if glob)


def _test_files(task: Task) -> list[str]:
    pytest = task.checks.runner is Runner.PYTEST
    required = [identifier.split("::", 1)[0] for identifier in task.checks.required] if pytest else []
    return [*required, *(file.path for file in task.checks.hidden), *_paths_of_diff(task.checks.test_patch or "")]


def _folders_of_tests(task: Task) -> list[str]:
    """Helpers of the tests lie beside them: `Tests/`, `pkg/test/`, `spec/`."""
    found = []
    for path in _test_files(task):
        folders = path.removeprefix("./").split("/")[:-1]
        at = next((at for at, folder in enumerate(folders) if folder.lower() in TEST_FOLDERS), None)
        found += [_literal("/".join(folders[: at + 1]))] if at is not None else []
    return found


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
