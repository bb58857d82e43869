"""Estimators: unbiased, and silent rather than wrong when there is too little data."""

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve.stats.pass_at_k import Tally, TooFewAttempts, mean_pass_at_k, mean_pass_hat_k, pass_at_k, pass_hat_k


@given(st.integers(1, 8), st.data())
def test_pass_at_k_and_pass_hat_k_count_the_subsets_of_attempts(attempts, data):
    passed = data.draw(st.integers(0, attempts))
    k = data.draw(st.integers(1, attempts))
    results = [True] * passed + [False] * (attempts - passed)
    subsets = [chosen for chosen in product([0, 1], repeat=attempts) if sum(chosen) == k]
    any_passed = sum(any(r and c for r, c in zip(results, chosen, strict=True)) for chosen in subsets)
    all_passed = sum(all(r or not c for r, c in zip(results, chosen, strict=True)) for chosen in subsets)
    tally = Tally(attempts, passed)
    assert pass_at_k(tally, k) == pytest.approx(any_passed / len(subsets))
    assert pass_hat_k(tally, k) == pytest.approx(all_passed / len(subsets))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_both_are_unbiased(k):
    p, n = Fraction(3, 10), 4
    weight = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    at = sum(float(w) * pass_at_k(Tally(n, c), k) for c, w in enumerate(weight))
    hat = sum(float(w) * pass_hat_k(Tally(n, c), k) for c, w in enumerate(weight))
    assert at == pytest.approx(float(1 - (1 - p) ** k))
    assert hat == pytest.approx(float(p**k))


def test_one_attempt_is_the_same_number_for_both():
    tally = Tally(5, 2)
    assert pass_at_k(tally, 1) == pytest.approx(pass_hat_k(tally, 1)) == pytest.approx(0.4)


def test_too_few_attempts_are_refused_with_the_numbers():
    with pytest.raises(TooFewAttempts, match="3 attempts cannot be judged from 2"):
        pass_at_k(Tally(2, 1), 3)
    with pytest.raises(TooFewAttempts):
        mean_pass_at_k([Tally(3, 1), Tally(1, 1)], 2)
    with pytest.raises(TooFewAttempts, match="no task"):
        mean_pass_hat_k([], 1)


def test_a_tally_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="3 passed of 2 attempts cannot be"):
        Tally(2, 3)


def test_every_task_weighs_the_same():
    assert mean_pass_at_k([Tally(10, 10), Tally(2, 0)], 1) == 0.5
