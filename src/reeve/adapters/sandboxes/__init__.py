"""Where commands run behind walls: bubblewrap, none (no walls), and a fake."""

import os

__all__ = ["SANDBOX_UID", "owner_of_trees"]

SANDBOX_UID = 64321
"""The unprivileged uid and gid of everything sandboxed when reeve is started by root."""


def owner_of_trees() -> tuple[int, int] | None:
    """Return the uid and gid that trees are given to; None when we are an ordinary user and own them already."""
    return (SANDBOX_UID, SANDBOX_UID) if os.geteuid() == 0 else None
