"""An agent whose work is known beforehand: for tests, examples and a first look at the loop."""

import hashlib
from dataclasses import replace
from pathlib import Path

from reeve.adapters.agents.command import words_for
from reeve.errors import InputError
from reeve.ports import Launch
from reeve.records import AgentSpec, Door, Measurement, Order, Task

__all__ = ["FakeAgent"]


class FakeAgent:
    """Runs the Python program in its option ``script``, with the tree as current directory."""

    spec: AgentSpec

    def __init__(self, spec: AgentSpec) -> None:
        if "script" not in spec.options:
            raise InputError(f"agent {spec.name!r}: kind 'fake' needs the option 'script'")
        self.script = spec.options["script"]
        version = hashlib.sha256(self.script.encode()).hexdigest()[:12]
        self.spec = replace(spec, version=spec.version or version)

    def available(self) -> str:
        """Say nothing against it."""
        return ""

    def launch(
        self, task: Task, order: Order, folder: Path, base: Measurement | None, door: Door | None = None
    ) -> Launch:
        """Write the program into `folder` and start it with the first Python inside."""
        del base, door
        binds, env = words_for(task, order, folder)
        script = folder / "script.py"
        script.write_text(self.script, encoding="utf-8")
        return Launch(
            argv=("/bin/sh", "-c", "exec python3 -B /reeve/script.py"),
            env=env,
            binds={**binds, "/reeve/script.py": str(script)},
        )
