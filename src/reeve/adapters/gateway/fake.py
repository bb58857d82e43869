"""A gateway without process, key or network: what attempts have spent is told to it. For tests, ours and yours."""

from reeve.ports import Spent
from reeve.records import Door

__all__ = ["FakeGateway"]


class FakeGateway:
    """Port Gateway; `doors` are the open ones, `seen` all that ever were, `spendings` what is said of each attempt."""

    def __init__(self) -> None:
        self.doors: dict[str, Door] = {}
        self.seen: list[Door] = []
        self.spendings: dict[str, Spent] = {}

    def open(self, door: Door) -> None:
        """Know the door of an attempt."""
        self.doors[door.attempt] = door
        self.seen.append(door)

    def spent(self, attempt: str) -> Spent:
        """Say what it was told of an attempt."""
        return self.spendings.get(attempt, Spent())

    def close(self, attempt: str) -> None:
        """Forget the door; what was spent stays known."""
        self.doors.pop(attempt, None)
