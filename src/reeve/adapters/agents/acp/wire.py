"""JSON-RPC over the agent's standard streams; every frame is kept before anybody looks at it."""

from __future__ import annotations

import os
import time

from .plain_json import dumps, loads
from .process import Broken
from .untrusted import cut, mapping, shown, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from .process import Process

__all__ = ["METHOD_NOT_FOUND", "REQUEST_CANCELLED", "Answer", "Wire"]

METHOD_NOT_FOUND, REQUEST_CANCELLED = -32601, -32800
MOST_LINE_BYTES = 32 << 20
NOISE_CHARACTERS = 1_000
DRAIN_SECONDS = 1.0


class Answer:
    """What came back for a request: a result, or an error as one sentence."""

    def __init__(self, frame: Mapping[str, Any]) -> None:
        self.result = mapping(frame.get("result"))
        error = frame.get("error")
        self.error = "" if error is None else _sentence(mapping(error))


class Wire:
    """Both directions of the conversation; `note` is called with what is no frame at all."""

    def __init__(self, process: Process, frames_path: str, note: Callable[[str], None]) -> None:
        self._process, self._note = process, note
        self._frames = os.open(frames_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lines = _Lines()
        self._asked = 0
        self._answers: dict[int, Answer] = {}

    # ------------------------------------------------------------ to the agent

    def ask(self, method: str, params: Mapping[str, object]) -> int:
        """Send a request; returns the number under which `answer_to` finds what comes back."""
        self._asked += 1
        self._send({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        return self._asked

    def tell(self, method: str, params: Mapping[str, object]) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def answer(self, request: object, result: object) -> None:
        """Answer a request of the agent; `request` is the id it gave."""
        self._send({"jsonrpc": "2.0", "id": request, "result": result})

    def refuse(self, request: object, code: int, message: str) -> None:
        """Answer a request of the agent with an error."""
        self._send({"jsonrpc": "2.0", "id": request, "error": {"code": code, "message": message}})

    def _send(self, frame: Mapping[str, object]) -> None:
        line = dumps(frame).encode()
        self._keep("reeve", line)
        self._process.write(line + b"\n")

    # ------------------------------------------------------------ from the agent

    def answer_to(self, number: int) -> Answer | None:
        """Take what came back for a request; None: nothing yet."""
        return self._answers.pop(number, None)

    def hear(self, timeout_seconds: float) -> Iterator[Mapping[str, Any]]:
        """Give the agent's requests and notifications, waiting for them at most so long; answers are put aside.

        Raises Broken when the agent has ended.
        """
        chunk = self._process.read(timeout_seconds)
        for line in self._lines.cut(chunk or b""):
            yield from self._frame(line)
        if chunk is None or (not chunk and self._process.status() is not None):
            yield from self._rest()
            raise Broken(self._how_it_ended())

    def end(self) -> None:
        """End the agent, and keep what it says while it goes."""

        def hear(chunk: bytes) -> None:
            for line in self._lines.cut(chunk):
                list(self._frame(line))

        self._process.end(hear)

    def _rest(self) -> Iterator[Mapping[str, Any]]:
        """What the agent said last; what it started may hold its output open, and is not waited for."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and (chunk := self._process.read(0.05)):
            for line in self._lines.cut(chunk):
                yield from self._frame(line)

    def _frame(self, line: bytes | int) -> Iterator[Mapping[str, Any]]:
        if isinstance(line, int):
            self._note(f"[a line of more than {MOST_LINE_BYTES >> 20} MB was left out]")
            return
        if not line.strip():
            return
        try:
            frame = loads(line.decode())
        except ValueError:
            said = line.decode("utf-8", "replace")
            self._keep("agent", dumps(said).encode())
            self._note(cut(said, NOISE_CHARACTERS))
            return
        self._keep("agent", line)
        if isinstance(frame, dict) and isinstance(frame.get("method"), str):
            yield frame
        elif isinstance(frame, dict) and isinstance(frame.get("id"), int):
            self._answers[frame["id"]] = Answer(frame)
        else:
            said = line.decode()
            self._note(f"[a frame that is neither request nor answer: {cut(said, NOISE_CHARACTERS)}]")

    def _how_it_ended(self) -> str:
        until = time.monotonic() + DRAIN_SECONDS
        while (status := self._process.status()) is None and time.monotonic() < until:
            time.sleep(0.01)
        how = "closed its output" if status is None else f"ended with status {status}"
        said = self._process.last_words.decode("utf-8", "replace").strip()
        return f"the agent {how}" + (f"; the last words on its standard error: {said}" if said else "")

    def _keep(self, speaker: str, frame: bytes) -> None:
        head = f'{{"at_utc": {time.time():.3f}, "from": "{speaker}", "frame": '
        os.write(self._frames, head.encode() + frame + b"}\n")


class _Lines:
    """Cuts a stream into lines; of one that is too long only the length is given."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def cut(self, chunk: bytes) -> Iterator[bytes | int]:
        """Give the lines that are whole now."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._add(line)
            yield b"".join(self._pieces) if self._size <= MOST_LINE_BYTES else self._size
            self._pieces, self._size = [], 0
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MOST_LINE_BYTES:
            self._pieces = []
        elif piece:
            self._pieces.append(piece)


def _sentence(error: Mapping[str, Any]) -> str:
    told = [text(error.get("message")) or "an error without a message", shown(error.get("data"))]
    code = error.get("code")
    return cut(": ".join(filter(None, told)), NOISE_CHARACTERS) + (f" ({code})" if isinstance(code, int) else "")
