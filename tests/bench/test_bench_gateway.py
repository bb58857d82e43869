"""The gateway counts every shape of request exactly: three hundred here, ten thousand in `make bench`."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.gateway import differences, exactness, first_bytes, memory
from bench.gateway_script import ENDINGS, FORMS, plans


def test_of_three_hundred_requests_of_every_shape_each_token_and_each_dollar_is_counted():
    found = asyncio.run(exactness(300))
    assert found.differences == ()
    assert found.requests == 300
    assert found.tokens == sum(sum(plan.counted) for plan in plans(300))
    assert set(found.endings) == set(ENDINGS)


def test_the_plan_has_every_form_with_every_ending_that_it_can_have():
    found = {(plan.api, plan.form, plan.ending) for plan in plans(300)}
    streamed = [(api, form) for api, form in FORMS if form != "whole"]
    assert {(*form, ending) for form in streamed for ending in ENDINGS} <= found
    assert {("chat", "whole", "cancelled"), ("gemini", "whole", "retried")} <= found


@pytest.mark.parametrize(
    "wrong", [{"tokens": 1}, {"usd": 0.5}, {"complete": False}, {"outcome": "lost"}, {"cached_tokens": 9}]
)
def test_one_number_that_is_wrong_is_a_difference(wrong):
    from reeve.records import Request, RequestOutcome

    plan = next(each for each in plans(30) if each.ending == "full" and each.cached != 9)
    into, cached, written, out = plan.counted
    right = Request(
        "a.1", "a", 1, "run", 0.0, "host", "POST", "/", RequestOutcome.ANSWERED,
        model=plan.model, input_tokens=into, cached_tokens=cached, cache_write_tokens=written, output_tokens=out,
        reasoning_tokens=plan.reasoning, tokens=sum(plan.counted), usd=float(plan.dollars),
    )  # fmt: skip

    class Nobody:
        attempts = ()

    assert list(differences([plan], [right], Nobody())) == []
    assert list(differences([plan], [replace(right, **wrong)], Nobody())) != []
    assert list(differences([plan], [], Nobody())) != []


def test_the_other_measurements_measure_something():
    timed = asyncio.run(first_bytes(5))
    assert min(timed["through_ms"]["median"], timed["direct_ms"]["median"]) > 0
    held = asyncio.run(memory(8))
    assert (held["streams"], held["answered"]) == (8, 8)
    assert held["peak_mb"] >= held["held_mb"] > 10
