"""Numbers that nobody can predict and anybody can check later: drawn with a secret key that was committed to before."""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reeve.durable.journal import Journal
from reeve.ports import Clock, Fact, Store
from reeve.records import Draw

__all__ = ["KEY_FILE", "Drawing", "check_draws", "number_of"]

KEY_FILE = "audit.key"
"""Below the state folder: outside every workspace, and readable by the owner alone."""

BITS = 53  # what a float holds exactly


class Drawing:
    """Draws for results of one ledger. The commitment to a key is a fact before the first number is drawn with it."""

    def __init__(self, state: Path, ledger: str, journal: Journal, clock: Clock) -> None:
        self._state = state
        self._ledger = ledger
        self._journal = journal
        self._clock = clock

    def numbers(self, attempt: str) -> tuple[float, float, str]:
        """Draw for the uniform and the suspicious stream; also returns the commitment to the key."""
        key, commitment = self._committed()
        return (*_both(key, self._ledger, attempt), commitment)

    def number(self, stream: str, word: str) -> tuple[float, str]:
        """Draw for a word in a stream of its own, apart from those of audits; also returns the commitment."""
        key, commitment = self._committed()
        return number_of(key, self._ledger, stream, word), commitment

    def _committed(self) -> tuple[bytes, str]:
        key = _key(self._state)
        commitment = hashlib.sha256(key).hexdigest()
        fact = Fact("commitment", commitment, "", {"sha256": commitment}, self._clock.now())
        self._journal.store.append(fact)
        return key, commitment


def _both(key: bytes, ledger: str, attempt: str) -> tuple[float, float]:
    return number_of(key, ledger, "uniform", attempt), number_of(key, ledger, "suspicion", attempt)


def number_of(key: bytes, ledger: str, stream: str, attempt: str) -> float:
    """Return the number, from 0 up to and without 1, that a key gives for a stream and an attempt: HMAC-SHA-256."""
    words = f"{ledger}\0{stream}\0{attempt}".encode("utf-8", "surrogateescape")
    digest = hmac.digest(key, words, "sha256")
    return (int.from_bytes(digest[:8], "big") >> (64 - BITS)) / (1 << BITS)


def check_draws(state: Path, ledger: str, store: Store, draws: Iterable[Draw]) -> list[str]:
    """Name the attempts whose numbers are not those of the key that was committed to before; lost keys are left out."""
    path = state / KEY_FILE
    if not path.exists():
        return []
    key = path.read_bytes()
    commitment = hashlib.sha256(key).hexdigest()
    committed = store.fact("commitment", commitment)
    wrong = []
    for draw in draws:
        if draw.commitment != commitment:
            continue
        fact = store.fact("draw", draw.attempt)
        in_time = committed is not None and fact is not None and committed.seq < fact.seq
        if not in_time or (draw.number, draw.suspicion_number) != _both(key, ledger, draw.attempt):
            wrong.append(draw.attempt)
    return wrong


def _key(state: Path) -> bytes:
    """Read the key, made once: of several that begin at the same moment one wins, and all read that one."""
    path = state / KEY_FILE
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=state, prefix="key-") as file:  # readable by the owner alone
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes()
