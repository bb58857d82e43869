"""A pytest plugin that writes what every test did, as it happens; stand-alone, Python 3.8 and pytest 6 or newer.

JSON lines, each numbered by ``n`` from 0, so that a line put in by somebody else shows:
  {"event": "start", "pytest": version}            the session begins
  {"event": "collected", "ids": [...]}             what is going to run
  {"event": "broken", "id", "outcome", "text"}     a file or folder could not be collected (or skips itself)
  {"event": "begin", "id"}                         a test is about to run; the last one without a "test" is where a
                                                   process that died had got to
  {"event": "test", "id", "outcome", "text", "seconds", "cpu"}   a test is done, all its phases together
  {"event": "end", "status"}                       the session ended by itself
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

try:
    from _pytest.unraisableexception import gc_collect_iterations_key
except ImportError:  # pytest before 8.4 does not look
    gc_collect_iterations_key = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXT = 1500  # characters of a message


class Report:
    """Observes one session; `descriptor` is an open file, `select` and `leave_out` are ids (None: no choice)."""

    def __init__(self, descriptor: int, select: Sequence[str] | None = None, leave_out: Iterable[str] = ()) -> None:
        self._descriptor = descriptor
        self._select = None if select is None else frozenset(entry.rstrip("/") for entry in select)
        self._leave_out = frozenset(leave_out)
        self._number = 0
        self._phases: dict[str, list[Any]] = {}
        self._clock: dict[str, float] = {}
        # Kept here, because a tested program may replace them while it runs.
        self._write, self._dumps, self._cpu = os.write, json.dumps, time.process_time
        self._pid = os.getpid()
        self.started = False

    def tell(self, event: str, **content: object) -> None:
        """Write one line; a process that a test forked is not the session and says nothing."""
        if os.getpid() != self._pid:
            return
        content["event"], content["n"] = event, self._number
        self._number += 1
        data = self._dumps(content).encode("ascii") + b"\n"
        while data:
            data = data[self._write(self._descriptor, data) :]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        # At its end pytest would look for garbage again and again, after every test has been told of.
        if gc_collect_iterations_key is not None:
            config.stash[gc_collect_iterations_key] = 0

    def pytest_sessionstart(self) -> None:
        self.started = True
        self.tell("start", pytest=pytest.__version__)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        chosen: list[Any] = []
        rest: list[Any] = []
        for item in items:
            (chosen if self._wanted(item.nodeid) else rest).append(item)
        if rest:
            config.hook.pytest_deselected(items=rest)
            items[:] = chosen

    def pytest_collection_finish(self, session: Any) -> None:
        self.tell("collected", ids=[item.nodeid for item in session.items])

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "passed":
            outcome = "skipped" if report.outcome == "skipped" else "error"
            self.tell("broken", id=report.nodeid, outcome=outcome, text=text_of(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._phases[nodeid] = []
        self._clock[nodeid] = self._cpu()
        self.tell("begin", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._phases.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports = self._phases.pop(nodeid, [])
        outcome, text = outcome_of(reports)
        self.tell(
            "test",
            id=nodeid,
            outcome=outcome,
            text=text,
            seconds=round(sum(getattr(report, "duration", 0.0) for report in reports), 4),
            cpu=round(self._cpu() - self._clock.pop(nodeid, 0.0), 4),
            again=any(report.outcome == "rerun" for report in reports),
        )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self.tell("end", status=int(exitstatus))

    def _wanted(self, nodeid: str) -> bool:
        if nodeid in self._leave_out:
            return False
        return self._select is None or not self._select.isdisjoint(named_by(nodeid))


def named_by(nodeid: str) -> list[str]:
    """List what an entry may say to name a test: its id, function, class, file, or a folder above it."""
    path, _, rest = nodeid.partition("::")
    names = [nodeid, path, "", "."]
    names += [path[:at] for at, letter in enumerate(path) if letter == "/"]
    plain = rest.partition("[")[0]
    names += [f"{path}::{plain[:at]}" for at in range(len(plain)) if plain.startswith("::", at)]
    return [*names, f"{path}::{plain}"]


def outcome_of(reports: Iterable[Any]) -> tuple[str, str]:
    """Sum up the phases of one test: the worst counts; without a passed call there is no pass."""
    reports = list(reports)
    outcome: str | None = None
    text = ""
    for report in reports:
        if report.outcome == "rerun":
            continue
        if report.outcome == "failed":
            # A failure of a subtest is a failure of its test; a broken set-up or tear-down is not the test's own.
            now = "failed" if report.when == "call" else "error"
            if outcome not in ("failed", "error"):
                text = text_of(report)
            outcome = "error" if "error" in {outcome, now} else "failed"
        elif outcome in ("failed", "error") or is_part(report):
            continue
        elif report.outcome == "skipped":
            outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
            text = str(report.wasxfail) if hasattr(report, "wasxfail") else text_of(report)
        elif report.when == "call" and outcome is None:
            outcome = "xpassed" if hasattr(report, "wasxfail") else "passed"
    if outcome in ("passed", "xpassed") and not any(report.when == "teardown" for report in reports):
        return "error", "the test has no report of its tear-down"
    return outcome or "error", text[-TEXT:] if outcome != "passed" else ""


def is_part(report: Any) -> bool:
    """Say whether a report is of a subtest, not of the test as a whole."""
    return type(report).__name__.lower() == "subtestreport"


def text_of(report: Any) -> str:
    """Give the message of a report, short, whatever its representation is."""
    try:
        longrepr = report.longrepr
        if isinstance(longrepr, tuple) and len(longrepr) == 3:
            return str(longrepr[2])[-TEXT:]
        return str(getattr(report, "longreprtext", "") or longrepr or "")[-TEXT:]
    except Exception as error:  # a message that cannot be made must not stop the report
        return f"no message: {type(error).__name__}"
