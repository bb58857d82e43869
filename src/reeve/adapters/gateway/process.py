"""The gateway as the rest of reeve sees it: a process that is started for the first door, and again if it dies."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from reeve.adapters.gateway.configuration import SOCKET, Configuration
from reeve.errors import GatewayError
from reeve.ledger.codec import decode, encode
from reeve.ports import Fact, Spent
from reeve.records import Budgets, Door, Provider
from reeve.units import megabytes

__all__ = ["GatewayProcess"]

ANSWER_SECONDS = 60.0
END_SECONDS = 15.0
RESTART_SECONDS = 60.0
MOST_STARTS = 5  # within that time; a process that ends more often will not get better
LOG = "gateway.log"
COMMAND = (sys.executable, "-P", "-m", "reeve.adapters.gateway")  # -P: nothing of the current folder is imported
PASSED = (
    "HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ",
)  # fmt: skip


class GatewayProcess:
    """Port Gateway. Keys go through a pipe and nowhere else; the process ends with the one that started it.

    `paused` is called with the fact, in a thread, when a provider asks everybody to wait, or did so before.
    """

    def __init__(
        self,
        folder: Path,
        store_folder: Path,
        providers: Mapping[str, Provider],
        *,
        run: str,
        budgets: Budgets | None = None,
        attempt_mb: float = 10.0,
        host_mb: float = 100.0,
        prices: Path | None = None,
        keep_bodies: bool = False,
        hold_seconds: float = 60.0,
        command: Sequence[str] = COMMAND,
        paused: Callable[[Fact], None] | None = None,
    ) -> None:
        self._folder = folder
        self._command = command
        self._paused = paused
        self._configuration = Configuration(
            folder=str(folder),
            store=str(store_folder),
            run=run,
            began_utc=time.time(),
            providers=tuple(providers.values()),
            budgets=budgets or Budgets(),
            attempt_bytes=megabytes(attempt_mb),
            host_bytes=megabytes(host_mb),
            prices=str(prices) if prices is not None else None,
            keep_bodies=keep_bodies,
            hold_seconds=hold_seconds,
        )
        self._doors: dict[str, Door] = {}
        self._closing: set[str] = set()
        self._spent: dict[str, Spent] = {}
        self._said: set[tuple[str, str]] = set()  # what it answered: (opened, attempt), (closed, attempt)
        self._failed: dict[str, str] = {}  # attempt -> why; "": the process itself
        self._changed = threading.Condition()
        self._child: Child | None = None
        self._starts: list[float] = []
        self._ending = False

    @property
    def socket(self) -> str:
        """Where runners hand over the sockets of their attempts."""
        return str(self._folder / SOCKET)

    @property
    def pid(self) -> int | None:
        """The id of its process; None: none runs."""
        child = self._child
        return None if child is None else child.pid

    def open(self, door: Door) -> None:
        """Serve a door from now on; raises GatewayError if the process cannot be started."""
        with self._changed:
            self._doors[door.attempt] = door
            self._spent.setdefault(door.attempt, Spent())
            if self._child is None:
                self._start()
            else:
                self._child.tell({"open": encode(door)})
            try:
                self._wait_for("opened", door.attempt)
            except GatewayError:
                self._doors.pop(door.attempt, None)
                raise

    def spent(self, attempt: str) -> Spent:
        """Say what an attempt has spent, as far as it has been told; a pause that is over is none."""
        with self._changed:
            spent = self._spent.get(attempt, Spent())
        over = spent.paused_until_utc is not None and spent.paused_until_utc <= time.time()
        return replace(spent, paused_until_utc=None) if over else spent

    def close(self, attempt: str) -> None:
        """Serve an attempt no more; when this returns, its requests are facts. What it spent stays known."""
        with self._changed:
            if self._doors.pop(attempt, None) is None or self._child is None:
                return
            self._closing.add(attempt)
            self._child.tell({"close": attempt})
            try:
                self._wait_for("closed", attempt)
            finally:
                self._closing.discard(attempt)

    def shutdown(self) -> None:
        """End the process; requests under way are settled."""
        with self._changed:
            child, self._ending = self._child, True
            self._doors.clear()
        if child is not None:
            child.end()
            with self._changed:
                self._changed.wait_for(lambda: self._child is None, END_SECONDS)

    # ------------------------------------------------------------ the process

    def _start(self) -> None:
        """Start it with all doors that are open; called with the lock held."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._said.clear()
        self._failed.pop("", None)
        self._starts = [each for each in self._starts if each > time.monotonic() - RESTART_SECONDS]
        self._starts.append(time.monotonic())
        child = self._child = Child.start(self._command, self._folder)
        threading.Thread(target=self._listen, args=(child,), name="gateway", daemon=True).start()
        child.tell(encode(self._configuration))
        for door in self._doors.values():
            child.tell({"open": encode(door)})
        for attempt in self._closing:
            child.tell({"close": attempt})

    def _wait_for(self, word: str, attempt: str) -> None:
        """Wait for an answer; called with the lock held, which is let go meanwhile."""
        wanted = (word, attempt)
        met = self._changed.wait_for(
            lambda: wanted in self._said or attempt in self._failed or "" in self._failed, ANSWER_SECONDS
        )
        if wanted in self._said:
            self._said.discard(wanted)
            return
        problem = self._failed.pop(attempt, "") or self._failed.get("", "")
        found = problem if met else f"no answer within {ANSWER_SECONDS:g} seconds"
        raise GatewayError(f"asking the gateway about {attempt}: {found}; its own words are in {self._folder / LOG}")

    def _listen(self, child: "Child") -> None:
        """A thread of its own, for as long as the process lives; then it is started again if that is of use."""
        for line in child.lines:
            with self._changed:
                self._take(json.loads(line))
                self._changed.notify_all()
        status = child.wait()
        with self._changed:
            self._child = None
            wanted = (self._doors or self._closing) and not self._ending and "" not in self._failed
            if wanted and len(self._starts) < MOST_STARTS:
                self._start()
            elif wanted:
                self._failed[""] = f"it ended {len(self._starts)} times in a row, the last time with status {status}"
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"spent": str(attempt), **values}:
                self._spent[attempt] = decode(Spent, values)
            case {"paused": fact} if self._paused is not None:
                self._paused(decode(Fact, fact))
            case {"opened": str(attempt)}:
                self._said.add(("opened", attempt))
            case {"closed": str(attempt)}:
                self._said.add(("closed", attempt))
            case {"failed": str(problem)}:
                self._failed[message.get("attempt", "")] = problem


class Child:
    """One process of the gateway, from its start to its end."""

    def __init__(self, process: "subprocess.Popen[bytes]", words: IO[bytes], lines: IO[bytes]) -> None:
        self._process = process
        self._words = words
        self.lines = lines

    @classmethod
    def start(cls, command: Sequence[str], folder: Path) -> "Child":
        """Start it; what it complains about goes into a file of its folder."""
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env={name: os.environ[name] for name in PASSED if name in os.environ},
                start_new_session=True,  # Ctrl-C is for reeve, which ends it in order
            )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        return cls(process, process.stdin, process.stdout)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def tell(self, message: Mapping[str, Any]) -> None:
        """Say one line to it; if it died, whoever listens to it says everything again to the next."""
        with suppress(OSError, ValueError):
            self._words.write(json.dumps(message).encode() + b"\n")
            self._words.flush()

    def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        status = self._process.wait()
        self.lines.close()
        with suppress(OSError):
            self._words.close()
        return status

    def end(self) -> None:
        """Let it end by itself, or else make it."""
        with suppress(OSError):
            self._words.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
