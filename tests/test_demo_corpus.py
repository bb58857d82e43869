"""The demo's input, without the network: its description is whole, and its builder trusts nothing it fetched."""

import ast
import dataclasses
import hashlib
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

DEMO = Path(__file__).resolve().parent.parent / "demo"
sys.path.insert(0, str(DEMO))

import build  # noqa: E402
import run  # noqa: E402

from reeve.adapters.trees.archive import Index  # noqa: E402
from reeve.errors import RepositoryError  # noqa: E402
from reeve.task.backlog import read_backlog  # noqa: E402
from reeve.task.build import Defaults  # noqa: E402


def tasks() -> list[dict]:
    found = []
    for path in sorted((DEMO / "backlog").glob("*.md")):
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        found.append({**yaml.safe_load(front), "body": body.strip(), "file": path})
    return found


def tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def pinned(path: Path, version: str) -> build.Archive:
    return build.Archive("thing", version, hashlib.sha256(path.read_bytes()).hexdigest())


# The backlog ---------------------------------------------------------------------------------------------------


def test_the_backlog_has_at_least_12_tasks_over_at_least_3_packages_and_one_without_checks():
    assert len(tasks()) >= 12
    assert len({task["repo"] for task in tasks()}) >= 3
    assert len([task for task in tasks() if "checks" not in task]) == 1


def test_every_task_is_named_like_its_file_and_belongs_to_a_package():
    names = {package.name for package in build.packages()}
    for task in tasks():
        assert task["file"].name == task["id"] + ".md"
        assert task["id"].partition("-")[0] in names
        assert task["repo"] == f"../repos/{task['id'].partition('-')[0]}"


def test_reeve_reads_the_whole_backlog(tmp_path):
    build.copy_backlog(tmp_path / "backlog", [package.name for package in build.packages()])
    for package in build.packages():
        (tmp_path / "repos" / package.name / ".git").mkdir(parents=True)
    read = read_backlog([tmp_path / "backlog"], Defaults(root=tmp_path, repo=tmp_path, known_agents={"repair"}))
    assert sorted(task.id for task in read.tasks) == sorted(task["id"] for task in tasks())
    assert not read.skipped


def test_every_task_has_an_instruction_a_title_and_its_cost_for_a_person():
    for task in tasks():
        assert task["body"].startswith("# "), task["id"]
        assert task["human_minutes"] > 0


def test_no_test_is_required_by_two_tasks_of_one_package():
    required = [(task["repo"], test) for task in tasks() if "checks" in task for test in task["checks"]["required"]]
    assert len(required) == len(set(required))


def test_tasks_of_one_package_share_one_environment():
    setups = {(task["repo"], task["setup"]) for task in tasks()}
    assert len(setups) == len({repo for repo, _ in setups})


def test_hidden_checks_exist_and_are_used():
    named = {hidden["file"] for task in tasks() if "checks" in task for hidden in task["checks"].get("hidden", [])}
    assert named == {f"hidden/{path.name}" for path in (DEMO / "backlog" / "hidden").glob("*.py")}


def test_every_hidden_test_is_required_by_its_exact_id():
    for task in tasks():
        for hidden in task.get("checks", {}).get("hidden", []):
            source = ast.parse((DEMO / "backlog" / hidden["file"]).read_text(encoding="utf-8"))
            names = {
                node.name for node in source.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"
            }
            assert {f"{hidden['path']}::{name}" for name in names} <= set(task["checks"]["required"]), task["id"]


def test_every_archive_is_pinned_by_a_whole_hash():
    for package in build.packages():
        assert package.source.version != package.tests.version
        for archive in (package.source, package.tests):
            assert len(archive.sha256) == 64
            assert int(archive.sha256, 16)


def test_every_defect_belongs_to_a_task_and_its_fix_stands_in_no_instruction():
    by_id = {task["id"]: task for task in tasks()}
    for defect in build.defects():
        assert "injected" in by_id[defect.task]["tags"]
        assert defect.old != defect.new
        assert all(defect.old not in task["body"] and defect.new not in task["body"] for task in tasks())


def test_no_task_s_file_names_the_description_of_the_defects():
    assert all("defects.toml" not in task["file"].read_text(encoding="utf-8") for task in tasks())


# Building ------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path):
    old = tarball(
        tmp_path / "thing-1.0.tar.gz",
        {"thing-1.0/thing.py": b"def half(x):\n    return x / 2\n", "thing-1.0/tests/test_gone.py": b""},
    )
    new = tarball(tmp_path / "thing-1.1.tar.gz", {"thing-1.1/tests/test_half.py": b"import thing\n"})
    return build.Package("thing", pinned(old, "1.0"), pinned(new, "1.1"), ("tests",))


def built(package: build.Package, archives: Path, folder: Path) -> str:
    defect = build.Defect("thing-half", "thing", "operator", "thing.py", "x / 2", "x * 2")
    cache, index = archives / "cache", Index(pages=(), find_links=(str(archives),))
    code = build.with_defects(build.read_archive(package.source, cache, index), [defect])
    state = build.with_tests(package, code, build.read_archive(package.tests, cache, index))
    return build.build_repository(package, code, state, folder)


def test_an_archive_with_another_hash_stops_the_build_and_nothing_is_written(tmp_path, package, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    index = Index(pages=(), find_links=(str(tmp_path),))
    wrong = dataclasses.replace(package, source=dataclasses.replace(package.source, sha256="0" * 64))
    with pytest.raises(RepositoryError, match="pinned is 0000"):
        build.build(tmp_path / "dest", [wrong], index)
    assert not (tmp_path / "dest").exists()
    build.build(tmp_path / "dest", [package], index)
    assert (tmp_path / "dest" / "repos" / "thing" / "thing.py").is_file()


def test_a_repository_has_the_same_commit_id_wherever_it_is_built(tmp_path, package, monkeypatch):
    first = built(package, tmp_path, tmp_path / "a")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(
        "[commit]\ngpgSign = true\n[gpg]\nprogram = /bin/false\n[core]\nautocrlf = true\n", encoding="utf-8"
    )
    assert built(package, tmp_path, tmp_path / "deep" / "b") == first
    dates = build.git(tmp_path / "deep" / "b", "log", "--format=%ad %cd", "--date=format:%Y-%m-%d")
    assert dates.split() == ["2024-01-02"] * 2 + ["2024-01-01"] * 2


def test_the_true_fix_stands_nowhere_in_the_repository_s_history(tmp_path, package):
    built(package, tmp_path, tmp_path / "repo")
    shown = subprocess.run(
        ["git", "-C", tmp_path / "repo", "log", "--patch", "--all"], capture_output=True, text=True, check=True
    ).stdout
    assert "x * 2" in shown
    assert "x / 2" not in shown


def test_main_has_the_tests_of_the_newer_release_and_only_those(tmp_path, package):
    built(package, tmp_path, tmp_path / "repo")
    assert [path.name for path in sorted((tmp_path / "repo" / "tests").iterdir())] == ["test_half.py"]


def test_a_defect_whose_place_is_not_found_exactly_once_stops_the_build():
    defect = build.Defect("thing-half", "thing", "operator", "thing.py", "x", "y")
    with pytest.raises(build.BuildError, match="stands 2 times"):
        build.with_defects({"thing.py": (b"x = x\n", False)}, [defect])


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert build.main([str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# Judging the run -----------------------------------------------------------------------------------------------


def told(landed: int, reason: str = "because") -> list[dict]:
    tasks = [{"id": f"t{number}", "status": "landed", "reason": ""} for number in range(landed)]
    tasks += [{"id": f"u{number}", "status": "failed", "reason": reason} for number in range(3 - landed)]
    return [*tasks, {"id": "v", "status": "needs-you", "reason": reason}]


def test_the_demo_worked_when_half_landed_and_the_rest_is_explained():
    assert run.shortcomings(told(2), 4) == []


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        (told(1), "fewer than half"),
        (told(2, reason=""), "without a reason"),
        (told(2)[:3], "knows 3 of 4"),
        ([{"id": f"t{number}", "status": "landed"} for number in range(4)], "no task needs a person"),
        ([*told(3), {"id": "w", "status": "working", "reason": "1 attempt of 2 at work"}], "w is still 'working'"),
    ],
)
def test_the_demo_did_not_work_when_the_ledger_falls_short(tasks, sentence):
    assert any(sentence in problem for problem in run.shortcomings(tasks, 4))


def test_the_readme_shows_the_tasks_that_the_demo_has():
    readme = (build.HERE.parent / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    (\S+) +(?:landed|failed|needs-you) ", readme, flags=re.MULTILINE)
    assert sorted(shown) == sorted(path.stem for path in (build.HERE / "backlog").glob("*.md"))
