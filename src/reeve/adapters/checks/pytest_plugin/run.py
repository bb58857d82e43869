"""Runs pytest in a sandbox with the report plugin; started as a script, so nothing of the tree is on its path.

The plan is read from the file that the first argument names; the report file from the environment, once. Stand-alone,
Python 3.8 and newer. Its exit status says nothing.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from tempfile import gettempdir

ALWAYS = ("--continue-on-collection-errors", "--maxfail=0", "--color=no", "--tb=short")
HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> int:
    """Import pytest before the tree is on the path, then run what the plan says."""
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    descriptor = os.open(os.environ.pop("REEVE_REPORT"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    os.set_inheritable(descriptor, False)
    gc.disable()  # nothing of what is imported is garbage
    try:
        import pytest

        reeve_report = import_module("reeve_report")
    except ImportError as error:
        line = {"event": "no-pytest", "n": 0, "text": f"{sys.executable}: {error}"}
        os.write(descriptor, json.dumps(line).encode("ascii") + b"\n")
        return 1
    if hasattr(gc, "freeze"):  # and back: now it is old, and not looked at again and again
        gc.freeze()
        gc.unfreeze()
    gc.enable()
    # From here on as `python -m pytest` would do; the folder of this script is nobody's business.
    sys.path[:] = [os.getcwd(), *(path for path in sys.path if os.path.abspath(path or ".") != HERE)]
    sys.argv[:] = ["pytest"]
    report = reeve_report.Report(descriptor, plan["select"], plan["leave_out"])
    cache = os.path.join(gettempdir(), "pytest-cache")
    fixed = [f"--rootdir={os.getcwd()}", "-o", f"cache_dir={cache}", *ALWAYS]
    paths = [path for path in plan["paths"] if os.path.exists(path)]
    arguments = [*plan["arguments"], *fixed, *paths]
    if plan["paths"] and not paths:
        report.tell("nothing", text=f"none of these exists: {', '.join(plan['paths'][:20])}")
        return 1
    status = pytest.main(arguments + options(), plugins=[report])
    if int(status) == 4 and not report.started:
        # The project's configuration may not go with our options: then without them.
        status = pytest.main(arguments, plugins=[report])
    return int(status)


def options() -> list[str]:
    """Make plugins that are installed repeat themselves: no coverage, no workers, no random order, one seed."""
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return []
    from importlib.util import find_spec

    wanted = (
        ("pytest_cov", ["--no-cov"]),
        ("xdist", ["-n0"]),
        ("pytest_randomly", ["-p", "no:randomly"]),
        ("hypothesis", ["--hypothesis-seed=0"]),
    )
    return [word for module, words in wanted if find_spec(module) is not None for word in words]


def leave(status: int) -> None:
    """End as the interpreter does, but without taking it apart, which no test can see and takes as long as many tests.

    Threads that are waited for and functions for the end have their turn: where these do not end, it must show.
    """
    with suppress(AttributeError):  # these are CPython's own
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    leave(main())
