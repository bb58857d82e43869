"""reeve.toml: read once, whole, with file and line for every mistake."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reeve.errors import SettingsError
from reeve.records import AgentSpec, Limits
from reeve.settings import (
    TrustTerms,
    find_root,
    read_settings,
    starter_backlog,
    starter_toml,
    task_defaults,
    to_policy,
)
from reeve.settings_form import settings_table
from reeve.task.backlog import read_backlog

HOME = {"HOME": "/home/someone"}
EVERYTHING = """\
workers = 7
land = "passed"
branch = "bot/landed"
sandbox = "none"
attempts = 3
parallel_attempts = 4
default_agents = ["sweeper", "repair"]
conflicts_before_ask = 5
canary_rate = 0.02
backlog = "tasks"
state = "../elsewhere"
protected = ["docs/**"]
setup = "make env"
author_name = "Bot"
author_email = "bot@example.org"

[limits]
wall_seconds = 30
tokens = 100

[trust]
highest_escape_rate = 0.1
confidence = 0.9

[env]
TOKEN = "hush"

[agents.sweeper]
kind = "command"
command = "sed -i s/a/b/ x"
version = "1.2"
options = {colour = "crimson"}

[swebench_repos]
"acme/tool" = "clones/tool"
"""


def read(root: Path, text: str):
    (root / "reeve.toml").write_text(text)
    return read_settings(root, HOME)


def test_without_a_file_the_defaults_hold(tmp_path):
    settings = read_settings(tmp_path, {"XDG_CACHE_HOME": "/var/cache/me"})
    assert settings.file is None
    assert settings.workers >= 1
    assert (settings.land, settings.branch, settings.sandbox) == ("trusted", "reeve/landed", "bubblewrap")
    assert settings.state == tmp_path / ".reeve"
    assert settings.cache == Path("/var/cache/me/reeve")
    assert settings.agents == {"repair": AgentSpec("repair", "repair", "")}
    assert read_settings(tmp_path, HOME).cache == Path("/home/someone/.cache/reeve")


def test_an_empty_file_changes_nothing(tmp_path):
    plain = read_settings(tmp_path, HOME)
    assert replace(read(tmp_path, ""), file=None) == plain


def test_every_setting_reaches_its_place(tmp_path):
    settings = read(tmp_path, EVERYTHING)
    assert settings.workers == 7
    assert (settings.branch, settings.sandbox, settings.backlog) == ("bot/landed", "none", "tasks")
    assert (settings.attempts, settings.parallel_attempts, settings.conflicts_before_ask) == (3, 4, 5)
    assert settings.canary_rate == 0.02
    assert settings.trust == TrustTerms(highest_escape_rate=0.1, confidence=0.9)
    assert (to_policy(settings).highest_escape_rate, to_policy(settings).confidence) == (0.1, 0.9)
    assert settings.state.resolve() == tmp_path.parent / "elsewhere"
    assert settings.limits == Limits(wall_seconds=30.0, tokens=100)
    assert (settings.author_name, settings.author_email) == ("Bot", "bot@example.org")
    assert settings.agents["sweeper"] == AgentSpec(
        "sweeper", "command", "1.2", "sed -i s/a/b/ x", {"colour": "crimson"}
    )
    defaults = task_defaults(settings)
    assert defaults.agents == ("sweeper", "repair")
    assert (defaults.protected, defaults.setup, defaults.env) == (("docs/**",), "make env", {"TOKEN": "hush"})
    assert defaults.known_agents == {"sweeper", "repair"}
    assert defaults.swebench_repos == {"acme/tool": "clones/tool"}


def test_what_may_be_secret_hides_itself(tmp_path):
    settings = read(tmp_path, EVERYTHING)
    assert "hush" not in repr(settings)
    assert "hush" not in repr(task_defaults(settings))
    assert "crimson" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("worker = 2", "1: unknown key 'worker'; did you mean 'workers'?"),
        ("\n\nworkers = '2'", "3: workers: must be a whole number, found '2'"),
        ("workers = 0", "1: workers: must be at least 1, found 0"),
        ("land = 'everything'", "1: land: must be 'trusted' or 'passed', found 'everything'"),
        ("[trust]\nhighest_escape_rate = 0", "2: trust.highest_escape_rate: must be greater than 0, found 0"),
        ("[trust]\nconfidence = 1.0", "2: trust.confidence: must be less than 1, found 1.0"),
        ("[check_in]\nevery_seconds = 'often'", "2: check_in.every_seconds: must be a number of seconds greater than 0, or"),
        ("[check_in]\nevery_seconds = 0", "2: check_in.every_seconds: must be a number of seconds greater than 0, or"),
        ("sandbox = 'docker'", "1: sandbox: must be 'bubblewrap' or 'none', found 'docker'"),
        ("branch = 'a..b'", "1: branch: git allows no branch of the name 'a..b'"),
        ("branch = '-D'", "1: branch: must look like"),
        ("attempts = 1\n[limits]\n# a word\nwall_secs = 3", "4: unknown key 'limits.wall_secs'; did you mean 'wall_seconds'?"),
        ("limits.wall_secs = 3", "1: unknown key 'limits.wall_secs'"),
        ("[agents.x]\nkind = 'command'", "1: agents.x: kind 'command' needs the key 'command'"),
        ("[agents.x]\ncommand = 'true'", "1: agents.x: the key 'kind' is missing"),
        ("[agents.x]\nkind = 'fake'\ncolour = 'red'", "3: unknown key 'agents.x.colour'; known are kind, command"),
        ("default_agents = ['sweeper']", "1: default_agents: no agent is named 'sweeper'; known are repair"),
        ("state = '.'", "1: state: must be a folder of its own"),
        ("\nstate = '..'", "2: state: must be a folder of its own"),
        ("author_name = 'a <b>'", "1: author_name: must look like"),
        ("workers = 1\nworkers = 2", "2: not valid TOML: "),
        ("workers = ", "1: not valid TOML: "),
        ('setup = """\n\nattempts = 1\n"""\nattempts = "y"', "5: attempts: must be a whole number, found 'y'"),
        ("[agents.'a b']\nkind = 'fake'", "1: agents.a b: must look like"),
        ("env = {A = 1}", "1: env.A: must be a string, found 1; put it in quotes"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_and_line(tmp_path, text, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"reeve.toml:{complaint}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_one_line(tmp_path):
    (tmp_path / "reeve.toml").write_bytes(b"workers = 1\n# \xff\n")
    with pytest.raises(SettingsError, match=r"^reeve.toml:2: not UTF-8"):
        read_settings(tmp_path, HOME)


def test_house_rules_of_another_name_are_protected_under_it(tmp_path):
    (tmp_path / ".git").mkdir()
    project = tmp_path / "sub"
    project.mkdir()
    for name, protected in (("house-rules.md", ()), ("docs/told.md", ("sub/docs/told.md",)), ("/etc/told.md", ())):
        (project / "reeve.toml").write_text(f"house_rules = '{name}'\n")
        assert task_defaults(read_settings(project, {})).protected == protected


def test_the_root_is_the_nearest_settings_else_the_repository_else_here(tmp_path):
    inner = tmp_path / "repo" / "part" / "deep"
    inner.mkdir(parents=True)
    assert find_root(inner) == inner
    (tmp_path / "repo" / ".git").mkdir()
    assert find_root(inner) == tmp_path / "repo"
    (tmp_path / "repo" / "part" / "reeve.toml").touch()
    assert find_root(inner) == tmp_path / "repo" / "part"


def test_the_policys_version_is_its_content(tmp_path):
    one, same, other = (read(tmp_path, text) for text in ("", "workers = 3", "parallel_attempts = 3"))
    assert to_policy(one) == to_policy(same)
    assert to_policy(one).version != to_policy(other).version
    assert to_policy(other).parallel_attempts == 3


def test_what_init_writes_changes_nothing_and_runs_nothing(tmp_path):
    (tmp_path / ".git").mkdir()
    plain = read_settings(tmp_path, HOME)
    settings = read(tmp_path, starter_toml())
    assert to_policy(settings) == to_policy(plain)
    path, text = starter_backlog()
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(text)
    backlog = read_backlog([tmp_path / settings.backlog], task_defaults(settings))
    assert backlog.tasks == ()
    assert len(backlog.skipped) == 1


def test_what_init_writes_is_right_once_it_is_opened(tmp_path):
    (tmp_path / ".git").mkdir()
    opened = re.sub(r"^# (?=[a-z_]+ =|\[)", "", starter_toml(), flags=re.MULTILINE)
    settings = read(tmp_path, opened)
    assert settings.protected == ("docs/**",)
    assert "sweeper" in settings.agents
    path, text = starter_backlog()
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text(
        re.sub(r"^(draft:.*\n)", "", text, flags=re.MULTILINE).replace("# attempts", "attempts")
    )
    assert read_backlog([tmp_path / "backlog"], task_defaults(settings)).tasks[0].attempts == 3


def test_every_setting_has_a_sentence():
    assert all(setting.sentence.endswith(".") for setting in settings_table())
