"""Success over two axes: refusals, the optimum against another solver, what is planted is found, intervals that cover."""

from math import log

import numpy as np
import pytest
from scipy.optimize import minimize

from outcomes import chain_world
from reeve.stats.axes import axes
from reeve.stats.runs import Runs


def planned(minutes, steps, score, agent="a"):
    """One run at each of some tasks, and their chains."""
    tasks = [f"t{number}" for number in range(len(minutes))]
    return Runs.of([agent] * len(tasks), tasks, tasks, minutes, score), dict(zip(tasks, steps, strict=True))


# ---------------------------------------------------------------- refusals


def test_without_any_known_chain_there_is_nothing_to_say():
    some, steps, files = chain_world(1)
    for chains, touched in (({}, {}), ({"other": 3.0}, {}), (steps, {"other": 3.0})):
        with pytest.raises(ValueError, match="no run is at a task whose chain of actions is known"):
            axes(some, chains, touched)
    assert axes(some, steps, files, resamples=0).left_out == 0


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_an_agent_that_always_or_never_succeeds_has_shares_and_no_effects(score):
    some, steps = planned(2.0 ** np.arange(9), [1, 5, 2, 8, 3, 9, 4, 7, 6], [score] * 9)
    found = axes(some, steps, {}, resamples=5).agents[0]
    assert (found.intercept, found.effects, found.chains) == (None, (), ())
    assert found.reason.startswith("it succeeded or failed in all runs")
    assert {(cell.observed, cell.chance) for cell in found.cells if cell.runs} == {(score, None)}


def test_chains_that_grow_with_minutes_alone_are_not_told_apart():
    """Two steps a minute at every task: either axis could be the cause."""
    minutes = 2.0 ** np.arange(9)
    some, steps = planned(minutes, minutes * 2, [1, 1, 0, 1, 1, 0, 0, 1, 0])
    found = axes(some, steps, {}, resamples=5).agents[0]
    assert found.effects == ()
    assert found.reason.startswith("its tasks do not tell complexity and chain apart")
    assert sum(cell.runs for cell in found.cells) == 9


def test_a_chain_of_one_length_is_no_axis():
    some, steps = planned([1, 2, 4, 8], [5] * 4, [1, 0, 1, 0])
    found = axes(some, steps, {}, resamples=0)
    assert len(found.chain_bands) == 1
    assert found.agents[0].reason.startswith("its tasks do not tell complexity and chain apart")


def test_success_that_grows_with_the_chain_has_no_length_at_which_it_ends():
    some, steps, files = chain_world(4, effects=(-0.5, -0.3, 0.6))
    assert all(at.steps is None for at in axes(some, steps, files, resamples=0).agents[0].chains)


# ---------------------------------------------------------------- estimates


def test_the_optimum_is_that_of_an_independent_solver():
    some, steps, files = chain_world(2)
    found = axes(some, steps, files, resamples=0, penalty=0.01)
    sizes = np.log2(
        [[some.minutes[row], files[some.tasks[t]], steps[some.tasks[t]]] for row, t in enumerate(some.task)]
    )
    off = sizes - sizes.mean(axis=0)
    x = np.column_stack([np.ones(len(sizes)), sizes, off[:, 0] * off[:, 2]])
    for place, agent in enumerate(found.agents):
        own = some.agent == place
        z, y, w = x[own], some.score[own], some.weights[own]

        def loss(b, z=z, y=y, w=w):
            return float(w @ (np.logaddexp(0.0, z @ b) - y * (z @ b)) + 0.005 * (b[1:] ** 2).sum())

        def slope(b, z=z, y=y, w=w):
            return (w * (1.0 / (1.0 + np.exp(-z @ b)) - y)) @ z + 0.01 * np.array([0.0, *b[1:]])

        best = minimize(loss, np.zeros(5), jac=slope, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000}).x
        assert [agent.intercept, *(each.per_doubling for each in agent.effects)] == pytest.approx(best, abs=1e-6)


def test_what_is_planted_is_found():
    some, steps, files = chain_world(5, tasks=600, runs=4)
    found = axes(some, steps, files, resamples=0).agents[0]
    assert [each.variable for each in found.effects[:3]] == ["human_minutes", "files_touched", "chain_steps"]
    assert [each.per_doubling for each in found.effects] == pytest.approx([-0.5, -0.3, -0.6, 0.0], abs=0.12)


def test_the_horizon_in_steps_is_where_the_curve_passes():
    some, steps, files = chain_world(5, tasks=600, runs=4)
    found = axes(some, steps, files, resamples=0, levels=(0.5, 0.8)).agents[0]
    typical_files = np.median(np.log2([files[some.tasks[t]] for t in some.task]))
    rest = 6.0 - 0.5 * np.log2(found.typical_minutes) - 0.3 * typical_files
    for at in found.chains:
        true = 2.0 ** ((rest - log(at.success / (1 - at.success))) / 0.6)
        assert np.log2(at.steps) == pytest.approx(np.log2(true), abs=0.5)
    assert found.chains[1].steps < found.chains[0].steps


def test_cells_hold_all_runs_and_the_curve_agrees_with_what_was_seen():
    some, steps, files = chain_world(5, tasks=600, runs=4)
    found = axes(some, steps, files, resamples=50)
    assert (len(found.minutes_bands), len(found.chain_bands)) == (3, 3)
    for agent in found.agents:
        assert sum(cell.runs for cell in agent.cells) == agent.runs == 2400
        for cell in agent.cells:
            assert cell.chance == pytest.approx(cell.observed, abs=0.12)
            assert cell.low <= cell.chance <= cell.high


def test_two_lengths_make_two_bands():
    some, steps = planned([1, 2, 4, 8, 16, 32], [5, 50, 5, 50, 50, 5], [1, 0, 1, 0, 1, 0])
    found = axes(some, steps, {}, resamples=0)
    assert [(band.low, band.high) for band in found.chain_bands] == [(5, 5), (50, 50)]


def test_runs_at_tasks_without_a_chain_are_left_out_and_counted():
    some, steps, files = chain_world(2)
    first = dict(list(steps.items())[:30])
    found = axes(some, first, files, resamples=0)
    assert found.left_out == 30 * 2 * 3
    assert axes(some, steps, first, resamples=0).left_out == 30 * 2 * 3
    assert [each.variable for each in axes(some, steps, {}, resamples=0).agents[0].effects][1] == "chain_steps"


def test_equal_seeds_give_equal_numbers():
    some, steps, files = chain_world(2)
    first, again, other = (axes(some, steps, files, resamples=20, seed=seed) for seed in (1, 1, 9000))
    assert first == again
    assert first.agents[0].effects[0].low != other.agents[0].effects[0].low


# ---------------------------------------------------------------- coverage


def test_the_intervals_hold_what_was_planted():
    """Of 60 lives at least 49 for each of four effects: intervals that cover 95 % (90 %) fall below once in 20,000 (60)."""
    held = np.zeros(4)
    for seed in range(60):
        some, steps, files = chain_world(seed, agents=(6.0,), spread=0.3)
        effects = axes(some, steps, files, resamples=120).agents[0].effects
        for place, (effect, true) in enumerate(zip(effects, (-0.5, -0.3, -0.6, 0.0), strict=True)):
            held[place] += (effect.low if effect.low is not None else -np.inf) <= true
            held[place] -= true > (effect.high if effect.high is not None else np.inf)
    assert held.min() >= 49


def test_they_are_not_so_wide_that_they_say_nothing():
    """From 120 tasks the interval of the effect of the chain lies below zero in at least 18 of 20 lives."""
    below = 0
    for seed in range(20):
        some, steps, files = chain_world(seed, agents=(6.0,), tasks=120)
        effect = axes(some, steps, files, resamples=120).agents[0].effects[2]
        below += effect.high is not None and effect.high < 0
    assert below >= 18
