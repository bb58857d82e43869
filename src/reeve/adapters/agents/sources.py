"""The programs that run inside the sandbox, as files: which version they are, and that they start quickly."""

import compileall
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["compiled", "source_hash"]


@cache
def source_hash(folder: Path) -> str:
    """Return a hash of the sources in a folder: two attempts of one version ran the same program."""
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        content.update(f"{path.relative_to(folder).as_posix()}\0{len(source)}\0".encode() + source)
    return content.hexdigest()[:12]


@cache
def compiled(folder: Path) -> None:
    """Compile a program as an import would, once: it is mounted read-only, and must not be compiled at each start."""
    compileall.compile_dir(folder, quiet=2)
