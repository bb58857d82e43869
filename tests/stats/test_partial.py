"""Cells that lean on each other: refusals, the two limits, and coverage by simulation."""

import doctest

import numpy as np
import pytest

from reeve.stats import partial
from reeve.stats.intervals import clopper_pearson
from reeve.stats.partial import PooledRate, Spread, partially_pooled, spread
from reeve.stats.pass_at_k import Tally
from reeve.stats.risk import Refused


def test_a_confidence_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a confidence lies between 0 and 1, not at 95"):
        partially_pooled({}, confidence=95)


def test_few_cells_stand_alone_and_an_empty_one_is_refused():
    found = partially_pooled({"a": Tally(10, 7), "b": Tally(0, 0), "c": Tally(4, 0)})
    exact = clopper_pearson(7, 10)
    assert found["a"] == PooledRate(exact.value, exact.low, exact.high, weight_of_own=1.0, pooled=False)
    assert isinstance(found["b"], Refused)
    assert partially_pooled({}) == {}


def test_an_empty_cell_among_many_gets_what_the_others_say():
    found = partially_pooled({name: Tally(50, 40) for name in "abcdef"} | {"new": Tally(0, 0)})
    new = found["new"]
    assert isinstance(new, PooledRate)
    assert (new.weight_of_own, new.pooled) == (0.0, True)
    assert new.value == pytest.approx(0.8, abs=0.03)
    assert new.low < found["a"].low < found["a"].high < new.high


def test_cells_that_are_alike_pool_and_cells_that_differ_do_not():
    alike = partially_pooled({name: Tally(20, 10 + name % 2) for name in range(8)})
    apart = partially_pooled({name: Tally(20, 20 * (name % 2)) for name in range(8)})
    assert alike[0].weight_of_own < 0.25
    assert apart[0].weight_of_own > 0.8
    assert alike[0].high - alike[0].low < 0.6 * (clopper_pearson(10, 20).high - clopper_pearson(10, 20).low)


@pytest.mark.parametrize(
    ("a", "b", "cells", "most"), [(6, 4, 8, 40), (1, 1, 5, 20), (30, 2, 6, 30), (0.3, 0.3, 10, 20)]
)
def test_intervals_cover_the_rates_of_cells_about_as_often_as_they_say(a, b, cells, most):
    rng, covered, lives = np.random.default_rng(2), 0, 40
    for _ in range(lives):
        rates, attempts = rng.beta(a, b, cells), rng.integers(2, most, cells)
        passed = rng.binomial(attempts, rates)
        found = partially_pooled({n: Tally(int(attempts[n]), int(passed[n])) for n in range(cells)})
        covered += sum(found[n].low <= rates[n] <= found[n].high for n in range(cells))
    assert covered / (lives * cells) >= 0.95 - 3 * (0.05 * 0.95 / (lives * cells)) ** 0.5


def test_the_spread_of_tasks_is_found():
    rng = np.random.default_rng(3)
    tallies = [Tally(5, int(rng.binomial(5, rng.beta(1.2, 1.8)))) for _ in range(400)]
    found = spread(tallies)
    assert isinstance(found, Spread)
    assert found.mean == pytest.approx(0.4, abs=0.05)
    assert found.concentration == pytest.approx(3.0, rel=0.25)


@pytest.mark.parametrize("tallies", [[], [Tally(5, 1), Tally(5, 4)], [Tally(1, 1)] * 30, [Tally(0, 0)] * 5])
def test_a_spread_that_cannot_be_seen_is_refused(tallies):
    found = spread(tallies)
    assert isinstance(found, Refused)
    assert "3 and 2 are the fewest" in found.reason


def test_the_examples_are_true():
    found = doctest.testmod(partial)
    assert found.attempted
    assert not found.failed
