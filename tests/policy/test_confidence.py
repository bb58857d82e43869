"""A confidence made of evidence: what it is fitted to, what it never sees, and when there is none."""

import random
from dataclasses import replace

import pytest

from reeve.policy.confidence import answers_to_fit, fit_of, kept_apart
from reeve.policy.learn import trust_in, trust_of
from reeve.policy.tally import Tally
from reeve.records import Cell, Draw, Fit, Judged, Policy
from reeve.stats.fitted import EVIDENCE, chance_of
from reeve.stats.risk import Refused

CELL = Cell("repair", "1.0", "c0ffee", "tests", "/home/ada/parser")
OWNER = Policy("", highest_escape_rate=0.05, confidence=0.95)
PLAIN = dict.fromkeys(EVIDENCE, 0.5)


def result(number, wrong=False, *, drawn=True, unseen=False, **evidence):
    draw = Draw(
        task=f"t{number}",
        attempt=f"t{number}.1",
        cell=CELL,
        unseen=unseen,
        confidence=0.7,
        suspicion=0.5,
        chance=0.5,
        number=0.25 if drawn else 0.75,
        suspicion_chance=0.0,
        suspicion_number=0.5,
        commitment="",
        policy="",
        evidence=PLAIN | evidence,
    )
    return Judged(draw, wrong)


def life(count, *, seed=1, told=0.8, wrong_share=0.3):
    """Make results whose tests notice more where they are right; `told` 0: the evidence says nothing."""
    chance, found = random.Random(seed), []
    for number in range(count):
        wrong = chance.random() < wrong_share
        strength = chance.random() * (1.0 - told / 2.0) + (0.0 if wrong else told / 2.0)
        found.append(result(number, wrong, strength=round(strength, 3), verdict=round(chance.random(), 3)))
    return found


def made(results) -> Fit:
    found = fit_of(results)
    assert isinstance(found, Fit), found
    return found


def test_with_few_results_of_either_kind_there_is_no_fit_and_the_reason_counts_them():
    for results, said in (
        ([], "0 right and 0 wrong"),
        ([result(number) for number in range(500)], "500 right and 0 wrong results to fit to and calibrate on"),
        (life(60), "at least 10 of each are needed"),
    ):
        found = fit_of(results)
        assert isinstance(found, Refused)
        assert said in found.reason


def test_evidence_that_tells_nothing_makes_no_fit():
    found = fit_of(life(400, told=0.0))
    assert isinstance(found, Refused)
    assert "does not tell right from wrong: AUC 0." in found.reason


def test_what_tells_right_from_wrong_makes_the_confidence():
    found = made(life(400, told=0.5))
    assert 0.5 < found.auc_low < found.auc < found.auc_high
    sure, unsure = (chance_of(found, PLAIN | {"strength": strength}) for strength in (0.95, 0.05))
    assert unsure < 0.5 < sure
    assert found.right + found.wrong + found.calibrated < 250  # a half is kept apart


def test_a_fit_does_not_depend_on_the_order_and_is_named_by_what_it_says():
    results = life(400)
    assert made(results) == made(results[::-1])
    fitted = next(each for each in results if not kept_apart(each) and each.wrong)
    changed = [replace(each, wrong=False) if each is fitted else each for each in results]
    assert made(changed).version != made(results).version


def test_no_answer_about_a_task_that_is_kept_apart_has_any_part_in_a_fit():
    results = life(600)
    assert 0.4 < sum(map(kept_apart, results)) / len(results) < 0.6
    turned = [replace(each, wrong=not each.wrong) if kept_apart(each) else each for each in results]
    assert made(turned) == made(results)


def test_no_task_is_in_two_parts_however_often_it_was_attempted():
    for number in range(50):
        first = result(number)
        second = replace(first, draw=replace(first.draw, attempt=f"t{number}.2"))
        assert kept_apart(first) == kept_apart(second)


def test_what_was_found_without_being_drawn_and_what_has_no_evidence_has_no_part_in_a_fit():
    results = life(400)
    reverted = [result(number, True, drawn=False, unseen=True) for number in range(1000, 1100)]
    old = [replace(each, draw=replace(each.draw, evidence={})) for each in life(1000, seed=2)]
    open_ones = [replace(each, wrong=None) for each in life(1000, seed=3)]
    assert made([*results, *reverted, *old, *open_ones]) == made(results)


def test_the_steps_come_from_uniform_draws_alone():
    results = life(400)
    looked_at = [replace(each, draw=replace(each.draw, number=0.75)) for each in results]  # waiting, and not drawn
    found = fit_of(looked_at)
    assert isinstance(found, Refused)
    assert "0 right and 0 wrong results to calibrate on" in found.reason


def test_a_fit_is_made_anew_when_a_tenth_more_is_known_and_not_for_each_answer():
    assert [answers_to_fit(count) for count in (0, 1, 57, 100)] == [0, 1, 57, 100]
    made_of = [answers_to_fit(count) for count in range(5000)]
    assert all(count / 1.1 - 1 <= used <= count for count, used in enumerate(made_of))
    assert made_of == sorted(made_of)
    assert len(set(made_of[100:])) < 50
    assert [answers_to_fit(used) for used in made_of] == made_of  # what a fit is made of is where it began to hold


def test_a_threshold_of_a_fitted_confidence_is_tested_on_tasks_that_the_fit_never_saw():
    results, fit = life(1500, told=0.5, wrong_share=0.01, seed=5), made(life(400, told=0.5))
    found = trust_of(CELL, results, OWNER, fit)
    assert found.threshold is not None
    apart = [each for each in results if kept_apart(each)]
    assert trust_of(CELL, apart, OWNER, fit).threshold == found.threshold
    other = [
        replace(each, draw=replace(each.draw, evidence=PLAIN)) if not kept_apart(each) else each for each in results
    ]
    assert trust_of(CELL, other, OWNER, fit).threshold == found.threshold
    turned = [replace(each, wrong=True) if not kept_apart(each) else each for each in results]
    assert not trust_of(CELL, turned, OWNER, fit).certified  # and the certificates hear all of them


@pytest.mark.parametrize("highest", [0.05, 0.1])
def test_nothing_lands_more_often_than_was_asked_for_in_cells_that_are_just_too_bad(highest):
    """For evidence that says nothing about these results, whatever part of them a look finds good enough."""
    owner, fit = replace(OWNER, highest_escape_rate=highest, confidence=0.8), made(life(400, told=0.5))
    broken, lives = 0, 200
    for seed in range(lives):
        tally, certified = Tally(owner), False
        for place, each in enumerate(life(260, seed=seed, told=0.0, wrong_share=highest * 1.001)):
            tally.put(place, each)
            certified = certified or (place % 10 == 9 and trust_in(tally, CELL, owner, fit).certified)
        broken += certified
    assert broken / lives <= 0.2
    assert broken
