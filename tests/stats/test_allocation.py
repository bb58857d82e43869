"""How many attempts: refusals, the bound that false passes set, and the plan against what is brought in by simulation."""

import doctest

import numpy as np
import pytest

from reeve.stats import allocation
from reeve.stats.allocation import Candidate, Plan, Stakes, belief, plan
from reeve.stats.pass_at_k import Tally
from reeve.stats.risk import Refused

FAIR = Stakes(value_usd=10, escape_cost_usd=40, false_pass_rate=0.05)


@pytest.mark.parametrize(("solved", "unsolved", "cost"), [(0, 1, 1), (1, -1, 1), (1, 1, -0.1), (float("nan"), 1, 1)])
def test_a_candidate_that_cannot_be_is_refused(solved, unsolved, cost):
    with pytest.raises(ValueError, match="Candidate"):
        Candidate("a", solved, unsolved, cost)


@pytest.mark.parametrize("change", [{"value_usd": -1}, {"escape_cost_usd": float("nan")}, {"false_pass_rate": 1.1}])
def test_stakes_that_cannot_be_are_refused(change):
    with pytest.raises(ValueError, match="Stakes"):
        Stakes(**({"value_usd": 1, "escape_cost_usd": 1, "false_pass_rate": 0.1} | change))


def test_candidates_of_one_name_and_less_than_no_attempts_are_refused():
    twice = [Candidate("a", 1, 1, 1)] * 2
    with pytest.raises(ValueError, match="each agent stands once"):
        plan(twice, FAIR, 3)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        plan(twice[:1], FAIR, -1)


def test_nobody_and_no_attempts_make_an_empty_plan_that_says_why():
    assert plan([], FAIR, 3) == Plan((), "no agent could try")
    assert plan([Candidate("a", 1, 1, 0)], FAIR, 0) == Plan((), "the limit of 0 attempts")
    dear = plan([Candidate("dear", 1, 1, 100)], FAIR, 3)
    assert dear.steps == ()
    assert dear.stopped == "the next attempt ('dear', chance 50%) gains -96.00 USD"


def test_what_a_false_pass_costs_makes_the_number_of_attempts_finite_even_when_they_cost_nothing():
    free = [Candidate("a", 1, 2, cost_usd=0)]
    lengths = [
        len(plan(free, Stakes(10, 40, false_pass_rate=rate), most_attempts=500).steps) for rate in (0.0, 0.01, 0.1, 0.2)
    ]
    assert lengths[0] == 500
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[1] < 500
    # 10 p > 0.1 * 40 (1 - p), so as long as p > 2 / 7, and p after k failures is 1 / (3 + k)
    assert lengths[2:] == [1, 0]


def test_a_failure_turns_to_another_agent_the_more_the_less_they_fail_together():
    strong, other = Candidate("strong", 2, 1, cost_usd=1), Candidate("other", 3, 2, cost_usd=1)
    apart = plan([strong, other], Stakes(10, 0, 0.0, shared=0.0), most_attempts=2)
    assert [step.agent for step in apart.steps] == ["strong", "other"]
    assert apart.steps[1].chance == pytest.approx(3 / 5)
    together = plan([strong, other], Stakes(10, 0, 0.0, shared=1.0), most_attempts=2)
    assert together.steps[1].chance == pytest.approx(1 / 2)


def test_checks_that_turn_down_right_results_make_a_failure_say_less():
    agent = [Candidate("a", 1, 1, cost_usd=0)]
    sharp = plan(agent, Stakes(10, 0, 0.0, true_pass_rate=1.0), 2).steps[1].chance
    blunt = plan(agent, Stakes(10, 0, 0.0, true_pass_rate=0.5), 2).steps[1].chance
    assert sharp == pytest.approx(1 / 3)
    assert sharp < blunt < 1 / 2


def gain_of(attempts, rng, solved, unsolved, stakes, cost):
    """Play the rule out: what so many attempts bring on average where chances are spread as believed."""
    chance = rng.beta(solved, unsolved, 200_000)
    total, going = np.zeros(len(chance)), np.ones(len(chance), dtype=bool)
    for _ in range(attempts):
        right = rng.random(len(chance)) < chance
        passed = right | (rng.random(len(chance)) < stakes.false_pass_rate)
        worth = np.where(right, stakes.value_usd, np.where(passed, -stakes.escape_cost_usd, 0.0))
        total += going * (worth - cost)
        going &= ~passed
    return total.mean()


@pytest.mark.parametrize(
    ("solved", "unsolved", "rate", "cost"), [(0.8, 1.2, 0.05, 0.5), (2, 2, 0.1, 0.2), (0.3, 2, 0.02, 0.2)]
)
def test_no_other_number_of_attempts_brings_in_more(solved, unsolved, rate, cost):
    stakes = Stakes(10, 40, rate)
    best = len(plan([Candidate("a", solved, unsolved, cost)], stakes, 50).steps)
    gains = [gain_of(n, np.random.default_rng(4), solved, unsolved, stakes, cost) for n in range(best + 3)]
    assert 0 < best < 50
    assert gains[best] >= max(gains) - 0.02


def test_a_belief_comes_from_tasks_attempted_more_than_once():
    found = belief("a", [Tally(5, 5)] * 10 + [Tally(5, 0)] * 10, cost_usd=1)
    assert isinstance(found, Candidate)
    assert found.solved + found.unsolved < 1  # solved always or never: a failure says nearly all
    assert isinstance(belief("a", [Tally(1, 1)] * 10, cost_usd=1), Refused)


def test_the_examples_are_true():
    found = doctest.testmod(allocation)
    assert found.attempted
    assert not found.failed
