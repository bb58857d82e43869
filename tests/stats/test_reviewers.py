"""Reviewers who err: refusals, known values, and coverage of the corrected rate by simulation."""

import doctest

import numpy as np
import pytest

from reeve.stats import reviewers
from reeve.stats.intervals import Estimate
from reeve.stats.reviewers import Reviewers, corrected_rate
from reeve.stats.risk import Refused


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="more found than known"):
        Reviewers(known_bad=3, found_bad=4, known_good=3, found_good=3)
    with pytest.raises(ValueError, match="5 wrong of 4 audited"):
        corrected_rate(5, 4, Reviewers(40, 36, 40, 38))


@pytest.mark.parametrize(
    ("audited", "seeded", "reason"),
    [
        (0, Reviewers(40, 36, 40, 38), "no result was audited"),
        (50, Reviewers(0, 0, 40, 38), "no known-bad item was reviewed"),
        (50, Reviewers(40, 38, 0, 0), "no known-good item was reviewed"),
        (50, Reviewers(40, 20, 40, 22), "20 of 40 wrong items found wrong and 22 of 40 right ones found right do not"),
        (50, Reviewers(2, 2, 2, 1), "2 of 2 wrong items found wrong and 1 of 2 right ones"),
    ],
)
def test_without_what_it_takes_it_refuses_with_the_reason(audited, seeded, reason):
    found = corrected_rate(0, audited, seeded)
    assert isinstance(found, Refused)
    assert found.reason.startswith(reason)


def test_perfect_reviewers_change_little_and_strict_ones_are_corrected():
    plain = corrected_rate(10, 100, Reviewers(1000, 1000, 1000, 1000))
    assert isinstance(plain, Estimate)
    assert plain.value == pytest.approx(0.1)
    assert plain.low < 0.06
    assert plain.high > 0.15
    strict = corrected_rate(32, 100, Reviewers(100, 100, 100, 68))  # who turn down a third of what is right
    assert isinstance(strict, Estimate)
    assert strict.value == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("rate", "se", "sp", "audited", "bad", "good"),
    [
        (0.0, 0.90, 0.95, 100, 40, 40),
        (0.02, 0.90, 0.97, 200, 40, 40),
        (0.05, 0.90, 0.90, 100, 30, 30),
        (0.05, 0.90, 0.70, 1000, 20, 20),  # where most of what is not known is how strict reviewers are
        (0.10, 0.80, 0.68, 150, 40, 40),
        (0.30, 0.95, 0.95, 100, 50, 50),
    ],
)
def test_the_interval_covers_the_true_rate_about_as_often_as_it_says(rate, se, sp, audited, bad, good):
    rng, covered, given = np.random.default_rng(1), 0, 0
    called = rate * se + (1 - rate) * (1 - sp)
    for _ in range(3000):
        seeded = Reviewers(bad, rng.binomial(bad, se), good, rng.binomial(good, sp))
        found = corrected_rate(rng.binomial(audited, called), audited, seeded)
        if isinstance(found, Estimate):
            given += 1
            covered += found.low <= rate <= found.high
    assert given > 2940
    assert covered / given >= 0.95 - 3 * (0.05 * 0.95 / given) ** 0.5


def test_the_examples_are_true():
    found = doctest.testmod(reviewers)
    assert found.attempted
    assert not found.failed
