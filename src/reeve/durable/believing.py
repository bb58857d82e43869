"""What is known of agents when a run begins: how often they solve tasks here, and what a try costs."""

from collections.abc import Sequence
from dataclasses import replace

from reeve.ledger.tracks import tallies
from reeve.policy.versioned import versioned
from reeve.ports import Fact, Store
from reeve.records import Belief, Policy
from reeve.stats.allocation import belief
from reeve.stats.risk import Refused

__all__ = ["believe"]

KINDS = ("task", "order", "attempt", "verdict", "review", "landing", "decision")
"""Facts that what is believed may rest on."""


class _Until:
    """A ledger as it was when a fact was stored: port Store, for reading."""

    def __init__(self, store: Store, through: int) -> None:
        self._store = store
        self._through = through

    def facts(self, kind: str | None = None, task: str | None = None, after: int = 0) -> Sequence[Fact]:
        return [fact for fact in self._store.facts(kind=kind, task=task, after=after) if fact.seq <= self._through]

    def fact(self, kind: str, key: str) -> Fact | None:
        found = self._store.fact(kind, key)
        return found if found is not None and found.seq <= self._through else None

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
    `through` is the last fact that counts; None: the newest.
    """
    if through is None:
        newest = [facts[-1].seq for kind in KINDS if (facts := store.facts(kind=kind))]
        through = max(newest, default=0)
    found = tallies(_Until(store, through), frozenset(agents))
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
