"""What it costs to try one candidate on a real package (cachetools 5.5.0, its own 215 tests), measured in one run.

fresh    one new ``pytest -x`` process for each candidate, the naive way
mutmut   mutmut 3.8.1, one child, stopped after --seconds
judge    our fork server asked mutmut's question: is this edit of the healthy package noticed by the tests that cover it?
repair   our whole search on injected defects, from start to patch, by its production entry point

CPU seconds of all processes, start-up included. Candidates differ between tools; ``fresh`` takes candidates of ``judge``,
and both must give the same answer for each.

    python bench/candidates.py [--seconds S] [--fresh N] [--cache DIR] [--json FILE]
"""

import argparse
import ast
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from reeve.adapters.agents.repair.candidates import Candidate, Generator  # noqa: E402
from reeve.adapters.agents.repair.events import Events  # noqa: E402
from reeve.adapters.agents.repair.localise import Suspect, header_lines, statements  # noqa: E402
from reeve.adapters.agents.repair.mine import TestFacts  # noqa: E402
from reeve.adapters.agents.repair.search import Search  # noqa: E402
from reeve.adapters.agents.repair.spec import parse  # noqa: E402
from reeve.adapters.agents.repair.splice import Source  # noqa: E402
from reeve.adapters.agents.repair.tree import Tree  # noqa: E402

AGENT = ROOT / "src" / "reeve" / "adapters" / "agents" / "repair"
PACKAGE, VERSION, MUTMUT = "cachetools", "5.5.0", "3.8.1"
FILE = "src/cachetools/__init__.py"
DEFECTS = [
    ("while self.__currsize + size > maxsize:", "while self.__currsize + size >= maxsize:"),
    ("self.__currsize -= size", "self.__currsize += size"),
    ("return len(self.__data)", "return len(self.__data) - 1"),
    (
        "if key in self:\n            value = self[key]\n            del self[key]",
        "if key not in self:\n            value = self[key]\n            del self[key]",
    ),
    ("self.__counter[key] -= 1", "self.__counter[key] += 1"),
]


def spent() -> float:
    """CPU seconds of this process and of all children it has waited for."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def archive(cache: Path) -> Path:
    """The package's source archive, downloaded once."""
    name = cache / f"{PACKAGE}-{VERSION}.tar.gz"
    if not name.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "-d",
            str(cache),
            f"{PACKAGE}=={VERSION}",
        ]
        subprocess.run(command, check=True, capture_output=True)
    return name


def unpack(source: Path, folder: Path) -> Path:
    with tarfile.open(source) as stream:
        stream.extractall(folder, filter="data")
    return folder / f"{PACKAGE}-{VERSION}"


def environment() -> dict[str, str]:
    found = {**os.environ, "PYTHONPATH": "src", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    found.pop("PYTHONHASHSEED", None)
    return found


def spec_for(required: list[str], seconds: float) -> dict[str, Any]:
    return {
        "instruction": "", "required": required, "keep": [], "protected": ["tests/**"], "seed": 1, "attempt": 0, "attempts": 1,
        "wall_seconds": seconds, "memory_bytes": 1 << 30, "python_path": ["src"], "pytest_args": [], "broken_at_base": [],
    }  # fmt: skip


class Survey(Search):
    """The search's own machinery, asked about edits of a package in which nothing is broken."""

    def prepare(self) -> list[Candidate]:
        """Trace the whole suite and make the near edits of everything it runs."""
        self.collect()
        self._traced(list(range(len(self.items))), 600.0)
        for path in sorted({path for lines in self.spectrum.passing.values() for path, _ in lines}):
            self.sources[path] = Source(path, self.tree.held[path])
        assert self.server is not None
        self.server.ask("load", 120.0, paths=sorted(self.sources), shortcut=list(range(len(self.items))))
        ran = {line for lines in self.spectrum.passing.values() for line in lines}
        generator, found = Generator(self.sources, self.spectrum, TestFacts()), []
        for path, source in self.sources.items():
            for node in statements(source.tree.body):
                inside = source.function(node) is not None and not isinstance(node, (ast.FunctionDef, ast.ClassDef))
                if inside and any((path, line) in ran for line in header_lines(node)):
                    found += [one for one in generator.of(Suspect(path, node, 1.0), deep=False) if one.cost < 2.0]
        return found

    def judge(self, candidates: list[Candidate]) -> str:
        """p unnoticed, anything else noticed, by the tests that cover each candidate's statement."""
        assert self.server is not None
        letters = ""
        groups: list[tuple[list[int], list[Candidate]]] = []
        for one in candidates:
            items = self.spectrum.covering([(one.path, one.line)])
            if groups and groups[-1][0] == items:
                groups[-1][1].append(one)
            else:
                groups.append((items, [one]))
        for items, group in groups:
            reply = self.server.ask(
                "batch",
                600.0,
                candidates=[one.splices for one in group],
                items=items,
                cpu_seconds=0.5,
                canaries=[],
                deadline=time.monotonic() + 600,
            )
            letters += reply["letters"]
        return letters


def measure_judge(tree: Path, number: int, fresh: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our fork server on ``number`` candidates, and fresh processes on ``fresh`` of them."""
    before = spent()
    old = Path.cwd()
    os.chdir(tree)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    null = os.open(os.devnull, os.O_WRONLY)
    search = Survey(parse(spec_for([], 600.0)), Tree(str(tree), ("tests/**",)), Events(null), [])
    try:
        every = search.prepare()
        rng = random.Random(5)
        chosen = sorted(rng.sample(range(len(every)), min(number, len(every))))
        candidates = [every[place] for place in chosen]
        letters = search.judge(candidates)
    finally:
        search.close()
        os.chdir(old)
        os.close(null)
    cpu = spent() - before
    decided = [(one, letter) for one, letter in zip(candidates, letters, strict=True) if letter not in "nxu"]
    sample = rng.sample(decided, min(fresh, len(decided)))
    agree, before = 0, spent()
    for one, letter in sample:
        edited = search.edited(one)
        assert edited is not None
        for path, data in edited.items():
            (tree / path).write_bytes(data)
        done = None
        try:
            command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
            done = subprocess.run(command, cwd=tree, env=environment(), capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            pass
        agree += (done is not None and done.returncode == 0) == (letter == "p")
        search.tree.restore()
    naive = spent() - before
    ours = {
        "candidates": len(decided),
        "cpu_seconds": cpu,
        "unnoticed": letters.count("p"),
        "agree": agree,
        "compared": len(sample),
    }
    return ours, {"candidates": len(sample), "cpu_seconds": naive}


def measure_mutmut(tree: Path, cache: Path, seconds: float) -> dict[str, Any] | None:
    """mutmut in an environment of its own; None where it cannot be installed."""
    venv = cache / f"mutmut-{MUTMUT}"
    if not (venv / "bin" / "mutmut").is_file():
        shutil.rmtree(venv, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
            subprocess.run(
                [str(venv / "bin" / "pip"), "install", "-q", f"mutmut=={MUTMUT}", "pytest"],
                check=True,
                capture_output=True,
            )
        except subprocess.CalledProcessError as error:
            print(f"mutmut: skipped, not installable: {error.stderr.decode()[-200:]}")
            return None
    with (tree / "setup.cfg").open("a", encoding="utf-8") as stream:
        stream.write("\n[mutmut]\nsource_paths=src/cachetools\npytest_add_cli_args_test_selection=tests\n")
    before = spent()
    log = tree / "mutmut.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(venv / "bin" / "mutmut"), "run", "--max-children", "1"],
            cwd=tree,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    done = 0
    for name in (tree / "mutants").rglob("*.meta"):
        codes = json.loads(name.read_text(encoding="utf-8")).get("exit_code_by_key", {})
        done += sum(code is not None for code in codes.values())
    return {"candidates": done, "cpu_seconds": spent() - before}


def measure_repair(source: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """The production entry point on injected defects."""
    total: dict[str, Any] = {"candidates": 0, "cpu_seconds": 0.0, "defects": 0, "patched": 0, "same_text": 0}
    for number, (good, bad) in enumerate(DEFECTS):
        tree = unpack(source, folder / f"defect-{number}")
        text = (tree / FILE).read_text(encoding="utf-8")
        if good not in text:
            continue
        (tree / FILE).write_text(text.replace(good, bad, 1), encoding="utf-8")
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=tree, env=environment(), capture_output=True, text=True, check=False)
        failing = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
        path = folder / f"spec-{number}.json"
        path.write_text(json.dumps(spec_for(failing, seconds)), encoding="utf-8")
        before = spent()
        done = subprocess.run(
            [sys.executable, "-P", "-B", str(AGENT), "--spec", str(path)],
            cwd=tree,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        result = json.loads(done.stdout.splitlines()[-1])
        total["cpu_seconds"] += spent() - before
        total["candidates"] += result["candidates_tried"]
        total["defects"] += 1
        total["patched"] += result["outcome"] == "patched"
        total["same_text"] += (tree / FILE).read_text(encoding="utf-8") == text
    return total


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the bench; the measured numbers by method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="wall seconds that mutmut may take")
    parser.add_argument("--fresh", type=int, default=8, help="candidates tried by a fresh process each")
    parser.add_argument("--number", type=int, default=1500, help="candidates for our fork server")
    parser.add_argument(
        "--cache", type=Path, default=Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "reeve-bench"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        source = archive(options.cache)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"candidates: skipped, {PACKAGE} {VERSION} cannot be downloaded ({error})")
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {}
        found["judge"], found["fresh"] = measure_judge(unpack(source, folder / "judge"), options.number, options.fresh)
        mutmut = measure_mutmut(unpack(source, folder / "mutmut"), options.cache, options.seconds)
        if mutmut is not None:
            found["mutmut"] = mutmut
        found["repair"] = measure_repair(source, folder, 60.0)
    for one in found.values():
        one["cpu_seconds_each"] = one["cpu_seconds"] / max(1, one["candidates"])
    base = found["fresh"]["cpu_seconds_each"]
    print(
        f"\n{'candidates on cachetools 5.5.0':32}{'tried':>7}{'CPU s':>9}{'CPU s each':>12}{'x fresh':>9}{'x mutmut':>10}"
    )
    for method in ("fresh", "mutmut", "judge", "repair"):
        if method in found:
            each = found[method]["cpu_seconds_each"]
            against = f"{found['mutmut']['cpu_seconds_each'] / each:9.1f}" if "mutmut" in found else ""
            print(
                f"{method:32}{found[method]['candidates']:7}{found[method]['cpu_seconds']:9.1f}{each:12.5f}{base / each:9.1f}{against:>10}"
            )
    judge, repair = found["judge"], found["repair"]
    print(f"fork server and fresh process agree on {judge['agree']} of {judge['compared']} candidates")
    print(
        f"repair: {repair['patched']} of {repair['defects']} injected defects patched, {repair['same_text']} exactly as before the injection"
    )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


if __name__ == "__main__":
    main()
