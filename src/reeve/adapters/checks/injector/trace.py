"""Run pytest as the checks do, and say which lines of some files were run: `python -B trace.py PLAN REPORT RUN ...`.

The plan is JSON: `files` (paths in the tree). The report is JSON: path -> lines, from 1. RUN is the script that starts
pytest, with its arguments. What runs in other processes is not seen.
"""

from __future__ import annotations

import dis
import json
import os
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, FrameType
from typing import Any


class Trace:
    """Which lines of which files were run; a function whose lines were all seen costs nothing any more."""

    def __init__(self, root: str, paths: list[str]) -> None:
        self.names = {os.path.join(root, path): path for path in paths}
        self.seen: dict[str, set[int]] = {path: set() for path in paths}
        self.left: dict[CodeType, set[int]] = {}

    def begin(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A frame begins: follow it only where something of it has not been seen."""
        code = frame.f_code
        left = self.left.get(code)
        if left is None:
            path = self.names.get(code.co_filename)
            if path is None:
                return None
            left = self.left[code] = {line for _, line in dis.findlinestarts(code) if line}
        return self.line if left else None

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A line begins."""
        if event == "line":
            code = frame.f_code
            self.seen[self.names[code.co_filename]].add(frame.f_lineno)
            left = self.left[code]
            left.discard(frame.f_lineno)
            if not left:
                return None
        return self.line


def program(script: str) -> Any:
    """Load a script as a module, so that it comes back when it is done."""
    spec = spec_from_file_location("reeve_program", script)
    if spec is None or spec.loader is None:
        raise ImportError(script)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Trace, run, and write the report whatever comes of the run."""
    plan_file, report, script = sys.argv[1:4]
    with open(plan_file) as file:
        paths = json.load(file)["files"]
    trace = Trace(os.getcwd(), paths)
    sys.argv[:] = sys.argv[3:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    pid = os.getpid()
    threading.settrace(trace.begin)
    sys.settrace(trace.begin)
    try:
        program(script).main()
    finally:
        sys.settrace(None)
        if os.getpid() == pid:
            with open(report, "w") as file:
                json.dump({path: sorted(lines) for path, lines in trace.seen.items()}, file)


if __name__ == "__main__":
    main()
