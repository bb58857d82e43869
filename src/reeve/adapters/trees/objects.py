"""Our own git object store: the port Objects, and what workspaces and landing need of it."""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, DiffOption

from reeve.adapters.scratch import scratch_folder
from reeve.adapters.trees import gittree, paths
from reeve.adapters.trees.gitrun import clean_env, git, git_status
from reeve.adapters.trees.gittree import BLOB, EMPTY_TREE, EXECUTABLE, FOLDER, GITLINK, SYMLINK, Edit, Entry
from reeve.errors import PatchError, RepositoryError
from reeve.records import Base, Change, SourceChange

__all__ = ["GitObjects", "Piece", "decoded", "encoded", "isolate"]

_HEX = re.compile(r"[0-9a-f]{40}")
_CONFIG = "[safe]\n\tdirectory = *\n[core]\n\tprotectHFS = true\n\tprotectNTFS = true\n[gc]\n\tauto = 0\n"
_isolated = threading.Event()
SOURCE_BYTES = 2 << 20
"""No file that a person writes is larger; what is larger is measured, not read."""

FOLDERS_KEPT = 64
"""Levels of a tree that are remembered while many paths of it are looked up."""


def encoded(path: str) -> bytes:
    """Give the bytes of a path as they are on disk; undecodable ones travel as surrogates."""
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    """Give a path as text; undecodable bytes become surrogates."""
    return path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest independent part of a patch: one hunk of a text file, or one whole-file change.

    A hunk replaces the lines `start` to `start + len(old)` (0-based) of the base file by `new`; for a whole file
    `entry` is its git mode and object id, or None if it was removed.
    """

    path: bytes
    start: int = 0
    old: tuple[bytes, ...] = ()
    new: tuple[bytes, ...] = ()
    whole: bool = False
    entry: tuple[int, str] | None = None

    @property
    def lines(self) -> int:
        """Lines added and removed; a whole file counts as one."""
        return 1 if self.whole else len(self.old) + len(self.new)


def isolate() -> None:
    """Keep the configuration of the person and of the machine out of libgit2, for the whole process."""
    if _isolated.is_set():
        return
    for level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
    pygit2.settings.owner_validation = False  # ours, whoever of us made it
    _isolated.set()


class GitObjects:
    """A bare repository of our own, made on first use; safe for threads and for several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).absolute()
        self._local = threading.local()
        self._config = self.folder / "reeve.gitconfig"
        self._tops: dict[Path, Path] = {}

    # ------------------------------------------------------------ raw objects

    @property
    def repository(self) -> pygit2.Repository:
        """The libgit2 handle of this thread."""
        found: pygit2.Repository | None = getattr(self._local, "repository", None)
        if found is None:
            isolate()
            if not self._config.exists():
                self._create()
            found = self._local.repository = pygit2.Repository(str(self.folder))
        return found

    def _create(self) -> None:
        """Make it whole beside its place and move it there: of several processes that do so at once, one is first."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{self.folder.name}-", dir=self.folder.parent) as place:
            made = Path(place) / "made"
            pygit2.init_repository(str(made), bare=True)
            for name in ("hooks", "info"):  # samples and patterns of whoever installed git
                for file in (made / name).glob("*"):
                    file.unlink(missing_ok=True)
            (made / self._config.name).write_text(_CONFIG)
            try:
                made.rename(self.folder)
            except OSError as error:
                if not self._config.exists():
                    raise RepositoryError(
                        f"making the object store {str(self.folder)!r}: {error.strerror}; move away what stands there"
                    ) from error

    @property
    def _env(self) -> dict[str, str]:
        return clean_env(self._config, GIT_DIR=str(self.folder))

    def read_object(self, oid: str) -> tuple[int, bytes]:
        """Read the kind and content of an object; raises RepositoryError if it is missing."""
        try:
            kind, data = self.repository.read(pygit2.Oid(hex=oid))
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise RepositoryError(f"object {oid!r} is not in {self.folder}: {error}") from error
        return int(kind), data

    def entries(self, tree: str) -> dict[bytes, Entry]:
        """Read one level of a tree."""
        if tree == EMPTY_TREE:
            return {}
        kind, data = self.read_object(tree)
        if kind != pygit2.enums.ObjectType.TREE:
            raise RepositoryError(f"object {tree!r} is not a tree; give the id of a tree")
        return gittree.parse(data)

    def write_entries(self, entries: dict[bytes, Entry]) -> str:
        """Write one level of a tree."""
        return str(self.repository.write(pygit2.enums.ObjectType.TREE, gittree.serialise(entries)))

    def write_blob(self, content: bytes) -> str:
        """Store the content of a file; no filter applies."""
        return str(self.repository.create_blob(content))

    def read_blob(self, oid: str) -> bytes:
        """Read the content of a file."""
        return self.read_object(oid)[1]

    def edit(self, tree: str, edit: Edit) -> str:
        """Make the tree that results from an edit; reads and writes changed folders only."""
        made = gittree.edited(self, None if tree == EMPTY_TREE else tree, edit)
        return made if made is not None else self.write_entries({})

    # ------------------------------------------------------------ the port

    def import_base(self, repo: Path, commit: str) -> Base:
        """Copy the tree of a commit, without history, into our store; raises RepositoryError with what to do.

        Works for worktrees, bare and shallow repositories; submodules stay links, LFS pointers stay pointers.
        """
        _ = self.repository
        env = clean_env(self._config)
        top, commit_id, tree = self._resolve(Path(repo), commit, env)
        if pygit2.Oid(hex=tree) not in self.repository:
            doing = f"copying the tree of commit {commit_id[:10]} of {top}"
            # Raw object ids in, one pack out: neither history nor a later commit can come along.
            pack = git(["-C", str(top), "pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset"],
                       env=env, doing=doing, stdin=f"{tree}\n".encode())  # fmt: skip
            git(["index-pack", "--stdin", "--strict=missingEmail=ignore"], env=self._env, doing=doing, stdin=pack)
            self._local.repository = pygit2.Repository(str(self.folder))
        return Base(repo=str(top), commit=commit_id, tree=tree)

    def _resolve(self, repo: Path, commit: str, env: Mapping[str, str]) -> tuple[Path, str, str]:
        if commit.startswith("-") or any(ord(letter) < 32 for letter in commit):
            raise RepositoryError(f"{commit!r} cannot be the name of a commit; give a hash, a branch or a tag")
        top = self._top(repo, env)
        names = [f"{commit}^{{commit}}", f"{commit}^{{tree}}"]
        status, out, _ = git_status(["-C", str(repo), "rev-parse", "-q", *names], env=env)
        ids = out.decode("utf-8", "replace").split()
        if status or len(ids) != len(names):
            raise RepositoryError(
                f"no commit {commit!r} in {str(top)!r}; name one that exists (see 'git log'), or make a first commit"
            )
        if not _HEX.fullmatch(ids[1]):
            raise RepositoryError(
                f"{str(top)!r} uses SHA-256 object names, which is not supported; use a SHA-1 repository"
            )
        return top, ids[0], ids[1]

    def _top(self, repo: Path, env: Mapping[str, str]) -> Path:
        """Find the top folder of a repository, once; a bare one is its own."""
        if (known := self._tops.get(repo)) is not None:
            return known
        status, _, err = git_status(["-C", str(repo), "rev-parse", "--git-dir"], env=env)
        if status:
            raise RepositoryError(
                f"{str(repo)!r} is not a git repository ({err.decode(errors='replace').strip()[:200]}); "
                "run 'git init' there or name another folder"
            )
        status, out, _ = git_status(["-C", str(repo), "rev-parse", "--show-toplevel"], env=env)
        top = Path(os.fsdecode(out.rstrip(b"\n"))) if not status and out.strip() else repo.absolute()
        self._tops[repo] = top
        return top

    def write(self, tree: str, files: Mapping[str, tuple[bytes, bool] | None]) -> str:
        """Make a tree with files put in, replaced or (None) removed; raises PatchError for a bad path."""
        edit = Edit()
        for path, file in files.items():
            name = encoded(path)
            if problem := paths.problem_of(name):
                raise PatchError(f"cannot write {path!r}: {problem}")
            edit.put(name, None if file is None else Entry(EXECUTABLE if file[1] else BLOB, self.write_blob(file[0])))
        return self.edit(tree, edit)

    def apply(self, tree: str, patch: bytes) -> str:
        """Apply a unified git diff; raises PatchError with the first hunk that does not fit, or the forbidden path."""
        if not patch.strip():
            return tree
        with scratch_folder("reeve-index-") as folder:
            env = {**self._env, "GIT_INDEX_FILE": f"{folder}/index"}
            before = pygit2.Index(f"{folder}/index")  # a process of git for this, and for writing it, costs more
            before.read_tree(self._tree(tree))
            before.write()
            status, _, err = git_status(
                ["apply", "--cached", "--whitespace=nowarn", "--unidiff-zero", "-"], env=env, stdin=patch
            )
            if status:
                raise PatchError(f"the patch does not apply: {_first_error(err)}; make it against this tree")
            try:
                made = str(pygit2.Index(f"{folder}/index").write_tree(self.repository))
            except pygit2.GitError as error:
                raise RepositoryError(f"storing a patched tree in {self.folder}: {error}") from error
        self._refuse_hostile(tree, made)
        return made

    def _refuse_hostile(self, tree: str, made: str) -> None:
        for path, _, new in gittree.differing(self, tree, made):
            if new is None:
                continue
            problem = paths.problem_of(path)
            if not problem and new.mode == SYMLINK:
                problem = paths.links_out(path, self.read_blob(new.oid))
            if not problem and new.mode == GITLINK:
                problem = "a submodule cannot be changed by a patch"
            if problem:
                raise PatchError(f"the patch is refused at {decoded(path)!r}: {problem}; leave that path out")

    def merge(self, base: str, ours: str, theirs: str) -> tuple[str | None, tuple[str, ...]]:
        """Merge three ways; returns the tree, or None with the paths in conflict."""
        if ours in (base, theirs):
            return theirs, ()
        if theirs == base:
            return ours, ()
        repository = self.repository
        index = repository.merge_trees(self._known(base), self._known(ours), self._known(theirs))
        if index.conflicts is not None:
            sides = (side for conflict in index.conflicts for side in conflict if side is not None)
            return None, tuple(sorted({_path_of(side) for side in sides}))
        return str(index.write_tree(repository)), ()

    def _known(self, tree: str) -> pygit2.Oid:
        if tree == EMPTY_TREE:
            self.write_entries({})
        self.entries(tree)
        return pygit2.Oid(hex=tree)

    def _tree(self, tree: str) -> pygit2.Tree:
        found = self.repository[self._known(tree)]
        assert isinstance(found, pygit2.Tree)  # noqa: S101 - `_known` read it as one
        return found

    # ------------------------------------------------------------ reading

    def read(self, tree: str, path: str) -> bytes | None:
        """Read one file (or the target of a link) of a tree; None if there is none."""
        *folders, name = encoded(path).split(b"/")
        for folder in folders:
            below = self.entries(tree).get(folder)
            if below is None or below.mode != FOLDER:
                return None
            tree = below.oid
        entry = self.entries(tree).get(name)
        return None if entry is None or entry.mode in (FOLDER, GITLINK) else self.read_blob(entry.oid)

    def paths(self, tree: str) -> tuple[str, ...]:
        """Name every file and link of a tree, sorted by bytes; submodules are not among them."""
        found = (path for path, entry in gittree.walk(self, tree) if entry.mode != GITLINK)
        return tuple(decoded(path) for path in sorted(found))

    def changes(self, base_tree: str, tree: str) -> tuple[Change, ...]:
        """List the paths in which two trees differ; a rename is a removal and an addition."""
        found = []
        for patch in self._diff(base_tree, tree, binary=False):
            delta = patch.delta
            kind = {"A": "added", "D": "deleted"}.get(delta.status_char(), "modified")
            _, added, removed = patch.line_stats
            raw = (delta.old_file if kind == "deleted" else delta.new_file).raw_path
            found.append(Change(decoded(raw), kind, added, removed, binary=bool(delta.is_binary)))
        return tuple(found)

    def sources(self, base_tree: str, tree: str) -> tuple[SourceChange, ...]:
        """Read the regular files in which two trees differ; one larger than 2 MB is left out."""
        found = []
        # By entries, not by paths: looking up each path anew takes time with the square of what an agent made.
        for path, old, new in gittree.differing(self, base_tree, tree):
            before, after = self._regular(old), self._regular(new)
            if max(len(before or b""), len(after or b"")) <= SOURCE_BYTES:
                found.append(SourceChange(decoded(path), before, after))
        return tuple(found)

    def _regular(self, entry: Entry | None) -> bytes | None:
        return self.read_blob(entry.oid) if entry is not None and entry.mode in (BLOB, EXECUTABLE) else None

    def diff(self, base_tree: str, tree: str) -> bytes:
        """Give the difference in git's format with binary content, fit for `git apply`; empty for equal trees."""
        return b"".join(patch.data for patch in self._diff(base_tree, tree, binary=True))

    def _diff(self, base_tree: str, tree: str, *, binary: bool, context: int = 3) -> list[pygit2.Patch]:
        if base_tree == tree:
            return []
        flags = DiffOption.SHOW_BINARY if binary else DiffOption.NORMAL
        old, new = (self._tree(each) for each in (base_tree, tree))
        return [patch for patch in old.diff_to_tree(new, flags=flags, context_lines=context) if patch is not None]

    # ------------------------------------------------------------ pieces

    def split(self, base_tree: str, tree: str) -> list[Piece]:
        """Cut the difference of two trees into its smallest independent pieces, in the order of paths and lines."""
        found: list[Piece] = []
        hunks = {
            patch.delta.new_file.raw_path: patch.hunks
            for patch in self._diff(base_tree, tree, binary=False, context=0)
            if patch.delta.status_char() == "M"
        }
        for path, old, new in gittree.differing(self, base_tree, tree):
            text = old and new and old.mode == new.mode and old.mode in (BLOB, EXECUTABLE) and hunks.get(path)
            if not text or old is None or new is None:
                found.append(Piece(path, whole=True, entry=None if new is None else (new.mode, new.oid)))
                continue
            before, after = _lines(self.read_blob(old.oid)), _lines(self.read_blob(new.oid))
            for hunk in text:
                # With no old lines git names the line before the insertion, with some the first of them.
                start = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
                begin = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
                found.append(Piece(path, start, tuple(before[start : start + hunk.old_lines]),
                                   tuple(after[begin : begin + hunk.new_lines])))  # fmt: skip
        return found

    def join(self, base_tree: str, pieces: Iterable[Piece]) -> str:
        """Put pieces of one `split` onto its base tree; all of them give the whole tree, none gives the base."""
        edit, hunks = Edit(), dict[bytes, list[Piece]]()
        for piece in pieces:
            if piece.whole:
                edit.put(piece.path, None if piece.entry is None else Entry(*piece.entry))
            else:
                hunks.setdefault(piece.path, []).append(piece)
        entries = lru_cache(maxsize=FOLDERS_KEPT)(self.entries)
        for path, parts in hunks.items():
            old = _entry(entries, base_tree, path)
            if old is None:
                raise PatchError(f"cannot put a hunk into {decoded(path)!r}: the base tree has no such file")
            lines = _lines(self.read_blob(old.oid))
            for part in sorted(parts, key=lambda each: each.start, reverse=True):
                if tuple(lines[part.start : part.start + len(part.old)]) != part.old:
                    raise PatchError(f"a hunk of {decoded(path)!r} does not fit at line {part.start + 1}")
                lines[part.start : part.start + len(part.old)] = part.new
            edit.put(path, Entry(old.mode, self.write_blob(b"".join(lines))))
        return self.edit(base_tree, edit)

    # ------------------------------------------------------------ protected paths, landing

    def restore(self, tree: str, from_tree: str, globs: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Put every path that matches a pattern back as it is in `from_tree`; also returns the paths that differed.

        Added ones are removed; a link or file that stands where a protected folder was gives way.
        """
        edit, restored = Edit(), []
        removed: list[bytes] = []
        # Most are paths, and there may be as many as an agent made files: only what holds a wildcard is a pattern.
        plain = {encoded(glob.strip("/")) for glob in globs if glob.startswith("/")}
        patterns = tuple(glob for glob in globs if not glob.startswith("/") or "*" in glob or "?" in glob)
        for path, old, new in gittree.differing(self, from_tree, tree):
            if not (_covered(path, plain) or paths.matches(path, patterns)):
                continue
            restored.append(decoded(path))
            if old is None:
                removed.append(path)
            else:
                edit.put(path, old)
            del new
        made = self.edit(tree, edit) if edit.names else tree
        taken, entries = Edit(), lru_cache(maxsize=FOLDERS_KEPT)(self.entries)
        for path in removed:
            if _entry(entries, made, path) is not None and _entry(entries, from_tree, path) is None:
                taken.put(path, None)
        return (self.edit(made, taken) if taken.names else made), tuple(restored)

    def commit(self, tree: str, parents: Sequence[str], message: str, *, author: str, committer: str) -> str:
        """Store a commit; `author` and `committer` read ``Name <mail> seconds zone``. Parents need not be here."""
        head = [
            f"tree {tree}",
            *(f"parent {parent}" for parent in parents),
            f"author {author}",
            f"committer {committer}",
        ]
        data = "\n".join([*head, "", message.rstrip("\n") + "\n"]).encode("utf-8", "surrogateescape")
        return str(self.repository.write(pygit2.enums.ObjectType.COMMIT, data))

    def pack(self, ids: Iterable[str], exclude: Iterable[str] = ()) -> bytes:
        """Pack commits (without their parents) and trees with all below, less what the `exclude` tree holds.

        Fit for `git unpack-objects` or `git index-pack --stdin` in a repository that has the excluded one.
        """
        wanted = dict[str, None]()
        base = next(iter(exclude), None)
        for oid in ids:
            kind, data = self.read_object(oid)
            if kind == pygit2.enums.ObjectType.COMMIT:
                wanted[oid] = None
                oid = data[5:45].decode()  # noqa: PLW2901 - the tree, named in its first line
            self._reach(oid, base, wanted)
        listing = "".join(f"{oid}\n" for oid in wanted)
        return git(["pack-objects", "--stdout", "-q"], env=self._env, doing="packing objects", stdin=listing.encode())

    def _reach(self, tree: str, base: str | None, wanted: dict[str, None]) -> None:
        if tree in (base, EMPTY_TREE):
            return
        wanted[tree] = None
        old = self.entries(base) if base else {}
        for name, entry in self.entries(tree).items():
            before = old.get(name)
            if entry.mode == GITLINK or entry == before:
                continue
            if entry.mode == FOLDER:
                self._reach(entry.oid, before.oid if before and before.mode == FOLDER else None, wanted)
            else:
                wanted[entry.oid] = None


def _covered(path: bytes, plain: set[bytes]) -> bool:
    """Say whether a path, or a folder above it, is among some."""
    return path in plain or any(path[:at] in plain for at, byte in enumerate(path) if byte == ord("/"))


def _entry(entries: Callable[[str], dict[bytes, Entry]], tree: str, path: bytes) -> Entry | None:
    """Look up a path, given what reads one level of a tree."""
    *folders, name = path.split(b"/")
    for folder in folders:
        below = entries(tree).get(folder)
        if below is None or below.mode != FOLDER:
            return None
        tree = below.oid
    return entries(tree).get(name)


def _lines(content: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def _path_of(side: pygit2.IndexEntry) -> str:
    return str(side.path)


def _first_error(err: bytes) -> str:
    lines = [line for line in err.decode("utf-8", "surrogateescape").splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith("error:")), lines[0] if lines else "no message")
    return first.removeprefix("error:").strip().encode("utf-8", "replace").decode()
