"""reeve.toml: one frozen Settings, read once where the program starts and passed down."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reeve.errors import SettingsError
from reeve.policy.versioned import versioned
from reeve.ports import TaskReader
from reeve.records import AgentSpec, Limits, Policy
from reeve.registry import TASK_READERS, Registry
from reeve.task.build import Defaults, top_of_repository
from reeve.task.forms import Form, LimitsForm, Names, Text, TreePaths, Variables, validated
from reeve.task.located import Located, Unreadable, decode, parse_toml

__all__ = [
    "FILE_NAME",
    "Setting",
    "Settings",
    "find_root",
    "read_settings",
    "settings_table",
    "starter_backlog",
    "starter_toml",
    "task_defaults",
    "to_policy",
]

FILE_NAME = "reeve.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a project decides; ``settings_table()`` says what each means.

    `file` is None if there is no reeve.toml. `cache` is shared between projects; `state` is the project's own.
    """

    root: Path
    file: Path | None
    state: Path
    cache: Path
    workers: int
    land: str = "passed"
    branch: str = "reeve/landed"
    sandbox: str = "bubblewrap"
    attempts: int = 2
    parallel_attempts: int = 2
    default_agents: tuple[str, ...] = ("repair",)
    conflicts_before_ask: int = 2
    backlog: str = "backlog"
    limits: Limits = field(default_factory=Limits)
    protected: tuple[str, ...] = ()
    setup: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold what is nobody's business
    agents: Mapping[str, AgentSpec] = field(default_factory=dict, repr=False)
    swebench_repos: Mapping[str, str] = field(default_factory=dict)
    author_name: str = "reeve"
    author_email: str = "reeve@localhost"


# ---------------------------------------------------------------- the form


def _branch(name: str) -> str:
    if ".." in name or "//" in name or "/." in name or name.endswith(".lock") or ".lock/" in name:
        raise ValueError(f"git allows no branch of the name {name!r}")
    return name


class AgentForm(Form):
    """One table ``[agents.NAME]``."""

    kind: Text = Field(description="How it is run: `repair`, `command`, or a kind that a package adds.")
    command: Text | None = Field(None, description="Shell command that edits the tree; for kind `command`.")
    version: Text | None = Field(None, description="Exact version; default: a hash of what defines the agent.")
    options: dict[str, str] = Field({}, description="Further words for the agent, each a string.")

    @model_validator(mode="after")
    def _command_fits(self) -> Self:
        if self.kind == "command" and self.command is None:
            raise ValueError("kind 'command' needs the key 'command'")
        return self


AgentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
BranchName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]$"), AfterValidator(_branch)]
Person = Annotated[str, Field(pattern=r"^[^<>\x00-\x1f]+$")]


class SettingsForm(Form):
    """reeve.toml as a person writes it; the descriptions are the documentation."""

    workers: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Attempts and verdicts at one time; default: the cores this process may use."
    )
    land: Literal["passed"] = Field("passed", description="The rule that decides what lands: what passed its checks.")
    branch: BranchName = Field("reeve/landed", description="Branch that results land on; never one checked out.")
    sandbox: Literal["bubblewrap", "none"] = Field(
        "bubblewrap", description="Walls around agents and checks; `none` runs them bare, and the report says so."
    )
    attempts: Annotated[int, Field(ge=1, le=100)] = Field(2, description="Attempts at a task before it is given up.")
    parallel_attempts: Annotated[int, Field(ge=1, le=100)] = Field(2, description="Attempts at a task in one round.")
    default_agents: Annotated[Names, Field(min_length=1)] = Field(
        ["repair"], description="Agents of a task that names none; attempts go round them in turn."
    )
    conflicts_before_ask: Annotated[int, Field(ge=1, le=100)] = Field(
        2, description="Landings of a task that fail on a moved head before a person is asked."
    )
    backlog: Text = Field("backlog", description="Folder of tasks that `reeve run` reads when none is named.")
    state: Text = Field(".reeve", description="Folder of ledger, objects and workspaces, relative to reeve.toml.")
    protected: TreePaths = Field([], description="Paths or globs in the tree that no patch may change.")
    setup: Text | None = Field(
        None, description="Shell command that makes the environment; default: from the project's own files."
    )
    author_name: Person = Field("reeve", description="Author of landed commits.")
    author_email: Person = Field("reeve@localhost", description="Address of that author.")
    limits: LimitsForm = Field(LimitsForm(), description="Default limits of tasks; keys as in docs/tasks.md.")
    env: Variables = Field({}, description="Variables for set-up, attempts and checks; each a string.")
    agents: dict[AgentName, AgentForm] = Field({}, description="Agents by name; `repair` is there without being named.")
    swebench_repos: dict[Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")], Text] = Field(
        {}, description="Local clones for SWE-bench rows: `owner/name` to folder."
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str
    default: str
    sentence: str


def settings_table() -> tuple[Setting, ...]:
    """Return every setting with its default and what it means; docs/settings.md is made of it."""
    rows = [_row(name, info) for name, info in SettingsForm.model_fields.items()]
    rows += [_row(f"agents.NAME.{name}", info) for name, info in AgentForm.model_fields.items()]
    return tuple(rows)


def _row(name: str, info: Any) -> Setting:
    default = info.default
    if info.is_required():
        shown = "needed"
    elif default is None or default in ({}, LimitsForm()):
        shown = "none"
    else:
        shown = json.dumps(default)
    return Setting(name, shown, info.description or "")


# ---------------------------------------------------------------- reading


def find_root(cwd: Path) -> Path:
    """Return the project's folder: that of the nearest reeve.toml upward, else the top of the git repository,
    else `cwd`.
    """
    for folder in (cwd, *cwd.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    return top_of_repository(cwd) or cwd


def read_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read reeve.toml of `root`, or take the defaults if there is none; raises SettingsError with file and line.

    `environ` is the environment of the process; of it only XDG_CACHE_HOME and HOME are used.
    """
    path = root / FILE_NAME
    form, located = SettingsForm.model_validate({}), Located({})
    if path.exists():
        located = _located(path)
        form = validated(SettingsForm, located, file=FILE_NAME, error=SettingsError)
    agents = _agents(form)
    for index, name in enumerate(form.default_agents):
        if name not in agents:
            message = f"default_agents: no agent is named {name!r}; known are {', '.join(sorted(agents))}"
            raise SettingsError(message, file=FILE_NAME, line=located.line(("default_agents", index)))
    return Settings(
        root=root,
        file=path if path.exists() else None,
        state=root / Path(form.state).expanduser(),
        cache=_cache(environ),
        workers=form.workers or len(os.sched_getaffinity(0)),
        land=form.land,
        branch=form.branch,
        sandbox=form.sandbox,
        attempts=form.attempts,
        parallel_attempts=form.parallel_attempts,
        default_agents=tuple(form.default_agents),
        conflicts_before_ask=form.conflicts_before_ask,
        backlog=form.backlog,
        limits=form.limits.over(Limits()),
        protected=tuple(form.protected),
        setup=form.setup,
        env=dict(form.env),
        agents=agents,
        swebench_repos=dict(form.swebench_repos),
        author_name=form.author_name,
        author_email=form.author_email,
    )


def _located(path: Path) -> Located:
    try:
        return parse_toml(decode(path.read_bytes()))
    except Unreadable as error:
        raise SettingsError(error.message, file=FILE_NAME, line=error.line) from None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=FILE_NAME, line=1) from None


def _agents(form: SettingsForm) -> dict[str, AgentSpec]:
    """The named agents, and `repair` unless its name was given to something else. Versions may still be empty."""
    named = {
        name: AgentSpec(name, each.kind, each.version or "", each.command, dict(each.options))
        for name, each in form.agents.items()
    }
    return {"repair": AgentSpec("repair", "repair", "")} | named


def _cache(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or "/tmp", ".cache")  # noqa: S108
    return Path(base) / "reeve"


# ---------------------------------------------------------------- what the stages take


def task_defaults(settings: Settings, *, repo_root: Path | None = None) -> Defaults:
    """Return what a task gets where its file is silent, and the task readers of installed packages.

    `repo_root` is a folder of clones for SWE-bench rows.
    """
    defaults = Defaults(
        root=settings.root,
        repo=top_of_repository(settings.root) or settings.root,
        attempts=settings.attempts,
        agents=settings.default_agents,
        limits=settings.limits,
        protected=settings.protected,
        setup=settings.setup,
        env=settings.env,
        known_agents=frozenset(settings.agents),
        swebench_repos=settings.swebench_repos,
        repo_root=repo_root,
    )
    readers: Registry[TaskReader] = Registry.load(TASK_READERS, {})
    return replace(defaults, further=tuple(readers.make(name, defaults) for name in readers.names()))


def to_policy(settings: Settings) -> Policy:
    """Return the policy that the settings ask for; equal settings give the same version."""
    return versioned(
        Policy(
            version="",
            land=settings.land,
            parallel_attempts=settings.parallel_attempts,
            conflicts_before_ask=settings.conflicts_before_ask,
            branch=settings.branch,
        )
    )


# ---------------------------------------------------------------- what `reeve init` writes


def starter_toml() -> str:
    """Return a reeve.toml in which every line is a comment: it changes nothing until a line is opened."""
    return """\
# reeve.toml: every setting is optional; all of them are in docs/settings.md.

# workers = 2                  # attempts and verdicts at one time; default: the cores
# branch = "reeve/landed"      # where results land; never a branch that is checked out
# attempts = 2                 # at a task, before it is given up
# protected = ["docs/**"]      # no patch may change these; tests are protected anyway
# setup = "pip install -e .[test]"   # default: from the project's own files

# [limits]
# wall_seconds = 600
# memory_mb = 2048

# Any shell command that edits the tree can be an agent. It finds the instruction in $REEVE_INSTRUCTION_FILE.
# [agents.sweeper]
# kind = "command"
# command = "sed -i 's/colour/color/g' src/*.py"
"""


def starter_backlog() -> tuple[str, str]:
    """Return the path, below the root, and the text of a first task: a draft, which is skipped."""
    text = """\
---
# A task: keys above, the instruction below, one file each. All keys are in docs/tasks.md.
draft: true              # take this line out, and the task is run
id: example
checks:
  required:              # these must fail now and pass afterwards
    - tests/test_parser.py::test_empty_line
  # keep: [tests]        # these must stay passing; default: the whole suite
# attempts: 3
# limits: {wall_seconds: 300}
human_minutes: 15        # what a person would need; for the accounts
---
The parser raises IndexError on an empty line. It should skip it.
"""
    return "backlog/example.md", text
