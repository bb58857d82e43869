"""Drill tasks from a repository's own past: a commit that changed source and tests is asked for once more.

An attempt starts from the parent of the commit, is given its message and sees nothing later; the tests of the commit
are laid over its result. Everything here is decided from what git says of a commit; whether the tests fail before it
and pass after it, the caller has to prove by running them.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reeve.records import Checks, KnownAnswer, Measurement, RepoSource, Task, TestOutcome
from reeve.task.build import Defaults, sealed
from reeve.task.readers import make_id

__all__ = [
    "MINUTES_PER_LINE",
    "Commit",
    "FileChange",
    "Turned",
    "estimated_minutes",
    "for_agent",
    "is_source",
    "is_test",
    "mined_task",
    "passed_over",
    "turned",
    "wording",
]

MOST_FILES = 20
MOST_SOURCE_LINES = 400
FEWEST_WORDS = 3

MINUTES_PER_LINE = 2.0
"""Of a person, for each added or removed line of source that the commit has.

A rough rule: engineers judged most of the 500 instances of SWE-bench Verified at under 15 minutes (39 %) or 15 minutes
to an hour (52 %), and more than 100 lines at over four hours. It orders tasks; it measures no one of them.
"""

FEWEST_MINUTES = 2.0

TEST_FOLDERS = ("test", "tests", "testing", "spec", "specs")
BESIDE = ("doc", "docs", "example", "examples", "benchmark", "benchmarks", "bench", "scripts", "tools", "ci")
"""Folders whose Python is not what the tests of a project are about."""

TRAILER = re.compile(
    r"(?i)(?:signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|change-id|pull-request|git-svn-id):.*"
    r"|\(cherry picked from commit .*\)"
)
GOOD = (TestOutcome.PASSED, TestOutcome.XPASSED)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path of a commit; `kind` is a letter of git's: A added, M modified, D deleted, R renamed, T another type."""

    path: str
    kind: str
    lines: int = 0  # added and removed
    binary: bool = False
    before: str = ""  # its path before, where it was renamed


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit against its first parent."""

    id: str
    parents: tuple[str, ...]
    at_utc: int
    message: str
    changes: tuple[FileChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Turned:
    """What tests do before and after a commit, by two runs of each.

    `turned` did not pass before and pass after, `kept` pass both times, `flaky` disagreed with themselves.
    """

    turned: tuple[str, ...]
    kept: tuple[str, ...]
    flaky: tuple[str, ...]


def is_test(path: str) -> bool:
    """Say whether a path belongs to the tests: by its name, or by a folder above it."""
    *folders, name = path.split("/")
    if any(folder.lower() in TEST_FOLDERS for folder in folders):
        return True
    return re.fullmatch(r"test_.*\.py|.*_test\.py|tests?\.py|conftest\.py", name) is not None


def is_source(path: str) -> bool:
    """Say whether a path is Python that the tests are about."""
    *folders, name = path.split("/")
    beside = any(folder.lower() in BESIDE or folder.startswith(".") for folder in folders[:1])
    if not name.endswith(".py") or is_test(path) or beside:
        return False
    return name not in ("setup.py", "noxfile.py", "fabfile.py", "versioneer.py")


def passed_over(commit: Commit) -> str:
    """Say in a few words why no task can be made of a commit; "": it is a candidate."""
    if len(commit.parents) > 1:
        return "merge commits"
    if not commit.parents:
        return "with nothing before it: the first commit, or where a shallow clone ends"
    if any(change.binary for change in commit.changes):
        return "with binary files"
    tests = [change for change in commit.changes if is_test(change.path) and change.kind != "D"]
    source = [change for change in commit.changes if is_source(change.path)]
    if not source:
        return "without source"
    if not any(change.path.endswith(".py") for change in tests):
        return "without tests"
    if any(change.kind == "R" for change in source):
        return "that rename source files"
    if len(commit.changes) > MOST_FILES or sum(change.lines for change in source) > MOST_SOURCE_LINES:
        return f"of more than {MOST_FILES} files or {MOST_SOURCE_LINES} lines of source"
    if len(re.findall(r"\w+", wording(commit.message))) < FEWEST_WORDS:
        return f"whose message has fewer than {FEWEST_WORDS} words"
    return ""


def wording(message: str) -> str:
    """Give a commit message as an instruction: without trailers, which are about people."""
    lines = [line.rstrip() for line in message.replace("\0", "").splitlines()]
    kept = [line for line in lines if not TRAILER.fullmatch(line.strip())]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def estimated_minutes(lines: int) -> float:
    """Estimate a person's minutes from the size of the reference patch, in lines of source added and removed."""
    return max(FEWEST_MINUTES, MINUTES_PER_LINE * lines)


def turned(before: Measurement, after: Measurement) -> Turned:
    """Compare what tests did before and after; one that disagreed with itself in either is flaky, and in no other."""
    flaky = {*before.flaky, *after.flaky}
    passing = sorted(name for name, outcome in after.tests.items() if outcome in GOOD and name not in flaky)
    kept = tuple(name for name in passing if before.tests.get(name) in GOOD)
    return Turned(tuple(name for name in passing if name not in set(kept)), kept, tuple(sorted(flaky)))


def mined_task(commit: Commit, required: Sequence[str], test_patch: str, lines: int, defaults: Defaults) -> Task:
    """Make the task of a commit; `lines` are those of its source.

    Its id and text say nothing of what it is for: an attempt sees an ordinary task.
    """
    instruction = wording(commit.message)
    words = make_id(instruction.splitlines()[0])[:40].rstrip("-_").lower()
    task = Task(
        id=f"{words}-{_mark(commit.id)}",
        instruction=instruction,
        repo=RepoSource(path=str(defaults.repo)),
        base=commit.parents[0],
        checks=Checks(required=tuple(required), test_patch=test_patch),
        protected=defaults.protected,
        attempts=1,
        limits=defaults.limits,
        human_minutes=estimated_minutes(lines),
        setup=defaults.setup,
        env=dict(defaults.env),
        known_answer=KnownAnswer.MINED,
        source=f"commit {commit.id[:10]}",
    )
    return sealed(task, defaults.root)


def for_agent(task: Task, agent: str, version: str, root: Path) -> Task:
    """Give a drill task to one version of an agent, under an id of its own: another version is drilled anew."""
    mark = hashlib.sha256(f"{task.id}\0{agent}\0{version}".encode()).hexdigest()[:6]
    return sealed(replace(task, id=f"{task.id}-{mark}", agents=(agent,), attempts=1), root)


def _mark(commit: str) -> str:
    # Not the commit's own id: by that an attempt with a way out could look up what it is asked for.
    return hashlib.sha256(f"drill {commit}".encode()).hexdigest()[:8]
