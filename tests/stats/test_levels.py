"""A threshold that is asked for after every audit: refusals, its promise simulated, and what it costs."""

import doctest

import numpy as np
import pytest

from reeve.stats import levels
from reeve.stats.anytime import Certificate
from reeve.stats.levels import Levels
from reeve.stats.risk import Threshold, fixed_sequence

GRID = (0.975, 0.95, 0.9, 0.0)


@pytest.mark.parametrize("thresholds", [(), (0.5, 0.5), (float("nan"),), (float("inf"), 0.5)])
def test_thresholds_that_are_none_are_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds are one number or more, each once"):
        Levels(thresholds, 0.05, 0.95)


@pytest.mark.parametrize(("rate", "confidence"), [(0.0, 0.9), (0.05, 1.0), (0.05, -3.0)])
def test_numbers_outside_0_and_1_are_refused(rate, confidence):
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        Levels(GRID, rate, confidence)


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 scores and 2 results"):
        Levels(GRID, 0.05, 0.95).after([0.5], [True, False])
    with pytest.raises(ValueError, match="nan or infinity"):
        Levels(GRID, 0.05, 0.95).after([float("nan")], [True])


def test_nothing_is_granted_before_audits_and_the_missing_ones_are_exact():
    grid = Levels(GRID, 0.05, 0.95)
    start = grid.after([], [])
    assert start.threshold is None
    missing = start.more_clean_audits_needed
    assert missing == Certificate(0.05, 1 - 0.05 / 4).after([]).more_clean_audits_needed
    assert grid.after([0.96] * (missing - 1), [False] * (missing - 1)).threshold is None
    granted = grid.after([0.96] * missing, [False] * missing)
    assert granted.threshold == 0.0  # they count for the looser levels too
    assert [level.evidence.certified for level in granted.levels] == [False, True, True, True]


def test_wrong_results_below_a_threshold_do_not_count_against_it():
    scores, wrongs = [0.99] * 150 + [0.2] * 50, [False] * 150 + [True] * 50
    granted = Levels(GRID, 0.05, 0.95).after(scores, wrongs)
    assert granted.threshold == 0.9
    assert granted.more_clean_audits_needed > 100


def test_a_score_at_the_threshold_is_in_the_level():
    assert Levels((0.9,), 0.05, 0.95).after([0.9] * 10, [False] * 10).levels[0].evidence.audits == 10
    assert Levels((0.9,), 0.05, 0.95).after([0.8999] * 10, [False] * 10).levels[0].evidence.audits == 0


def test_one_level_is_the_certificate_itself():
    wrongs = [n % 40 == 0 for n in range(300)]
    alone = Levels((0.0,), 0.05, 0.95).after([0.5] * 300, wrongs)
    assert alone.levels[0].evidence == Certificate(0.05, 0.95).after(wrongs)


def looked_at_after_every_audit(lives, audits, seed, wrong_at):
    """Play lives; gives scores and results by life, and for each level the looks at which it is certified."""
    rng = np.random.default_rng(seed)
    scores = rng.random((lives, audits))
    wrong = rng.random((lives, audits)) < wrong_at(scores)
    certificate, bounds, most = Certificate(0.05, 1 - 0.05 / len(GRID)), [-1], -1
    for number in range(1, audits + 1):
        while most < number and certificate.at(number, most + 1).certified:
            most += 1
        bounds.append(most)
    certified = {}
    for threshold in GRID:
        inside = scores >= threshold
        number = inside.cumsum(axis=1)
        certified[threshold] = (wrong & inside).cumsum(axis=1) <= np.array(bounds)[number]
    return scores, wrong, certified


def test_over_all_levels_and_all_looks_together_one_life_of_twenty_at_most_is_let_down():
    """All levels are just too bad, which is the worst there is."""
    _, _, certified = looked_at_after_every_audit(3000, 900, 1, lambda scores: np.full(scores.shape, 0.05))
    let_down = np.logical_or.reduce([looks.any(axis=1) for looks in certified.values()]).mean()
    assert 0.005 < let_down <= 0.05


def test_the_looks_are_those_of_levels():
    scores, wrong, certified = looked_at_after_every_audit(5, 400, 2, lambda scores: 0.08 * (1 - scores))
    for life in range(5):
        for look in (150, 399):
            found = Levels(GRID, 0.05, 0.95).after(scores[life, : look + 1].tolist(), wrong[life, : look + 1].tolist())
            assert [each.evidence.certified for each in found.levels] == [bool(certified[t][life, look]) for t in GRID]


def test_a_fixed_sequence_that_is_asked_after_every_audit_breaks_its_promise():
    """Why there are levels: the same question put again and again to the method for one look."""
    rng, broken, lives = np.random.default_rng(3), 0, 60
    for _ in range(lives):
        scores, wrongs = rng.random(500).tolist(), (rng.random(500) < 0.0501).tolist()
        looks = range(60, 500, 20)
        found = [fixed_sequence(scores[:look], wrongs[:look], 0.05, 0.95) for look in looks]
        broken += any(isinstance(each, Threshold) for each in found)
    assert broken / lives > 0.1


def test_the_examples_are_true():
    found = doctest.testmod(levels)
    assert found.attempted
    assert not found.failed
