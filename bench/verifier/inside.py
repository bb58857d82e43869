"""Runs pytest inside the sandbox and writes down which functions each test calls, and with what one of them was called.

Only ever run on released code. Stand-alone, Python 3.8 and newer: `python inside.py PLAN`, a JSON file with
{"out", "tests": ids or [], "arguments", "target": [path, first line] or null}.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

MOST_CALLS = 400
LONGEST = 600
ROOT = os.getcwd() + os.sep


class Trace:
    def __init__(self, target):
        self.target = tuple(target) if target else None
        self.called = {}
        self.calls = []
        self._open = {}
        self._test = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        self._test = item.nodeid
        self.called[self._test] = set()
        sys.setprofile(self._seen)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _seen(self, frame, event, value):
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if not code.co_filename.startswith(ROOT):
            return
        place = (code.co_filename[len(ROOT) :], code.co_firstlineno)
        if event == "call":
            self.called[self._test].add(f"{place[0]}:{place[1]}")
        if place == self.target and len(self.calls) < MOST_CALLS:
            if event == "call":
                self._open[id(frame)] = self._arguments(frame)
            elif id(frame) in self._open:
                call = self._open.pop(id(frame))
                call["result"] = text(value)
                self.calls.append(call)

    def _arguments(self, frame):
        code, count = frame.f_code, frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
        names = code.co_varnames[: count + bool(code.co_flags & 4) + bool(code.co_flags & 8)]
        values = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
        return {
            "test": self._test,
            "arguments": {name: text(value) for name, value in values.items()},
            "types": {name: type(value).__name__ for name, value in values.items()},
        }


def text(value):
    try:
        found = repr(value)
    except Exception:
        return None
    return found if len(found) <= LONGEST else None


def main():
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    sys.path[0] = os.getcwd()
    trace = Trace(plan["target"])
    pytest.main(["-q", "-p", "no:cacheprovider", *plan["arguments"], *plan["tests"]], plugins=[trace])
    with open(plan["out"], "w") as file:
        json.dump({"called": {key: sorted(value) for key, value in trace.called.items()}, "calls": trace.calls}, file)


if __name__ == "__main__":
    main()
