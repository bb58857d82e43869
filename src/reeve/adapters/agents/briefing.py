"""What an agent is asked in words: the task as far as it may see it, and the rules of the house."""

from reeve.adapters.agents.visible import DECLINING, told_sections, visible_ids
from reeve.records import Order, Task
from reeve.units import duration, plural

__all__ = ["briefing"]

TESTS_NAMED = 200


def briefing(task: Task, order: Order) -> str:
    """Return the first prompt of an attempt; nothing hidden is in it."""
    declining = f"## Declining\n\n{DECLINING}\nWrite that line into your last message.\n"
    return "\n\n".join((task.instruction.strip(), _checks(task), _limits(task), *told_sections(order), declining))


def _checks(task: Task) -> str:
    required = visible_ids(task, task.checks.required)
    lines = [f"- {each}" for each in required[:TESTS_NAMED]]
    if len(required) > TESTS_NAMED:
        lines.append(f"- and {plural(len(required) - TESTS_NAMED, 'more')}, all listed in the file $REEVE_TASK")
    text = "\n".join(["These tests must pass when you are done:", *lines, ""]) if lines else ""
    commands = [f"- {each.command}" for each in task.checks.commands]
    text += "\n".join(["These commands must succeed:", *commands, ""]) if commands else ""
    return f"## How the result is checked\n\n{text}What passes now must stay passing."


def _limits(task: Task) -> str:
    lines = [
        "- You work in the current folder; what you change there is your result. You do not have to commit.",
        f"- You have {duration(task.limits.wall_seconds)} and {task.limits.memory_mb} MB of memory.",
        "- Nobody is there to answer questions; decide yourself, or decline.",
    ]
    if task.protected:
        lines.append(f"- These paths must not change: {', '.join(task.protected)}")
    return "\n".join(["## Limits", "", *lines])
