"""A confidence made of evidence: what it is fitted to, what it never sees, and when there is none."""

import random
from dataclasses import replace

import pytest

from reeve.policy.confidence import fit_of, kept_apart
from reeve.policy.learn import fit_for, learn, trust_of
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


def test_a_threshold_of_a_fitted_confidence_is_tested_on_tasks_that_the_fit_never_saw():
    results, fit = life(800, told=0.5, wrong_share=0.03, seed=5), made(life(400, told=0.5))
    found = trust_of(CELL, results, OWNER, fit)
    assert found.threshold is not None
    seen = [replace(each, wrong=True) if not kept_apart(each) else each for each in results]
    apart = [each for each in results if kept_apart(each)]
    assert trust_of(CELL, apart, OWNER, fit).threshold == found.threshold
    assert not trust_of(CELL, seen, OWNER, fit).certified  # and the certificate hears all of them


def test_a_cell_goes_by_a_fit_once_enough_of_its_audits_were_kept_apart_whatever_they_found():
    fit, results = made(life(400, told=0.5)), [result(number) for number in range(400)]
    apart = [each for each in results if kept_apart(each)]
    few = fit_for(apart[:58], fit, OWNER)
    assert isinstance(few, Refused)
    assert few.reason == f"58 audits of the half that fit {fit.version} never sees, 59 are needed"
    assert fit_for(apart[:59], fit, OWNER) is fit
    assert isinstance(fit_for([each for each in results if not kept_apart(each)], fit, OWNER), Refused)


def test_a_learned_policy_holds_the_fit_it_goes_by_and_none_otherwise():
    other = replace(CELL, agent="other")
    shown = life(400, told=0.5)
    own = [result(number) for number in range(1000, 1200)]
    found = learn(OWNER, CELL, {other: shown, CELL: own}, 700)
    assert found.fit is not None
    assert found.fit == made([*shown, *own])
    alone = learn(OWNER, CELL, {CELL: own}, 700)
    assert (alone.fit, alone.trust_in(CELL).audits) == (None, 200)
    assert learn(OWNER, CELL, {other: shown}, 700).fit is None


@pytest.mark.parametrize("highest", [0.05, 0.1])
def test_the_threshold_of_a_fitted_confidence_lets_too_much_through_no_more_often_than_was_asked_for(highest):
    """At the share of wrong results that is just too high, for evidence that says nothing about these results."""
    owner, fit = replace(OWNER, highest_escape_rate=highest, confidence=0.8), made(life(400, told=0.5))
    broken, lives = 0, 300
    for seed in range(lives):
        results = life(260, seed=seed, told=0.0, wrong_share=highest * 1.001)
        broken += trust_of(CELL, [each for each in results if kept_apart(each)], owner, fit).threshold is not None
    assert broken / lives <= 0.2 + 0.07  # three standard errors of 300 lives
    assert broken
