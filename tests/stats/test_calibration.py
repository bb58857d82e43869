"""Chances that a result is right: refusals, known optima, parts that share no task, and what the bins say."""

import doctest

import numpy as np
import pytest
from scipy import optimize

from reeve.stats import calibration
from reeve.stats.calibration import Calibration, Model, Quality, brier, fit_model, isotonic, part_of, quality
from reeve.stats.risk import Refused

# ---------------------------------------------------------------- refusals


def test_columns_that_do_not_fit_and_values_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"each result has one row of the 2 features \['a', 'b'\]"):
        fit_model(["a", "b"], [[1.0]], [True])
    with pytest.raises(ValueError, match="feature 'b' of result 2 is nan, no number"):
        fit_model(["a", "b"], [[1.0, 2.0], [1.0, float("nan")]], [True, False])
    with pytest.raises(ValueError, match="a penalty lies above 0, not at 0"):
        fit_model(["a"], [[1.0]], [True], penalty=0)
    with pytest.raises(ValueError, match="2 scores and 1 outcomes do not belong together"):
        isotonic([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="nan or infinity was found"):
        quality([float("inf")], [True])
    with pytest.raises(ValueError, match="each from 0 to 1"):
        brier([1.2], [True])
    with pytest.raises(ValueError, match="at least one bin"):
        quality([0.5], [True], bins=0)
    with pytest.raises(ValueError, match="shares lie above 0"):
        part_of("a", [1, 0], seed=1)


@pytest.mark.parametrize("right", [0, 9, 31, 40])
def test_too_few_of_either_outcome_are_refused_with_the_counts(right):
    correct = [True] * right + [False] * (40 - right)
    scores = [n / 40 for n in range(40)]
    for found in (fit_model(["a"], [[score] for score in scores], correct), isotonic(scores, correct)):
        assert isinstance(found, Refused)
        assert found.reason == f"{right} right and {40 - right} wrong results; at least 10 of each are needed"
    assert quality([], []) == Refused("there is no result to judge the chances by")


def test_a_model_refuses_features_it_was_not_fitted_to():
    found = fit_model(["a"], [[float(n % 2)] for n in range(80)], [n % 4 < 2 for n in range(80)])
    assert isinstance(found, Model)
    with pytest.raises(ValueError, match="1 features that are numbers are asked for"):
        found.chance([1.0, 2.0])
    with pytest.raises(ValueError, match="1 features that are numbers"):
        found.chance([float("nan")])
    with pytest.raises(ValueError, match="nan was found"):
        Calibration((0.0,), (0.5,)).chance(float("nan"))


# ---------------------------------------------------------------- the fit


def test_the_fit_is_the_optimum_that_another_solver_finds():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 3)) * [1.0, 50.0, 0.01] + [0.0, 7.0, 3.0]
    correct = rng.random(300) < 1 / (1 + np.exp(-(rows[:, 0] + (rows[:, 1] - 7) / 50)))
    found = fit_model(["a", "b", "c"], rows.tolist(), correct.tolist(), penalty=2.0)
    design = np.column_stack([np.ones(300), (rows - rows.mean(axis=0)) / rows.std(axis=0)])

    def loss(at):
        z = design @ at
        return np.logaddexp(0, z).sum() - z[correct].sum() + (at[1:] ** 2).sum()

    other = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    assert isinstance(found, Model)
    assert found.coefficients == pytest.approx(other, abs=1e-4)
    z = design @ found.coefficients
    assert [found.chance(row) for row in rows.tolist()] == pytest.approx((1 / (1 + np.exp(-z))).tolist())


def test_a_feature_that_never_changes_says_nothing_and_one_that_parts_all_is_held_back_by_the_penalty():
    correct = [n % 2 == 0 for n in range(40)]
    found = fit_model(["same", "all"], [[3.0, float(good)] for good in correct], correct)
    assert isinstance(found, Model)
    assert found.coefficients[1] == 0.0
    assert 0.9 < found.chance([3.0, 1.0]) < 0.999
    assert found.chance([99.0, 1.0]) == found.chance([3.0, 1.0])


def test_chances_far_out_do_not_overflow():
    found = fit_model(["a"], [[float(n)] for n in range(60)], [n > 30 for n in range(60)])
    assert isinstance(found, Model)
    assert found.chance([-1e9]) == pytest.approx(0.0)
    assert found.chance([1e9]) == pytest.approx(1.0)


# ---------------------------------------------------------------- calibration


def test_isotonic_is_the_least_squares_fit_that_never_falls():
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 60, 400) / 60  # with ties
    correct = rng.random(400) < scores**2
    found = isotonic(scores.tolist(), correct.tolist())
    assert isinstance(found, Calibration)
    distinct, place = np.unique(scores, return_inverse=True)
    weights = np.bincount(place)
    other = optimize.isotonic_regression(np.bincount(place, weights=correct) / weights, weights=weights).x
    assert [found.chance(score) for score in distinct] == pytest.approx(other.tolist())
    assert all(low < high for low, high in zip(found.chances, found.chances[1:], strict=False))
    assert found.chance(-5.0) == found.chances[0]
    assert found.chance(5.0) == found.chances[-1]


def test_scores_that_are_too_sure_are_calibrated():
    rng = np.random.default_rng(3)
    truth = rng.random(6000)
    said = 1 / (1 + np.exp(-3 * np.log(truth / (1 - truth))))
    correct = rng.random(6000) < truth
    found = isotonic(said[:3000].tolist(), correct[:3000].tolist())
    assert isinstance(found, Calibration)
    before = quality(said[3000:].tolist(), correct[3000:].tolist())
    after = quality([found.chance(score) for score in said[3000:]], correct[3000:].tolist())
    assert isinstance(before, Quality)
    assert isinstance(after, Quality)
    assert after.brier < before.brier - 0.02
    off = [sum(e.count * abs(e.mean_chance - e.correct.value) for e in each.bins) / 3000 for each in (before, after)]
    assert off[0] > 0.1
    assert off[1] < 0.04


# ---------------------------------------------------------------- parts


def test_parts_share_no_cluster_have_their_shares_and_depend_on_the_seed():
    names = [f"task-{number}" for number in range(4000)]
    parts = [part_of(name, [2, 1, 1], seed=1) for name in names]
    shares = np.bincount(parts) / len(parts)
    assert shares.tolist() == pytest.approx([0.5, 0.25, 0.25], abs=0.03)
    assert parts == [part_of(name, [2, 1, 1], seed=1) for name in names]
    other = [part_of(name, [2, 1, 1], seed=2) for name in names]
    assert 0.3 < np.mean(np.array(parts) == other) < 0.45  # 3/8 where the two have nothing to do with each other


# ---------------------------------------------------------------- quality


def test_quality_of_true_chances_and_the_bins_cover_them():
    rng, covered, bins = np.random.default_rng(4), 0, 0
    for _ in range(60):
        chances = rng.random(100)
        found = quality(chances.tolist(), (rng.random(100) < chances).tolist(), bins=4)
        assert isinstance(found, Quality)
        covered += sum(each.correct.low <= each.mean_chance <= each.correct.high for each in found.bins)
        bins += len(found.bins)
    assert covered / bins >= 0.95 - 3 * (0.05 * 0.95 / bins) ** 0.5


def test_saying_the_base_rate_for_all_is_what_other_chances_are_measured_by():
    found = quality([0.25] * 40, [n % 4 == 0 for n in range(40)])
    assert isinstance(found, Quality)
    assert found.brier == pytest.approx(found.brier_of_base_rate)
    assert found.auc is not None
    assert found.auc.value == 0.5
    assert len(found.bins) == 1


def test_where_all_are_right_there_is_no_area():
    found = quality([0.9, 1.0], [True, True])
    assert isinstance(found, Quality)
    assert found.auc is None
    assert [each.count for each in found.bins] == [2]


def test_the_examples_are_true():
    found = doctest.testmod(calibration)
    assert found.attempted
    assert not found.failed
