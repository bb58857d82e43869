"""The fork server: processes that are warm up to just before what a candidate could change.

    agent -> zygote (pytest and third-party modules imported, never the project)
               -> warm (project imported, session collected)  -> one fork per batch of candidates
               -> one fork per candidate that needs the project imported anew (edits outside functions)

Every answer of a warm process can be checked by ``fresh``: a new interpreter on the edited files.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
from typing import Any, Optional

from .edited import from_source
from .edited import serve as serve_edited
from .items import letter_of
from .spec import Spec
from .wire import Gone, Slots, cpu_seconds, descriptor_of, die_with, end_group, receive, send, watch
from .worker import Worker, limit_memory

QUIET = {
    "xdist": ["-n0"], "pytest_cov": ["--no-cov"], "pytest_timeout": ["--timeout=0"],
    "pytest_randomly": ["-p", "no:randomly"], "pytest_rerunfailures": ["--reruns=0"],
    "pytest_benchmark": ["--benchmark-disable"], "pytest_sugar": ["-p", "no:sugar"],
}  # fmt: skip


class Failure(Exception):
    """The project's tests cannot be run at all; the message says why."""


def pytest_arguments(spec: Spec, root: str) -> list[str]:
    """Arguments for every pytest run of ours: the task's own, without plugins that spread, measure or rerun."""
    arguments = [*spec.pytest_args, "-p", "no:cacheprovider", "-q", "--rootdir", root]
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        for module, extra in QUIET.items():
            try:
                if importlib.util.find_spec(module) is not None:
                    arguments += extra
            except (ImportError, ValueError):
                continue
    return arguments


def prepare_process(spec: Spec, root: str) -> None:
    """Make this process a place where the project can be imported and nobody hears its prints."""
    os.chdir(root)
    sys.dont_write_bytecode = True
    from_source(root)
    for entry in reversed(spec.python_path):
        path = os.path.normpath(os.path.join(root, entry))
        if path not in sys.path:
            sys.path.insert(0, path)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin, sys.stdout, sys.stderr = (open(n, mode) for n, mode in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def import_plugins() -> None:
    """Import what pytest itself imports at the start of every session, once and before the tree can be found."""
    try:
        import pdb  # noqa: F401, T100
        from _pytest.config import default_plugins

        for name in default_plugins:
            importlib.import_module("_pytest." + name)
    except ImportError:
        return


def be_brief() -> None:
    """Let pytest describe no failure in this process: that costs far more than finding it."""
    from _pytest._code import ExceptionInfo

    ExceptionInfo.getrepr = lambda self, *_, **__: str(self.typename)  # type: ignore[method-assign, assignment]


class Reporter:
    """The pytest plugin that writes the outcome of every item to a file of our own; ``select`` None runs all."""

    def __init__(self, write: Any, select: Optional[list[str]] = None) -> None:
        self.write = write
        self.select = None if select is None else frozenset(select)
        self.reports: list[Any] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out what was not asked for: thousands of ids as arguments would take pytest a long time."""
        if self.select is not None:
            items[:] = [item for item in items if item.nodeid in self.select]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Gather the reports of one item."""
        self.reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write the item's outcome."""
        self.write(nodeid, letter_of([one for one in self.reports if one.nodeid == nodeid]))
        self.reports.clear()


class Leaving:
    """The pytest plugin that ends the process with its last test: taking the session down says nothing more."""

    def pytest_sessionfinish(self) -> None:
        """Called when every item was run."""
        os._exit(0)


class Zygote:
    """Runs in the forked server process; never imports the project itself."""

    def __init__(self, spec: Spec, root: str, own: socket.socket, warm: socket.socket, sources: list[str]) -> None:
        self.spec, self.root, self.own, self.warm, self.sources = spec, root, own, warm, sources
        self.warm_pid = 0

    def run(self) -> None:
        """Answer requests until the agent goes away."""
        import_plugins()
        prepare_process(self.spec, self.root)
        try:
            import pytest
        except ImportError:
            send(self.own, {"error": "pytest is not installed in the task's environment"})
            return
        gc.freeze()
        send(self.own, {"pytest": pytest.__version__})
        try:
            while True:
                request = receive(self.own)
                send(self.own, getattr(self, "do_" + request["op"])(request))
        except Gone:
            self._end_warm()

    def _end_warm(self) -> None:
        """End the warm process and wait for it, so that its CPU time is counted as ours."""
        if self.warm_pid:
            end_group(self.warm_pid)
            os.waitpid(self.warm_pid, 0)
            self.warm_pid = 0

    def do_warm(self, request: dict[str, Any]) -> dict[str, Any]:
        """Fork the warm process; it speaks on a connection of its own."""
        self._end_warm()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                os.setpgid(0, 0)
                die_with(parent)
                self.own.close()
                self._collect(request["arguments"])
            finally:
                os._exit(0)
        self.warm_pid = pid
        return {"pid": pid}

    def _collect(self, arguments: list[str]) -> None:
        import pytest

        worker = Worker(self.warm, self.root, {path: path for path in self.sources}, self.spec.memory_bytes)
        own = ["-s", "--assert=plain", "--continue-on-collection-errors"]
        try:
            code = int(pytest.main([*arguments, *own], plugins=[worker]))
        except BaseException as error:
            code = -1
            worker.errors.append(f"{type(error).__name__}: {error}")
        send(self.warm, {"error": f"pytest ended with code {code} before any test", "errors": worker.errors[:20]})

    def do_anew(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run items with the project imported from edited sources, in one fork; letters by node id."""
        slots = Slots(8)
        with tempfile.TemporaryFile() as stream:
            parent = os.getpid()
            pid = os.fork()
            if not pid:
                try:
                    os.setpgid(0, 0)
                    die_with(parent)
                    limit_memory(self.spec.memory_bytes)
                    self._run_anew(request, slots, stream.fileno())
                finally:
                    os._exit(0)
            limit = request["cpu_seconds"]
            ended = watch(pid, lambda: slots.index, limit, 6.0 + limit * 3)
            stream.seek(0)
            lines = stream.read().decode("utf-8", "replace").splitlines()
        slots.close()
        return {"letters": dict(json.loads(line) for line in lines), "ended": ended}

    def _run_anew(self, request: dict[str, Any], slots: Slots, out: int) -> None:
        import pytest

        edited = {os.path.join(self.root, path): text.encode("latin-1") for path, text in request["edited"].items()}
        serve_edited(edited)

        def write(nodeid: str, letter: str) -> None:
            slots.index += 1
            os.write(out, (json.dumps([nodeid, letter]) + "\n").encode("utf-8"))

        own = ["-s", "--assert=plain"] + (["-x"] if request.get("stop", True) else [])
        be_brief()
        pytest.main([*request["arguments"], *own], plugins=[Reporter(write, request.get("select")), Leaving()])


class Server:
    """The agent's side of the fork server."""

    def __init__(self, spec: Spec, root: str, sources: list[str]) -> None:
        self.spec, self.root, self.sources = spec, root, sources
        self.own, own_far = socket.socketpair()
        self.warm, warm_far = socket.socketpair()
        self.warm_pid = 0
        self.warm_handle = -1
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setpgid(0, 0)
                die_with(parent)
                self.own.close()
                self.warm.close()
                Zygote(spec, root, own_far, warm_far, sources).run()
            finally:
                os._exit(0)
        own_far.close()
        warm_far.close()
        hello = receive(self.own, 120.0)
        if "error" in hello:
            raise Failure(hello["error"])

    def collect(self, arguments: list[str], seconds: float) -> dict[str, Any]:
        """Start the warm process; its items and collection errors, or Failure."""
        send(self.own, {"op": "warm", "arguments": arguments})
        self.warm_pid = receive(self.own, 60.0)["pid"]
        if self.warm_handle >= 0:
            os.close(self.warm_handle)
        self.warm_handle = descriptor_of(self.warm_pid)
        try:
            found: dict[str, Any] = receive(self.warm, seconds, self.warm_handle)
        except Gone as error:
            raise Failure(f"the tests cannot be collected: their process: {error}") from error
        if "error" in found:
            detail = found["errors"][0].strip().splitlines()[-1] if found.get("errors") else ""
            raise Failure(f"the tests cannot be collected: {found['error']} {detail}".strip())
        return found

    def ask(self, op: str, seconds: float, **request: Any) -> dict[str, Any]:
        """One request to the warm process; Gone where it died or took longer than ``seconds`` of wall time."""
        send(self.warm, {"op": op, **request})
        found: dict[str, Any] = receive(self.warm, seconds, self.warm_handle)
        return found

    def anew(
        self,
        edited: dict[str, bytes],
        arguments: list[str],
        cpu_seconds: float,
        *,
        stop: bool,
        select: Optional[list[str]] = None,
    ) -> dict[str, str]:
        """Letters by node id of a run with the project imported from edited sources."""
        texts = {path: data.decode("latin-1") for path, data in edited.items()}
        request = {"edited": texts, "arguments": arguments, "cpu_seconds": cpu_seconds, "stop": stop, "select": select}
        send(self.own, {"op": "anew", **request})
        letters: dict[str, str] = receive(self.own, 60.0 + cpu_seconds * 8)["letters"]
        return letters

    def cpu_seconds(self) -> float:
        """CPU seconds of the server's processes so far."""
        return sum(cpu_seconds(pid, children=True) for pid in (self.pid, self.warm_pid) if pid)

    def close(self) -> None:
        """End every process of the server."""
        self.own.close()
        self.warm.close()
        watch(self.pid, lambda: 0, 5.0, 5.0)
        if self.warm_pid:
            end_group(self.warm_pid)


def fresh(
    command: list[str], request: dict[str, Any], root: str, wall_seconds: float, seed: int
) -> Optional[dict[str, str]]:
    """Letters by node id of a run in a new interpreter on the files as they are; None where it did not end in time."""
    with tempfile.TemporaryDirectory(prefix="fresh-") as folder:
        request_path, out_path = os.path.join(folder, "request.json"), os.path.join(folder, "letters.jsonl")
        with open(request_path, "w", encoding="utf-8") as stream:
            json.dump({**request, "out": out_path, "root": root}, stream)
        environment = {
            **os.environ, "PYTHONHASHSEED": str(1 + seed % 4_000_000), "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPYCACHEPREFIX": os.path.join(folder, "pycache"),
        }  # fmt: skip
        process = subprocess.Popen(
            [*command, "--fresh", request_path], cwd=root, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(wall_seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end_group(process.pid)
            process.wait()
        try:
            with open(out_path, encoding="utf-8") as stream:
                return dict(json.loads(line) for line in stream)
        except (OSError, ValueError):
            return {}


def run_fresh(request: dict[str, Any]) -> int:
    """The other side of ``fresh``: run pytest here and write one line per item."""
    for entry in reversed(request["python_path"]):
        sys.path.insert(0, os.path.join(request["root"], entry))
    import pytest

    with open(request["out"], "w", encoding="utf-8") as stream:

        def write(nodeid: str, letter: str) -> None:
            stream.write(json.dumps([nodeid, letter]) + "\n")
            stream.flush()

        return int(pytest.main(request["arguments"], plugins=[Reporter(write)]))
