"""Task: what a person writes becomes records, or one clear line; and the attempts that come next."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeve.errors import InputError, SettingsError, TaskError
from reeve.records import (
    ID,
    AgentSpec,
    Attempt,
    Base,
    Belief,
    CommandCheck,
    Ending,
    HiddenFile,
    KnownAnswer,
    Landing,
    LandingOutcome,
    Limits,
    Measurement,
    Patch,
    Policy,
    Runner,
    TestOutcome,
)
from reeve.task.backlog import pick, read_backlog
from reeve.task.build import Defaults, top_of_repository
from reeve.task.located import Unreadable, parse_json_line, parse_toml
from reeve.task.plan import FREE_SANDBOX_FAILURES, History, attempts_left, further, not_worth, plan
from reeve.task.readers import make_id
from reeve.task.rules import ADDED, MAX_BYTES, MAX_CHARACTERS, MAX_RULES, rules_of, with_rule
from reeve.task.single import failing_tasks, task_from_words
from reeve.task.yaml_text import parse_yaml

# The machine may be slow; that is no finding.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


class Project:
    """A repository with a backlog, and what reading it gives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".git").mkdir(parents=True)
        self.defaults = Defaults(root=root, repo=root, known_agents={"repair", "sweeper"})

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def task(self, front: str, body: str = "Repair it.", path: str = "backlog/one.md"):
        return self.read(self.write(path, f"---\n{front}\n---\n{body}\n")).tasks[0]

    def read(self, *paths: Path, **defaults):
        return read_backlog(paths or [self.root / "backlog"], replace(self.defaults, **defaults))

    def complaint(self, *paths: Path) -> str:
        with pytest.raises(InputError) as caught:
            self.read(*paths)
        return str(caught.value)

    def complaint_about(self, front: str, body: str = "Repair it.") -> str:
        self.write("backlog/one.md", f"---\n{front}\n---\n{body}\n")
        return self.complaint()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


# ---------------------------------------------------------------- reading


def test_every_key_of_the_front_matter_reaches_the_record(project):
    project.write("backlog/hidden/test_new.py", b"def test_new(): ...\n")
    (project.root / "other" / ".git").mkdir(parents=True)
    task = project.task(
        """\
id: every-key
repo: ../other
base: v1.2
checks:
  required: [tests/test_a.py::test_one]
  keep: [tests]
  commands:
    - make lint
    - {command: make docs, timeout_seconds: 30}
    - {command: make score, status: 3, reads: 'score (\\S+)', at_least: 1, at_most: 9.5, higher_by: 0.5}
  hidden:
    - {path: tests/test_new.py, file: hidden/test_new.py}
  pytest_args: [--import-mode=importlib]
protected: [docs/**]
may_change: [tests/test_b.py]
only_needed: true
attempts: 5
agents: [sweeper, repair]
limits: {wall_seconds: 60, check_seconds: 90.5, memory_mb: 512, disk_mb: 64, processes: 32, output_mb: 1,
         tokens: 1000, usd: 0.5}
human_minutes: 20
tags: [parser]
setup: pip install -e .
env: {TZ: UTC}"""
    )
    assert task.id == "every-key"
    assert task.instruction == "Repair it."
    assert task.repo.path == str(project.root / "other")
    assert task.base == "v1.2"
    assert task.checks.required == ("tests/test_a.py::test_one",)
    assert task.checks.keep == ("tests",)
    score = CommandCheck("make score", None, 3, r"score (\S+)", at_least=1.0, at_most=9.5, higher_by=0.5)
    assert task.checks.commands == (CommandCheck("make lint"), CommandCheck("make docs", 30.0), score)
    assert task.checks.hidden == (HiddenFile("tests/test_new.py", b"def test_new(): ...\n"),)
    assert task.checks.runner is Runner.PYTEST
    assert task.checks.pytest_args == ("--import-mode=importlib",)
    assert (task.protected, task.may_change, task.only_needed) == (("docs/**",), ("tests/test_b.py",), True)
    assert (task.attempts, task.agents) == (5, ("sweeper", "repair"))
    assert task.limits == Limits(60.0, 90.5, 512, 64, 32, 1, 1000, 0.5)
    assert (task.human_minutes, task.tags, task.setup, task.env) == (
        20.0,
        ("parser",),
        "pip install -e .",
        {"TZ": "UTC"},
    )
    assert task.source == "backlog/one.md:1"


def test_a_silent_task_takes_id_from_its_file_and_the_rest_from_the_defaults(project):
    project.write("backlog/fix-the-parser.md", "---\n---\nRepair it.\n")
    task = project.read(
        attempts=4,
        agents=("sweeper",),
        limits=Limits(wall_seconds=5.0),
        protected=("ci",),
        setup="make",
        env={"A": "1"},
    ).tasks[0]
    assert task.id == "fix-the-parser"
    assert task.repo.path == str(project.root)
    assert (task.attempts, task.agents, task.limits.wall_seconds) == (4, ("sweeper",), 5.0)
    assert (task.protected, task.setup, task.env) == (("ci",), "make", {"A": "1"})
    assert task.checks.none


def test_a_junit_task_names_its_command_and_report(project):
    checks = project.task("checks: {runner: junit, test_command: cargo nextest run, report: target/*.xml}").checks
    assert (checks.runner, checks.test_command, checks.report) == (Runner.JUNIT, "cargo nextest run", "target/*.xml")


def test_an_archive_carries_its_hash(project):
    source = project.task(f"repo: {{archive: attrs==23.1.0, sha256: {'a' * 64}}}").repo
    assert (source.archive, source.sha256, source.path) == ("attrs==23.1.0", "a" * 64, None)


def test_a_backlog_is_read_in_order_with_its_sub_folders(project):
    for name in ("b.md", "a.md", "later/c.md"):
        project.write(f"backlog/{name}", "---\n---\nRepair it.\n")
    project.write("backlog/README.md", "# Our backlog\n")
    project.write("backlog/notes.txt", "nothing")
    project.write("backlog/.drafts/d.md", "not even front matter")
    assert [task.id for task in project.read().tasks] == ["a", "b", "c"]


def test_a_draft_is_skipped_with_a_word(project):
    project.write("backlog/one.md", "---\ndraft: true\n---\n")
    backlog = project.read()
    assert backlog.tasks == ()
    assert backlog.skipped == ("backlog/one.md: skipped, a draft or empty",)


def test_a_file_named_twice_is_read_once(project):
    file = project.write("backlog/one.md", "---\n---\nRepair it.\n")
    assert len(project.read(file, project.root / "backlog").tasks) == 1


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(project):
    project.write("backlog/one.md", b"\xef\xbb\xbf---\r\nid: one\r\nattempts: 3\r\n---\r\nRepair it.\r\n")
    task = project.read().tasks[0]
    assert (task.id, task.attempts, task.instruction) == ("one", 3, "Repair it.")


def test_json_lines_hold_one_task_each(project):
    rows = [{"id": "a", "instruction": "Do a\u2028now."}, {"id": "b", "instruction": "Do b.", "attempts": 3}]
    file = project.write("tasks.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    first, second = project.read(file).tasks
    assert (first.id, first.instruction, second.attempts) == ("a", "Do a\u2028now.", 3)
    assert second.source == "tasks.jsonl:2"


def test_picking_an_unknown_task_names_the_nearest(project):
    tasks = [project.task("id: parser")]
    assert pick(tasks, ["parser", "parser"]) == tuple(tasks)
    with pytest.raises(InputError, match="no task has the id 'parsre'; did you mean 'parser'"):
        pick(tasks, ["parsre"])


# ---------------------------------------------------------------- complaints


@pytest.mark.parametrize(
    ("front", "complaint"),
    [
        ("tag: [a]", "2: unknown key 'tag'; did you mean 'tags'?"),
        ("id: one\n\nlimits:\n  wall_second: 3", "5: unknown key 'limits.wall_second'; did you mean 'wall_seconds'?"),
        ("tags:\n  - a\n  -\n    - b", "5: tags[1]: must be a string, found ['b']"),
        ("checks:\n  commands:\n    - true\n", "4: checks.commands[0]: must be a mapping, found True"),
        ("checks:\n  commands:\n  - {comand: x}", "4: unknown key 'checks.commands[0].comand'; did you mean 'command'?"),
        ("checks:\n  commands:\n  - {command: x, at_least: 1}", "4: checks.commands[0]: 'at_least' needs the key 'reads'"),
        ("checks: {commands: [{command: x, reads: '(.)'}]}", "2: checks.commands[0]: 'reads' needs one of at_least, at_most, "),
        ("checks: {commands: [{command: x, reads: '.', at_least: 1}]}", "2: checks.commands[0].reads: must have exactly one group"),
        ("checks: {commands: [{command: x, reads: '(', at_least: 1}]}", "2: checks.commands[0].reads: is no regular expression"),
        ("checks: {commands: [x, x]}", "2: checks.commands[1]: the same command stands there twice"),
        ("attempts: '3'", "2: attempts: must be a whole number, found '3'"),
        ("attempts: 0", "2: attempts: must be at least 1, found 0"),
        ("attempts: true", "2: attempts: must be a whole number, found True"),
        ("limits: {memory_mb: -1}", "2: limits.memory_mb: must be greater than 0, found -1"),
        ("limits: {usd: .inf}", "2: limits.usd: must be a finite number, found inf"),
        ("limits: {usd: .nan}", "2: limits.usd: must be a finite number, found nan"),
        ("base: 1234567", "2: base: must be a string, found 1234567; put it in quotes"),
        ("env: {DEBUG: 1}", "2: env.DEBUG: must be a string, found 1; put it in quotes"),
        ("env: {REEVE_SEED: '1'}", "2: env: 'REEVE_SEED': names that begin with REEVE_ are reeve's own"),
        ("env: {'A=B': '1'}", "2: env: 'A=B' is not the name of a variable"),
        ("id: a.b", "2: id: must be 1 to 100 letters, digits, '-' or '_', beginning with a letter or digit, not 'a.b'"),
        ("id: ../../etc", "2: id: must be 1 to 100 letters, digits, '-' or '_', beginning with a letter or digit, not '../../etc'"),
        ("id: ''", "2: id: must be 1 to 100 letters, digits, '-' or '_', beginning with a letter or digit, not ''"),
        ("repo: elsewhere", "2: repo: no such folder: 'elsewhere'"),
        ("repo: {archive: attrs==1}", "2: repo: the key 'sha256' is missing"),
        ("repo: {archive: attrs, sha256: x}", "2: repo.archive: must look like "),
        ("checks: {required: ['-k x']}", "2: checks.required[0]: a test id must not begin with '-', found '-k x'"),
        ("checks: {hidden: [{path: x, file: gone.py}]}", "2: checks.hidden[0].file: no such file: 'gone.py'"),
        ("checks: {hidden: [{path: x, file: .}]}", "2: checks.hidden[0].file: not a file: '.'"),
        ("checks: {hidden: [{path: ../x, file: x}]}", "2: checks.hidden[0].path: must stay inside the tree and out of .git, found '../x'"),
        ("checks: {hidden: [{path: /x, file: x}]}", "2: checks.hidden[0].path: must be a path relative to the tree, written with '/', found '/x'"),
        ("checks: {hidden: [{path: ./, file: x}]}", "2: checks.hidden[0].path: must be a file in the tree, found './'"),
        ("protected: [.GIT/config]", "2: protected[0]: must stay inside the tree and out of .git, found '.GIT/config'"),
        ("checks: {runner: junit, report: x.xml}", "2: checks.runner: junit needs the key 'checks.test_command'"),
        ("checks: {report: x.xml}", "2: checks.report: is for 'runner: junit' only"),
        ("checks: {runner: nose}", "2: checks.runner: must be 'pytest' or 'junit', found 'nose'"),
        ("agents: []", "2: agents: must not be empty, found []"),
        ("agents:\n- repair\n- sweper", "4: agents: no agent is named 'sweper'; did you mean 'sweeper'?"),
        ("id: one\nid: two", "3: id: written twice, first on line 2"),
        ("1: x", "2: a key must be a string, found '1'"),
        ("- id", "2: must be a mapping of keys to values"),
        ("tags: [a", "2: not valid YAML: "),
        ("tags: \x01", "2: not valid YAML: the character '\\x01'"),
        ("id: !!python/object/apply:os.system [true]", "2: not valid YAML: "),
        ("setup: ''", "2: setup: must not be empty"),
        ("setup: 'a\u2028b'\nattempts: x", "3: attempts: must be a whole number, found 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_line_and_key(project, front, complaint):
    found = project.complaint_about(front)
    assert found.startswith(f"backlog/one.md:{complaint}")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"Just prose.\n", "1: no front matter"),
        (b"---\nid: one\n", "1: the front matter is not closed"),
        (b"---\nid: one\n---\n \n", "1: the instruction is empty"),
        (b"---\nid: one\n---\nNaive caf\xe9.\n", "4: not UTF-8: found the byte b'\\xe9'"),
        (b"---\nid: one\n---\nA \0 byte.\n", "1: the instruction holds a NUL character"),
        (b"", "1: no front matter"),
        (b"x" * (2**20 + 1), "1: larger than 1 MB"),
    ],
)
def test_a_file_that_is_no_task_is_one_line(project, content, complaint):
    project.write("backlog/one.md", content)
    assert project.complaint().startswith(f"backlog/one.md:{complaint}")


def test_a_file_name_that_is_no_id_asks_for_one(project):
    project.write("backlog/fix it.md", "---\n---\nRepair it.\n")
    assert "the file's name 'fix it.md' is not a valid id; write the key 'id'" in project.complaint()


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{name}: &{name} [{', '.join(['*' + last] * 9)}]\n" for last, name in zip("abcdefghi", "bcdefghij", strict=True)),
        "tags: " + "[" * 5000,
        "tags: " + "{a: " * 5000,
        "tags: &t [*t]",
        "tags: [" + "a, " * 30000 + "]",
    ],
    ids=["aliases", "deep lists", "deep mappings", "itself", "many"],
)  # fmt: skip
def test_a_yaml_bomb_is_refused_at_once(project, bomb):
    assert project.complaint_about(bomb).startswith("backlog/one.md:")


def test_a_file_name_with_a_newline_stays_on_one_line(project):
    project.write("backlog/a\nb.md", "prose")
    assert project.complaint().startswith("'backlog/a\\nb.md':1: no front matter")


def test_a_hidden_test_is_known_by_its_plain_path(project):
    project.write("backlog/h.py", "a")
    task = project.task("checks: {hidden: [{path: ./tests//test_h.py, file: h.py}]}")
    assert task.checks.hidden[0].path == "tests/test_h.py"


@unhurried
@given(
    st.text(alphabet="ab:-[]{}\n &*!'\"#|>?,.%@`=01\t\\\ufeff\u2028"),
    st.sampled_from([parse_yaml, parse_toml, lambda text: parse_json_line(text, line=1)]),
)
def test_whatever_stands_in_a_file_is_read_or_refused_with_a_line(text, parse):
    try:
        parse(text)
    except Unreadable as error:
        assert 1 <= error.line <= text.count("\n") + 2  # noqa: PT017 - reading it is as good an answer


def test_every_file_reports_its_first_problem(project):
    project.write("backlog/a.md", "---\nattempts: x\ntag: y\n---\nRepair it.\n")
    project.write("backlog/b.md", "prose")
    project.write("backlog/c.md", "---\nid: good\n---\nRepair it.\n")
    project.write("backlog/d.md", "---\nid: good\n---\nRepair it.\n")
    lines = project.complaint().split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["backlog/a.md:2", "backlog/b.md:1", "backlog/d.md:1"]
    assert lines[2] == "backlog/d.md:1: id 'good' is taken by backlog/c.md:1"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"id": "a", "id": "b", "instruction": "x"}', "not valid JSON: the key 'id' is written twice"),
        ('{"id": "a"}', "the key 'instruction' is missing"),
        ('{"instruction": "x"}', "the key 'id' is missing"),
        ('{"id": "a", "instruction": " "}', "instruction: must not be empty"),
        ('{"id": "a", "instruction": "x", "human_minutes": NaN}', "not valid JSON: NaN is not a number"),
        ("[1]", "must be a JSON object, found list"),
        ("{", "not valid JSON: "),
        ("[" * 100_000, "not valid JSON: "),
        ('{"id": "a", "instruction": "\\ud800"}', "instruction: must be valid Unicode"),
    ],
)
def test_a_bad_row_is_one_line_with_its_line(project, row, complaint):
    file = project.write("tasks.jsonl", '{"id": "first", "instruction": "x"}\n' + row + "\n")
    assert project.complaint(file).startswith(f"tasks.jsonl:2: {complaint}")


def test_what_is_not_there_or_not_readable_by_anybody_is_said(project):
    assert project.complaint(project.root / "gone") == "gone:1: no such file or folder"
    other = project.write("tasks.xml", "<tasks/>")
    assert project.complaint(other).startswith("tasks.xml:1: no reader is for this file")


def test_a_folder_that_is_no_repository_is_said(tmp_path, project):
    (tmp_path / "plain").mkdir()
    (project.root / "part").mkdir()
    assert "is only a folder of the repository" in project.complaint_about("repo: ../part")
    assert project.complaint_about("repo: ../../plain") == "backlog/one.md:2: repo: not a git repository: '../../plain'"
    assert top_of_repository(project.root / "backlog") == project.root


# ---------------------------------------------------------------- versions


def test_an_edited_task_is_a_new_version_and_spelling_out_a_default_is_not(project):
    plain = project.task("id: one")
    assert (
        project.task("id: one\nattempts: 2\nbase: HEAD\nagents: repair", path="backlog/moved.md").digest == plain.digest
    )
    (project.root / "backlog/moved.md").unlink()
    changed = [
        project.task("id: one", body="Repair it all."),
        project.task("id: one\nattempts: 3"),
        project.task("id: one\nchecks: {required: a::b}"),
        project.task("id: one\nlimits: {wall_seconds: 1}"),
        project.task("id: one\nsetup: make"),
    ]
    assert len({task.digest for task in (plain, *changed)}) == 6


def test_an_edited_hidden_file_is_a_new_version(project):
    hidden = project.write("backlog/h.py", "a")
    before = project.task("checks: {hidden: [{path: t.py, file: h.py}]}")
    hidden.write_text("b")
    assert project.task("checks: {hidden: [{path: t.py, file: h.py}]}").digest != before.digest


def test_a_project_that_was_moved_keeps_its_versions(tmp_path):
    first, second = Project(tmp_path / "here"), Project(tmp_path / "there")
    assert first.task("id: one").digest == second.task("id: one").digest


# ---------------------------------------------------------------- SWE-bench


def instance(**more) -> dict:
    return {
        "instance_id": "acme__tool-1.2",
        "repo": "acme/tool",
        "base_commit": "a" * 40,
        "problem_statement": "It breaks.",
        "patch": "the reference solution",
        "hints_text": "look there",
        "test_patch": "diff --git a/tests/test_a.py b/tests/test_a.py\n",
        "FAIL_TO_PASS": json.dumps(["tests/test_a.py::test_new"]),
        "PASS_TO_PASS": ["tests/test_a.py::test_old"],
    } | more


def swebench(project, *rows: dict, **defaults):
    file = project.write("instances.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return project.read(file, **defaults).tasks


def test_a_swebench_row_becomes_a_task_on_a_local_clone(project):
    (project.root / "clones" / "acme__tool" / ".git").mkdir(parents=True)
    task = swebench(project, instance(), repo_root=project.root / "clones")[0]
    assert task.id == "acme__tool-1-2"
    assert task.repo.path == str(project.root / "clones" / "acme__tool")
    assert (task.base, task.instruction) == ("a" * 40, "It breaks.")
    assert task.checks.required == ("tests/test_a.py::test_new",)
    assert task.checks.keep == ("tests/test_a.py::test_old",)
    assert task.checks.test_patch == "diff --git a/tests/test_a.py b/tests/test_a.py\n"
    assert "reference" not in repr(task)
    assert "look there" not in repr(task)


def test_a_clone_can_be_named_in_the_settings(project):
    (project.root / "checkout" / ".git").mkdir(parents=True)
    task = swebench(project, instance(), swebench_repos={"acme/tool": "checkout"})[0]
    assert task.repo.path == str(project.root / "checkout")


def test_a_missing_clone_says_how_to_give_one(project):
    with pytest.raises(TaskError, match=r"instances.jsonl:1: repo: no local clone of 'acme/tool'; .*swebench_repos"):
        swebench(project, instance())
    (project.root / "acme__tool" / ".git").mkdir(parents=True)
    assert swebench(project, instance())[0].repo.path == str(project.root / "acme__tool")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"FAIL_TO_PASS": "not json"}, "FAIL_TO_PASS: must be a list"),
        ({"FAIL_TO_PASS": "[1]"}, "FAIL_TO_PASS: must be a list of test ids"),
        ({"base_commit": "--upload-pack=x"}, "base_commit: must look like"),
        ({"repo": "../../etc"}, "repo: must look like"),
        ({"instance_id": 3}, "instance_id: must be a string"),
    ],
)
def test_a_bad_swebench_row_is_one_line(project, more, complaint):
    (project.root / "clones" / "tool" / ".git").mkdir(parents=True)
    with pytest.raises(TaskError) as caught:
        swebench(project, instance(**more), repo_root=project.root / "clones")
    assert str(caught.value).startswith(f"instances.jsonl:1: {complaint}")


@unhurried
@given(st.text())
def test_any_text_makes_a_valid_id(text):
    assert ID.fullmatch(make_id(text))


# ---------------------------------------------------------------- tasks without a file


def test_words_on_the_command_line_are_a_task(project):
    task = task_from_words("Fix the parser!", ["tests/test_p.py::test_x"], project.defaults)
    assert task.id.startswith("fix-the-parser-")
    assert ID.fullmatch(task.id)
    assert task.checks.required == ("tests/test_p.py::test_x",)
    assert task == task_from_words("Fix the parser!", ["tests/test_p.py::test_x"], project.defaults)
    assert task.id != task_from_words("Fix the parser!", ["tests/test_p.py::test_y"], project.defaults).id


@pytest.mark.parametrize(("words", "checks"), [(" ", []), ("Fix it", ["--co"]), ("Fix it", [" "])])
def test_words_that_cannot_be_a_task_are_refused(project, words, checks):
    with pytest.raises(InputError):
        task_from_words(words, checks, project.defaults)


def test_each_failing_test_function_is_one_task(project):
    outcomes = {
        "tests/test_a.py::test_one[x]": TestOutcome.FAILED,
        "tests/test_a.py::test_one[y::z]": TestOutcome.ERROR,
        "tests/test_a.py::test_one[w]": TestOutcome.PASSED,
        "tests/test_a.py::TestIt::test_two": TestOutcome.FAILED,
        "tests/test_a.py::test_flaky": TestOutcome.FAILED,
        "tests/test_a.py::test_skipped": TestOutcome.SKIPPED,
    }
    measurement = Measurement("k", "t", outcomes, flaky=("tests/test_a.py::test_flaky",))
    two, one = failing_tasks(measurement, project.defaults)
    assert one.checks.required == ("tests/test_a.py::test_one[x]", "tests/test_a.py::test_one[y::z]")
    assert two.checks.required == ("tests/test_a.py::TestIt::test_two",)
    assert one.instruction.startswith("The test tests/test_a.py::test_one fails with 2 of its parameters.")
    assert all(ID.fullmatch(task.id) for task in (one, two))
    assert failing_tasks(measurement, project.defaults) == (two, one)


# ---------------------------------------------------------------- plan


BASE = Base("/repo", "c" * 40, "t" * 40)
AGENTS = {name: AgentSpec(name, "command", "1") for name in ("repair", "sweeper")}


class Loop:
    """Plans and ends rounds of one task, as the loop does."""

    def __init__(self, task, **policy) -> None:
        self.task = task
        self.policy = Policy("p", **policy)
        self.history = History()
        self.round = 0

    def plan(self):
        self.round += 1
        return plan(self.task, self.history, self.policy, BASE, AGENTS, round_=self.round)

    def end(self, orders, *endings: Ending) -> None:
        made = tuple(
            attempt(order, ending)
            for order, ending in zip(orders, endings or [Ending.FINISHED] * len(orders), strict=True)
        )
        self.history = replace(
            self.history, orders=(*self.history.orders, *orders), attempts=(*self.history.attempts, *made)
        )  # fmt: skip

    def land(self, order, outcome: LandingOutcome) -> None:
        landing = Landing(self.task.id, order.attempt, outcome, "", "reeve/landed", "h")
        self.history = replace(self.history, landings=(*self.history.landings, landing))


def attempt(order, ending: Ending) -> Attempt:
    return Attempt(
        order.attempt, order.task, order.round, order.agent, BASE, ending, "", Patch("t", "t"), "", 1.0, 1.0, 1.0
    )


@pytest.fixture
def task(project):
    return project.task("id: one\nattempts: 3\nagents: [repair, sweeper]")


def names(orders) -> list[str]:
    return [order.attempt for order in orders]


def test_rounds_go_on_until_the_attempts_are_used_up(task):
    loop = Loop(task, parallel_attempts=2)
    first = loop.plan()
    assert names(first) == ["one.1", "one.2"]
    assert [(order.index, order.of, order.round) for order in first] == [(0, 2, 1), (1, 2, 1)]
    loop.end(first)
    second = loop.plan()
    assert names(second) == ["one.3"]
    loop.end(second)
    assert loop.plan() == ()
    assert attempts_left(task, loop.history) == 0


def test_agents_take_turns(task):
    loop = Loop(task, parallel_attempts=2)
    first = loop.plan()
    loop.end(first)
    assert [order.agent.name for order in (*first, *loop.plan())] == ["repair", "sweeper", "repair"]


def test_a_round_under_way_is_not_planned_again(task):
    loop = Loop(task)
    loop.history = History(orders=loop.plan())
    assert loop.plan() == ()


def test_what_a_person_interrupted_or_the_sandbox_lost_does_not_count(task):
    loop = Loop(task, parallel_attempts=2)
    loop.end(loop.plan(), Ending.INTERRUPTED, Ending.SANDBOX_FAILED)
    assert attempts_left(task, loop.history) == 3
    assert names(loop.plan()) == ["one.3", "one.4"]


def test_a_sandbox_that_always_fails_does_not_try_for_ever(task):
    loop = Loop(task, parallel_attempts=1)
    count = 0
    while orders := loop.plan():
        loop.end(orders, Ending.SANDBOX_FAILED)
        count += 1
    assert count == task.attempts + FREE_SANDBOX_FAILURES


@pytest.mark.parametrize("outcome", [LandingOutcome.CONFLICT, LandingOutcome.BOUNCED])
def test_a_landing_that_failed_allows_one_more_attempt(task, outcome):
    loop = Loop(task, parallel_attempts=3)
    orders = loop.plan()
    loop.end(orders)
    loop.land(orders[0], outcome)
    assert names(loop.plan()) == ["one.4"]


def test_a_new_version_has_all_its_attempts_and_no_id_is_used_twice(project, task):
    loop = Loop(task, parallel_attempts=3)
    loop.end(loop.plan())
    loop.task = project.task("id: one\nattempts: 2\nbase: v2")
    assert names(loop.plan()) == ["one.4", "one.5"]


def test_seeds_are_the_same_again_and_differ_between_attempts_and_versions(project, task):
    orders = Loop(task, parallel_attempts=3).plan()
    assert orders == Loop(task, parallel_attempts=3).plan()
    other = Loop(project.task("id: one\nattempts: 3\nbase: v2"), parallel_attempts=3).plan()
    seeds = [order.seed for order in (*orders, *other)]
    assert len(set(seeds)) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_every_order_keeps_the_rules_it_was_given(task):
    orders = plan(task, History(), Policy("p"), BASE, AGENTS, round_=1, rules=["Use pathlib.", "Never push."])
    assert {order.rules for order in orders} == {("Use pathlib.", "Never push.")}


# ---------------------------------------------------------------- rules of a person and of a repository

RULES = """\
# House rules

<!-- not for agents:
- nor this -->
These hold for all.

- Use pathlib,
  not os.path
  - even in tests
* Never `git push`
goes on without an indent
1. Third

   with a paragraph of its own

Text after the list.

## Never

- add a dependency
- write this:
  ```
  - x = 1
  # no heading
  ```
"""


def read_rules(text):
    return rules_of(text.encode(), file="house-rules.md")


def test_items_of_lists_and_text_outside_of_them_are_rules_and_headings_say_what_they_mean():
    assert read_rules(RULES) == (
        "These hold for all.",
        "Use pathlib,\nnot os.path\n- even in tests",
        "Never `git push`\ngoes on without an indent",
        "Third\n\nwith a paragraph of its own",
        "Text after the list.",
        "Never: add a dependency",
        "Never: write this:\n```\n- x = 1\n# no heading\n```",
    )


@pytest.mark.parametrize("text", ["", "\n \n", "# Title\n", "<!-- - a -->\n", "- \n-\n", "---\n***\n"])
def test_what_says_nothing_is_no_rule(text):
    assert read_rules(text) == ()


def test_text_without_a_list_is_one_rule():
    assert read_rules("\ufeffWrite short\nfunctions.\r\n\r\nAnd tests.\n") == ("Write short\nfunctions.\n\nAnd tests.",)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"- a\n- \xff\n", "house-rules.md:2: not UTF-8: found the byte b'\\xff'"),
        (b"- a\n" * (MAX_RULES + 1), f"house-rules.md:{MAX_RULES + 1}: a file may hold {MAX_RULES} rules"),
        (b"- a\n\n- " + b"b" * (MAX_CHARACTERS + 1), f"house-rules.md:3: a rule may have {MAX_CHARACTERS} characters"),
        (b"\n" * (MAX_BYTES + 1), "house-rules.md:1: rules may take 64 KB"),
        (b"- a\n<!-- b\n- c\n", "house-rules.md:2: this comment does not end"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_is_one_line_with_its_place(content, complaint):
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        rules_of(content, file="house-rules.md")


def added(text, rule):
    made = with_rule(text.encode(), rule, title="House rules", file="house-rules.md")
    return None if made is None else made.decode()


def test_a_rule_is_added_at_the_end_and_the_rest_stays_as_it_is():
    assert added("", "Use\n  pathlib.") == "# House rules\n\n- Use pathlib.\n"
    assert added("- a\n- b", "c") == "- a\n- b\n- c\n"
    assert added("Be brief.\r\n", "c") == "Be brief.\r\n\r\n- c\r\n"


def test_a_rule_is_not_added_below_a_heading_that_would_turn_it_round():
    text = "# House rules\n\n## Never\n\n- push\n"
    once = added(text, "Use pathlib.")
    assert read_rules(once) == ("Never: push", f"{ADDED}: Use pathlib.")
    assert read_rules(added(once, "Be brief."))[1:] == (f"{ADDED}: Use pathlib.", f"{ADDED}: Be brief.")


def test_a_rule_that_stands_there_is_not_added_again():
    assert added(RULES, "Use pathlib, not os.path - even in tests") is None
    assert added(RULES, "add  a dependency") is None


@pytest.mark.parametrize(("text", "rule"), [("- a\n  ```\n  code", "b"), ("- a\n", "b <!-- c"), ("- a\n", " ")])
def test_what_would_not_be_read_as_a_rule_is_refused(text, rule):
    with pytest.raises(SettingsError, match=r"house-rules\.md:"):
        added(text, rule)


markdown = st.lists(
    st.sampled_from(
        ["- a", "  b", "* c", "text", "", "# T", "## S", "1. d", "   e", "```", "---", "<!-- x -->", " - f"]
    )
).map("\n".join)


@unhurried
@given(markdown, st.text(max_size=40))
def test_adding_a_rule_adds_that_rule_and_changes_no_other(text, rule):
    before = read_rules(text)
    try:
        made = added(text, rule)
    except SettingsError:
        return
    if made is None:
        return
    assert made.startswith(text)
    assert read_rules(made)[:-1] == before
    assert read_rules(made)[-1].removeprefix(f"{ADDED}: ") == " ".join(rule.split())
    assert added(made, rule) is None


# ---------------------------------------------------------------- what another attempt is worth


def believed(**solved) -> tuple[Belief, ...]:
    return tuple(Belief(name, "1", mean * 2.0, (1.0 - mean) * 2.0, 0.1) for name, mean in solved.items())


def agents_of(orders) -> list[str]:
    return [order.agent.name for order in orders]


def test_without_knowing_all_of_its_agents_the_owners_order_and_number_hold(task):
    loop = Loop(task, beliefs=believed(sweeper=0.9))
    assert further(task, loop.history, loop.policy) is None
    assert agents_of(loop.plan()) == ["repair", "sweeper"]


def test_who_gains_most_goes_first_and_a_failure_counts_whole_against_itself_and_half_against_others(task):
    loop = Loop(task, beliefs=believed(repair=0.4, sweeper=0.6), parallel_attempts=1)
    first = loop.plan()
    assert agents_of(first) == ["sweeper"]
    loop.end(first)  # sweeper: 1.2 to 1.8; repair: 0.8 to 1.7
    assert agents_of(loop.plan()) == ["sweeper"]
    other = Loop(task, beliefs=believed(repair=0.58, sweeper=0.6), parallel_attempts=1)
    other.end(other.plan())  # sweeper: 1.2 of 3; repair: 1.16 of 2.5
    assert agents_of(other.plan()) == ["repair"]


def test_attempts_end_where_the_next_would_lose_and_the_reason_says_how_much(task):
    loop = Loop(task, beliefs=believed(repair=0.2, sweeper=0.2), parallel_attempts=1)
    assert not_worth(task, loop.history, loop.policy) == ""
    loop.end(loop.plan())
    assert "gains -" in not_worth(task, loop.history, loop.policy)
    assert loop.plan() == ()
    free = replace(loop.policy, escape_usd=0.0)
    assert not_worth(task, loop.history, free) == ""


def test_the_first_attempt_is_made_however_little_it_is_expected_to_gain_and_so_are_those_of_a_known_answer(task):
    loop = Loop(task, beliefs=believed(repair=0.01, sweeper=0.02))
    assert agents_of(loop.plan()) == ["sweeper"]
    known = replace(task, known_answer=KnownAnswer.IMPOSSIBLE)
    assert further(known, loop.history, loop.policy) is None
