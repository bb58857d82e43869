"""What trust is kept for: one version of an agent in one configuration, at one kind of task, in one repository."""

import hashlib
import json
from dataclasses import asdict

from reeve.records import Cell, Order, Task

__all__ = ["cell_of"]

DIGITS = 12


def cell_of(order: Order, task: Task, parallel_attempts: int) -> Cell:
    """Return the cell of a result: the attempt that made it, as it was ordered, and the task as it was then.

    What is trusted is the output of the whole pipeline, since trying until something passes lets more through that is
    wrong: so agents, attempts and how many of them run side by side are part of the configuration.
    """
    agent = order.agent
    made_by = {name: value for name, value in asdict(agent).items() if name not in ("name", "version")}
    pipeline = (task.attempts, list(task.agents), parallel_attempts, task.only_needed)
    content = json.dumps([made_by, list(order.rules), *pipeline], sort_keys=True, default=dict)
    configuration = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return Cell(agent.name, agent.version, configuration, task.kind, order.base.repo)
