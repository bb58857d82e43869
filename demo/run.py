"""The demo: real packages, real bugs, the embedded agent; `make demo`.

Builds the repositories and the backlog into ./demo-run (made anew every time), then calls the `reeve` command beside
this interpreter as a person would. Exits 0 if at least half of the tasks landed and the ledger accounts for all the
others (each failed or needs a person, with its reason); 1 if not. What `reeve run` exits with is shown, not used:
it is not 0 here, since some tasks are too hard for this agent and one has no checks.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import build

ROOT = build.HERE.parent
DEST = ROOT / "demo-run"
REEVE = Path(sys.executable).with_name("reeve")
REPORT = "report.html"
# Exit codes of `reeve run` that say how the tasks ended; any other says that the run itself could not be done.
FINISHED = (0, 1, 3)
ENDED = ("landed", "failed", "needs-you")


def main() -> int:
    """Runs the demo's stages in order; 0 if the demo worked, 1 if it did not."""
    started = time.monotonic()
    _say(1, f"building real repositories and a backlog in {DEST.name}/")
    shutil.rmtree(DEST, ignore_errors=True)
    if build.main([str(DEST)]) != 0:
        return 1
    _say(2, "reeve run backlog")
    run_exit = reeve("run", "backlog")
    if run_exit not in FINISHED:
        print(f"demo: reeve run stopped with exit {run_exit}; what it printed says why", file=sys.stderr)
        return 1
    _say(3, f"reeve status   (reeve run took {time.monotonic() - started:.0f} s with the building, exit {run_exit})")
    reeve("status")
    _say(4, f"reeve report -o {REPORT}")
    reeve("report", "-o", REPORT)
    shown = subprocess.run([REEVE, "status", "--json"], cwd=DEST, capture_output=True, text=True, check=False)
    try:
        tasks = json.loads(shown.stdout)["tasks"]
    except (ValueError, KeyError):
        print(f"demo: reeve status --json did not answer: {shown.stderr.strip()}", file=sys.stderr)
        return 1
    expected = len(list((DEST / "backlog").glob("*.md")))
    problems = shortcomings(tasks, expected)
    _say(5, "to look further")
    print(further(tasks))
    print(f"\nThe page: {DEST / REPORT}")
    print("The deck: http://127.0.0.1:7333, served by `reeve serve` in that folder, which prints it with its key")
    print(f"{sum(map(has_landed, tasks))} of {expected} tasks landed; {time.monotonic() - started:.0f} s in all.")
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    return 1 if problems else 0


def reeve(*arguments: str) -> int:
    """Runs one reeve command in the demo's folder on this terminal and returns its exit status."""
    return subprocess.run([REEVE, *arguments], cwd=DEST, check=False).returncode


def has_landed(task: dict) -> bool:
    """Whether a task of `reeve status --json` landed."""
    return task["status"] == "landed"


def shortcomings(tasks: list[dict], expected: int) -> list[str]:
    """What keeps the demo from having worked: one sentence each, none if it has."""
    wrong = []
    if len(tasks) != expected:
        wrong.append(f"the ledger knows {len(tasks)} of {expected} tasks")
    if 2 * sum(map(has_landed, tasks)) < expected:
        wrong.append("fewer than half of the tasks landed")
    if all(task["status"] != "needs-you" for task in tasks):
        wrong.append("no task needs a person, although one has no checks")
    wrong += [f"{task['id']} is still {task['status']!r}" for task in tasks if task["status"] not in ENDED]
    wrong += [
        f"{task['id']} is {task['status']!r} without a reason"
        for task in tasks
        if not has_landed(task) and not task.get("reason")
    ]
    return wrong


def further(tasks: list[dict]) -> str:
    """The commands to look further, ready to paste, for a task that landed and one that did not."""
    landed = next((task["id"] for task in tasks if has_landed(task)), None)
    other = next((task["id"] for task in tasks if task["status"] == "failed"), None)
    command = REEVE.relative_to(ROOT) if REEVE.is_relative_to(ROOT) else REEVE
    lines = [
        f"cd {DEST}",
        f"alias reeve={ROOT / command}",
        "reeve inbox                 # what needs you, and why",
        "reeve serve                 # all of it in a browser",
    ]
    if landed:
        package = landed.partition("-")[0]
        lines += [
            f"reeve show {landed}",
            f"reeve diff {landed}",
            f"git -C repos/{package} log --stat main..reeve/landed",
        ]
    if other:
        lines += [f"reeve log {other}"]
    return "\n".join(f"    {line}" for line in lines)


def _say(stage: int, text: str) -> None:
    print(f"\n[{stage}/5] {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
