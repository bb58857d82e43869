"""Prices: found by the most specific name, the owner's file first, never invented."""

import pytest

from reeve.adapters.gateway.prices import BUILT_IN, Price, Prices, read_prices
from reeve.adapters.gateway.usage import Usage
from reeve.errors import InputError


def prices(tmp_path, text: str) -> Prices:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return Prices([read_prices(path), read_prices(BUILT_IN)])


@pytest.mark.parametrize(
    ("model", "input_usd", "output_usd"),
    [
        ("claude-sonnet-4-5-20250929", 3.0, 15.0),
        ("claude-opus-5", 5.0, 25.0),
        ("claude-opus-5-5", 4.0, 20.0),
        ("claude-haiku-4-5", 1.0, 5.0),
        ("gpt-5", 1.25, 10.0),
        ("gpt-5.5", 5.0, 30.0),
        ("gpt-5-mini", 0.25, 2.0),
        ("gemini-2.5-pro", 1.25, 10.0),
    ],
)
def test_models_in_use_have_the_price_that_their_provider_publishes(model, input_usd, output_usd):
    price = Prices([read_prices(BUILT_IN)]).price(model, 1000)
    assert price is not None
    assert (price.input, price.output) == (input_usd, output_usd)


@pytest.mark.parametrize(
    "model", ["", "claude", "gpt-5.7", "gpt-50", "llama3", "claude-opus-5-7", "x" * 10_000, "*", "["]
)
def test_a_model_that_is_not_in_the_table_has_no_price(model):
    assert Prices([read_prices(BUILT_IN)]).price(model, 1000) is None


def test_the_owners_file_goes_first_and_the_most_specific_name_wins(tmp_path):
    found = prices(
        tmp_path,
        """
        [[price]]
        models = ["claude-*"]
        input = 1
        output = 2
        [[price]]
        models = ["claude-sonnet-*", "mine"]
        input = 3
        output = 4
        [[price]]
        models = ["claude-sonnet-x"]
        input = 5
        output = 6
        """,
    )
    assert [found.price(name, 1).input for name in ("claude-opus-5", "claude-sonnet-5", "claude-sonnet-x", "mine")] == [
        1, 3, 5, 3,
    ]  # fmt: skip
    assert found.price("gpt-5", 1).input == 1.25


def test_a_long_prompt_has_its_own_price_for_all_of_it():
    found = Prices([read_prices(BUILT_IN)])
    assert found.usd("gemini-2.5-pro", Usage(200_000, 1000)) == pytest.approx(0.25 + 0.01)
    assert found.usd("gemini-2.5-pro", Usage(100_000, 1000, cached=100_001)) == pytest.approx(
        0.25 + 0.025_000_25 + 0.015
    )


def test_every_kind_of_token_has_its_price():
    price = Price(input=2.0, output=10.0, cached=0.2, cache_write=2.5, cache_write_1h=4.0, web_search=10.0)
    usage = Usage(1_000_000, 1_000_000, cached=1_000_000, cache_write=3_000_000, cache_write_1h=1_000_000, searches=3)
    assert price.usd(usage) == pytest.approx(2.0 + 10.0 + 0.2 + 2 * 2.5 + 4.0 + 0.03)
    fast = Usage(1_000_000, 0, fast=True)
    assert price.usd(fast) == 4.0
    plain = Price(input=2.0, output=10.0)
    assert plain.usd(Usage(0, 0, cached=1_000_000, cache_write=1_000_000)) == 4.0, "without their own price: as input"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price = 3", "expected tables"),
        ("price = [3]", "expected a table"),
        ('[[prices]]\nmodels = ["x"]\ninput = 1\noutput = 2', "expected tables"),
        ("[[price]]\ninput = 1\noutput = 2", "needs `models`"),
        ('[[price]]\nmodels = ["x"]\ninput = 1', r"missing \['output'\]"),
        ('[[price]]\nmodels = ["x"]\ninput = 1\noutput = 2\nouput = 3', r"unknown \['ouput'\]"),
        ('[[price]]\nmodels = ["x"]\ninput = -1\noutput = nan', r"no number from 0 on for \['input', 'output'\]"),
        ("[[price]", "own.toml"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_file_and_entry(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        prices(tmp_path, text)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        read_prices(tmp_path / "nowhere.toml")
