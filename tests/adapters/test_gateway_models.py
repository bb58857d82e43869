"""Model calls through the gateway: passed on with the real key, passed back unchanged, counted."""

import pytest
from gateways import KEY, TOKEN, events, said, site

from reeve.records import RequestOutcome

ASKED = {"model": "claude-sonnet-4-5", "stream": True, "max_tokens": 100, "messages": []}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for all stories that need no budget of their own; each has an attempt of its own."""
    with site(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_a_streamed_answer_comes_back_byte_for_byte_and_is_counted(shared):
    attempt = shared.attempt("walk.1")
    stream = said("anthropic")
    shared.upstream.answer = events(stream)
    status, headers, body = attempt.ask("/anthropic/v1/messages?beta=true", ASKED)
    assert (status, headers["Content-Type"], body) == (200, "text/event-stream", stream)
    asked = shared.upstream.seen[-1]
    assert asked.path == "/v1/messages?beta=true"
    assert asked.headers["x-api-key"] == KEY
    assert TOKEN not in str(asked)
    shared.gateway.close("walk.1")
    (fact,) = shared.requests("walk.1")
    assert fact.outcome is RequestOutcome.ANSWERED
    assert (fact.input_tokens, fact.cached_tokens, fact.cache_write_tokens, fact.output_tokens) == (11, 5, 3, 7)
    assert (fact.tokens, fact.complete, fact.model) == (26, True, "claude-sonnet-4-5")
    assert fact.usd == pytest.approx((11 * 3 + 5 * 0.3 + 3 * 3.75 + 7 * 15) / 1e6)
    spent = shared.gateway.spent("walk.1")
    assert (spent.tokens, spent.usd, spent.answers) == (26, fact.usd, 1)
