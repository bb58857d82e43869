"""What audits teach about a cell: the certificate, the alarms, the threshold, and what never counts."""

from dataclasses import replace

import pytest

from reeve.policy.learn import PASSED_OVER, learn, trust_of
from reeve.records import Cell, Draw, Judged, Policy
from reeve.stats.anytime import Certificate

CELL = Cell("repair", "1.0", "c0ffee", "tests", "/home/ada/parser")
OWNER = Policy("", highest_escape_rate=0.05, confidence=0.95)


def result(wrong=False, *, unseen=False, drawn=True, confidence=0.7, suspicious=False):
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
    )
    return Judged(draw, wrong)


def trust(*results):
    return trust_of(CELL, results, OWNER)


def test_nothing_is_known_of_a_cell_without_results():
    found = trust()
    assert (found.audits, found.certified, found.alarm, found.threshold) == (0, False, False, None)
    assert (found.e_value, found.more_clean_audits) == (pytest.approx(1.0), 79)


@pytest.mark.parametrize(("clean", "certified", "more"), [(78, False, 1), (79, True, 0)])
def test_it_is_certified_by_exactly_as_many_clean_audits_as_the_certificate_needs(clean, certified, more):
    found = trust(*[result()] * clean)
    assert (found.certified, found.more_clean_audits, found.audits) == (certified, more, clean)
    assert found.e_value == Certificate(0.05, 0.95).at(clean, 0).e_value


def test_only_the_uniform_stream_certifies_however_many_others_were_looked_at():
    looked_at = [result(drawn=False, unseen=True, suspicious=True)] * 200
    found = trust(*looked_at, *[result(drawn=False)] * 200)
    assert (found.audits, found.certified, found.unseen) == (0, False, 200)


def test_a_wrong_one_takes_the_certificate_away_at_once():
    assert trust(*[result()] * 79).certified
    found = trust(*[result()] * 79, result(True))
    assert (found.certified, found.wrong, found.more_clean_audits > 40) == (False, 1, True)


def test_an_audit_without_an_answer_waits_and_counts_as_wrong_once_it_was_passed_over():
    waits = trust(*[result()] * 79, result(None), *[result()] * (PASSED_OVER - 1))
    assert (waits.waiting, waits.wrong, waits.certified) == (1, 0, True)
    over = trust(*[result()] * 79, result(None), *[result()] * PASSED_OVER)
    assert (over.waiting, over.wrong, over.certified) == (1, 1, False)
    assert over.audits == 79 + PASSED_OVER + 1


def test_the_alarm_goes_off_by_audits_and_everything_begins_at_zero_after_it():
    good = [result()] * 100
    few = next(count for count in range(1, 20) if trust(*good, *[result(True)] * count).alarm)
    assert 2 <= few <= 8
    until = [*good, *[result(True)] * few]
    for clean, alarm, certified in ((0, True, False), (78, True, False), (79, False, True)):
        found = trust(*until, *[result()] * clean)
        assert (found.audits, found.alarm, found.certified) == (clean, alarm, certified)


def test_the_alarm_goes_off_by_what_was_found_wrong_without_an_audit():
    good = [result()] * 100
    found = trust(*good, *[result(True, unseen=True, drawn=False)] * 4)
    assert found.alarm
    silent = trust(*good, *[result(None, unseen=True, drawn=False)] * 200)
    assert (silent.alarm, silent.unseen, silent.escapes, silent.certified) == (False, 200, 0, True)


def test_a_result_must_be_as_sure_as_those_that_were_right():
    sure, unsure = result(confidence=0.8), result(confidence=0.3)
    assert trust(*[sure] * 150, *[unsure] * 20).threshold == 0.3
    mixed = [*[sure] * 15, unsure, result(True, confidence=0.3)] * 20
    found = trust(*mixed)
    assert (found.threshold, found.alarm) == (0.8, False)
    none = trust(*[result(wrong) for wrong in (True, *[False] * 20) * 5])
    assert none.threshold is None
    assert "wrong" in none.no_threshold


def test_a_learned_policy_is_named_by_what_it_says_and_keeps_what_the_owner_wants():
    found = learn(OWNER, CELL, {CELL: [result()] * 3}, 17)
    assert (found.learned_through, found.trust_in(CELL).audits) == (17, 3)
    assert replace(found, trust=(), learned_through=0, version="") == OWNER
    assert learn(OWNER, CELL, {CELL: [result()] * 3}, 17) == found
    assert learn(OWNER, CELL, {CELL: [result()] * 4}, 18).version != found.version
