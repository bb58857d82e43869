"""What every kind of Trees promises: overlays, copies and the fake."""

import os
from pathlib import Path

import pytest
from shops import FILES, PYTHON, git, make_shop


def test_an_untouched_workspace_gives_an_empty_patch(shop):
    patch = shop.trees.capture(shop.open(), shop.base)
    assert patch.empty
    assert (patch.changes, patch.refused) == ((), ())


def test_a_base_folder_is_the_tree_byte_for_byte_and_made_once(shop):
    folder = shop.trees.checkout(shop.base)
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert os.readlink(folder / "link") == "src/a.py"
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "README", os.X_OK)
    assert shop.trees.checkout(shop.base) == folder


def test_edits_additions_and_removals_are_taken(shop):
    workspace = shop.open()
    shop.edit(workspace, "echo four >> src/a.py; mkdir -p new/er; echo x > new/er/x; rm README; touch blob.bin")
    patch = shop.trees.capture(workspace, shop.base)
    assert patch.tree == shop.tree({"src/a.py": b"one\ntwo\nthree\nfour\n", "new/er/x": b"x\n", "README": None})
    assert [(change.path, change.kind, change.lines_added, change.lines_removed) for change in patch.changes] == [
        ("README", "deleted", 0, 1),
        ("new/er/x", "added", 1, 0),
        ("src/a.py", "modified", 1, 0),
    ]
    assert patch.refused == ()


def test_a_change_that_is_taken_back_is_no_change(shop):
    workspace = shop.open()
    shop.edit(workspace, "mv src away; mv away src; printf 'read me\\n' > README; rm run.sh; "
                         "printf '#!/bin/sh\\necho run\\n' > run.sh; chmod +x run.sh; mkdir empty")  # fmt: skip
    assert shop.trees.capture(workspace, shop.base).empty


def test_a_folder_that_is_replaced_keeps_nothing_of_the_old_one(shop):
    workspace = shop.open()
    shop.edit(workspace, "rm -r src; mkdir -p src/deep; echo new > src/deep/c.py")
    want = shop.tree({"src/a.py": None, "src/deep/b.py": None, "src/deep/c.py": b"new\n"})
    assert shop.trees.capture(workspace, shop.base).tree == want


def test_files_become_folders_and_folders_become_files(shop):
    workspace = shop.open()
    shop.edit(workspace, "rm README; mkdir README; echo in > README/x; rm -r src; echo flat > src")
    want = shop.tree({"README": None, "src/a.py": None, "src/deep/b.py": None})
    want = shop.tree({"README/x": b"in\n", "src": b"flat\n"}, want)
    assert shop.trees.capture(workspace, shop.base).tree == want


def test_modes_are_git_modes(shop):
    workspace = shop.open()
    shop.edit(workspace, "chmod 777 README; chmod 600 run.sh; chmod 640 src/a.py")
    entries = shop.objects.entries(shop.trees.capture(workspace, shop.base).tree)
    assert (oct(entries[b"README"].mode), oct(entries[b"run.sh"].mode)) == ("0o100755", "0o100644")
    assert len(shop.trees.capture(workspace, shop.base).changes) == 2


def test_links_within_the_tree_are_taken(shop):
    workspace = shop.open()
    shop.edit(workspace, "ln -s ../README src/up; ln -s nowhere dangling; rm link; ln -s src/deep link")
    tree = shop.trees.capture(workspace, shop.base).tree
    assert [shop.objects.read(tree, path) for path in ("src/up", "dangling", "link")] == [
        b"../README",
        b"nowhere",
        b"src/deep",
    ]


def test_names_are_bytes(shop):
    workspace = shop.open()
    shop.edit(
        workspace, "printf x > \"$(printf 'a\\nb')\"; printf y > \"$(printf 'bad\\377name')\"; printf z > ' \"q\" '"
    )
    patch = shop.trees.capture(workspace, shop.base)
    assert patch.tree == shop.tree({"a\nb": b"x", "bad\udcffname": b"y", ' "q" ': b"z"})
    assert {change.path for change in patch.changes} == {"a\nb", "bad\udcffname", ' "q" '}
    assert shop.objects.apply(shop.base, shop.objects.diff(shop.base, patch.tree)) == patch.tree


def test_what_is_no_file_is_refused_with_its_reason_and_the_rest_is_taken(shop):
    workspace = shop.open()
    shop.edit(workspace, "mkfifo pipe; ln -s /etc/passwd out; ln -s ../../x src/up; ln -s .git/config inside; "
                         "mkdir -p git~1; echo h > git~1/hook; echo kept > kept")  # fmt: skip
    patch = shop.trees.capture(workspace, shop.base)
    assert patch.tree == shop.tree({"kept": b"kept\n"})
    assert len(patch.refused) == 5
    for name in ("pipe", "out", "src/up", "inside", "git~1"):
        assert any(f"'{name}" in reason for reason in patch.refused), (name, patch.refused)


def test_debris_is_never_part_of_a_patch(shop):
    workspace = shop.open()
    shop.edit(workspace, "mkdir -p __pycache__ src/.pytest_cache nested/.git nested/.GIT; echo x > __pycache__/a.pyc; "
                         "echo x > src/.pytest_cache/x; echo x > nested/.git/config; echo x > nested/.GIT/config; "
                         "echo x > src/a.pyc; echo x > .coverage")  # fmt: skip
    patch = shop.trees.capture(workspace, shop.base)
    assert (patch.empty, patch.refused) == (True, ())


def test_layers_lie_below_the_tree_and_are_no_part_of_the_patch(shop):
    layer = shop.root / "layer"
    (layer / "src").mkdir(parents=True)
    (layer / "src" / "made.so").write_text("made by set-up")
    (layer / "README").write_text("not this one")
    workspace = shop.open(layers=(layer,))
    shop.edit(workspace, "grep -q 'made by' src/made.so; grep -q 'read me' README; echo more >> src/a.py")
    patch = shop.trees.capture(workspace, shop.base)
    assert [change.path for change in patch.changes] == ["src/a.py"]


def test_a_tree_near_one_on_disk_opens_as_itself(shop):
    shop.trees.drop(shop.open())
    near = shop.tree({"README": None, "src/a.py": None, "src/deep/b.py": None, "blob.bin": b"other"})
    near = shop.tree({"README/x": b"in\n", "src": b"flat\n", "added/y": b"y\n"}, near)
    workspace = shop.open(near, "t.2")
    shop.edit(workspace, "test -f README/x; test -f src; grep -q y added/y; grep -q other blob.bin; test ! -e src/a.py; "
                         "test -x run.sh; rm added/y; echo z >> README/x")  # fmt: skip
    want = shop.tree({"added/y": None, "README/x": b"in\nz\n"}, near)
    assert shop.trees.capture(workspace, near).tree == want


def test_a_dropped_workspace_leaves_nothing_and_may_be_dropped_again(shop):
    workspace = shop.open()
    deep = "import os\nfor i in range(1500): os.mkdir('d' * 30); os.chdir('d' * 30)\nopen('bottom', 'w')"
    shop.edit(workspace, f'mkdir -p a/b/c; touch a/b/c/d; chmod 000 a/b/c/d; chmod 500 a/b/c; {PYTHON} -c "{deep}"; '
                         "chmod 000 a/b; chmod 500 a")  # fmt: skip
    shop.trees.drop(workspace)
    shop.trees.drop(workspace)
    assert not Path(workspace.upper).parent.exists()


def test_a_workspace_of_a_name_is_always_fresh(shop):
    shop.edit(shop.open(), "echo old > old")
    assert shop.trees.capture(shop.open(), shop.base).empty


def test_sweeping_keeps_the_named_workspaces_alone(shop):
    keep, lost = shop.open(name="keep.1"), shop.open(name="lost.1")
    shop.trees.sweep({"keep.1"})
    assert Path(keep.upper).exists()
    assert not Path(lost.upper).parent.exists()


def test_two_trees_of_one_name_do_not_meet(tmp_path):
    shop = make_shop("overlay", tmp_path)
    for name in ("../x", ".hidden", "a/b", ""):
        with pytest.raises(Exception, match="cannot be the name of a workspace"):
            shop.open(name=name)


def test_the_private_repository_is_clean_knows_one_commit_and_takes_commits(real_shop):
    (real_shop.root / "repo" / "later").write_text("secret of a later commit")
    git(real_shop.root / "repo", "add", ".")
    git(real_shop.root / "repo", "commit", "-q", "-m", "the fix")
    workspace = real_shop.open()
    real_shop.edit(workspace, 'test -z "$(git status --porcelain)"; test $(git rev-list --all --count) = 1; '
                              'test -z "$(git remote)"; git fsck --strict; ! git log --all --oneline | grep fix; '
                              'echo x >> README; git commit -qam mine; test -z "$(git status --porcelain)"; '
                              "git stash list; git checkout -q HEAD~1; grep -q 'read me' README; git checkout -q main")  # fmt: skip
    patch = real_shop.trees.capture(workspace, real_shop.base)
    assert [change.path for change in patch.changes] == ["README"]


def test_bytecode_is_not_written_to_the_base_folder(real_shop):
    workspace = real_shop.open()
    before = sorted(os.walk(real_shop.trees.checkout(real_shop.base)))
    real_shop.edit(workspace, "touch src/__init__.py; mkdir -p src/__pycache__; echo > src/__pycache__/a.pyc")
    assert sorted(os.walk(real_shop.trees.checkout(real_shop.base))) == before
