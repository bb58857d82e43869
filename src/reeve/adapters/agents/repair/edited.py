"""Serve edited sources to the import system from memory."""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from typing import Any


def from_source(root: str) -> None:
    """From now on, what is imported from a folder is compiled: bytecode found there may be stale or planted."""
    plain_stats = SourceFileLoader.path_stats
    below = os.path.join(os.path.realpath(root), "")

    def path_stats(self: SourceFileLoader, path: str) -> Any:
        if os.path.realpath(path).startswith(below):
            raise OSError("never from bytecode")  # the import system then compiles
        return plain_stats(self, path)

    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]


def serve(edited: dict[str, bytes]) -> None:
    """From now on, importing one of these files (absolute, resolved names) gives this content, never its bytecode."""
    plain_data = SourceFileLoader.get_data
    plain_stats = SourceFileLoader.path_stats

    def get_data(self: SourceFileLoader, path: str) -> bytes:
        found = edited.get(os.path.realpath(path))
        return plain_data(self, path) if found is None else found

    def path_stats(self: SourceFileLoader, path: str) -> Any:
        if os.path.realpath(path) in edited:
            raise OSError("edited in memory")  # the import system then compiles instead of reading bytecode
        return plain_stats(self, path)

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]
    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]
