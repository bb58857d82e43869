"""Records of runs as the life of a fleet: the results that came, in the order of their time, and what was true of each.

Nothing is copied from the records: a life is made of them in memory.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import comb, log2
from pathlib import Path

import numpy as np

TERMINAL_BENCH = "terminal_bench_runs.csv.gz"
SWE_BENCH = "swebench_verified_134agents.csv.gz"
DIFFICULTY = "swebench_verified_judged_difficulty.csv"
METR = "metr_runs_2025-02.jsonl.gz"
FILES = (TERMINAL_BENCH, SWE_BENCH, DIFFICULTY, METR)


@dataclass(frozen=True, slots=True)
class Result:
    """One result: what is known when it is decided on (`passed`, `evidence`), and what is not (`wrong`).

    `passed` is whether the verifier lets it through. `version` is that of the agent.
    """

    version: str
    task: str
    passed: bool
    wrong: bool
    evidence: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """Results in the order in which they came; `source` says what of it was measured and what was simulated."""

    name: str
    source: str
    features: tuple[str, ...]
    results: tuple[Result, ...]


def lives(folder: Path | None, seed: int) -> Iterator[Life]:
    """Make every life that the records in the folder allow; without a folder those that are simulated alone."""
    yield simulated(seed)
    if folder is None:
        return
    for correlated in (False, True):
        yield terminal_bench(folder / TERMINAL_BENCH, seed, correlated=correlated)
    yield first_that_passes(terminal_bench(folder / TERMINAL_BENCH, seed, correlated=False))
    for true_pass, false_pass in ((0.864, 0.178), (0.95, 0.02)):
        yield swe_bench(folder, seed, true_pass, false_pass)
    yield metr(folder / METR)


# ---------------------------------------------------------------- terminal-bench


def terminal_bench(path: Path, seed: int, *, correlated: bool) -> Life:
    """Half of a task's tests are what the verifier sees; the result is right if all of them pass.

    The records have how many tests passed, not which. Either each result loses tests at random (`correlated` False:
    the visible half is drawn anew for each), or all results of a task lose its tests in the same order, so that the
    visible half is always blind to the same mistakes. The truth lies between. Tasks with one test are left out, and
    so is a trial with no test that could run: it has not passed.
    """
    rng, rows = np.random.default_rng(seed), list(_rows(path))
    most = {}
    for row in rows:
        most[row["task"]] = max(most.get(row["task"], 0), int(row["tests"]))
    rank = {task: sorted(rng.permutation(tests)[: tests // 2]) for task, tests in sorted(most.items()) if tests > 1}
    results = []
    for row in sorted(rows, key=lambda row: _submitted(row, rng)):
        tests, passed = int(row["tests"]), int(row["tests_passed"])
        if row["task"] not in rank:
            continue
        visible = len(rank[row["task"]])
        if correlated:
            seen = passed > 0 and passed >= tests - rank[row["task"]][0]
        else:
            seen = tests >= visible and rng.random() < comb(passed, visible) / comb(tests, visible)
        results.append(
            Result(
                version=row["submission"],
                task=row["task"],
                passed=bool(seen),
                wrong=row["ok"] != "True",
                evidence=(log2(visible), float(row["fm"] != "unset")),
            )
        )
    how = "blind to the same mistakes in every result of a task" if correlated else "drawn anew for each result"
    return Life(
        name="Terminal-Bench" + (", same blind spots" if correlated else ""),
        source=f"13 agents, 5 trials a task, by date of submission; the verifier sees half of the tests, {how}",
        features=("visible tests, log2", "ended early"),
        results=tuple(results),
    )


def first_that_passes(life: Life) -> Life:
    """Try until the verifier lets one through: of each agent's trials at a task, the first that passed."""
    trials: dict[tuple[str, str], Result] = {}
    for result in life.results:
        if result.passed:
            trials.setdefault((result.version, result.task), result)
    return Life(
        name=f"{life.name}, first of five that passes",
        source=f"{life.source}; of five trials the first that passes",
        features=life.features,
        results=tuple(trials.values()),
    )


def _submitted(row: Mapping[str, str], rng: np.random.Generator) -> tuple[str, str, float]:
    """Order by the day of the submission, then by the start of the trial, at random where that is not recorded."""
    name = row["submission"]
    day = name[:8] if name[:8].isdigit() else "20250910"  # ob1-09-10-25 has it behind
    return day, name, float(rng.random()) if not row["started"] else _seconds(row["started"])


def _seconds(started: str) -> float:
    return datetime.fromisoformat(started).timestamp()


# ---------------------------------------------------------------- SWE-bench Verified


def swe_bench(folder: Path, seed: int, true_pass: float, false_pass: float) -> Life:
    """134 agents by date, each at the 500 instances in an order of its own; the outcomes are real, the verifier not."""
    rng, rows = np.random.default_rng(seed), list(_rows(folder / SWE_BENCH))
    judged = {row["instance_id"]: row for row in _rows(folder / DIFFICULTY)}
    names = tuple(name for name in next(iter(judged.values())) if name != "instance_id")
    evidence = {task: tuple(float(row[name]) for name in names) for task, row in judged.items()}
    missing = [row["instance"] for row in rows if row["instance"] not in evidence]
    if missing:
        raise SystemExit(f"reading {DIFFICULTY}: it has no row for {missing[0]!r} and {len(missing) - 1} others")
    results = []
    for agent in sorted(name for name in rows[0] if name != "instance"):
        for place in rng.permutation(len(rows)):
            row = rows[place]
            wrong = row[agent] != "1"
            passed = bool(rng.random() < (false_pass if wrong else true_pass))
            results.append(Result(agent, row["instance"], passed, wrong, evidence[row["instance"]]))
    told = f"passes {true_pass:.1%} of the right results and {false_pass:.1%} of the wrong ones, independently"
    return Life(
        name=f"SWE-bench Verified, false passes {false_pass:.1%}",
        source=f"134 agents by date, 500 instances each; real outcomes, a simulated verifier that {told}",
        features=names,
        results=tuple(results),
    )


# ---------------------------------------------------------------- METR


def metr(path: Path) -> Life:
    """Runs of 10 agents at 83 tasks by the time they began, and no verifier: all that is handed in asks to land."""
    runs = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            run = json.loads(line)
            if run["alias"] != "human":
                runs.append(run)
    runs.sort(key=lambda run: (run["started_at"], run["run_id"]))
    return Life(
        name="METR, no verifier",
        source="10 agents, 83 tasks, by the time the run began; nothing but length of task and history to go by",
        features=("human minutes, log2",),
        results=tuple(
            Result(run["alias"], run["task_id"], True, run["score_binarized"] != 1, (log2(run["human_minutes"]),))
            for run in runs
        ),
    )


# ---------------------------------------------------------------- simulated


PLANTED = (
    ("v1", 0.01, 0.01),
    ("v2", 0.02, 0.02),
    ("v3 (worse)", 0.20, 0.20),
    ("v4", 0.01, 0.01),
    ("v5 (drifts)", 0.01, 0.15),
)
RESULTS_A_VERSION = 1500


def simulated(seed: int, planted: Sequence[tuple[str, float, float]] = PLANTED, each: int = RESULTS_A_VERSION) -> Life:
    """Versions with known rates of wrong results, before and after the middle of their lives."""
    rng, results = np.random.default_rng(seed), []
    for version, before, after in planted:
        for number in range(each):
            wrong = bool(rng.random() < (before if number < each // 2 else after))
            hint = rng.normal(1.5 if wrong else 0.0)
            results.append(Result(version, f"{version}-{number}", True, wrong, (float(hint),)))
    told = ", ".join(f"{name} {a:.0%}" + (f" then {b:.0%}" if a != b else "") for name, a, b in planted)
    return Life(
        "Simulated", f"{each} results a version that are wrong at a known rate: {told}", ("a hint",), tuple(results)
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
