"""Review items whose truth is known: which there are, and what people said of them.

Such an item is nobody's work. Until it is answered it stands among the others wherever tasks are listed, since a gap
would tell; it is never part of a rate, a certificate or an estimate. Its minutes are people's minutes all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reeve.ledger.codec import decode
from reeve.ports import Fact, Store
from reeve.records import Action, Review, ReviewKind, Seeded

__all__ = [
    "KIND",
    "REFUSED",
    "SEEDING",
    "TELLING",
    "Answered",
    "answered",
    "closed",
    "is_seeded",
    "told_seeded",
    "truth_of",
]

KIND, SEEDING, REFUSED = "seeded", "seeding", "seeding-refused"
TELLING = (KIND, SEEDING, REFUSED)
"""The kinds of facts that tell; whoever passes facts on by kind leaves them out."""

PROOF_NAMED = 3


@dataclass(frozen=True, slots=True)
class Answered:
    """One item with the first word that a person said of it."""

    seeded: Seeded
    review: Review

    @property
    def found_right(self) -> bool:
        """The person took it as right."""
        return self.review.kind is ReviewKind.ACCEPT


def is_seeded(facts: Iterable[Fact]) -> bool:
    """Say whether the facts of one task say that it is such an item."""
    return any(fact.kind == KIND for fact in facts)


def closed(facts: Sequence[Fact]) -> bool:
    """Say of the facts of one task whether it is such an item and a person has answered it, or none is asked."""
    return is_seeded(facts) and any(fact.kind == "review" or _unused(fact) for fact in facts)


def _unused(fact: Fact) -> bool:
    return fact.kind == "decision" and fact.body["action"] == Action.GIVE_UP


def answered(store: Store) -> tuple[Answered, ...]:
    """List the items that people answered, in the order in which they were made."""
    found = []
    for fact in store.facts(kind=KIND):
        reviews = store.facts(kind="review", task=fact.task)
        if reviews:
            found.append(Answered(decode(Seeded, fact.body), decode(Review, reviews[0].body)))
    return tuple(found)


def truth_of(seeded: Seeded) -> str:
    """Say what is known of an item, and by what; for whoever has answered it."""
    named = ", ".join(seeded.proof[:PROOF_NAMED])
    more = f" and {len(seeded.proof) - PROOF_NAMED} more" if len(seeded.proof) > PROOF_NAMED else ""
    if seeded.right:
        passes = f", also {named}{more}, which was not shown" if named else ""
        known = f"right: all tests pass with it{passes}"
    else:
        known = f"wrong: with it {named}{more} {'fails' if len(seeded.proof) == 1 else 'fail'}, which was not shown"
    return f"it was put here to see how well reviews find what is wrong, and is known to be {known} ({seeded.what})"


def told_seeded(seeded: Seeded, review: Review) -> dict[str, object]:
    """Tell a program what a person is told after the answer."""
    return {
        "known_to_be": "right" if seeded.right else "wrong",
        "found": "right" if review.kind is ReviewKind.ACCEPT else "wrong",
        "proof": list(seeded.proof),
        "what": seeded.what,
        "landed": False,
    }
