"""Exact bounds for one look: known values, their promise counted out, and thresholds whose promise is simulated."""

import doctest

import numpy as np
import pytest
from scipy import special, stats

from reeve.stats import beta, risk
from reeve.stats.risk import Refused, Threshold, audits_needed, fixed_sequence, upper_bound

# ---------------------------------------------------------------- the beta distribution


@pytest.mark.parametrize("x", [1e-6, 0.01, 0.05, 0.3, 0.5, 0.97])
@pytest.mark.parametrize(("a", "b"), [(1, 30), (1, 1), (0.3, 0.7), (12, 400), (900, 40), (3, 100_000)])
def test_the_beta_distribution_agrees_with_scipy(x, a, b):
    expected = special.betainc(a, b, x)
    if 1e-290 < expected < 1 - 1e-12:
        assert beta.log_below(x, a, b) == pytest.approx(np.log(expected), rel=1e-9, abs=1e-12)
    assert beta.log_beta(a, b) == pytest.approx(special.betaln(a, b), rel=1e-10)


def test_its_logarithm_goes_on_where_the_share_itself_is_nothing():
    assert special.betainc(1500, 1500, 0.01) == 0.0
    # the first term of the series and a bound on the rest: x**a (1-x)**b / (a B(a, b)) and at most x / (1 - x) of it more
    first = 1500 * np.log(0.01) + 1500 * np.log(0.99) - np.log(1500) - special.betaln(1500, 1500)
    assert first < beta.log_below(0.01, 1500, 1500) < first + np.log(1.05)
    assert beta.log_below(0.0, 2, 3) == -np.inf
    assert beta.log_below(1.0, 2, 3) == 0.0


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, -2), (float("nan"), 1)])
def test_parameters_that_cannot_be_are_refused(a, b):
    with pytest.raises(ValueError, match="two parameters above 0"):
        beta.log_below(0.5, a, b)


def test_a_quantile_of_no_share_is_refused():
    with pytest.raises(ValueError, match=r"a share lies between 0 and 1, not at 1\.0"):
        beta.quantile(1.0, 1, 1)


# ---------------------------------------------------------------- one bound


@pytest.mark.parametrize(("wrong", "audited"), [(3, 2), (-1, 4), (0, -1)])
def test_counts_that_cannot_be_are_refused(wrong, audited):
    with pytest.raises(ValueError, match="cannot be"):
        upper_bound(wrong, audited, 0.95)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 95, float("nan")])
def test_rates_and_confidences_outside_0_and_1_are_refused(value):
    with pytest.raises(ValueError, match="a confidence lies between 0 and 1, not at"):
        upper_bound(0, 10, value)
    with pytest.raises(ValueError, match="a highest rate lies between 0 and 1, not at"):
        audits_needed(value, 0.95)


def test_without_audits_anything_may_be():
    assert upper_bound(0, 0, 0.95) == 1.0
    assert upper_bound(4, 4, 0.95) == 1.0


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("wrong", "audited"), [(0, 1), (0, 59), (1, 3), (7, 40), (12, 10_000), (9_999, 10_000)])
def test_the_bound_is_that_of_clopper_and_pearson(wrong, audited, confidence):
    exact = stats.beta.ppf(confidence, wrong + 1, audited - wrong)
    assert upper_bound(wrong, audited, confidence) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("audited", [1, 5, 30])
def test_the_bound_holds_at_least_as_often_as_it_promises_for_every_rate(audited):
    bounds = np.array([upper_bound(wrong, audited, 0.9) for wrong in range(audited + 1)])
    for rate in np.linspace(0.001, 0.999, 300):
        held = stats.binom.pmf(np.arange(audited + 1), audited, rate)[bounds >= rate].sum()
        assert held >= 0.9 - 1e-9


@pytest.mark.parametrize(
    ("rate", "confidence", "needed"),
    [
        (0.05, 0.95, (59, 93, 124, 153)),
        (0.05, 0.90, (45, 77, 105, 132)),
        (0.02, 0.95, (149, 236, 313, 386)),
        (0.02, 0.90, (114, 194, 265, 333)),
        (0.01, 0.95, (299, 473, 628, 773)),
        (0.01, 0.90, (230, 388, 531, 667)),
    ],
)
def test_audits_needed_are_the_tabulated_ones_and_no_fewer_do(rate, confidence, needed):
    assert tuple(audits_needed(rate, confidence, wrong) for wrong in range(4)) == needed
    for wrong, audits in enumerate(needed):
        assert upper_bound(wrong, audits, confidence) <= rate < upper_bound(wrong, audits - 1, confidence)


# ---------------------------------------------------------------- a threshold


def test_columns_that_do_not_fit_and_scores_that_are_none_are_refused():
    with pytest.raises(ValueError, match="2 scores and 1 results of audits do not belong together"):
        fixed_sequence([0.1, 0.2], [True], 0.05, 0.9)
    with pytest.raises(ValueError, match="nan and infinity were found"):
        fixed_sequence([float("nan")], [True], 0.05, 0.9)
    with pytest.raises(ValueError, match="at least one level is tested, not 0"):
        fixed_sequence([0.1] * 60, [False] * 60, 0.05, 0.9, levels=0)


def test_too_few_audits_are_refused_with_the_number_that_is_missing():
    found = fixed_sequence([0.9] * 14, [False] * 14, 0.05, 0.9)
    assert found == Refused("14 audited results; 45 without a wrong one are the fewest that could do", 31)


def test_a_wrong_result_among_the_surest_is_refused_with_the_number_that_makes_up_for_it():
    scores = [1 - n / 1000 for n in range(60)]
    found = fixed_sequence(scores, [n == 3 for n in range(60)], 0.05, 0.9)
    assert isinstance(found, Refused)
    assert found.reason.startswith("1 of the 45 surest results were wrong: up to 8.")
    assert found.more_clean_audits_needed == audits_needed(0.05, 0.9, 1) - 45


def test_clean_audits_let_everything_through_and_equal_scores_are_never_parted():
    found = fixed_sequence([0.5] * 80, [False] * 80, 0.05, 0.9)
    assert isinstance(found, Threshold)
    assert (found.score, found.accepted, found.wrong, found.levels) == (0.5, 80, 0, 1)
    assert found.upper_bound == upper_bound(0, 80, 0.9)
    mixed = fixed_sequence([0.9] * 50 + [0.2] * 50, [False] * 50 + [True] * 50, 0.05, 0.9)
    assert isinstance(mixed, Threshold)
    assert (mixed.score, mixed.accepted, mixed.levels_passed, mixed.levels) == (0.9, 50, 1, 2)


def test_the_order_in_which_audits_are_told_makes_no_difference():
    rng = np.random.default_rng(5)
    scores, wrongs = rng.random(300), rng.random(300) < 0.02
    order = rng.permutation(300)
    assert fixed_sequence(scores, wrongs, 0.05, 0.9) == fixed_sequence(scores[order], wrongs[order], 0.05, 0.9)


def share_of_violations(risk_above, wrong_at, highest_rate, confidence, lives, seed):
    """Count the lives in which the true rate above the threshold is too high; scores are uniform."""
    rng = np.random.default_rng(seed)
    violated = 0
    for _ in range(lives):
        scores = rng.random(400)
        wrongs = rng.random(400) < wrong_at(scores)
        found = fixed_sequence(scores.tolist(), wrongs.tolist(), highest_rate, confidence)
        violated += isinstance(found, Threshold) and risk_above(found.score) > highest_rate
    return violated / lives


def test_the_threshold_is_too_loose_with_the_promised_chance_at_most_where_the_rate_grows_slowly():
    def wrong_at(scores):
        return 0.1 * (1 - scores)  # above a threshold t: 0.05 (1 - t), too high nowhere but at the very end

    def steep(scores):
        return 0.3 * (1 - scores)

    lives = 1500
    for wrong, factor in ((wrong_at, 0.05), (steep, 0.15)):
        rate = share_of_violations(lambda t, f=factor: f * (1 - t), wrong, 0.05, 0.9, lives, seed=11)
        assert rate <= 0.1 + 3 * (0.1 * 0.9 / lives) ** 0.5


def test_the_threshold_is_too_loose_with_the_promised_chance_at_most_where_every_threshold_is_just_too_loose():
    lives = 3000
    rate = share_of_violations(lambda _: 0.0501, lambda scores: np.full(len(scores), 0.0501), 0.05, 0.9, lives, seed=3)
    assert 0.05 < rate <= 0.1 + 3 * (0.1 * 0.9 / lives) ** 0.5  # not idle either: clean audits do come by chance


@pytest.mark.parametrize("module", [beta, risk])
def test_the_examples_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
