"""Runs the tests again, differently: collects them, and forks a process for every group that it is told to run.

What decides is what a test raises out of its set-up, its call and its tear-down; no report of pytest is made. Hooks
around a test run as usual, because fixtures and plugins of a project need them. Every outcome goes into a pipe as
one line, `<group> <n> <place> <word>`, where `n` counts the lines of the group from 0 and `word` is "begin" or an
outcome; a line that does not fit the others is seen by the process that reads them.

This module is imported before anything of the project is, and keeps what it needs from then.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from fnmatch import fnmatch
from importlib import import_module
from tempfile import gettempdir
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.assertion import util
from _pytest.runner import CallInfo

from .order import WORST

if TYPE_CHECKING:
    from collections.abc import Callable

    from reeve.adapters.agents.repair.wire import Gone, die_with, end_group, receive, send
    from reeve.adapters.agents.repair.worker import Worker
else:
    from repair.wire import Gone, die_with, end_group, receive, send
    from repair.worker import Worker

try:
    from _pytest.skipping import evaluate_xfail_marks
except ImportError:  # pragma: no cover - pytest before 6.0
    evaluate_xfail_marks = None  # type: ignore[assignment]
try:
    from _pytest.subtests import failed_subtests_key
except ImportError:  # pytest before 9 has no subtests of its own
    failed_subtests_key = None  # type: ignore[assignment]

SKIPPED, XFAILED = pytest.skip.Exception, pytest.xfail.Exception


class Executor:
    """A pytest plugin that runs one item without pytest's reports; `outcome` is what came of the last one."""

    def __init__(self) -> None:
        self.outcome = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> bool:
        self.outcome = ""
        self.outcome = outcome_of(item, *run(item, nextitem))
        return True


def run(item: Any, following: Any) -> tuple[list[BaseException], list[BaseException], list[BaseException]]:
    """Run an item; what was raised by its set-up, by its call and by its tear-down."""
    hook = item.ihook
    # To explain and describe a failure can take longer than all the rest.
    util._reprcompare = None  # noqa: SLF001
    item.repr_failure = item._repr_failure_py = in_short  # noqa: SLF001
    if hasattr(item, "_request") and not item._request:  # noqa: SLF001
        item._initrequest()  # noqa: SLF001
    call: list[BaseException] = []
    setup = raised(item, "setup", lambda: hook.pytest_runtest_setup(item=item))
    if not setup:
        call = raised(item, "call", lambda: hook.pytest_runtest_call(item=item))
    teardown = raised(item, "teardown", lambda: hook.pytest_runtest_teardown(item=item, nextitem=following))
    if hasattr(item, "_request"):
        item._request = False  # noqa: SLF001
        item.funcargs = None
    return setup, call, teardown


def in_short(excinfo: Any, *_: object, **__: object) -> str:
    """Describe a failure by its kind alone."""
    return str(excinfo.typename)


def raised(item: Any, when: Any, phase: Callable[[], object]) -> list[BaseException]:
    """Run one phase; what it raised, and what unittest kept instead of raising it.

    A report is made of it, because fixtures and plugins look for what hooks on reports leave behind. What it says
    does not count.
    """
    found: list[BaseException] = []
    ended = False

    def watched() -> None:
        nonlocal ended
        try:
            phase()
            ended = True
        except BaseException as error:
            found.append(error)
            raise

    info = CallInfo.from_call(watched, when)
    if not ended and not found:
        found.append(RuntimeError("it was not run"))
    found += [one.value for one in getattr(item, "_excinfo", None) or ()]
    with suppress(Exception):
        item.ihook.pytest_runtest_makereport(item=item, call=info)
    if getattr(item, "_excinfo", None):
        del item._excinfo[:]  # noqa: SLF001
    return found


def outcome_of(item: Any, setup: list[BaseException], call: list[BaseException], teardown: list[BaseException]) -> str:
    """Sum up the phases of one item: the worst counts."""
    expected = expected_failure(item)
    words = ["passed" if not setup else ""]
    words += [word_of(error, "error", expected) for error in (*setup, *teardown)]
    words += [word_of(error, "failed", expected) for error in call]
    if not setup and not call:
        if expected is not None:
            words.append("failed" if expected.strict else "xpassed")
        if failed_subtests_key is not None and item.config.stash.get(failed_subtests_key, {}).get(item.nodeid):
            words.append("failed")
    return max((word for word in words if word), key=WORST.index)


def word_of(error: BaseException, word: str, expected: Any) -> str:
    """Say what one exception makes of a test: a skip, a failure as expected, or `word`."""
    case = sys.modules.get("unittest")
    if isinstance(error, XFAILED):
        return "xfailed"
    if isinstance(error, SKIPPED) or (case is not None and isinstance(error, case.SkipTest)):
        return "skipped"
    if expected is not None:
        raises = expected.raises
        if raises is None or (isinstance(raises, (type, tuple)) and isinstance(error, raises)):
            return "xfailed"
        if hasattr(raises, "matches") and raises.matches(error):
            return "xfailed"
    return word


def expected_failure(item: Any) -> Any:
    """Give the mark that says that an item is to fail; None: there is none that holds here."""
    if evaluate_xfail_marks is None or item.config.option.runxfail or item.get_closest_marker("xfail") is None:
        return None
    try:
        return evaluate_xfail_marks(item)
    except BaseException:  # its condition cannot be evaluated, which set-up has raised already
        return None


class Session:
    """A pytest plugin that collects as usual and then, instead of running all tests, runs what it is told to."""

    def __init__(self, channel: socket.socket, outcomes: int, lent: socket.socket, extra: list[str]) -> None:
        self.channel, self.outcomes, self.lent, self.extra = channel, outcomes, lent, extra
        self.broken: list[list[str]] = []
        self.items: list[Any] = []
        self.executor = Executor()
        self.started, self.began = False, time.process_time()
        # Kept here, because a tested program may replace them.
        self._write, self._fork, self._pid, self._exit = os.write, os.fork, os.getpid, os._exit
        self._state, self._restore = random.getstate, random.setstate

    def pytest_sessionstart(self, session: Any) -> None:
        self.started = True
        patterns = session.config.getini("python_files")
        for path in self.extra:
            # Named only where they would not be found: what is named can be told from what is found.
            if not any(fnmatch(os.path.basename(path), pattern) for pattern in patterns):
                patterns.append(os.path.basename(path))
            if not any(covers(given, path) for given in session.config.args):
                session.config.args.append(path)

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "passed":
            self.broken.append([report.nodeid, "skipped" if report.outcome == "skipped" else "error"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        self.items = list({item.nodeid: item for item in reversed(session.items)}.values())[::-1]
        manager = session.config.pluginmanager
        manager.register(self.executor)  # now, so that it comes before those of the project
        busy = len(threading.enumerate()) > 1  # which a fork would not have
        cost = time.process_time() - self.began
        ids = [item.nodeid for item in self.items]
        send(self.channel, {"ids": ids, "broken": self.broken, "busy": busy, "cost": cost})
        try:
            while True:
                request = receive(self.channel)
                if "lend" in request:
                    self.lend(session, request["lend"], request["memory_bytes"])
                elif request["here"]:
                    self.run_group(session, request["group"], request["places"])
                    send(self.channel, {"ended": True})
                else:
                    self.fork_group(session, request["group"], request["places"])
        except Gone:
            self._exit(0)
        return True

    def fork_group(self, session: Any, group: int, places: list[int]) -> None:
        """Run a group in a fork, and say when it has ended, however that was."""
        parent, state = self._pid(), self._state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a process with threads, which are those of libraries here
            pid = self._fork()
        if not pid:
            try:
                os.setpgid(0, 0)
                die_with(parent)
                self.channel.close()
                self.lent.close()
                self._restore(state)  # a fork seeds it anew, and the project may have chosen its seed
                self.run_group(session, group, places)
            finally:
                self._exit(0)
        send(self.channel, {"pid": pid})
        with suppress(OSError):  # a tested program may have asked for no zombies
            os.waitpid(pid, 0)
        end_group(pid)
        send(self.channel, {"ended": True})

    def lend(self, session: Any, places: list[int], memory_bytes: int) -> None:
        """Explore with these items for whoever is at the other end of `lent`, from now on; does not come back."""
        silence(session.config.pluginmanager)
        os.close(self.outcomes)
        worker = Worker(self.lent, os.path.realpath(os.getcwd()), {}, memory_bytes)
        worker.serve(session, [self.items[place] for place in places])

    def run_group(self, session: Any, group: int, places: list[int]) -> None:
        """Run items in this process, telling of each one when it begins and when it ends."""
        own, lines = self._pid(), 0
        order = self.in_order(session, places)
        for number, place in enumerate(order):
            following = self.items[order[number + 1]] if number + 1 < len(order) else None
            item = self.items[place]
            self.tell(own, f"{group} {lines} {place} begin\n")
            self.executor.outcome = ""
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            self.tell(own, f"{group} {lines + 1} {place} {self.executor.outcome or 'error'}\n")
            lines += 2

    def in_order(self, session: Any, places: list[int]) -> list[int]:
        """Let pytest bring tests together that share a costly fixture with parameters, as it always does."""
        numbers = {id(self.items[place]): place for place in places}
        items = [self.items[place] for place in places]
        fixtures = getattr(session, "_fixturemanager", None)
        if fixtures is not None and hasattr(fixtures, "pytest_collection_modifyitems"):
            fixtures.pytest_collection_modifyitems(items=items)
        return [numbers[id(item)] for item in items]

    def tell(self, own: int, line: str) -> None:
        """Write one line; a process that a test forked is not the group, and ends where it would speak for it."""
        if self._pid() != own:
            self._exit(0)
        self._write(self.outcomes, line.encode("ascii"))


def silence(plugins: Any) -> None:
    """Let nobody hear what is printed here, and pytest keep none of it."""
    capture = plugins.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if capture is not None:
        capture._method = "no"  # noqa: SLF001
        capture.start_global_capturing()


def covers(given: str, path: str) -> bool:
    """Say whether what pytest was told to look through has a file in it."""
    folder = os.path.abspath(given.partition("::")[0])
    return os.path.isdir(folder) and os.path.abspath(path).startswith(folder.rstrip(os.sep) + os.sep)


def collect(channel: socket.socket, outcomes: int, lent: socket.socket, told: dict[str, Any]) -> None:
    """Run pytest with a Session; says on the channel why there is none, where there is none."""
    runner = import_module("pytest_plugin.run")
    for name in [name for name in sys.modules if name.split(".")[0] in ("examiner", "repair", "pytest_plugin")]:
        del sys.modules[name]  # the project may have modules of these names
    sys.modules["__main__"] = ModuleType("__main__")  # a process that a test spawns would run the old one again
    sys.path.insert(0, os.getcwd())
    # Other words than those of the measurement: who looks at them to see a test coming sees none here.
    sys.argv[:] = ["-c"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [sys.executable, "-c", ""]
    session = Session(channel, outcomes, lent, told["extra"])
    cache = os.path.join(gettempdir(), "pytest-cache")
    paths = [path for path in told["paths"] if os.path.exists(path)]
    fixed = ["--rootdir=" + os.getcwd(), "-o", "cache_dir=" + cache, *runner.ALWAYS]
    arguments = [*told["arguments"], *fixed, *paths]
    if told["paths"] and not paths:
        send(channel, {"problem": "none of the files with the tests exists"})
        return
    try:
        status = int(pytest.main(arguments + runner.options(), plugins=[session]))
        if status == 4 and not session.started:
            status = int(pytest.main(arguments, plugins=[session]))
        problem = f"the tests could not be collected: pytest ended with status {status}"
    except BaseException as error:
        problem = f"the tests could not be collected: {type(error).__name__}"
    send(channel, {"problem": problem})
