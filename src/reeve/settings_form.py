"""reeve.toml as a person writes it, and the table of settings that its descriptions make.

It stands apart from `reeve.settings` so that a project without a reeve.toml starts without pydantic.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reeve.task.forms import Form, LimitsForm, Names, Text, TreePaths, Variables

__all__ = ["AgentForm", "Setting", "SettingsForm", "settings_table"]


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
    canary_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Probability with which a task brings along one whose right answer is known; it never lands."
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
