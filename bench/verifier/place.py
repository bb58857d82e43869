"""The place where patches are made and measured: a reeve world of its own, and plain test runs in its sandbox."""

import ctypes
import hashlib
import json
import os
import signal
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pygit2

from reeve.adapters.checks.clean import CleanTree, regular_file
from reeve.cli.start import open_world
from reeve.durable.world import World
from reeve.ports import CheckRequest, Fact
from reeve.records import (
    Base,
    Checks,
    Environment,
    HiddenFile,
    Limits,
    Measurement,
    Outcome,
    RepoSource,
    Task,
    TestOutcome,
)
from reeve.settings import read_settings
from reeve.task.build import sealed

__all__ = ["LIMITS", "Files", "Place", "Plain", "begin_worker", "commit", "good"]

INSIDE = Path(__file__).parent / "inside.py"
LIMITS = Limits(check_seconds=60, memory_mb=1024, disk_mb=256)
"""Of one run: far more than any of the suites needs, on a busy machine too; what loops for ever ends here."""
REPORT_BYTES = 64 << 20
AT_UTC = 946_684_800
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

Files = dict[str, tuple[bytes, bool]]


@dataclass(frozen=True, slots=True)
class Plain:
    """What somebody sees who runs pytest and believes it: its exit status, and its report of each test."""

    status: int | None
    tests: Mapping[str, str]  # classname.name -> passed, failed, skipped
    cpu_seconds: float
    wall_seconds: float


@dataclass
class Place:
    """One world in a folder; opened in the process that uses it."""

    folder: Path
    setup: str = ""

    @cached_property
    def world(self) -> World:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "reeve.toml").touch()
        return open_world(replace(read_settings(self.folder, os.environ), workers=1))

    def task(self, name: str, repo: Path, env: Mapping[str, str], checks: Checks, base: str = "main") -> Task:
        task = Task(
            id=name,
            instruction=f"Repair what makes the required tests of {name} fail.",
            repo=RepoSource(path=str(repo)),
            base=base,
            checks=checks,
            limits=LIMITS,
            setup=self.setup,
            env=dict(env),
            source="bench:1",
        )
        return sealed(task, repo.parent)

    def base(self, task: Task) -> Base:
        return self.world.objects.import_base(self.world.repository_of(task), task.base)

    def environment(self, task: Task, base: Base) -> Environment:
        environment = self.world.environments.prepare(task, base)
        if not environment.ok:
            raise RuntimeError(f"{task.id}: {environment.reason}")
        return environment

    def tree(self, base: Base, files: Mapping[str, bytes | None]) -> str:
        """Return the base with files put in, replaced or (None) removed."""
        put = {path: None if content is None else (content, False) for path, content in files.items()}
        return self.world.objects.write(base.tree, put)

    def tests(self, task: Task, base: Base, tree: str, only: Sequence[str] = (), *, runs: int = 1) -> Measurement:
        """Run the whole suite of a tree, or some test functions; kept by everything that could change it."""
        environment = self.environment(task, base)
        request = CheckRequest(
            tree, base.tree, task.checks, environment, task.limits, task.env, only=tuple(only), runs=runs
        )
        return self.world.check.measure(request)

    def believed(self, task: Task, base: Base, tree: str) -> Plain:
        """Return what a plain run says of a tree, run once: what it costs is not asked for."""
        key = hashlib.sha256(repr((tree, task.checks.pytest_args, dict(task.env), self.setup)).encode()).hexdigest()
        return Plain(**self._once("bench-plain", key, lambda: asdict(self.plain(task, base, tree))))

    def plain(self, task: Task, base: Base, tree: str, hidden: Sequence[HiddenFile] = ()) -> Plain:
        """Run one fresh sandboxed pytest on a tree just as it is, and read what it says."""
        if hidden:
            tree = self.world.objects.write(tree, {file.path: (file.content, False) for file in hidden})
        argv = ("-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=/out/report.xml")
        clean = self._clean(task, base, tree)
        with clean.run((clean.python, *argv, *task.checks.pytest_args), seconds=task.limits.check_seconds) as done:
            report = regular_file(done.out / "report.xml", REPORT_BYTES)
            used = done.result
            return Plain(used.status, _junit(report or b""), used.cpu_seconds, used.wall_seconds)

    def traced(
        self, task: Task, base: Base, tree: str, tests: Sequence[str] = (), target: tuple[str, int] | None = None
    ) -> dict[str, Any]:
        """Run released code and say which functions each test called, and what `target` was called with; once."""
        what = repr((tree, sorted(tests), target, task.checks.pytest_args, dict(task.env), self.setup))
        key = hashlib.sha256(what.encode() + INSIDE.read_bytes()).hexdigest()
        return self._once("bench-trace", key, lambda: self._traced(task, base, tree, tests, target))

    def _once(self, kind: str, key: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        store = self.world.journal.store
        fact = store.fact(kind, key)
        if fact is None:
            artefact = store.put(json.dumps(make()).encode())
            fact = store.append(Fact(kind, key, "", {"artefact": artefact}, time.time()))
        return dict(json.loads(store.get(str(fact.body["artefact"]))))

    def _traced(
        self, task: Task, base: Base, tree: str, tests: Sequence[str], target: tuple[str, int] | None
    ) -> dict[str, Any]:
        clean = self._clean(task, base, tree)
        plan = {
            "out": "/out/trace.json",
            "tests": list(tests),
            "arguments": list(task.checks.pytest_args),
            "target": target,
        }
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "plan.json"
            file.write_text(json.dumps(plan))
            file.chmod(0o644)
            binds = {"/reeve/inside.py": str(INSIDE), "/reeve/plan.json": str(file)}
            argv = (clean.python, "-B", "/reeve/inside.py", "/reeve/plan.json")
            with clean.run(argv, seconds=300, binds=binds) as done:
                found = regular_file(done.out / "trace.json", REPORT_BYTES)
                if found is None:
                    raise RuntimeError(f"{task.id}: tracing the tests gave nothing: {done.log[-600:]}")
                return json.loads(found)

    def _clean(self, task: Task, base: Base, tree: str) -> CleanTree:
        environment = self.environment(task, base)
        return CleanTree(self.world.sandbox, self.world.trees, tree, environment, task.limits, task.env)


def begin_worker() -> None:
    """End with whoever started this process, and take in processes whose starter has ended."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def good(outcome: TestOutcome | None) -> bool:
    return outcome in (TestOutcome.PASSED, TestOutcome.XPASSED)


def _junit(report: bytes) -> dict[str, str]:
    try:
        root = ET.fromstring(report)
    except ET.ParseError:
        return {}
    found = {}
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = (
            "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else Outcome.PASSED.value
        )
        found[f"{case.get('classname')}.{case.get('name')}"] = outcome
    return found


def commit(folder: Path, files: Files, message: str) -> Path:
    """Make a bare repository of one commit on main, under a name made of its content; no hook or filter runs."""
    digest = hashlib.sha256()
    for path, (content, executable) in sorted(files.items()):
        digest.update(f"{path}\0{executable}\0{len(content)}\0".encode() + content)
    target = folder.with_name(f"{folder.name}-{digest.hexdigest()[:12]}")
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    repository = pygit2.init_repository(str(made), bare=True, initial_head="refs/heads/main")
    for path, (content, executable) in files.items():
        mode = pygit2.enums.FileMode.BLOB_EXECUTABLE if executable else pygit2.enums.FileMode.BLOB
        repository.index.add(pygit2.IndexEntry(path, repository.create_blob(content), mode))
    who = pygit2.Signature("bench", "bench@localhost", AT_UTC, 0)
    repository.create_commit("refs/heads/main", who, who, message, repository.index.write_tree(), [])
    made.chmod(0o755)
    made.rename(target)
    return target
