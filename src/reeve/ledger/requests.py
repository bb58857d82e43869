"""What an attempt has asked of the world, summed up from the facts of the gateway."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reeve.ledger.codec import decode
from reeve.ports import Store
from reeve.records import Request, RequestOutcome

__all__ = ["Asked", "asked_by"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The requests of one attempt by outcome; `estimated` are those whose tokens and dollars the provider did not say.

    `unpriced` are those whose model has no known price, `reason` is why the newest one that failed did.
    """

    outcomes: Mapping[RequestOutcome, int]
    estimated: int = 0
    unpriced: int = 0
    reason: str = ""

    @property
    def requests(self) -> int:
        """Count them all."""
        return sum(self.outcomes.values())


def asked_by(store: Store, task: str, attempt: str) -> Asked:
    """Sum up the requests of an attempt."""
    found = [decode(Request, fact.body) for fact in store.facts("request", task) if fact.body.get("attempt") == attempt]
    failed = [each.reason for each in found if each.outcome is not RequestOutcome.ANSWERED and each.reason]
    return Asked(
        Counter(each.outcome for each in found),
        estimated=sum(not each.complete for each in found),
        unpriced=sum(each.usd is None for each in found),
        reason=failed[-1] if failed else "",
    )
