"""A machine of a size of your choice. For tests, ours and yours."""

from collections.abc import Collection, Mapping
from pathlib import Path

__all__ = ["FakeMemory"]


class FakeMemory:
    """Port Memory: `used` says what each detached run that is alive holds, `others_mb` what the rest does."""

    def __init__(self, total_mb: float, others_mb: float = 0.0) -> None:
        self.total = total_mb
        self.others_mb = others_mb
        self.used: dict[Path, float] = {}

    def total_mb(self) -> float:
        """Say how much there is."""
        return self.total

    def free_mb(self) -> float:
        """Say how much nobody uses."""
        return max(self.total - self.others_mb - sum(self.used.copy().values()), 0.0)

    def used_mb(self, folders: Collection[Path]) -> Mapping[Path, float]:
        """Say what detached runs hold."""
        return {folder: used for folder, used in self.used.copy().items() if folder in folders}
