"""What was used is read from answers of every form, in whatever pieces they come."""

import json

import pytest
from gateways import event, said
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeve.adapters.gateway.elements import Elements
from reeve.adapters.gateway.sse import Events
from reeve.adapters.gateway.usage import Form, Meter, Shape, Usage

SHAPES = ("anthropic", "responses", "chat", "gemini")
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
EXPECTED = {
    "anthropic": Usage(11, 7, cached=5, cache_write=3),
    "responses": Usage(11, 7, cached=5, reasoning=2),
    "chat": Usage(11, 7, cached=5, reasoning=2),
    "gemini": Usage(11, 7, cached=5, reasoning=2),
}


def metered(name: str, stream: bytes, cuts: list[int], *, end: bool = True, **options) -> Meter:
    meter = Meter(Shape(name), Form.EVENTS, **options)
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        meter.feed(stream[start:stop])
    if end:
        meter.end()
    return meter


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_cut_at_any_byte_is_read_alike(name, newline):
    stream = said(name).replace(b"\n", newline)
    for cut in range(len(stream)):
        meter = metered(name, stream, [cut])
        assert (meter.usage, meter.complete) == (EXPECTED[name], True)
    assert metered(name, stream, list(range(1, len(stream)))).usage == EXPECTED[name]


@unhurried
@given(st.lists(st.binary(max_size=30)), st.sampled_from(SHAPES))
def test_garbage_is_read_without_complaint(pieces, name):
    meter = Meter(Shape(name), Form.EVENTS)
    for piece in pieces:
        meter.feed(piece)
        meter.feed(b"\ndata: " + piece + b"\n\n")
    meter.end()
    assert meter.usage is None


@pytest.mark.parametrize(
    "strange",
    [
        {"usage": {"input_tokens": -1, "output_tokens": "7"}},
        {"usage": {"input_tokens": True, "output_tokens": 1e9}},
        {"usage": [1, 2]},
        {"type": "message_start", "message": "none"},
        {"type": "message_delta", "usage": {"cache_creation": 3, "server_tool_use": "x"}, "delta": 4},
        {"response": 3, "usage": 4},
        {"usageMetadata": {"promptTokenCount": None}, "candidates": [None, 3]},
        [[], None],
    ],
)
@pytest.mark.parametrize("name", SHAPES)
def test_numbers_that_are_none_count_nothing_and_break_nothing(name, strange):
    meter = metered(name, event(strange), [])
    assert meter.usage is None or meter.usage.total == 0


def test_an_event_may_have_several_lines_and_comments_between():
    found = list(Events().feed(b": ping\nevent: x\ndata: a\ndata:b\nid: 3\n\ndata\n\ndata: c\n\n"))
    assert found == [b"a\nb", b"c"]


def test_an_event_that_is_too_long_is_passed_over_and_the_next_is_read():
    reader = Events(limit_bytes=1000)
    found = [*reader.feed(b"data: " + b"x" * 600), *reader.feed(b"y" * 600), *reader.feed(b"z" * 10_000_000)]
    found += [*reader.feed(b"\n\ndata: next\n\n")]
    assert found == [b"next"]
    many_lines = list(Events(limit_bytes=1000).feed(b"data: 0123456789\n" * 200 + b"\ndata: next\n\n"))
    assert many_lines == [b"next"]


def test_long_events_in_small_pieces_cost_no_more_than_their_length():
    reader, long = Events(), b"x" * (4 << 20)
    pieces = [b"data: ", *(long[at : at + 1000] for at in range(0, len(long), 1000)), b"\n\n"]
    assert [data for piece in pieces for data in reader.feed(piece)] == [long]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "anthropic",
            {
                "type": "message",
                "usage": {
                    "input_tokens": 11,
                    "cache_read_input_tokens": 5,
                    "cache_creation_input_tokens": 3,
                    "output_tokens": 7,
                },
            },
        ),
        (
            "responses",
            {
                "object": "response",
                "usage": {
                    "input_tokens": 16,
                    "input_tokens_details": {"cached_tokens": 5},
                    "output_tokens": 7,
                    "output_tokens_details": {"reasoning_tokens": 2},
                },
            },
        ),
        (
            "chat",
            {
                "choices": [{"message": {"content": "hello"}}],
                "usage": {
                    "prompt_tokens": 16,
                    "prompt_tokens_details": {"cached_tokens": 5},
                    "completion_tokens": 7,
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            },
        ),
        (
            "gemini",
            [
                {"usageMetadata": {"promptTokenCount": 16, "candidatesTokenCount": 1}},
                {
                    "usageMetadata": {
                        "promptTokenCount": 16,
                        "cachedContentTokenCount": 5,
                        "candidatesTokenCount": 5,
                        "thoughtsTokenCount": 2,
                    }
                },
            ],
        ),
    ],
)
def test_an_answer_in_one_piece_is_read_too(name, body):
    content = json.dumps(body).encode()
    meter = Meter(Shape(name), Form.WHOLE)
    for byte in content:
        meter.feed(bytes((byte,)))
    meter.end()
    assert (meter.usage, meter.complete) == (EXPECTED[name], True)


@pytest.mark.parametrize("name", SHAPES)
def test_half_a_stream_gives_what_was_said_so_far_and_says_so(name):
    stream = said(name, "word " * 60)
    cut = stream.index(b"word") + 310
    meter = metered(name, stream[: cut + 50] if name == "gemini" else stream[:cut], [], end=False)
    assert not meter.complete


def test_what_was_written_is_estimated_while_it_comes():
    meter = Meter(Shape.ANTHROPIC, Form.EVENTS)
    meter.feed(event({"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1}}}))
    for kind in ("text", "thinking", "partial_json"):
        meter.feed(event({"type": "content_block_delta", "delta": {"type": f"{kind}_delta", kind: "x" * 300}}))
    assert meter.written == 300
    assert (meter.usage, meter.complete) == (Usage(11, 1), False)


def test_what_a_stream_repeats_at_its_end_is_not_counted_twice():
    meter = Meter(Shape.RESPONSES, Form.EVENTS)
    meter.feed(event({"type": "response.output_text.delta", "delta": "x" * 300}))
    meter.feed(event({"type": "response.output_text.done", "text": "x" * 300}))
    meter.feed(event({"type": "response.completed", "response": {"output": [{"content": [{"text": "x" * 300}]}]}}))
    assert meter.written == 100


def test_what_a_model_writes_cannot_hide_what_it_writes():
    meter = Meter(Shape.RESPONSES, Form.EVENTS)
    sly = '"type":"response.completed" "response.created" x.done'
    meter.feed(event({"type": "response.output_text.delta", "delta": sly * 10}))
    assert meter.written > 100


def array(*messages: object) -> bytes:
    """As Gemini streams where nobody asks for events."""
    return b"[" + b",\r\n".join(json.dumps(each, indent=1).encode() for each in messages) + b"\n]\n"


def gemini_array() -> bytes:
    text = 'a [ "quoted" { brace \\ and \\" more }'
    part = {"candidates": [{"content": {"parts": [{"text": text}, {"functionCall": {"args": {"x": ["}"]}}}]}}]}
    counts = {"promptTokenCount": 16, "cachedContentTokenCount": 5}
    return array(
        {**part, "usageMetadata": {**counts, "candidatesTokenCount": 3}},
        {
            **part,
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {**counts, "candidatesTokenCount": 5, "thoughtsTokenCount": 2},
        },
    )


def test_a_stream_that_is_an_array_cut_at_any_byte_is_read_alike():
    stream = gemini_array()
    for cuts in ([], *([cut] for cut in range(len(stream))), list(range(1, len(stream)))):
        meter = Meter(Shape.GEMINI, Form.ARRAY)
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            meter.feed(stream[start:stop])
        assert (meter.usage, meter.complete) == (EXPECTED["gemini"], True)
        assert meter.written < len(stream) / 3 / 3, "what is written is estimated from the text and not from the form"


def test_half_an_array_gives_what_was_said_so_far_and_whether_more_would_fit():
    stream = gemini_array()
    boundary = stream.index(b",\r\n")
    meter = Meter(Shape.GEMINI, Form.ARRAY)
    meter.feed(stream[:boundary])
    assert (meter.usage, meter.complete, meter.between) == (Usage(11, 3, cached=5), False, True)
    meter.feed(stream[boundary : boundary + 20])
    assert not meter.between
    meter.feed(stream[boundary + 20 :])
    assert not meter.between


def test_an_element_that_is_too_long_is_passed_over_and_the_next_is_read():
    elements = Elements(limit_bytes=100)
    found = [each for chunk in (b'[{"a":"', b"x" * 200, b'"}, {"b": 1}', b"]") for each in elements.feed(chunk)]
    assert found == [b'{"b": 1}']


def test_an_error_in_the_middle_of_a_stream_is_noticed():
    failed = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}, "usage": None}}
    assert metered("responses", event(failed), []).error == "server_error"
    meter = metered("anthropic", event({"type": "error", "error": {"type": "overloaded_error"}}), [])
    assert meter.error == "overloaded_error"


def test_tokens_kept_for_an_hour_and_searches_are_told_apart():
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "server_tool_use": {"web_search_requests": 4},
        "speed": "fast",
    }
    meter = Meter(Shape.ANTHROPIC, Form.WHOLE)
    meter.feed(json.dumps({"type": "message", "usage": usage}).encode())
    meter.end()
    assert meter.usage == Usage(1, 2, cache_write=30, cache_write_1h=20, searches=4, fast=True)
