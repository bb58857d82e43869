"""The plateau test: agents that stop are seen, a benchmark that is used up is not taken for it, and power is told."""

import csv
import doctest
import gzip
from datetime import date, timedelta

import numpy as np
import pytest

from outcomes import public
from reeve.stats import ability
from reeve.stats.ability import abilities
from reeve.stats.plateau import PlateauFound, plateau
from reeve.stats.runs import Runs

QUARTERS = 12
TASKS = 100


def fleet(growth_stops: float | None = None):
    """Three agents a quarter for three years: ability grows by 1.5 log odds a year, until it stops."""
    released, able = {}, {}
    for quarter in range(QUARTERS):
        for number in range(3):
            name = f"a{quarter:02}-{number}"
            years = quarter / 4 + number * 20 / 365
            released[name] = date(2021, 1, 1) + timedelta(round(years * 365.25) + 5)
            able[name] = 1.5 * min(years, growth_stops or np.inf) - 0.4 * number
    return released, able


def benchmark(rng, able, hard=0.0, broken=0.0, wide=1.5, tasks=TASKS, luck=0.2):
    """Outcomes of all agents at one benchmark, a part of whose tasks nobody can solve."""
    difficulty = rng.normal(hard, wide, tasks)
    impossible = rng.random(tasks) < broken
    rows = []
    for name, value in able.items():
        chance = 1.0 / (1.0 + np.exp(difficulty + 3.0 - value - rng.normal(0.0, luck)))
        solved = (rng.random(tasks) < chance) & ~impossible
        rows += [(name, f"t{task}", f"t{task}", 1.0, float(won)) for task, won in enumerate(solved)]
    return Runs.of(*zip(*rows, strict=True))


def lives(count, *, growth_stops=None, broken=0.0, hard=(0.0, 1.0)):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        released, able = fleet(growth_stops)
        suites = {"one": benchmark(rng, able, hard[0], broken), "two": benchmark(rng, able, hard[1])}
        yield plateau(suites, released, seed=seed)


@pytest.mark.parametrize("broken", [0.0, 0.4], ids=["sound", "a ceiling of 60 %"])
def test_steady_growth_is_not_taken_for_a_plateau_even_below_a_ceiling(broken):
    """Of 60 lives at most 9: a test of level 5 % exceeds that once in 1,000, and this one is more careful than its level."""
    found = list(lives(60, broken=broken))
    assert sum(each.found is PlateauFound.SEEN for each in found) <= 9
    assert all(each.power is not None for each in found if each.found is PlateauFound.NOT_SEEN)
    if broken:
        assert min(each.suites[0].never for each in found) > 20


def test_agents_that_stop_are_seen_with_the_day_and_the_share_lost():
    """Of 40 lives at least 30: the test sees this one in more than 90 %."""
    found = [each for each in lives(40, growth_stops=2.0) if each.found is PlateauFound.SEEN]
    assert len(found) >= 30
    stopped = date(2023, 1, 1)
    assert np.median([abs((each.since - stopped).days) for each in found]) < 150
    assert np.median([each.lost for each in found]) >= 0.75


def test_one_benchmark_that_slows_alone_is_no_plateau_of_agents():
    """Of 60 lives at most 9, as above: the second suite shows the growth that the first no longer can."""
    seen = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        released, able = fleet()
        stuck = {name: min(value, 2.0) for name, value in able.items()}
        suites = {"stuck": benchmark(rng, stuck), "open": benchmark(rng, able, 1.0)}
        seen += plateau(suites, released, seed=seed).found is PlateauFound.SEEN
    assert seen <= 9


def test_a_benchmark_without_headroom_does_not_count_and_says_so():
    found = next(lives(1, hard=(-6.0, 1.0)))
    assert found.found is PlateauFound.CANNOT_TELL
    assert "its best agent fails only" in found.suites[0].reason
    assert found.suites[1].reason == ""
    assert found.reason.endswith("of 2 suites 1 can be used")


def test_one_suite_cannot_tell():
    released, able = fleet()
    found = plateau({"one": benchmark(np.random.default_rng(1), able)}, released, seed=1)
    assert (found.found, found.p_value, found.power) == (PlateauFound.CANNOT_TELL, None, None)
    assert "needs 2 suites" in found.reason
    assert "the records name no suite" in plateau({}, released, seed=1).reason


def test_few_quarters_cannot_tell():
    released, able = fleet()
    early = {name: value for name, value in able.items() if name < "a04"}
    rng = np.random.default_rng(1)
    found = plateau({"one": benchmark(rng, early), "two": benchmark(rng, early)}, released, seed=1)
    assert found.found is PlateauFound.CANNOT_TELL
    assert "not of 6" in found.suites[0].reason


def test_little_power_is_told():
    """What was not seen could mostly not have been seen: the answer must not read as if there were none."""
    weak = [each for each in lives(10) if each.found is PlateauFound.NOT_SEEN and each.power < 0.8]
    assert weak
    assert all("a plateau would have been seen in" in each.reason for each in weak)


def test_the_power_is_that_of_a_stop_on_one_day_whatever_time_each_suite_covers():
    """One suite saw the first nine quarters, the other the last nine: it is on one day that both stop."""
    released, able = fleet()
    early = {name: value for name, value in able.items() if name < "a09"}
    late = {name: value for name, value in able.items() if name >= "a03"}
    rng = np.random.default_rng(1)
    sharp = {"tasks": 1000, "luck": 0.02}
    suites = {"one": benchmark(rng, early, **sharp), "two": benchmark(rng, late, 1.0, **sharp)}
    found = plateau(suites, released, seed=1)
    assert found.found is PlateauFound.NOT_SEEN
    assert found.power > 0.35  # 0.28 if each suite stopped in a time of its own


# ---------------------------------------------------------------- abilities


def test_abilities_and_their_distances_are_found():
    rng = np.random.default_rng(3)
    able = {f"a{number}": float(number) - 1.0 for number in range(5)}
    found = abilities(benchmark(rng, {name: value + 3.0 for name, value in able.items()}))
    assert np.diff(found.ability) == pytest.approx(1.0, abs=0.75)


def test_tasks_that_nobody_or_everybody_solves_say_nothing():
    names = ["a"] * 4 + ["b"] * 4
    tasks = ["t", "u", "v", "w"] * 2
    found = abilities(Runs.of(names, tasks, tasks, [1.0] * 8, [1, 1, 0, 1, 1, 0, 0, 0]))
    assert (found.tasks, found.never) == (2, 1)
    assert abilities(Runs.of(names, tasks, tasks, [1.0] * 8, [1, 0, 1, 0, 1, 0, 1, 0])) is None


def test_the_public_benchmark_that_looks_like_a_plateau_has_a_ceiling():
    """Best share per quarter went .754, .788, .792; 32 of 500 tasks nobody has solved, and one suite cannot tell."""
    with gzip.open(public("swebench_verified_134agents.csv.gz"), "rt", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    agents = [name for name in table[0] if name != "instance"]
    rows = [(agent, row["instance"], row["instance"], 1.0, float(row[agent])) for row in table for agent in agents]
    some = Runs.of(*zip(*rows, strict=True))
    found = abilities(some)
    assert found.never == 32
    assert 0.8 < found.solved_by_best < 0.9
    released = {agent: date(int(agent[:4]), int(agent[4:6]), int(agent[6:8])) for agent in agents}
    assert plateau({"swe-bench": some}, released, seed=1).found is PlateauFound.CANNOT_TELL


def test_the_examples_hold():
    assert doctest.testmod(ability).attempted
    assert not doctest.testmod(ability).failed
