"""Our object store: importing, patching, merging, cutting into pieces, restoring, packing."""

import os
import random
import subprocess
import sys
import threading

import pytest
from shops import git, make_repo

from reeve.adapters.trees.objects import GitObjects
from reeve.errors import PatchError, RepositoryError


@pytest.fixture
def repo(tmp_path):
    return make_repo(tmp_path / "repo")


@pytest.fixture
def store(tmp_path):
    return GitObjects(tmp_path / "state" / "objects.git")


@pytest.fixture
def base(store, repo):
    return store.import_base(repo, "HEAD").tree


def change(store, tree, **files):
    return store.write(tree, {name.replace("__", "/"): content and (content, False) for name, content in files.items()})


# ---------------------------------------------------------------- importing


def test_a_base_comes_without_history_and_without_later_commits(store, repo):
    (repo / "later").write_text("the fix")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "later")
    base = store.import_base(repo, "HEAD~1")
    assert base.tree == git(repo, "rev-parse", "HEAD~1^{tree}").decode().strip()
    assert base.commit == git(repo, "rev-parse", "HEAD~1").decode().strip()
    assert base.repo == str(repo)
    kinds = git(store.folder, "cat-file", "--batch-check=%(objecttype)", "--batch-all-objects").split()
    assert b"commit" not in kinds
    later = git(repo, "rev-parse", "HEAD:later").decode().strip()
    with pytest.raises(RepositoryError, match="not in"):
        store.read_object(later)


def test_worktrees_bare_and_shallow_repositories_and_folders_inside_one_are_read(store, repo, tmp_path):
    git(repo, "worktree", "add", "-q", str(tmp_path / "wt"))
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    trees = {
        store.import_base(tmp_path / name, "HEAD").tree for name in ("repo", "wt", "bare.git", "shallow", "repo/src")
    }
    assert len(trees) == 1


def test_uncommitted_changes_are_neither_read_nor_touched(store, repo):
    (repo / "README").write_text("half done")
    before = git(repo, "status", "--porcelain")
    tree = store.import_base(repo, "HEAD").tree
    assert store.read(tree, "README") == b"read me\n"
    assert git(repo, "status", "--porcelain") == before


def test_a_repository_of_somebody_else_is_read(store, repo):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    subprocess.run(["chown", "-R", "12345", str(repo)], check=True)
    assert store.read(store.import_base(repo, "HEAD").tree, "README") == b"read me\n"


@pytest.mark.parametrize("name", ["no-such-branch", "--upload-pack=x", "HEAD\n", "0" * 40, "HEAD:README"])
def test_a_commit_that_is_not_there_is_one_clear_sentence(store, repo, name):
    with pytest.raises(RepositoryError, match="commit"):
        store.import_base(repo, name)


def test_what_is_no_repository_is_one_clear_sentence(store, tmp_path):
    with pytest.raises(RepositoryError, match="is not a git repository"):
        store.import_base(tmp_path, "HEAD")


def test_a_submodule_stays_a_link_to_a_commit_and_an_empty_folder(store, repo, tmp_path):
    commit = git(repo, "rev-parse", "HEAD").decode().strip()
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    git(repo, "commit", "-q", "-m", "with a submodule")
    base = store.import_base(repo, "HEAD").tree
    assert "sub" not in store.paths(base)
    from reeve.adapters.trees.copy import CopyTrees

    trees = CopyTrees(tmp_path / "state", store)
    workspace = trees.open(base, "t.1")
    assert os.listdir(f"{workspace.upper}/sub") == []
    assert trees.capture(workspace, base).empty
    open(f"{workspace.upper}/sub/x", "w").close()
    patch = trees.capture(workspace, base)
    assert patch.empty
    assert "submodule" in patch.refused[0]


def test_no_configuration_hook_or_filter_of_a_repository_runs(store, repo, tmp_path):
    trap = tmp_path / "trap"
    for name in (
        "core.fsmonitor",
        "diff.external",
        "filter.x.clean",
        "filter.x.smudge",
        "core.sshCommand",
        "core.pager",
    ):
        git(repo, "config", name, f"touch {trap}; cat")
    (repo / ".gitattributes").write_text("* filter=x diff=x text eol=crlf ident\n")
    (repo / "id").write_text("$Id$\n")
    git(repo, "-c", "filter.x.clean=cat", "-c", "core.fsmonitor=false", "add", ".")
    git(repo, "-c", "filter.x.clean=cat", "-c", "core.fsmonitor=false", "commit", "-q", "-m", "attributes")
    trap.unlink(missing_ok=True)
    from reeve.adapters.trees.copy import CopyTrees

    base = store.import_base(repo, "HEAD").tree
    trees = CopyTrees(tmp_path / "state", store)
    workspace = trees.open(base, "t.1")
    with open(f"{workspace.upper}/id", "ab") as file:
        file.write(b"line\r\n")
    patch = trees.capture(workspace, base)
    assert store.read(patch.tree, "id") == b"$Id$\nline\r\n"
    assert store.apply(base, store.diff(base, patch.tree)) == patch.tree
    assert not trap.exists()


# ---------------------------------------------------------------- patches


def test_a_diff_applies_here_and_in_git(store, base, repo):
    tree = change(store, base, README=b"changed\n", src__a_py=None, blob_bin=None, new=bytes(range(256)))
    tree = store.write(tree, {"blob.bin": (b"\0" + b"z" * 5000, False), "src/a.py": None, "x y\n\udcff": (b"q", True)})
    patch = store.diff(base, tree)
    assert store.apply(base, patch) == tree
    git(repo, "apply", "--index", "-", stdin=patch)
    assert git(repo, "write-tree").decode().strip() == tree
    assert store.apply(base, b"") == base
    assert store.diff(base, base) == b""


def test_a_patch_that_does_not_fit_names_the_place(store, base):
    patch = store.diff(base, change(store, base, README=b"x\n"))
    with pytest.raises(PatchError, match=r"README:1"):
        store.apply(change(store, base, README=b"other\n"), patch)
    with pytest.raises(PatchError, match="does not apply"):
        store.apply(base, b"this is no patch\n")


def new_file(path, mode="100644", content="x"):
    return f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{content}\n\\ No newline at end of file\n"


@pytest.mark.parametrize(
    ("path", "mode", "content"),
    [
        ("../out", "100644", "x"),
        ("a/../../out", "100644", "x"),
        ("/etc/x", "100644", "x"),
        (".git/config", "100644", "x"),
        ("sub/.GIT/hooks/x", "100644", "x"),
        ("git~1/x", "100644", "x"),
        (".g\u200cit/config", "100644", "x"),
        (".git ./x", "100644", "x"),
        (".git::$INDEX_ALLOCATION/x", "100644", "x"),
        ("a\\.git\\config", "100644", "x"),
        ("evil", "120000", "/etc/passwd"),
        ("src/evil", "120000", "../../x"),
        ("evil", "120000", ".git/config"),
    ],
)
def test_a_hostile_patch_is_refused(store, base, path, mode, content):
    with pytest.raises(PatchError):
        store.apply(base, new_file(path, mode, content).encode())


def test_a_patch_cannot_write_through_a_link(store, base):
    first = store.apply(base, new_file("dir", "120000", "src").encode())
    with pytest.raises(PatchError):
        store.apply(first, new_file("dir/x").encode())


@pytest.mark.parametrize("path", ["../x", "/x", ".git/x", "a//b", "", "a/.GiT"])
def test_writing_a_bad_path_is_refused(store, base, path):
    with pytest.raises(PatchError, match="cannot write"):
        store.write(base, {path: (b"", False)})


# ---------------------------------------------------------------- merging


def test_changes_of_different_files_merge_and_of_one_line_conflict(store, base):
    ours, theirs = change(store, base, README=b"ours\n"), store.write(base, {"src/a.py": (b"ONE\ntwo\nthree\n", False)})
    merged, conflicts = store.merge(base, ours, theirs)
    assert conflicts == ()
    assert store.read(merged, "README") == b"ours\n"
    assert store.read(merged, "src/a.py") == b"ONE\ntwo\nthree\n"
    assert store.merge(base, ours, change(store, base, README=b"theirs\n")) == (None, ("README",))
    assert store.merge(base, base, theirs) == (theirs, ())
    assert store.merge(base, ours, base) == (ours, ())


# ---------------------------------------------------------------- pieces


def test_any_choice_of_pieces_can_be_put_together(store, base):
    lines = [f"line {number}\n".encode() for number in range(100)]
    old = store.write(base, {"f": (b"".join(lines), False)})
    lines[3:4] = [b"three\n", b"and more\n"]
    del lines[50]
    lines.append(b"end without newline")
    lines.insert(0, b"first\n")
    new = store.write(
        old, {"f": (b"".join(lines), False), "README": None, "added": (b"a", False), "run.sh": (b"x", False)}
    )
    pieces = store.split(old, new)
    assert [(piece.path, piece.whole) for piece in pieces] == [
        (b"README", True), (b"added", True), (b"f", False), (b"f", False), (b"f", False), (b"f", False), (b"run.sh", True),
    ]  # fmt: skip
    assert store.join(old, pieces) == new
    assert store.join(old, []) == old
    chance = random.Random(5)
    for _ in range(20):
        some = [piece for piece in pieces if chance.random() < 0.5]
        joined = store.join(old, some)
        assert {(p.path, p.old, p.new) for p in store.split(old, joined)} == {(p.path, p.old, p.new) for p in some}


# ---------------------------------------------------------------- protected paths


def test_protected_paths_are_put_back_whatever_was_done_to_them(store, base):
    tree = store.write(base, {
        "tests/test_a.py": (b"def test(): assert True\n", False), "tests/conftest.py": (b"import os\n", False),
        "conftest.py": (b"evil", False), "src/a.py": (b"fixed\n", False), "src/conftest.py": (b"evil", False),
    })  # fmt: skip
    made, restored = store.restore(tree, base, ("tests/**", "conftest.py"))
    assert made == store.write(base, {"src/a.py": (b"fixed\n", False)})
    assert set(restored) == {"tests/test_a.py", "tests/conftest.py", "conftest.py", "src/conftest.py"}
    assert store.restore(base, base, ("**",)) == (base, ())


def test_a_link_in_place_of_a_protected_folder_gives_way(store, base):
    linked = store.apply(store.write(base, {"tests/test_a.py": None}), new_file("tests", "120000", "src").encode())
    made, restored = store.restore(linked, base, ("tests/**",))
    assert made == base
    assert "tests/test_a.py" in restored


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("*.lock", "a/b/x.lock", True),
        ("/x.lock", "a/x.lock", False),
        ("tests", "tests/a/b.py", True),
        ("tests/", "src/tests/a.py", True),
        ("tests/*.py", "tests/a/b.py", False),
        ("tests/**/b.py", "tests/b.py", True),
        ("**/test_*.py", "test_x.py", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("tests/**", "testsuite/x", False),
        ("[x].py", "[x].py", True),
        ("conftest.py", "a\n/conftest.py", True),
    ],
)
def test_patterns_read_as_in_gitignore(glob, path, covered):
    from reeve.adapters.trees.paths import matches

    assert matches(path.encode(), (glob,)) is covered


# ---------------------------------------------------------------- landing, sharing


def test_a_pack_brings_exactly_what_is_new(store, base, repo):
    tree = store.write(base, {"src/new.py": (b"new\n", False), "README": None})
    who = "A <a@x> 1700000000 +0000"
    commit = store.commit(tree, [git(repo, "rev-parse", "HEAD").decode().strip()], "landed", author=who, committer=who)
    pack = store.pack([commit], [base])
    git(repo, "unpack-objects", "-q", stdin=pack)
    git(repo, "fsck", "--strict")
    assert git(repo, "rev-parse", f"{commit}^{{tree}}").decode().strip() == tree
    assert int.from_bytes(pack[8:12], "big") == 4  # commit, two trees, one blob


def test_threads_share_a_store(store, base):
    made: list[str] = []

    def write(number):
        made.extend(store.write(base, {f"t{number}/{step}": (f"{number}".encode(), False)}) for step in range(20))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 80
    assert all(len(store.paths(tree)) == len(store.paths(base)) + 1 for tree in made)


def test_processes_that_make_the_store_at_once_find_one(tmp_path, repo):
    script = ("import sys; from pathlib import Path; from reeve.adapters.trees.objects import GitObjects;"
              "print(GitObjects(Path(sys.argv[1])).import_base(Path(sys.argv[2]), 'HEAD').tree)")  # fmt: skip
    argv = [sys.executable, "-c", script, str(tmp_path / "o.git"), str(repo)]
    makers = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(4)]
    trees = {maker.communicate()[0] for maker in makers}
    assert trees == {git(repo, "rev-parse", "HEAD^{tree}")}


def test_who_makes_the_store_second_leaves_the_first_one_as_it_is(tmp_path):
    first, second = GitObjects(tmp_path / "o.git"), GitObjects(tmp_path / "o.git")
    blob = first.write_blob(b"kept")
    second._create()  # as a process does that found none a moment ago
    assert second.read_blob(blob) == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["o.git"]


def test_a_folder_of_something_else_is_no_store_and_is_left_alone(tmp_path):
    (tmp_path / "o.git").mkdir()
    (tmp_path / "o.git" / "mine").write_text("kept")
    with pytest.raises(RepositoryError, match="move away"):
        GitObjects(tmp_path / "o.git").write_blob(b"x")
    assert (tmp_path / "o.git" / "mine").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["o.git"]
