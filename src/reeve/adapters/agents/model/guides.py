"""The repository's own AGENTS.md files: that of the root first, that of the folder nearest to a file last."""

from pathlib import Path

from .events import cut
from .tree import Tree

__all__ = ["Guides"]

NAME = "AGENTS.md"
MAX_ONE = 16_000  # characters
MAX_ALL = 48_000


class Guides:
    """Gives each guide once: the root's at the start, another when the first file below its folder is touched."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._given: set[Path] = set()
        self._left = MAX_ALL

    def root(self) -> str:
        """Return the guide of the whole repository; empty if there is none."""
        return self._read(self.tree.root) or ""

    def on_the_way_to(self, path: Path) -> dict[str, str]:
        """Return the guides that are new with a file, by the name of their folder."""
        folders = [folder for folder in path.parents if folder.is_relative_to(self.tree.root)]
        found = {self.tree.name(folder): self._read(folder) for folder in reversed(folders)}
        return {name: f"{NAME} of {name}/, for what is below it:\n{text}" for name, text in found.items() if text}

    def _read(self, folder: Path) -> str | None:
        if folder in self._given or self._left <= 0:
            return None
        self._given.add(folder)
        try:
            # Not through a link: the guide of a repository is a file of it.
            if (folder / NAME).is_symlink() or not (folder / NAME).is_file():
                return None
            with open(folder / NAME, encoding="utf-8", errors="replace") as file:
                text = cut(file.read(4 * MAX_ONE).strip(), min(MAX_ONE, self._left))
        except OSError:
            return None
        self._left -= len(text)
        return text
