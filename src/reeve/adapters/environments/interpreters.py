"""The Python interpreters of this machine that an environment can stand on."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Interpreter", "interpreters"]

PLACES = ("/usr/bin", "/usr/local/bin")
NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python3.8")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter by its real path; `prefix` is the folder of its installation."""

    path: str
    version: tuple[int, int, int]
    prefix: str

    @property
    def named(self) -> str:
        """Its version for a person."""
        return ".".join(map(str, self.version))


@cache
def interpreters() -> tuple[Interpreter, ...]:
    """List them, best first: our own version (below /usr, if it is there), then what else the system has."""
    own = Interpreter(str(Path(sys.executable).resolve()), sys.version_info[:3], sys.base_prefix)
    found = [one for place in PLACES for name in NAMES if (one := _asked(Path(place) / name)) is not None]
    same = [one for one in found if one.version[:2] == own.version[:2]]
    by_path = {one.path: one for one in (*same, own, *found)}
    return tuple(by_path.values())


def _asked(path: Path) -> Interpreter | None:
    if not path.exists():
        return None
    code = "import sys; print(*sys.version_info[:3], sys.base_prefix)"
    done = subprocess.run([path, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    words = done.stdout.split(maxsplit=3)
    if done.returncode or len(words) != 4:
        return None
    return Interpreter(str(path.resolve()), (int(words[0]), int(words[1]), int(words[2])), words[3].strip())
