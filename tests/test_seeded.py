"""Review items of known truth, through the real loop: real git, real sandbox, real pytest."""

import itertools
import json
import os
import re
import shutil
import signal
from dataclasses import replace

import pytest

from reeve import flow
from reeve.adapters.environments.fake import copied_environment
from reeve.cli.policy import fitted, standings
from reeve.decision.seeded import UNUSED
from reeve.decision.trusted import RULE
from reeve.durable import reviews, seeding
from reeve.durable.believing import believe
from reeve.durable.journal import Journal
from reeve.durable.recompute import recompute
from reeve.durable.reviews import Minutes
from reeve.errors import InputError
from reeve.ledger.attempt_rows import rows_of
from reeve.ledger.audits import Results
from reeve.ledger.inbox import Need
from reeve.ledger.reviewing import reviewers_found
from reeve.ledger.tracks import runs, tallies, tracks
from reeve.ledger.views import first_round, summaries, task_views
from reeve.records import Action, Decision, Order, Policy, Status
from reeve.task.known import Mixing
from reeve.web.report import fleet, render
from seeded_life import SHARE, SeededLife, said

TWO = Minutes(2.0, measured=False, reviewer="ada")
TELLING = re.compile(
    r"seeded|seeding|(?<!un)known|truth|withheld|held.back|not shown|put here|drill|mined|inject|decoy|plant|beside|made.of|reviewers",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def drilled_once(tmp_path_factory):
    life = SeededLife(tmp_path_factory.mktemp("life"), copied_environment(tmp_path_factory.mktemp("env")))
    life.drill()
    caches = shutil.ignore_patterns("trees", "programs")  # a copy would belong to somebody else
    shutil.copytree(life.past.root, life.past.root.with_name("kept"), symlinks=True, ignore=caches)
    return life


@pytest.fixture
def life(drilled_once, monkeypatch):
    """A drilled project as the drill left it."""
    drilled_once.store.close()
    shutil.rmtree(drilled_once.past.root)
    shutil.copytree(drilled_once.past.root.with_name("kept"), drilled_once.past.root, symlinks=True)
    drilled_once.open()
    monkeypatch.chdir(drilled_once.past.root)
    return drilled_once


def put(life, *, right):
    """Run a task whose result waits, with an item beside it; returns that."""
    life.key(right=right).run()
    (item,) = life.items
    assert item.right is right
    return item


@pytest.mark.parametrize("right", [True, False])
def test_an_item_waits_beside_a_result_by_the_same_rule_and_in_the_same_words(life, right):
    item = put(life, right=right)
    ours, other = (life.view(task).decisions[-1] for task in (item.task.id, "own0"))
    assert (ours.action, ours.rule) == (Action.ASK, other.rule)
    assert ours.reason == other.reason.replace("own0", item.task.id)
    assert {each.need for each in life.inbox} == {Need.ASKED}
    assert sorted(each.tasks[0] for each in life.inbox) == sorted(["own0", item.task.id])
    attempt = life.view(item.task.id).attempts[0]
    assert attempt.order.agent == life.view("own0").attempts[0].order.agent
    assert attempt.attempt.patch.tree == attempt.verdict.tree == item.tree
    for fact in life.store.facts(kind="decision", task=item.task.id):
        assert recompute(life.store, fact).same


@pytest.mark.parametrize("right", [True, False])
def test_nothing_that_a_person_can_look_at_tells_an_item_before_the_answer(life, capfd, right):
    item = put(life, right=right)
    task, attempt = item.task.id, f"{item.task.id}.1"
    for words in (["inbox"], ["status"]):
        for more in ((), ("--json",)):
            out = said(capfd, *words, *more)[1].replace('"unknown"', "")
            assert task in out
            assert not TELLING.search(out), out
    for words in (["show"], ["diff"], ["log"], ["policy", "explain"]):
        for number, more in itertools.product(("", ".1"), ((), ("--json",))):
            (code, ours, _), (_, others, _) = (said(capfd, *words, f"{id_}{number}", *more) for id_ in (task, "own0"))
            assert (code, attempt in ours or words in (["diff"], ["log"])) == (0, True)
            assert {*TELLING.findall(ours)} <= {*TELLING.findall(others)}, ours
            if more and words != ["log"]:
                assert names(json.loads(ours)) == names(json.loads(others))


def names(value, above=""):
    """Name every key of a JSON value, however deep; of lists the first item stands for all."""
    if isinstance(value, dict) and not above.endswith(".kinds"):  # these are data
        return {f"{above}.{key}" for key in value}.union(
            *(names(each, f"{above}.{key}") for key, each in value.items())
        )
    return names(value[0], f"{above}[]") if isinstance(value, list) and value else set()


@pytest.mark.parametrize("right", [True, False])
def test_accepting_one_lands_nothing_tells_the_truth_at_once_and_counts(life, capfd, right):
    item = put(life, right=right)
    refs, task = life.refs(), item.task.id
    code, out, _ = said(capfd, "accept", f"{task}.1", "--minutes", "3")
    assert (code, life.refs()) == (0, refs)
    assert "it was put here to see how well reviews find what is wrong" in out
    assert "nothing was landed" in out
    assert ("known to be right" if right else f"known to be wrong: with it {item.proof[0]} fails") in out
    assert not life.store.facts(kind="landing")
    status = said(capfd, "show", task)[1]
    assert "known to be" in " ".join(status.split())
    assert json.loads(said(capfd, "show", task, "--json")[1])["seeded"]["known_to_be"] == (
        "right" if right else "wrong"
    )
    assert [each.tasks[0] for each in life.inbox] == ["own0"]
    assert [row.id for row in summaries(life.store)] == ["own0"]
    for words in (["accept", task], ["reject", task, "-m", "no"], ["again", task, "-m", "no"]):
        code, _, err = said(capfd, *words, "--minutes", "1")
        assert (code, "is answered" in err) == (2, True), err
    for words in (["audit", task, "ok"], ["revert", task, "-m", "no"]):
        assert said(capfd, *words, "--minutes", "1")[0] == 2
    assert (life.refs(), len(life.store.facts(kind="review", task=task))) == (refs, 1)


# ---------------------------------------------------------------- answers


def test_turning_a_wrong_one_down_or_sending_it_back_is_right_and_it_is_never_attempted_again(life, capfd):
    item = put(life, right=False)
    code, out, _ = said(capfd, "again", item.task.id, "-m", "b is missing", "--minutes", "4", "--json")
    assert (code, json.loads(out)["outcome"]) == (0, "sent back")
    assert f"known to be wrong: with it {item.proof[0]} fails" in json.loads(out)["told"]
    life.run()
    assert len(life.store.facts(kind="order", task=item.task.id)) == 1
    (reviewer,) = reviewers(capfd)["by_reviewer"]
    assert reviewer["items"] == {"known_bad": 1, "found_bad": 1, "known_good": 0, "found_good": 0}


class Without:
    """A ledger as if an item had never been: port Store, for reading."""

    def __init__(self, store, task):
        self._store, self._task = store, task

    def facts(self, kind=None, task=None, after=0):
        found = self._store.facts(kind=kind, task=task, after=after)
        return [fact for fact in found if fact.task != self._task and fact.kind not in ("seeded", "seeding")]

    def __getattr__(self, name):
        return getattr(self._store, name)


def estimates(store):
    """Everything that is estimated, without the minutes of people."""
    found, results = tracks(store, Results(store)), Results(store)
    agents = [(each.who.agent, each.who.version) for each in found]
    views = task_views(store)
    top = fleet(store, views)
    return (
        [replace(each, human_minutes_per_landed=None) for each in found],
        (runs(store), tallies(store, set(agents)), first_round(store), believe(Policy("p"), agents, store)),
        (
            {cell: judged for cell, (judged, _) in results.all().items()},
            results.audits_waiting,
            standings(results, Policy("p"), fitted(results)),
        ),
        (top.rates, top.passed, top.wrong, top.declined, top.wall_seconds, top.cpu_seconds),
        [row for view in views for row in rows_of(view, {})],
    )


def test_an_item_is_part_of_no_estimate_before_or_after_the_answer_and_its_minutes_count(life):
    item = put(life, right=False)
    reviews.accept(life.world, "own0", TWO)
    assert life.past.git("log", "-1", "--format=%s", "reeve/landed")
    without = Without(life.store, item.task.id)
    assert estimates(life.store) == estimates(without)
    assert fleet(life.store, task_views(life.store)).human_minutes == 2.0
    reviews.reject(life.world, item.task.id, "b is missing", replace(TWO, minutes=5.0))
    assert estimates(life.store) == estimates(without)
    top = fleet(life.store, task_views(life.store))
    assert (top.tasks, top.human_minutes, top.minutes_per_landed) == (1, 7.0, 7.0)
    (track,) = tracks(life.store, Results(life.store))
    assert track.human_minutes_per_landed == 7.0
    assert item.task.id not in render(life.store, project="calc", at_utc=0.0)
    ((own, _),) = Results(life.store).all().values()
    assert [judged.draw.task for judged in own] == ["own0"]


def test_before_the_answer_an_item_is_in_the_list_of_the_report_and_unmarked(life):
    item = put(life, right=False)
    page = render(life.store, project="calc", at_utc=0.0)
    assert item.task.id in page
    assert not re.search("seeded|seeding|withheld|held back|put here", page)


def reviewers(capfd):
    return json.loads(said(capfd, "trust", "--json")[1])["reviewers"]


# ---------------------------------------------------------------- when there is none


def test_with_a_share_of_zero_and_without_a_drill_there_is_none_and_trust_says_why(life, capfd, tmp_path):
    life.key(right=True).run(share=0.0)
    assert (life.items, life.store.facts(kind="seeding")) == ([], [])
    (life.past.root / "reeve.toml").write_text("[trust]\nseeded_share = 0\n")
    assert "`trust.seeded_share` is 0" in " ".join(said(capfd, "trust")[1].split())
    (life.past.root / "reeve.toml").unlink()
    found = " ".join(said(capfd, "policy")[1].split())
    assert "no known-bad item was reviewed" in found
    assert "Up to 5 % of what waits for a look are items of known truth, unmarked" in found


def test_no_material_of_the_wanted_truth_makes_none_and_a_later_drill_makes_up_for_it(life, capfd):
    life.key(right=False)
    mined = life.store.facts(kind="mined")
    hidden = Hidden(life.store, "mined")
    world = replace(life.world, journal=Journal(hidden, life.world.clock))
    flow.run(world, [life.task()], None, Mixing(seeded_share=SHARE))
    assert (life.items, len(life.store.facts(kind="seeding")), len(mined)) == ([], 1, 1)
    assert "`reeve drill` makes what" in " ".join(reviewers_found(hidden, (), 0.05, 0.05).sentences)
    life.run()
    (item,) = life.items
    assert (item.beside, life.view(item.task.id).status) == ("own0.1", Status.NEEDS_YOU)
    assert item.task.checks.required


class Hidden(Without):
    """A ledger without one kind of facts."""

    def facts(self, kind=None, task=None, after=0):
        found = self._store.facts(kind=kind, task=task, after=after)
        return [fact for fact in found if fact.kind != self._task]


def test_a_result_that_was_answered_meanwhile_gets_no_company(life):
    life.key(right=False).run(share=0.0)
    decision = life.view("own0").decisions[-1]
    reviews.reject(life.world, "own0", "no", TWO)
    assert seeding.beside(life.world, life.task(), decision, SHARE) is None
    assert life.items == []


def test_an_item_whose_proved_tree_is_not_what_was_examined_is_put_before_nobody(life):
    """With `only_needed` what lands is another tree, of which nothing is known."""
    life.key(right=True)
    flow.run(life.world, [replace(life.task(), only_needed=True)], None, Mixing(seeded_share=SHARE))
    (item,) = life.items
    decision = life.view(item.task.id).decisions[-1]
    assert (decision.action, decision.rule, decision.attempt) == (Action.GIVE_UP, UNUSED, None)
    assert ([row.id for row in summaries(life.store)], [each.tasks for each in life.inbox]) == (["own0"], [("own0",)])
    (fact,) = life.store.facts(kind="decision", task=item.task.id)
    assert recompute(life.store, fact).same
    with pytest.raises(InputError, match="nobody has to decide"):
        reviews.accept(life.world, item.task.id, TWO)
    life.run()
    assert len(life.items) == 1


def test_what_cannot_be_proved_is_not_tried_again(life):
    """The agent's attempt is let pass, by what the drill saw; with other tests in the tree it is not any more."""
    life.key(right=False)
    flaky = life.world.check

    class Unsteady:
        """Port Check: every test disagrees with itself."""

        def measure(self, request):
            found = flaky.measure(request)
            return replace(found, flaky=tuple(found.tests))

    life.world = replace(life.world, check=Unsteady())
    decision = Decision("own0", 1, Action.ASK, "own0.1", f"{RULE}: not certified yet", "own0.1 passed", {"passed": 1.0})
    life.world.journal.add("task", "own0@1", "own0", life.task())
    base = life.world.objects.import_base(life.past.root, "HEAD")
    agent = life.world.agents["scribe"].spec
    life.world.journal.add("order", "own0.1", "own0", Order("own0.1", "own0", "d", 1, 0, 1, agent, base, 1, "p"))
    assert seeding.beside(life.world, life.task(), decision, SHARE) is None
    assert life.items == []
    assert len(life.store.facts(kind="seeding-refused")) == 2
    measured = len(life.store.facts(kind="measurement"))
    assert seeding.beside(life.world, life.task(), decision, SHARE) is None
    assert len(life.store.facts(kind="measurement")) == measured


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize(
    ("point", "times"),
    [("seeding.after", 1), ("seeded.after", 1), ("task.after", 2), ("attempt.after", 2), ("decision.before", 2)],
)
def test_a_kill_at_any_step_neither_doubles_nor_loses_an_item(life, point, times):
    life.key(right=False)
    child = os.fork()
    if not child:  # no way out of here but the end
        try:
            life.open(reach=killing(point, times))
            life.run()
        finally:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    life.open()
    life.run()
    (item,) = life.items
    for kind in ("order", "attempt", "verdict", "decision", "draw"):
        assert len(life.store.facts(kind=kind, task=item.task.id)) == 1, kind
    assert {each.tasks[0] for each in life.inbox} == {"own0", item.task.id}


def killing(point, times):
    count = itertools.count(1)

    def reach(name):
        if name == point and next(count) == times:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach
