"""What may be called with a key, and what a question may not ask of a provider."""

import json

import pytest

from reeve.adapters.gateway.routes import Question, Unacceptable, below, read_question, route
from reeve.adapters.gateway.usage import Shape
from reeve.records import Api

MESSAGES = route(Api.ANTHROPIC, "POST", "/v1/messages")
RESPONSES = route(Api.OPENAI, "POST", "/v1/responses")
GEMINI = route(Api.GEMINI, "POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent")


@pytest.mark.parametrize(
    ("api", "method", "path", "shape"),
    [
        (Api.ANTHROPIC, "POST", "/v1/messages", Shape.ANTHROPIC),
        (Api.ANTHROPIC, "POST", "/v1/messages/count_tokens", None),
        (Api.ANTHROPIC, "GET", "/v1/models", None),
        (Api.OPENAI, "POST", "/v1/responses", Shape.RESPONSES),
        (Api.OPENAI, "POST", "/responses", Shape.RESPONSES),
        (Api.OPENAI, "POST", "/v4/chat/completions", Shape.CHAT),
        (Api.OPENAI, "GET", "/v1/models/gpt-5", None),
        (Api.GEMINI, "POST", "/v1beta/models/gemini-2.5-pro:generateContent", Shape.GEMINI),
        (Api.GEMINI, "POST", "/v1beta/models/gemini-2.5-pro:countTokens", None),
    ],
)
def test_models_may_be_called_and_asked_about(api, method, path, shape):
    found = route(api, method, path)
    assert found is not None
    assert found.shape is shape


@pytest.mark.parametrize(
    ("api", "method", "path"),
    [
        (Api.ANTHROPIC, "POST", "/v1/messages/batches"),
        (Api.ANTHROPIC, "GET", "/v1/files"),
        (Api.ANTHROPIC, "GET", "/v1/organizations/api_keys"),
        (Api.ANTHROPIC, "GET", "/v1/messages"),
        (Api.ANTHROPIC, "DELETE", "/v1/models/x"),
        (Api.ANTHROPIC, "POST", "/v1/messages/"),
        (Api.ANTHROPIC, "POST", "/v1//messages"),
        (Api.ANTHROPIC, "POST", "/v1/../v1/messages"),
        (Api.ANTHROPIC, "POST", "/v1/messages\n"),
        (Api.ANTHROPIC, "POST", "/v1/messages%2f..%2ffiles"),
        (Api.ANTHROPIC, "GET", "/v1/models/.."),
        (Api.ANTHROPIC, "GET", "/v1/models/../files"),
        (Api.OPENAI, "POST", "/v1/files"),
        (Api.OPENAI, "GET", "/v1/responses/resp_1"),
        (Api.OPENAI, "POST", "/v1/embeddings"),
        (Api.OPENAI, "POST", "/v1/fine_tuning/jobs"),
        (Api.GEMINI, "POST", "/v1beta/models/gemini-2.5-pro:batchGenerateContent"),
        (Api.GEMINI, "POST", "/v1beta/cachedContents"),
        (Api.GEMINI, "POST", "/upload/v1beta/files"),
    ],
)
def test_nothing_else_that_a_key_opens_may_be_called(api, method, path):
    assert route(api, method, path) is None


def test_what_decides_on_the_price_is_read():
    asked = {"model": "m", "stream": True, "max_tokens": 500, "messages": []}
    assert read_question(MESSAGES, json.dumps(asked).encode()) == Question("m", streamed=True, output_tokens=500)
    asked = {"model": "m", "max_output_tokens": 9, "service_tier": "priority", "input": "x"}
    assert read_question(RESPONSES, json.dumps(asked).encode()) == Question("m", False, 9, fast=True, hidden=True)
    asked = {"contents": [], "generationConfig": {"maxOutputTokens": 7, "candidateCount": 3}}
    assert read_question(GEMINI, json.dumps(asked).encode()) == Question("gemini-2.5-pro", True, 7, answers=3)


def test_what_is_reserved_at_first_is_all_that_an_answer_in_one_piece_may_be():
    assert Question("m", streamed=False, output_tokens=64_000).reserved_tokens == 64_000
    assert Question("m", streamed=False, output_tokens=64_000, answers=3).reserved_tokens == 192_000
    assert Question("m", streamed=False, output_tokens=None).reserved_tokens == 4096
    assert Question("m", streamed=True, output_tokens=64_000).reserved_tokens == 4096
    assert Question("m", streamed=True, output_tokens=100).reserved_tokens == 100
    assert Question("m", streamed=True, output_tokens=None, hidden=True).reserved_tokens == 16_384


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"model": 3}',
        b'{"messages": []}',
        b'{"model": "cheap", "model": "dear"}',
        b'{"model": "m", "tools": [{"type": "x", "type": "y"}]}',
        b'{"model": "m", "background": true}',
    ],
)
def test_what_cannot_be_read_in_one_way_only_is_refused(body):
    with pytest.raises(Unacceptable):
        read_question(MESSAGES, body)


@pytest.mark.parametrize(
    "asks",
    [
        {"mcp_servers": [{"type": "url", "url": "https://evil.example/?repository"}]},
        {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        {"tools": [{"type": "mcp", "server_url": "https://evil.example"}]},
        {"tools": [{"type": "mcp", "connector_id": "connector_dropbox"}]},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "web_search_preview_2025_03_11"}]},
        {"tools": [{"type": "shell", "environment": {"type": "container_auto", "network_policy": {"type": "allowlist"}}}]},
        {"tools": [{"urlContext": {}}]},
        {"messages": [{"content": [{"type": "image", "source": {"type": "url", "url": "https://evil.example/x"}}]}]},
        {"messages": [{"content": [{"type": "tool_result", "content": [{"type": "document", "source": {"type": "url", "url": "http://e"}}]}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": " HTTPS://evil.example/x"}}]}]},
        {"input": [{"content": [{"type": "input_image", "image_url": "https://evil.example"}]}]},
        {"input": [{"content": [{"type": "input_file", "file_url": "https://evil.example"}]}]},
        {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": "https://e"}]}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://evil.example"}}]}]},
    ],
)  # fmt: skip
def test_a_provider_is_not_sent_anywhere_by_an_agent(asks):
    body = json.dumps({"model": "m", **asks})
    with pytest.raises(Unacceptable, match="another host"):
        read_question(RESPONSES, body.encode())
    hidden = body.replace("url", "\\u0075rl").replace("Uri", "U\\u0072i")
    with pytest.raises(Unacceptable, match="another host"):
        read_question(RESPONSES, hidden.encode())
    for encoding in ("utf-16", "utf-16-le", "utf-32-be"):
        with pytest.raises(Unacceptable, match="read in one way only"):
            read_question(RESPONSES, body.encode(encoding))


@pytest.mark.parametrize(
    "asks",
    [
        {"messages": [{"content": "look at https://example.com, image_url and mcp_servers"}]},
        {"messages": [{"content": [{"type": "tool_use", "name": "fetch", "input": {"type": "url", "url": "https://e"}}]}]},
        {"messages": [{"content": [{"type": "image", "source": {"type": "base64", "data": "aGk="}}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]}]},
        {"contents": [{"parts": [{"functionCall": {"name": "get", "args": {"image_url": "https://e"}}}]}]},
        {"contents": [{"parts": [{"functionResponse": {"name": "get", "response": {"file_url": "https://e"}}}]}]},
        {"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"server_url": {"type": "string"}}}}]},
        {"tools": [{"name": "WebFetch", "input_schema": {"properties": {"url": {"type": "string"}}}}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "web_search", "external_web_access": False}]},
        {"messages": [{"content": [{"type": "web_search_tool_result", "content": [{"type": "web_search_result", "url": "https://e"}]}]}]},
    ],
)  # fmt: skip
def test_what_is_only_talked_about_may_be_talked_about(asks):
    assert read_question(RESPONSES, json.dumps({"model": "m", **asks}).encode()).model == "m"


@pytest.mark.parametrize(
    ("base_url", "path", "called"),
    [
        ("https://api.openai.com", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("http://127.0.0.1:11434/v1", "/v1/chat/completions", "http://127.0.0.1:11434/v1/chat/completions"),
        ("https://x.example/api/v4/", "/v1/chat/completions", "https://x.example/api/v4/chat/completions"),
        ("https://x.example/v1", "/chat/completions", "https://x.example/v1/chat/completions"),
        ("https://x.example/v1beta", "/v1beta/models/m:countTokens", "https://x.example/v1beta/models/m:countTokens"),
        ("https://x.example/vault", "/v1/messages", "https://x.example/vault/v1/messages"),
    ],
)
def test_a_version_in_an_address_is_not_called_twice(base_url, path, called):
    assert below(base_url, path) == called
