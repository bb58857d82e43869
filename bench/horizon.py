"""`reeve horizon` on the public records: CPU against the reference code, exactness, and a million runs of four shapes.

CPU is that of the whole process, start and reading included; wall time depends on what else the machine does. The
reference needs 92 s of CPU for 1,000 resamples of the 7,063 public runs (p50 only, one process, measured elsewhere). As
a yardstick of this very machine, the published scheme is also written down plainly here, with NumPy and SciPy; what the
reference spends on tables and processes is not in it. Without the public records (in REEVE_DATA or ../shared/data) a
made-up table of the same size takes their place, and it is said.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from reeve.policy.run_records import read_runs
from reeve.stats.horizon import PENALTY, horizons
from reeve.stats.runs import Runs

REFERENCE_CPU_SECONDS = 92.0
PUBLIC = "metr_runs_2025-02.jsonl.gz"
FOLDERS = (os.environ.get("REEVE_DATA"), Path(__file__).parents[2] / "shared" / "data")
RESAMPLES = 1000
PLAIN_RESAMPLES = 10
MILLION = 1_000_000


def public_records(folder: Path) -> tuple[Path, str]:
    for each in FOLDERS:
        if each and (Path(each) / PUBLIC).is_file():
            return Path(each) / PUBLIC, "public records"
    made = folder / "like_public.jsonl"
    write(made, table(7063, agents=11, tasks=83, families=36))
    return made, "made up, as the public records are not there"


# ---------------------------------------------------------------- made-up runs


def table(
    count: int, *, agents: int, tasks: int, families: int, parts: bool = False, own_minutes: bool = False
) -> Iterator[str]:
    """Give runs line by line, agents in turn; with parts of successes, or with minutes of each run's own."""
    rng = np.random.default_rng(0)
    log2_minutes = rng.uniform(-1.0, 11.0, tasks)
    task, agent = (np.arange(count) // agents) % tasks, np.arange(count) % agents
    x = rng.uniform(-1.0, 11.0, count) if own_minutes else log2_minutes[task]
    chance = 1.0 / (1.0 + np.exp(0.6 * (x - agent % 10)))
    score = (rng.random(count) < chance) * (np.round(rng.random(count), 3) if parts else 1)
    for number, (a, t, minutes, won) in enumerate(
        zip(agent.tolist(), task.tolist(), (2.0**x).tolist(), score.tolist(), strict=True)
    ):
        yield (
            f'{{"run_id":"r{number}","task_id":"f{t % families}/t{t}","task_family":"f{t % families}",'
            f'"alias":"agent {a}","human_minutes":{minutes!r},"score_binarized":{won!r}}}\n'
        )


def write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w") as file:
        file.writelines(lines)


SHAPES: dict[str, Callable[[], Iterator[str]]] = {
    "83 tasks, run often": lambda: table(MILLION, agents=11, tasks=83, families=36),
    "parts of successes": lambda: table(MILLION, agents=20, tasks=500, families=100, parts=True),
    "minutes of each run": lambda: table(MILLION, agents=10, tasks=1000, families=100, own_minutes=True),
    "50,000 tasks": lambda: table(MILLION, agents=10, tasks=50_000, families=10_000),
}


# ---------------------------------------------------------------- measuring


def command(records: Path, cache: Path | None = None) -> dict[str, float]:
    """Run `reeve horizon` once: CPU, wall and peak memory of the whole process."""
    env = {**os.environ} if cache is None else {**os.environ, "PYTHONPYCACHEPREFIX": str(cache)}
    arguments = [sys.executable, "-m", "reeve.cli.main", "horizon", str(records), "--json"]
    begun = time.monotonic()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(sys.executable, arguments, env, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"reeve horizon ended with {status}")
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "wall_seconds": round(time.monotonic() - begun, 3),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def cold(records: Path, folder: Path) -> dict[str, float]:
    """Run it as after a boot, as far as an ordinary user can: no compiled modules, the records not in memory."""
    with records.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return command(records, folder / "no-cache-yet")


def plainly_written(records: Path) -> float:
    """Measure it in a process with one thread: with more, idle threads of the linear algebra burn twenty times the CPU."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bench.horizon", "--plain", str(records)]
    said = subprocess.run(command, env=env, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return float(said.stdout)


def plain_cpu_seconds(runs: Runs) -> float:
    """Estimate what 1,000 resamples cost by the published scheme as plainly written, from the first ten."""
    family = runs.family[runs.task]
    names = [f"{runs.tasks[t]}|||{runs.agents[a]}" for t, a in zip(runs.task, runs.agent, strict=True)]
    key = np.unique(names, return_inverse=True)[1]
    begun = time.process_time()
    for seed in range(42, 42 + PLAIN_RESAMPLES):
        rng = np.random.default_rng(seed)
        copies = drawn(family, [np.arange(len(runs))], rng)
        rows = np.concatenate(list(drawn(runs.task, list(copies), rng)))
        rows = rows[np.argsort(key[rows], kind="stable")]
        _, size = np.unique(key[rows], return_counts=True)
        first = np.cumsum(size) - size
        rows = rows[np.repeat(first, size) + (rng.random(len(rows)) * np.repeat(size, size)).astype(int)]
        for agent in range(len(runs.agents)):
            fitted(runs, rows[runs.agent[rows] == agent], tolerance=1e-4)
    return (time.process_time() - begun) / PLAIN_RESAMPLES * RESAMPLES


def drawn(column: np.ndarray, copies: list[np.ndarray], rng: np.random.Generator) -> Iterator[np.ndarray]:
    for rows in copies:
        names = np.unique(column[rows])
        for name in rng.choice(len(names), size=len(names), replace=True):
            yield rows[column[rows] == names[name]]


def fitted(runs: Runs, rows: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Fit one curve by L-BFGS, as the reference does; None without both outcomes."""
    x, y, w = np.log2(runs.minutes[rows]), runs.score[rows], runs.weights[rows]
    if not 0 < y.sum() < len(y):
        return None

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        z = at[0] + at[1] * x
        rest = w / (1.0 + np.exp(-z)) - w * y
        value = w @ (np.logaddexp(0.0, z) - y * z) + PENALTY / 2.0 * at[1] ** 2
        return float(value), np.array([rest.sum(), rest @ x + PENALTY * at[1]])

    found = minimize(loss, [0.0, 0.0], jac=True, method="L-BFGS-B", options={"gtol": tolerance, "ftol": 1e-15})
    return np.asarray(found.x)


def error_of_p50(runs: Runs) -> float:
    """Give the largest relative error of a p50: how far one more Newton step would move it."""
    worst = 0.0
    for place, agent in enumerate(horizons(runs, resamples=0).agents):
        if agent.intercept is None or agent.slope is None:
            continue
        own = runs.agent == place
        x, y, w = np.log2(runs.minutes[own]), runs.score[own], runs.weights[own]
        chance = 1.0 / (1.0 + np.exp(-(agent.intercept + agent.slope * x)))
        v = w * chance * (1.0 - chance)
        curvature = np.array([[v.sum(), v @ x], [v @ x, v @ (x * x) + PENALTY]])
        gradient = np.array([w @ (chance - y), (w * (chance - y)) @ x + PENALTY * agent.slope])
        step = -np.linalg.solve(curvature, gradient)
        log2_p50, better = (-(agent.intercept + part * step[0]) / (agent.slope + part * step[1]) for part in (0.0, 1.0))
        worst = max(worst, abs(2.0 ** (better - log2_p50) - 1.0))
    return float(worst)


def main(arguments: list[str] | None = None) -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plain", type=Path, metavar="RUNS", help="only measure the scheme as plainly written")
    options = parser.parse_args(arguments)
    if options.plain:
        print(plain_cpu_seconds(read_runs(options.plain).runs))
        return {}
    with tempfile.TemporaryDirectory(prefix="reeve-bench-") as name:
        folder = Path(name)
        records, which = public_records(folder)
        runs = read_runs(records).runs
        first = cold(records, folder)
        warm = [command(records) for _ in range(options.rounds)]
        cpu = statistics.median(each["cpu_seconds"] for each in warm)
        found: dict[str, object] = {
            "records": f"{len(runs)} runs, {which}",
            "resamples": RESAMPLES,
            "cold": first,
            "warm": {key: statistics.median(each[key] for each in warm) for key in first},
            "reference_cpu_seconds": REFERENCE_CPU_SECONDS,
            "times_less_than_reference": round(REFERENCE_CPU_SECONDS / cpu, 1),
            "plainly_written_cpu_seconds": round(plain := plainly_written(records), 1),
            "times_less_than_plainly_written": round(plain / cpu, 1),
            "largest_relative_error_of_p50": error_of_p50(runs),
        }
        print(json.dumps(found, indent=1))
        print(f"bars: warm CPU at most {REFERENCE_CPU_SECONDS / 100:g} s; error at most 1e-6")
        found["million"] = million(folder)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


def million(folder: Path) -> dict[str, dict[str, float]]:
    found = {}
    print(f"{'a million runs':24}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}   (bar: under 10 s)")
    for name, lines in SHAPES.items():
        path = folder / "million.jsonl"
        write(path, lines())
        found[name] = command(path)
        print(f"{name:24}" + "{cpu_seconds:8.2f}{wall_seconds:8.2f}{peak_mb:9}".format(**found[name]), flush=True)
    return found


if __name__ == "__main__":
    main()
