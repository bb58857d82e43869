"""Which paths are put back, and what a task may declare."""

from dataclasses import replace

import pytest

from reeve.records import Change, Checks, CommandCheck, HiddenFile, RepoSource, Runner, Task
from reeve.verdict.examined import examined_tree
from reeve.verdict.protected import declared, protected_changes

CHECKS = Checks(
    required=("tests/test_a.py::test_x", "pkg/Tests/test_b.py::test_y", "flat/test_c.py::test_z"),
    hidden=(HiddenFile("tests/test_h.py", b""),),
    test_patch="--- a/tests/test_p.py\n+++ b/tests/test_p.py\n",
    commands=(CommandCheck("mypy src && sh ci/run.sh"),),
)
TASK = Task("t", "", RepoSource(path="."), checks=CHECKS)


def put_back(path, task=TASK, kind="modified"):
    return protected_changes(task, (Change(path, kind),)) == (path,)


@pytest.mark.parametrize(
    "path",
    [
        "tests", "pkg/tests.py", "pkg/Tests/helper.py", "x.egg-info/entry_points.txt", "a.dist-info/RECORD", ".env",
        "python311._pth", "pyvenv.cfg", ".coverage", "out/.coverage.host.1", "junit-report.xml", "a/b.dylib", "a.pyo",
        "mypy.ini", "pkg/.pytest_cache/v/x",
    ],
)  # fmt: skip
def test_more_of_what_measures_a_result_is_protected(path):
    assert put_back(path)


@pytest.mark.parametrize("path", ["house-rules.md", "AGENTS.md", "pkg/CLAUDE.md", ".claude/settings.json", ".mcp.json"])
def test_what_the_next_attempt_is_told_is_protected_unless_the_task_is_about_it(path):
    assert put_back(path)
    assert put_back(path, kind="added")
    assert not put_back(path, replace(TASK, may_change=(path,)))


@pytest.mark.parametrize(
    "path",
    ["Conftest.py", "pkg/helper.py", "flat/helper.py", "ruff.toml", "attests.py", "coverage.md", "environment.yml"],
)
def test_ordinary_files_are_not(path):
    assert not put_back(path)


@pytest.mark.parametrize(
    "path",
    [
        "random.py", "src/json/__init__.py", "lib/hypothesis.py", "src/numpy/__init__.py", "typing.pyi", "pytest",
        "flat/pytest.py", "src/pytest.zip",
    ],
)  # fmt: skip
def test_a_new_module_may_not_take_the_place_of_another(path):
    assert put_back(path, kind="added")
    assert not put_back(path, kind="modified")


@pytest.mark.parametrize(
    "path", ["src/pkg/random.py", "random.md", "test.txt", "flat/types.py", "src/shop.py", "numpy/x.py"]
)
def test_a_new_module_of_a_package_may_be_called_anything(path):
    assert not put_back(path, kind="added")


# ---------------------------------------------------------------- what a task declares


@pytest.mark.parametrize(
    ("globs", "path"),
    [
        (("tests/**",), "tests/test_new.py"),
        (("pyproject.toml",), "pyproject.toml"),
        ((".github/**",), ".github/workflows/ci.yml"),
        (("**/conftest.py",), "tests/conftest.py"),
        (("tests/**", "conftest.py"), "tests/conftest.py"),
        (("src/random.py",), "src/random.py"),
        (("vendor/*.so",), "vendor/a.so"),
        (("requirements*.txt",), "requirements-dev.txt"),
    ],
)
def test_what_a_task_asks_for_stays(globs, path):
    task = replace(TASK, may_change=globs)
    assert put_back(path, kind="added")
    assert not put_back(path, task, kind="added")
    assert declared(task, path)


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_a.py", "pkg/Tests/test_b.py", "flat/test_c.py", "tests/test_h.py", "tests/test_p.py", "ci/run.sh",
        "mypy.ini", "docs/secret.md",
    ],
)  # fmt: skip
def test_the_files_of_its_own_checks_never_do(path):
    task = replace(TASK, may_change=("**", path), protected=("docs/secret.md",))
    assert put_back(path, task)
    assert not declared(task, path)


def test_the_report_of_its_own_checks_never_does():
    checks = Checks(runner=Runner.JUNIT, test_command="./t.sh", report="out/*.xml")
    task = replace(TASK, checks=checks, may_change=("**",))
    assert put_back("out/a.xml", task)
    assert put_back("t.sh", task)


@pytest.mark.parametrize(
    "path", ["conftest.py", "tests/conftest.py", "sitecustomize.py", "a.pth", "pytest.py", "a.pyc"]
)
def test_what_acts_on_every_test_has_to_be_named(path):
    task = replace(TASK, may_change=("**", "tests/**", "*.py"))
    assert put_back(path, task, kind="added")
    assert not put_back("tests/test_new.py", task)


class Objects:
    """The part of the object store that the examined tree needs."""

    def changes(self, base_tree, tree):
        return (
            Change("src/a.py", "modified"),
            Change("tests/test_new.py", "added"),
            Change("tests/test_a.py", "deleted"),
        )

    def restore(self, tree, from_tree, globs):
        return f"{tree}+{','.join(globs)}", ()


def test_the_examined_tree_keeps_what_the_task_declares():
    assert examined_tree(Objects(), TASK, "base", "tree").restored == ("tests/test_new.py", "tests/test_a.py")
    task = replace(TASK, may_change=("tests/**",))
    assert examined_tree(Objects(), task, "base", "tree").restored == ("tests/test_a.py",)
