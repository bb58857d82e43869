"""Whole conversations: an agent on each API works through a script with real tools."""

import asyncio
import subprocess
from contextlib import asynccontextmanager

import httpx2
import pytest
from asking import APIS
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from reeve.adapters.playback.script import marker
from reeve.adapters.playback.server import PlaybackServer

REPAIR = [
    [{"thought": "The sum."}, {"text": "I look first."}, {"read": "calc.py"}, {"read": "test.py"}],
    [{"edit": {"path": "calc.py", "old": "a - b", "new": "a + b"}}],
    [{"run": "python3 test.py"}, {"write": {"path": "notes.txt", "content": "done\n"}}],
    [{"text": "It adds now."}],
]

MODELS = {
    "anthropic": (AnthropicModel, AnthropicProvider, "/anthropic"),
    "responses": (OpenAIResponsesModel, OpenAIProvider, "/v1"),
    "chat": (OpenAIChatModel, OpenAIProvider, "/v1"),
    "gemini": (GoogleModel, GoogleProvider, ""),
}


@pytest.fixture(scope="module")
def server():
    with PlaybackServer() as server:
        yield server


@pytest.fixture(params=APIS)
def api(request):
    return request.param


@asynccontextmanager
async def worker(api, address, folder):
    """An agent with tools as reeve's own has them, in a folder with something to repair."""
    folder.mkdir(exist_ok=True)
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (folder / "test.py").write_text("import calc\nprint(calc.add(2, 3))\n")
    model, provider, path = MODELS[api]
    async with httpx2.AsyncClient(timeout=60) as client:  # pydantic-ai's own would outlive the loop
        agent = Agent(model("m", provider=provider(api_key="k", base_url=address + path, http_client=client)))
        _lend_tools(agent, folder)
        yield agent


def _lend_tools(agent, folder):
    @agent.tool_plain
    def read(path: str) -> str:
        return (folder / path).read_text()

    @agent.tool_plain
    def edit(path: str, old: str, new: str) -> str:
        (folder / path).write_text((folder / path).read_text().replace(old, new))
        return "replaced"

    @agent.tool_plain
    def write(path: str, content: str) -> str:
        (folder / path).write_text(content)
        return "written"

    @agent.tool_plain
    def run(command: str) -> str:
        return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False).stdout


def work(api, address, folder, prompt, **further):
    """Do all the work of one prompt."""

    async def done():
        async with worker(api, address, folder) as agent:
            return await agent.run(prompt, **further)

    return asyncio.run(done())


def test_an_agent_repairs_what_the_script_repairs(server, api, tmp_path):
    done = work(api, server.address, tmp_path, f"Fix it. {marker(REPAIR)}")
    assert done.output == "It adds now."
    assert "a + b" in (tmp_path / "calc.py").read_text()
    assert (tmp_path / "notes.txt").read_text() == "done\n"
    assert "5\n" in [
        part.content for message in done.all_messages() for part in message.parts if part.part_kind == "tool-return"
    ]
    assert done.usage.requests == 4


def test_a_streaming_agent_repairs_it_too(server, api, tmp_path):
    async def streamed():
        prompt = f"Fix it. {marker(REPAIR[1:])}"
        async with worker(api, server.address, tmp_path) as agent, agent.run_stream(prompt) as done:
            return await done.get_output()

    assert asyncio.run(streamed()) == "It adds now."
    assert "a + b" in (tmp_path / "calc.py").read_text()


def test_many_conversations_at_once_do_not_know_of_each_other(server, tmp_path):
    async def one(number):
        script = [[{"write": {"path": "own.txt", "content": str(number)}}], [{"text": f"I am {number}."}]]
        async with worker(APIS[number % 4], server.address, tmp_path / str(number)) as agent:
            return (await agent.run(marker(script))).output

    async def together():
        return await asyncio.gather(*(one(number) for number in range(12)))

    assert asyncio.run(together()) == [f"I am {number}." for number in range(12)]
    assert [(tmp_path / str(number) / "own.txt").read_text() for number in range(12)] == [str(n) for n in range(12)]


def test_a_conversation_that_was_stored_goes_on_with_another_server(api, tmp_path):
    script = [[{"run": "true"}], [{"text": "What next?"}], [{"run": "true"}], [{"text": "The end."}]]
    with PlaybackServer() as server:
        begun = work(api, server.address, tmp_path, marker(script))
    assert begun.output == "What next?"
    with PlaybackServer() as server:
        again = work(api, server.address, tmp_path, "Go on.", message_history=begun.all_messages())
        assert again.output == "The end."
        assert [seen.turn for seen in server.seen] == [2, 3]
