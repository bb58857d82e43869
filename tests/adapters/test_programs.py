"""Our own programs inside a sandbox: their bytecode says what their source says, and they are found wherever they run."""

import os
import subprocess
import sys
from importlib.util import cache_from_source

import pytest

from reeve.adapters.checks import programs
from reeve.adapters.checks.challenge import EXAMINER
from reeve.adapters.checks.programs import compiled
from reeve.adapters.sandboxes.supervised import bytecode_of


@pytest.fixture
def program(tmp_path):
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "said.py").write_text("WORD = 'ours'\n")
    return folder


def said(folder):
    """What an interpreter says that imports it, and whether it had to compile it."""
    look = "import sys; sys.path.insert(0, sys.argv[1]); import said; print(said.WORD)"
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-v", "-c", look, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip(), f"matches {folder / 'said.py'}" in done.stderr


def test_the_copy_has_bytecode_that_is_used(program, tmp_path):
    made = compiled(program, tmp_path / "place")
    assert said(made) == ("ours", True)
    assert made.parent == tmp_path / "place"
    assert {path.stat().st_mode & 0o777 for path in made.rglob("*.py*")} == {0o644}
    assert os.listdir(made.parent) == [made.name]  # nothing is left of the making


def test_bytecode_counts_only_for_the_source_that_stands_beside_it(program, tmp_path):
    made = compiled(program, tmp_path / "place")
    before = (made / "said.py").stat()
    (made / "said.py").write_text("WORD = 'evil'\n")  # of the same size, and dated as before
    os.utime(made / "said.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert said(made) == ("evil", False)


def test_another_content_is_another_copy_and_one_that_went_is_made_again(program, tmp_path):
    first = compiled(program, tmp_path / "place")
    (program / "said.py").write_text("WORD = 'more'\n")
    programs._digest.cache_clear()
    second = compiled(program, tmp_path / "place")
    assert (said(first)[0], said(second)[0]) == ("ours", "more")
    (second / "said.py").unlink()
    os.remove(cache_from_source(str(second / "said.py")))
    os.rmdir(second / "__pycache__")
    second.rmdir()
    assert said(compiled(program, tmp_path / "place"))[0] == "more"


def test_without_a_place_it_runs_from_where_it_is():
    assert compiled(EXAMINER, None) == EXAMINER


# ---------------------------------------------------------------- a script beside its bytecode


def test_a_script_is_started_by_its_bytecode_which_follows_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    script = tmp_path / "script.py"
    for said in ("one", "two, and longer"):
        script.write_text(f"print({said!r})\n")
        found = bytecode_of.__wrapped__(script)
        assert found.parent == tmp_path / "__pycache__"
        done = subprocess.run([sys.executable, str(found)], capture_output=True, text=True, check=True)
        assert done.stdout == f"{said}\n"


def test_a_script_is_started_as_it_is_where_no_bytecode_is_to_be_kept(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("print(1)\n")
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert bytecode_of.__wrapped__(script) == script
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "__pycache__").write_text("no folder")
    assert bytecode_of.__wrapped__(script) == script
    script.write_text("no code (\n")
    (tmp_path / "__pycache__").unlink()
    assert bytecode_of.__wrapped__(script) == script
