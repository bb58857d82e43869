"""The agents that reeve knows how to get, start and configure; one table, one entry each.

A preset pins the exact version of a package and the day as of which its dependencies are chosen, so that everybody who
installs it has the same program. None of them gets a credential: the key it is given is the token of its door.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reeve.records import Api

__all__ = ["ARCHITECTURES", "NODE", "PRESETS", "Means", "Preset", "Setup"]

NODE = "24.19.0"
"""Of Node.js, which is installed with its npm where the machine's own are missing or older than an agent needs."""

ARCHITECTURES: Mapping[str, str] = {"x86_64": "x64", "aarch64": "arm64"}
"""What packages of npm call the kinds of machines that there are programs for."""

HOME = "/out/home"
MODULES = "/reeve/agent/node_modules"


@dataclass(frozen=True, slots=True)
class Means:
    """What an agent is given for one attempt; `asks`: it is to ask before it acts."""

    url: str  # of its provider, without a path
    token: str = field(repr=False)
    model: str = ""  # "": the preset's own
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """How an agent is configured: its environment, files below its home, and the mode of its session."""

    env: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""  # "": its own default


@dataclass(frozen=True, slots=True)
class Preset:
    """One agent. `usage` says what the end of a turn tells of tokens, as the driver has it."""

    name: str
    package: str  # of npm
    version: str
    as_of: str  # the day; dependencies that came later are not taken
    start: tuple[str, ...]  # the command, inside, with {arch}; a script of Node.js, or a program
    api: Api
    setup: Callable[[Means], Setup]
    node: int = 0  # major version that it needs; 0: it is a program of its own
    usage: str = "turn"
    model: str = ""  # "": the agent's own choice
    memory_mb: int = 450  # of all of its processes, as measured
    asks: bool = True  # it can be told to ask before it acts
    serves_files: bool = True  # it may read and write files through the driver, where it wants to


# ---------------------------------------------------------------- how each is configured


def _claude_code(means: Means) -> Setup:
    """As root it offers its full rights only where it is told that there are walls around it."""
    env = {
        "ANTHROPIC_BASE_URL": means.url,
        "ANTHROPIC_API_KEY": means.token,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        **({"ANTHROPIC_MODEL": means.model} if means.model else {}),
    }
    return Setup(env, mode="default" if means.asks else "bypassPermissions")


def _codex(means: Means) -> Setup:
    """Its home lies outside the folder for temporary files, where it refuses to run any command.

    It has no mode that only asks: the others put up walls of its own, which the kernel does not allow within ours.
    """
    config = f"""\
model = {json.dumps(means.model)}
model_provider = "reeve"
check_for_update_on_startup = false
web_search = "disabled"

[model_providers.reeve]
name = "reeve"
base_url = {json.dumps(means.url + "/v1")}
env_key = "REEVE_TOKEN"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false

[analytics]
enabled = false
"""
    env = {"CODEX_HOME": f"{HOME}/.codex", "REEVE_TOKEN": means.token, "NO_BROWSER": "1"}
    return Setup(env, {".codex/config.toml": config}, mode="agent-full-access")


def _gemini(means: Means) -> Setup:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False, "disableUpdateNag": True},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "model": {"name": means.model},
    }
    env = {
        "GEMINI_API_KEY": means.token,
        "GOOGLE_GEMINI_BASE_URL": means.url,
        "GEMINI_CLI_NO_RELAUNCH": "true",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return Setup(env, {".gemini/settings.json": json.dumps(settings)}, mode="default" if means.asks else "yolo")


def _opencode(means: Means) -> Setup:
    """It has no mode that asks: what it asks for is a matter of its settings."""
    leave = "ask" if means.asks else "allow"
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "reeve",
        "options": {"baseURL": f"{means.url}/v1", "apiKey": means.token},
        "models": {means.model: {"name": means.model}},
    }
    settings = {
        "provider": {"reeve": provider},
        "model": f"reeve/{means.model}",
        "small_model": f"reeve/{means.model}",
        "enabled_providers": ["reeve"],
        "autoupdate": False,
        "share": "disabled",
        "permission": {"edit": leave, "bash": leave},
    }
    folders = {
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".data",
        "XDG_CACHE_HOME": ".cache",
        "XDG_STATE_HOME": ".state",
    }
    env = {
        **{name: f"{HOME}/{folder}" for name, folder in folders.items()},
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    return Setup(env, {".config/opencode/opencode.json": json.dumps(settings)}, mode="build")


PRESETS: Mapping[str, Preset] = {
    each.name: each
    for each in (
        Preset(
            "claude-code",
            "@agentclientprotocol/claude-agent-acp",
            "0.100.0",
            "2026-11-20",
            (f"{MODULES}/@agentclientprotocol/claude-agent-acp/dist/index.js",),
            Api.ANTHROPIC,
            _claude_code,
            node=22,
        ),
        Preset(
            "codex",
            "@agentclientprotocol/codex-acp",
            "2.6.0",
            "2026-11-20",
            (f"{MODULES}/@agentclientprotocol/codex-acp/dist/index.js",),
            Api.OPENAI,
            _codex,
            node=20,
            model="gpt-5.5",
            memory_mb=300,
            asks=False,
        ),
        Preset(
            "gemini",
            "@google/gemini-cli",
            "0.61.0",
            "2026-11-20",
            (f"{MODULES}/@google/gemini-cli/bundle/gemini.js", "--acp"),
            Api.GEMINI,
            _gemini,
            node=20,
            model="gemini-2.5-pro",
            memory_mb=350,
            serves_files=False,  # it makes no new file where it cannot read the old one through us
        ),
        Preset(
            "opencode",
            "opencode-ai",
            "1.18.33",
            "2026-11-20",
            (f"{MODULES}/opencode-linux-{{arch}}/bin/opencode", "acp"),
            Api.OPENAI,
            _opencode,
            usage="nothing",
            model="gpt-5.5",
            memory_mb=1200,
        ),
    )
}
