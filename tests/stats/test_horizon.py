"""Time horizons: the exact optimum, the published bootstrap bit for bit, refusals, and intervals that cover."""

import doctest
import time
from dataclasses import replace
from math import log

import numpy as np
import pytest
from scipy.optimize import minimize

from outcomes import public, world
from reeve.policy.run_records import read_runs
from reeve.stats import ends, horizon, logistic, points, runs
from reeve.stats.horizon import horizons
from reeve.stats.logistic import NotConverged, fit
from reeve.stats.points import Points, affordable_resamples
from reeve.stats.resample import Resampler
from reeve.stats.runs import Runs

METR = "metr_runs_2025-02.jsonl.gz"


def of_one(minutes, score, agent="a", families=None):
    tasks = [f"t{number}" for number in range(len(minutes))]
    return Runs.of([agent] * len(minutes), tasks, families or tasks, minutes, score)


@pytest.fixture(scope="module")
def metr():
    return read_runs(public(METR)).runs


# ---------------------------------------------------------------- the optimum


def loss(at, x, y, w, penalty):
    z = at[0] + at[1] * x
    return float(w @ (np.logaddexp(0.0, z) - y * z) + penalty / 2.0 * at[1] ** 2)


def gradient(at, x, y, w, penalty):
    rest = w * (1.0 / (1.0 + np.exp(-(at[0] + at[1] * x))) - y)
    return np.array([rest.sum(), rest @ x + penalty * at[1]])


def solved_by_another(x, y, w, penalty):
    """An optimum that shares nothing with ours: a trust region, from scipy, run until no digit moves."""

    def curvature(at, x, y, w, penalty):
        chance = 1.0 / (1.0 + np.exp(-(at[0] + at[1] * x)))
        v = w * chance * (1.0 - chance)
        return np.array([[v.sum(), v @ x], [v @ x, v @ (x * x) + penalty]])

    found = minimize(loss, [0.0, -0.1], (x, y, w, penalty), "trust-exact", gradient, curvature, options={"gtol": 1e-13})
    return found.x


@pytest.mark.parametrize("penalty", [1e-5, 0.1])
def test_the_optimum_is_that_of_an_independent_solver_on_the_public_records(metr, penalty):
    found = horizons(metr, penalty=penalty, resamples=0).agents
    for place, agent in enumerate(metr.agents):
        own = metr.agent == place
        x, y, w = np.log2(metr.minutes[own]), metr.score[own], metr.weights[own]
        if y.sum() == 0:
            assert found[place].slope is None
            continue
        intercept, slope = solved_by_another(x, y, w, penalty)
        assert np.abs(gradient((found[place].intercept, found[place].slope), x, y, w, penalty)).max() < 1e-12, agent
        assert found[place].slope == pytest.approx(slope, rel=1e-6)
        for level in (0.5, 0.8, 0.95):
            expected = 2.0 ** ((log(level / (1 - level)) - intercept) / slope)
            assert found[place].horizon(level).minutes == pytest.approx(expected, rel=1e-6), agent


def test_the_weights_are_those_that_the_public_records_carry(metr):
    assert np.bincount(metr.agent, weights=metr.weights) == pytest.approx(1.0)
    # the agent with 3 successes in 485 runs: the penalty of before 2026 leaves it a horizon of a ten-thousandth second
    old = {each.agent: each for each in horizons(metr, penalty=0.1, resamples=0).agents}
    assert old["gpt-3.5-turbo-instruct"].horizon(0.5).minutes == pytest.approx(1.842e-6, rel=1e-3)
    # a task run often, and a family of many tasks, weigh less: 1 / (runs x square root of tasks in the family)
    some = Runs.of(["a"] * 4, ["t", "t", "u", "v"], ["f", "f", "f", "g"], [1.0] * 4, [1.0] * 4)
    raw = np.array([0.5, 0.5, 1.0, 2**0.5]) / 2**0.5
    assert some.weights == pytest.approx(raw / raw.sum())


@pytest.mark.parametrize("penalty", [1e-9, 1e-5, 0.1, 10.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_is_exact_whatever_the_penalty(seed, penalty):
    some = world(seed)
    found = horizons(some, penalty=penalty, resamples=0).agents[0]
    at = (found.intercept, found.slope)
    # A gradient this small against a curvature of at least 1e-3 in every direction bounds the distance by 1e-9.
    assert np.abs(gradient(at, np.log2(some.minutes), some.score, some.weights, penalty)).max() < 1e-12


def test_separated_data_have_an_optimum_too():
    found = horizons(of_one([1, 2, 4, 8], [1, 1, 0, 0]), resamples=0).agents[0]
    x, w = np.arange(4.0), np.full(4, 0.25)
    assert np.abs(gradient((found.intercept, found.slope), x, np.array([1, 1, 0, 0]), w, 1e-5)).max() < 1e-12
    assert found.horizon(0.5).minutes == pytest.approx(2**1.5)


def test_a_part_of_a_success_is_a_success_of_that_weight():
    """The published rule: a run with score s counts as s of a success and 1 - s of a failure."""
    x = np.log2([1.0, 2.0, 8.0, 64.0, 100.0])
    y, w = np.array([1.0, 0.7, 0.5, 0.2, 0.0]), np.full(5, 0.2)
    found = horizons(of_one(2**x, y), resamples=0).agents[0]
    doubled = np.concatenate([np.zeros(5), np.ones(5)]), np.concatenate([(1 - y) * w, y * w])
    expected = solved_by_another(np.tile(x, 2), *doubled, 1e-5)
    assert (found.intercept, found.slope) == pytest.approx(tuple(expected), rel=1e-6)
    assert found.successes == pytest.approx(2.4)


def test_many_fits_at_once_are_the_same_as_each_alone():
    rng = np.random.default_rng(1)
    design = np.stack([np.ones(9), np.arange(9.0), rng.normal(size=9)], axis=1)
    total = rng.uniform(0.1, 1.0, (40, 9))
    success = total * rng.uniform(0.0, 1.0, (40, 9))
    penalty = np.array([0.0, 1e-3, 1e-2])
    together = fit(design, total, success, penalty)
    assert together.error.max() < 1e-7
    for number in range(40):
        alone = fit(design, total[number : number + 1], success[number : number + 1], penalty)
        assert together.coefficients[number] == pytest.approx(alone.coefficients[0], rel=1e-9)


def test_an_optimum_that_is_not_reached_is_no_estimate(monkeypatch):
    monkeypatch.setattr(logistic, "MOST_STEPS", 2)
    with pytest.raises(NotConverged, match="1 of 1 curves did not reach their optimum in 2 steps"):
        horizons(of_one([1, 2, 4, 8], [1, 1, 0, 0]), resamples=0)


# ---------------------------------------------------------------- the resamples


def published(some: Runs, seed: int) -> np.ndarray:
    """The published scheme, written down from its description as plainly as can be."""
    rng = np.random.default_rng(seed)
    family = np.array(some.families)[some.family[some.task]]
    task, agent = np.array(some.tasks)[some.task], np.array(some.agents)[some.agent]

    def drawn(column, copies):
        for rows in copies:
            names = sorted(set(column[rows].tolist()))
            for name in rng.choice(len(names), size=len(names), replace=True):
                yield rows[column[rows] == names[name]]

    families = list(drawn(family, [np.arange(len(some))]))
    rows = np.concatenate(list(drawn(task, families)))
    key = np.array([f"{t}|||{a}" for t, a in zip(task[rows].tolist(), agent[rows].tolist(), strict=True)])
    uniform, begin, found = rng.random(len(rows)), 0, []
    for name in sorted(set(key.tolist())):
        group = rows[key == name]
        found.append(group[(uniform[begin : begin + len(group)] * len(group)).astype(np.int64)])
        begin += len(group)
    return np.concatenate(found)


@pytest.mark.parametrize("seed", range(42, 47))
def test_the_resamples_are_the_published_ones_bit_for_bit(metr, seed):
    assert np.array_equal(Resampler(metr).rows(seed), published(metr, seed))


@pytest.mark.parametrize("seed", range(20))
def test_so_are_those_of_odd_tables(seed):
    """Names that sort differently once joined, families of one task, agents that tried little, rows in any order."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    task = rng.choice(["a", "a|", "a/b", "a b", "ab", "Ω", "z"], size=count).tolist()
    agent = rng.choice(["x", "x|y", "!", "é"], size=count).tolist()
    family = [{"a": "F", "a|": "F", "z": "G"}.get(name, name) for name in task]
    odd = Runs.of(agent, task, family, [1.0] * count, rng.random(count))
    rows = published(odd, seed)
    assert np.array_equal(Resampler(odd).rows(seed), rows)
    drawn, gained = Resampler(odd).gains(seed)
    assert drawn.tolist() == np.bincount(odd.pairs[1][rows], minlength=len(odd.pairs[0])).tolist()
    assert gained == pytest.approx(np.bincount(odd.pairs[1][rows], odd.score[rows], minlength=len(drawn)))


def test_a_resample_keeps_runs_where_they_belong():
    """Drawn are families, then tasks, then runs of the same agent at the same task; weights stay what they were."""
    some = world(3, agents=(10.0, 40.0))
    rows = Resampler(some).rows(7)
    drawn = np.bincount(some.pairs[1][rows], minlength=len(some.pairs[0]))
    copies = drawn / np.bincount(some.pairs[1])
    by_task = {}
    for pair, count in zip(some.pairs[0].tolist(), copies.tolist(), strict=True):
        by_task.setdefault(pair // 2, set()).add(count)
    assert all(len(counts) == 1 for counts in by_task.values())  # both agents got every task equally often
    assert sum(next(iter(counts)) for counts in by_task.values()) > 0


def test_equal_seeds_give_equal_numbers_and_other_seeds_others():
    some = world(5, agents=(10.0, 40.0))
    first, again, other = (horizons(some, resamples=50, seed=seed) for seed in (1, 1, 5000))
    assert first.agents == again.agents
    assert first.agents[0].horizon(0.5).minutes == other.agents[0].horizon(0.5).minutes
    assert first.agents[0].horizon(0.5).low_minutes != other.agents[0].horizon(0.5).low_minutes


def in_part(some):
    """The same runs, some of them with a part of a success."""
    return replace(some, score=np.where(np.arange(len(some)) % 3, some.score, 0.5 * some.score))


@pytest.mark.parametrize("change", [lambda some: some, in_part], ids=["as counts", "as rows in another order"])
def test_a_large_table_is_drawn_otherwise_with_the_same_distribution(monkeypatch, change):
    """Over 2,000 resamples both ways of drawing agree: means within 6, spreads within 8 standard errors."""
    some = change(world(11, agents=(10.0, 60.0), runs=5))
    plain = horizons(some, resamples=2000)
    for module in (points, horizon):
        monkeypatch.setattr(module, "MANY_RUNS", 10)
    other = horizons(some, resamples=2000)
    assert (plain.as_published, other.as_published) == (True, False)
    for place in range(2):
        one, two = (each.log2_minutes(0.5)[0][:, place] for each in (plain, other))
        error = np.hypot(one.std(), two.std()) / np.sqrt(2000)
        assert abs(one.mean() - two.mean()) < 6 * error  # by chance less than once in 1e8
        assert 0.85 < one.std() / two.std() < 1.18  # a standard error is 0.022
        assert not np.array_equal(one, two)
    assert plain.agents[0].horizon(0.5).minutes == other.agents[0].horizon(0.5).minutes


def test_only_alike_runs_that_succeed_or_fail_are_drawn_as_counts():
    assert Points.of(of_one([1, 2, 4, 8], [1, 0, 1, 0])).countable
    assert not Points.of(of_one([1, 2, 4, 8], [1, 0.5, 0.5, 0])).countable
    assert not Points.of(Runs.of(["a"] * 2, ["t"] * 2, ["t"] * 2, [1.0, 2.0], [1, 0])).countable


def test_bins_of_lengths_hardly_move_a_curve(monkeypatch):
    """Resamples of a table with many lengths are fitted to bins; the optimum there is that of all lengths to 0.1 %."""
    rng = np.random.default_rng(1)
    minutes = 2.0 ** rng.uniform(-1.0, 11.0, 4000)
    some = of_one(minutes, (rng.random(4000) < 1.0 / (1.0 + (minutes / 30.0) ** 0.9)).astype(float))
    exact = horizons(some, resamples=0).agents[0]
    for name in ("MANY_RUNS", "MANY_POINTS"):
        monkeypatch.setattr(points, name, 10)
    binned = Points.for_resamples(some)
    curve, fitted = np.zeros((1, 1, 2)), np.zeros((1, 1), dtype=bool)
    binned.fit(*binned.observed(), 1e-5, curve, fitted)
    assert len(binned.agent) <= 12 * points.BINS_A_DOUBLING + 1
    assert curve[0, 0] == pytest.approx([exact.intercept, exact.slope], rel=1e-3)
    assert horizons(some, resamples=10).agents[0].slope == exact.slope  # the estimate itself is never binned


def test_only_a_huge_table_gets_fewer_resamples(monkeypatch):
    some = world(1)
    assert affordable_resamples(some) == 1000
    monkeypatch.setattr(points, "MANY_RUNS", 10)
    assert affordable_resamples(some) == 1000  # many runs, but of few tasks
    monkeypatch.setattr(points, "AFFORDABLE_NANOSECONDS", 3e6)
    assert 100 < affordable_resamples(some) < 1000
    monkeypatch.setattr(points, "AFFORDABLE_NANOSECONDS", 1.0)
    assert affordable_resamples(some) == 100


def test_a_large_table_of_the_worst_shape_costs_seconds():
    """Parts of successes, minutes of each run's own: 200,000 runs, and no more CPU than lets a million stay below ten
    seconds on a machine half as fast."""
    rng, count = np.random.default_rng(1), 200_000
    minutes = 2.0 ** rng.uniform(-1.0, 11.0, count)
    score = (rng.random(count) < 1.0 / (1.0 + minutes / 30.0)) * rng.random(count)
    names = tuple(f"t{number:03}" for number in range(500))
    places = np.arange(count)
    some = Runs(("a", "b"), names, names, np.arange(500), places % 2, (places // 2) % 500, minutes, score)
    before = time.process_time()
    found = horizons(some, resamples=affordable_resamples(some))
    assert time.process_time() - before < 8.0
    assert found.agents[0].horizon(0.5).low_minutes is not None
    assert len(found.curves) >= 100


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("minutes", "score", "reason"),
    [
        ([1, 2, 4], [0, 0, 0], "it failed in all 3 runs, at tasks of 1 to 4 minutes"),
        ([1, 2, 4], [1, 1, 1], "it succeeded in all 3 runs, at tasks of 1 to 4 minutes"),
        ([5, 5, 5], [1, 0, 1], "all its tasks take the same time (5 min)"),
        ([5], [1], "it succeeded in its only run, at tasks of 5 minutes"),
        ([1, 2, 4, 8], [0, 0, 1, 1], "its success does not fall with the length of tasks"),
        ([1, 2, 4, 8], [0.5, 0.5, 0.5, 0.5], "its success does not fall with the length of tasks"),
    ],
)
def test_where_there_is_no_horizon_there_is_a_reason(minutes, score, reason):
    found = horizons(of_one(minutes, score), resamples=20).agents[0]
    assert reason in found.reason
    assert all(at.minutes is None for at in found.horizons)
    assert found.horizon(0.5).low_minutes is None
    assert found.horizon(0.5).high_minutes is None
    assert (found.runs, found.successes) == (len(minutes), sum(score))


@pytest.mark.parametrize(("level", "needed"), [(0.5, 6), (0.8, 17), (0.95, 72)])
def test_an_agent_that_always_succeeds_has_a_lower_end_where_families_are_enough(level, needed):
    """Seen with a chance of at most 2.5 % below it: 0.5^6, 0.8^17 and 0.95^72 are the first powers so small."""
    minutes = np.arange(1.0, needed + 11.0)
    found = horizons(of_one(minutes, np.ones(len(minutes))), resamples=0, levels=(level,)).agents[0].horizons[0]
    assert (found.minutes, found.low_minutes, found.high_minutes) == (None, 11.0, None)
    few = horizons(of_one(minutes[: needed - 1], np.ones(needed - 1)), resamples=0, levels=(level,)).agents[0]
    assert few.horizons[0].low_minutes is None


@pytest.mark.parametrize(("level", "needed"), [(0.5, 6), (0.8, 3), (0.95, 2)])
def test_an_agent_that_never_succeeds_has_an_upper_end_where_families_are_enough(level, needed):
    minutes = np.arange(1.0, needed + 11.0)
    found = horizons(of_one(minutes, np.zeros(len(minutes))), resamples=0, levels=(level,)).agents[0].horizons[0]
    assert (found.minutes, found.low_minutes, found.high_minutes) == (None, None, float(needed))


def test_many_tasks_of_one_family_say_no_more_than_one():
    minutes = np.arange(1.0, 41.0)
    found = horizons(of_one(minutes, np.ones(40), families=["f"] * 40), resamples=0).agents[0]
    assert found.horizon(0.5).low_minutes is None


def test_the_lower_end_of_an_agent_that_always_succeeds_is_wrong_in_few_lives():
    """Of 4,000 lives at most 130 (2.5 % are 100; more than 130 once in 500) tell a p50 above the true one."""
    rng = np.random.default_rng(1)
    minutes = np.full(6, 30.0001)  # as close above a true p50 of 30 minutes as can be
    wrong = 0
    for _ in range(4000):
        score = (rng.random(6) < 0.5).astype(float)
        if score.all():
            wrong += (horizons(of_one(minutes, score), resamples=0).agents[0].horizon(0.5).low_minutes or 0.0) > 30.0
    assert 0 < wrong <= 130


def test_the_agent_that_hardly_ever_succeeds_gets_no_interval(metr):
    """The published code leaves out the resamples without a success: 15 % of these, all on one side."""
    found = {each.agent: each for each in horizons(metr, resamples=200).agents}
    rare = found["gpt-3.5-turbo-instruct"]
    assert rare.horizon(0.5).beyond
    assert rare.horizon(0.5).low_minutes is None
    assert "resamples have no curve that falls" in rare.reason
    assert found["davinci-002"].reason.startswith("it failed in all 68 runs")
    assert found["o1-preview"].reason == ""


def test_a_curve_too_flat_for_numbers_says_so():
    found = horizons(of_one([1, 2, 4, 8], [1, 1, 1, 0]), resamples=5, penalty=100.0, levels=(0.01,)).agents[0]
    assert found.horizon(0.01).minutes is None
    assert found.reason == "p1 cannot be told: the curve is so flat that it lies beyond all numbers"


def test_no_resamples_no_intervals_and_it_says_so():
    found = horizons(world(1), resamples=0).agents[0]
    assert found.horizon(0.5).minutes is not None
    assert found.reason == "no intervals: no resamples were asked for"


def test_what_cannot_be_is_refused():
    some = world(1)
    for penalty in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a penalty is above 0"):
            horizons(some, penalty=penalty)
    with pytest.raises(ValueError, match="not negative"):
        horizons(some, resamples=-1)
    with pytest.raises(ValueError, match="one family"):
        Runs.of(["a", "a"], ["t", "t"], ["f", "g"], [1, 1], [0, 1])
    with pytest.raises(ValueError, match="above 0"):
        of_one([0.0], [1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        of_one([1.0], [1.5])
    with pytest.raises(KeyError):
        horizons(some, resamples=0).agents[0].horizon(0.9)


# ---------------------------------------------------------------- coverage


@pytest.mark.parametrize(
    ("spread", "families"), [(0.0, 30), (0.7, 30), (2.0, 12)], ids=["tasks alike", "families differ", "few, very"]
)
def test_the_interval_holds_the_true_horizon(spread, families):
    """Of 150 lives at least 132: an interval that covers 95 % (90 %) falls below once in 20,000 (in 5)."""
    held = 0
    for seed in range(150):
        some = world(seed, families=families, family_spread=spread)
        found = horizons(some, resamples=120, levels=(0.5,)).agents[0].horizons[0]
        held += (found.low_minutes or 0.0) <= 30.0 <= (found.high_minutes or np.inf)
    assert held >= 132


def test_it_is_not_sure_of_a_wrong_one_either():
    """An interval that always held would say nothing: from 400 runs it excludes a horizon eight times as long."""
    held = sum(
        (horizons(world(seed, runs=8), resamples=120, levels=(0.5,)).agents[0].horizons[0].high_minutes or np.inf) > 240
        for seed in range(30)
    )
    assert held <= 6


@pytest.mark.parametrize("module", [ends, horizon, logistic, runs], ids=lambda module: module.__name__)
def test_the_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
