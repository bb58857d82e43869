"""Ways out: which providers there are, with their keys; the gateway that holds them; the door of each attempt."""

import secrets
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reeve.errors import SettingsError
from reeve.ports import Fact
from reeve.records import AgentSpec, Door, Order, Provider, Task
from reeve.settings import FILE_NAME, PROVIDERS, ProviderSource, Settings

if TYPE_CHECKING:
    from reeve.adapters.agents import AgentContext
    from reeve.adapters.gateway.process import GatewayProcess

__all__ = ["Keys", "agent_context", "door_of", "gateway", "keys_of"]

MOST_KEY_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Keys:
    """The providers that can be called, and for the others what keeps them from it."""

    providers: Mapping[str, Provider]
    missing: Mapping[str, str]


def keys_of(settings: Settings, environ: Mapping[str, str]) -> Keys:
    """Find the key of every provider, in a file or a variable; raises SettingsError for a file that is no key.

    A key that nobody named is asked for only where a built-in provider stands at its own address: a model on this
    machine needs none.
    """
    found, missing = {}, {}
    for name, source in settings.providers.items():
        key = _key(source, environ)
        if key is None:
            missing[name] = f"the provider {name!r} has no key: set {source.key_env}, or name a key_file in {FILE_NAME}"
        else:
            found[name] = Provider(name, source.api, source.base_url, key)
    return Keys(found, missing)


def _key(source: ProviderSource, environ: Mapping[str, str]) -> str | None:
    """The key; an empty text: none is needed; None: it is missing."""
    if source.key_file is not None:
        return _from_file(source)
    if source.key_env is None:
        return ""
    if key := environ.get(source.key_env, "").strip():
        return key
    built_in = PROVIDERS.get(source.name)
    elsewhere = built_in is not None and source.base_url != built_in.base_url and source.key_env == built_in.key_env
    return "" if elsewhere else None


def _from_file(source: ProviderSource) -> str:
    try:
        with open(str(source.key_file), "rb") as file:
            key = file.read(MOST_KEY_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"providers.{source.name}.key_file: reading {str(source.key_file)!r}: {error}", file=FILE_NAME, line=1
        ) from None
    if not key or any(character.isspace() for character in key):
        raise SettingsError(
            f"providers.{source.name}.key_file: {str(source.key_file)!r} must hold the key and nothing else",
            file=FILE_NAME,
            line=1,
        )
    return key


def gateway(settings: Settings, keys: Keys, paused: Callable[[Fact], None] | None = None) -> "GatewayProcess":
    """Make the gateway of a run; its process begins with the first door. `paused` is told of every pause."""
    from reeve.adapters.gateway.process import GatewayProcess

    return GatewayProcess(
        settings.state / "gateway",
        settings.state,
        keys.providers,
        run=uuid.uuid4().hex[:12],
        budgets=settings.budgets,
        attempt_mb=settings.network.attempt_mb,
        host_mb=settings.network.host_mb,
        prices=settings.prices,
        keep_bodies=settings.keep_bodies,
        paused=paused,
    )


def agent_context(settings: Settings, check_in_of: Callable[[AgentSpec], float | None] | None = None) -> "AgentContext":
    """Say what a project decides for all of its agents; `check_in_of` is for whoever starts attempts."""
    from reeve.adapters.agents import AgentContext

    return AgentContext(
        cache=settings.cache,
        apis={name: source.api for name, source in settings.providers.items()},
        mcp=tuple(settings.mcp.values()),
        asks=bool(settings.permissions),
        check_in_of=check_in_of,
    )


def door_of(settings: Settings, task: Task, order: Order, *, walls: bool) -> Door | None:
    """Give an attempt its way out: to the models of its agent, and to the hosts that the owner lists.

    The embedded agent needs neither. Without walls there is no private network, and two ports of this machine are
    taken.
    """
    agent = order.agent
    hosts = () if agent.kind == "repair" else settings.network.hosts
    if not agent.providers and not hosts:
        return None
    door = Door(
        attempt=order.attempt,
        task=task.id,
        socket=str(settings.state / "gateway" / "gateway.sock"),
        token=secrets.token_urlsafe(24),
        providers=agent.providers,
        hosts=hosts,
        limits=task.limits,
    )
    return door if walls else replace(door, api_port=_free_port(), proxy_port=_free_port())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
