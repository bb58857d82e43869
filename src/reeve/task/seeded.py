"""Review items whose truth is known: a person sees an ordinary task, in the form of one that waits for a look anyway.

How many go along, and with which result, is drawn; so nobody can tell by order, by number or by kind.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reeve.records import Change, Checks, KnownAnswer, Task
from reeve.task.build import sealed
from reeve.task.injected import instruction_for
from reeve.task.single import COMMAND_LINE

__all__ = ["chance_of", "changes_told", "has_room", "retimed", "seeded_task"]


def chance_of(share: float) -> float:
    """Return the chance with which one goes along with each waiting result, so that of all items `share` are such.

    `share` lies in [0, 1/2].
    """
    return share / (1.0 - share)


def has_room(share: float, others: int, seeded: int) -> bool:
    """Say whether one more keeps the share, but for rounding up to a whole item; `others` are all that ever waited."""
    return seeded < share * (others + seeded + 1)


def seeded_task(example: Task, beside: Task, checks: Checks, ledger: str) -> Task:
    """Make the task of one from that of a drill, in the form of the task `beside` it.

    Agents, attempts, tags, limits and what may change are as there, so that both belong to one cell and are decided on
    alike; what is wanted and how it is checked comes from the drill. Its base, with all that is planted there, has to
    be pinned by whoever admits it.
    """
    kind = beside.kind
    injected = example.known_answer is KnownAnswer.INJECTED
    first = re.sub(r"\[.*$", "", checks.required[0], flags=re.DOTALL)
    made = replace(
        example,
        instruction=instruction_for(checks.required) if injected else example.instruction,
        checks=checks,
        may_change=beside.may_change,
        only_needed=beside.only_needed,
        attempts=beside.attempts,
        agents=beside.agents,
        limits=beside.limits,
        human_minutes=None if beside.human_minutes is None else example.human_minutes,
        tags=beside.tags or (() if kind == "tests" else (kind,)),
        known_answer=None,
        planted=(),
        source=f"failing test {first}:1" if injected else COMMAND_LINE,
    )
    words = example.id.rpartition("-")[0] or example.id
    mark = hashlib.sha256("\0".join((ledger, example.id, *checks.required)).encode("utf-8", "surrogateescape"))
    made = replace(made, id=f"{words[:90]}-{mark.hexdigest()[:6]}")
    return sealed(made, Path(made.repo.path or "/"))


def changes_told(changes: Sequence[Change]) -> bytes:
    """Tell the changes of a patch as the events of a trajectory, in the form in which agents print them."""
    events = ({"kind": "file_change", "text": f"{each.kind} {each.path}", "paths": [each.path]} for each in changes)
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def retimed(trajectory: bytes, later_seconds: float) -> bytes:
    """Move the times that the events of a trajectory say; all else stays byte for byte."""
    return b"".join(_later(line, later_seconds) for line in trajectory.splitlines(keepends=True))


def _later(line: bytes, seconds: float) -> bytes:
    if b'"at_utc"' not in line:
        return line
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(event, dict) or not isinstance(event.get("at_utc"), int | float):
        return line
    event["at_utc"] += seconds
    return json.dumps(event).encode() + b"\n"
