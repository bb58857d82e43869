"""Review items of known truth, through the real loop: real git, real sandbox, real pytest."""

import itertools
import json
import re
import shutil

import pytest

from reeve.adapters.environments.fake import copied_environment
from reeve.durable.recompute import recompute
from reeve.durable.reviews import Minutes
from reeve.ledger.inbox import Need
from reeve.ledger.views import summaries
from reeve.records import Action
from seeded_life import SeededLife, said

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
