"""What a command opens: the settings of the project it stands in, and its ledger."""

import os
from pathlib import Path

from reeve.cli.start import open_store
from reeve.ports import Store
from reeve.settings import Settings, find_root, read_settings

__all__ = ["ledger", "project"]


def project() -> Settings:
    """Read the settings of the project around the current folder."""
    return read_settings(find_root(Path.cwd()), os.environ)


def ledger() -> Store:
    """Open the ledger of the project around the current folder, for reading and for what a person says."""
    return open_store(project())
