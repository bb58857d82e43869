"""The first stage: what is wanted, how is it checked, what may it cost.

Reads and validates backlogs (Markdown, JSON lines, SWE-bench rows, the command line, failing tests) and plans
the attempts of the next round.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reeve.task.backlog import Backlog, pick, read_backlog
    from reeve.task.build import Defaults
    from reeve.task.single import failing_tasks, task_from_words

__all__ = ["Backlog", "Defaults", "failing_tasks", "pick", "read_backlog", "task_from_words"]

_HOMES = {"Defaults": "build", "failing_tasks": "single", "task_from_words": "single"}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: most commands only look at the ledger and read no task."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'backlog')}"), name)
