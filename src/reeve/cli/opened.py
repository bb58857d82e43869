"""What a command opens: the settings of the project it stands in, and its ledger."""

import os
from pathlib import Path

from reeve.adapters.stores.memory import MemoryStore
from reeve.cli.start import open_store
from reeve.ports import Store
from reeve.settings import Settings, find_root, read_settings

__all__ = ["ledger", "ledger_of", "project"]


def project() -> Settings:
    """Read the settings of the project around the current folder."""
    return read_settings(find_root(Path.cwd()), os.environ)


def ledger() -> Store:
    """Open the ledger of the project around the current folder; an empty one where nothing was run yet.

    Looking leaves no folder behind.
    """
    return ledger_of(project())


def ledger_of(settings: Settings) -> Store:
    """Open the ledger of a project, as `ledger`."""
    if not (settings.state / "ledger.db").exists():
        return MemoryStore()
    return open_store(settings)
