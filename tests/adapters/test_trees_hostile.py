"""Workspaces as an attacker or an accident leaves them: bounded, never followed, never blocked, never half taken."""

import json
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import PYTHON, make_shop

from reeve.adapters.trees.bases import Bases
from reeve.adapters.trees.capture import Caps
from reeve.adapters.trees.folders import remove
from reeve.adapters.trees.gittree import EXECUTABLE, SYMLINK, Edit, Entry, walk


def test_a_host_secret_behind_links_is_never_read(real_shop):
    secret = real_shop.root / "secret"
    secret.write_text("hunter2")
    workspace = real_shop.open()
    real_shop.edit(workspace, f"ln -s {secret} a; ln -s {real_shop.root} folder; rm -r src; ln -s {real_shop.root} src; "
                              "rm README; ln -s ../../../secret README")  # fmt: skip
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert len(patch.refused) == 4
    for path in real_shop.objects.paths(patch.tree):
        assert b"hunter2" not in (real_shop.objects.read(patch.tree, path) or b"")


def test_a_fifo_in_place_of_a_file_neither_blocks_nor_removes_it(real_shop):
    workspace = real_shop.open()
    real_shop.edit(workspace, "rm README; mkfifo README")
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert patch.empty
    assert patch.refused == ("'README': a FIFO",)


def test_sockets_and_special_bits_are_refused(real_shop):
    workspace = real_shop.open()
    listen = "import socket; socket.socket(socket.AF_UNIX).bind('sock')"
    real_shop.edit(workspace, f'{PYTHON} -c "{listen}"; echo x > suid; chmod 6755 suid')
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert [change.path for change in patch.changes] == ["suid"]
    assert set(patch.refused) == {"'sock': a socket", "'suid': its mode bits 6000; the content was taken"}


def test_files_made_unreadable_are_read_all_the_same(real_shop):
    workspace = real_shop.open()
    real_shop.edit(
        workspace, "echo changed > src/a.py; chmod 000 src/a.py; mkdir locked; echo in > locked/x; chmod 000 locked"
    )
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert patch.tree == real_shop.tree({"src/a.py": b"changed\n", "locked/x": b"in\n"})


def test_ten_gigabytes_and_a_large_file_are_refused_without_being_read(real_shop):
    workspace = real_shop.open()
    real_shop.edit(workspace, "truncate -s 800M huge; echo small > small")
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert patch.tree == real_shop.tree({"small": b"small\n"})
    assert "838860800 bytes" in patch.refused[0]


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        (Caps(paths=20), "more than 20 files were changed"),
        (Caps(seen=40), "more than 40 files were written"),
        (Caps(total_bytes=300), "more than 300 bytes were written"),
    ],
)
def test_past_a_limit_nothing_is_taken_and_the_reason_is_given(real_shop, caps, reason):
    real_shop.trees.caps = caps
    workspace = real_shop.open()
    real_shop.edit(workspace, "for i in $(seq 60); do echo 0123456789 > new$i; done; echo edited > README")
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert patch.empty
    assert reason in patch.refused[-1]


def test_a_million_refusals_would_be_counted_not_listed(real_shop):
    workspace = real_shop.open()
    real_shop.edit(workspace, "for i in $(seq 130); do ln -s /etc/passwd l$i; done")
    refused = real_shop.trees.capture(workspace, real_shop.base).refused
    assert len(refused) == 101
    assert refused[-1] == "and 30 more"


def test_folders_nested_too_deeply_are_refused_and_gone_after_the_drop(real_shop):
    workspace = real_shop.open()
    deep = "import os\nfor i in range(400): os.mkdir('d'); os.chdir('d')\nopen('bottom', 'w')"
    real_shop.edit(workspace, f'{PYTHON} -c "{deep}"; echo x > x')
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert [change.path for change in patch.changes] == ["x"]
    assert "nested deeper than 100" in patch.refused[0]
    real_shop.trees.drop(workspace)
    assert not Path(workspace.upper).exists()


def test_an_attacker_s_attributes_and_configuration_change_nothing(real_shop):
    workspace = real_shop.open()
    real_shop.edit(workspace, "printf '* text eol=crlf filter=evil\\n' > .gitattributes; printf 'a\\r\\nb\\n' > x; "
                              "git config core.fsmonitor 'touch /tmp/owned'; git config core.hooksPath /work; "
                              "echo 'exit 1' > .git/hooks; rm -rf .git; ln -s / .git")  # fmt: skip
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert patch.tree == real_shop.tree({".gitattributes": b"* text eol=crlf filter=evil\n", "x": b"a\r\nb\n"})


def test_two_versions_of_one_python_file_differ_in_date_so_that_old_bytecode_is_stale(real_shop):
    versions = [real_shop.tree({"m.py": b"x = 1\n"}), real_shop.tree({"m.py": b"x = 2\n"})]
    real_shop.trees.drop(real_shop.open(versions[0], "t.8"))
    dates = set()
    for tree in versions:
        workspace = real_shop.open(tree, "t.9")
        dates.add(real_shop.run(workspace, "stat", "-c", "%Y", "m.py")[1])
    assert len(dates) == 2


def test_a_killed_maker_of_a_base_folder_leaves_no_trace_in_the_next(real_shop):
    bases = Bases(real_shop.root / "elsewhere", real_shop.objects)
    stale = real_shop.root / "elsewhere" / f".making-{real_shop.base}"
    (stale / "files").mkdir(parents=True)
    (stale / "files" / "README").write_text("half")
    assert (bases.make(real_shop.base) / "files" / "README").read_bytes() == b"read me\n"
    assert [name for name in os.listdir(real_shop.root / "elsewhere") if name.startswith(".")] == []


def test_removing_never_follows_a_link(tmp_path):
    keep, gone = tmp_path / "keep", tmp_path / "gone"
    keep.mkdir()
    (keep / "file").write_text("x")
    (gone / "deep").mkdir(parents=True)
    (gone / "link").symlink_to(keep)
    (gone / "deep" / "link").symlink_to(keep)
    os.mkfifo(gone / "pipe")
    with socket.socket(socket.AF_UNIX) as plain:
        plain.bind(str(gone / "sock"))
    remove(gone)
    remove(gone)
    assert (keep / "file").exists()
    assert not gone.exists()
    (tmp_path / "top").symlink_to(keep)
    remove(tmp_path / "top")
    assert (keep / "file").exists()


# ---------------------------------------------------------------- any tree, any change

NAME = st.lists(st.sampled_from(list(b'ab\n "\\\t\xff\xe9-')), min_size=1, max_size=4).map(bytes)
SMALL = st.sampled_from([b"a", b"b", b"c", b"d\n", b"\xffe", b" f"])
PATHS = st.lists(SMALL | NAME, min_size=1, max_size=4).map(b"/".join)
CONTENT = st.tuples(st.sampled_from(["file", "run", "link"]), st.sampled_from([b"", b"1", b"2\n", b"\0\xff"]))
TREES = st.dictionaries(PATHS, CONTENT, max_size=7)

APPLY = """
import json, os, shutil
for path, kind, text in json.load(open("/reeve/steps")):
    path, text = os.fsencode(path), text.encode("latin-1")
    here = b""
    for part in path.split(b"/")[:-1]:
        here = os.path.join(here, part)
        if os.path.islink(here) or os.path.isfile(here):
            os.unlink(here)
        if not os.path.isdir(here):
            os.mkdir(here)
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
    if kind == "link":
        os.symlink(b"to" + text.replace(b"\\0", b"0"), path)
    elif kind != "gone":
        with open(path, "wb") as file:
            file.write(text)
        os.chmod(path, 0o755 if kind == "run" else 0o644)
"""


def put(model, path, kind, text):
    """Change the model of a tree the way the script changes a folder."""
    parts = path.split(b"/")
    for end in range(1, len(parts)):
        model.pop(b"/".join(parts[:end]), None)
    for other in [other for other in model if other == path or other.startswith(path + b"/")]:
        del model[other]
    if kind != "gone":
        model[path] = (kind, text)


def tree_of(store, model):
    edit = Edit()
    for path, (kind, text) in model.items():
        content = b"to" + text.replace(b"\0", b"0") if kind == "link" else text
        mode = {"link": SYMLINK, "run": EXECUTABLE, "file": 0o100644}[kind]
        edit.put(path, Entry(mode, store.write_blob(content)))
    return store.edit("4b825dc642cb6eb9a060e54bf8d69288fbee4904", edit)


@pytest.mark.parametrize("kind", ["overlay", "copy"])
def test_whatever_is_done_to_whatever_tree_is_what_is_captured(kind):
    with tempfile.TemporaryDirectory() as folder:
        shop = make_shop(kind, Path(folder) / "s")
        (shop.root / "steps").mkdir()

        @settings(max_examples=12, deadline=None, derandomize=True, database=None)
        @given(before=TREES, steps=st.lists(st.tuples(PATHS, CONTENT | st.just(("gone", b""))), max_size=6))
        def holds(before, steps):
            model = {}
            for path, (what, text) in before.items():
                put(model, path, what, text)
            base = tree_of(shop.objects, model)
            picked = [(path if index % 2 or not model else sorted(model)[index % len(model)], what)
                      for index, (path, what) in enumerate(steps)]  # fmt: skip
            for path, (what, text) in picked:
                put(model, path, what, text)
            listing = [(os.fsdecode(path), what, text.decode("latin-1")) for path, (what, text) in picked]
            steps_file = shop.root / "steps" / "now"
            steps_file.write_text(json.dumps(listing))
            workspace = shop.open(base, "h.1")
            result, out = shop.run(workspace, PYTHON, "-c", APPLY, binds={"/reeve/steps": str(steps_file)})
            assert result.status == 0, out
            patch = shop.trees.capture(workspace, base)
            assert dict(walk(shop.objects, patch.tree)) == dict(walk(shop.objects, tree_of(shop.objects, model)))
            assert patch.refused == ()
            assert shop.objects.apply(base, shop.objects.diff(base, patch.tree)) == patch.tree
            assert shop.objects.join(base, shop.objects.split(base, patch.tree)) == patch.tree
            shop.trees.drop(workspace)

        holds()


def test_the_folders_above_a_workspace_are_closed_to_others(real_shop):
    folder = Path(real_shop.open().upper).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
