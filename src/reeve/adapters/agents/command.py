"""An agent that is any shell command which edits the tree."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from reeve.adapters.agents.context import AgentContext, model_variables
from reeve.adapters.agents.visible import DECLINING, told_sections, visible_task
from reeve.errors import InputError
from reeve.ports import Launch
from reeve.records import AgentSpec, Door, Measurement, Order, Task

__all__ = ["CommandAgent", "words_for"]


class CommandAgent:
    """Runs ``sh -c COMMAND`` in the tree.

    The command finds the instruction in the file $REEVE_INSTRUCTION_FILE, the visible parts of the task as JSON in
    $REEVE_TASK, the words $REEVE_SEED and $REEVE_ATTEMPT, what it is told while it runs in the folder $REEVE_MAIL, and
    the models of its providers by the variables of `model_variables`. What it prints is its trajectory: JSON lines
    with ``kind`` and ``text``, or plain text. A line of the kind ``declined`` ends the attempt without a result.
    """

    spec: AgentSpec

    def __init__(self, spec: AgentSpec, context: AgentContext | None = None) -> None:
        self.context = context or AgentContext()
        if not spec.command:
            raise InputError(f"agent {spec.name!r}: kind 'command' needs a command")
        version = hashlib.sha256(spec.command.encode()).hexdigest()[:12]
        self.spec = replace(spec, version=spec.version or version)
        self.command = spec.command

    def available(self) -> str:
        """Say nothing against it: whether the command is there shows only inside the sandbox."""
        return ""

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Write instruction and visible task into `folder`, and start the command."""
        del base
        binds, env = words_for(task, order, folder)
        env["REEVE_MAIL"] = "/reeve/mail"
        env |= model_variables(door, self.context.apis)
        return Launch(argv=("/bin/sh", "-c", self.command), env=env, binds=binds, listens=True)


def words_for(task: Task, order: Order, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Write what every agent may read; returns the binds and the environment that say where."""
    instruction, visible = folder / "instruction.md", folder / "task.json"
    instruction.write_text("\n\n".join((task.instruction, *told_sections(order), DECLINING)), encoding="utf-8")
    visible.write_text(json.dumps(visible_task(task, order), indent=2) + "\n", encoding="utf-8")
    binds = {"/reeve/instruction.md": str(instruction), "/reeve/task.json": str(visible)}
    env = {
        **task.env,
        "REEVE_INSTRUCTION_FILE": "/reeve/instruction.md",
        "REEVE_TASK": "/reeve/task.json",
        "REEVE_SEED": str(order.seed),
        "REEVE_ATTEMPT": order.attempt,
    }
    return binds, env
