"""reeve.toml as a person writes it, and the table of settings that its descriptions make.

It stands apart from `reeve.settings` so that a project without a reeve.toml starts without pydantic.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from reeve.task.forms import Count, Form, LimitsForm, Names, Positive, Text, TreePaths, Variables

__all__ = ["AgentForm", "McpForm", "ProviderForm", "Setting", "SettingsForm", "settings_table"]


def _branch(name: str) -> str:
    if ".." in name or "//" in name or "/." in name or name.endswith(".lock") or ".lock/" in name:
        raise ValueError(f"git allows no branch of the name {name!r}")
    return name


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"must be an address like https://host/path, without user, query and fragment, found {url!r}")
    return url.rstrip("/")


def _host_port(text: str) -> str:
    found = HOST_PORT.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536 or found[1].replace(".", "").isdigit():
        raise ValueError(f"must be an exact name and port like pypi.org:443, no pattern and no number, found {text!r}")
    return text.lower()


HOST_PORT = re.compile(
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?):([0-9]{1,5})"
)


def _every(value: object) -> object:
    if value is None or value == "measured":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    raise ValueError(f"must be a number of seconds greater than 0, or 'measured', found {value!r}")


Every = Annotated[Any, AfterValidator(_every)]
Address = Annotated[Text, AfterValidator(_address)]
HostPort = Annotated[Text, AfterValidator(_host_port)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class AgentForm(Form):
    """One table ``[agents.NAME]``."""

    kind: Text = Field(description="How it is run: `repair`, `acp`, `model`, `command`, or a kind that a package adds.")
    command: Text | None = Field(
        None, description="Shell command that edits the tree, or speaks the protocol of `acp`."
    )
    version: Text | None = Field(None, description="Exact version; default: a hash of what defines the agent.")
    model: Text | None = Field(None, description="Model, as its provider calls it; default: the agent's own.")
    providers: Names = Field([], description="Providers whose models it may call; default: those of its kind.")
    options: dict[str, str] = Field({}, description="Further words for the agent, each a string.")

    @model_validator(mode="after")
    def _command_fits(self) -> Self:
        if self.kind == "command" and self.command is None:
            raise ValueError("kind 'command' needs the key 'command'")
        return self


class ProviderForm(Form):
    """One table ``[providers.NAME]``."""

    api: Literal["anthropic", "openai", "gemini"] | None = Field(
        None, description="Form of its API; default: that of the built-in provider of this name."
    )
    base_url: Address | None = Field(None, description="Where it answers; default: that of the API's first provider.")
    key_env: Text | None = Field(None, description="Variable of reeve's own environment that holds the key.")
    key_file: Text | None = Field(None, description="File that holds the key and nothing else, instead of a variable.")


class BudgetsForm(Form):
    """The table ``[budgets]``."""

    task_usd: Positive | None = Field(None, description="Dollars for all attempts at a task.")
    task_tokens: Count | None = Field(None, description="Tokens for all attempts at a task.")
    run_usd: Positive | None = Field(None, description="Dollars for one `reeve run`.")
    run_tokens: Count | None = Field(None, description="Tokens for one `reeve run`.")
    day_usd: Positive | None = Field(None, description="Dollars for a day, in UTC.")
    day_tokens: Count | None = Field(None, description="Tokens for a day, in UTC.")


class NetworkForm(Form):
    """The table ``[network]``."""

    hosts: list[HostPort] = Field(
        [], description="Hosts that attempts may reach through the proxy, exactly `name:port`."
    )
    attempt_mb: Positive = Field(10.0, description="What one attempt may send to them, in MB.")
    host_mb: Positive = Field(100.0, description="What one run may send to each of them, in MB.")


class McpForm(Form):
    """One table ``[mcp.NAME]``: a server of the Model Context Protocol for agents that speak it."""

    command: Text | None = Field(None, description="Shell command that starts it, inside the sandbox.")
    url: Address | None = Field(None, description="Where it answers, if it runs already; its host must be listed.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs one of the keys 'command' and 'url'")
        return self


class PermissionForm(Form):
    """One rule ``[[permissions]]``; the first that fits what an agent asks answers."""

    answer: Literal["allow", "reject", "ask"] = Field(description="`ask` waits for a person.")
    action: Text | None = Field(None, description="Kind of action: read, edit, delete, move, search, execute, fetch.")
    path: Text | None = Field(None, description="Glob of a path that it touches.")
    command: Text | None = Field(None, description="Glob of the command that it runs.")


class CheckInForm(Form):
    """The table ``[check_in]``."""

    every_seconds: Every = Field(
        "measured",
        description="Work of an attempt before it pauses and waits; `measured`: by its horizon, an hour without one.",
    )
    unanswered: Literal["wait", "go", "stop"] = Field("wait", description="What happens if nobody answers in time.")
    answer_seconds: Positive = Field(600.0, description="Time to answer, unless it waits; its own clock stands still.")


class TrustForm(Form):
    """The table ``[trust]``: what the owner accepts."""

    highest_escape_rate: Share = Field(
        0.05, description="Highest acceptable share of wrong results among those that land without a look."
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.95, description="Confidence with which it must be kept before anything lands without a look."
    )
    audit_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="Share of what landed without a look that is drawn for an audit, each result alike."
    )
    suspicion_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Probability that the most suspicious result is audited beside that; others in proportion."
    )
    reliability: Share = Field(
        0.8, description="Reliability whose horizon, at its lower bound, is the longest work between check-ins."
    )
    landed_usd: Amount = Field(
        10.0, description="What a right result is worth, in dollars: further attempts are weighed by it."
    )
    escape_usd: Amount = Field(40.0, description="What a wrong result costs that passes, in dollars.")
    false_pass_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Chance that a wrong result passes the checks; `reeve drill` measures it."
    )
    seeded_share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.05, description="Share of what waits for a look that is put there with known truth; 0: none."
    )


AgentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
BranchName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]$"), AfterValidator(_branch)]
ProviderName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Person = Annotated[str, Field(pattern=r"^[^<>\x00-\x1f]+$")]


class SettingsForm(Form):
    """reeve.toml as a person writes it; the descriptions are the documentation."""

    workers: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Attempts and verdicts at one time; default: the cores this process may use."
    )
    land: Literal["trusted", "passed"] = Field(
        "trusted",
        description="What lands without a look: `trusted`, what passed where audits allow it; `passed`, all of it.",
    )
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
    providers: dict[ProviderName, ProviderForm] = Field(
        {}, description="Providers of models by name; `anthropic`, `openai` and `gemini` are there without being named."
    )
    budgets: BudgetsForm = Field(
        BudgetsForm.model_validate({}), description="What may be spent beyond the limits of one attempt."
    )
    prices: Text | None = Field(None, description="File of prices that go before the built-in ones; docs/gateway.md.")
    keep_bodies: bool = Field(False, description="Keep what is said to models and what they answer; never a key.")
    network: NetworkForm = Field(
        NetworkForm.model_validate({}), description="Hosts beside the providers that attempts may reach."
    )
    mcp: dict[ProviderName, McpForm] = Field({}, description="Servers of the Model Context Protocol, for every agent.")
    permissions: list[PermissionForm] = Field(
        [], description="Rules for what agents ask for; without one that fits, it is allowed: the walls hold."
    )
    check_in: CheckInForm = Field(CheckInForm.model_validate({}), description="When an attempt pauses for a person.")
    trust: TrustForm = Field(TrustForm.model_validate({}), description="What may land without a look.")
    profile: Text | None = Field(
        None, description="File with a person's own rules for every agent; default: reeve/profile.md in ~/.config."
    )
    house_rules: Text = Field("house-rules.md", description="File with the rules of this repository for every agent.")
    memory_reserve_mb: Annotated[int, Field(ge=0)] = Field(
        1024, description="Memory left to checks and everything else before another attempt is let in, in MB."
    )
    swebench_repos: dict[Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")], Text] = Field(
        {}, description="Local clones for SWE-bench rows: `owner/name` to folder."
    )


TABLES: Mapping[str, type[Form]] = {
    "agents.NAME": AgentForm,
    "providers.NAME": ProviderForm,
    "budgets": BudgetsForm,
    "network": NetworkForm,
    "mcp.NAME": McpForm,
    "permissions": PermissionForm,
    "check_in": CheckInForm,
    "trust": TrustForm,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str
    default: str
    sentence: str


def settings_table() -> tuple[Setting, ...]:
    """Return every setting with its default and what it means; docs/settings.md is made of it."""
    rows = [_row(name, info) for name, info in SettingsForm.model_fields.items()]
    for before, form in TABLES.items():
        rows += [_row(f"{before}.{name}", info) for name, info in form.model_fields.items()]
    return tuple(rows)


def _row(name: str, info: Any) -> Setting:
    default = info.default
    if info.is_required():
        shown = "needed"
    elif default is None or default == {} or isinstance(default, Form):
        shown = "none"
    else:
        shown = json.dumps(default)
    return Setting(name, shown, info.description or "")
