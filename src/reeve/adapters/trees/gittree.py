"""Git trees as bytes: parse, build, walk; names are never decoded."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

__all__ = ["BLOB", "EXECUTABLE", "FOLDER", "GITLINK", "SYMLINK", "Edit", "Entry", "Raw", "differing", "edited", "walk"]

BLOB, EXECUTABLE, SYMLINK, FOLDER, GITLINK = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Entry(NamedTuple):
    """One entry of a tree: git's mode and the object id in hex."""

    mode: int
    oid: str


class Raw(Protocol):
    """What is needed of an object store to work on trees."""

    def entries(self, tree: str) -> dict[bytes, Entry]:
        """Read one level of a tree."""

    def write_entries(self, entries: dict[bytes, Entry]) -> str:
        """Write one level of a tree."""


class Edit:
    """A folder of changes: name -> Entry (put), None (remove) or Edit (change below).

    With `opaque` set nothing of the old folder stays.
    """

    __slots__ = ("names", "opaque")

    def __init__(self, *, opaque: bool = False) -> None:
        self.names: dict[bytes, Edit | Entry | None] = {}
        self.opaque = opaque

    def put(self, path: bytes, value: Entry | None) -> None:
        """Change one path; a file in the way of one of its folders gives way."""
        here = self
        *folders, name = path.split(b"/")
        for folder in folders:
            below = here.names.get(folder)
            if not isinstance(below, Edit):
                below = here.names[folder] = Edit()
            here = below
        here.names[name] = value


def parse(data: bytes) -> dict[bytes, Entry]:
    """Read the content of a tree object."""
    found: dict[bytes, Entry] = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        found[data[space + 1 : end]] = Entry(int(data[at:space], 8), data[end + 1 : end + 21].hex())
        at = end + 21
    return found


def serialise(entries: dict[bytes, Entry]) -> bytes:
    """Write the content of a tree object; git orders a folder as if its name ended in a slash."""
    order = sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1].mode == FOLDER else item[0])
    return b"".join(b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.oid)) for name, entry in order)


def edited(store: Raw, tree: str | None, edit: Edit) -> str | None:
    """Make the tree that results from an edit; only changed folders are read. None: nothing is left in it."""
    old = store.entries(tree) if tree is not None else {}
    new = {} if edit.opaque else dict(old)
    for name, value in edit.names.items():
        if isinstance(value, Edit):
            below = old.get(name)
            inner = edited(store, below.oid if below is not None and below.mode == FOLDER else None, value)
            value = None if inner is None else Entry(FOLDER, inner)  # noqa: PLW2901
        if value is None:
            new.pop(name, None)
        else:
            new[name] = value
    if not new:
        return None
    return tree if tree is not None and new == old else store.write_entries(new)


def walk(store: Raw, tree: str, prefix: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Give every file, link and gitlink of a tree with its path, in git's order within each folder."""
    for name, entry in store.entries(tree).items():
        if entry.mode == FOLDER:
            yield from walk(store, entry.oid, prefix + name + b"/")
        else:
            yield prefix + name, entry


def differing(
    store: Raw, old: str | None, new: str | None, prefix: bytes = b""
) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Give the paths in which two trees differ, with both entries; equal folders are not read."""
    if old == new:
        return
    before = store.entries(old) if old else {}
    after = store.entries(new) if new else {}
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name), after.get(name)
        if a == b:
            continue
        folder_a = a.oid if a and a.mode == FOLDER else None
        folder_b = b.oid if b and b.mode == FOLDER else None
        file_a, file_b = (None if folder_a else a), (None if folder_b else b)
        if file_a or file_b:
            yield prefix + name, file_a, file_b
        if folder_a or folder_b:
            yield from differing(store, folder_a, folder_b, prefix + name + b"/")
