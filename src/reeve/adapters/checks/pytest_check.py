"""pytest, read through our own plugin: every test by its exact id, as it happens, also where the process dies."""

import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reeve.adapters.checks.clean import CleanTree, regular_file
from reeve.records import Checks, Ending, SandboxResult, TestOutcome
from reeve.units import plural

__all__ = ["NOTHING", "PLUGIN", "Suite", "read_report", "run_pytest"]

PLUGIN = Path(__file__).parent / "pytest_plugin"
REPORT_BYTES = 128 << 20
NOTHING = "none of these exists"
"""How the problem of a run begins whose files are not in the tree."""


@dataclass
class Suite:
    """What one or more processes reported together; `problem` says why some of it is missing."""

    tests: dict[str, TestOutcome] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    flaky: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)  # of each test
    collected: list[str] = field(default_factory=list)
    under_way: str | None = None  # the test at which the process died
    ended: bool = False
    problem: str = ""
    ending: Ending = Ending.FINISHED
    log: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, identifier: str, outcome: TestOutcome, text: str) -> None:
        """Take one outcome; of two for one id the worse counts."""
        before = self.tests.get(identifier)
        if before is None or _BADNESS[outcome] > _BADNESS[before]:
            self.tests[identifier] = outcome
            if text:
                self.messages[identifier] = text

    def join(self, other: "Suite") -> None:
        """Take in what a further process reported."""
        for identifier, outcome in other.tests.items():
            self.add(identifier, outcome, other.messages.get(identifier, ""))
        self.flaky |= other.flaky
        self.seconds |= other.seconds
        self.collected += [name for name in other.collected if name not in set(self.collected)]
        self.log += other.log
        self.wall_seconds += other.wall_seconds
        self.cpu_seconds += other.cpu_seconds


_BADNESS = {
    TestOutcome.PASSED: 0,
    TestOutcome.XPASSED: 1,
    TestOutcome.SKIPPED: 2,
    TestOutcome.XFAILED: 3,
    TestOutcome.FAILED: 4,
    TestOutcome.ERROR: 5,
}


def run_pytest(clean: CleanTree, checks: Checks, only: tuple[str, ...] = (), plugin: Path = PLUGIN) -> Suite:
    """Run the tests once. Where the process dies in a test, that test is broken and the rest runs once without it.

    With `only` these ids alone run; else what `keep` names and the required ids, or the whole suite as the project
    configures it.
    """
    wanted = only or checks.wanted
    suite = _session(clean, checks, wanted, (), plugin)
    culprit = suite.under_way
    if suite.ended or culprit is None:
        return suite
    suite.add(culprit, TestOutcome.ERROR, suite.problem)
    suite.problem, suite.under_way = "", None
    if set(suite.collected) <= suite.tests.keys():
        return suite
    rest = _session(clean, checks, wanted, tuple(suite.tests), plugin)
    suite.join(rest)
    suite.problem, suite.ending = rest.problem, rest.ending
    if rest.under_way is not None:
        suite.add(rest.under_way, TestOutcome.ERROR, rest.problem)
    return suite


def _session(
    clean: CleanTree, checks: Checks, wanted: tuple[str, ...], leave_out: tuple[str, ...], plugin: Path
) -> Suite:
    """Start one pytest process and read its report."""
    name = f"{secrets.token_hex(16)}.jsonl"
    plan = {
        "arguments": list(checks.pytest_args),
        "paths": list(dict.fromkeys(_file(entry) for entry in wanted)),
        "select": list(wanted) or None,
        "leave_out": list(leave_out),
    }
    with clean.run(
        (clean.python, "-B", "/reeve/pytest/run.py", "/reeve/plan.json"),
        seconds=clean.limits.check_seconds,
        env={"REEVE_REPORT": f"/out/{name}"},
        binds={"/reeve/pytest": str(plugin)},
        shown={"/reeve/plan.json": json.dumps(plan).encode()},
    ) as done:
        suite = read_report(regular_file(done.out / name, REPORT_BYTES))
        suite.log, suite.ending = done.log, done.result.ending
        suite.wall_seconds, suite.cpu_seconds = done.result.wall_seconds, done.result.cpu_seconds
        _conclude(suite, done.result)
        return suite


def _conclude(suite: Suite, result: SandboxResult) -> None:
    """Decide whether a session is whole: what it says of its end counts less than that every test is reported."""
    left = [name for name in suite.collected if name not in suite.tests]
    by_itself = result.ending in (Ending.FINISHED, Ending.CRASHED)
    # Some projects end the process hard in their last hook; some leave a thread that never ends.
    suite.ended = by_itself and not left and (suite.ended or (suite.collected != [] and suite.under_way is None))
    if suite.ended:
        suite.ending = Ending.FINISHED  # a status that is not 0 is how pytest says that tests failed
    elif not suite.problem:
        suite.problem = _why(suite, left, result)


def read_report(content: bytes | None) -> Suite:
    """Read what the plugin wrote; hostile and torn content gives a problem, never an exception."""
    suite = Suite()
    for number, line in enumerate((content or b"").split(b"\n")):
        if not line:
            continue
        try:
            event = json.loads(line)
            if event["n"] != number:
                suite.problem = (
                    f"the report of the tests was tampered with: line {number} says it is {event['n']!r:.20}"
                )
                suite.ended = False
                return suite
            _take(suite, event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            break  # torn by the end of the process, or not ours: what was read counts, what was not is missing
    return suite


def _take(suite: Suite, event: dict[str, Any]) -> None:
    match event["event"]:
        case "collected":
            suite.collected = [str(name) for name in event["ids"]]
        case "broken":
            suite.add(str(event["id"]), TestOutcome(event["outcome"]), str(event["text"]))
        case "begin":
            suite.under_way = str(event["id"])
        case "test":
            identifier = str(event["id"])
            suite.add(identifier, TestOutcome(event["outcome"]), str(event["text"]))
            suite.seconds[identifier] = float(event["seconds"])
            if event.get("again"):
                suite.flaky.add(identifier)
            suite.under_way = None
        case "end":
            suite.ended = True
            if event["status"] == 4:
                suite.problem = "pytest could not use its arguments or configuration"
        case "no-pytest":
            suite.problem = f"pytest is not in the environment ({event['text']}): name it in `setup`"
        case "nothing":
            suite.problem = str(event["text"])


def _why(suite: Suite, left: list[str], result: SandboxResult) -> str:
    """Say in one sentence why a session is not whole."""
    how = result.reason or "it ended early"
    if result.ending in (Ending.FINISHED, Ending.CRASHED):
        how = f"it ended early, with status {result.status}"
    if suite.under_way is not None:
        return f"{how}, while {suite.under_way} was running"
    if suite.collected and not left:
        return f"every test was reported, and then the process did not end: {how}"
    if suite.collected:
        done = len(suite.collected) - len(left)
        return f"{how}, after {done} of {plural(len(suite.collected), 'test')}"
    lines = [line.strip() for line in suite.log.splitlines() if line.strip()]
    # What broke is named in a line of its own; what was printed last is often only where.
    named = [line for line in lines if re.search(r"\b\w*[Ee]rror: ", line)]
    said = f"; it printed: {(named or lines)[-1][:300]}" if lines else ""
    return f"the tests could not be collected: {how}{said}"


def _file(entry: str) -> str:
    return entry.split("::", 1)[0].removeprefix("./")
