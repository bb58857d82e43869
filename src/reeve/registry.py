"""What may be extended: agents and task readers. Built-in kinds, and those that installed packages bring.

A package adds a kind by an entry point in the group of the registry; nothing in reeve has to change.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Generic, TypeVar

from reeve.errors import InputError

__all__ = ["AGENTS", "TASK_READERS", "Registry"]

AGENTS = "reeve.agents"
TASK_READERS = "reeve.task_readers"

Port = TypeVar("Port")

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
METHODS: Mapping[str, tuple[str, ...]] = {
    AGENTS: ("available", "launch"),
    TASK_READERS: ("reads", "read"),
}
"""The methods that the port of each group asks for."""


class Registry(Generic[Port]):
    """Kinds by name, each a class (or function) that makes one from one argument.

    A kind is checked when it is registered. What an installed package brings and does not fit is kept in
    `problems`, by name, and raises InputError only when it is asked for: a broken package stops nobody else.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.problems: dict[str, str] = {}
        self._kinds: dict[str, Callable[[Any], Port]] = {}

    @classmethod
    def load(cls, group: str, builtin: Mapping[str, Callable[[Any], Port]]) -> "Registry[Port]":
        """Make a registry of the built-in kinds and of the entry points of the group."""
        registry = cls(group)
        for name, kind in builtin.items():
            registry.register(name, kind)
        for point in metadata.entry_points(group=group):
            try:
                registry.register(point.name, point.load())
            except Exception as error:  # whatever a foreign package raises on import
                origin = point.dist.name if point.dist else point.value
                registry.problems[point.name] = f"{origin} ({point.value}): {type(error).__name__}: {error}"
        return registry

    def register(self, name: str, kind: Callable[[Any], Port]) -> None:
        """Add a kind; raises InputError if its name is taken or malformed, or if it does not fit the port."""
        if not NAME.fullmatch(name):
            raise InputError(
                f"{self.group}: {name!r} is no name for a kind: a small letter, then letters, digits, - or _"
            )
        if name in self._kinds:
            raise InputError(f"{self.group}: the kind {name!r} is there already")
        if problem := self._misfit(kind):
            raise InputError(f"{self.group}: the kind {name!r} {problem}")
        self._kinds[name] = kind

    def names(self) -> tuple[str, ...]:
        """Return the usable kinds, sorted."""
        return tuple(sorted(self._kinds))

    def make(self, name: str, argument: Any) -> Port:
        """Make one of a kind; raises InputError for an unknown kind, or one that does not fit the port."""
        if name not in self._kinds:
            broken = f" (installed but unusable: {self.problems[name]})" if name in self.problems else ""
            raise InputError(f"{self.group}: no kind {name!r}{broken}; known are {', '.join(self.names())}")
        made = self._kinds[name](argument)
        if lacking := [each for each in METHODS.get(self.group, ()) if not callable(getattr(made, each, None))]:
            raise InputError(f"{self.group}: what the kind {name!r} makes has no {' and no '.join(lacking)}")
        return made

    def _misfit(self, kind: Any) -> str:
        if not callable(kind):
            return f"is not callable: {kind!r}"
        if isinstance(kind, type):
            lacking = [each for each in METHODS.get(self.group, ()) if not callable(getattr(kind, each, None))]
            if lacking:
                return f"has no {' and no '.join(lacking)}"
        try:
            inspect.signature(kind).bind(None)
        except TypeError as error:
            return f"cannot be made from one argument: {error}"
        except ValueError:
            return ""  # some callables written in C have no signature to look at
        return ""
