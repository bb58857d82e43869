"""Our own programs that run in sandboxes, with their bytecode: to compile them anew takes as long as what they do.

The copies stand in the state folder, below a name made of all that they consist of; a sandbox sees them read-only, as
it sees the originals. An interpreter of another version finds no bytecode of its own there, and compiles as before.
"""

import hashlib
import py_compile
import tempfile
from contextlib import suppress
from functools import cache
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

__all__ = ["compiled"]


def compiled(program: Path, place: Path | None) -> Path:
    """Return a copy of a folder of sources with bytecode, below `place`; the folder itself where there is no place."""
    if place is None:
        return program
    target = place / f"{program.name}-{_digest(program)[:16]}"
    if not target.is_dir():
        _make(program, target)
    return target


@cache
def _digest(program: Path) -> str:
    digest = hashlib.sha256(MAGIC_NUMBER)
    for file in sorted(program.glob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _make(program: Path, target: Path) -> None:
    """Make it whole beside its place and move it there: of several processes that do so at once, one is first."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        for file in program.glob("*.py"):
            copy = made / file.name
            copy.write_bytes(file.read_bytes())
            # By content, not by time: what runs is what stands beside it.
            checked = py_compile.PycInvalidationMode.CHECKED_HASH
            bytecode = cache_from_source(str(copy), optimization="")
            py_compile.compile(str(copy), bytecode, doraise=True, optimize=0, invalidation_mode=checked)
        for path in (made, *made.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        with suppress(OSError):
            made.rename(target)
