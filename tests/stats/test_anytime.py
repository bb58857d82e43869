"""Certificate and alarm: their promise simulated over whole lives, with a look after every audit."""

import doctest

import numpy as np
import pytest

from reeve.stats import anytime
from reeve.stats.anytime import Alarm, Certificate, weighted_rate
from reeve.stats.risk import Refused, audits_needed

LIVES = 10_000
AUDITS = 1500

# (rate before, rate after): median audits until the alarm goes off, and until the certificate ends; docs/trust.md.
DELAYS = {(0.05, 0.10): (271, 1), (0.01, 0.10): (364, 12), (0.01, 0.30): (32, 2)}


def certified_up_to(certificate: Certificate, audits: int) -> np.ndarray:
    """Give for each number of audits the most wrong ones with which it certifies; -1 for none."""
    most, bounds = -1, []
    for number in range(1, audits + 1):
        while most < number and certificate.at(number, most + 1).certified:
            most += 1
        bounds.append(most)
    return np.array(bounds)


@pytest.fixture(scope="module")
def bounds():
    return certified_up_to(Certificate(0.05, 0.95), AUDITS)


@pytest.mark.parametrize("kind", [Certificate, Alarm])
@pytest.mark.parametrize("numbers", [(0.0, 0.95), (0.05, 1.0), (5, 0.95), (float("nan"), 0.9)])
def test_numbers_outside_0_and_1_are_refused(kind, numbers):
    with pytest.raises(ValueError, match="lies between 0 and 1, not at"):
        kind(*numbers)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="3 wrong of 2 audited cannot be"):
        Certificate(0.05, 0.95).at(2, 3)


def test_nothing_is_certified_before_the_first_audit_and_it_says_how_many_are_missing():
    found = Certificate(0.05, 0.95).after([])
    assert (found.e_value, found.certified, found.audits) == (pytest.approx(1.0), False, 0)
    assert found.more_clean_audits_needed == 79
    assert found.more_clean_audits_needed > audits_needed(0.05, 0.95)  # the price of looking every time


@pytest.mark.parametrize("wrongs", [[], [True], [False] * 60 + [True] * 3, [True] * 400])
def test_the_missing_audits_are_exactly_those_that_certify(wrongs):
    certificate = Certificate(0.05, 0.95)
    missing = certificate.after(wrongs).more_clean_audits_needed
    assert certificate.after(wrongs + [False] * missing).certified
    assert not certificate.after(wrongs + [False] * (missing - 1)).certified


def test_the_stake_is_the_mean_over_all_bets():
    """The closed form against the sum over rates that it stands for."""
    rate, wrong, clean = 0.05, 2, 70
    q = (np.arange(200_000) + 0.5) / 200_000 * rate
    prior = (1 - q) ** (1.5 / rate - 1)
    growth = (q / rate) ** wrong * ((1 - q) / (1 - rate)) ** clean
    found = Certificate(rate, 0.95).after([True] * wrong + [False] * clean)
    assert found.e_value == pytest.approx((prior * growth).sum() / prior.sum(), rel=1e-7)


def test_in_ten_thousand_lives_at_the_highest_rate_a_look_is_wrong_in_one_of_twenty_at_most(bounds):
    wrong = np.random.default_rng(1).random((LIVES, AUDITS), dtype=np.float32) < 0.05
    share = (wrong.cumsum(axis=1, dtype=np.int32) <= bounds).any(axis=1).mean()
    assert 0.02 < share <= 0.05


def test_whatever_the_rate_does_a_look_certifies_a_mean_that_is_too_high_in_one_life_of_twenty_at_most(bounds):
    """Five good audits and then bad ones; waves; and an adversary who is good while the stake is high."""
    rng = np.random.default_rng(2)
    steps = np.arange(AUDITS)
    rates = {
        "good, then bad": np.where(steps < 150, 0.0, 0.1),
        "bad, then good": np.where(steps < 300, 0.1, 0.0),
        "waves": 0.05 + 0.05 * np.sin(steps / 40),
        "just above": np.where(steps % 2 == 0, 0.0, 0.1001),
    }
    for name, rate in rates.items():
        wrong = rng.random((LIVES // 2, AUDITS), dtype=np.float32) < rate
        certified = wrong.cumsum(axis=1, dtype=np.int32) <= bounds
        too_high = np.cumsum(rate) / (steps + 1) >= 0.05
        assert (certified & too_high).any(axis=1).mean() <= 0.05, name


def test_an_adversary_who_answers_to_the_audits_gains_nothing(bounds):
    """Good until nearly certified, then as bad as the mean allows: the rate answers to what was found."""
    rng = np.random.default_rng(3)
    lives = 4000
    wrong, mean, violated = np.zeros(lives, dtype=int), np.zeros(lives), np.zeros(lives, dtype=bool)
    for number in range(1, 401):
        near = wrong <= bounds[min(number + 15, AUDITS - 1)]
        rate = np.where(near, 0.3, 0.0)
        wrong += rng.random(lives) < rate
        mean += rate
        violated |= (wrong <= bounds[number - 1]) & (mean / number >= 0.05)
    assert violated.mean() <= 0.05


def test_an_earlier_certificate_is_no_promise_once_the_rate_has_risen(bounds):
    """Why `certified` is that of the present look: of the first looks that certify, all would be wrong later."""
    rate = np.where(np.arange(AUDITS) < 150, 0.0, 0.2)
    wrong = np.random.default_rng(4).random((500, AUDITS)) < rate
    certified = wrong.cumsum(axis=1) <= bounds
    assert certified.any(axis=1).all()
    assert not certified[:, -1].any()


# ---------------------------------------------------------------- the alarm


def alarms_raised(alarm: Alarm, wrong: np.ndarray) -> np.ndarray:
    """Give for each life (a row) the audit at which the alarm goes off, 0 if it does not: `Alarm.after`, by columns."""
    lives, audits = wrong.shape
    bets = np.array(alarm._rates())
    placed, raised = np.zeros((lives, len(bets))), np.zeros(lives, dtype=int)
    for number in range(1, audits + 1):
        new = anytime._kept(number - 1) - anytime._kept(number)
        factor = np.where(wrong[:, number - 1, None], bets / alarm.highest_rate, (1 - bets) / (1 - alarm.highest_rate))
        placed = (placed + new) * factor
        stake = anytime._kept(number) + placed.mean(axis=1)
        raised[(raised == 0) & (stake >= 1 / (1 - alarm.confidence))] = number
    return raised


def test_the_alarm_by_columns_is_the_alarm():
    wrong = np.random.default_rng(5).random((20, 300)) < 0.12
    alarm = Alarm(0.05, 0.95)
    one_by_one = [alarm.after(row.tolist()).raised_after or 0 for row in wrong]
    assert alarms_raised(alarm, wrong).tolist() == one_by_one
    assert any(one_by_one)


def test_in_ten_thousand_lives_at_the_highest_rate_the_alarm_goes_off_in_one_of_twenty_at_most():
    wrong = np.random.default_rng(6).random((LIVES, 1000), dtype=np.float32) < 0.05
    share = (alarms_raised(Alarm(0.05, 0.95), wrong) > 0).mean()
    assert 0.005 < share <= 0.05


def test_a_doubled_rate_is_noticed_and_the_delay_is_the_one_in_the_documentation(bounds):
    """Median delays in audits, of the alarm and of the certificate's own end, after 200 audits at the rate before."""
    rng = np.random.default_rng(7)
    found = {}
    for before, after in ((0.05, 0.10), (0.01, 0.10), (0.01, 0.30)):
        wrong = rng.random((1000, AUDITS)) < np.where(np.arange(AUDITS) < 200, before, after)
        raised = alarms_raised(Alarm(0.05, 0.95), wrong)
        ended = wrong[:, 200:].cumsum(axis=1) + wrong[:, :200].sum(axis=1, keepdims=True) > bounds[200:]
        alarm = np.where(raised > 200, raised - 200, np.where(raised == 0, 10**6, 0))
        found[before, after] = (int(np.median(alarm)), int(np.median(ended.argmax(axis=1) + 1)))
    for rates, delays in DELAYS.items():
        assert found[rates] == pytest.approx(delays, rel=0.15, abs=3), rates
    # 145 audits is what no test of this confidence can be under for a doubling: ln 20 over the divergence of 0.1 from 0.05


def test_the_alarm_stays_on():
    alarm = Alarm(0.05, 0.95)
    found = alarm.after([True] * 6 + [False] * 400)
    assert found.raised
    assert found.raised_after is not None
    assert found.raised_after <= 6
    assert found.e_value >= 20  # as it was then
    assert (found.audits, found.wrong) == (406, 6)


def test_an_alarm_for_a_rate_that_cannot_be_doubled_works():
    assert Alarm(0.6, 0.95).after([True] * 40).raised
    assert not Alarm(0.6, 0.95).after([True, False] * 40).raised


# ---------------------------------------------------------------- chosen audits


def test_weighted_audits_refuse_what_they_cannot_weigh():
    with pytest.raises(ValueError, match="lies above 0 and is at most 1"):
        weighted_rate([True], [0.0])
    with pytest.raises(ValueError, match="1 results of audits and 2 chances"):
        weighted_rate([True], [0.5, 0.5])
    assert weighted_rate([], []) == Refused("no result was audited")


def test_weighted_audits_find_the_rate_that_plain_counting_misses():
    rng = np.random.default_rng(8)
    wrong = rng.random(40_000) < 0.03
    chance = np.where(wrong ^ (rng.random(40_000) < 0.2), 0.5, 0.02)  # mostly the wrong ones are suspected
    drawn = rng.random(40_000) < chance
    assert wrong[drawn].mean() > 0.08
    assert weighted_rate(wrong[drawn].tolist(), chance[drawn].tolist()) == pytest.approx(0.03, abs=0.006)


def test_the_examples_are_true():
    found = doctest.testmod(anytime)
    assert found.attempted
    assert not found.failed
