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
    form = target.form
    try:
        infer_provider_class(form)
    except ValueError:
        form = BY_API[target.api]
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
    takes = inspect.signature(kind.__init__).parameters
    if "openai_client" in takes:
        return kind(openai_client=_openai(target, through))  # type: ignore[no-any-return]
    if {"base_url", "api_key", "http_client"} <= takes.keys():
        return kind(base_url=target.url, api_key=target.token, http_client=through)  # type: ignore[no-any-return]
    raise ValueError(
        f"the models of {form!r} cannot be called through a gateway; name a provider that speaks the API of Anthropic, "
        f"OpenAI or Gemini"
    )


def _openai(target: Target, through: httpx2.AsyncClient) -> "AsyncOpenAI":
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=f"{target.url}/v1", api_key=target.token, http_client=through, max_retries=0)
