"""What of a task an attempt may see: everything but the hidden tests, their content and their ids."""

import re
from collections.abc import Iterable

from reeve.records import Runner, Task

__all__ = ["visible_ids", "visible_task"]


def visible_ids(task: Task, identifiers: Iterable[str]) -> tuple[str, ...]:
    """Keep the test ids that stand in files which the attempt can see.

    A file that is laid over the tree only for the check hides all its ids: which of them the visible version
    has too cannot be told from an id. JUnit ids name no file, so hidden tests hide them all.
    """
    hidden = {hidden.path for hidden in task.checks.hidden} | _patched_paths(task.checks.test_patch or "")
    if not hidden:
        return tuple(identifiers)
    if task.checks.runner is Runner.JUNIT:
        return ()
    return tuple(each for each in identifiers if each.partition("::")[0] not in hidden)


def visible_task(task: Task) -> dict[str, object]:
    """Return the task as JSON-compatible data for the attempt to read."""
    limits = task.limits
    return {
        "id": task.id,
        "instruction": task.instruction,
        "base": task.base,
        "required": list(visible_ids(task, task.checks.required)),
        "keep": list(visible_ids(task, task.checks.keep)),
        "commands": [check.command for check in task.checks.commands],
        "protected": list(task.protected),
        "tags": list(task.tags),
        "limits": {
            "wall_seconds": limits.wall_seconds,
            "memory_mb": limits.memory_mb,
            "disk_mb": limits.disk_mb,
            "processes": limits.processes,
            "tokens": limits.tokens,
            "usd": limits.usd,
        },
    }


def _patched_paths(patch: str) -> set[str]:
    found = re.findall(r"^(?:\+\+\+ b/|--- a/|rename to |rename from )(.+?)\r?$", patch, flags=re.MULTILINE)
    pairs = re.findall(r"^diff --git a/(.+) b/(.+?)\r?$", patch, flags=re.MULTILINE)
    return {path.split("\t")[0] for path in found} | {path for pair in pairs for path in pair}
