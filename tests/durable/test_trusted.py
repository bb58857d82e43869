"""Measured trust through the real loop: a fresh ledger asks for everything, and audits let more through."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from project import git, landed, make_project

from reeve import flow
from reeve.cli.start import open_world
from reeve.durable import reviews
from reeve.durable.drawing import KEY_FILE, check_draws
from reeve.durable.recompute import recompute, recomputed_policy
from reeve.durable.reviews import Minutes
from reeve.durable.trust import draw_missing
from reeve.errors import InputError
from reeve.ledger.codec import decode
from reeve.ledger.inbox import Need, inbox
from reeve.ledger.views import task_view, task_views
from reeve.records import Action, Draw, Policy, Review, ReviewKind, Status
from reeve.settings import read_settings, task_defaults
from reeve.stats.anytime import Certificate
from reeve.stats.calibration import part_of
from reeve.stats.fitted import chance_of
from reeve.task import read_backlog

LOOSE = "highest_escape_rate = 0.5\nconfidence = 0.5\n"
"""Three clean audits certify this: a story need not be as long as a life."""

SHARED = 1 - 0.5 / 2
"""The confidence of the certificate for everything: half of the chance of failing is its own."""

NOT_YET, CERTIFIED = "land = trusted: not certified yet", "land = trusted: certified"


class Life:
    """A project under `land = "trusted"`, run and reviewed task by task."""

    def __init__(self, folder: Path, count: int, trust: str = "") -> None:
        self.repo = make_project(folder, count)
        toml = self.repo / "reeve.toml"
        toml.write_text(toml.read_text().replace('land = "passed"\n', "") + f"\n[trust]\n{trust}\n")
        self.open()

    def open(self, reach=None, **changes) -> None:
        self.settings = read_settings(self.repo, os.environ)
        self.world = open_world(self.settings, sandbox="none", reach=reach, **changes)
        self.store = self.world.journal.store

    def run(self, *numbers: int) -> None:
        """Run some tasks, one after the other."""
        tasks = {task.id: task for task in read_backlog([self.repo / "backlog"], task_defaults(self.settings)).tasks}
        for number in numbers:
            flow.run(self.world, [tasks[name(number)]])

    def view(self, number: int):
        return task_view(self.store, name(number))

    def decision(self, number: int):
        return self.view(number).decisions[-1]

    def branch(self) -> list[str]:
        """Name the tasks that landed, oldest first."""
        return landed(self.repo) if git(self.repo, "branch", "--list", "reeve/landed") else []

    def accept(self, *numbers: int) -> None:
        for number in numbers:
            reviews.accept(self.world, name(number), Minutes(2.0, measured=False))

    def audit(self, *numbers: int, ok: bool) -> None:
        for number in numbers:
            reviews.audit(self.world, name(number), "" if ok else "it is wrong", Minutes(1.0, measured=False), ok=ok)

    def earned(self) -> "Life":
        """Begin with three clean reviews, so that what comes next lands without a look."""
        self.run(0, 1, 2)
        self.accept(0, 1, 2)
        return self

    def needs(self) -> dict[str, Need]:
        return {item.tasks[0]: item.need for item in inbox(task_views(self.store))}

    def draws(self) -> list[Draw]:
        return [decode(Draw, fact.body) for fact in self.store.facts(kind="draw")]


def name(number: int) -> str:
    return f"t{number:02}"


@pytest.fixture
def life(tmp_path):
    return lambda count, trust=LOOSE: Life(tmp_path, count, trust)


def test_a_fresh_ledger_asks_for_a_review_of_everything_and_accepting_lands_it(life):
    fleet = life(2, "")
    fleet.run(0, 1)
    assert fleet.branch() == []
    for number in (0, 1):
        view, decision = fleet.view(number), fleet.decision(number)
        assert (view.status, decision.action, decision.attempt) == (Status.NEEDS_YOU, Action.ASK, f"t0{number}.1")
        assert decision.rule == NOT_YET
        assert "no audit so far, 96 more clean ones would certify at most 5 % escapes" in decision.reason
    assert fleet.needs() == {"t00": Need.ASKED, "t01": Need.ASKED}
    fleet.accept(0)
    assert fleet.branch() == ["t00"]
    assert [fleet.view(number).status for number in (0, 1)] == [Status.LANDED, Status.NEEDS_YOU]


def test_clean_reviews_let_results_through_exactly_when_the_bound_allows(life):
    fleet, bound = life(6), Certificate(0.5, SHARED)
    for number in range(6):
        fleet.run(number)
        decision, known = fleet.decision(number), bound.at(min(number, 3), 0)
        assert decision.numbers["e_value"] == known.e_value
        assert (decision.action is Action.LAND) is known.certified is (number >= 3)
        assert decision.rule == (CERTIFIED if known.certified else NOT_YET)
        if not known.certified:
            assert f"{known.more_clean_audits_needed} more clean one" in decision.reason
            fleet.accept(number)
    assert fleet.branch() == [name(number) for number in range(6)]


def test_what_a_review_found_wrong_pushes_the_bound_away(life):
    fleet = life(3)
    fleet.run(0, 1)
    fleet.accept(0)
    reviews.reject(fleet.world, "t01", "it is wrong", Minutes(1.0, measured=False))
    fleet.run(2)
    decision = fleet.decision(2)
    assert (decision.numbers["audits"], decision.numbers["wrong"]) == (2, 1)
    assert decision.numbers["more_clean_audits"] == Certificate(0.5, SHARED).at(2, 1).more_clean_audits_needed > 3


def test_a_draw_is_recorded_before_anybody_knows_what_will_be_found_and_can_be_checked_later(life):
    fleet = life(4).earned()
    fleet.run(3)
    facts = {kind: fleet.store.facts(kind=kind) for kind in ("commitment", "draw", "landing", "review")}
    drawn = {fact.key: fact.seq for fact in facts["draw"]}
    assert sorted(drawn) == ["t00.1", "t01.1", "t02.1", "t03.1"]
    assert all(drawn[fact.body["attempt"]] < fact.seq for fact in facts["review"])
    assert next(fact.seq for fact in facts["landing"] if fact.key == "t03.1") < drawn["t03.1"]
    (commitment,) = facts["commitment"]
    assert commitment.seq < min(drawn.values())
    first, last = fleet.draws()[0], fleet.draws()[-1]
    assert (first.unseen, first.chance, first.suspicion_chance, last.unseen, last.chance) == (False, 1, 0, True, 0.1)
    assert last.suspicion_chance == 0.5 * last.suspicion > 0
    key = fleet.world.state / KEY_FILE
    assert key.stat().st_mode & 0o077 == 0
    assert check_draws(fleet.world.state, fleet.world.ledger, fleet.store, fleet.draws()) == []
    assert check_draws(fleet.world.state, "another", fleet.store, fleet.draws()) == [
        each.attempt for each in fleet.draws()
    ]


def test_a_draw_that_a_crash_prevented_is_made_by_the_next_run(life):
    fleet = life(4).earned()

    def die(point):
        if point == "landing.after":
            raise KeyboardInterrupt

    fleet.open(die)
    with pytest.raises(KeyboardInterrupt):
        fleet.run(3)
    fleet.open()
    assert len(fleet.draws()) == 3
    draw_missing(fleet.world)
    assert [draw.attempt for draw in fleet.draws()][3:] == ["t03.1"]
    assert fleet.draws()[3].unseen


def test_what_was_drawn_stands_in_the_inbox_until_a_person_has_looked(life):
    fleet = life(5, LOOSE + "audit_share = 1.0").earned()
    fleet.run(3, 4)
    assert fleet.needs() == {"t03": Need.AUDIT, "t04": Need.AUDIT}
    fleet.audit(3, ok=True)
    fleet.audit(4, ok=False)
    assert fleet.needs() == {"t04": Need.WRONG}
    view = fleet.view(4)
    assert (view.status, view.reviews[-1].kind, view.reviews[-1].escape) == (Status.LANDED, ReviewKind.WRONG, True)
    revert = reviews.revert(fleet.world, "t04", "it is wrong", Minutes(1.0, measured=False))
    assert (revert.escape, fleet.needs()) == (False, {})  # it is known as an escape already
    with pytest.raises(InputError, match="reverted already"):
        fleet.audit(4, ok=True)


def test_an_audit_of_what_has_not_landed_says_what_decides_instead(life):
    fleet = life(1)
    fleet.run(0)
    with pytest.raises(InputError, match="reeve accept t00"):
        fleet.audit(0, ok=True)


def test_escapes_raise_the_alarm_and_nothing_lands_without_a_look_until_trust_is_earned_again(life):
    fleet = life(12, LOOSE + "audit_share = 1.0").earned()
    fleet.run(*range(3, 8))
    assert [fleet.decision(number).rule for number in range(3, 8)] == [CERTIFIED] * 5
    fleet.audit(*range(3, 8), ok=False)
    for number in (8, 9, 10):
        fleet.run(number)
        assert (fleet.decision(number).action, fleet.decision(number).rule) == (Action.ASK, "land = trusted: alarm")
        fleet.accept(number)
    assert "trust began again at zero" in fleet.decision(10).reason
    fleet.run(11)
    assert fleet.decision(11).rule == CERTIFIED


def test_trust_that_is_taken_away_holds_for_what_waits_to_land_too(life):
    fleet = life(5, LOOSE + "audit_share = 1.0").earned()
    fleet.run(3)

    def find_it_wrong(point):
        if point == "decision.after" and not fleet.view(3).reviews:
            fleet.audit(3, ok=False)

    fleet.open(find_it_wrong)
    fleet.run(4)
    first, second = fleet.view(4).decisions
    assert (first.action, first.rule) == (Action.LAND, CERTIFIED)
    assert (second.action, second.rule) == (Action.ASK, NOT_YET)
    assert fleet.branch() == ["t00", "t01", "t02", "t03"]
    fleet.open()
    fleet.run(4)
    assert (fleet.view(4).status, len(fleet.view(4).decisions)) == (Status.NEEDS_YOU, 2)
    fleet.accept(4)
    assert fleet.branch()[-1] == "t04"
    assert all(recompute(fleet.store, fact).same for fact in fleet.store.facts(kind="decision"))


@pytest.mark.parametrize("change", ["version", "rules"])
def test_another_version_or_prompt_begins_at_zero(life, change):
    fleet = life(5).earned()
    if change == "version":
        toml = fleet.repo / "reeve.toml"
        toml.write_text(toml.read_text().replace("echo one", "echo two"))
        fleet.open()
    else:
        fleet.open(rules=("Be brief.",))
    fleet.run(3)
    assert fleet.decision(3).rule == NOT_YET
    assert fleet.decision(3).numbers["audits"] == 0
    assert len({draw.cell for draw in fleet.draws()}) == 2


def test_every_decision_and_every_policy_can_be_computed_again_from_the_ledger(life):
    fleet = life(8, LOOSE + "audit_share = 1.0").earned()
    fleet.run(4, 5)
    fleet.audit(4, ok=False)
    fleet.run(6)
    fleet.accept(6)
    fleet.audit(5, ok=True)
    fleet.run(7)
    found = [recompute(fleet.store, fact) for fact in fleet.store.facts(kind="decision")]
    assert {each.stored.rule for each in found} == {NOT_YET, CERTIFIED}
    assert [each.again for each in found] == [each.stored for each in found]
    assert all(each.same for each in found)
    policies = [decode(Policy, fact.body) for fact in fleet.store.facts(kind="policy")]
    assert {recomputed_policy(fleet.store, policy) == policy for policy in policies} == {True}
    assert len(policies) > 5


def tell_of_another_agent(fleet) -> None:
    """Put on record what people found about 240 results of another agent: its tests noticed more where it was right."""
    like = fleet.draws()[0]
    for number in range(240):
        wrong, id_ = number % 3 == 0, f"other-{number}.1"
        evidence = {**like.evidence, "strength": (number % 7) / 10 + (0.0 if wrong else 0.3)}
        other = replace(like.cell, agent="other")
        draw = replace(like, task=f"other-{number}", attempt=id_, cell=other, evidence=evidence)
        fleet.world.journal.add("draw", id_, draw.task, draw)
        kind = ReviewKind.REJECT if wrong else ReviewKind.ACCEPT
        review = Review(draw.task, id_, kind, "", 1.0, measured=False, at_utc=0.0)
        fleet.world.journal.add("review", f"{draw.task}#1", draw.task, review)


def test_once_enough_is_known_a_fitted_confidence_decides_and_every_decision_can_be_computed_again(life):
    fleet = life(11)
    apart = [number for number in range(11) if part_of(name(number), (1, 1, 2), 0) == 2]
    for number in apart[:3]:
        fleet.run(number)
        assert fleet.decision(number).fit == ""
        fleet.accept(number)
    tell_of_another_agent(fleet)
    last = apart[3]
    fleet.run(last)
    decision = fleet.decision(last)
    policy = decode(Policy, fleet.store.fact("policy", decision.policy).body)
    assert (decision.action, decision.rule, bool(decision.fit)) == (Action.LAND, CERTIFIED, True)
    assert policy.fit is not None
    assert decision.fit == policy.fit.version
    assert f"its fitted confidence (fit {decision.fit})" in decision.reason
    draw = fleet.draws()[-1]
    assert (draw.task, draw.fit) == (name(last), decision.fit)
    assert draw.confidence == decision.numbers["confidence"] == chance_of(policy.fit, draw.evidence)
    assert all(recompute(fleet.store, fact).same for fact in fleet.store.facts(kind="decision"))
    policies = [decode(Policy, fact.body) for fact in fleet.store.facts(kind="policy")]
    assert {recomputed_policy(fleet.store, policy) == policy for policy in policies} == {True}


def test_a_decision_that_is_not_what_the_ledger_says_is_found(life):
    fleet = life(2)
    fleet.run(0)
    fact = fleet.store.facts(kind="decision")[0]
    forged = replace(fact, body={**fact.body, "action": "land"})
    assert not recompute(fleet.store, forged).same


def test_no_further_attempt_is_made_once_it_costs_more_than_it_is_expected_to_gain(life):
    fleet = life(6)
    toml = fleet.repo / "reeve.toml"
    text = toml.read_text().replace("attempts = 2", "attempts = 4").replace("parallel_attempts = 1", "")
    toml.write_text(text.replace("s/wrong/right/", "s/wrong/worse/"))
    fleet.open()
    fleet.run(0, 1, 2)
    assert [len(fleet.view(number).attempts) for number in range(3)] == [4, 4, 4]  # nothing is known of the agent yet
    fleet.open()
    fleet.run(3)
    view = fleet.view(3)
    assert (view.status, len(view.attempts)) == (Status.FAILED, 1)
    (decision,) = view.decisions
    assert (decision.action, decision.rule) == (Action.GIVE_UP, "worth of another attempt")
    assert "no other is worth what it costs: the next attempt ('sed', chance" in decision.reason
    assert decision.numbers["attempts_left"] == 3
    assert all(recompute(fleet.store, fact).same for fact in fleet.store.facts(kind="decision"))
    toml.write_text(toml.read_text().replace("[trust]", "[trust]\nescape_usd = 0.0\n"))
    fleet.open()
    fleet.run(4)
    assert len(fleet.view(4).attempts) == 4  # where wrong results cost nothing and attempts neither, all are made
