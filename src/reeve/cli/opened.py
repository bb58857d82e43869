"""What a command opens: the settings of the project it stands in, and its ledger."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reeve.cli.doors import Keys, keys_of
from reeve.cli.start import open_store
from reeve.errors import LedgerError
from reeve.ports import Fact, Store
from reeve.settings import Settings, find_root, read_settings

__all__ = ["Nothing", "keyless", "keys", "ledger", "ledger_of", "project"]


def project() -> Settings:
    """Read the settings of the project around the current folder."""
    return read_settings(find_root(Path.cwd()), os.environ)


def keys(settings: Settings) -> Keys:
    """Find the keys of all providers; raises SettingsError for a file that is none."""
    return keys_of(settings, os.environ)


def keyless(settings: Settings) -> Mapping[str, str]:
    """Say of every provider that has no key what to do about that."""
    return keys(settings).missing


def ledger() -> Store:
    """Open the ledger of the project around the current folder; an empty one where nothing was run yet.

    Looking leaves no folder behind.
    """
    return ledger_of(project())


def ledger_of(settings: Settings) -> Store:
    """Open the ledger of a project, as `ledger`."""
    if not (settings.state / "ledger.db").exists():
        return Nothing()
    return open_store(settings)


class Nothing:
    """The ledger of a project where nothing was run yet: port Store without a single fact."""

    def append(self, fact: Fact) -> Fact:
        """Forget the fact: there is nothing yet that it could be about."""
        return fact

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        """Return no fact."""
        del kind, task, after
        return ()

    def fact(self, kind: str, key: str) -> Fact | None:
        """Return no fact."""
        del kind, key
        return None

    def last(self) -> int:
        """Say that there is no fact."""
        return 0

    def put(self, content: bytes) -> str:
        """Refuse."""
        raise LedgerError(f"storing {len(content)} bytes: there is no ledger here yet")

    def get(self, digest: str) -> bytes:
        """Refuse."""
        raise LedgerError(f"reading the artefact {digest}: there is no ledger here yet")
