"""The first stage: what is wanted, how is it checked, what may it cost.

Reads and validates backlogs (Markdown, JSON lines, SWE-bench rows, the command line, failing tests) and plans
the attempts of the next round.
"""

from reeve.task.backlog import Backlog, pick, read_backlog
from reeve.task.build import Defaults, digest_of, top_of_repository
from reeve.task.plan import History, plan
from reeve.task.readers import JsonlReader, MarkdownReader, SwebenchReader, readers
from reeve.task.single import failing_tasks, task_from_words

__all__ = [
    "Backlog",
    "Defaults",
    "History",
    "JsonlReader",
    "MarkdownReader",
    "SwebenchReader",
    "digest_of",
    "failing_tasks",
    "pick",
    "plan",
    "read_backlog",
    "readers",
    "task_from_words",
    "top_of_repository",
]
