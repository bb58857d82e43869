"""What people say to a running attempt: files in a read-only folder, one word each, read in their order."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mail", "Word"]

POLL_SECONDS = 0.05
MAX_BYTES = 2**20


@dataclass(frozen=True)
class Word:
    """One word: ``tell``, ``go``, ``allow`` or ``reject``; `answers` is the id of what it answers."""

    kind: str
    text: str = ""
    answers: str = ""


class Mail:
    """Reads each file once. A word that nobody waits for stays until it is taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waiting: list[Word] = []
        self._next = 1

    def told(self) -> list[str]:
        """Take the words of people that came meanwhile."""
        self._read()
        told = [word.text for word in self.waiting if word.kind == "tell"]
        self.waiting = [word for word in self.waiting if word.kind != "tell"]
        return told

    async def answer(self, identifier: str, *, tell_answers: bool = False) -> Word:
        """Wait for the word that answers; where `tell_answers`, any word of a person does, and stays to be taken."""
        while True:
            self._read()
            for word in self.waiting:
                if word.kind == "tell":
                    if tell_answers:
                        return word
                elif word.answers == identifier:
                    self.waiting.remove(word)
                    return word
            await asyncio.sleep(POLL_SECONDS)

    def _read(self) -> None:
        while True:
            try:
                with open(self.folder / f"{self._next:06}.json", "rb") as file:
                    content = file.read(MAX_BYTES)
            except OSError:
                return
            self._next += 1
            if (word := _word(content)) is not None:
                self.waiting.append(word)


def _word(content: bytes) -> Word | None:
    try:
        data = json.loads(content)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    kind, text, answers = (data.get(key, "") for key in ("kind", "text", "answers"))
    return Word(kind, str(text), str(answers)) if kind in ("tell", "go", "allow", "reject") else None
