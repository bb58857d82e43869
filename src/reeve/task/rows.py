"""Drill tasks as SWE-bench rows: what others read, and what the SWE-bench reader reads back."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reeve.records import Task

__all__ = ["row_of"]


def row_of(
    task: Task, *, repo: str, base_commit: str, patch: str, passing: Sequence[str], created_at_utc: float
) -> dict[str, Any]:
    """Make the row of a task; `patch` is its solution, `passing` are the tests that pass before and after.

    As in the published sets the lists of tests are JSON in a string. `kind` is ours, and readers pass it over.
    """
    created = datetime.fromtimestamp(created_at_utc, UTC)
    return {
        "repo": repo,
        "instance_id": task.id,
        "base_commit": base_commit,
        "patch": patch,
        "test_patch": task.checks.test_patch or "",
        "problem_statement": task.instruction,
        "hints_text": "",
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": "",
        "FAIL_TO_PASS": json.dumps(list(task.checks.required)),
        "PASS_TO_PASS": json.dumps(list(passing)),
        "environment_setup_commit": base_commit,
        "kind": str(task.known_answer or ""),
    }
