"""Budgets: reserved on all accounts or on none, used up to what is left, settled by what was really used."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeve.adapters.gateway.budgets import Account, Reservation, Shortfall, reserve
from reeve.adapters.gateway.prices import Price
from reeve.adapters.gateway.usage import Usage

PRICE = Price(input=3.0, output=15.0)
MODEL = "some-model"
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def test_what_is_reserved_is_held_on_every_account_and_settled_on_every_account():
    accounts = (Account("a", limit_tokens=10_000), Account("b", limit_usd=1.0))
    held = reserve(accounts, MODEL, PRICE, 1000, 4000)
    assert isinstance(held, Reservation)
    assert [(each.reserved_tokens, each.reserved_usd) for each in accounts] == [(5000, pytest.approx(0.063))] * 2
    held.settle(1500, 0.01)
    assert [(each.reserved_tokens, each.spent_tokens) for each in accounts] == [(0, 1500)] * 2
    assert [each.reserved_usd for each in accounts] == [pytest.approx(0.0, abs=1e-12)] * 2


def test_nothing_is_held_on_any_account_when_one_has_no_room():
    accounts = (Account("a"), Account("b", limit_tokens=100))
    assert isinstance(reserve(accounts, MODEL, PRICE, 1000, 4000), Shortfall)
    assert [each.reserved_tokens for each in accounts] == [0, 0]


def test_two_requests_never_hold_the_same_dollar():
    accounts = (Account("shared", limit_usd=0.063),)
    first = reserve(accounts, MODEL, PRICE, 1000, 4000)
    assert isinstance(first, Reservation)
    second = reserve(accounts, MODEL, PRICE, 1000, 4000)
    assert isinstance(second, Shortfall)
    assert second.for_now, "it fits if the first one turns out cheap"
    first.settle(1000, 0.003)
    third = reserve(accounts, MODEL, PRICE, 1000, 4000)
    assert isinstance(third, Reservation)
    assert third.usd == pytest.approx(0.06, abs=2e-5)


def test_of_a_small_budget_what_is_left_is_reserved_and_later_no_more():
    accounts = (Account("small", limit_usd=0.10),)
    held = reserve(accounts, MODEL, PRICE, 16_000, 4096)
    assert isinstance(held, Reservation)
    assert held.output_tokens == 3466
    assert held.usd == pytest.approx(0.1, abs=2e-5)
    assert held.more(1024) == 0


def test_an_answer_may_become_longer_in_steps_while_there_is_room():
    accounts = (Account("a", limit_tokens=6000),)
    held = reserve(accounts, MODEL, None, 1000, 4096)
    assert isinstance(held, Reservation)
    assert [held.more(800), held.more(800)] == [800, 104]
    assert held.more(800) == 0


def test_what_is_left_for_less_than_an_answer_is_left():
    accounts = (Account("a", limit_tokens=1200),)
    assert isinstance(reserve(accounts, MODEL, None, 1000, 4096), Shortfall)
    assert isinstance(reserve(accounts, MODEL, None, 1000, 100), Reservation), "all it asks for fits"


def test_an_answer_that_comes_in_one_piece_fits_as_a_whole_or_not_at_all():
    account = Account("a", limit_usd=0.1)
    refused = reserve((account,), MODEL, PRICE, 1000, 64_000, whole=True)
    assert isinstance(refused, Shortfall)
    assert "it needs about 0.9630; an answer in one piece must fit as a whole" in refused.reason
    assert isinstance(reserve((account,), MODEL, PRICE, 1000, 64_000), Reservation), "a stream can be cut off"


def test_what_others_hold_and_may_give_back_is_told_from_what_is_gone():
    account = Account("a", limit_tokens=10_000)
    other, held = (reserve((account,), MODEL, None, 1000, 4000) for _ in range(2))
    assert isinstance(held, Reservation)
    assert isinstance(other, Reservation)
    assert held.more(1) == 0
    assert held.others_hold(5000)
    assert not held.others_hold(5001)
    other.settle(2000, None)
    assert held.more(3001) == 3000
    assert not held.others_hold(1)


def test_a_refusal_says_which_budget_and_what_it_needs():
    spent = Account("the task fix", limit_usd=0.5, spent_usd=0.45)
    found = reserve((Account("other", limit_tokens=10**9), spent), MODEL, PRICE, 20_000, 4096)
    assert found == Shortfall(
        "the budget of the task fix is too small for this: 0.4500 of 0.5 dollars are spent, it needs about 0.0638"
    )
    spent.spent_usd = 0.5
    assert reserve((spent,), MODEL, PRICE, 1, 1) == Shortfall(
        "the budget of the task fix is used up: 0.5000 of 0.5 dollars"
    )


def test_a_model_without_a_price_fits_into_no_budget_of_dollars_and_into_every_one_of_tokens():
    refused = reserve((Account("the day", limit_usd=100.0),), "mystery", None, 10, 10)
    assert isinstance(refused, Shortfall)
    assert "no price is known for the model 'mystery'" in refused.reason
    assert isinstance(reserve((Account("the day", limit_tokens=1000),), "mystery", None, 10, 10), Reservation)


def test_a_model_that_costs_nothing_fits_into_any_budget_that_is_not_used_up():
    free = Price(input=0.0, output=0.0)
    assert isinstance(reserve((Account("a", limit_usd=0.01),), "local", free, 10**6, 4096), Reservation)


@unhurried
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 8192), st.integers(0, 3000), st.booleans()), max_size=40),
    st.floats(0.001, 0.5),
)
def test_whatever_is_asked_for_no_more_is_held_and_spent_than_there_is(requests, limit_usd):
    account = Account("all", limit_tokens=60_000, limit_usd=limit_usd)
    under_way = []
    for input_tokens, output_tokens, more, settles in requests:
        held = reserve((account,), MODEL, PRICE, input_tokens, output_tokens)
        if isinstance(held, Reservation):
            held.more(more)
            under_way.append(held)
        assert account.spent_usd + account.reserved_usd <= limit_usd + 1e-6
        assert account.spent_tokens + account.reserved_tokens <= 60_000
        if settles and under_way:
            done = under_way.pop(0)
            usage = Usage(done.input_tokens // 2, done.output_tokens)
            done.settle(usage.total, PRICE.usd(usage))
            assert account.spent_usd + account.reserved_usd <= limit_usd + 1e-6
    for held in under_way:
        held.settle(0, 0.0)
    assert account.reserved_tokens == 0
    assert account.reserved_usd == pytest.approx(0.0, abs=1e-9)
