"""A developer's proof of the demo's backlog: `python demo/check.py [--only PACKAGE ...] [--python EXE]`.

With plain pytest, without reeve: at main every required test of a task fails; with the task's true fix alone exactly
those and nothing else turn to passing, hidden checks included; with all fixes together no test fails but those
printed as belonging to no task.
The true fix of an injected defect is the published text; that of a real bug is the hunks that fixes.toml names, taken
from the newer release's archive. Needs reeve's own environment and the package index. Exits 1 on the first thing that
does not hold.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import build
import yaml

from reeve.adapters.trees.archive import configured_index

RECORDER = """
import json, os
outcomes = {}
def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        if outcomes.get(report.nodeid) != "failed":
            outcomes[report.nodeid] = report.outcome
def pytest_sessionfinish(session):
    with open(os.environ["OUTCOMES"], "w") as file:
        json.dump(outcomes, file)
"""


def hunks(old: str, new: str) -> list[tuple[int, int, list[str]]]:
    """The differing places as (first old line, end of old lines, new lines), in order, lines counted from 0."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [(i1, i2, after[j1:j2]) for tag, i1, i2, j1, j2 in found if tag != "equal"]


def with_hunks(old: str, new: str, chosen: set[int]) -> str:
    """`old` with only the chosen hunks of the way to `new` applied."""
    lines = old.splitlines(keepends=True)
    for number, (start, end, replacement) in reversed(list(enumerate(hunks(old, new)))):
        if number in chosen:
            lines[start:end] = replacement
    return "".join(lines)


def real_fixes(package: build.Package) -> list[dict]:
    with (build.HERE / "fixes.toml").open("rb") as file:
        return [fix for fix in tomllib.load(file)["fix"] if fix["package"] == package.name]


class Corpus:
    """One package's archives and descriptions, and its tree with any set of its tasks fixed."""

    def __init__(self, package: build.Package) -> None:
        cache, index = build.cache_folder(), configured_index()
        self.package = package
        self.release = build.read_archive(package.source, cache, index)
        self.newer = build.read_archive(package.tests, cache, index)
        self.defects = [defect for defect in build.defects() if defect.package == package.name]
        self.fixes = real_fixes(package)

    def tree(self, fixed: set[str]) -> build.Files:
        release = dict(self.release)
        chosen: dict[str, set[int]] = {}
        for fix in self.fixes:
            if fix["task"] in fixed:
                chosen.setdefault(fix["file"], set()).update(fix["hunks"])
        for name, numbers in chosen.items():
            old, new = (files[name][0].decode() for files in (self.release, self.newer))
            release[name] = (with_hunks(old, new, numbers).encode(), False)
        left = [defect for defect in self.defects if defect.task not in fixed]
        return build.with_tests(self.package, build.with_defects(release, left), self.newer)


def write_tree(files: build.Files, folder: Path) -> None:
    for name, (content, _) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def read_task(path: Path) -> dict:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return {**yaml.safe_load(front), "body": body}


def run_suite(python: Path, tree: build.Files, task: dict, hidden: list[dict]) -> tuple[dict[str, str], float]:
    """The outcome of every test of the tree, the hidden files put in place, and the wall time in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tree").mkdir()
        write_tree(tree, folder / "tree")
        for check in hidden:
            path = folder / "tree" / check["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((build.HERE / "backlog" / check["file"]).read_bytes())
        (folder / "recorder.py").write_text(RECORDER, encoding="utf-8")
        environment = {**os.environ, **task.get("env", {}), "OUTCOMES": str(folder / "outcomes.json")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment.get("PYTHONPATH"), str(folder)]))
        # No `keep` named: the whole suite, hidden files among it.
        targets = [*task["checks"].get("pytest_args", []), *task["checks"].get("keep", [])]
        command = [str(python), "-m", "pytest", "-q", "-p", "recorder", "-p", "no:cacheprovider", *targets]
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=folder / "tree", env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
        if not (folder / "outcomes.json").is_file():
            raise SystemExit(f"pytest did not report:\n{done.stdout}\n{done.stderr}")
        return json.loads((folder / "outcomes.json").read_text()), seconds


def environment_for(task: dict, base: str, folder: Path) -> Path:
    """A virtual environment made by the task's own set-up command; returns its interpreter."""
    subprocess.run([base, "-m", "venv", folder], check=True)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(task["setup"] + " --quiet", shell=True, check=True, env={**os.environ, "PATH": path})
    return folder / "bin" / "python"


def failing(outcomes: dict[str, str]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome == "failed"}


def check_package(package: build.Package, tasks: list[dict], base: str) -> list[str]:
    """What does not hold of the package's tasks, one line each; prints what was measured."""
    corpus = Corpus(package)
    wrong: list[str] = []
    named = {entry["task"] for entry in corpus.fixes} | {defect.task for defect in corpus.defects}
    if named != {task["id"] for task in tasks}:
        return [f"{package.name}: tasks and known fixes differ: {named ^ {task['id'] for task in tasks}}"]
    if len({task["setup"] for task in tasks}) != 1:
        wrong.append(f"{package.name}: its tasks have different set-ups, so more than one environment")
    with tempfile.TemporaryDirectory() as name:
        python = environment_for(tasks[0], base, Path(name) / "env")
        outcomes, seconds = run_suite(python, corpus.tree(set()), tasks[0], [])
        at_base = failing(outcomes)
        print(
            f"{package.name}: {len(outcomes)} tests in {seconds:.1f} s, {len(at_base)} fail at main",
            flush=True,
        )
        required = [test for task in tasks for test in visible(task)]
        if len(required) != len(set(required)):
            wrong.append(f"{package.name}: a test is required by two tasks")
        unexplained = at_base - set(required)
        for test in sorted(unexplained):
            print(f"  fails at main, belongs to no task: {test}")
        for task in tasks:
            wrong += check_task(task, corpus, python, at_base)
        together, _ = run_suite(python, corpus.tree(named), tasks[0], [])
        wrong += [f"{package.name}: fails with every fix in: {test}" for test in failing(together) - unexplained]
    return wrong


def visible(task: dict) -> set[str]:
    """The required tests that stand in the tree, not in a hidden file."""
    hidden = {check["path"] for check in task["checks"].get("hidden", [])}
    return {test for test in task["checks"]["required"] if test.partition("::")[0] not in hidden}


def check_task(task: dict, corpus: Corpus, python: Path, at_base: set[str]) -> list[str]:
    required, hidden = visible(task), task["checks"].get("hidden", [])
    wrong = [f"{task['id']}: required test passes at main already: {test}" for test in required - at_base]
    outcomes, _ = run_suite(python, corpus.tree({task["id"]}), task, hidden)
    there = {test for test in outcomes if test.partition("::")[0] in {check["path"] for check in hidden}}
    differ = (set(task["checks"]["required"]) - outcomes.keys()) | (there - set(task["checks"]["required"]))
    wrong += [f"{task['id']}: required and not reported, or hidden and not required: {test}" for test in differ]
    wrong += [f"{task['id']}: its fix does not turn {test}" for test in failing(outcomes) & required]
    wrong += [f"{task['id']}: its fix breaks {test}" for test in failing(outcomes) - at_base]
    wrong += [f"{task['id']}: its fix also turns {test}" for test in at_base - required - failing(outcomes)]
    print(
        f"  {task['id']}: {len(required)} required, {len(hidden)} hidden files: {'WRONG' if wrong else 'holds'}",
        flush=True,
    )
    return wrong


def show_hunks(package: build.Package, file: str) -> None:
    corpus = Corpus(package)
    old, new = corpus.release[file][0].decode(), corpus.newer[file][0].decode()
    for number, (start, end, replacement) in enumerate(hunks(old, new)):
        print(f"--- hunk {number}, old lines {start + 1} to {end}\n{''.join(replacement)}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove the demo's backlog with plain pytest.")
    parser.add_argument("--only", nargs="+", metavar="PACKAGE")
    parser.add_argument("--python", default=sys.executable, help="interpreter for the environments")
    parser.add_argument("--hunks", nargs=2, metavar=("PACKAGE", "FILE"), help="print a file's hunks and stop")
    options = parser.parse_args()
    if options.hunks:
        show_hunks(next(p for p in build.packages() if p.name == options.hunks[0]), options.hunks[1])
        return 0
    tasks = [read_task(path) for path in sorted((build.HERE / "backlog").glob("*.md"))]
    wrong: list[str] = []
    for package in build.packages():
        if options.only is None or package.name in options.only:
            mine = [task for task in tasks if task["repo"].endswith("/" + package.name) and "checks" in task]
            wrong += check_package(package, mine, options.python)
    print("\n".join(wrong) or "everything holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
