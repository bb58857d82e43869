"""Share of HumanEvalFix (Python) that the embedded agent solves, run through its production entry point.

Two settings. ``all``: every given test is visible; plausible means all pass, right means equal to the reference on
extra inputs made from those of the tests. ``half``: the docstring examples and half of the tests are visible; plausible means
those pass, right means the hidden half passes too.

    python bench/humanevalfix.py [--limit N] [--offset N] [--seconds S] [--jobs J] [--setting all|half|both] [--json FILE]
"""

import argparse
import ast
import copy
import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AGENT = ROOT / "src" / "reeve" / "adapters" / "agents" / "repair"
NAME = "humanevalfix_python.jsonl.gz"
FIRST_ATTEMPT = {"plausible": 126, "right": 112}  # a first attempt at such an agent on the same 164, single edits


def data_file() -> Path | None:
    """The records, where they are: REEVE_DATA, else shared/data beside the repository."""
    for folder in (os.environ.get("REEVE_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / NAME).is_file():
            return Path(folder) / NAME
    return None


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def is_empty(node: ast.stmt) -> bool:
    """Whether a statement tests nothing: a text, pass, or assert True."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def split_tests(text: str, entry: str) -> tuple[str, list[str]]:
    """The preamble of a test file and one body for each assertion of its ``check`` function."""
    tree = ast.parse(text)
    preamble, bodies = [], []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            candidate = node.args.args[0].arg
            before = [] if candidate == entry else [f"{candidate} = {entry}"]
            for statement in node.body:
                if is_empty(statement):
                    continue
                code = ast.unparse(statement)
                if any(isinstance(part, ast.Assert) for part in ast.walk(statement)):
                    bodies.append("\n".join([*before, code]))
                else:
                    before.append(code)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            preamble.append(ast.unparse(node))
    return "\n".join(preamble), bodies


def write_repository(folder: Path, source: str, entry: str, preamble: str, bodies: list[str]) -> list[str]:
    """A little repository with one test for each body; the node ids."""
    (folder / "solution.py").write_text(source, encoding="utf-8")
    parts = [f"import solution\nfrom solution import *\nfrom solution import {entry}\n", preamble, "\n"]
    for number, body in enumerate(bodies):
        indented = "\n".join("    " + line for line in body.splitlines())
        parts.append(f"\n\ndef test_{number}():\n{indented}\n")
    (folder / "test_solution.py").write_text("".join(parts), encoding="utf-8")
    return [f"test_solution.py::test_{number}" for number in range(len(bodies))]


def repair(agent: Path, folder: Path, nodes: list[str], seconds: float) -> tuple[dict[str, Any], float]:
    """Run the agent as in production; its result event and the CPU seconds it took."""
    spec = {
        "instruction": "", "required": nodes, "keep": [], "protected": ["test_*.py"], "seed": 1, "attempt": 0, "attempts": 1,
        "wall_seconds": seconds * 5, "cpu_seconds": seconds, "memory_bytes": 1 << 30, "python_path": ["."], "pytest_args": [], "broken_at_base": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as outside:
        path = Path(outside) / "spec.json"
        path.write_text(json.dumps(spec), encoding="utf-8")
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment.pop("PYTHONHASHSEED", None)
        log = Path(outside) / "events.jsonl"
        with log.open("wb") as stream, (Path(outside) / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-B", str(agent), "--spec", str(path)], cwd=folder, env=environment,
                stdout=stream, stderr=errors, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        lines = log.read_text(encoding="utf-8").splitlines()
        result = json.loads(lines[-1]) if lines else {}
        if result.get("kind") != "result":
            result = {
                "outcome": "error",
                "text": (Path(outside) / "errors").read_text(encoding="utf-8")[-400:],
                "candidates_tried": 0,
            }
        return result, usage.ru_utime + usage.ru_stime


def mutated(value: Any, rng: random.Random) -> Any:
    """A value near another one, of the same shape."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value + rng.choice([-2, -1, 1, 2, 3]) if rng.random() < 0.6 else max(0, value)
    if isinstance(value, float):
        return value + rng.choice([-1.5, -0.25, 0.25, 2.0])
    if isinstance(value, str):
        chars = list(value)
        if chars and rng.random() < 0.7:
            place = rng.randrange(len(chars))
            chars[place] = rng.choice(chars + list("aZ1 "[: 4 if rng.random() < 0.3 else 1]))
        if chars and rng.random() < 0.4:
            del chars[rng.randrange(len(chars))]
        return "".join(chars)
    if isinstance(value, (list, tuple)):
        items = [mutated(item, rng) if rng.random() < 0.4 else item for item in value]
        if items and rng.random() < 0.3:
            items.pop(rng.randrange(len(items)))
        if items and rng.random() < 0.3:
            items.append(rng.choice(items))
        if rng.random() < 0.3:
            rng.shuffle(items)
        return type(value)(items)
    if isinstance(value, dict):
        return {key: mutated(item, rng) for key, item in value.items() if rng.random() < 0.9}
    return value


def extra_inputs(tests: str, entry: str, count: int = 300) -> list[tuple[Any, ...]]:
    """Argument tuples near those of the tests."""
    found = []
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (entry, "candidate"):
            try:
                found.append(tuple(ast.literal_eval(argument) for argument in node.args))
            except (ValueError, SyntaxError):
                continue
    rng = random.Random(7)
    return [tuple(mutated(copy.deepcopy(one), rng) for one in rng.choice(found)) for _ in range(count)] if found else []


COMPARE = """
import copy, json, signal, sys
request = json.load(open(sys.argv[1]))
inputs = eval(request["inputs"])
def load(text):
    space = {"__name__": "solution"}
    exec(compile(text, "solution.py", "exec"), space)
    return space[request["entry"]]
class Late(BaseException): pass
def late(*_): raise Late
signal.signal(signal.SIGVTALRM, late)
def run(function, arguments):
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
        return repr(function(*copy.deepcopy(arguments)))
    except BaseException as error:
        return type(error).__name__ + "!"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
reference, patched = load(request["reference"]), load(request["patched"])
different = 0
for arguments in inputs:
    wanted = run(reference, arguments)
    if not wanted.endswith("!") and run(patched, arguments) != wanted:
        different += 1
print(different)
"""


def same_as_reference(row: dict[str, Any], patched: str) -> bool:
    """Whether a patched source gives what the reference gives on extra inputs."""
    inputs = extra_inputs(row["test"], row["entry_point"])
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "inputs": repr(inputs),
            "entry": row["entry_point"],
            "patched": patched,
            "reference": row["prompt"] + row["canonical_solution"],
        }
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, "-c", COMPARE, str(path)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                cwd=folder,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.stdout.strip().endswith("0") and done.stdout.strip().splitlines()[-1] == "0"


def passes(folder: Path, nodes: list[str]) -> bool:
    """Whether pytest passes these tests on the files as they are."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *nodes], cwd=folder, env=environment,
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def one(agent: Path, row: dict[str, Any], setting: str, seconds: float) -> dict[str, Any]:
    """One task in one setting."""
    entry = row["entry_point"]
    preamble, bodies = split_tests(row["test"], entry)
    hidden: list[str] = []
    if setting == "half":
        _, examples = split_tests(row["example_test"], entry) if row["example_test"] else ("", [])
        order = list(range(len(bodies)))
        random.Random(row["task_id"]).shuffle(order)
        shown = sorted(order[: (len(bodies) + 1) // 2])
        hidden = [body for number, body in enumerate(bodies) if number not in shown]
        bodies = list(dict.fromkeys([*examples, *(bodies[number] for number in shown)]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nodes = write_repository(folder, row["prompt"] + row["buggy_solution"], entry, preamble, bodies)
        started = time.monotonic()
        result, cpu = repair(agent, folder, nodes, seconds)
        wall = time.monotonic() - started
        patched = (folder / "solution.py").read_text(encoding="utf-8")
        plausible = result["outcome"] == "patched"
        right = False
        if plausible and setting == "all":
            right = same_as_reference(row, patched)
        elif plausible:
            write_repository(folder, patched, entry, preamble, [*bodies, *hidden])
            right = passes(folder, [])
    return {
        "task": row["task_id"], "class": row["bug_type"], "setting": setting, "outcome": result["outcome"], "plausible": plausible,
        "right": right, "tried": result.get("candidates_tried", 0), "space": result.get("search_space", 0), "cpu": cpu, "wall": wall,
        "text": result.get("text", ""),
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> None:
    """Print plausible and right by setting and by class of defect."""
    for setting in sorted({result["setting"] for result in results}):
        part = [result for result in results if result["setting"] == setting]
        print(f"\n{'HumanEvalFix, visible: ' + setting:34}{'tasks':>7}{'plausible':>11}{'right':>7}")
        for kind in [*sorted({result["class"] for result in part}), "all"]:
            some = [result for result in part if kind in ("all", result["class"])]
            print(f"{kind:34}{len(some):7}{sum(r['plausible'] for r in some):11}{sum(r['right'] for r in some):7}")
        solved = [result["cpu"] for result in part if result["plausible"]]
        rates = [result["tried"] / result["cpu"] for result in part if result["cpu"] > 0]
        if solved:
            print(f"CPU seconds of a solved task, whole agent: median {statistics.median(solved):.1f}, max {max(solved):.1f}; "
                  f"candidates per CPU second, median {statistics.median(rates):.0f}, max {max(rates):.0f}")  # fmt: skip


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """Run the bench; one record per task and setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=24, help="how many tasks, spread over the set (0: all 164)")
    parser.add_argument("--tasks", default="", help="numbers of tasks, comma separated, instead of a spread")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="CPU seconds for each task; wall time is limited to five times that"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--setting", choices=["all", "half", "both"], default="both")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    path = data_file()
    if path is None:
        print(f"HumanEvalFix: skipped, {NAME} is neither in REEVE_DATA nor in ../shared/data")
        return []
    every = rows(path)
    if options.tasks:
        every = [every[int(number)] for number in options.tasks.split(",")]
    elif options.limit and options.limit < len(every):
        every = [every[number * len(every) // options.limit] for number in range(options.limit)]
    settings = ["all", "half"] if options.setting == "both" else [options.setting]
    work = [(row, setting) for setting in settings for row in every]
    results = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        agent = Path(shutil.copytree(AGENT, Path(name) / "repair"))  # one version from the first task to the last
        for result in pool.map(lambda pair: one(agent, pair[0], pair[1], options.seconds), work):
            results.append(result)
            mark = "right" if result["right"] else "plausible" if result["plausible"] else result["outcome"]
            print(
                f"{result['task']:12} {result['setting']:5} {mark:10} {result['tried']:7} tried {result['cpu']:6.1f} CPU s  {result['class']}: {result['text'][:110]}",
                flush=True,
            )
    table(results)
    if len(results) >= len(rows(path)):
        print(
            f"To compare: {FIRST_ATTEMPT['plausible']} plausible, {FIRST_ATTEMPT['right']} right of 164 by a first, single-edit agent."
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


if __name__ == "__main__":
    main()
