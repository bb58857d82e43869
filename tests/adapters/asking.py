"""The vendors' own clients, asked in one way: what they read in an answer is what counts."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

APIS = ("anthropic", "responses", "chat", "gemini")

RUN = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
READ = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = {"run": RUN, "read": READ}


@dataclass
class Heard:
    """An answer as the vendor's client understood it; tokens as reeve counts them: cached and reasoning are parts."""

    text: str = ""
    thought: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    stop: str = ""


def ask(api, address, prompt, *, stream, tools=TOOLS, key="k", model="some-model"):
    """Ask once, without trying again; raises what the client raises."""
    return ASKING[api](address, prompt, stream, tools, key, model)


def send(address, path, body, method="POST", headers=None):
    """Send anything, past any client; returns status, headers and body."""
    request = urllib.request.Request(address + path, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def _anthropic(address, prompt, stream, tools, key, model):
    client = anthropic.Anthropic(base_url=address, api_key=key, max_retries=0)
    asked = {
        "model": model,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": prompt}],
        "tools": [{"name": name, "input_schema": schema} for name, schema in tools.items()],
    }
    with client:
        if stream:
            with client.messages.stream(**asked) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(**asked)
    heard = Heard(stop=message.stop_reason)
    for block in message.content:
        if block.type == "text":
            heard.text += block.text
        elif block.type == "thinking":
            heard.thought += block.thinking
        else:
            heard.calls.append((block.name, block.input))
    usage = message.usage
    heard.cached = usage.cache_read_input_tokens
    heard.input = usage.input_tokens + usage.cache_creation_input_tokens + heard.cached
    heard.output = usage.output_tokens
    heard.reasoning = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0
    return heard


def _responses(address, prompt, stream, tools, key, model):
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
    listed = [{"type": "function", "name": name, "parameters": schema} for name, schema in tools.items()]
    with client:
        if stream:
            with client.responses.stream(model=model, input=prompt, tools=listed) as events:
                response = events.get_final_response()
        else:
            response = client.responses.create(model=model, input=prompt, tools=listed)
    heard = Heard(text=response.output_text, stop=response.status)
    for item in response.output:
        if item.type == "reasoning":
            heard.thought += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            heard.calls.append((item.name, json.loads(item.arguments)))
        elif item.type == "custom_tool_call":
            heard.calls.append((item.name, item.input))
    usage = response.usage
    heard.input, heard.output = usage.input_tokens, usage.output_tokens
    heard.cached = usage.input_tokens_details.cached_tokens
    heard.reasoning = usage.output_tokens_details.reasoning_tokens
    return heard


def _chat(address, prompt, stream, tools, key, model):
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
    functions = [{"type": "function", "function": {"name": name, "parameters": each}} for name, each in tools.items()]
    asked = {"model": model, "messages": [{"role": "user", "content": prompt}], "tools": functions or openai.omit}
    with client:
        if stream:
            with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                completion = events.get_final_completion()
        else:
            completion = client.chat.completions.create(**asked)
    choice, usage = completion.choices[0], completion.usage
    return Heard(
        text=choice.message.content or "",
        thought=(choice.message.model_extra or {}).get("reasoning_content", ""),
        calls=[(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()],
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cached=usage.prompt_tokens_details.cached_tokens,
        reasoning=usage.completion_tokens_details.reasoning_tokens,
        stop=choice.finish_reason,
    )


def _gemini(address, prompt, stream, tools, key, model):
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=address))
    declared = [types.FunctionDeclaration(name=name, parameters_json_schema=each) for name, each in tools.items()]
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=declared)] if declared else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    asked = {"model": model, "contents": prompt, "config": config}
    with client:
        answers = (
            list(client.models.generate_content_stream(**asked))
            if stream
            else [client.models.generate_content(**asked)]
        )
    heard = Heard(stop=answers[-1].candidates[0].finish_reason.value)
    for part in (part for answer in answers for part in answer.candidates[0].content.parts):
        if part.function_call:
            heard.calls.append((part.function_call.name, part.function_call.args))
        elif part.thought:
            heard.thought += part.text
        else:
            heard.text += part.text
    usage = answers[-1].usage_metadata
    heard.reasoning = usage.thoughts_token_count or 0
    heard.input, heard.cached = usage.prompt_token_count, usage.cached_content_token_count or 0
    heard.output = usage.candidates_token_count + heard.reasoning
    return heard


ASKING = {"anthropic": _anthropic, "responses": _responses, "chat": _chat, "gemini": _gemini}
