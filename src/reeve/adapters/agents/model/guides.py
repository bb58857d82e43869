"""The repository's own AGENTS.md files: that of the root first, that of the folder nearest to a file last."""

import os
from pathlib import Path

from .events import cut, sound
from .tree import Tree

__all__ = ["Guides"]

NAME = "AGENTS.md"
MAX_ONE = 16_000  # characters
MAX_GUIDES = 200


class Guides:
    """Gives each guide once: the root's at the start, another when the first file below its folder is touched.

    They are read when the work begins, from the base: what the agent itself writes into one guides nobody. All that
    are given have `most` characters together.
    """

    def __init__(self, tree: Tree, most: int) -> None:
        self.tree = tree
        names = sorted(
            (name for name in tree.files() if name.rpartition("/")[2] == NAME), key=lambda name: name.count("/")
        )
        read = {os.path.dirname(name): _read(tree.root / name) for name in names[:MAX_GUIDES]}
        self._texts = {folder: text for folder, text in read.items() if text}
        self._left = most

    def root(self) -> str:
        """Return the guide of the whole repository; empty if there is none."""
        return self._given("")

    def on_the_way_to(self, path: Path) -> dict[str, str]:
        """Return the guides that are new with a file, by the name of their folder."""
        folders = [self.tree.name(folder) for folder in path.parents if folder.is_relative_to(self.tree.root)]
        found = {name: self._given(name) for name in reversed(folders)}
        return {name: f"{NAME} of {name}/, for what is below it:\n{text}" for name, text in found.items() if text}

    def _given(self, folder: str) -> str:
        text = self._texts.pop(folder, "")
        text = cut(text, self._left) if self._left > 0 else ""
        self._left -= len(text)
        return text


def _read(path: Path) -> str:
    try:
        # Not through a link: the guide of a repository is a file of it.
        with open(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="utf-8", errors="replace"
        ) as file:
            return sound(cut(file.read(4 * MAX_ONE).strip(), MAX_ONE))
    except OSError:
        return ""
