"""Little repositories for the agent, and its production entry point run on them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reeve.adapters.agents import repair

AGENT = Path(repair.__file__).parent


@dataclass
class Run:
    """What one run of the agent said and did."""

    events: list[dict[str, Any]]
    code: int
    stderr: str
    before: dict[str, bytes]
    after: dict[str, bytes]
    folder: Path
    plausible: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def changed(self) -> list[str]:
        return sorted(path for path in {*self.before, *self.after} if self.before.get(path) != self.after.get(path))

    def text(self, path: str) -> str:
        return self.after[path].decode("utf-8")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def attempt(tmp_path: Path, files: dict[str, str | bytes], required: list[str], **spec: Any) -> Run:
    """Write the files and let the agent work on them, as a sandbox would start it."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    write(folder, files)
    full = {
        "instruction": "Make the failing test pass.", "required": required, "keep": [], "protected": ["test_*.py", "tests/**"],
        "seed": 1, "attempt": 0, "attempts": 1, "wall_seconds": 300.0, "memory_bytes": 1 << 30, "python_path": ["."],
        "pytest_args": [], "broken_at_base": [], "max_candidates": 3000, **spec,
    }  # fmt: skip
    spec_path = tmp_path / "spec.json"
    spec_path.write_text(json.dumps(full), encoding="utf-8")
    before = content(folder)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(tmp_path / "tmp")}
    environment.pop("PYTHONHASHSEED", None)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-P", "-B", str(AGENT), "--spec", str(spec_path)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    plausible = [event for event in events if event["kind"] == "tool_call"]
    return Run(events, done.returncode, done.stderr, before, content(folder), folder, plausible)


def processes_in(folder: Path) -> list[int]:
    """Processes whose current directory is the folder."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/cwd") == str(folder):
                    found.append(int(name))
            except OSError:
                continue
    return found
