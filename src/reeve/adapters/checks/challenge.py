"""The port Challenger: doubts a result that passed, in a sandboxed process apart from its measurement."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from reeve.adapters.checks.canaries import Planted, plant, sample
from reeve.adapters.checks.clean import CleanTree, Done, regular_file
from reeve.adapters.checks.exploration import exploration_plan, take
from reeve.adapters.checks.hidden import with_hidden
from reeve.adapters.checks.junit_check import run_junit
from reeve.adapters.checks.programs import compiled
from reeve.adapters.checks.pytest_check import PLUGIN
from reeve.errors import PatchError, RepositoryError, SandboxError
from reeve.ledger.codec import dumps, encode, loads
from reeve.ports import ChallengeRequest, Fact, Objects, Sandbox, Store, Trees
from reeve.records import Challenge, Ending, Runner, TestOutcome
from reeve.verdict import minimise, surplus

__all__ = ["SandboxedChallenger", "read_report", "same_names"]

FORMAT = 1  # of what is kept: raise it when a challenge of the past would be made differently now
EXAMINER = Path(__file__).parent / "examiner"
REPAIR = Path(__file__).parents[1] / "agents" / "repair"
REPORT_BYTES = 128 << 20
PROBLEM = 500  # characters
BADNESS = (
    TestOutcome.PASSED,
    TestOutcome.XPASSED,
    TestOutcome.SKIPPED,
    TestOutcome.XFAILED,
    TestOutcome.FAILED,
    TestOutcome.ERROR,
)
PATIENCE_SHARE = 0.25
"""How long a test may stand still, as a share of what all of them may take."""


@dataclass
class SandboxedChallenger:
    """Port Challenger. Challenges are kept in the store by a key of everything but their chance."""

    sandbox: Sandbox
    trees: Trees
    objects: Objects
    store: Store
    stop: Callable[[], bool] | None = None  # says that the person wants an end: a run under way is ended
    programs: Path | None = None  # where our own programs are kept compiled; None: nowhere
    _programs: str = field(default="", repr=False)

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Challenge, or find what the same challenge gave before.

        One without a seed is the same as another without one. Raises Interrupted when `stop` says so; nothing else.
        """
        check, key = request.check, key_of(request, self._version())
        if not check.fresh and (known := self._known(key)) is not None:
            return known
        seed = secrets.randbelow(1 << 31) if request.seed is None else request.seed
        empty = Challenge(key, check.tree, seed)
        if not check.environment.ok:
            return replace(empty, problem=check.environment.reason)
        try:
            made = self._made(request, empty)
        except PatchError as error:
            return replace(empty, problem=f"the task's own tests do not fit the tree: {error}")
        except (SandboxError, RepositoryError, OSError) as error:
            return replace(empty, problem=f"the tests could not be run again: {error}")
        if not check.fresh:
            self.store.append(Fact("challenge", key, "", {"artefact": self.store.put(dumps(made))}, time.time()))
        return made

    def _made(self, request: ChallengeRequest, empty: Challenge) -> Challenge:
        check = request.check
        tree = with_hidden(self.objects, check)
        clean = CleanTree(self.sandbox, self.trees, tree, check.environment, check.limits, check.env, self.stop)
        if check.checks.runner is not Runner.PYTEST:
            suite = run_junit(clean, check.checks)
            return replace(
                empty,
                again=suite.tests,
                problem=suite.problem,
                wall_seconds=suite.wall_seconds,
                cpu_seconds=suite.cpu_seconds,
            )
        planted = self._planted(request, tree, empty.seed) if request.canaries else Planted()
        return self._examined(request, clean, planted, empty)

    def _planted(self, request: ChallengeRequest, tree: str, seed: int) -> Planted:
        """Decide on the canaries of this run."""
        draw = Random(seed)  # noqa: S311 - a seed makes it repeatable; who is examined does not know it
        chosen = sample(request.check.checks.required, request.tests, draw)
        sources = {path: content for path in chosen if (content := self.objects.read(tree, path)) is not None}
        return plant(chosen, sources, request.tests, lambda path: self.objects.read(tree, path) is not None, draw)

    def _examined(self, request: ChallengeRequest, clean: CleanTree, planted: Planted, empty: Challenge) -> Challenge:
        """Run the examiner in the sandbox and take what it reports."""
        check, key = request.check, secrets.token_bytes(32)
        sources = self.objects.sources(check.base_tree, check.tree) if request.explore_seconds > 0 else ()
        explore = exploration_plan(replace(request, seed=empty.seed), sources)
        name, more = secrets.token_hex(16), request.explore_seconds if explore is not None else 0.0
        plan = {
            **_selection(request, planted),
            "key": key.hex(),
            "report": name,
            "arguments": list(check.checks.pytest_args),
            "seed": empty.seed,
            "seconds": check.limits.check_seconds,
            "patience_seconds": max(5.0, check.limits.check_seconds * PATIENCE_SHARE),
            "explore": explore,
            "explore_seconds": more,
            "plain_asserts": request.plain_asserts,
        }
        with clean.run(
            (clean.python, "-S", "-B", "/reeve/examiner/__main__.py", "/out/plan", "/reeve/plugin", "/reeve/repair"),
            seconds=check.limits.check_seconds + 30 + (90 + 10 * more if more else 0),
            env={"PYTHONPATH": "", "REEVE_PYTHONPATH": clean.python_path},
            binds={
                "/reeve/examiner": str(compiled(EXAMINER, self.programs)),
                "/reeve/plugin": str(compiled(PLUGIN, self.programs)),
                "/reeve/repair": str(compiled(REPAIR, self.programs)),
            },
            files=planted.files,
            given={"plan": json.dumps(plan).encode()},
        ) as done:
            report = read_report(regular_file(done.out / name, REPORT_BYTES), key)
            made = _taken(request, planted, replace(empty, problem=_why(done)), done, report)
            if explore is None or report is None:
                return made
            found = take(report.get("explored"), request, sources, self.objects)
            return replace(
                made,
                defects=found.defects,
                needed=found.needed,
                complete=found.complete,
                problem=made.problem or found.problem[:PROBLEM],
            )

    def _known(self, key: str) -> Challenge | None:
        fact = self.store.fact("challenge", key)
        return None if fact is None else loads(Challenge, self.store.get(str(fact.body["artefact"])))

    def _version(self) -> str:
        """Name the code that makes canaries and that runs inside."""
        if not self._programs:
            here = Path(__file__).parent
            own = [here / name for name in ("canaries.py", "exploration.py", "inversion.py")]
            own += [Path(minimise.__file__), Path(surplus.__file__)]
            inside = [file for folder in (EXAMINER, PLUGIN, REPAIR) for file in sorted(folder.glob("*.py"))]
            parts = [file.read_bytes() for file in (*own, *inside)]
            self._programs = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
        return self._programs


def _taken(
    request: ChallengeRequest, planted: Planted, empty: Challenge, done: Done, report: Mapping[str, Any] | None
) -> Challenge:
    """Put what was reported into the record; what is not in the form agreed is missing."""
    made = replace(empty, wall_seconds=done.result.wall_seconds, cpu_seconds=done.result.cpu_seconds)
    if report is None:
        return made
    outcomes, alone = _outcomes(report.get("outcomes")), _outcomes(report.get("alone"))
    again = {name: outcome for name, outcome in outcomes.items() if name.split("::", 1)[0] not in planted.files}
    return replace(
        made,
        again=same_names(request.tests, again),
        canaries=planted.told({**alone, **outcomes}, alone, request.check.checks.required),
        problem=str(report.get("problem", ""))[:PROBLEM],
    )


def _selection(request: ChallengeRequest, planted: Planted) -> dict[str, Any]:
    """Say what is to be collected and run: the same tests as in the measurement, and the canaries."""
    check = request.check
    checks = check.checks
    wanted = check.only or checks.wanted
    files = list(dict.fromkeys(entry.split("::", 1)[0].removeprefix("./") for entry in wanted))
    required = list(dict.fromkeys(name.split("::", 1)[0].removeprefix("./") for name in checks.required))
    return {
        "paths": files,
        "outside": [] if wanted else [*required, *checks.hidden_tests],
        "wanted": [entry.rstrip("/") for entry in wanted] or None,
        "planted": planted.ids(),
        "alone": planted.alone(),
        "required": list(checks.required),
    }


def same_names(measured: Mapping[str, TestOutcome], again: Mapping[str, TestOutcome]) -> dict[str, TestOutcome]:
    """Give outcomes of a function's parameters the names they had, where these differ from run to run.

    A time or a random number in an id is another one now. Where as many names of a function are new as are missing,
    each of the missing has the worst outcome of the new.
    """
    missing, new = _by_function(measured.keys() - again.keys()), _by_function(again.keys() - measured.keys())
    renamed = {function: names for function, names in missing.items() if len(new.get(function, ())) == len(names)}
    given = dict(again)
    for function, names in renamed.items():
        worst = max((given.pop(name) for name in new[function]), key=BADNESS.index)
        given.update(dict.fromkeys(names, worst))
    return given


def _by_function(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if name.endswith("]"):
            found.setdefault(name.partition("[")[0], []).append(name)
    return found


def read_report(content: bytes | None, key: bytes) -> Mapping[str, Any] | None:
    """Read what the examiner wrote; None where there is nothing, or where it is not from the one who has the key."""
    sign, _, data = (content or b"").partition(b"\n")
    if not secrets.compare_digest(sign, hashlib.blake2b(data, key=key).hexdigest().encode()):
        return None
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def _outcomes(given: object) -> dict[str, TestOutcome]:
    """Read the outcomes by id; a word that is none counts as a broken test."""
    if not isinstance(given, dict):
        return {}
    known = {outcome.value: outcome for outcome in TestOutcome}
    return {str(name): known.get(str(word), TestOutcome.ERROR) for name, word in given.items()}


def _why(done: Done) -> str:
    """Say why there is no report."""
    how = done.result.reason or "it ended early"
    if done.result.ending in (Ending.FINISHED, Ending.CRASHED):
        how = f"it ended early, with status {done.result.status}"
    lines = [line.strip() for line in done.log.splitlines() if line.strip()]
    said = f"; it printed: {lines[-1][:300]}" if lines else ""
    return f"the tests could not be run again: {how}{said}"


def key_of(request: ChallengeRequest, version: str) -> str:
    """Name a challenge by everything that could change its result, but for a chance that nobody asked for."""
    check, limits = request.check, request.check.limits
    content = {
        "format": FORMAT,
        "version": version,
        "tree": check.tree,
        "base": check.base_tree,
        "checks": encode(check.checks),
        "environment": check.environment.key,
        "limits": [limits.check_seconds, limits.memory_mb, limits.disk_mb, limits.processes, limits.output_mb],
        "env": dict(check.env),
        "only": sorted(check.only),
        "tests": sorted((name, outcome.value) for name, outcome in request.tests.items()),
        "explore": request.explore_seconds,
        "canaries": request.canaries,
        "seed": request.seed,
        "plain_asserts": request.plain_asserts,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
