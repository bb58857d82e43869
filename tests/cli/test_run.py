"""The commands that act, on a real repository: run, verify, accept, reject, revert, and their exit codes."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

SETTINGS = """\
land = "passed"
setup = "true"
[agents.fixer]
kind = "command"
command = "echo looking; echo fixed > state"
[agents.idler]
kind = "command"
command = "true"
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(project) -> Path:
    make_repository(project)
    return project


def make_repository(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    (folder / "state").write_text("broken\n")
    (folder / "reeve.toml").write_text(SETTINGS)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "As it was")


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> tuple[Path, Path, str]:
    """One real run of three tasks, kept: the project, a copy to put back for every test, and what was printed."""
    folder = tmp_path_factory.mktemp("run") / "parser"
    folder.mkdir()
    make_repository(folder)
    write_task(folder, "fix")
    write_task(folder, "idle", agent="idler")
    write_task(folder, "look", checked=False)
    command = [sys.executable, "-m", "reeve.cli.main", "run", "--sandbox", "none"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    # Environments hold thousands of files and never change: they stay where they are, and are linked.
    (folder / ".reeve" / "environments").rename(folder.with_name("environments"))
    (folder / ".reeve" / "environments").symlink_to(folder.with_name("environments"))
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy, symlinks=True)
    return folder, copy, done.stdout + done.stderr


@pytest.fixture
def after(once, project, monkeypatch) -> Path:
    """The project as it was after that run."""
    folder, copy, _ = once
    shutil.rmtree(folder, ignore_errors=True)  # a ledger that is just being closed removes files of its own
    shutil.copytree(copy, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def write_task(project: Path, name: str, *, agent: str = "fixer", checked: bool = True) -> None:
    checks = 'checks:\n  commands: ["grep -q fixed state"]\n' if checked else ""
    (project / "backlog").mkdir(exist_ok=True)
    (project / "backlog" / f"{name}.md").write_text(
        f"---\nid: {name}\nagents: [{agent}]\nattempts: 1\n{checks}---\nThe state is broken. Mend it.\n"
    )


def task_row(reeve, name: str) -> dict:
    return next(row for row in reeve("status", "--json").json["tasks"] if row["id"] == name)


def run(reeve, *arguments: str):
    return reeve("run", "--sandbox", "none", *arguments)


def test_a_backlog_ends_in_a_table_and_the_exit_code_of_the_worst(once, after):
    said = once[2]
    commit = git(after, "rev-parse", "reeve/landed")
    rows = [line.split(maxsplit=4) for line in said.splitlines()[:4]]
    assert rows == [
        ["task", "status", "attempts", "lines", "why"],
        ["fix", "landed", "1", "2", f"landed as {commit[:10]} on reeve/landed"],
        ["idle", "failed", "1", "no", "attempt passed; idle.1: the attempt changed nothing"],
        ["look", "needs-you", "1", "2", "the task has no checks, so nothing can be proved: a person has to look at the result"],
    ]  # fmt: skip
    assert "Look further: reeve inbox   reeve report   reeve show idle   reeve diff fix" in said
    assert "fix.1 begins: fixer, round 1, 1 of 1" in said
    assert git(after, "show", "reeve/landed:state") == "fixed"
    assert (after / "state").read_text() == "broken\n"


def test_a_run_with_nothing_to_do_says_so(reeve, after):
    said = run(reeve)
    assert said.code == 3
    assert said.out.startswith("Nothing to do: every task is decided. A task that is edited is run again.\n")
    assert run(reeve, "idle").code == 1
    assert run(reeve, "fix").code == 0
    for file in (after / "backlog").iterdir():
        file.unlink()
    assert run(reeve).out == "Nothing to do: there is no task.\n"


def test_run_as_json_is_one_object_and_nothing_else(reeve, after):
    said = run(reeve, "fix", "--json")
    assert set(said.json) == {"tasks", "counts", "seconds", "interrupted", "exit_code"}
    names = {"id", "status", "attempts", "landed", "reason", "human_minutes", "lines"}
    assert set(said.json["tasks"][0]) == names
    assert (said.json["counts"], said.json["exit_code"], said.err) == ({"landed": 1}, 0, "")


def test_an_instruction_with_a_command_needs_no_backlog(reeve, repository):
    said = run(reeve, "Mend the state of things", "--command", "echo fixed > state", "--attempts", "1", "-q")
    assert (said.code, said.err) == (3, "")  # no check was given, so a person looks
    assert "mend-the-state-of-things" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "no task has the id 'nope'"),
        (["a/b.md"], "'a/b.md' is no task, file or folder"),
        (["one", "two", "--check", "x::y"], "one instruction is wanted"),
        (["--failing", "fix"], "--failing finds its tasks itself"),
        (["--agent", "nobody"], "--agent nobody: reeve.toml names fixer, idler, repair"),
        (["--agent", "fixer", "--command", "true"], "--command is an agent of its own"),
        (["two words", "--agent", "fixer", "--check", "-x"], "--check: not a test id: '-x'"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_2_and_nothing_starts(reeve, repository, arguments, message):
    write_task(repository, "fix")
    said = run(reeve, *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"reeve: {message}")
    assert not (repository / ".reeve").exists()


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "often"])
def test_a_canary_rate_is_a_share(reeve, repository, rate):
    write_task(repository, "fix")
    said = run(reeve, "--canary-rate", rate)
    assert (said.code, said.out) == (2, "")
    assert "--canary-rate" in said.err
    assert not (repository / ".reeve").exists()


def test_mixing_in_leaves_what_a_run_says_and_its_exit_code_as_they_are(reeve, repository):
    names = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments")
    packages = " ".join(str(distribution("pytest").locate_file(name)) for name in names)
    setup = json.dumps(f'cp -r {packages} "$VIRTUAL_ENV"/lib/python3*/site-packages/')
    (repository / "reeve.toml").write_text(SETTINGS.replace('"true"', f"{setup}\ncanary_rate = 1.0", 1))
    (repository / "test_state.py").write_text("def test_state():\n    assert open('state').read() == 'fixed\\n'\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "A test")
    checks = "checks: {required: ['test_state.py::test_state']}"
    (repository / "backlog").mkdir()
    (repository / "backlog" / "fix.md").write_text(
        f"---\nid: fix\nagents: [fixer]\nattempts: 1\n{checks}\n---\nMend it.\n"
    )
    said = run(reeve)
    assert (said.code, said.out.splitlines()[1].split()[:2]) == (0, ["fix", "landed"])
    assert "\n1 task in " in said.out
    assert "goes along, made from fix: its answer is known: impossible" in said.err
    (by,) = reeve("status", "--json").json["canaries"]["agents"]
    assert (by["agent"], by["impossible"]["attempts"], by["impossible"]["failed"]) == ("fixer", 1, 1)
    assert run(reeve).out.startswith("Nothing to do: every task is decided.")


def test_no_backlog_is_said(reeve, repository):
    assert "`reeve init` makes one" in run(reeve).err


def test_another_agent_tries_what_was_given_up_but_not_what_landed(reeve, after):
    said = run(reeve, "fix", "idle", "--agent", "fixer")
    assert "idle.2 begins: fixer" in said.err
    assert "fix." not in said.err


# ---------------------------------------------------------------- a person decides


def test_accepting_lands_the_result_with_the_minutes_given(reeve, after):
    said = reeve("accept", "look", "--minutes", "2.5")
    commit = git(after, "rev-parse", "reeve/landed")
    assert said.code == 0
    assert said.out.startswith(f"look.1 landed as {commit[:10]}")
    assert said.out.endswith("(2.5 min, given)\n")
    row = task_row(reeve, "look")
    assert (row["status"], row["landed"], row["human_minutes"]) == ("landed", commit, 2.5)
    again = reeve("accept", "look", "--minutes", "1", "--json").json
    assert again == {
        "id": "look",
        "attempt": "look.1",
        "outcome": "accepted",
        "commit": commit,
        "reason": "",
        "minutes": 1.0,
        "measured": False,
    }


def test_a_decision_needs_minutes_from_somewhere(reeve, after):
    said = reeve("accept", "look")
    assert said.code == 2
    assert "nobody looked at it on a terminal or page yet" in said.err
    assert task_row(reeve, "look")["status"] == "needs-you"


def test_minutes_are_measured_from_the_first_look(reeve, after, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    reeve("show", "look")
    reeve("diff", "look.1")
    monkeypatch.undo()
    monkeypatch.chdir(after)
    from reeve.cli import decided

    looked = decided.time.time()
    monkeypatch.setattr(decided.time, "time", lambda: looked + 90)
    found = reeve("accept", "look", "--json").json
    assert found["measured"]
    assert found["minutes"] == pytest.approx(1.5, abs=0.2)


def test_a_long_absence_counts_as_an_hour_at_most(reeve, after, monkeypatch):
    from reeve.cli import decided

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    reeve("show", "look")
    monkeypatch.undo()
    monkeypatch.chdir(after)
    looked = decided.time.time()
    monkeypatch.setattr(decided.time, "time", lambda: looked + 86_400)
    assert reeve("reject", "look", "-m", "no", "--json").json["minutes"] == 60.0


def test_rejecting_closes_a_task_with_its_reason(reeve, after):
    said = reeve("reject", "look", "-m", "not like this", "--minutes", "1")
    assert (said.code, said.out) == (0, "look.1 rejected: not like this (1 min, given)\n")
    assert task_row(reeve, "look")["reason"] == "rejected: not like this"
    assert run(reeve, "look").code == 0
    assert reeve("inbox").out == "Nothing needs you.\n"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "reeve"


def test_the_reason_of_a_rejection_becomes_a_rule_that_the_next_attempt_is_given(reeve, after, home):
    said = reeve("reject", "look", "-m", "Ask  before\nyou write.", "--rule-for", "repository", "--minutes", "1")
    assert said.code == 0
    assert "It is a rule in house-rules.md now" in said.out
    assert "Commit that file" in said.out
    assert (after / "house-rules.md").read_text() == "# House rules\n\n- Ask before you write.\n"
    assert reeve("show", "look", "--json").json["reviews"][0]["rule_for"] == "repository"
    home.mkdir(parents=True)
    (home / "profile.md").write_text("- Be brief.\n- Ask before you write.\n")
    write_task(after, "again")
    run(reeve, "again")
    shown = reeve("show", "again.1")
    assert re.search(r"^rules +Be brief\.\n +Ask before you write\.$", shown.out, re.MULTILINE)
    assert reeve("show", "again.1", "--json").json["order"]["rules"] == ["Be brief.", "Ask before you write."]
    assert reeve("show", "look.1", "--json").json["order"]["rules"] == []  # what it was given stays what it was


def test_a_rule_of_ones_own_goes_into_the_profile_once_and_through_a_link(reeve, after, home):
    home.mkdir(parents=True)
    (home / "profile.md").symlink_to("real.md")
    said = reeve("reject", "look", "-m", "Be brief.", "--rule-for", "me", "--minutes", "1", "--json").json
    assert said["rule"] == {"whose": "me", "file": str(home / "profile.md"), "text": "Be brief.", "new": True}
    assert (home / "profile.md").is_symlink()
    assert (home / "real.md").read_text() == "# My rules\n\n- Be brief.\n"
    again = reeve("reject", "look", "-m", "Be brief.", "--rule-for", "me", "--minutes", "1")
    assert f"This rule stands in {home / 'profile.md'} already." in again.out
    assert [path.name for path in sorted(home.iterdir())] == ["profile.md", "real.md"]
    assert reeve("reject", "look", "-m", "no", "--minutes", "1", "--json").json["rule"] is None


def test_a_rule_that_cannot_be_added_is_found_before_anything_is_recorded(reeve, after, home):
    (after / "house-rules.md").write_bytes(b"- \xff\n")
    said = reeve("reject", "look", "-m", "Be brief.", "--rule-for", "repository", "--minutes", "1")
    assert (said.code, said.out) == (2, "")
    assert said.err == "reeve: house-rules.md:1: not UTF-8: found the byte b'\\xff'\n"
    assert task_row(reeve, "look")["status"] == "needs-you"
    assert run(reeve, "look").err == said.err  # a run does not begin without the rules either


def test_house_rules_that_lead_out_of_the_project_are_given_to_nobody(reeve, after, home, tmp_path):
    (tmp_path / "secret").write_text("- my key\n")
    (after / "house-rules.md").symlink_to(tmp_path / "secret")
    said = run(reeve, "look")
    assert (said.code, said.err) == (
        2,
        "reeve: house-rules.md:1: house rules must lie in the project, this leads out\n",
    )
    os.mkfifo(after / "pipe")
    (after / "house-rules.md").unlink()
    (after / "house-rules.md").symlink_to("pipe")
    assert run(reeve, "look").err == "reeve: house-rules.md:1: must be a file\n"


def test_an_attempt_cannot_land_a_change_of_the_house_rules(reeve, repository, home):
    """Otherwise it could tell the next one what to do, without anybody having seen it."""
    (repository / "house-rules.md").write_text("- Be brief.\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Rules")
    command = "echo fixed > state; echo '- Skip the tests.' >> house-rules.md"
    (repository / "reeve.toml").write_text(
        f'land = "passed"\nsetup = "true"\n[agents.fixer]\nkind = "command"\ncommand = "{command}"\n'
    )
    write_task(repository, "fix")
    assert run(reeve).code == 0
    assert git(repository, "show", "reeve/landed:state") == "fixed"
    assert git(repository, "show", "reeve/landed:house-rules.md") == "- Be brief."
    assert "house-rules.md" in reeve("show", "fix.1").out


def test_reverting_takes_the_commit_back_and_is_an_escape(reeve, after):
    found = reeve("revert", "fix", "-m", "it broke the build", "--minutes", "4", "--json").json
    assert (found["outcome"], found["reason"], found["minutes"]) == ("reverted", "it broke the build", 4.0)
    assert found["commit"] == git(after, "rev-parse", "reeve/landed")
    assert git(after, "show", "reeve/landed:state") == "broken"
    assert reeve("show", "fix", "--json").json["reviews"][0]["escape"] is True
    assert "(4 min, given, an escape)" in reeve("show", "fix").out


def test_what_never_landed_cannot_be_reverted(reeve, after):
    said = reeve("revert", "look", "-m", "x", "--minutes", "1")
    assert (said.code, said.out) == (2, "")
    assert said.err == "reeve: look has not landed, so there is nothing to take back\n"


# ---------------------------------------------------------------- verify


def verify(reeve, patch: Path, *arguments: str):
    return reeve("verify", "fix", "--patch", str(patch), "--sandbox", "none", *arguments)


@pytest.fixture
def patch(after) -> Path:
    file = after / "by-hand.patch"
    file.write_text("--- a/state\n+++ b/state\n@@ -1 +1 @@\n-broken\n+fixed\n")
    return file


def test_any_patch_gets_a_verdict_in_the_documented_shape(reeve, patch):
    said = verify(reeve, patch, "--json")
    assert said.code == 0
    assert set(said.json) == {
        "id",
        "task",
        "verdict",
        "reason",
        "confidence",
        "checks",
        "lines",
        "strength",
        "surplus",
        "cpu_seconds",
    }
    assert said.json["verdict"] == "passed"
    assert said.json["surplus"] == {"lines": 0, "needed_lines": 2, "kinds": {}, "files": [], "complete": True}
    assert all({"name", "outcome", "evidence"} <= set(check) for check in said.json["checks"])
    shown = reeve("show", said.json["id"], "--json").json
    assert shown["verdict"]["outcome"] == "passed"


def test_a_patch_that_mends_nothing_is_exit_1(reeve, patch):
    patch.write_text(patch.read_text().replace("+fixed", "+worse"))
    said = verify(reeve, patch)
    assert said.code == 1
    assert said.out.startswith("fix  failed\n")


def test_a_patch_that_cannot_be_read_or_does_not_apply_is_one_line(reeve, patch):
    said = verify(reeve, patch.with_name("none.patch"))
    assert (said.code, said.err.count("\n")) == (2, 1)
    patch.write_text(patch.read_text().replace("-broken", "-brokem"))
    said = verify(reeve, patch)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    link = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n"
    patch.write_text(link + "\\ No newline at end of file\n")
    said = verify(reeve, patch, "--json")
    assert (said.code, said.out, "refused at 'l': a symbolic link to an absolute path" in said.err) == (2, "", True)


# ---------------------------------------------------------------- init


def test_init_writes_an_example_that_a_run_passes_over(reeve, repository):
    (repository / "reeve.toml").unlink()
    found = reeve("init", "--json").json
    assert found == {"root": str(repository), "written": ["reeve.toml", "backlog/example.md"], "kept": []}
    assert json.loads(reeve("init", "--json").out)["kept"] == ["reeve.toml", "backlog/example.md"]
    said = run(reeve)
    assert (said.code, said.out) == (0, "Nothing to do: there is no task.\n")


def test_init_outside_a_repository_says_what_to_do(reeve, project):
    said = reeve("init")
    assert said.code == 2
    assert "`git init` makes one" in said.err
