"""The lives and rules of `make bench-trust`: what is refused, what a rule may know, and what planted changes do."""

import gzip
import json
import os
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.trust import __main__ as command
from bench.trust.lives import Life, Result, first_that_passes, lives, metr, simulated, swe_bench, terminal_bench
from bench.trust.plot import specification, svg
from bench.trust.replay import REVIEW_MINUTES, Outcome, replay
from bench.trust.rules import LAND_WHATEVER_PASSES, REVIEW_EVERYTHING, Fixed, Seen, Trusted, WholeCell, all_rules
from bench.trust.scores import Scored, Scores
from bench.trust.table import BEGIN, END, PICTURE, figures, lines, page

from reeve.records import Policy
from reeve.stats.anytime import Certificate

GOOD_THEN_BAD = (("v1", 0.005, 0.005), ("v2", 0.3, 0.3))


OWNER = Policy("owner")


def reeve(**change):
    return Trusted("reeve", OWNER, **change)


RULES = {"reeve": reeve, "whole cell only": lambda: WholeCell("whole cell only", OWNER)}
SURE = Scored(0.99, None, {"verdict": 0.5})


def clean(rule, version):
    rule.hear(Seen(version, "t", SURE, unseen=rule.lands(version, SURE), drawn=True, wrong=False))


# ---------------------------------------------------------------- what is not there, or not as it should be


def test_a_folder_without_the_records_is_a_mistake_that_names_the_first(tmp_path):
    with pytest.raises(SystemExit, match=r"there is no 'terminal_bench_runs.csv.gz'; 4 files are needed"):
        command.main([str(tmp_path)])


def test_without_a_folder_the_simulated_life_is_played_and_nothing_is_recorded(capsys, monkeypatch):
    monkeypatch.delenv("REEVE_DATA", raising=False)
    short = simulated(1, GOOD_THEN_BAD, 150)
    monkeypatch.setattr("bench.trust.lives.simulated", lambda _: short)
    before = command.PAGE.read_bytes()
    assert command.main(["--record"]) == 0
    shown = capsys.readouterr().out
    assert "no public records: name their folder" in shown
    assert "Simulated: 150 results a version" in shown
    assert "nothing recorded" in shown
    assert command.PAGE.read_bytes() == before


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}"])
def test_a_page_without_its_marks_is_refused(text):
    with pytest.raises(ValueError, match="once each, in this order"):
        page(text, [], [], 0.05)


# ---------------------------------------------------------------- lives of records


def written(tmp_path: Path, name: str, rows: list[str]) -> Path:
    path = tmp_path / name
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


HEAD = "submission,task,ok,fm,tests_passed,tests,started"


def test_half_of_the_tests_are_seen_and_the_truth_is_all_of_them(tmp_path):
    rows = [
        f"2025{day:02}01_a,t{task},{'True' if task % 2 else 'False'},unset,{4 if task % 2 else 2},4,"
        for day in (9, 7)
        for task in range(200)
    ]
    for correlated in (False, True):
        life = terminal_bench(written(tmp_path, "t.csv.gz", [HEAD, *rows]), seed=1, correlated=correlated)
        assert [each.version for each in life.results[::200]] == ["20250701_a", "20250901_a"]  # by the day
        right = [each for each in life.results if not each.wrong]
        wrong = [each for each in life.results if each.wrong]
        assert len(right) == len(wrong) == 200
        assert all(each.passed for each in right)  # who passes all tests passes those that are seen
        # two tests fail and two are seen: a chance of 1 in C(4, 2) that the two seen are the two that pass
        assert sum(each.passed for each in wrong) / 200 == pytest.approx(1 / 6, abs=0.09)


def test_with_the_same_blind_spots_all_results_of_a_task_fail_or_pass_alike(tmp_path):
    rows = [f"20250901_a,t{task},False,unset,3,4," for task in range(40) for _ in range(5)]
    life = terminal_bench(written(tmp_path, "t.csv.gz", [HEAD, *rows]), seed=1, correlated=True)
    seen = {
        task: {each.passed for each in life.results if each.task == task} for task in {r.task for r in life.results}
    }
    assert all(len(each) == 1 for each in seen.values())
    assert {True, False} == set.union(*seen.values())


def test_tasks_with_one_test_are_left_out_and_no_test_that_ran_is_no_pass(tmp_path):
    rows = [
        "20250901_a,one,True,unset,1,1,",
        "20250901_a,many,False,agent_timeout,0,0,",
        "20250901_a,many,True,unset,4,4,",
    ]
    for correlated in (False, True):
        life = terminal_bench(written(tmp_path, "t.csv.gz", [HEAD, *rows]), seed=1, correlated=correlated)
        assert sorted((each.task, each.passed, each.wrong) for each in life.results) == [
            ("many", False, True),
            ("many", True, False),
        ]


def test_of_five_trials_the_first_that_passes_is_taken():
    trials = [
        Result("a", "t", False, True),
        Result("a", "t", True, True),
        Result("a", "t", True, False),
        Result("a", "u", False, True),
    ]
    assert first_that_passes(Life("x", "x", (), tuple(trials))).results == (trials[1],)


@pytest.mark.skipif(not os.environ.get("REEVE_DATA"), reason="REEVE_DATA names no folder of public records")
def test_the_public_records_are_read_whole():
    folder = Path(os.environ["REEVE_DATA"])
    found = {life.name: life for life in lives(folder, 1)}
    assert len(found) == 7
    bench = found["Terminal-Bench"]
    assert len({each.version for each in bench.results}) == 13
    assert len(metr(folder / "metr_runs_2025-02.jsonl.gz").results) == 6852
    swe = swe_bench(folder, 1, 0.864, 0.178)
    wrong = [each for each in swe.results if each.wrong]
    assert len(swe.results) == 134 * 500
    assert sum(each.passed for each in wrong) / len(wrong) == pytest.approx(0.178, abs=0.01)


# ---------------------------------------------------------------- what a score may know


def test_a_score_knows_nothing_of_what_is_found_later():
    life = simulated(1, GOOD_THEN_BAD, 150)
    told, blind = Scores(life), Scores(life)
    scores = []
    for result in life.results[:200]:
        row = told.row(result)
        scores.append(told.score(row))
        told.found(result, row)
    # the same beginning and another end: the scores of the beginning are the same
    for number, result in enumerate(life.results[:100]):
        row = blind.row(result)
        assert blind.score(row) == scores[number]
        blind.found(result, row)


def test_scores_tell_right_from_wrong_once_there_was_something_to_learn_from():
    life = simulated(2, (("v", 0.3, 0.3),), 1500)
    scores, given = Scores(life), []
    for result in life.results:
        row = scores.row(result)
        given.append((scores.score(row).chance, result.wrong))
        scores.found(result, row)
    assert given[0][0] == 0.5
    late = given[750:]
    mean = {kind: sum(s for s, w in late if w is kind) / sum(w is kind for _, w in late) for kind in (True, False)}
    assert mean[False] > mean[True] + 0.1


# ---------------------------------------------------------------- rules


def test_reviewing_everything_lets_nothing_escape_and_landing_everything_costs_nothing():
    life = simulated(3, (("v", 0.1, 0.1),), 400)
    wrong = sum(each.wrong for each in life.results)
    careful = replay(life, REVIEW_EVERYTHING, 0.05, seed=1)
    assert (careful.unseen, careful.escapes, careful.escape_rate(), careful.caught) == (0, 0, None, 1.0)
    assert careful.minutes_per_landed == pytest.approx(REVIEW_MINUTES * 400 / (400 - wrong))
    careless = replay(life, LAND_WHATEVER_PASSES, 0.05, seed=1)
    assert (careless.unseen, careless.escapes, careless.minutes_per_landed, careless.caught) == (400, wrong, 0.0, 0.0)
    assert careless.escape_rate().value == wrong / 400  # of what landed unseen, not of everything


def test_what_did_not_pass_counts_nowhere_but_among_the_results():
    life = Life("x", "x", (), (Result("v", "t", False, True), Result("v", "u", True, False)))
    found = replay(life, LAND_WHATEVER_PASSES, 0.05, seed=1)
    assert (found.results, found.passed, found.unseen, found.escapes) == (2, 1, 1, 0)


@pytest.mark.parametrize(("name", "confidence"), [("reeve", 1 - 0.05 / 2), ("whole cell only", 0.95)])
def test_nothing_lands_unseen_before_its_version_is_certified(name, confidence):
    """The first result of each version waits, however many clean ones others had; so do all before the bound."""
    rule = RULES[name]()
    for _ in range(Certificate(0.05, confidence).after([]).more_clean_audits_needed):
        assert not rule.lands("v1", SURE)
        assert rule.chance("v1") == 1.0
        clean(rule, "v1")
    assert rule.lands("v1", SURE)
    assert rule.chance("v1") == 0.1
    assert not rule.lands("v2", SURE)
    assert rule.chance("v2") == 1.0


def test_planted_version_changes_never_inherit_trust():
    """A bad version follows a good one: none of its results lands unseen; with inherited trust many do."""
    of_the_second = dict.fromkeys((*RULES, "inherited"), 0)
    for seed in range(2):
        life = simulated(seed, GOOD_THEN_BAD, 400)
        for name, rule in (*RULES.items(), ("inherited", lambda: reeve(restart=False))):
            whole = replay(life, rule(), 0.05, seed)
            first = replay(Life("x", "x", life.features, life.results[:400]), rule(), 0.05, seed)
            of_the_second[name] += whole.unseen - first.unseen
            assert first.unseen > 100
    assert of_the_second["reeve"] == of_the_second["whole cell only"] == 0
    assert of_the_second["inherited"] > 10


@pytest.mark.parametrize("name", RULES)
def test_autonomy_ends_when_a_version_drifts(name):
    """After the drift the part that lands unseen is given up, and soon: what escapes is a small part of what could."""
    could, escaped = 0, 0
    for seed in range(2):
        life = simulated(seed, (("v", 0.005, 0.3),), 900)
        found = replay(life, RULES[name](), 0.05, seed)
        could += sum(each.wrong for each in life.results[450:])
        escaped += found.escapes
        assert found.unseen > 200
    assert escaped < 0.15 * could


def test_in_one_of_twenty_versions_at_most_more_than_the_highest_rate_is_certified():
    """Versions that are just above it, whatever they score, and a look after every audit."""
    landed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        results = [Result("v", f"{n}", True, bool(rng.random() < 0.0501)) for n in range(400)]
        landed += replay(Life("x", "x", (), tuple(results)), reeve(), 0.05, seed).unseen > 0
    assert landed / 60 <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


@pytest.mark.parametrize("name", RULES)
def test_wrong_results_end_what_clean_ones_allowed(name):
    rule = RULES[name]()
    for _ in range(200):
        clean(rule, "v")
    assert rule.lands("v", SURE)
    for _ in range(20):
        rule.hear(Seen("v", "t", SURE, unseen=rule.lands("v", SURE), drawn=True, wrong=True))
    assert not rule.lands("v", SURE)


def test_a_part_lands_where_the_whole_is_not_good_enough_and_the_whole_cell_rule_lands_nothing():
    """One result in five is wrong, and the score tells most of them: by levels the surest land, and few are wrong."""
    results = []
    for number in range(1200):
        wrong = number % 5 == 0
        results.append(Result("v", f"{number}", True, wrong, (-3.0 if wrong and number % 60 else 3.0,)))
    life = Life("x", "x", ("hint",), tuple(results))
    by_level, whole = (replay(life, RULES[name](), 0.05, 1) for name in ("reeve", "whole cell only"))
    assert whole.unseen == 0
    assert by_level.unseen > 300
    assert by_level.escapes < 0.05 * by_level.unseen


# ---------------------------------------------------------------- what is shown


def test_the_table_and_the_page_say_what_was_found():
    life = simulated(4, GOOD_THEN_BAD, 300)
    outcomes = [replay(life, rule, 0.05, 1) for rule in all_rules(0.05, 0.95)]
    shown = "\n".join(lines([life], outcomes, 0.05))
    written_page = page(f"before\n{BEGIN}\nof last time\n{END}\nafter\n", [life], outcomes, 0.05)
    assert written_page.startswith(f"before\n{BEGIN}\n\n{PICTURE}\n\n### Simulated")
    assert written_page.endswith(f"{END}\nafter\n")
    assert "of last time" not in written_page
    kept = json.loads(json.dumps([figures(each) for each in outcomes]))
    assert [each["escapes"] for each in kept] == [each.escapes for each in outcomes]
    for text in (shown, written_page):
        assert "nothing unseen" in text
        for outcome in outcomes:
            assert outcome.rule in text
            rate = outcome.escape_rate()
            assert rate is None or f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})" in text


def test_the_page_holds_what_was_recorded_last():
    kept = json.loads(max(command.RESULTS.glob("*-trust.json")).read_text())
    names = [each.name for each in fields(Outcome)]
    outcomes = [Outcome(**{name: each[name] for name in names}) for each in kept["outcomes"]]
    assert [json.loads(json.dumps(figures(each))) for each in outcomes] == kept["outcomes"]
    played = [Life(name, source, (), ()) for name, source in kept["lives"].items()]
    text = command.PAGE.read_text(encoding="utf-8")
    assert page(text, played, outcomes, kept["highest_rate"]) == text
    assert command.PICTURE.read_text(encoding="utf-8") == svg(outcomes, kept["highest_rate"])


def test_the_picture_has_a_point_for_every_rule_that_landed_something():
    life = simulated(4, GOOD_THEN_BAD, 300)
    outcomes = [replay(life, rule, 0.05, 1) for rule in (REVIEW_EVERYTHING, LAND_WHATEVER_PASSES, Fixed("half", 0.5))]
    assert [row["rule"] for row in specification(outcomes, 0.05)["data"]["values"]] == ["land whatever passes", "half"]
    drawn = svg(outcomes, 0.05)
    assert drawn.startswith("<svg")
    assert "Simulated" in drawn
