"""Parts of the results that are certified one by one: refusals, the promise simulated, and what it costs."""

import doctest

import numpy as np
import pytest

from reeve.policy.levels import levels_of
from reeve.records import Policy
from reeve.stats import levels
from reeve.stats.anytime import Certificate
from reeve.stats.levels import Levels
from reeve.stats.risk import Threshold, fixed_sequence

SHARES = (0.5, 0.2, 0.2, 0.1)
LEAST = (0.0, 0.9, 0.95, 0.975)


@pytest.mark.parametrize("shares", [(), (0.5, 0.0), (0.5, -0.1), (0.7, 0.4), (float("nan"),)])
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(ValueError, match="shares are above 0 and at most 1 together"):
        Levels(shares, 0.05, 0.95)


@pytest.mark.parametrize(("rate", "confidence"), [(0.0, 0.9), (0.05, 1.0), (0.05, -3.0)])
def test_numbers_outside_0_and_1_are_refused(rate, confidence):
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        Levels(SHARES, rate, confidence)


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 counts and 4 parts"):
        Levels(SHARES, 0.05, 0.95).after([(3, 1)])
    with pytest.raises(ValueError, match="2 wrong of 1 audited"):
        Levels((1.0,), 0.05, 0.95).after([(1, 2)])


def test_each_part_has_the_certificate_of_its_share():
    found = Levels(SHARES, 0.05, 0.95).after([(0, 0), (100, 1), (96, 0), (95, 0)])
    alone = [Certificate(0.05, 1.0 - share * 0.05) for share in SHARES]
    assert found == tuple(
        each.at(*counts) for each, counts in zip(alone, [(0, 0), (100, 1), (96, 0), (95, 0)], strict=True)
    )


def test_one_part_with_all_of_the_chance_is_the_certificate_itself():
    assert Levels((1.0,), 0.05, 0.95).after([(300, 8)]) == (Certificate(0.05, 0.95).at(300, 8),)


@pytest.mark.parametrize(("rate", "confidence", "alone", "now"), [(0.05, 0.95, 79, 96), (0.1, 0.9, 31, 39)])
def test_everything_costs_little_more_than_if_it_were_the_only_level(rate, confidence, alone, now):
    shares = tuple(level.share for level in levels_of(Policy("", highest_escape_rate=rate, confidence=confidence)))
    assert sum(shares) == pytest.approx(1.0)
    counts = [(0, 0)] * len(shares)
    assert Levels((1.0,), rate, confidence).after([(0, 0)])[0].more_clean_audits_needed == alone
    assert Levels(shares, rate, confidence).after(counts)[0].more_clean_audits_needed == now


# ---------------------------------------------------------------- the promise


def looked_at_after_every_audit(lives, audits, seed, wrong_at, score_of=None):
    """Play lives: each audit is of a result that is wrong with a chance, and whose score may answer what came before.

    `wrong_at(score, number)` is the chance; `score_of(uniform, wrong_so_far, number)` gives the scores. Returns for
    each level and life whether at some look it was certified while the mean chance of its audits was not below 5 %.
    """
    rng = np.random.default_rng(seed)
    bars = [_most_wrong(Certificate(0.05, 1.0 - share * 0.05), audits) for share in SHARES]
    number, wrong, chance = (np.zeros((len(SHARES), lives), kind) for kind in (int, int, float))
    let_down = np.zeros((len(SHARES), lives), bool)
    found = np.zeros(lives, int)
    for audit in range(audits):
        score = rng.random(lives) if score_of is None else score_of(rng.random(lives), found, audit)
        p = np.broadcast_to(wrong_at(score, audit), (lives,))
        is_wrong = rng.random(lives) < p
        found += is_wrong
        for level, least in enumerate(LEAST):
            inside = score >= least
            number[level] += inside
            wrong[level] += inside & is_wrong
            chance[level] += inside * p
            certified = wrong[level] <= bars[level][number[level]]
            let_down[level] |= certified & (chance[level] >= 0.05 * number[level] - 1e-9)
    return let_down


def _most_wrong(certificate, audits):
    """List for each number of audits with how many wrong ones it still certifies; -1: with none."""
    bounds, most = [-1], -1
    for number in range(1, audits + 1):
        while most < number and certificate.at(number, most + 1).certified:
            most += 1
        bounds.append(most)
    return np.array(bounds)


def drifting(_score, audit):
    """Good for a hundred audits, then worse than allowed, so that the mean comes back to 5 % again and again."""
    return 0.02 if audit % 200 < 100 else 0.0805


def chosen_after(uniform, wrong_so_far, _audit):
    """Score high while few were found wrong: whoever scores knows all that was found before, and plays on it."""
    return np.where(wrong_so_far % 2 == 0, 0.9 + uniform / 10.0, uniform)


@pytest.mark.parametrize(
    ("wrong_at", "score_of", "least"),
    [
        (lambda _score, _audit: 0.05, None, 0.005),
        (lambda _score, _audit: 0.05, chosen_after, 0.005),
        (drifting, None, 0.0),
        (drifting, chosen_after, 0.0),
    ],
    ids=["just too bad", "chosen scores", "drift", "drift and chosen scores"],
)
def test_in_ten_thousand_lives_one_of_twenty_at_most_is_let_down(wrong_at, score_of, least):
    """Over all levels and all looks together; all levels just too bad is the worst there is."""
    share = looked_at_after_every_audit(10_000, 500, 1, wrong_at, score_of).any(axis=0).mean()
    assert least <= share <= 0.05


def test_the_simulation_finds_what_breaks_the_promise(monkeypatch):
    """With the whole chance of failing for each level, more lives are let down."""
    monkeypatch.setattr("test_levels.SHARES", (1.0, 1.0, 1.0, 1.0))
    broken = looked_at_after_every_audit(10_000, 500, 1, lambda _score, _audit: 0.05, chosen_after)
    assert broken.any(axis=0).mean() > 0.05


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
