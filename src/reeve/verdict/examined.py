"""The tree that is examined: the result of an attempt with everything protected put back to the base."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reeve.records import Change, Task
from reeve.verdict.protected import protected_changes

__all__ = ["Examined", "examined_tree"]


class Restores(Protocol):
    """What is needed of the object store."""

    def changes(self, base_tree: str, tree: str) -> Sequence[Change]:
        """List the paths in which two trees differ."""

    def restore(self, tree: str, from_tree: str, globs: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Put the paths that match a pattern back; also returns those that differed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is checked and what would land; `restored` are the paths that were put back."""

    tree: str
    restored: tuple[str, ...] = ()


def examined_tree(objects: Restores, task: Task, base_tree: str, tree: str) -> Examined:
    """Put the protected paths of a result back to the base. Hidden files are laid over for the run only, not here."""
    if tree == base_tree:
        return Examined(tree)
    paths = protected_changes(task, objects.changes(base_tree, tree))
    if not paths:
        return Examined(tree)
    restored, _ = objects.restore(tree, base_tree, ["/" + path for path in paths])
    return Examined(restored, paths)
