"""A small project with a backlog for the command agent: every task corrects one file of its own."""

import subprocess
import sys
from pathlib import Path

REEVE = [sys.executable, "-m", "reeve.cli.main"]

SETTINGS = """\
land = "passed"
workers = 2
attempts = 2
parallel_attempts = 1
default_agents = ["sed"]

[agents.sed]
kind = "command"
command = "echo one >> runs-of-$REEVE_ATTEMPT; sed -i s/wrong/right/ \\"$(head -n 1 $REEVE_INSTRUCTION_FILE)\\"; rm runs-of-*"
"""

TASK = """\
---
id: {name}
checks:
  commands: ["grep -q right {name}.txt"]
---
{name}.txt
"""


def git(repo, *arguments):
    """Run git in a repository and return what it printed."""
    return subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def make_project(folder: Path, count: int) -> Path:
    """Make a repository with `count` wrong files and one task for each."""
    repo = folder / "project"
    (repo / "backlog").mkdir(parents=True)
    git(repo, "init", "-q", "-b", "main")
    (repo / "reeve.toml").write_text(SETTINGS)
    for number in range(count):
        name = f"t{number:02}"
        (repo / f"{name}.txt").write_text("wrong\n")
        (repo / "backlog" / f"{name}.md").write_text(TASK.format(name=name))
    git(repo, "add", ".")
    git(repo, "-c", "user.name=P", "-c", "user.email=p@x", "commit", "-q", "-m", "first")
    return repo


def landed(repo: Path) -> list[str]:
    """Name the tasks of the commits on the integration branch, oldest first."""
    return git(
        repo, "log", "--reverse", "--format=%(trailers:key=Task,valueonly,separator=%x20)", "main..reeve/landed"
    ).split()


def leftovers(state: Path) -> list[str]:
    """Name processes that work below a folder, mounts of it, and workspaces in it."""
    found = [f"workspace {path.name}" for path in (state / "attempts").glob("*")]
    text = str(state)
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if text in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            mounts = (process / "mountinfo").read_text()
        except OSError:
            continue
        if text in command or text in mounts:
            found.append(f"process {process.name}: {command}")
    return found
