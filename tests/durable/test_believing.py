"""What is believed of agents when a run begins: from recent work, in a time that does not grow with the ledger."""

from collections import Counter

from reeve.adapters.stores.memory import MemoryStore
from reeve.durable.believing import KINDS, RECENT_FACTS, believe
from reeve.ports import Fact
from reeve.records import Outcome, Policy
from stories import REPAIR, Story

AGENTS = [(REPAIR.name, REPAIR.version)]


class Reading(MemoryStore):
    """Counts the facts that are read, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.read = Counter()

    def facts(self, kind=None, task=None, after=0):
        found = super().facts(kind, task, after)
        self.read[kind] += len(found)
        return found


def work(story, first, outcomes) -> None:
    """Tasks with two attempts each."""
    for number, outcome in enumerate(outcomes, start=first):
        story.task(f"t{number}")
        for place in (1, 2):
            story.attempt(f"t{number}.{place}")
            story.verdict(f"t{number}.{place}", outcome)


def fill(store, facts) -> None:
    for number in range(facts):
        store.append(Fact("request", f"q{store.last()}.{number}", "other", {}, 0.0))


def chance(policy):
    (found,) = policy.beliefs
    return found.solved / (found.solved + found.unsolved)


def test_work_from_long_ago_does_not_count_and_is_not_read():
    store = Reading()
    story = Story(store)
    work(story, 0, [Outcome.PASSED] * 40)
    fill(store, RECENT_FACTS)
    work(story, 40, [Outcome.FAILED, Outcome.FAILED, Outcome.PASSED, Outcome.FAILED])
    store.read.clear()
    found = believe(Policy("p"), AGENTS, store)
    assert 0.1 < chance(found) < 0.5
    assert store.read["verdict"] < 40


def test_it_is_found_again_from_the_fact_it_went_through_and_stays_while_nothing_that_counts_is_new():
    store = MemoryStore()
    story = Story(store)
    work(story, 0, [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED, Outcome.PASSED])
    before = believe(Policy("p"), AGENTS, store)
    assert before.believed_through == max(store.facts(kind=kind)[-1].seq for kind in KINDS if store.facts(kind=kind))
    fill(store, 2000)
    assert believe(Policy("p"), AGENTS, store) == before
    work(story, 4, [Outcome.FAILED] * 4)
    assert believe(Policy("p"), AGENTS, store) != before
    fill(store, RECENT_FACTS)
    assert believe(Policy("p"), AGENTS, store, through=before.believed_through) == before
    assert not believe(Policy("p"), AGENTS, store).beliefs
