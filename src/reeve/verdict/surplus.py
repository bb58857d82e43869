"""What a patch changes beyond what its checks need, in lines and in kind."""

from collections.abc import Sequence

from reeve.records import SourceChange, Surplus

__all__ = ["surplus_of"]


def surplus_of(beyond: Sequence[SourceChange], patch: Sequence[SourceChange], *, tree: str, complete: bool) -> Surplus:
    """Count the difference from the needed tree to the examined one."""
    del patch
    lines = sum(len({*(one.before or b"").splitlines()} ^ {*(one.after or b"").splitlines()}) for one in beyond)
    return Surplus(lines, tree=tree, complete=complete)
