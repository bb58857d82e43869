"""The gateway as the rest of reeve sees it: a process that is started for the first door, and again if it dies."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from reeve.adapters.gateway.configuration import SOCKET, Configuration
from reeve.errors import GatewayError
from reeve.ledger.codec import decode, encode
from reeve.ports import Spent
from reeve.records import Budgets, Door, Provider
from reeve.units import megabytes

__all__ = ["GatewayProcess"]

START_SECONDS = 60.0
CLOSE_SECONDS = 60.0
END_SECONDS = 15.0
COMMAND = (sys.executable, "-P", "-m", "reeve.adapters.gateway")  # -P: nothing of the current folder is imported
PASSED = (
    "HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ",
)  # fmt: skip


class GatewayProcess:
    """Port Gateway. Keys go through a pipe and nowhere else; the process ends with the one that started it."""

    def __init__(
        self,
        folder: Path,
        store_folder: Path,
        providers: Mapping[str, Provider],
        *,
        run: str,
        budgets: Budgets | None = None,
        hosts: Sequence[str] = (),
        attempt_mb: float = 10.0,
        host_mb: float = 100.0,
        prices: Path | None = None,
        keep_bodies: bool = False,
        hold_seconds: float = 60.0,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._folder = folder
        self._command = command
        self._configuration = Configuration(
            folder=str(folder),
            store=str(store_folder),
            run=run,
            began_utc=time.time(),
            providers=tuple(providers.values()),
            budgets=budgets or Budgets(),
            hosts=tuple(hosts),
            attempt_bytes=megabytes(attempt_mb),
            host_bytes=megabytes(host_mb),
            prices=str(prices) if prices is not None else None,
            keep_bodies=keep_bodies,
            hold_seconds=hold_seconds,
        )
        self._doors: dict[str, Door] = {}
        self._spent: dict[str, Spent] = {}
        self._said: set[tuple[str, str]] = set()  # what it answered: (opened, attempt), (closed, attempt)
        self._failed: dict[str, str] = {}
        self._changed = threading.Condition(threading.RLock())
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._ending = False
        self._problem = ""

    @property
    def socket(self) -> str:
        """Where runners hand over the sockets of their attempts."""
        return str(self._folder / SOCKET)

    def open(self, door: Door) -> None:
        """Serve a door from now on; raises GatewayError if the process cannot be started."""
        with self._changed:
            self._doors[door.attempt] = door
            self._spent.setdefault(door.attempt, Spent())
            if self._process is None:
                self._start()
            else:
                self._tell({"open": encode(door)})
            self._wait_for("opened", door.attempt, START_SECONDS)

    def spent(self, attempt: str) -> Spent:
        """Say what an attempt has spent, as far as it has been told; a pause that is over is none."""
        with self._changed:
            spent = self._spent.get(attempt, Spent())
        over = spent.paused_until_utc is not None and spent.paused_until_utc <= time.time()
        return replace(spent, paused_until_utc=None) if over else spent

    def close(self, attempt: str) -> None:
        """Serve an attempt no more; when this returns, its requests are facts. What it spent stays known."""
        with self._changed:
            if self._doors.pop(attempt, None) is None or self._process is None:
                return
            self._tell({"close": attempt})
            self._wait_for("closed", attempt, CLOSE_SECONDS)

    def shutdown(self) -> None:
        """End the process; requests under way are settled."""
        with self._changed:
            process, self._ending = self._process, True
            self._doors.clear()
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:
            pass
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # ------------------------------------------------------------ the process

    def _start(self) -> None:
        """Start it with all doors that are open; called with the lock held."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ready, self._problem, self._said = False, "", set()
        with (self._folder / "gateway.log").open("ab") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._folder,
                env={name: os.environ[name] for name in PASSED if name in os.environ},
                start_new_session=True,  # Ctrl-C is for reeve, which ends it in order
            )
        self._process = process
        threading.Thread(target=self._listen, args=(process,), name="gateway", daemon=True).start()
        self._tell(encode(self._configuration))
        for door in self._doors.values():
            self._tell({"open": encode(door)})

    def _tell(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return  # it died; who listens to it starts it again, and says all of this again

    def _wait_for(self, word: str, attempt: str, seconds: float) -> None:
        """Wait for an answer; called with the lock held, which is let go meanwhile."""
        met = self._changed.wait_for(lambda: (word, attempt) in self._said or self._gave_up(attempt), seconds)
        self._said.discard((word, attempt))
        problem = self._failed.pop(attempt, "") or self._problem
        if word == "closed" and not problem and met:
            return
        if problem or not met:
            self._doors.pop(attempt, None)
            log = self._folder / "gateway.log"
            raise GatewayError(
                f"waiting for the gateway: {problem or 'it does not answer'}; its own words are in {log}"
            )

    def _gave_up(self, attempt: str) -> bool:
        return bool(self._problem) or attempt in self._failed

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """A thread of its own, for as long as the process lives; then it is started again if there are doors."""
        assert process.stdout is not None
        with process.stdout as lines:
            self._hear(lines)
        process.wait()
        assert process.stdin is not None
        with self._changed:
            try:
                process.stdin.close()
            except OSError:
                pass
            if self._process is process:
                self._process = None
            if self._ending or self._problem or not self._doors:
                self._changed.notify_all()
            elif self._ready:
                self._start()
            else:
                self._problem = f"it ended with status {process.returncode} before it was ready"
                self._changed.notify_all()

    def _hear(self, lines: IO[bytes]) -> None:
        for line in lines:
            message = json.loads(line)
            with self._changed:
                self._take(message)
                self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"ready": _}:
                self._ready = True
            case {"spent": str(attempt), **values}:
                self._spent[attempt] = decode(Spent, values)
            case {"opened": str(attempt)}:
                self._said.add(("opened", attempt))
            case {"closed": str(attempt)}:
                self._said.add(("closed", attempt))
            case {"failed": str(problem), "attempt": str(attempt)}:
                self._failed[attempt] = problem
            case {"failed": str(problem)}:
                self._problem = problem
