"""How much may be sent to other hosts: by each attempt, and by the run to each host. Reserved before it is sent."""

from collections.abc import Iterable
from dataclasses import dataclass

from reeve.records import Request

__all__ = ["Allowance", "Traffic"]

STEP_BYTES = 64 << 10


@dataclass(slots=True)
class Meterage:
    """Bytes that were sent or are reserved, under one name."""

    used: int = 0


class Traffic:
    """The bytes of all attempts and hosts."""

    def __init__(self, attempt_bytes: int, host_bytes: int, run: str) -> None:
        self._attempt_bytes = attempt_bytes
        self._host_bytes = host_bytes
        self._run = run
        self._attempts: dict[str, Meterage] = {}
        self._hosts: dict[str, Meterage] = {}

    def remember(self, requests: Iterable[Request]) -> None:
        """Count what the run sent to each host before."""
        for request in requests:
            if not request.provider and request.run == self._run:
                self._host(request.host).used += request.bytes_sent

    def remember_attempts(self, requests: Iterable[Request]) -> None:
        """Count what the attempts of a task sent before."""
        for request in requests:
            if not request.provider:
                self._attempt(request.attempt).used += request.bytes_sent

    def allowance(self, attempt: str, host: str) -> "Allowance":
        """Return what one tunnel takes its bytes from."""
        limits = ((self._attempt(attempt), self._attempt_bytes), (self._host(host), self._host_bytes))
        return Allowance(limits)

    def _attempt(self, attempt: str) -> Meterage:
        return self._attempts.setdefault(attempt, Meterage())

    def _host(self, host: str) -> Meterage:
        return self._hosts.setdefault(host, Meterage())


class Allowance:
    """What one tunnel may send. `reserved` bytes are taken from the budgets, `used` of them are on their way."""

    def __init__(self, limits: tuple[tuple[Meterage, int], ...]) -> None:
        self._limits = limits
        self.reserved = 0
        self.used = 0

    def take(self, count: int) -> bool:
        """Use so many bytes; False: the budgets do not have them, and nothing was taken."""
        missing = self.used + count - self.reserved
        if missing > 0:
            room = min(limit - meterage.used for meterage, limit in self._limits)
            if room < missing:
                return False
            self._hold(min(room, max(missing, STEP_BYTES)))
        self.used += count
        return True

    def settle(self) -> None:
        """Give back what was reserved and not used."""
        self._hold(self.used - self.reserved)

    def _hold(self, count: int) -> None:
        self.reserved += count
        for meterage, _ in self._limits:
            meterage.used += count
