"""Intervals: known values, and coverage counted out over every possible result."""

import doctest
from fractions import Fraction
from itertools import product
from math import comb

import pytest

from reeve.stats import intervals
from reeve.stats.intervals import TooFewScores, auc, clopper_pearson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # the ends with closed forms: 1 - (0.025)**(1/n), and 0.025**(1/n)
        (0, 10, 0.0, 1 - 0.025**0.1),
        (10, 10, 0.025**0.1, 1.0),
        (0, 100_000, 0.0, 1 - 0.025**1e-5),
        # R: binom.test(x, n)$conf.int
        (1, 10, 0.002528578544, 0.445016117028),
        (5, 10, 0.187086028447, 0.812913971553),
    ],
)
def test_the_exact_interval_has_its_known_ends(hits, trials, low, high):
    found = clopper_pearson(hits, trials)
    assert found.value == hits / trials
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("trials", [1, 4, 13])
def test_the_exact_interval_covers_every_share_at_least_as_often_as_it_promises(trials, confidence):
    ends = [clopper_pearson(hits, trials, confidence) for hits in range(trials + 1)]
    for step in range(1, 200):
        share = step / 200
        weights = [comb(trials, hits) * share**hits * (1 - share) ** (trials - hits) for hits in range(trials + 1)]
        covered = sum(w for w, end in zip(weights, ends, strict=True) if end.low <= share <= end.high)
        assert covered >= confidence - 1e-9, share


@pytest.mark.parametrize(("hits", "trials"), [(7, 40), (1, 300), (299, 300), (150, 300)])
def test_the_ends_are_where_a_tail_holds_its_part(hits, trials):
    found = clopper_pearson(hits, trials, 0.9)
    assert tail(trials, range(hits, trials + 1), found.low) == pytest.approx(0.05, abs=1e-9)
    assert tail(trials, range(hits + 1), found.high) == pytest.approx(0.05, abs=1e-9)


def tail(trials: int, hits: range, share: float) -> float:
    """Add up in whole numbers, so that no rounding of ours is checked against itself."""
    p = Fraction(share)
    return float(sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in hits))


def test_more_trials_of_the_same_share_are_surer():
    widths = [end.high - end.low for end in (clopper_pearson(n // 10, n) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


def test_what_cannot_be_is_refused_with_the_numbers():
    with pytest.raises(TooFewScores, match="no trials"):
        clopper_pearson(0, 0)
    with pytest.raises(ValueError, match="3 hits in 2 trials cannot be"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="confidence"):
        clopper_pearson(1, 2, 1.0)
    with pytest.raises(TooFewScores, match="1 positives and 2 negatives"):
        auc([1.0], [0.0, 1.0])


@pytest.mark.parametrize("scores", [([1, 2, 3], [2, 2, 0]), ([0.5, 0.5], [0.5, 0.5]), ([3, 1, 1, 2], [1, 2])])
def test_the_area_counts_pairs_and_half_of_the_ties(scores):
    positives, negatives = scores
    pairs = list(product(positives, negatives))
    won = sum(a > b for a, b in pairs) + sum(a == b for a, b in pairs) / 2
    assert auc(positives, negatives).value == pytest.approx(won / len(pairs))


def test_the_interval_of_the_area_is_that_of_delong():
    # by hand: the shares above are 1, 1, 1/2, 1 (variance 1/16), those below 1, 3/4 (variance 1/32)
    found = auc([4, 5, 2, 6], [1, 3])
    assert found.value == pytest.approx(0.875)
    half = 1.959963984540054 * (1 / 16 / 4 + 1 / 32 / 2) ** 0.5
    assert found.low == pytest.approx(0.875 - half)
    assert found.high == 1.0


def test_a_perfect_order_of_few_is_not_taken_for_certain():
    few, many = auc([2] * 5, [1] * 9), auc([2] * 50, [1] * 90)
    assert few.value == many.value == few.high == 1.0
    assert few.low == pytest.approx(0.025 ** (1 / 5))
    assert few.low < many.low < 1.0
    assert auc([1] * 5, [2] * 5).high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_the_examples_hold():
    assert doctest.testmod(intervals).attempted
    assert not doctest.testmod(intervals).failed
