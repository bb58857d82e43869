"""Starts the driver of the Agent Client Protocol as an attempt would, and follows it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reeve.adapters.agents.acp_agent import SOURCES

PROGRAM = Path(__file__).with_name("acp_program.py")
PATIENCE_SECONDS = 60.0


def spec_for(**more) -> dict:
    """Say what the driver is told to do, as far as a test does not say otherwise."""
    return {
        "files": {},
        "prompt": "Mend it.",
        "modes": [],
        "config": {},
        "model": "",
        "mcp": [],
        "authenticate": "",
        "usage": "turn",
        "serves_files": True,
        "check_in_seconds": None,
        "start_seconds": PATIENCE_SECONDS,
        "output_bytes": 16 << 20,
    } | more


class Drive:
    """One driver that was started without walls, with one of the agents of `acp_program`."""

    def __init__(self, root: Path, behaviour: str, *, command: Sequence[str] = (), env=None, **more) -> None:
        self.root, self.words = root, 0
        for name in ("work", "out", "mail"):
            (root / name).mkdir(exist_ok=True)
        spec = root / "spec.json"
        spec.write_text(json.dumps(spec_for(**more)))
        python = getattr(sys, "_base_executable", None) or sys.executable
        driver = [python, "-I", "-S", "-B", "-X", "utf8", str(SOURCES / "__main__.py")]
        places = [str(spec), *(str(root / name) for name in ("work", "out", "mail"))]
        self.output = root / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*driver, *places, "--", *(command or (sys.executable, str(PROGRAM), behaviour))],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], **(env or {})},
                cwd="/",
            )

    @property
    def events(self) -> list[dict]:
        """What it has printed so far."""
        return [json.loads(line) for line in self.output.read_bytes().split(b"\n")[:-1]]

    def of(self, kind: str) -> list[dict]:
        """Return the events of one kind."""
        return [event for event in self.events if event["kind"] == kind]

    def texts(self, kind: str = "text") -> list[str]:
        """Return the texts of the events of one kind."""
        return [event["text"] for event in self.of(kind)]

    def until(self, condition):
        """Wait for a condition on what it printed; returns what that gave."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, self.output.read_text()
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.01)
        return found

    def wait_for(self, kind: str, count: int = 1) -> dict:
        """Wait for the n-th event of a kind."""
        return self.until(lambda: len(self.of(kind)) >= count and self.of(kind)[count - 1])

    def send(self, **word) -> None:
        """Put a word into its mail, as the host does."""
        self.words += 1
        draft = self.root / "draft"
        draft.write_text(json.dumps(word))
        draft.rename(self.root / "mail" / f"{self.words:06}.json")

    def end(self) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def frames(self) -> list[dict]:
        """What was said in both directions."""
        path = self.root / "out" / "frames.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def result(self) -> tuple[bool, str]:
        """Its last event, which there is one of."""
        (result,) = self.of("result")
        assert self.events[-1] == result
        return result["ok"], result["text"]
