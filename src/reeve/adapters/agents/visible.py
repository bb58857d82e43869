"""What of a task an attempt may see: everything but the hidden tests, their content and their ids."""

import re
import textwrap
from collections.abc import Iterable

from reeve.records import Declines, Order, Runner, Task

__all__ = ["DECLINING", "told_sections", "visible_ids", "visible_task"]

DECLINING = f"""\
If the task cannot be done as it is asked for, is done already, or needs a decision that is not yours, say so with
your reasons instead of making the checks pass in some other way. That is a good answer: a person reads it, and it
never counts for less than a wrong result. To decline, print one line of this form, and end:
{{"kind": "declined", "why": "{Declines.IMPOSSIBLE}", "text": "your reasons"}}
`why` is one of {", ".join(Declines)}.
"""
"""What every attempt is told about declining: agents that know this way out cheat less."""

RULES = """\
## Rules of this person and repository

They hold for all that you do here. Where two of them contradict each other, the later one holds.
"""

SENT_BACK = """\
## What a person said of earlier results of this task

They were sent back. You begin anew from where they began; do what is asked for here, the last word first.
"""


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


def told_sections(order: Order) -> tuple[str, ...]:
    """Say the rules, and what people said of earlier results, as sections of an instruction."""
    sections = ((RULES, order.rules), (SENT_BACK, order.words))
    return tuple("\n".join((head, *map(_listed, items))) for head, items in sections if items)


def _listed(text: str) -> str:
    return textwrap.indent(text, "  ").replace("  ", "- ", 1)


def visible_task(task: Task, order: Order) -> dict[str, object]:
    """Return the task as JSON-compatible data for the attempt to read.

    Its base is the pinned commit, of every task: from how a base is spelled nobody could tell what a task is for.
    """
    limits = task.limits
    return {
        "id": task.id,
        "instruction": task.instruction,
        "rules": list(order.rules),
        "words": list(order.words),
        "declining": DECLINING,
        "base": order.base.commit,
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
    heads = re.findall(r"^(?:diff --git|\+\+\+|---|rename to|rename from) (.+?)\r?$", patch, flags=re.MULTILINE)
    found = set()
    for head in heads:
        names = [_unquoted(name) for name in re.findall(r'"((?:[^"\\]|\\.)*)"', head)]
        names += [head.split("\t")[0], *head.split(" b/")]
        found |= {name.removeprefix(prefix) for name in names for prefix in ("", "a/", "b/")}
    return found


def _unquoted(name: str) -> str:
    """Undo what git does to names that are not plain ASCII: quotes around them, and octal escapes."""
    plain = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), name)
    plain = re.sub(r"\\(.)", lambda escaped: {"n": "\n", "t": "\t"}.get(escaped[1], escaped[1]), plain)
    try:
        return plain.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return plain
