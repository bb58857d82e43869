"""Runs the agent `model` against playback, outside of the sandbox, and watches what it says."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateways import Upstream

from reeve.adapters.agents.model.cli import made
from reeve.adapters.agents.model.events import Events
from reeve.adapters.agents.model.spec import load
from reeve.adapters.agents.model_agent import SOURCES, sites
from reeve.adapters.playback.messages import Answer, Received
from reeve.adapters.playback.player import Player
from reeve.adapters.playback.script import script_of
from reeve.adapters.playback.scripted import Scripted
from reeve.adapters.playback.server import PlaybackServer

BOUND_SECONDS = 60.0
BUGGY = "def add(a, b):\n    return a - b\n"
TEST = "from sums import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n"
FORMS = {"anthropic": "anthropic", "openai": "openai", "openai-chat": "openai", "google": "gemini"}


class Kept:
    """A source that plays a script and keeps what it was asked."""

    def __init__(self, script: object) -> None:
        self.scripted = Scripted(Player({"": script_of(script)}))
        self.asked: list[dict[str, Any]] = []

    def answer(self, received: Received) -> Answer:
        self.asked.append(json.loads(received.body))
        return self.scripted.answer(received)


class Attempt:
    """The agent at work in a folder with `sums.py` and its test; `events` are those it said so far.

    It works in a thread of this process, which has imported it, or as `process` in one of its own, as it does in life.
    """

    def __init__(
        self,
        folder: Path,
        server: PlaybackServer | Upstream,
        form: str = "openai-chat",
        *,
        process: bool = False,
        **further: Any,
    ) -> None:
        self.alone = process
        self.server = server
        self.work, self.mail = folder / "work", folder / "mail"
        self.out = folder / "out"
        for each in (self.work, self.mail, self.out):
            each.mkdir(exist_ok=True)
        (self.work / "sums.py").write_text(BUGGY)
        (self.work / "test_sums.py").write_text(TEST)
        model = {
            "form": form,
            "name": "some-model",
            "api": FORMS.get(form, "openai"),
            "url": server.url if isinstance(server, Upstream) else server.address,
            "token": "stand-in",
        }
        spec = folder / "spec.json"
        spec.write_text(json.dumps({"instruction": "Repair add.", "model": model, "retry_seconds": 0.01, **further}))
        self.told = [str(each) for each in (spec, self.work, self.out, self.mail)]
        self.events: list[dict[str, Any]] = []
        self._words = 0

    def start(self) -> "Attempt":
        ours, its = os.pipe()
        if self.alone:
            argv = [sys._base_executable, "-I", "-B", str(SOURCES), ":".join(sites()), *self.told]
            self.process = subprocess.Popen(argv, stdout=its, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            os.close(its)
        else:
            self.thread = threading.Thread(target=self._work, args=(its,), daemon=True)
            self.thread.start()
        self._lines = self._read(ours)
        return self

    def _work(self, its: int) -> None:
        try:
            self.status = made(load(*self.told), Events(its))
        finally:
            os.close(its)

    def run(self) -> "Attempt":
        """Start it and wait for its end."""
        self.start()
        return self.end()

    def end(self) -> "Attempt":
        """Wait for its end."""
        for _ in self._lines:
            pass
        if self.alone:
            with self.process.stderr as stderr:
                self.complaints = stderr.read().decode()
            self.status = self.process.wait(BOUND_SECONDS)
        else:
            self.thread.join(BOUND_SECONDS)
        return self

    def until(self, kind: str, **values: Any) -> dict[str, Any]:
        """Wait for an event."""
        for event in self._lines:
            if event["kind"] == kind and all(event.get(key) == value for key, value in values.items()):
                return event
        raise AssertionError(f"it ended without {kind} {values}: {self.events}")

    def say(self, kind: str, text: str = "", answers: str = "") -> None:
        """Put a word into its mail, whole."""
        self._words += 1
        new = self.mail / "new"
        new.write_text(json.dumps({"kind": kind, "text": text, "answers": answers}))
        new.rename(self.mail / f"{self._words:06}.json")

    def of(self, kind: str, **values: Any) -> list[dict[str, Any]]:
        """The events of one kind so far."""
        return [
            event
            for event in self.events
            if event["kind"] == kind and all(event.get(key) == value for key, value in values.items())
        ]

    def outputs(self, tool: str) -> list[str]:
        return [event["output"] for event in self.of("tool_call", tool=tool) if "output" in event]

    @property
    def result(self) -> dict[str, Any]:
        (event,) = self.of("result")
        return event

    def _read(self, ours: int) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + BOUND_SECONDS
        with open(ours) as lines:
            for line in lines:
                assert time.monotonic() < until, "it does not end"
                self.events.append(json.loads(line))
                yield self.events[-1]
