"""What audits teach about a cell: the levels, the alarms, the threshold, and what never counts."""

import random
from dataclasses import replace

import pytest

from reeve.policy.learn import PASSED_OVER, learn, progress_of, trust_in, trust_of
from reeve.policy.levels import levels_of
from reeve.policy.tally import MARK, Tally
from reeve.records import Cell, Draw, Fit, Judged, Policy, Scale
from reeve.stats.anytime import Certificate
from reeve.stats.risk import Refused

CELL = Cell("repair", "1.0", "c0ffee", "tests", "/home/ada/parser")
OWNER = Policy("", highest_escape_rate=0.05, confidence=0.95)


ALL, FITTED, VERDICT = range(3)
NO_FIT = Refused("too little is known")


def result(wrong=False, *, unseen=False, drawn=True, confidence=0.7, suspicious=False, fit="", own=None):
    draw = Draw(
        task="t",
        attempt="t.1",
        cell=CELL,
        unseen=unseen,
        confidence=confidence,
        suspicion=0.5,
        chance=0.5,
        number=0.25 if drawn else 0.75,
        suspicion_chance=0.5,
        suspicion_number=0.25 if suspicious else 0.75,
        commitment="",
        policy="",
        evidence={} if own is None else {"verdict": own},
        fit=fit,
    )
    return Judged(draw, wrong)


def trust(*results, fit=None):
    return trust_of(CELL, results, OWNER, fit)


FIT = Fit("f1", ("verdict",), (0.5,), (0.1,), (0.0, 1.0), (0.0,), (0.5,), 40, 20, 60, 0.8, 0.7, 0.9)
"""It makes the same of everything, 0.5: what counts is the confidence that a draw recorded."""


def test_nothing_is_known_of_a_cell_without_results():
    found = trust()
    assert (found.audits, found.certified, found.alarm, found.threshold, found.granted) == (0, False, False, None, None)
    assert (found.e_value, found.more_clean_audits) == (pytest.approx(1.0), 96)
    assert [(each.scale, each.least, each.more_clean_audits) for each in found.levels] == [
        (Scale.ALL, 0.0, 96),
        (Scale.FIT, 0.95, 101),
        (Scale.VERDICT, 0.6, 132),
    ]


@pytest.mark.parametrize(("clean", "certified", "more"), [(95, False, 1), (96, True, 36)])
def test_everything_is_certified_by_exactly_as_many_clean_audits_as_its_certificate_needs(clean, certified, more):
    found = trust(*[result()] * clean)
    assert (found.certified, found.more_clean_audits, found.audits) == (certified, more, clean)
    assert found.e_value == Certificate(0.05, 0.95).at(clean, 0).e_value
    assert found.level == (ALL if certified else None)


# ---------------------------------------------------------------- levels


def sure_and_not(sure, unsure, *, fit="f1"):
    """Give results of which a fit was sure, all right, and others, of which one in four was wrong."""
    others = [result(number % 4 == 0, confidence=0.5, fit=fit) for number in range(unsure)]
    return [*[result(confidence=0.97, fit=fit)] * sure, *others]


def test_the_part_that_is_good_enough_may_land_where_the_whole_is_not():
    found = trust(*sure_and_not(101, 60), fit=FIT)
    assert (found.certified, found.level) == (True, FITTED)
    assert (found.granted.audits, found.granted.wrong, found.audits, found.wrong) == (101, 0, 161, 15)
    assert not found.levels[ALL].certified
    assert 0 < found.more_clean_audits == min(each.more_clean_audits for each in found.levels if not each.certified)
    assert trust(*sure_and_not(100, 60), fit=FIT).granted is None


def test_a_level_of_a_fitted_confidence_counts_only_while_there_is_a_fit():
    assert trust(*sure_and_not(200, 60)).granted is None


def test_what_a_verdict_is_sure_of_may_land_before_there_is_a_fit():
    sure, unsure = result(confidence=0.66), [result(True, confidence=0.4), *[result(confidence=0.4)] * 3]
    found = trust(*[sure] * 132, *unsure * 15)
    assert (found.level, found.granted.audits, found.granted.wrong) == (VERDICT, 132, 0)
    assert trust(*[sure] * 131, *unsure * 15).granted is None


def test_the_verdicts_own_confidence_counts_where_a_fit_made_the_other():
    """A cell does not lose what it has earned when there is a fit: every draw holds the verdict's confidence too."""
    early = [result(confidence=0.66)] * 70
    late = [result(confidence=0.5, own=0.66, fit="f1")] * 62
    wrong = [result(True, confidence=0.4, own=0.4, fit="f1")] * 15
    assert trust(*early, *late, *wrong, fit=FIT).level == VERDICT


def test_a_confidence_of_one_scale_is_never_compared_on_the_other():
    found = trust(*[result(confidence=0.97)] * 200)
    assert found.levels[FITTED].audits == 0
    found = trust(*[result(confidence=0.97, fit="f1")] * 200, fit=FIT)
    assert found.levels[VERDICT].audits == 0


def test_of_the_certified_levels_the_one_counts_that_lets_most_through():
    assert trust(*[result(confidence=0.97, fit="f1", own=0.7)] * 200, fit=FIT).level == ALL
    sure = [result(confidence=0.97, fit="f1", own=0.5)] * 110
    both = [result(confidence=0.97, fit="f1", own=0.7)] * 140
    wrong = [result(True, confidence=0.5, fit="f1", own=0.1)] * 30
    found = trust(*sure, *both, *wrong, fit=FIT)
    assert [each.certified for each in found.levels] == [False, True, True]
    assert found.level == FITTED


def test_what_a_later_fit_says_of_an_old_result_changes_nothing_about_its_level():
    other = replace(FIT, version="f2", chances=(0.99,))
    assert trust(*sure_and_not(101, 60), fit=other).levels == trust(*sure_and_not(101, 60), fit=FIT).levels


def test_the_levels_share_the_chance_of_failing_and_everything_has_most_of_it():
    shares = [level.share for level in levels_of(OWNER)]
    assert sum(shares) <= 1.0
    assert shares[ALL] == max(shares)


def test_progress_ends_where_each_level_stands():
    results = sure_and_not(110, 40)
    found = trust(*results, fit=FIT)
    for level, course in zip(found.levels, progress_of(results, OWNER), strict=True):
        assert len(course) == level.audits
        assert course[-1:] == ((level.e_value,) if level.audits else ())


# ---------------------------------------------------------------- audits and alarms


def test_only_the_uniform_stream_certifies_however_many_others_were_looked_at():
    looked_at = [result(drawn=False, unseen=True, suspicious=True)] * 200
    found = trust(*looked_at, *[result(drawn=False)] * 200)
    assert (found.audits, found.certified, found.unseen) == (0, False, 200)


def test_a_wrong_one_takes_the_certificate_away_at_once():
    assert trust(*[result()] * 96).certified
    found = trust(*[result()] * 96, result(True))
    assert (found.certified, found.wrong, found.more_clean_audits > 40) == (False, 1, True)


def test_an_audit_without_an_answer_waits_and_counts_as_wrong_once_it_was_passed_over():
    waits = trust(*[result()] * 96, result(None), *[result()] * (PASSED_OVER - 1))
    assert (waits.waiting, waits.wrong, waits.certified) == (1, 0, True)
    over = trust(*[result()] * 96, result(None), *[result()] * PASSED_OVER)
    assert (over.waiting, over.wrong, over.certified) == (1, 1, False)
    assert over.audits == 96 + PASSED_OVER + 1


def test_the_alarm_goes_off_by_audits_of_what_landed_and_everything_begins_at_zero_after_it():
    good, bad = [result()] * 100, result(True, unseen=True)
    few = next(count for count in range(1, 20) if trust(*good, *[bad] * count).alarm)
    assert 2 <= few <= 8
    until = [*good, *[bad] * few]
    for clean, alarm, certified in ((0, True, False), (95, True, False), (96, False, True)):
        found = trust(*until, *[result()] * clean)
        assert (found.audits, found.alarm, found.certified) == (clean, alarm, certified)


def test_what_was_found_wrong_before_it_landed_raises_no_alarm():
    """Where a part lands, the rest of the cell may be as bad as it is."""
    found = trust(*sure_and_not(150, 400), fit=FIT)
    assert (found.alarm, found.alarm_e_value, found.level) == (False, 1.0, FITTED)


def test_the_alarm_goes_off_by_what_was_found_wrong_without_an_audit():
    good = [result()] * 100
    found = trust(*good, *[result(True, unseen=True, drawn=False)] * 4)
    assert found.alarm
    silent = trust(*good, *[result(None, unseen=True, drawn=False)] * 200)
    assert (silent.alarm, silent.unseen, silent.escapes, silent.certified) == (False, 200, 0, True)


# ---------------------------------------------------------------- threshold


def test_where_everything_is_certified_a_result_must_be_as_sure_as_those_that_were_right():
    sure, unsure = result(confidence=0.8), result(confidence=0.3)
    assert trust(*[sure] * 150, *[unsure] * 20).threshold == 0.3
    bad = [result(number % 2 == 0, confidence=0.6) for number in range(24)]
    found = trust(*[sure] * 150, *bad, *[unsure] * 900)
    assert (found.level, found.threshold, found.alarm) == (ALL, 0.8, False)


def test_a_threshold_that_is_refused_keeps_nothing_from_landing():
    """It is one look, and the certificate holds at every look: it may say where to stop, not that nothing is safe."""
    found = trust(*[result(True, confidence=0.9)] * 6, *[result(confidence=0.5 - n / 1000) for n in range(400)])
    assert (found.level, found.threshold) == (ALL, None)
    assert "wrong" in found.no_threshold


def test_no_threshold_is_looked_for_where_a_part_lands():
    found = trust(*sure_and_not(150, 60), fit=FIT)
    assert (found.level, found.threshold, found.no_threshold) == (FITTED, None, "not every result may land")


# ---------------------------------------------------------------- policies


def learned(results, through, fit=NO_FIT):
    return learn(OWNER, Tally(OWNER).extend(results), CELL, through, fit)


def test_a_learned_policy_is_named_by_what_it_says_and_keeps_what_the_owner_wants():
    found = learned([result()] * 3, 17)
    assert (found.learned_through, found.trust_in(CELL).audits, found.fit) == (17, 3, None)
    assert replace(found, trust=(), learned_through=0, version="") == OWNER
    assert learned([result()] * 3, 17) == found
    assert learned([result()] * 4, 18).version != found.version
    assert learned([result()] * 3, 17, FIT).fit == FIT


# ---------------------------------------------------------------- counted step by step


def any_result(chance):
    return result(
        chance.choice([True, False, False, False, False, None]),
        unseen=chance.random() < 0.6,
        drawn=chance.random() < 0.5,
        confidence=chance.choice([0.3, 0.7, 0.96]),
        fit=chance.choice(["", "f1"]),
        own=chance.choice([None, 0.5, 0.9]),
    )


@pytest.mark.parametrize("seed", range(8))
def test_what_is_counted_step_by_step_is_what_is_counted_at_once(seed):
    """Results come, answers come late, words are taken back, alarms go off: nothing depends on what was asked before."""
    chance = random.Random(seed)
    tally, results = Tally(OWNER), []
    for _ in range(900):
        if not results or chance.random() < 0.7:
            results.append(any_result(chance))
            tally.put(len(results) - 1, results[-1])
        else:
            back = min(len(results), chance.choice([5, 5, 40, MARK, 3 * MARK]))
            place = len(results) - 1 - chance.randrange(back)
            results[place] = replace(results[place], wrong=chance.choice([True, False, False]))
            tally.put(place, results[place])
        if chance.random() < 0.1:
            assert trust_in(tally, CELL, OWNER, FIT) == trust(*results, fit=FIT)
    assert trust_in(tally, CELL, OWNER, FIT) == trust(*results, fit=FIT)


class Counting(Tally):
    calls = 0

    def _count(self, place, result):
        self.calls += 1
        super()._count(place, result)


def test_a_decision_costs_what_is_new_and_an_old_answer_what_lies_between_two_marks():
    tally = Counting(OWNER)
    for place in range(5000):
        tally.put(place, result(unseen=True, drawn=False))
    trust_in(tally, CELL, OWNER)
    assert tally.calls == 5000
    trust_in(tally, CELL, OWNER)
    tally.put(5000, result())
    assert (trust_in(tally, CELL, OWNER).audits, tally.calls) == (1, 5001)
    tally.put(4900, result(unseen=True))
    assert trust_in(tally, CELL, OWNER).audits == 2
    assert tally.calls <= 5001 + 101 + MARK
