"""Environments are made in the sandbox, kept by what they depend on, and a failed one is told, not raised."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from checking import place

from reeve.adapters.environments.derive import derive, fits_python
from reeve.adapters.environments.fake import FakeEnvironments
from reeve.adapters.environments.files import MappingFiles, TreeFiles
from reeve.adapters.environments.interpreters import interpreters
from reeve.adapters.environments.layer import take_layer
from reeve.adapters.environments.python_env import PythonEnvironments, reason_of, version_of
from reeve.adapters.sandboxes.none import NoSandbox
from reeve.adapters.trees.copy import CopyTrees
from reeve.errors import Interrupted
from reeve.records import Base, Checks, Ending, Limits, RepoSource, Runner, SandboxResult, Task

LIMITS = Limits(wall_seconds=300, disk_mb=512)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return place(tmp_path_factory.mktemp("environments"))


@pytest.fixture
def environments(world, tmp_path):
    return PythonEnvironments(world.sandbox, world.trees, world.objects, world.store, tmp_path / "environments", LIMITS)


def task(setup, *, runner=Runner.JUNIT, env=None):
    return Task("t", "x", RepoSource(path="."), checks=Checks(runner=runner), setup=setup, env=env or {})


def base(world, files):
    return Base(str(world.folder), "0" * 40, world.tree(files))


def wheel(folder, name, code):
    """Make a wheel of one module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path.read_bytes()


# ---------------------------------------------------------------- making and keeping


def test_a_set_up_command_makes_an_environment_that_checks_use(world, environments, tmp_path):
    content = wheel(tmp_path, "gizmo", "WORD = 'here'\n")
    tree = world.objects.write(world.tree({"a.py": ""}), {"gizmo-1.0-py3-none-any.whl": (content, False)})
    setup = "python -m pip install --no-index ./gizmo-1.0-py3-none-any.whl && echo made > generated.txt"
    made = environments.prepare(task(setup), Base(str(world.folder), "0" * 40, tree))
    assert made.ok, world.store.get(made.log).decode()
    assert (Path(made.layer) / "generated.txt").read_text() == "made\n"
    from reeve.records import CommandCheck

    commands = (
        CommandCheck("python -c 'import gizmo, sys; assert gizmo.WORD and sys.prefix == \"/env\"'"),
        CommandCheck("grep made generated.txt"),
    )
    found = world.measure(tree, Checks(commands=commands), environment=made)
    assert {outcome.value for outcome in found.commands.values()} == {"passed"}, found.messages


def test_an_environment_is_made_once_and_found_by_the_next_run(world, environments, tmp_path):
    at = base(world, {"a.py": "1"})
    made = environments.prepare(task("date +%N > stamp"), at)
    stamp = (Path(made.layer) / "stamp").read_text()
    assert environments.prepare(task("date +%N > stamp"), at) == made
    later = PythonEnvironments(
        world.sandbox, world.trees, world.objects, world.store, tmp_path / "environments", LIMITS
    )
    assert later.prepare(task("date +%N > stamp"), at) == made
    assert (Path(made.layer) / "stamp").read_text() == stamp
    assert environments.prepare(task("date +%N > stamp", env={"A": "1"}), at).key != made.key


def test_a_failed_set_up_is_told_once_and_tried_again_by_the_next_run(world, environments, tmp_path):
    at = base(world, {"a.py": "2"})
    failed = environments.prepare(task("date +%N > /env/when; echo ERROR: no such thing; exit 1"), at)
    assert not failed.ok
    assert "no such thing" in failed.reason
    assert "the next `reeve run` tries it again" in failed.reason
    assert b"no such thing" in world.store.get(failed.log)
    assert environments.prepare(task("date +%N > /env/when; echo ERROR: no such thing; exit 1"), at) is failed
    later = PythonEnvironments(
        world.sandbox, world.trees, world.objects, world.store, tmp_path / "environments", LIMITS
    )
    assert later.prepare(task("date +%N > /env/when; echo ERROR: no such thing; exit 1"), at) is not failed
    left = [path.name for path in (tmp_path / "environments").iterdir() if not path.name.endswith(".lock")]
    assert left == []


def test_a_set_up_that_does_not_end_is_stopped(world, tmp_path):
    limits = Limits(wall_seconds=3)
    environments = PythonEnvironments(world.sandbox, world.trees, world.objects, world.store, tmp_path / "e", limits)
    failed = environments.prepare(task("sleep 600"), base(world, {"a.py": "3"}))
    assert not failed.ok
    assert "longer than 3 s" in failed.reason


def test_a_set_up_ends_when_the_person_stops_and_is_not_taken_for_a_failed_one(world, tmp_path):
    looks = iter([False, True])
    environments = PythonEnvironments(
        world.sandbox, world.trees, world.objects, world.store, tmp_path / "e", LIMITS, stop=lambda: next(looks, False)
    )
    at = base(world, {"a.py": "7"})
    with pytest.raises(Interrupted):
        environments.prepare(task("test -e /tmp/never || sleep 600"), at)
    assert environments.prepare(task("true"), at).ok


def test_a_set_up_sees_no_host_and_cannot_change_tracked_files(world, environments, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    setup = "env > seen.txt; echo changed > a.py; cat /etc/shadow >> seen.txt || true; id -u >> seen.txt"
    made = environments.prepare(task(setup), base(world, {"a.py": "4"}))
    assert made.ok, made.reason
    seen = (Path(made.layer) / "seen.txt").read_text()
    assert "s3cret" not in seen
    assert not seen.endswith("\n0\n")
    assert not (Path(made.layer) / "a.py").exists()


def test_walls_that_cannot_be_put_up_are_told(world, tmp_path):
    broken = type(world.sandbox)("/nonexistent/bwrap")
    environments = PythonEnvironments(broken, world.trees, world.objects, world.store, tmp_path / "e", LIMITS)
    failed = environments.prepare(task("true"), base(world, {"a.py": "5"}))
    assert (failed.ok, "could not run" in failed.reason) == (False, True)


def test_without_walls_an_environment_can_be_made_too(world, tmp_path):
    trees = CopyTrees(tmp_path / "state", world.objects)
    environments = PythonEnvironments(
        NoSandbox(), trees, world.objects, world.store, tmp_path / "state/environments", LIMITS
    )
    made = environments.prepare(task("pip --version > said.txt"), base(world, {"a.py": "6"}))
    assert made.ok, made.reason
    assert (Path(made.venv) / "bin/python").exists()
    assert (Path(made.layer) / "said.txt").read_text().startswith("pip ")


def test_a_runner_that_is_not_python_needs_no_environment(world, environments):
    made = environments.prepare(task(None), base(world, {"Cargo.toml": ""}))
    assert (made.ok, made.venv) == (True, None)


def test_a_python_that_is_not_here_is_named(world, environments):
    asks = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.99"\n'
    failed = environments.prepare(task(None, runner=Runner.PYTEST), base(world, {"pyproject.toml": asks}))
    assert not failed.ok
    assert ">=3.99" in failed.reason


def test_the_fake_gives_everybody_the_same(world):
    fake = FakeEnvironments(world.environment)
    assert fake.prepare(task(None), base(world, {})) is world.environment


# ---------------------------------------------------------------- what is derived


def plan_of(files, setup=None, tree="t"):
    return derive(MappingFiles({name: text.encode() for name, text in files.items()}), tree, setup)


PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({}, None),
        ({"a.py": ""}, None),
        ({"requirements.txt": ""}, "-r requirements.txt"),
        ({"requirements.lock": "", "requirements.txt": ""}, "-r requirements.lock"),
        ({"requirements.txt": "", "requirements/test.txt": ""}, "-r requirements.txt -r requirements/test.txt"),
        ({"pyproject.toml": PROJECT}, "-e ."),
        ({"pyproject.toml": "[tool.black]\n"}, None),
        ({"pyproject.toml": "not toml ["}, None),
        ({"pyproject.toml": PROJECT + "[project.optional-dependencies]\ndev=[]\ntests=[]\n"}, "-e '.[tests]'"),
        (
            {"pyproject.toml": PROJECT + '[dependency-groups]\nx=["b>=1"]\ntest=["a", {include-group="x"}]\n'},
            "-e . a 'b>=1'",
        ),
        ({"pyproject.toml": PROJECT + '[dependency-groups]\ntest=[{include-group="test"}]\n'}, "-e ."),
        ({"setup.py": "from setuptools import setup\nsetup(extras_require={'testing': ['a']})\n"}, "-e '.[testing]'"),
        ({"setup.py": "extras = {'dev': []}\nsetup(extras_require=extras)\n"}, "-e '.[dev]'"),
        ({"setup.cfg": "[metadata]\nname = x\n[options.extras_require]\ntest = a\n"}, "-e '.[test]'"),
        ({"pyproject.toml": '[tool.poetry.group.dev.dependencies]\npython="*"\npytest="^8"\n'}, "-e . pytest"),
    ],
)
def test_a_set_up_is_derived_from_the_files_of_the_project(files, arguments):
    expected = () if arguments is None else (f"python -m pip install {arguments}",)
    assert plan_of(files).commands == expected


def test_pytest_is_resolved_together_with_the_project():
    files = MappingFiles({"pyproject.toml": PROJECT.encode()})
    assert derive(files, "t", None, with_pytest=True).commands == ("python -m pip install -e . pytest",)


def test_a_plan_depends_on_what_it_reads_and_on_nothing_else():
    first = plan_of({"pyproject.toml": PROJECT, "src/x/a.py": "1"}).inputs
    assert plan_of({"pyproject.toml": PROJECT, "src/x/a.py": "2"}, tree="u").inputs == first
    assert plan_of({"pyproject.toml": PROJECT + " ", "src/x/a.py": "1"}).inputs != first
    assert plan_of({"pyproject.toml": PROJECT, "src/y/a.py": "1"}).inputs != first
    compiled = {"pyproject.toml": PROJECT, "src/x/a.c": "1"}
    assert plan_of(compiled, tree="t").inputs != plan_of(compiled, tree="u").inputs


def test_packages_by_name_alone_are_one_environment_for_every_project():
    setup = "python -m pip install pytest==8.4.2"
    assert plan_of({"pyproject.toml": PROJECT, "a.py": ""}, setup) == plan_of({"b/c.c": ""}, setup, tree="u")
    assert not plan_of({}, setup).needs_tree


def test_a_command_of_ones_own_may_depend_on_the_whole_tree():
    for setup, depends in (
        ("pip install a 'b>=2'", False),
        ("python -m pip install -r requirements.txt", False),
        ("pip install -r x.txt", True),
        ("pip install -e .", False),
        ("pip install -e '.[test]' pytest", False),
        ("pip install -e ./other", True),
        ("pip install .", True),
        ("pip install a; make", True),
        ("make", True),
        ("pip install 'a", True),
        ("pip install $(x)", True),
    ):
        inputs = {plan_of({}, setup, tree).inputs for tree in "tu"}
        assert (len(inputs) == 2) is depends, setup


@pytest.mark.parametrize(
    ("requires", "fits"),
    [
        ("", True), (">=3.8", True), (">=3.12", False), (">=3.8,<3.11", False), ("==3.11.*", True), ("~=3.8", True),
        ("~=3.10.1", False), ("!=3.11.*", False), ("!=3.11.1", True), ("<4", True), ("garbage", True), ("<=3.11", False),
    ],
)  # fmt: skip
def test_an_interpreter_fits_what_the_project_asks_for(requires, fits):
    assert fits_python(requires, (3, 11, 4)) is fits


def test_our_own_interpreter_is_among_those_found():
    import sys

    assert any(one.version[:2] == sys.version_info[:2] for one in interpreters())


# ---------------------------------------------------------------- its parts


def test_the_layer_holds_new_files_only_and_links_as_links(tmp_path):
    upper, tracked, into = tmp_path / "upper", tmp_path / "tracked", tmp_path / "layer"
    for folder in (upper / "x.egg-info", upper / "__pycache__", tracked):
        folder.mkdir(parents=True)
    (tracked / "a.py").write_text("tracked")
    (upper / "a.py").write_text("changed")
    (upper / "x.egg-info" / "PKG-INFO").write_text("new")
    (upper / "__pycache__" / "a.pyc").write_text("cache")
    (upper / "link").symlink_to("/etc")
    assert take_layer(upper, tracked, into, None) == 2
    assert sorted(path.relative_to(into).as_posix() for path in into.rglob("*")) == [
        "link", "x.egg-info", "x.egg-info/PKG-INFO",
    ]  # fmt: skip
    assert (into / "link").is_symlink()


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("[reeve] pip install x\nERROR: No matching distribution found for x\n", "not on the index"),
        ("[reeve] pip\nNewConnectionError: x\nERROR: Could not find a version\n", "no network"),
        ("[reeve] pip\nERROR: ResolutionImpossible: see\n", "contradict each other"),
        ("[reeve] pip\nerror: command 'gcc' failed: No such file or directory\n", "install a compiler"),
        ("[reeve] make\nsome words\n", "some words"),
    ],
)
def test_a_reason_names_the_step_and_what_to_do(log, said):
    reason = reason_of(log, SandboxResult(Ending.CRASHED, 1, "", 1.0, 1.0, 1.0))
    assert said in reason
    assert log.split("\n")[0].removeprefix("[reeve] ") in reason


def test_a_version_is_found_without_history(tmp_path):
    at = Base(str(tmp_path), "0" * 40, "t")
    assert version_of(MappingFiles({}), at) == "0.0.0"
    info = MappingFiles({"PKG-INFO": b"Metadata-Version: 2.1\nName: x\nVersion: 2.3.1\n"})
    assert version_of(info, at) == "2.3.1"


def test_files_of_a_tree_are_read_without_making_a_folder(world):
    tree = world.tree({"src/a/b.py": "x", "tests/c.c": "", "setup.cfg": "s", "lib/d.c": ""})
    files = TreeFiles(world.objects, tree)
    assert (files.read("setup.cfg"), files.read("nothing"), files.read("src")) == (b"s", None, None)
    assert files.read("src/a/b.py") == b"x"
    assert files.names("") == [("lib", True), ("setup.cfg", False), ("src", True), ("tests", True)]
    assert files.names("none") == []
    assert files.any_suffix({".c"})
    assert not TreeFiles(world.objects, world.tree({"tests/c.c": "", "a.py": ""})).any_suffix({".c"})
