"""What the gateway is told, on its standard input alone: keys stand neither in arguments nor in the environment."""

from dataclasses import dataclass, field

from reeve.records import Budgets, Provider

__all__ = ["SOCKET", "Configuration"]

SOCKET = "gateway.sock"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The first line; every further one opens or closes a door."""

    folder: str  # its own
    store: str  # of the ledger
    run: str
    began_utc: float  # of the run
    providers: tuple[Provider, ...] = field(repr=False)
    budgets: Budgets = field(default_factory=Budgets)
    attempt_bytes: int = 0  # that one attempt may send to other hosts
    host_bytes: int = 0  # that the run may send to each of them
    prices: str | None = None  # file of the owner's own
    keep_bodies: bool = False
    hold_seconds: float = 60.0  # at most, that a request waits for a pause to end
