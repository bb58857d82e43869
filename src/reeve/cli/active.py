"""Whether a `reeve run` is at work on a ledger now: facts alone cannot tell, a killed process records nothing."""

from pathlib import Path

__all__ = ["run_is_active"]


def run_is_active(state: Path) -> bool:
    """Say whether some process holds the run lock of a state folder; looking at it takes no lock itself."""
    try:
        inode = (state / "run.lock").stat().st_ino
        held = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    fields = (line.split() for line in held.splitlines())
    return any(row[1] == "FLOCK" and row[-3].rsplit(":", 1)[-1] == str(inode) for row in fields if len(row) >= 8)
