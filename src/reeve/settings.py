"""reeve.toml: one frozen Settings, read once where the program starts and passed down."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reeve.errors import SettingsError
from reeve.policy.versioned import versioned
from reeve.records import AgentSpec, Answer, Api, Budgets, Limits, McpServer, Policy, Rule
from reeve.task.build import Defaults, top_of_repository
from reeve.task.located import Located, Unreadable, decode, parse_toml

if TYPE_CHECKING:
    from reeve.settings_form import ProviderForm, SettingsForm

__all__ = [
    "FILE_NAME",
    "MEASURED",
    "PROVIDERS",
    "CheckIns",
    "Network",
    "ProviderSource",
    "Settings",
    "TrustTerms",
    "find_root",
    "read_settings",
    "starter_backlog",
    "starter_toml",
    "task_defaults",
    "to_policy",
]

FILE_NAME = "reeve.toml"
MEASURED: Literal["measured"] = "measured"
HOUSE_RULES = "house-rules.md"
BUILT_IN: Mapping[str, AgentSpec] = {"repair": AgentSpec("repair", "repair", "")}


@dataclass(frozen=True, slots=True)
class ProviderSource:
    """A provider as reeve.toml names it: where its key is, not what it is."""

    name: str
    api: Api
    base_url: str
    key_env: str | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """Hosts beside the providers that attempts may reach, and how much they may send there."""

    hosts: tuple[str, ...] = ()  # name:port
    attempt_mb: float = 10.0
    host_mb: float = 100.0


@dataclass(frozen=True, slots=True)
class CheckIns:
    """When an attempt pauses for a person, and what happens if nobody answers within `answer_seconds`."""

    every_seconds: float | Literal["measured"] | None = MEASURED  # None: never
    unanswered: str = "wait"  # wait, go or stop
    answer_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class TrustTerms:
    """What the owner accepts of results that land without a look, and how many of them are audited."""

    highest_escape_rate: float = 0.05
    confidence: float = 0.95
    audit_share: float = 0.1
    suspicion_share: float = 0.5
    reliability: float = 0.8
    landed_usd: float = 10.0
    escape_usd: float = 40.0
    false_pass_rate: float = 0.05
    seeded_share: float = 0.05


PROVIDERS: Mapping[str, ProviderSource] = {
    each.name: each
    for each in (
        ProviderSource("anthropic", Api.ANTHROPIC, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
        ProviderSource("openai", Api.OPENAI, "https://api.openai.com", "OPENAI_API_KEY"),
        ProviderSource("gemini", Api.GEMINI, "https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    )
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a project decides; docs/settings.md says what each means.

    `file` is None if there is no reeve.toml. `cache` is shared between projects; `state` is the project's own.
    """

    root: Path
    file: Path | None
    state: Path
    cache: Path
    workers: int
    land: str = "trusted"
    branch: str = "reeve/landed"
    sandbox: str = "bubblewrap"
    attempts: int = 2
    parallel_attempts: int = 2
    default_agents: tuple[str, ...] = ("repair",)
    conflicts_before_ask: int = 2
    canary_rate: float = 0.0
    backlog: str = "backlog"
    limits: Limits = field(default_factory=Limits)
    protected: tuple[str, ...] = ()
    setup: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold what is nobody's business
    agents: Mapping[str, AgentSpec] = field(default_factory=dict, repr=False)
    swebench_repos: Mapping[str, str] = field(default_factory=dict)
    author_name: str = "reeve"
    author_email: str = "reeve@localhost"
    providers: Mapping[str, ProviderSource] = field(default_factory=lambda: dict(PROVIDERS))
    budgets: Budgets = field(default_factory=Budgets)
    prices: Path | None = None  # None: the built-in ones alone
    keep_bodies: bool = False
    network: Network = field(default_factory=Network)
    mcp: Mapping[str, McpServer] = field(default_factory=dict)
    permissions: tuple[Rule, ...] = ()
    check_in: CheckIns = field(default_factory=CheckIns)
    trust: TrustTerms = field(default_factory=TrustTerms)
    profile: Path | None = None  # None: nobody's home is known
    memory_reserve_mb: int = 1024
    house_rules: str = HOUSE_RULES  # relative to the root


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

    `environ` is the environment of the process; of it only XDG_CACHE_HOME, XDG_CONFIG_HOME and HOME are used.
    """
    root = root.resolve()
    path = root / FILE_NAME
    plain = Settings(
        root=root,
        file=None,
        state=root / ".reeve",
        cache=_cache(environ),
        workers=len(os.sched_getaffinity(0)),
        agents=dict(BUILT_IN),
        profile=_profile(environ),
    )
    return _from_file(plain, path) if path.is_file() else plain


def _from_file(plain: Settings, path: Path) -> Settings:
    # Imported only where there is something to validate: commands that look at a ledger start the sooner.
    from reeve.settings_form import SettingsForm
    from reeve.task.forms import validated

    located = _located(path)
    form = validated(SettingsForm, located, file=FILE_NAME, error=SettingsError)
    agents = _agents(form)
    for index, name in enumerate(form.default_agents):
        if name not in agents:
            message = f"default_agents: no agent is named {name!r}; known are {', '.join(sorted(agents))}"
            raise SettingsError(message, file=FILE_NAME, line=located.line(("default_agents", index)))
    known = {**PROVIDERS, **form.providers}
    for name, agent in form.agents.items():
        for index, provider in enumerate(agent.providers):
            if provider not in known:
                message = (
                    f"agents.{name}.providers: no provider is named {provider!r}; known are {', '.join(sorted(known))}"
                )
                raise SettingsError(message, file=FILE_NAME, line=located.line(("agents", name, "providers", index)))
    state = (plain.root / Path(form.state).expanduser()).resolve()
    if plain.root.is_relative_to(state):
        message = f"state: must be a folder of its own, not one that holds the project, found {form.state!r}"
        raise SettingsError(message, file=FILE_NAME, line=located.line(("state",)))
    return replace(
        plain,
        file=path,
        state=state,
        workers=form.workers or plain.workers,
        land=form.land,
        branch=form.branch,
        sandbox=form.sandbox,
        attempts=form.attempts,
        parallel_attempts=form.parallel_attempts,
        default_agents=tuple(form.default_agents),
        conflicts_before_ask=form.conflicts_before_ask,
        canary_rate=form.canary_rate,
        backlog=form.backlog,
        limits=form.limits.over(Limits()),
        protected=tuple(form.protected),
        setup=form.setup,
        env=dict(form.env),
        agents=agents,
        swebench_repos=dict(form.swebench_repos),
        author_name=form.author_name,
        author_email=form.author_email,
        **_beyond(plain, form),
    )


def _beyond(plain: Settings, form: "SettingsForm") -> dict[str, Any]:
    """What reeve.toml says of models, networks, permissions and the people's own rules."""
    return {
        "providers": {
            **PROVIDERS,
            **{name: _provider(plain.root, name, each) for name, each in form.providers.items()},
        },
        "budgets": Budgets(**form.budgets.model_dump()),
        "prices": None if form.prices is None else plain.root / Path(form.prices).expanduser(),
        "keep_bodies": form.keep_bodies,
        "network": Network(tuple(form.network.hosts), form.network.attempt_mb, form.network.host_mb),
        "mcp": {name: McpServer(name, each.command, each.url) for name, each in form.mcp.items()},
        "permissions": tuple(
            Rule(Answer(each.answer), each.action or "", each.path or "", each.command or "")
            for each in form.permissions
        ),
        "check_in": CheckIns(**form.check_in.model_dump()),
        "trust": TrustTerms(**form.trust.model_dump()),
        "profile": plain.profile if form.profile is None else plain.root / Path(form.profile).expanduser(),
        "memory_reserve_mb": form.memory_reserve_mb,
        "house_rules": form.house_rules,
    }


def _provider(root: Path, name: str, form: "ProviderForm") -> ProviderSource:
    """A provider that is named; what it leaves out is as of the built-in one of its name, or else of its API."""
    api = PROVIDERS[name].api if form.api is None and name in PROVIDERS else Api(form.api or Api.OPENAI)
    like = PROVIDERS[name if name in PROVIDERS else api.value]
    named = name in PROVIDERS or form.key_env is not None or form.key_file is not None
    return ProviderSource(
        name,
        api,
        form.base_url or like.base_url,
        None if form.key_file is not None or not named else form.key_env or like.key_env,
        None if form.key_file is None else root / Path(form.key_file).expanduser(),
    )


def _profile(environ: Mapping[str, str]) -> Path | None:
    base = environ.get("XDG_CONFIG_HOME") or (os.path.join(environ["HOME"], ".config") if environ.get("HOME") else "")
    return Path(base) / "reeve" / "profile.md" if base else None


def _located(path: Path) -> Located:
    try:
        return parse_toml(decode(path.read_bytes()))
    except Unreadable as error:
        raise SettingsError(error.message, file=FILE_NAME, line=error.line) from None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=FILE_NAME, line=1) from None


def _agents(form: "SettingsForm") -> dict[str, AgentSpec]:
    """The named agents beside the built-in one, whose name can be given to another. Versions may still be empty."""
    named = {
        name: AgentSpec(
            name,
            each.kind,
            each.version or "",
            each.command,
            dict(each.options),
            each.model or "",
            tuple(each.providers),
        )
        for name, each in form.agents.items()
    }
    return {**BUILT_IN, **named}


def _cache(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or "/tmp", ".cache")  # noqa: S108
    return Path(base) / "reeve"


# ---------------------------------------------------------------- what the stages take


def task_defaults(settings: Settings, *, repo_root: Path | None = None) -> Defaults:
    """Return what a task gets where its file is silent, and the task readers of installed packages.

    `repo_root` is a folder of clones for SWE-bench rows.
    """
    repo = top_of_repository(settings.root) or settings.root
    defaults = Defaults(
        root=settings.root,
        repo=repo,
        attempts=settings.attempts,
        agents=settings.default_agents,
        limits=settings.limits,
        protected=(*settings.protected, *_own_house_rules(settings, repo)),
        setup=settings.setup,
        env=settings.env,
        known_agents=frozenset(settings.agents),
        swebench_repos=settings.swebench_repos,
        repo_root=repo_root,
    )
    from reeve.ports import TaskReader
    from reeve.registry import TASK_READERS, Registry

    readers: Registry[TaskReader] = Registry.load(TASK_READERS, {})
    return replace(defaults, further=tuple(readers.make(name, defaults) for name in readers.names()))


def _own_house_rules(settings: Settings, repo: Path) -> tuple[str, ...]:
    """House rules of another name than the usual, which is protected anyway, as a path of the tree."""
    file = settings.root / settings.house_rules
    usual = file.name == Path(HOUSE_RULES).name
    return () if usual or not file.is_relative_to(repo) else (file.relative_to(repo).as_posix(),)


def to_policy(settings: Settings) -> Policy:
    """Return the policy that the settings ask for; equal settings give the same version."""
    return versioned(
        Policy(
            version="",
            land=settings.land,
            parallel_attempts=settings.parallel_attempts,
            conflicts_before_ask=settings.conflicts_before_ask,
            branch=settings.branch,
            highest_escape_rate=settings.trust.highest_escape_rate,
            confidence=settings.trust.confidence,
            audit_share=settings.trust.audit_share,
            suspicion_share=settings.trust.suspicion_share,
            landed_usd=settings.trust.landed_usd,
            escape_usd=settings.trust.escape_usd,
            false_pass_rate=settings.trust.false_pass_rate,
        )
    )


# ---------------------------------------------------------------- what `reeve init` writes


def starter_toml() -> str:
    """Return a reeve.toml in which every line is a comment: it changes nothing until a line is opened."""
    return """\
# reeve.toml: every setting is optional; all of them are in docs/settings.md.

# workers = 2                  # attempts and verdicts at one time; default: the cores
# land = "trusted"             # or "passed": all that passed its checks lands without a look
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
