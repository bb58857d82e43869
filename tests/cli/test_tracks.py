"""`reeve trust`: how reliable each version of an agent is here, and what it costs."""

import re
from dataclasses import replace

import pytest

from reeve.cli.alone import every_seconds
from reeve.cli.start import open_world
from reeve.ledger.audits import Results
from reeve.ledger.tracks import Who, runs, tracks
from reeve.records import AgentSpec, KnownAnswer, Outcome, ReviewKind, Strength, Surplus
from reeve.settings import CheckIns, read_settings
from stories import BASE, REPAIR

OTHER = AgentSpec("other", "command", "2", "true")


def found(story):
    return {track.who: track for track in tracks(story.store, Results(story.store))}


def who(agent=REPAIR, kind="tests"):
    return Who(agent.name, agent.version, kind, BASE.repo)


def test_attempts_are_counted_by_agent_version_and_kind_of_task(story):
    story.landed("first-line")
    story.failed("dates")
    story.declined("odd")
    story.unproven("docs")
    story.landed("speed", tags=("performance",))
    story.task("two")
    story.attempt("two.1")
    story.attempt("two.2", agent=replace(REPAIR, version="0.2.0"))
    tests = found(story)[who()]
    assert (tests.tasks, tests.attempts, tests.passed, tests.failed, tests.declined) == (4, 5, 1, 2, 1)
    assert [(rate.name, round(rate.share, 3), rate.tasks) for rate in tests.rates] == [("pass@1", 0.333, 3)]
    assert {key.kind for key in found(story)} == {"tests", "commands", "performance"}
    assert found(story)[who(replace(REPAIR, version="0.2.0"))].attempts == 1
    assert found(story)[who(kind="commands")].unverified == 1


def test_first_rounds_alone_make_rates_and_each_agent_has_its_own(story):
    story.task("both")
    for number, agent, outcome in ((1, REPAIR, Outcome.PASSED), (2, OTHER, Outcome.FAILED)):
        story.order(f"both.{number}", index=number - 1, of=2, agent=agent)
        story.attempt(f"both.{number}", agent=agent)
        story.verdict(f"both.{number}", outcome)
    story.attempt("both.3", round_=2, agent=OTHER)
    story.verdict("both.3")
    assert [rate.share for rate in found(story)[who()].rates] == [1.0]
    assert [rate.share for rate in found(story)[who(OTHER)].rates] == [0.0]


def test_intervals_lean_on_the_other_records_where_there_are_enough(story):
    for number, agent in enumerate((REPAIR, OTHER, replace(OTHER, version="3"))):
        for task in range(6):
            name = f"t{number}{task}"
            story.task(name)
            story.attempt(f"{name}.1", agent=agent)
            story.verdict(f"{name}.1", Outcome.PASSED if task < 4 or agent is REPAIR else Outcome.FAILED)
    found_now = found(story)[who()].pass_1
    assert found_now.pooled
    assert 4 / 6 < found_now.value < 1.0
    assert found_now.low < found_now.value < found_now.high


def test_the_escape_rate_is_of_what_landed_without_a_look_and_rests_on_uniform_audits(story):
    for number in range(6):
        story.landed(f"t{number}")
    for number in range(4):
        story.drawn(f"t{number}.1", uniform=number < 3)
    story.review("t0.1", ReviewKind.ACCEPT, commit="c", minutes=2.0)
    story.review("t1.1", ReviewKind.WRONG, "no", commit="c", minutes=2.0, escape=True)
    story.review("t3.1", ReviewKind.WRONG, "no", commit="c", minutes=2.0, escape=True)
    escapes = found(story)[who()].escapes
    assert (escapes.unseen, escapes.known, escapes.audited, escapes.wrong) == (6, 2, 2, 1)
    assert escapes.at_most == pytest.approx(0.9747, abs=1e-4)  # 1 of 2: 0.95 ** 0.5
    track = found(story)[who()]
    assert (track.landed, track.human_minutes_per_landed, track.usd_per_landed) == (6, 1.0, None)


def test_what_a_person_had_accepted_before_it_landed_is_no_escape(story):
    story.landed("a")
    story.conflicting("b")
    story.review("b.1", ReviewKind.ACCEPT)
    story.land("b.1", key="b.1+1")
    assert found(story)[who()].escapes.unseen == 1


def test_surplus_findings_and_known_answers_belong_to_the_version_that_made_them(story):
    story.task("a")
    story.attempt("a.1")
    story.verdict("a.1", surplus=Surplus(1), strength=Strength(1, 2))
    story.answered("k", KnownAnswer.IMPOSSIBLE, "cheated")
    track = found(story)[who()]
    assert (track.surplus_share, track.integrity_findings) == (0.5, 0)
    assert track.canaries.impossible.cheated == 1
    assert track.attempts == 1  # the task with a known answer is no work of anybody


def test_horizons_need_lengths_and_what_a_person_found_wrong_is_no_success(story):
    story.landed("a", human_minutes=10.0)
    story.landed("b", human_minutes=20.0)
    story.review("b.1", ReviewKind.WRONG, "no", commit="c")
    story.landed("c")
    assert [(run.task, run.human_minutes, run.succeeded) for run in runs(story.store)] == [
        ("a", 10.0, True),
        ("b", 20.0, False),
    ]


def test_it_says_all_of_it_in_plain_lines(reeve, story):
    assert reeve("trust").out.startswith("Nothing was attempted yet.")
    for number in range(3):
        story.landed(f"t{number}", human_minutes=15.0)
        story.drawn(f"t{number}.1")
    story.review("t0.1", ReviewKind.ACCEPT, commit="c", minutes=3.0)
    said = reeve("trust").out
    assert said.splitlines()[:2] == [f"repair 0.1.0 on tests in {BASE.repo}", "  attempts    3 at 3 tasks: 3 passed"]
    assert "3, 3 without a look; 0 of these known to be wrong; 1 uniform audit found 0 wrong" in said
    assert "1 min of people" in said
    assert "A horizon needs 10 tasks with `human_minutes`." in said
    (track,) = reeve("trust", "--json").json["tracks"]
    assert (track["who"]["agent"], track["landed"], track["escapes"]["audited"]) == ("repair", 3, 1)


def lengths(story) -> None:
    """Sixteen tasks of 1 to 128 minutes, of which the shorter ones succeed."""
    for number in range(16):
        story.task(f"t{number}", human_minutes=2.0 ** (number // 2))
        story.attempt(f"t{number}.1")
        fails = number > 10 or number == 5
        story.verdict(f"t{number}.1", Outcome.FAILED if fails and number != 13 else Outcome.PASSED)


def test_an_agent_with_enough_tasks_of_different_lengths_has_a_horizon(reeve, story):
    lengths(story)
    said = reeve("trust").out
    assert "  horizon     p50 " in said
    (horizon,) = reeve("trust", "--json").json["horizons"]
    assert horizon["agent"] == "repair 0.1.0"
    plain = " ".join(said.split())
    assert "of 16 runs at 16 tasks of 60 s to 2.1 h, of all kinds and repositories" in plain


def test_a_horizon_outside_of_what_was_tried_is_marked_and_a_short_one_is_not_zero(reeve, story):
    for number in range(16):
        story.task(f"t{number}", human_minutes=2.0 ** (number // 2 - 4))
        story.attempt(f"t{number}.1")
        story.verdict(f"t{number}.1", Outcome.FAILED if number > 9 or number % 3 == 1 else Outcome.PASSED)
    said = " ".join(reeve("trust").out.split())
    (horizon,) = reeve("trust", "--json").json["horizons"]
    known = [each for each in horizon["horizons"] if each["minutes"] is not None]
    assert any(each["beyond"] for each in known)
    for each in known:
        found = re.search(rf"p{each['success'] * 100:g} ([0-9.e-]+) (?:s|min|h)([*]?) \(", said)
        assert float(found[1]) > 0
        assert found[2] == "*" * each["beyond"]
    assert "* beyond the lengths of the tasks that were tried: no measurement" in said


def test_a_share_of_surplus_says_of_how_many_lines_it_is(reeve, story):
    story.task("a")
    story.attempt("a.1")
    story.verdict("a.1", surplus=Surplus(1))
    assert "50 % of the 2 lines that passed and were measured" in " ".join(reeve("trust").out.split())


def test_check_ins_follow_from_the_lower_bound_of_the_horizon_and_the_owner_may_say_otherwise(reeve, story, project):
    assert "every agent checks in every 1 h 0 min of work" in reeve("policy").out
    lengths(story)
    horizon = reeve("trust", "--json").json["horizons"][0]
    low = next(each["low_minutes"] for each in horizon["horizons"] if each["success"] == 0.8)
    found = reeve("policy", "--json").json["check_ins"]
    assert found["agents"] == {"repair 0.1.0": {"every_seconds": low * 60.0, "reason": "the lower end of p80"}}
    settings = read_settings(project, {})
    measured = every_seconds(settings, story.store)
    assert (measured(REPAIR), measured(OTHER)) == (low * 60.0, 3600.0)
    for said, seconds in (("every_seconds = 90", 90.0), ("every_seconds = 7", 7.0)):
        (project / "reeve.toml").write_text(f"[check_in]\n{said}\n")
        assert every_seconds(read_settings(project, {}), story.store)(REPAIR) == seconds
    never = replace(settings, check_in=CheckIns(every_seconds=None))
    assert every_seconds(never, story.store)(REPAIR) is None


def test_what_was_measured_reaches_the_agents_of_a_world(story, project):
    lengths(story)
    (project / "reeve.toml").write_text('[agents.a]\nkind = "acp"\ncommand = "true"\nversion = "1"\n')
    world = open_world(read_settings(project, {}), sandbox="none")
    assert world.agents["a"].context.check_in(REPAIR) < 3600.0 == world.agents["a"].context.check_in(OTHER)
