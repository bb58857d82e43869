"""What a full verdict costs, of this state of reeve's code and of an earlier one, in one run and patch by patch.

Every honest patch gets a verdict by both, one right after the other, in turns first; each also runs the same tests
plainly, and the mean of these two runs is what both are divided by. Three counts are given. "all processes": all that
reeve's process and its children spent for the verdict, divided by the plain pytest alone, which is the hardest way to
count. "in the sandbox": what ran in the sandbox, divided by the same. "like with like": all processes for the verdict
divided by all processes for the plain run, which has walls and a workspace too. A verdict of which a part was known
already, because another patch leaves the same tree, is no full verdict and does not count.

    python -m bench.verifier.cost --before SRC [--only PACKAGE ...] [--patches N] [--record FILE]

SRC is the folder `src` of the earlier state, as `git archive COMMIT src` gives it.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import reeve
from bench.__main__ import machine
from bench.verifier import __main__ as corpora
from bench.verifier.case import Made
from bench.verifier.measure import Group, groups, measure_one, task_of
from bench.verifier.measure import digest_of_code as digest
from bench.verifier.place import Place, begin_worker
from reeve.durable import steps
from reeve.records import Outcome

HERE = Path(__file__).resolve().parents[2]
STATES = ("before", "now")


def main() -> int:
    options = _options()
    if options.serve:
        return _serve(Path(options.serve), options)
    work = list(_work(options))
    with tempfile.TemporaryDirectory(prefix="reeve-cost-") as folder:
        sources = {"before": options.before.resolve(), "now": Path(reeve.__file__).resolve().parents[1]}
        workers = {state: _worker(sources[state], Path(folder) / state) for state in STATES}
        pairs = list(_pairs(workers, work))
        for worker in workers.values():
            worker.stdin.close()
            worker.wait()
    found = {"command": shlex.join(["python", "-m", "bench.verifier.cost", *sys.argv[1:]]), "machine": machine()}
    found |= _figures(pairs)
    print(json.dumps({name: value for name, value in found.items() if name != "pairs"}, indent=1))
    if options.record:
        options.record.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, metavar="SRC", help="the earlier state")
    parser.add_argument("--only", nargs="+", default=["cachetools", "parse"], metavar="PACKAGE")
    parser.add_argument("--patches", type=int, default=6, metavar="N", help="honest patches of each case (default: 6)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--work", type=Path, default=corpora.WORK, metavar="FOLDER", help="where the corpora are")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def _work(options: argparse.Namespace) -> Iterator[tuple[Group, Made]]:
    """List the patches: without hidden tests, the same for every state."""
    packages, setup = corpora.described()
    chosen = [package for package in packages if package.name in options.only]
    for cases, patches, _ in corpora.made(options.work.resolve(), chosen, setup, 1).values():
        honest = [one for one in patches if one.corpus == "honest"]
        for group in groups(cases, honest, [False]):
            yield from ((group, one) for one in group.made[: options.patches])


def _worker(source: Path, folder: Path) -> Any:
    """Start a process that gives verdicts with the code of one state."""
    argv = [sys.executable, "-m", "bench.verifier.cost", *sys.argv[1:], "--serve", str(folder)]
    env = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{HERE}"}
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


def _serve(folder: Path, options: argparse.Namespace) -> int:
    """Give a verdict for each number that is read."""
    begin_worker()
    place, work = Place(folder, corpora.described()[1]), list(_work(options))
    begun: set[str] = set()
    for line in sys.stdin:
        group, one = work[int(line)]
        task = task_of(place, group)
        if task.id not in begun:
            begun.add(task.id)
            steps.start_fresh(place.world, task)
        row = measure_one(place, group, task, one)
        said = {
            "state": digest(), "name": one.name, "package": row.package, "outcome": row.outcome,
            "cpu_seconds": row.cpu_seconds, "sandbox_cpu_seconds": row.verdict_cpu_seconds,
            "plain_cpu_seconds": row.plain_cpu_seconds, "plain_all_cpu_seconds": row.plain_all_cpu_seconds,
            "wall_seconds": row.wall_seconds, "defects": row.strength,
        }  # fmt: skip
        print(json.dumps(said), flush=True)
    return 0


def _pairs(workers: dict[str, Any], work: Sequence[tuple[Group, Made]]) -> Iterator[dict[str, Any]]:
    """Ask both for each patch, in turns first; the first patch of all warms both up and is not counted."""
    for number in [0, *range(len(work))]:
        pair = {}
        for state in STATES if number % 2 else STATES[::-1]:
            workers[state].stdin.write(f"{number}\n")
            workers[state].stdin.flush()
            pair[state] = json.loads(workers[state].stdout.readline())
        print(f"\r{number + 1} of {len(work)}", end="", file=sys.stderr, flush=True)
        if number and all(_is_whole(pair[state]) for state in STATES):
            yield pair


def _is_whole(row: dict[str, Any]) -> bool:
    """Say whether a verdict passed and was made from nothing: what is kept costs nobody what it says that it cost."""
    return row["outcome"] == Outcome.PASSED and row["cpu_seconds"] > row["sandbox_cpu_seconds"]


def _figures(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"patches": len(pairs)}
    plain = [statistics.mean(pair[state]["plain_cpu_seconds"] for state in STATES) for pair in pairs]
    plain_all = [statistics.mean(pair[state]["plain_all_cpu_seconds"] for state in STATES) for pair in pairs]
    for state in STATES:
        rows = [pair[state] for pair in pairs]
        own = [row["cpu_seconds"] - row["sandbox_cpu_seconds"] for row in rows]
        found[state] = {
            "code": rows[0]["state"],
            "verdict / plain run, all processes, median": _median(
                row["cpu_seconds"] / each for row, each in zip(rows, plain, strict=True)
            ),
            "verdict / plain run, in the sandbox, median": _median(
                row["sandbox_cpu_seconds"] / each for row, each in zip(rows, plain, strict=True)
            ),
            "verdict / plain run, like with like, median": _median(
                row["cpu_seconds"] / each for row, each in zip(rows, plain_all, strict=True)
            ),
            "CPU seconds of reeve's own processes, median": _median(own),
            "CPU seconds in the sandbox, median": _median(row["sandbox_cpu_seconds"] for row in rows),
            "injected defects that were tried, mean": round(
                statistics.mean(row["defects"][1] for row in rows if row["defects"]), 2
            ),
            "per package, all processes": {
                name: _median(
                    row["cpu_seconds"] / each for row, each in zip(rows, plain, strict=True) if row["package"] == name
                )
                for name in sorted({row["package"] for row in rows})
            },
        }
    found["CPU seconds of the plain run, median"] = _median(plain)
    found["now / before, all processes, median of the pairs"] = _median(
        pair["now"]["cpu_seconds"] / pair["before"]["cpu_seconds"] for pair in pairs
    )
    return {**found, "pairs": list(pairs)}


def _median(values: Any) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    sys.exit(main())
