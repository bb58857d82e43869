"""Servers of the Model Context Protocol, and their tools. One that does not start is told of, and left out."""

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx2
from pydantic_ai.exceptions import ModelRetry
from pydantic_ai.tools import ToolDefinition

from .events import Events, cut, sound
from .spec import Server, Spec
from .tree import Mistake

if TYPE_CHECKING:
    from pydantic_ai.mcp import MCPToolset

__all__ = ["Servers"]

START_SECONDS = 60.0
SILENT_SECONDS = 600.0
END_SECONDS = 5.0
NAME_LENGTH = 64  # the longest that every provider takes
MAX_DESCRIPTION = 2_000
TOOLS_SHARE = 0.2
"""Part of the model's window that the tools of all servers may take: they go along with every request."""


@dataclass(frozen=True)
class Remote:
    """A tool of a server."""

    server: str
    name: str
    toolset: "MCPToolset[None]"
    definition: ToolDefinition


class Servers:
    """The servers that run; a context manager that starts and ends them."""

    def __init__(self, spec: Spec, events: Events) -> None:
        self.spec = spec
        self.events = events
        self.tools: dict[str, Remote] = {}
        self._stack = AsyncExitStack()
        self._room_characters = int(TOOLS_SHARE * spec.context_tokens * 3)  # of three characters a token, about

    async def __aenter__(self) -> Self:
        for server in self.spec.servers:
            try:
                await self._start(server)
            except Exception as error:  # whatever a stranger's program, or the library for it, comes up with
                self.events.emit("text", f"[the MCP server {server.name!r} does not start: {_shown(error)}]")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._stack.aclose()
        except Exception as error:  # the work is done; what does not end is ended by the sandbox
            self.events.emit("text", f"[an MCP server did not end in order: {_shown(error)}]")

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool; raises Mistake with what the server says."""
        remote = self.tools[name]
        try:
            async with asyncio.timeout(self.spec.command_seconds):
                return _text(await remote.toolset.direct_call_tool(remote.name, dict(arguments)))
        except TimeoutError:
            raise Mistake(f"{remote.server}: no answer within {self.spec.command_seconds:g} s") from None
        except ModelRetry as error:  # what the server itself says
            raise Mistake(f"{remote.server}: {error.message}") from error
        except Exception as error:
            raise Mistake(f"{remote.server}: {_shown(error)}") from error

    async def _start(self, server: Server) -> None:
        # It takes a second to import: only where there is a server.
        from pydantic_ai.mcp import MCPToolset

        toolset: MCPToolset[None] = MCPToolset(self._client(server), init_timeout=START_SECONDS)
        await self._stack.enter_async_context(toolset)
        async with asyncio.timeout(START_SECONDS):
            tools = await toolset.list_tools()
        left_out = []
        for tool in tools:
            name = self._free_name(f"{server.name}_{tool.name}")
            definition = ToolDefinition(
                name=name,
                description=sound(cut(tool.description or "", MAX_DESCRIPTION)),
                parameters_json_schema=tool.input_schema,
            )
            size = len(str(definition))
            if size > self._room_characters:
                left_out.append(tool.name)
                continue
            self._room_characters -= size
            self.tools[name] = Remote(server.name, tool.name, toolset, definition)
        if left_out:
            self.events.emit("text", f"[the MCP server {server.name!r} has more tools than the model's window has room "
                             f"for; left out: {cut(', '.join(left_out), 1000)}]")  # fmt: skip

    def _client(self, server: Server) -> Any:
        if server.command:
            from fastmcp.client.transports import StdioTransport

            return StdioTransport(
                "/bin/sh", ["-c", server.command], env=dict(os.environ), cwd=str(self.spec.work),
                log_file=self.spec.out / f"mcp-{server.name}.log",
            )  # fmt: skip
        from fastmcp.client.transports import StreamableHttpTransport

        return StreamableHttpTransport(server.url, httpx_client_factory=self._http)

    def _http(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
        **options: Any,
    ) -> httpx2.AsyncClient:
        timeout = timeout or httpx2.Timeout(START_SECONDS, read=SILENT_SECONDS)
        proxy = self.spec.proxy or None
        return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, proxy=proxy, trust_env=False, **options)

    def _free_name(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", wanted)[:NAME_LENGTH]
        number = 2
        while name in self.tools:
            name = f"{name[: NAME_LENGTH - 4]}_{number}"
            number += 1
        return name


def _text(result: Any) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, Sequence) and not isinstance(result, bytes | bytearray):
        return "\n".join(map(_text, result))
    if (data := getattr(result, "data", None)) is not None and hasattr(result, "media_type"):
        return f"[{result.media_type}, {len(data)} bytes]"
    return json.dumps(result, ensure_ascii=False, default=str)


def _shown(error: BaseException) -> str:
    """Say what an error is; of a group, what the first in it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cut(f"{type(error).__name__}: {error}".removesuffix(": "), 1000)
