"""Run collected pytest items inside a fork: fully, or by the shortest way that decides pass or fail the same."""

from __future__ import annotations

import os
import signal
import types
from typing import Any, Callable, Optional

TICK_SECONDS = 0.05
LAST_TICK = 6


class OutOfTime(BaseException):
    """The CPU limit of one test has passed."""


class CpuLimit:
    """A CPU timer that interrupts Python code; code that swallows it again and again ends the whole process."""

    def __init__(self) -> None:
        self.ticks = 0
        signal.signal(signal.SIGVTALRM, self._tick)

    def _tick(self, _signal: int, _frame: Optional[types.FrameType]) -> None:
        self.ticks += 1
        if self.ticks >= LAST_TICK:
            os._exit(97)
        raise OutOfTime

    def start(self, seconds: float) -> None:
        """Count ``seconds`` of user CPU from now."""
        self.ticks = 0
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, TICK_SECONDS)

    def stop(self) -> None:
        """Stop counting; a tick that comes in between is not an error."""
        while True:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                return
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
    except Exception:  # noqa: BLE001  (a hostile __str__ is no news)
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
    if type(item).__name__ != "Function" or not isinstance(getattr(item, "obj", None), types.FunctionType):
        return None
    if item.get_closest_marker("xfail") or item.get_closest_marker("skipif") or item.get_closest_marker("skip"):
        return None
    callspec = getattr(item, "callspec", None)
    values = dict(callspec.params) if callspec is not None else {}
    for name in item.fixturenames:
        definitions = item._fixtureinfo.name2fixturedefs.get(name)  # noqa: SLF001
        direct = not definitions or all(one.func.__name__ == "get_direct_param_fixture_func" for one in definitions)
        if name not in values or not direct:
            return None
    code = item.obj.__code__
    if code.co_flags & 0x380 or code.co_argcount + code.co_kwonlyargcount != len(values):  # coroutine or generator
        return None
    return values


def shortcut(item: Any) -> Optional[Callable[[], None]]:
    """A direct call that decides the same as the protocol, for plain test functions; None for everything else."""
    values = parameters(item)
    if values is None or hasattr(item.module, "setup_function") or hasattr(item.module, "setup_module"):
        return None
    function = item.obj
    return lambda: function(**values)
