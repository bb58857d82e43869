"""From `reeve stop` to the last process gone: an attempt with a tree of processes that ignore what they are asked.

Wall time, as a person waits for it: from the call that the command makes until no process of the attempt is left.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from reeve import flow
from reeve.cli.start import open_world
from reeve.durable.stopping import running, stop
from reeve.durable.world import World
from reeve.errors import ReeveError
from reeve.records import Checks, CommandCheck, RepoSource, Task
from reeve.settings import read_settings

SETTINGS = """\
land = "passed"
workers = 1
parallel_attempts = 1

[agents.stubborn]
kind = "command"
command = "trap '' TERM INT HUP; for n in 1 2 3 4 5 6 7 8; do (trap '' TERM; setsid sleep 4321) & done; echo begun; sleep 4321"
"""


def begun(world: World, attempt: str) -> bool:
    output = world.state / "attempts" / attempt / "output"
    return running(world, attempt) and output.exists() and b"begun" in output.read_bytes()


def left(state: Path) -> int:
    """Count the processes that name a state folder, or that see it among their mounts."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = os.fsencode(state) in (process / "cmdline").read_bytes()
            count += named or str(state) in (process / "mountinfo").read_text()
        except OSError:
            continue
    return count


def one_round(world: World, number: int) -> float:
    name = f"stop{number}"
    checks = Checks(commands=(CommandCheck("false"),))
    task = Task(
        name,
        "Never end.",
        RepoSource(path=str(Path.cwd())),
        checks=checks,
        attempts=1,
        agents=("stubborn",),
        digest=name,
    )
    flow.steps.admit(world, task)
    loop = threading.Thread(target=_settle, args=(world, task), daemon=True)
    loop.start()
    while not begun(world, f"{name}.1"):
        time.sleep(0.01)
    at = time.monotonic()
    stop(world, f"{name}.1", "measured")
    while left(world.state):
        time.sleep(0.005)
    took = time.monotonic() - at
    world.stop.set()
    loop.join()
    world.stop.clear()
    return took


def _settle(world: World, task: Task) -> None:
    try:
        flow.settle(world, task)
    except ReeveError:
        return  # it was told to end


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    back = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as folder:
        repo = Path(folder)
        (repo / "reeve.toml").write_text(SETTINGS)
        git = ["git", "-C", folder]
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "-c", "user.name=B", "-c", "user.email=b@x", "commit", "-q", "-m", "base"], check=True)
        os.chdir(folder)
        try:
            world = open_world(read_settings(repo, os.environ))
            seconds = [one_round(world, number) for number in range(options.rounds)]
        finally:
            os.chdir(back)
    found = {
        "rounds": options.rounds,
        "median_seconds": round(statistics.median(seconds), 3),
        "max_seconds": round(max(seconds), 3),
    }
    print(
        f"stop to last process gone: median {found['median_seconds']} s, longest {found['max_seconds']} s of {options.rounds}"
    )
    print("bar: under 2 s")
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
