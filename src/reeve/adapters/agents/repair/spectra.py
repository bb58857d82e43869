"""Which lines of which project files a test runs, and of what types its names are."""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Optional

FILE_SHIFT = 22
TYPED_CALLS = 25


class Tracer:
    """Collects lines by file between ``start`` and ``take``; only files of the given set cost anything."""

    def __init__(self, root: str, paths: set[str]) -> None:
        self.root = root
        self.paths = paths
        self.hits: set[int] = set()
        self.files: list[str] = []
        self.locals: dict[CodeType, Any] = {}
        self.by_file: dict[str, Optional[Callable[..., Any]]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.calls: dict[CodeType, int] = {}

    def _local(self, code: CodeType) -> Optional[Callable[..., Any]]:
        name = code.co_filename
        if name in self.by_file:
            return self.by_file[name]
        real = os.path.realpath(name)
        path = os.path.relpath(real, self.root) if real.startswith(self.root + os.sep) else ""
        if path not in self.paths:
            self.by_file[name] = None
            return None
        base = len(self.files) << FILE_SHIFT
        self.files.append(path)
        hits, note = self.hits, self._note_types

        def local(frame: FrameType, event: str, _argument: Any) -> Any:
            hits.add(base + frame.f_lineno)
            if event == "return":
                note(path, frame)
            return local

        self.by_file[name] = local
        return local

    def _global(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        try:
            local = self.locals[code]
        except KeyError:
            local = self.locals[code] = self._local(code)
        if local is not None:
            local(frame, "call", None)
        return local

    def _note_types(self, path: str, frame: FrameType) -> None:
        code = frame.f_code
        count = self.calls.get(code, 0)
        if count >= TYPED_CALLS:
            return
        self.calls[code] = count + 1
        names = self.kinds.setdefault(f"{path}:{code.co_firstlineno}", {})
        for name, value in list(frame.f_locals.items()):
            kind = type(value).__name__
            if names.setdefault(name, kind) == "NoneType":
                names[name] = kind

    def start(self) -> None:
        """Begin to collect, in this thread and in those started from now on."""
        threading.settrace(self._global)
        sys.settrace(self._global)

    def stop(self) -> None:
        """Stop collecting."""
        sys.settrace(None)
        threading.settrace(None)

    def take(self) -> dict[str, list[int]]:
        """The lines since the last call, by file, sorted."""
        found: dict[str, list[int]] = {}
        mask = (1 << FILE_SHIFT) - 1
        for key in sorted(self.hits):
            found.setdefault(self.files[key >> FILE_SHIFT], []).append(key & mask)
        self.hits.clear()
        return found

    def types(self) -> dict[str, dict[str, str]]:
        """Types of local names by ``path:first line of the code`` since the last call."""
        found, self.kinds = self.kinds, {}
        self.calls.clear()
        return found
