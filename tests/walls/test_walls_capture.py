"""The extraction of a patch from a hostile tree: any name, any kind, any size, any nesting, and changes under its hands.

It raises nothing but a clear error, waits for nothing, follows no link, and takes what a simple reader of the tree says.
"""

import json
import os
import re
import signal
import socket
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import PYTHON, make_shop
from users import repeated_as_a_user

from reeve.adapters.trees.gittree import BLOB, EXECUTABLE, SYMLINK, Edit, Entry, walk
from reeve.adapters.trees.objects import GitObjects
from reeve.ports import Trees

HERE = Path(__file__).parent
SCRIBBLE = HERE / "attacks" / "scribble.py"


BASE = {
    b"README": ("file", b"read me\n"), b"run.sh": ("run", b"#!/bin/sh\n"), b"a/b/c": ("file", b"c\n"), b"a/d": ("file", b"d\n"),
    b"kept/m.pyc": ("file", b"compiled"), b"kept/one": ("file", b"1"), b"link": ("link", b"a/d"), b"caf\xe9": ("file", b"e"),
}  # fmt: skip
MODES = {"file": BLOB, "run": EXECUTABLE, "link": SYMLINK}
LARGE = 65 << 20


# ---------------------------------------------------------------- what may be written

ODD = [
    b"-rf",
    b"new\nline",
    b"caf\xe9",
    b"\x1b[2J",
    b"\xff\xfe",
    b" ",
    b"x" * 255,
    b"\\",
    b"a b",
    b"'\"",
    b"...",
    b"\xe2\x80\xae",
]
GITS = [b".git", b".GIT", b".Git ", b".git.", b"git~1", b".g\xe2\x80\x8cit", b".git\\x", b".git:x", b".gitignore", b".gitmodules", b".GITMODULES.", b"GITMOD~1",
        b".g\xe2\x80\x8citmodules", b"gi7eba~1"]  # fmt: skip
DEBRIS = [b"__pycache__", b"m.pyc", b".pytest_cache", b".coverage"]
PLAIN = [b"README", b"run.sh", b"a", b"b", b"c", b"d", b"kept", b"one", b"link", b"new"]
ANY = st.binary(min_size=1, max_size=5).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b".."))
NAMES = st.sampled_from(PLAIN) | st.sampled_from(ODD) | st.sampled_from(GITS) | st.sampled_from(DEBRIS) | ANY
FOLDERS = [b"a", b"a/b", b"kept", b"a/new", b"a/b/new", b"kept/new", b"link/new", b"README/new"]
PATHS = (
    st.sampled_from(sorted(BASE)) | st.sampled_from(FOLDERS) | st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
)
TARGETS = st.sampled_from(
    [
        b"a",
        b"a/d",
        b"../README",
        b"/etc/passwd",
        b"../../../etc/passwd",
        b"..",
        b".",
        b".git/config",
        b"nowhere",
        b"\xff",
        b"link",
    ]
)
CONTENTS = st.sampled_from([b"", b"1", b"text\n", b"\0\xff\x00", b"#!/bin/sh\n", b"x" * 5000])
FILE_MODES = st.sampled_from([0o644, 0o755, 0o600, 0o400, 0o000, 0o111, 0o4755, 0o2644, 0o1777])
THINGS = st.one_of(
    st.tuples(st.just("file"), CONTENTS, FILE_MODES),
    st.tuples(st.just("mode"), st.just(b""), FILE_MODES),
    st.tuples(st.just("link"), TARGETS, st.just(0)),
    st.tuples(st.just("hard"), st.sampled_from(sorted(BASE)), st.just(0)),
    st.tuples(st.just("sparse"), st.sampled_from([b"0", b"4096", b"%d" % LARGE]), st.just(0)),
    st.tuples(st.sampled_from(["pipe", "socket", "gone"]), st.just(b""), st.just(0)),
    st.tuples(st.just("device"), st.sampled_from([b"0", b"1"]), st.just(0)),
    st.tuples(st.just("folder"), st.just(b""), st.sampled_from([0o755, 0o000, 0o311, 0o1777])),
)
PLANS = st.lists(st.tuples(PATHS, THINGS), min_size=1, max_size=12)


# ---------------------------------------------------------------- what ought to come of it

PASSED_OVER = re.compile(
    rb"(?i:\.git)|__pycache__|\.(pytest|mypy|ruff)_cache|\.hypothesis|\.[tn]ox|\.DS_Store|\.coverage(\..*)?|.*\.py[co]",
    re.DOTALL,
)
MODULES = re.compile(rb"\.gitmodules[ .]*|gitmod~1|\.g\xe2\x80\x8citmodules|gi7eba~1")
HIDDEN_POINTS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def taken_for_git(name):
    """Windows drops streams and trailing dots and spaces, and splits at backslashes; a Mac leaves out some letters."""
    for part in name.split(b"\\"):
        plain = part.split(b":")[0].rstrip(b" .").lower()
        if plain == b".git" or re.fullmatch(rb"git~\d+", plain):
            return True
        if HIDDEN_POINTS.sub("", part.decode("utf-8", "ignore")).lower() == ".git":
            return True
    return False


def stays_within(path, target):
    """A link may lead anywhere below the top of the tree but into `.git`, step by step."""
    if target.startswith(b"/") or MODULES.fullmatch(path.rsplit(b"/", 1)[-1].lower()):
        return False
    depth = path.count(b"/")
    for part in target.split(b"/"):
        depth += {b"..": -1, b".": 0, b"": 0}.get(part, 1)
        if depth < 0 or taken_for_git(part):
            return False
    return True


def expected(listing, base):
    """Tell from a listing of the tree what a patch must hold, and which paths it must name as left out."""
    result, refused, kept = {}, set(), []
    folders = {b""} | {path for path, kind, *_ in listing if kind == "folder"}
    for path, kind, mode, size, content in listing:
        parts = path.split(b"/")
        stop = next((at for at, part in enumerate(parts) if PASSED_OVER.fullmatch(part) or taken_for_git(part)), None)
        if stop is not None:
            top = b"/".join(parts[: stop + 1])
            kept.append(top)
            if not PASSED_OVER.fullmatch(parts[stop]):
                refused.add(top)
        elif kind == "folder":
            continue
        elif kind == "link" and (
            stays_within(path, content[40:].encode("latin-1")) or base.get(path) == Entry(SYMLINK, content[:40])
        ):
            result[path] = Entry(SYMLINK, content[:40])
        elif kind == "file" and size <= 64 << 20:
            before = base.get(path)
            unreadable = not mode & 0o400 and before is not None and before.mode != SYMLINK
            result[path] = Entry(before.mode if unreadable else EXECUTABLE if mode & 0o100 else BLOB, content)
            if mode & 0o7000:
                refused.add(path)
        else:
            kept.append(path)
            refused.add(path)
    for path, entry in base.items():
        parts = path.split(b"/")
        debris = next((at for at, part in enumerate(parts) if PASSED_OVER.fullmatch(part)), None)
        if any(path == top or path.startswith(top + b"/") for top in kept) or (
            debris is not None and b"/".join(parts[:debris]) in folders
        ):
            result[path] = entry
    return result, refused


@pytest.mark.parametrize("kind", ["overlay", "copy"])
def test_whatever_is_left_in_a_tree_is_taken_as_a_simple_reader_sees_it(kind, row):
    with tempfile.TemporaryDirectory() as folder:
        shop = make_shop(kind, Path(folder) / "s")
        shop.root.chmod(0o755)
        plan_file = shop.root / "plan"
        edit = Edit()
        for path, (what, text) in BASE.items():
            edit.put(path, Entry(MODES[what], shop.objects.write_blob(text)))
        base = shop.objects.edit("4b825dc642cb6eb9a060e54bf8d69288fbee4904", edit)
        before = dict(walk(shop.objects, base))
        tried = 0

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
        @given(plan=PLANS)
        def holds(plan):
            nonlocal tried
            tried += 1
            plan_file.write_text(
                json.dumps(
                    [
                        (path.decode("latin-1"), what, value.decode("latin-1"), mode)
                        for path, (what, value, mode) in plan
                    ]
                )
            )
            workspace = shop.open(base, "p.1")
            binds = {"/reeve/plan": str(plan_file), "/reeve/scribble.py": str(SCRIBBLE)}
            result, out = shop.run(workspace, PYTHON, "/reeve/scribble.py", "/reeve/plan", binds=binds)
            assert result.status == 0, out
            listing = [(path.encode("latin-1"), *rest) for path, *rest in json.loads(out)]
            tree, refused = expected(listing, before)
            patch = shop.trees.capture(workspace, base)
            assert dict(walk(shop.objects, patch.tree)) == tree
            assert {reason.rsplit(": ", 1)[0] for reason in patch.refused} == {
                repr(os.fsdecode(path)) for path in refused
            }
            assert shop.objects.apply(base, shop.objects.diff(base, patch.tree)) == patch.tree
            shop.trees.drop(workspace)
            assert not Path(workspace.upper).exists()

        holds()
    row(
        75,
        "host readers",
        f"every name, kind, size, mode and nesting ({kind})",
        f"{tried} trees, as a simple reader saw them",
        WHO,
    )


EXAMPLES = 25
WHO = "root" if os.geteuid() == 0 else "user"


# ---------------------------------------------------------------- changes while the host looks

SWAPS = []


class Waited(BaseException):
    """It would have waited for ever; no error of the system, which the code under test may well catch."""


def _before_opening(event, arguments):
    """What Python says before it opens a file: the moment between looking at a path and opening it, made certain."""
    if event == "open" and SWAPS:
        name, swap = SWAPS[-1]
        if arguments[0] == name:
            SWAPS.pop()
            swap()


sys.addaudithook(_before_opening)


@contextmanager
def swapped(name, swap):
    """Change what stands at a name just before it is opened, and fail rather than wait for ever."""

    def too_long(*_):
        raise Waited

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(30)
    SWAPS.append((name, swap))
    try:
        yield
        assert SWAPS == []  # it was reached
    finally:
        SWAPS.clear()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def put(what, path, outside):
    """Put something else where a file or folder was."""
    if path.is_dir():
        path.rename(path.with_name("moved"))
    else:
        path.unlink()
    if what == "link to a file":
        path.symlink_to(outside / "secret")
    elif what == "link to a folder":
        path.symlink_to(outside)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as plain:
            plain.bind(str(path))
    elif what == "folder":
        path.mkdir()
    elif what == "file":
        path.write_text("another")
    elif what == "large":
        path.touch()
        os.truncate(path, LARGE)


@pytest.mark.parametrize("kind", ["overlay", "copy"])
@pytest.mark.parametrize(
    "what", ["link to a file", "link to a folder", "pipe", "socket", "folder", "file", "large", "nothing"]
)
@pytest.mark.parametrize("victim", ["victim", "folder"])
def test_what_changes_between_looking_and_opening_is_never_followed(tmp_path, kind, what, victim, row):
    from reeve.adapters.trees.copy import CopyTrees
    from reeve.adapters.trees.overlay import OverlayTrees

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hunter2")
    objects = GitObjects(tmp_path / "objects.git")
    trees: Trees = {"overlay": OverlayTrees, "copy": CopyTrees}[kind](tmp_path, objects)
    base = objects.write("4b825dc642cb6eb9a060e54bf8d69288fbee4904", {"honest": (b"before", False)})
    workspace = trees.open(base, "r.1")
    upper = Path(workspace.upper)
    (upper / "honest").write_text("after")
    (upper / "victim").write_text("mine")
    (upper / "folder").mkdir()
    (upper / "folder" / "inner").write_text("inner")
    with swapped(os.fsencode(victim), lambda: put(what, upper / victim, outside)):
        patch = trees.capture(workspace, base)
    found = {path: objects.read(patch.tree, path) for path in objects.paths(patch.tree)}
    assert found["honest"] == b"after"
    assert b"hunter2" not in b"".join(content or b"" for content in found.values())
    assert not {path for path in found if "secret" in path}
    stable = {"file": {"victim"}, "folder": {"folder"}}.get(what, set())
    if victim not in stable:
        assert f"'{victim}': the f" in " ".join(patch.refused)
    row(
        76,
        "host readers",
        "links, pipes and folders put in place while the host looks",
        "refused: 'victim': the file cannot be read",
        WHO,
    )


# ---------------------------------------------------------------- how much work it makes


class Counting(GitObjects):
    """Our own store, with a count of how many levels of trees were read."""

    read = 0

    def entries(self, tree):
        self.read += 1
        return super().entries(tree)


@pytest.mark.parametrize("name", ["flat{}.py", "tests/test_{}.py", "tests/test_*{}.py", "{}/{}/deep.py"])
def test_what_an_agent_makes_many_of_is_read_once_each(tmp_path, name, row):
    objects = Counting(tmp_path / "objects.git")
    base = objects.write("4b825dc642cb6eb9a060e54bf8d69288fbee4904", {"honest.py": (b"1\n", False)})
    counts = []
    for many in (100, 200):
        paths = [name.format(number, number) for number in range(many)]
        tree = objects.write(base, dict.fromkeys(paths, (b"x\n", False)))
        objects.read = 0
        assert len(objects.sources(base, tree)) == many
        restored, differed = objects.restore(tree, base, ["/" + path for path in paths])
        assert (restored, len(differed)) == (base, many)
        assert objects.join(base, objects.split(base, tree)) == tree
        counts.append(objects.read)
    assert counts[1] <= 2 * counts[0] + 10
    row(
        77,
        "host readers",
        "thousands of files, to keep the host busy",
        "levels read grow with the files, not with their square",
        WHO,
    )


# ---------------------------------------------------------------- and as an ordinary user


@pytest.mark.skipif(os.geteuid() != 0, reason="the capture tests already ran as an ordinary user")
def test_an_ordinary_user_s_trees_are_taken_the_same_way(row):
    repeated_as_a_user(__file__, "simple_reader or between")
    for kind in ("overlay", "copy"):
        row(75, "host readers", f"every name, kind, size, mode and nesting ({kind})", "", "user")
    row(76, "host readers", "links, pipes and folders put in place while the host looks", "", "user")
