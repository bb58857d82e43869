"""The demo's input, without the network: its description is whole, and its builder trusts nothing it fetched."""

import ast
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

DEMO = Path(__file__).resolve().parent.parent / "demo"
sys.path.insert(0, str(DEMO))

import build  # noqa: E402
import run  # noqa: E402
from archives import Archive, ArchiveError, PipSettings, fetch, pip_settings, read_files, sha256_of  # noqa: E402

from reeve.task.backlog import read_backlog  # noqa: E402
from reeve.task.build import Defaults  # noqa: E402


def tasks() -> list[dict]:
    found = []
    for path in sorted((DEMO / "backlog").glob("*.md")):
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        found.append({**yaml.safe_load(front), "body": body.strip(), "file": path})
    return found


def tarball(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


def pinned(path: Path, project: str = "thing") -> Archive:
    return Archive(project, path.name, sha256_of(path.read_bytes()))


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


def test_every_archive_is_pinned_by_a_whole_hash_and_named_after_its_version():
    for package in build.packages():
        for version, archive in ((package.version, package.source), (package.tests_version, package.tests)):
            assert len(archive.sha256) == 64
            assert int(archive.sha256, 16)
            assert archive.file == f"{package.name}-{version}.tar.gz"


def test_every_defect_belongs_to_a_task_and_its_fix_stands_in_no_instruction():
    by_id = {task["id"]: task for task in tasks()}
    for defect in build.defects():
        assert "injected" in by_id[defect.task]["tags"]
        assert defect.old != defect.new
        assert all(defect.old not in task["body"] and defect.new not in task["body"] for task in tasks())


def test_no_task_s_file_names_the_description_of_the_defects():
    assert all("defects.toml" not in task["file"].read_text(encoding="utf-8") for task in tasks())


# Fetching ------------------------------------------------------------------------------------------------------


def test_an_archive_with_another_hash_is_refused_and_not_kept(tmp_path):
    path = tarball(tmp_path / "thing-1.0.tar.gz", {"thing-1.0/a.py": b"a = 1\n"})
    settings = PipSettings(indexes=(), find_links=(str(tmp_path),))
    with pytest.raises(ArchiveError, match="pinned is 0000"):
        fetch(Archive("thing", path.name, "0" * 64), settings, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


def test_an_archive_is_taken_from_the_cache_once_it_was_fetched(tmp_path):
    path = tarball(tmp_path / "thing-1.0.tar.gz", {"thing-1.0/a.py": b"a = 1\n"})
    archive = pinned(path)
    settings = PipSettings(indexes=(), find_links=(str(tmp_path),))
    kept = fetch(archive, settings, tmp_path / "cache")
    path.unlink()
    assert fetch(archive, settings, tmp_path / "cache") == kept


def test_a_spoilt_file_in_the_cache_is_fetched_again(tmp_path):
    archive = pinned(tarball(tmp_path / "thing-1.0.tar.gz", {"thing-1.0/a.py": b"a = 1\n"}))
    settings = PipSettings(indexes=(), find_links=(str(tmp_path),))
    kept = fetch(archive, settings, tmp_path / "cache")
    kept.write_bytes(b"half of it")
    assert sha256_of(fetch(archive, settings, tmp_path / "cache").read_bytes()) == archive.sha256


@pytest.mark.parametrize(
    "page",
    [
        '<!DOCTYPE html><a href="../../files/thing-1.0.tar.gz#sha256=00">thing-1.0.tar.gz</a>',
        '{"files": [{"filename": "thing-1.0.tar.gz", "url": "../../files/thing-1.0.tar.gz"}]}',
    ],
    ids=["html", "json"],
)
def test_a_simple_index_is_read_in_both_of_its_forms(tmp_path, page):
    (tmp_path / "files").mkdir()
    archive = pinned(tarball(tmp_path / "files" / "thing-1.0.tar.gz", {"thing-1.0/a.py": b"a = 1\n"}), "The.Thing")
    (tmp_path / "simple" / "the-thing").mkdir(parents=True)
    (tmp_path / "simple" / "the-thing" / "index.html").write_text(page, encoding="utf-8")
    settings = PipSettings(indexes=((tmp_path / "simple").as_uri(),))
    assert fetch(archive, settings, tmp_path / "cache").is_file()


def test_pip_s_own_configuration_says_where_the_index_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_TRUSTED_HOST"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://one.invalid/simple\n[install]\ntrusted-host = one.invalid\n", encoding="utf-8"
    )
    assert pip_settings().indexes[0] == "https://one.invalid/simple"
    assert pip_settings().trusted_hosts == ("one.invalid",)
    monkeypatch.setenv("PIP_INDEX_URL", "https://two.invalid/simple")
    assert pip_settings().indexes[0] == "https://two.invalid/simple"


# Unpacking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["thing-1.0/../../evil.py", "/etc/evil.py", "../evil.py", "thing-1.0/.git/config", "thing-1.0/a\\..\\evil.py"],
)
def test_a_member_outside_its_folder_or_inside_git_is_refused(tmp_path, name):
    path = tarball(tmp_path / "thing.tar.gz", {"thing-1.0/a.py": b"", name: b"evil"})
    with pytest.raises(ArchiveError, match="unsafe path"):
        read_files(path)


def test_a_zip_member_outside_its_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "thing.zip", "w") as bundle:
        bundle.writestr("thing-1.0/../../evil.py", "evil")
    with pytest.raises(ArchiveError, match="unsafe path"):
        read_files(tmp_path / "thing.zip")


def test_links_and_second_top_folders_are_refused(tmp_path):
    path = tarball(tmp_path / "link.tar.gz", {"thing-1.0/a.py": b""}, {"thing-1.0/passwd": "/etc/passwd"})
    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        read_files(path)
    path = tarball(tmp_path / "two.tar.gz", {"thing-1.0/a.py": b"", "other/b.py": b""})
    with pytest.raises(ArchiveError, match="more than one top folder"):
        read_files(path)


def test_what_is_not_an_archive_is_refused(tmp_path):
    (tmp_path / "thing.tar.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(ArchiveError, match="cannot be read"):
        read_files(tmp_path / "thing.tar.gz")


# Building ------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path):
    old = tarball(
        tmp_path / "thing-1.0.tar.gz",
        {"thing-1.0/thing.py": b"def half(x):\n    return x / 2\n", "thing-1.0/tests/test_gone.py": b""},
    )
    new = tarball(tmp_path / "thing-1.1.tar.gz", {"thing-1.1/tests/test_half.py": b"import thing\n"})
    return build.Package("thing", "1.0", pinned(old), "1.1", pinned(new), ("tests",))


def built(package: build.Package, archives: Path, folder: Path) -> str:
    defect = build.Defect("thing-half", "thing", "operator", "thing.py", "x / 2", "x * 2")
    code = build.with_defects(read_files(archives / package.source.file), [defect])
    state = build.with_tests(package, code, read_files(archives / package.tests.file))
    return build.build_repository(package, code, state, folder)


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
