"""Which test is run when and with which others: another order and other neighbours than pytest's, by a seed.

The place of a test depends on the seed and its own name alone, so that a run on another tree, or with further files,
keeps the order and the company of those that both have.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WORST = ("passed", "xpassed", "skipped", "xfailed", "failed", "error")
GROUPS = 4
TRIES = 50


def arrange(ids: Sequence[str], seed: int, required: Iterable[str], strange: Iterable[str] = ()) -> list[list[int]]:
    """Groups of places in `ids`, each to be run in a process of its own, in this order.

    Files are shuffled and spread over the groups, the classes within a file, the functions within a class. A file
    with a required test does not stay at its place in the order of files. `strange` files do not count for any
    of that, so that they do not change what becomes of the others.
    """
    others = set(strange)
    files = list(dict.fromkeys(file_of(name) for name in ids))
    plain = [file for file in files if file not in others]
    wanted = {file_of(name) for name in required}
    salt = _salt(plain, seed, wanted)
    count = max(1, min(GROUPS, len(plain)))
    groups: dict[int, list[int]] = {}
    for place in sorted(range(len(ids)), key=lambda place: _keys(ids[place], salt)):
        groups.setdefault(_group(salt, file_of(ids[place]), count), []).append(place)
    return [groups[number] for number in sorted(groups)]


def shuffled(places: Iterable[int], seed: int) -> list[int]:
    """Put places into an order of their own."""
    return sorted(places, key=lambda place: _number(str(seed), str(place)))


def _salt(files: Sequence[str], seed: int, wanted: set[str]) -> str:
    """Draw an order in which no wanted file has its old place; with one file there is no other."""
    salt = str(seed)
    for number in range(TRIES):
        salt = f"{seed}.{number}"
        count = max(1, min(GROUPS, len(files)))
        keys = {file: (_group(salt, file, count), _number(salt, file)) for file in files}
        new = sorted(files, key=lambda file: keys[file])
        if len(files) < 2 or not any(file in wanted and file == new[place] for place, file in enumerate(files)):
            break
    return salt


def _group(salt: str, file: str, count: int) -> int:
    return int(_number(salt, "in", file) * count)


def _keys(name: str, salt: str) -> tuple[float, float, float, float]:
    """Keep the parts of one file, class and function together; parameters are shuffled within their function."""
    file, _, rest = name.partition("::")
    function = rest.partition("[")[0]
    owner = function.rpartition("::")[0]
    return (
        _number(salt, file),
        _number(salt, file, owner),
        _number(salt, file, function),
        _number(salt, name),
    )


def file_of(name: str) -> str:
    """Give the file of an id."""
    return name.partition("::")[0]


def _number(*parts: str) -> float:
    """Draw a number from 0 to 1; the hash of the interpreter itself differs from run to run."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def named_by(name: str) -> list[str]:
    """List what an entry may say to name a test: its id, function, class, file, or a folder above it.

    The same as in the report plugin, which cannot be imported where pytest is not.
    """
    path, _, rest = name.partition("::")
    names = [name, path, "", "."]
    names += [path[:at] for at, letter in enumerate(path) if letter == "/"]
    plain = rest.partition("[")[0]
    names += [f"{path}::{plain[:at]}" for at in range(len(plain)) if plain.startswith("::", at)]
    return [*names, f"{path}::{plain}"]
