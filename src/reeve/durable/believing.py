"""What is known of agents when a run begins: how often they solve tasks here, and what a try costs."""

from collections.abc import Sequence
from dataclasses import replace

from reeve.ledger.seeded import KIND as SEEDED
from reeve.ledger.tracks import tallies
from reeve.policy.versioned import versioned
from reeve.ports import Fact, Store
from reeve.records import Belief, Policy
from reeve.stats.allocation import belief
from reeve.stats.risk import Refused

__all__ = ["believe"]

KINDS = ("task", "order", "attempt", "verdict", "review", "landing", "decision")
"""Facts that what is believed may rest on."""

RECENT_FACTS = 30_000
"""So many facts before the newest count, with some 5,000 attempts in them: a run must begin as fast on a ledger of a
million attempts, how chances spread over tasks is known well from less, and repositories change."""

NEAR_FACTS = 1_000
"""Where the newest fact that counts nearly always is."""


class _Recent:
    """A stretch of a ledger, up to the fact `through`: port Store, for reading."""

    def __init__(self, store: Store, through: int) -> None:
        self._store = store
        self._since = through - RECENT_FACTS
        self._through = through

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        if kind != SEEDED:  # these are few, and come before their tasks: one left out would make work of its task
            after = max(after, self._since)
        return [fact for fact in self._store.facts(kind=kind, task=task, after=after) if fact.seq <= self._through]

    def fact(self, kind: str, key: str) -> Fact | None:
        found = self._store.fact(kind, key)
        return found if found is not None and self._since < found.seq <= self._through else None

    def last(self) -> int:
        return self._through

    def append(self, fact: Fact) -> Fact:
        return self._store.append(fact)

    def put(self, content: bytes) -> str:
        return self._store.put(content)

    def get(self, digest: str) -> bytes:
        return self._store.get(digest)


def believe(owner: Policy, agents: Sequence[tuple[str, str]], store: Store, through: int | None = None) -> Policy:
    """Return the owner's policy with what is believed of some agents, each a name and an exact version.

    An agent that attempted fewer than three tasks, or none of them twice, is left out: nobody can say then how much
    a failure says. Results of drills count here, where they are a prior for the next attempt, and never as audits.
    `through` is the last fact that counts; None: the newest. Tasks from before the RECENT_FACTS up to it do not count.
    """
    if through is None:
        through = _newest(store)
    found = tallies(_Recent(store, through), frozenset(agents))
    beliefs = []
    for name, version in agents:
        if (name, version) not in found:
            continue
        record = found[name, version]
        made = belief(name, record.tallies, record.usd)
        if not isinstance(made, Refused):
            beliefs.append(Belief(name, version, made.solved, made.unsolved, made.cost_usd))
    if not beliefs:
        return versioned(owner)
    return versioned(replace(owner, beliefs=tuple(beliefs), believed_through=through))


def _newest(store: Store) -> int:
    """Find the newest fact that may count; 0: none of the recent ones does."""
    last = store.last()
    for back in (NEAR_FACTS, RECENT_FACTS):
        newest = [facts[-1].seq for kind in KINDS if (facts := store.facts(kind=kind, after=max(last - back, 0)))]
        if newest:
            return max(newest)
    return 0
