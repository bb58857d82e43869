"""The model behind the door, as pydantic-ai speaks to it."""

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider, infer_provider_class

from .spec import Target

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["client", "model_of"]

CONNECT_SECONDS = 20.0
SILENT_SECONDS = 3600.0
"""The gateway may hold a request while a provider asks to wait; whoever started the attempt ends it before this."""

BY_API = {"anthropic": "anthropic", "openai": "openai-chat", "gemini": "google"}


def client() -> httpx2.AsyncClient:
    """Make the client for the door; whoever makes it closes it."""
    # Nothing of the environment: a proxy that is named there is for other hosts than the door.
    return httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS))


def model_of(target: Target, through: httpx2.AsyncClient) -> Model:
    """Return the model; its module alone is imported. Raises ValueError, ImportError or UserError."""
    form = target.form if _fits(target.form) else BY_API[target.api]
    return infer_model(f"{form}:{target.name}", partial(_provider, target, through))


def _provider(target: Target, through: httpx2.AsyncClient, form: str) -> Provider[Any]:
    """Make a provider of pydantic-ai that speaks to the door with the door's token, and to nobody else."""
    if form == "anthropic":
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicProvider(base_url=target.url, api_key=target.token, http_client=through)
    if form == "google":
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleProvider(base_url=target.url, api_key=target.token, http_client=through)
    kind: Any = infer_provider_class(form)
    return kind(openai_client=_openai(target, through))  # type: ignore[no-any-return]


def _fits(form: str) -> bool:
    """Say whether pydantic-ai speaks to a provider of this name in an API that passes the gateway.

    Some have a client and an API of their own beside one like OpenAI's: those are spoken to in the latter.
    """
    if form in ("anthropic", "google"):
        return True
    try:
        return "openai_client" in inspect.signature(infer_provider_class(form).__init__).parameters
    except (ValueError, ImportError):
        return False


def _openai(target: Target, through: httpx2.AsyncClient) -> "AsyncOpenAI":
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=f"{target.url}/v1", api_key=target.token, http_client=through, max_retries=0)
