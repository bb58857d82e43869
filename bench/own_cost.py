"""reeve's own cost of one attempt, as CPU time against the bare floor, in one run.

The floor: open a workspace of a 2,000-file repository, run `true` in the same sandbox, take the patch, drop the
workspace. Against it, the whole loop with a no-op agent and a no-op check, from task to decision; and, as a second
row, with an agent that changes one line and a check that notices, from task to the landed commit, which has to run
the sandbox twice (attempt and check). Rounds alternate, so that a noisy neighbour hits both sides.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reeve import flow
from reeve.cli.start import open_world
from reeve.durable.world import World
from reeve.records import Checks, CommandCheck, Limits, RepoSource, SandboxRun, Task
from reeve.settings import read_settings

FILES = 2000
PR_SET_CHILD_SUBREAPER = 36
SETTINGS = """\
land = "passed"
workers = 1
parallel_attempts = 1

[agents.idle]
kind = "command"
command = "true"

[agents.writer]
kind = "command"
command = "echo right > \\"$(cat $REEVE_INSTRUCTION_FILE)\\""
"""


def make_repository(folder: Path, files: int, settings: str = SETTINGS) -> None:
    """Make a repository of small files in folders of fifty."""
    for number in range(files):
        path = folder / f"d{number // 50:03}" / f"f{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line of file {number}\n" * 20)
    (folder / "reeve.toml").write_text(settings)
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "-c", "user.name=B", "-c", "user.email=b@x", "commit", "-q", "-m", "base"], check=True)


def task(name: str, agent: str, path: str, command: str) -> Task:
    """Make a task with one command as its check."""
    checks = Checks(commands=(CommandCheck(command),))
    repo = RepoSource(path=str(Path.cwd()))
    return Task(name, path, repo, checks=checks, attempts=1, agents=(agent,), digest=name)


def cpu(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of some work, with all its children, detached ones too."""
    before, began = used(), time.monotonic()
    work()
    wall = time.monotonic() - began
    _reap()
    return used() - before, wall


def used() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _reap() -> None:
    """Take the detached runners that the kernel gave us when their starter ended."""
    while True:
        try:
            if os.waitpid(-1, 0)[0] == 0:
                return
        except ChildProcessError:
            return


def floor(world: World, tree: str, name: str, scratch: Path) -> None:
    """The least that an attempt can cost."""
    workspace = world.trees.open(tree, name)
    run = SandboxRun(("true",), workspace, Limits(), 60.0, str(scratch / "out"))
    world.sandbox.run(run)
    world.trees.capture(workspace, tree)
    world.trees.drop(workspace)


def measure(rounds: int) -> dict[str, object]:
    """Run all three in turn and return medians and ratios."""
    world = open_world(read_settings(Path.cwd(), os.environ))
    scratch = Path(tempfile.mkdtemp(prefix="own-cost-"))
    first = task("warm", "idle", "d000/f00000.txt", "false")
    flow.run(world, [first])
    tree = world.objects.import_base(Path.cwd(), "HEAD").tree
    rows: dict[str, list[tuple[float, float]]] = {"floor": [], "no-op attempt": [], "landed one-line change": []}
    for number in range(rounds):
        rows["floor"].append(cpu(lambda number=number: floor(world, tree, f"floor-{number}", scratch)))
        idle = task(f"idle{number}", "idle", "d000/f00000.txt", "false")
        rows["no-op attempt"].append(cpu(lambda idle=idle: settle(world, idle)))
        path = f"d{number:03}/f{number * 50:05}.txt"
        writer = task(f"writer{number}", "writer", path, f"grep -qx right {path}")
        rows["landed one-line change"].append(cpu(lambda writer=writer: settle(world, writer)))
    medians = {name: statistics.median(cpu for cpu, _ in values) for name, values in rows.items()}
    return {
        "rounds": rounds,
        "files": FILES,
        "cpu_ms": {name: round(value * 1000, 1) for name, value in medians.items()},
        "wall_ms": {
            name: round(statistics.median(wall for _, wall in values) * 1000, 1) for name, values in rows.items()
        },
        "ratio": {name: round(value / medians["floor"], 2) for name, value in medians.items()},
    }


def settle(world: World, work: Task) -> None:
    """One task through the loop, as `reeve run` does it for each of many."""
    flow.steps.admit(world, work)
    flow.settle(world, work)


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    back = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as folder:
        make_repository(Path(folder), FILES)
        os.chdir(folder)
        try:
            found = measure(options.rounds)
        finally:
            os.chdir(back)
    print(f"{'':26}{'CPU ms':>9}{'wall ms':>9}{'x floor':>9}   ({FILES} files, median of {found['rounds']})")
    for name, value in found["cpu_ms"].items():
        print(f"{name:26}{value:9}{found['wall_ms'][name]:9}{found['ratio'][name]:9}")
    print("bar: the no-op attempt at most 1.5 x the floor")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
