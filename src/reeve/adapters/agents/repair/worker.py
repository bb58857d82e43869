"""The warm process: a pytest session with the project imported, which forks to try candidates.

It lives inside ``pytest_runtestloop``, so configuration, plugins and collection are pytest's own. Nothing that
changes the project happens in this process itself, only in its forks.
"""

# ruff: noqa: B023, SIM105, E501  (forked at once, so nothing is bound late)

from __future__ import annotations

import builtins
import gc
import json
import os
import resource
import socket
import sys
import tempfile
import time
from functools import partial
from typing import Any, Optional

from .agree import Calls, answer, inputs_near
from .items import CpuLimit, OutOfTime, Outcome, Recorder, run_fully, shortcut
from .splice import Source, Splice
from .spectra import Tracer
from .swap import NotSwappable, Swapper
from .wire import Gone, Slots, die_with, receive, send, watch

FILE_BYTES = 256 << 20
WALL_STILL_SECONDS = 6.0
MARK = "_reeve_mark_"


def limit_memory(extra_bytes: int) -> None:
    """Allow this process ``extra_bytes`` of address space more than it has now, and files of a bounded size."""
    with open("/proc/self/statm", "rb") as stream:
        now = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for what, size in ((resource.RLIMIT_AS, now + extra_bytes), (resource.RLIMIT_FSIZE, FILE_BYTES)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


class Worker:
    """Answers trace, batch and check requests by forking."""

    def __init__(self, connection: socket.socket, root: str, sources: dict[str, str], memory_bytes: int) -> None:
        self.connection = connection
        self.root = root
        self.paths = sources
        self.memory_bytes = memory_bytes
        self.recorder = Recorder()
        self.items: list[Any] = []
        self.errors: list[str] = []
        self.shortcuts: dict[int, Any] = {}
        self.swapper: Optional[Swapper] = None

    # pytest hooks

    def pytest_collectreport(self, report: Any) -> None:
        """Keep what could not be collected."""
        if report.failed:
            self.errors.append(f"{report.nodeid}: {str(report.longrepr)[-2000:]}")

    def pytest_runtestloop(self, session: Any) -> bool:
        """Instead of running tests: answer requests until the agent goes away."""
        self.serve(session, list(session.items))
        return True

    def serve(self, session: Any, items: list[Any]) -> None:
        """Answer requests about these items until the agent goes away; does not come back."""
        self.items = items
        session.config.pluginmanager.register(self.recorder)
        for item in self.items:  # describing a failure costs far more than finding it
            item.repr_failure = _brief
        modules = sorted(name for name, module in list(sys.modules.items()) if module is not None and "." not in name)
        send(
            self.connection,
            {"items": [item.nodeid for item in self.items], "errors": self.errors[:20], "modules": modules},
        )
        try:
            while True:
                request = receive(self.connection)
                send(self.connection, getattr(self, "do_" + request["op"])(request))
        except Gone:
            os._exit(0)

    # requests

    def do_load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read the sources that may be edited and find their live functions."""
        collecting = gc.isenabled()
        gc.disable()  # many nodes are made at once, and each collection would look through all of the project
        sources = {}
        for path in request["paths"]:
            with open(os.path.join(self.root, path), "rb") as stream:
                sources[path] = Source(path, stream.read(), linked=False)
        self.swapper = Swapper(self.root, sources)
        for path in sources:  # before the forks, not in each of them
            self.swapper.units_of(path)
        for index in request["shortcut"]:
            call = shortcut(self.items[index])
            if call is not None:
                self.shortcuts[index] = call
        if collecting:
            gc.enable()
        gc.freeze()
        return {"shortcuts": sorted(self.shortcuts)}

    def do_trace(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run items in order under a line tracer, one fork until it dies; one record per item that was run."""
        return self._recorded(request, self._trace)

    def do_reach(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run items in order with marks put into functions; one record per item: letter, CPU seconds, marks it passed.

        ``marks`` are groups of splices, one group for each outermost function: calls of ``MARK`` with a number. A group
        that cannot be put in is left out, and numbered in the ``unmarked`` of the records. Costs next to nothing where
        a line tracer would slow down every call.
        """
        return self._recorded(request, self._reach)

    def _recorded(self, request: dict[str, Any], work: Any) -> dict[str, Any]:
        order, results = list(request["items"]), []
        deadline = time.monotonic() + request["wall_seconds"]
        while order and time.monotonic() < deadline:
            with tempfile.TemporaryFile() as stream:
                slots = Slots(8)
                pid = self._fork(lambda: work(order, request, stream.fileno(), slots, deadline))
                watch(pid, lambda: slots.index, request["cpu_seconds"] + 5.0, request["cpu_seconds"] * 3 + 10.0)
                stream.seek(0)
                lines = stream.read().decode("utf-8", "replace").splitlines()
                ended = slots.get(0, 1) == b"u"
                slots.close()
            done = [_decoded(line) for line in lines]
            results += [one for one in done if one is not None]
            if ended:
                break
            reached = len(lines)
            if reached < len(order) and time.monotonic() < deadline:
                results.append({"item": order[reached], "letter": "d", "cpu": 0.0, "lines": {}, "frames": []})
                reached += 1
            order = order[reached:]
        return {"results": results}

    def _trace(self, order: list[int], request: dict[str, Any], out: int, slots: Slots, deadline: float) -> None:
        tracer = Tracer(self.root, set(self.paths)) if request.get("lines", True) else None
        limit, patience = CpuLimit(), request["cpu_seconds"]
        for number, index in enumerate(order):
            if time.monotonic() > deadline:
                break
            slots.index = number
            following = self.items[order[number + 1]] if number + 1 < len(order) else None
            before = time.process_time()
            outcome = self._limited(index, following, limit, patience, tracer)
            if outcome.letter == "t":  # where one hangs, others will: do not spend the whole budget on them
                patience = max(0.3, patience / 4)
            used = time.process_time() - before
            record = {
                "item": index, "letter": outcome.letter, "cpu": used, "exception": outcome.exception,
                "message": outcome.message, "frames": outcome.frames,
                "lines": tracer.take() if tracer else {}, "types": tracer.types() if tracer else {},
            }  # fmt: skip
            os.write(out, (json.dumps(record) + "\n").encode("utf-8"))

    def _reach(self, order: list[int], request: dict[str, Any], out: int, slots: Slots, deadline: float) -> None:
        assert self.swapper is not None
        unmarked = []
        for number, group in enumerate(request["marks"]):
            try:
                self.swapper.install([Splice(*one) for one in group])
            except (NotSwappable, SyntaxError, ValueError, RecursionError, StopIteration):
                unmarked.append(number)
        hits: set[int] = set()
        setattr(builtins, MARK, hits.add)
        limit = CpuLimit()
        began = _spent()
        for number, index in enumerate(order):
            before = _spent()
            if time.monotonic() > deadline or before - began > request["total_seconds"]:
                slots.put(0, b"u")
                break
            slots.index = number
            letter = self._quick(index, limit, request["cpu_seconds"])
            record = {
                "item": index, "letter": letter, "cpu": _spent() - before, "hits": sorted(hits),
                "unmarked": unmarked,
            }  # fmt: skip
            os.write(out, (json.dumps(record) + "\n").encode("utf-8"))
            hits.clear()

    def _limited(
        self, index: int, following: Any, limit: CpuLimit, seconds: float, tracer: Optional[Tracer] = None
    ) -> Outcome:
        """Run one item fully under a CPU limit and, where given, a tracer."""
        outcome = Outcome()
        outcome.letter = "t"
        try:
            self.recorder.limit = limit
            limit.start(seconds)
            if tracer is not None:
                tracer.start()
            outcome = run_fully(self.items[index], following, self.recorder)
        except OutOfTime:
            pass
        except BaseException as error:
            outcome.letter, outcome.exception = "f", type(error).__name__
        finally:
            if tracer is not None:
                tracer.stop()
            limit.stop()
        return outcome

    def do_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Try candidates one after the other in one fork, forking again after one that hung or died.

        Per candidate a letter (p all items passed, f one failed, t time, d died, x no valid code, n not swappable,
        u untried because ``deadline``, a monotonic time, came first) and how many items passed. ``full`` runs all items whatever fails, and gives a string of letters per candidate.
        """
        candidates = [[Splice(*one) for one in splices] for splices in request["candidates"]]
        order, full = request["items"], request.get("full", False)
        width = len(order) if full else 2
        slots = Slots(len(candidates) * width + 1)
        start, dirty, deadline = 0, False, request["deadline"]
        while start < len(candidates) and time.monotonic() < deadline:
            slots.index = start
            stop = len(candidates) if not request.get("alone") else start + 1
            pid = self._fork(lambda: self._batch(candidates, start, stop, request, slots))
            budget = request["cpu_seconds"] * (len(order) + 1) + 0.6
            left = max(0.5, deadline - time.monotonic())
            watch(pid, lambda: slots.index, budget, min(WALL_STILL_SECONDS + budget * 4, left))
            if slots.index >= stop:
                dirty = dirty or slots.get(len(candidates) * width, 1) == b"!"
                start = stop
            elif slots.get(slots.index * width, 1) == b"u":
                break
            else:
                place = slots.index * width
                if full:
                    slots.put(place, slots.get(place, width).replace(b"\0", b"d"))
                else:
                    slots.put(place, b"d\0")
                start = slots.index + 1
        rows = [slots.get(number * width, width) for number in range(len(candidates))]
        slots.close()
        if full:
            return {"rows": [row.replace(b"\0", b"-").decode("latin-1") for row in rows], "dirty": dirty}
        return {
            "letters": "".join(chr(row[0] or 117) for row in rows),
            "passed": [row[1] for row in rows],
            "dirty": dirty,
        }

    def _batch(
        self, candidates: list[list[Splice]], start: int, stop: int, request: dict[str, Any], slots: Slots
    ) -> None:
        order, full = request["items"], request.get("full", False)
        width = len(order) if full else 2
        limit = CpuLimit()
        seconds = request["cpu_seconds"]
        swapper = self.swapper
        assert swapper is not None
        for number in range(start, stop):
            slots.index = number
            if time.monotonic() > request["deadline"]:
                slots.put(number * width, b"u")
                return
            try:
                swapper.install(candidates[number])
            except NotSwappable:
                slots.put(number * width, (b"n" * width) if full else b"n\0")
                swapper.undo()
                continue
            except (SyntaxError, ValueError, RecursionError, MemoryError, StopIteration):
                slots.put(number * width, (b"x" * width) if full else b"x\0")
                swapper.undo()
                continue
            if full:
                for place, index in enumerate(order):
                    slots.put(number * width + place, self._quick(index, limit, seconds).encode("ascii"))
            else:
                letter, passed = "p", 0
                for index in order:
                    letter = self._quick(index, limit, seconds)
                    if letter != "p":
                        break
                    passed += 1
                slots.put(number * width, letter.encode("ascii") + bytes([min(passed, 255)]))
            swapper.undo()
        for index, expected in request.get("canaries", []):
            if (self._quick(index, limit, seconds * 2) == "p") != (expected == "p"):
                slots.put(len(candidates) * width, b"!")
        slots.index = stop

    def _quick(self, index: int, limit: CpuLimit, seconds: float) -> str:
        """p, f or t for one item, by a direct call where the item allows it."""
        call = self.shortcuts.get(index)
        if call is None:
            letter = self._limited(index, None, limit, seconds).letter
            return letter if letter in "pt" else "f"
        try:
            limit.start(seconds)
            call()
            limit.stop()
        except OutOfTime:
            limit.stop()
            return "t"
        except BaseException:
            limit.stop()
            return "f"
        return "p"

    def do_check(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run items fully, in a fork of its own, with one candidate installed; a letter each, ``-`` where not run."""
        splices = [Splice(*one) for one in request["candidate"]]
        order = request["items"]
        slots = Slots(len(order) + 1)
        pid = self._fork(lambda: self._check(splices, order, request, slots))
        limit = request["cpu_seconds"]
        ended = watch(pid, lambda: slots.index, limit * 2 + 1.0, WALL_STILL_SECONDS + limit * 4)
        letters = slots.get(0, len(order)).replace(b"\0", b"-").decode("ascii")
        install = slots.get(len(order), 1).decode("latin-1")
        slots.close()
        return {"letters": letters, "install": install.strip("\0"), "ended": ended}

    def _check(self, splices: list[Splice], order: list[int], request: dict[str, Any], slots: Slots) -> None:
        try:
            assert self.swapper is not None
            self.swapper.install(splices)
        except (NotSwappable, SyntaxError, ValueError, StopIteration, RecursionError):
            slots.put(len(order), b"n")
            return
        limit = CpuLimit()
        allowed = request.get("stop", True)
        for number, index in enumerate(order):
            slots.index = number + 1
            following = self.items[order[number + 1]] if number + 1 < len(order) else None
            letter = self._limited(index, following, limit, request["cpu_seconds"]).letter
            slots.put(number, letter.encode("ascii"))
            if allowed and letter in "ft":
                return

    def do_compare(self, request: dict[str, Any]) -> dict[str, Any]:
        """What each candidate's function answers on inputs near those of the tests; nothing where it cannot be asked."""
        assert self.swapper is not None
        candidates = [[Splice(*one) for one in splices] for splices in request["candidates"]]
        try:
            units = {id(unit): unit for splices in candidates for unit in [self.swapper.unit_for(splices[0])]}
        except NotSwappable:
            return {"answers": []}
        unit = next(iter(units.values()))
        if len(units) != 1 or unit.classes or len(unit.live) != 1:
            return {"answers": []}
        function = unit.live[0][0]
        texts = self._told(lambda write: self._note_calls(function, request, write), 10.0)
        inputs = inputs_near([text for text in texts if text], request["seed"])
        asked = candidates if inputs else []
        return {"answers": [self._told(partial(self._answers, one, function, inputs), 10.0) for one in asked]}

    def _told(self, work: Any, cpu_seconds: float) -> list[str]:
        """The texts that a fork writes before it ends."""
        with tempfile.TemporaryFile() as stream:
            out = stream.fileno()
            pid = self._fork(lambda: work(lambda text: os.write(out, json.dumps(text).encode() + b"\n")))
            watch(pid, lambda: 0, cpu_seconds, cpu_seconds * 2)
            stream.seek(0)
            lines = stream.read().splitlines()
        try:
            return [str(json.loads(line)) for line in lines]
        except ValueError:
            return []

    def _note_calls(self, function: Any, request: dict[str, Any], write: Any) -> None:
        limit, calls = CpuLimit(), Calls({function.__code__})
        for index in request["items"]:
            calls.during(partial(self._quick, index, limit, request["cpu_seconds"]))
        for text in calls.found:
            write(text)

    def _answers(self, splices: list[Splice], function: Any, inputs: list[tuple[Any, ...]], write: Any) -> None:
        assert self.swapper is not None
        self.swapper.install(splices)
        limit = CpuLimit()
        for arguments in inputs:
            write(answer(function, arguments, limit, 0.05))

    def _fork(self, work: Any) -> int:
        """Fork, run ``work`` in the child in a process group of its own, and end it without any clean-up."""
        parent = os.getpid()
        pid = os.fork()
        if pid:
            try:
                os.setpgid(pid, pid)
            except OSError:
                pass
            return pid
        code = 1
        try:
            os.setpgid(0, 0)
            die_with(parent)
            self.connection.close()
            limit_memory(self.memory_bytes)
            work()
            code = 0
        finally:
            os._exit(code)


def _spent() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + below.ru_utime + below.ru_stime


def _brief(excinfo: Any, *_: Any, **__: Any) -> str:
    return str(excinfo.typename)


def _decoded(line: str) -> Optional[dict[str, Any]]:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
