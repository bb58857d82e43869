"""Run collected pytest items inside a fork: fully, or by the shortest way that decides pass or fail the same."""

from __future__ import annotations

import os
import signal
import types
from typing import Any, Callable, Optional

TICK_SECONDS = 0.05
LAST_TICK = 6
GENERATOR_OR_COROUTINE = 0x3A0
MARKED = frozenset(("xfail", "skipif", "skip", "usefixtures", "asyncio", "anyio"))
"""Marks of items that are not run by a direct call."""


class OutOfTime(BaseException):
    """The CPU limit of one test has passed."""


class CpuLimit:
    """A CPU timer that interrupts Python code; code that swallows it again and again ends the whole process."""

    def __init__(self) -> None:
        self.ticks = 0
        signal.signal(signal.SIGPROF, self._tick)

    def _tick(self, _signal: int, _frame: Optional[types.FrameType]) -> None:
        self.ticks += 1
        if self.ticks >= LAST_TICK:
            os._exit(97)
        raise OutOfTime

    def start(self, seconds: float) -> None:
        """Count ``seconds`` of CPU from now; system time too, which is what runaway memory costs."""
        self.ticks = 0
        signal.setitimer(signal.ITIMER_PROF, seconds, TICK_SECONDS)

    def stop(self) -> None:
        """Stop counting; a tick that comes in between is not an error."""
        stopped = False
        while not stopped:
            try:
                signal.setitimer(signal.ITIMER_PROF, 0)
                stopped = True
            except OutOfTime:
                continue


class Outcome:
    """What one run of one item said: a letter, and for a failure the exception and where it came from.

    p passed, f failed, s skipped, x failed as expected, t out of time.
    """

    def __init__(self) -> None:
        self.letter = "p"
        self.exception = ""
        self.message = ""
        self.frames: list[tuple[str, int, str]] = []


def note_exception(outcome: Outcome, error: BaseException) -> None:
    """Keep the exception's type, message and frames."""
    outcome.exception = type(error).__name__
    try:
        outcome.message = str(error)[:500]
    except Exception:
        outcome.message = ""
    trace = error.__traceback__
    while trace is not None and len(outcome.frames) < 200:
        code = trace.tb_frame.f_code
        outcome.frames.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next


class Recorder:
    """The pytest plugin part that sees the exceptions of the item being run."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self.limit: Optional[CpuLimit] = None

    def pytest_runtest_makereport(self, call: Any) -> None:
        """Stop the clock once something was raised: describing it must not be interrupted."""
        if call.excinfo is not None and self.limit is not None:
            self.limit.stop()

    def pytest_exception_interact(self, call: Any) -> None:
        """Called by pytest when an item raised an exception that counts as a failure."""
        if call.excinfo is not None and not self.outcome.exception:
            note_exception(self.outcome, call.excinfo.value)


def letter_of(reports: list[Any]) -> str:
    """One letter for the reports of setup, call and teardown."""
    letter = ""
    for report in reports:
        if report.outcome == "failed":
            return "f"
        if report.outcome == "skipped":
            letter = "x" if hasattr(report, "wasxfail") else "s"
        elif report.when == "call" and not letter:
            letter = "p"
    return letter or "f"


def run_fully(item: Any, following: Any, recorder: Recorder) -> Outcome:
    """Run an item by pytest's own protocol; ``following`` decides which fixtures stay set up."""
    from _pytest.runner import runtestprotocol

    recorder.outcome = outcome = Outcome()
    reports = runtestprotocol(item, log=False, nextitem=following)
    outcome.letter = letter_of(reports)
    for report in reports:
        if report.outcome == "failed" and not outcome.exception:
            note = getattr(getattr(report.longrepr, "reprcrash", None), "message", "")
            outcome.exception = str(note).split(":")[0][:80]
    if "OutOfTime" in outcome.exception:
        outcome.letter = "t"
    return outcome


def parameters(item: Any) -> Optional[dict[str, Any]]:
    """The arguments of an item that needs no fixture but its direct parameters, or None."""
    if any(mark.name in MARKED for mark in item.iter_markers()):
        return None
    callspec = getattr(item, "callspec", None)
    values = dict(callspec.params) if callspec is not None else {}
    for name in item.fixturenames:
        definitions = item._fixtureinfo.name2fixturedefs.get(name)  # noqa: SLF001
        direct = not definitions or all(one.func.__name__ == "get_direct_param_fixture_func" for one in definitions)
        if name not in values or not direct:
            return None
    return values


def plain_case(item: Any) -> Optional[Callable[[], None]]:
    """A direct call of a unittest test without class or module set-up."""
    import unittest

    case = item.cls
    name = item.originalname or item.name
    method = getattr(case, name, None)
    if not issubclass(case, unittest.TestCase) or issubclass(case, unittest.IsolatedAsyncioTestCase) or method is None:
        return None
    if case.run is not unittest.TestCase.run or case.debug is not unittest.TestCase.debug:
        return None
    for part in ("setUpClass", "tearDownClass"):
        if getattr(case, part).__func__ is not getattr(unittest.TestCase, part).__func__:
            return None
    for part in ("setUpModule", "tearDownModule", "setup_module", "teardown_module"):
        if hasattr(item.module, part):
            return None
    for holder in (case, method):
        if getattr(holder, "__unittest_skip__", False) or getattr(holder, "__unittest_expecting_failure__", False):
            return None
    if any(one != "request" and not one.startswith(("_unittest", "_xunit")) for one in item.fixturenames):
        return None
    return lambda: case(name).debug()


def shortcut(item: Any) -> Optional[Callable[[], None]]:
    """A direct call that decides the same as the protocol, for plain tests; None for everything else."""
    kind = type(item).__name__
    if kind == "TestCaseFunction":
        return plain_case(item)
    function = getattr(item, "obj", None)
    if kind != "Function" or not isinstance(function, (types.FunctionType, types.MethodType)):
        return None
    code = getattr(function, "__code__", None)
    values = parameters(item)
    if values is None or code is None or code.co_flags & GENERATOR_OR_COROUTINE:
        return None
    if any(
        hasattr(item.module, name)
        for name in ("setup_function", "teardown_function", "setup_module", "teardown_module")
    ):
        return None
    if isinstance(function, types.FunctionType):
        return lambda: function(**values)
    owner, name = item.cls, item.originalname
    parts = ("setup_method", "teardown_method", "setup_class", "teardown_class", "setup", "teardown")
    if owner is None or not isinstance(name, str) or any(hasattr(owner, part) for part in parts):
        return None
    return lambda: getattr(owner(), name)(**values)
