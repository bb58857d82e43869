"""Horizons from the ledger's own attempts, and the check-in interval that follows from them."""

import doctest
from dataclasses import replace

import pytest

from outcomes import chain_world, world
from reeve.policy import horizon
from reeve.policy.horizon import TIERS_SECONDS, AttemptRow, check_in, estimate
from reeve.stats.axes import axes
from reeve.stats.horizon import AgentHorizon, Horizon, horizons


def attempts(some, **changes):
    """The rows of a made-up world."""
    return [
        AttemptRow(
            agent=some.agents[agent],
            task=some.tasks[task],
            family=some.families[some.family[task]],
            human_minutes=minutes,
            success=score,
            **changes,
        )
        for agent, task, minutes, score in zip(
            some.agent.tolist(), some.task.tolist(), some.minutes.tolist(), some.score.tolist(), strict=True
        )
    ]


def agent(low_minutes, longest_minutes=600.0, reason=""):
    at = Horizon(0.95, 30.0, low_minutes, None, beyond=False)
    return AgentHorizon("a", 9, 5.0, 9, 1.0, longest_minutes, 1.0, -1.0, (at,), reason)


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"human_minutes": 0.0}, "human minutes lie above 0"),
        ({"human_minutes": -1.0}, "human minutes lie above 0"),
        ({"human_minutes": float("nan")}, "human minutes lie above 0"),
        ({"success": float("nan")}, "between 0 and 1"),
        ({"success": 2.0}, "between 0 and 1"),
        ({"family": "g"}, "a task belongs to one family"),
        ({"chain_steps": 9.0}, "'t' has two sizes, 7.0 and 9.0: it must be known before an attempt"),
        ({"chain_steps": 0.0}, "a size of a task is above 0 and finite, not 0.0"),
        ({"files_touched": float("nan")}, "a size of a task is above 0 and finite, not nan"),
    ],
)
def test_an_attempt_that_cannot_be_is_refused(change, message):
    good = AttemptRow("a@1", "t", 5.0, 1.0, "f", chain_steps=7.0)
    with pytest.raises(ValueError, match=message):
        estimate([good, replace(good, **change)])


def test_a_reliability_that_was_not_estimated_is_refused():
    with pytest.raises(KeyError):
        check_in(agent(10.0), 0.9)


def test_a_cap_that_is_no_tier_is_refused():
    with pytest.raises(ValueError, match="a cap is one of"):
        check_in(agent(10.0), 0.95, cap_seconds=7200.0)


# ---------------------------------------------------------------- estimates


def test_the_ledger_gives_what_run_records_give():
    some = world(2, agents=(10.0, 40.0))
    found = estimate(attempts(some), resamples=30)
    assert tuple(found.agents.values()) == horizons(some, resamples=30).agents
    assert found.notes == ()


def test_attempts_at_tasks_that_nobody_estimated_are_left_out_and_counted():
    some = world(2)
    more = [AttemptRow("a0", "new", None, 1.0), AttemptRow("b", "new", None, 0.0)]
    found = estimate([*attempts(some), *more], resamples=10)
    assert list(found.agents) == ["a0"]
    assert found.notes == ("2 attempts at tasks without human minutes left out",)
    assert estimate(more).agents == {}
    assert estimate([]).notes == ()


def test_a_task_without_a_family_is_its_own():
    rows = attempts(world(2, tasks=1))
    alone = estimate([replace(row, family="") for row in rows], resamples=0).agents["a0"]
    assert alone.slope == pytest.approx(estimate(rows, resamples=0).agents["a0"].slope, rel=1e-9)


def test_chains_that_are_known_give_success_over_both_axes():
    some, steps, files = chain_world(2)
    rows = [replace(row, chain_steps=steps[row.task], files_touched=files[row.task]) for row in attempts(some)]
    found = estimate(rows, resamples=20)
    assert found.axes == axes(some, steps, files, resamples=20)
    assert estimate([replace(row, chain_steps=None) for row in rows], resamples=0).axes is None
    assert estimate([replace(row, files_touched=None) for row in rows], resamples=0).axes.left_out == 0


# ---------------------------------------------------------------- check-ins


@pytest.mark.parametrize(
    ("low_minutes", "seconds", "tier_seconds", "reason"),
    [
        (0.001, 1.0, 1.0, "the lower end of p95 is below a second"),
        (0.5, 30.0, 1.0, "the lower end of p95"),
        (1.0, 60.0, 60.0, "the lower end of p95"),
        (22.0, 1320.0, 60.0, "the lower end of p95"),
        (90.0, 5400.0, 3600.0, "the lower end of p95"),
        (500.0, 18000.0, 18000.0, "the most that is allowed"),
    ],
)
def test_the_lower_end_decides_up_to_five_hours(low_minutes, seconds, tier_seconds, reason):
    found = check_in(agent(low_minutes), 0.95)
    assert (found.seconds, found.tier_seconds, found.reason) == (seconds, tier_seconds, reason)


@pytest.mark.parametrize("cap_seconds", TIERS_SECONDS)
def test_the_owner_may_allow_less(cap_seconds):
    found = check_in(agent(500.0), 0.95, cap_seconds=cap_seconds)
    assert (found.seconds, found.tier_seconds) == (cap_seconds, cap_seconds)


def test_what_was_never_tried_is_not_allowed():
    """A curve may promise hours from tasks of minutes; nobody has seen that."""
    found = check_in(agent(200.0, longest_minutes=15.0), 0.95)
    assert (found.seconds, found.reason) == (900.0, "the longest task that was tried")


def test_without_a_lower_end_somebody_looks_every_second_and_it_says_why():
    assert check_in(agent(None, reason="it failed"), 0.95).reason == "p95 has no lower end: it failed"
    assert check_in(agent(None), 0.95).seconds == 1.0
    assert check_in(None, 0.8).tier_seconds == 1.0


def test_an_agent_that_always_succeeds_earns_its_interval_by_the_number_of_families():
    """At 95 %, 72 families without a failure are needed: 0.95^72 is the first power below 2.5 %."""
    rows = [AttemptRow("a@1", f"t{number}", 60.0 + number, 1.0) for number in range(72)]
    assert check_in(estimate(rows, resamples=0).agents["a@1"], 0.95).seconds == 3600.0
    fewer = check_in(estimate(rows[1:], resamples=0).agents["a@1"], 0.95)
    assert (fewer.seconds, fewer.reason.startswith("p95 has no lower end: it succeeded in all 71 runs")) == (1.0, True)


def test_the_examples_hold():
    assert doctest.testmod(horizon).attempted
    assert not doctest.testmod(horizon).failed
