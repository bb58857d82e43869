"""Review items whose truth is known: which there are, what people said of them, and how often reviewers err.

Such an item is nobody's work. Until it is answered it stands among the others wherever tasks are listed, since a gap
would tell; it is never part of a rate, a certificate or an estimate. Its minutes are people's minutes all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reeve.ledger.codec import decode
from reeve.ports import Fact, Store
from reeve.records import Action, Judged, Review, ReviewKind, Seeded
from reeve.stats.intervals import Estimate
from reeve.stats.reviewers import Reviewers, corrected_rate, meant_rate
from reeve.stats.risk import Refused

__all__ = [
    "KIND",
    "SEEDING",
    "Answered",
    "ReviewersFound",
    "answered",
    "closed",
    "is_seeded",
    "reviewers_found",
    "seeded_tasks",
    "told_seeded",
    "truth_of",
]

KIND, SEEDING = "seeded", "seeding"
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


@dataclass(frozen=True, slots=True)
class ByReviewer:
    """What one person said of items of known truth."""

    reviewer: str  # "": not recorded
    items: Reviewers


@dataclass(frozen=True, slots=True)
class ReviewersFound:
    """How often reviewers err, as far as items of known truth show; a None has its reason in `missing`.

    `sensitivity` is the share of wrong items that they found wrong, `specificity` that of right ones found right, each
    with its exact interval at 95 %. `corrected` is the rate of wrong results behind `wrong` of `audited` uniform audits,
    `meant` what the highest accepted one may stand for where it is certified. `material` says whether there is anything
    that items could be made of.
    """

    items: Reviewers
    by_reviewer: tuple[ByReviewer, ...]
    minutes: float  # that people spent on them
    sensitivity: Estimate | None
    specificity: Estimate | None
    wrong: int
    audited: int
    corrected: Estimate | None
    highest_escape_rate: float
    meant: Estimate | None
    missing: tuple[str, ...]
    material: bool
    share: float  # of the items of the inbox; 0: none are put there


def seeded_tasks(store: Store) -> frozenset[str]:
    """Name the tasks of all such items."""
    return frozenset(fact.task for fact in store.facts(kind=KIND))


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


# ---------------------------------------------------------------- how often reviewers err


def reviewers_found(store: Store, judged: Iterable[Judged], highest_escape_rate: float, share: float) -> ReviewersFound:
    """Estimate how often reviewers err, and what their audits mean given that; `judged` are all results drawn for."""
    every = answered(store)
    items = _counted(every)
    audits = [each.wrong for each in judged if each.draw.uniform and each.wrong is not None]
    estimates = {
        "sensitivity": items.sensitivity(),
        "specificity": items.specificity(),
        "corrected": corrected_rate(sum(audits), len(audits), items),
        "meant": meant_rate(highest_escape_rate, items),
    }
    refused = {each.reason: None for each in estimates.values() if isinstance(each, Refused)}
    known = {name: None if isinstance(each, Refused) else each for name, each in estimates.items()}
    return ReviewersFound(
        items=items,
        by_reviewer=_by_reviewer(every),
        minutes=sum(each.review.minutes for each in every),
        wrong=sum(audits),
        audited=len(audits),
        highest_escape_rate=highest_escape_rate,
        missing=tuple(refused),
        material=bool(store.facts(kind="mined")),
        share=share,
        **known,
    )


def _by_reviewer(every: Sequence[Answered]) -> tuple[ByReviewer, ...]:
    found: defaultdict[str, list[Answered]] = defaultdict(list)
    for each in every:
        found[each.review.reviewer].append(each)
    return tuple(ByReviewer(name, _counted(some)) for name, some in sorted(found.items()))


def _counted(every: Sequence[Answered]) -> Reviewers:
    good = [each for each in every if each.seeded.right]
    bad = [each for each in every if not each.seeded.right]
    return Reviewers(
        known_bad=len(bad),
        found_bad=sum(not each.found_right for each in bad),
        known_good=len(good),
        found_good=sum(each.found_right for each in good),
    )
