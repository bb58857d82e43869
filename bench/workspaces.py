"""Making and removing a workspace of a 20,000-file repository, against `git worktree add` and `remove`, in one run.

Both sides start from a repository on disk whose base is known: `git worktree add --detach` + `git worktree remove`
against opening a workspace of that tree and dropping it again. The base folder is made once per commit; its cost
is printed too, and not part of the ratio. Ours is timed with one file edited in the upper layer, so that dropping
has something to do. Cold rounds drop the page cache first, where the machine lets us. Our mount
is made when a sandbox starts, so a third row starts one on top (and runs `true` in it), which git need not do.
"""

import argparse
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

from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox
from reeve.adapters.trees.objects import GitObjects
from reeve.adapters.trees.overlay import OverlayTrees
from reeve.records import Limits, SandboxRun

FILES = 20_000
BAR = 100.0


def make_repository(folder: Path, files: int) -> None:
    """Make a repository of small files in folders of a hundred."""
    for number in range(files):
        path = folder / f"package{number // 100:03}" / f"module{number:05}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n" + "".join(f"def f{line}(x): return x + {line}\n" for line in range(20)))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=B", "-c", "user.email=b@x", "commit", "-q", "-m", "base")


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True)


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of some work, with its child processes."""
    before, began = _cpu(), time.perf_counter()
    work()
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def drop_caches() -> bool:
    """Forget what the kernel has read; says whether that was allowed."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True


def worktree(repo: Path, at: Path) -> None:
    git(repo, "worktree", "add", "-q", "--detach", str(at))
    git(repo, "worktree", "remove", "--force", str(at))


def ours(trees: OverlayTrees, tree: str) -> None:
    workspace = trees.open(tree, "bench.1")
    (Path(workspace.upper) / "README").write_text("edited\n")
    trees.drop(workspace)


def ours_in_use(trees: OverlayTrees, sandbox: BubblewrapSandbox, tree: str, out: Path) -> None:
    workspace = trees.open(tree, "bench.2")
    sandbox.run(SandboxRun(("true",), workspace, Limits(), 60.0, str(out)))
    trees.drop(workspace)


def measure(folder: Path, files: int, rounds: int) -> dict[str, object]:
    """Alternate both sides, warm and cold, so that a noisy neighbour hits both."""
    repo = folder / "repo"
    repo.mkdir()
    make_repository(repo, files)
    objects = GitObjects(folder / "state" / "objects.git")
    trees = OverlayTrees(folder / "state", objects)
    tree, once = "", {}
    began = time.perf_counter()
    tree = objects.import_base(repo, "HEAD").tree
    once["import"] = time.perf_counter() - began
    began = time.perf_counter()
    trees.checkout(tree)
    once["base folder"] = time.perf_counter() - began
    os.sync()  # what making the repository left to write must not be paid for by either side
    found: dict[str, dict[str, list[tuple[float, float]]]] = {"warm": {"git": [], "reeve": []}}
    for state in ("warm", "cold"):
        for _ in range(rounds):
            if state == "cold" and not drop_caches():
                break
            sides = found.setdefault(state, {"git": [], "reeve": []})
            sides["reeve"].append(spent(lambda: ours(trees, tree)))
            if state == "cold":
                drop_caches()
            sides["git"].append(spent(lambda: worktree(repo, folder / "worktree")))
    sandbox = BubblewrapSandbox()
    if not sandbox.available():
        used = [spent(lambda: ours_in_use(trees, sandbox, tree, folder / "out")) for _ in range(rounds)]
        found["used"] = {"git": found["warm"]["git"], "reeve": used}
    rows = {state: _row(sides) for state, sides in found.items()}
    return {"files": files, "rounds": rounds, "once_seconds": {k: round(v, 2) for k, v in once.items()}, **rows}


def _row(sides: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    row = {}
    for index, what in enumerate(("wall", "cpu")):
        git_seconds, own = (statistics.median(pair[index] for pair in sides[side]) for side in ("git", "reeve"))
        row |= {
            f"git_{what}_ms": round(git_seconds * 1000, 1),
            f"reeve_{what}_ms": round(own * 1000, 2),
            f"{what}_ratio": round(git_seconds / own, 1),
        }
    return row


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as folder:
        found = measure(Path(folder), options.files, options.rounds)
    print(f"{'':6}{'git worktree':>16}{'reeve':>12}{'ratio':>9}   ({options.files} files, median of {options.rounds})")
    for state, missing in (("warm", ""), ("cold", "the page cache cannot be dropped"), ("used", "no sandbox")):
        row = found.get(state)
        if not isinstance(row, dict):
            print(f"{state}: not measured here, {missing}")
            continue
        for what in ("wall", "cpu"):
            ratio = row[f"{what}_ratio"]
            print(f"{state} {what:5}{row[f'git_{what}_ms']:>11.1f} ms{row[f'reeve_{what}_ms']:>9.2f} ms{ratio:>8.0f}x")
    print(f"once per commit, in seconds: {found['once_seconds']}")
    print(f"bar: at least {BAR:.0f} x, in wall time")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
