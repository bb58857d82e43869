"""Words from outside: files that are renamed into a folder whole, numbered from 1."""

from __future__ import annotations

from .plain_json import loads
from .untrusted import mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = ["Mail"]


class Mail:
    """The folder with what is said to this attempt."""

    def __init__(self, folder: str) -> None:
        self._folder, self._read = folder, 0

    def new(self) -> Iterator[Mapping[str, Any]]:
        """Give the words that came since the last look, in order; one that cannot be read is passed over."""
        while True:
            try:
                with open(f"{self._folder}/{self._read + 1:06}.json", encoding="utf-8", errors="replace") as file:
                    said = file.read()
            except OSError:
                return
            self._read += 1
            try:
                yield mapping(loads(said))
            except ValueError:
                continue
