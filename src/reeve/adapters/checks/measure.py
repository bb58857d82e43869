"""The port Check: measures a tree in fresh sandboxed processes, and never the same tree twice."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reeve.adapters.checks.clean import LOG_BYTES, CleanTree
from reeve.adapters.checks.command_check import run_command
from reeve.adapters.checks.hidden import with_hidden
from reeve.adapters.checks.junit_check import run_junit
from reeve.adapters.checks.programs import compiled
from reeve.adapters.checks.pytest_check import NOTHING, PLUGIN, Suite, run_pytest
from reeve.errors import PatchError, RepositoryError, SandboxError
from reeve.ledger.codec import dumps, encode, loads
from reeve.ports import CheckRequest, Fact, Objects, Sandbox, Store, Trees
from reeve.records import Checks, Ending, Measurement, Runner, TestOutcome

__all__ = ["SandboxedCheck", "key_of"]

FORMAT = 1  # of what is kept: raise it when a measurement of the past would be made differently now
MOST_RUNS = 3  # a measurement of more runs than asked for serves as well
MESSAGE = 1500  # characters


@dataclass
class SandboxedCheck:
    """Port Check. Measurements are kept in the store by a key of everything that could change them."""

    sandbox: Sandbox
    trees: Trees
    objects: Objects
    store: Store
    stop: Callable[[], bool] | None = None  # says that the person wants an end: a run under way is ended
    programs: Path | None = None  # where our own programs are kept compiled; None: nowhere
    _plugin: str = field(default="", repr=False)

    def measure(self, request: CheckRequest) -> Measurement:
        """Measure, or find the measurement of the same tree by the same checks in the same environment.

        Where the whole suite is to be kept it is measured once for all tasks of a tree, whichever ids they require.
        Raises Interrupted when `stop` says so; nothing else is raised.
        """
        if not request.environment.ok:
            key = key_of(request, self._version())
            return Measurement(key, request.tree, problem=request.environment.reason, ending=Ending.SANDBOX_FAILED)
        checks = request.checks
        if request.only or checks.keep or not checks.required:
            return self._found_or_made(request)
        whole = self._found_or_made(request, whole=True)
        outside = _outside(checks, whole)
        if not outside or whole.problem:
            return whole
        return self._with_more(request, whole, self._found_or_made(replace(request, only=outside)))

    def _found_or_made(self, request: CheckRequest, *, whole: bool = False) -> Measurement:
        if not request.fresh:
            for runs in range(request.runs, max(request.runs, MOST_RUNS) + 1):
                key = key_of(replace(request, runs=runs), self._version(), whole=whole)
                if (known := self._known(key)) is not None:
                    return known
        key = key_of(request, self._version(), whole=whole)
        try:
            measured = self._measured(request, key)
        except (SandboxError, RepositoryError, OSError) as error:
            problem = f"the checks could not run: {error}"
            return Measurement(key, request.tree, problem=problem, ending=Ending.SANDBOX_FAILED)
        if not request.fresh:
            self._keep(measured)
        return measured

    def _measured(self, request: CheckRequest, key: str) -> Measurement:
        try:
            tree = with_hidden(self.objects, request)
        except PatchError as error:
            return Measurement(key, request.tree, problem=f"the task's own tests do not fit the tree: {error}")
        clean = CleanTree(self.sandbox, self.trees, tree, request.environment, request.limits, request.env, self.stop)
        runs: list[_Run] = []
        while len(runs) < request.runs:
            runs.append(_once(clean, request, compiled(PLUGIN, self.programs)))
            if runs[-1].suite.problem:
                break  # it would only be found again
        return _joined(runs, Measurement(key, request.tree), self.store)

    def _with_more(self, request: CheckRequest, whole: Measurement, more: Measurement) -> Measurement:
        """Put required tests that the suite as configured does not collect beside those that it does."""
        missing = more.problem.startswith(NOTHING)  # their files do not exist: that the ids are missing says it all
        joined = replace(
            whole,
            key=key_of(request, self._version()),
            tests={**more.tests, **whole.tests},
            flaky=tuple(sorted({*whole.flaky, *more.flaky})),
            problem="" if missing else more.problem,
            messages={**more.messages, **whole.messages},
            wall_seconds=whole.wall_seconds + more.wall_seconds,
            cpu_seconds=whole.cpu_seconds + more.cpu_seconds,
            ending=whole.ending if missing else more.ending,
        )
        if not request.fresh:
            self._keep(joined)
        return joined

    def _known(self, key: str) -> Measurement | None:
        fact = self.store.fact("measurement", key)
        return None if fact is None else loads(Measurement, self.store.get(str(fact.body["artefact"])))

    def _keep(self, measured: Measurement) -> None:
        artefact = self.store.put(dumps(measured))
        self.store.append(Fact("measurement", measured.key, "", {"artefact": artefact}, time.time()))

    def _version(self) -> str:
        """Name the code that runs inside: with another plugin an old measurement is not the same."""
        if not self._plugin:
            parts = [file.read_bytes() for file in sorted(PLUGIN.glob("*.py"))]
            self._plugin = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
        return self._plugin


@dataclass(frozen=True, slots=True)
class _Run:
    suite: Suite
    commands: dict[str, TestOutcome]
    numbers: dict[str, float] = field(default_factory=dict)


def _once(clean: CleanTree, request: CheckRequest, plugin: Path) -> _Run:
    """Run the tests and the commands once, each in a workspace of its own; `plugin` is our program inside."""
    checks, suite = request.checks, Suite(ended=True)
    commands: dict[str, TestOutcome] = {}
    numbers: dict[str, float] = {}
    if request.only or checks.keep or checks.required:
        junit = checks.runner is Runner.JUNIT
        suite = run_junit(clean, checks) if junit else run_pytest(clean, checks, request.only, plugin)
    if request.only:
        return _Run(suite, commands)
    for check in checks.commands:
        done = run_command(clean, check)
        commands[check.name] = done.outcome
        if done.number is not None:
            numbers[check.name] = done.number
        if done.message:
            suite.messages[check.name] = done.message[-MESSAGE:]
        suite.wall_seconds += done.result.wall_seconds
        suite.cpu_seconds += done.result.cpu_seconds
        suite.log += f"$ {check.command}\n{done.log}"
    return _Run(suite, commands, numbers)


def _joined(runs: list[_Run], empty: Measurement, store: Store) -> Measurement:
    """Put runs of one tree together: the worst outcome counts, and who disagreed with himself is flaky."""
    first, last = runs[0].suite, runs[-1].suite
    whole = [run for run in runs if not run.suite.problem] or runs
    flaky = set().union(*(run.suite.flaky for run in whole))
    tests = Suite()
    for run in whole:
        for name in first.tests.keys() | run.suite.tests.keys():
            if run.suite.tests.get(name) != whole[0].suite.tests.get(name):
                flaky.add(name)
    for run in whole:
        for name, outcome in run.suite.tests.items():
            tests.add(name, outcome, run.suite.messages.get(name, ""))
    commands = dict(runs[0].commands)
    for run in whole:
        commands |= {name: outcome for name, outcome in run.commands.items() if outcome is not TestOutcome.PASSED}
    names = [name for run in whole for name in run.suite.messages if name in commands]
    messages = tests.messages | {name: run.suite.messages[name] for run in whole for name in names}
    log = "".join(run.suite.log for run in runs)[-LOG_BYTES:]
    return replace(
        empty,
        tests=tests.tests,
        commands=commands,
        numbers=runs[-1].numbers,
        flaky=tuple(sorted(flaky)),
        problem=last.problem,
        runs=len(runs),
        messages=messages,
        log=store.put(log.encode()) if log else "",
        wall_seconds=sum(run.suite.wall_seconds for run in runs) / len(runs),
        cpu_seconds=sum(run.suite.cpu_seconds for run in runs) / len(runs),
        ending=last.ending,
    )


def _outside(checks: Checks, whole: Measurement) -> tuple[str, ...]:
    """List the files of required and hidden tests that the suite, as the project configures it, does not collect."""
    if checks.runner is not Runner.PYTEST:
        return ()
    files = {name.split("::", 1)[0] for name in whole.tests}
    named = {name.split("::", 1)[0].removeprefix("./") for name in checks.required}
    return tuple(sorted({*named, *checks.hidden_tests} - files))


def key_of(request: CheckRequest, version: str, *, whole: bool = False) -> str:
    """Name a measurement by everything that could change its result; of a `whole` suite no id can."""
    limits = request.limits
    checks = replace(request.checks, required=()) if whole else request.checks
    content = {
        "format": FORMAT,
        "version": version,
        "tree": request.tree,
        "checks": encode(checks),
        "whole": whole,
        "environment": request.environment.key,
        "limits": [limits.check_seconds, limits.memory_mb, limits.disk_mb, limits.processes, limits.output_mb],
        "env": dict(request.env),
        "only": sorted(request.only),
        "runs": request.runs,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
