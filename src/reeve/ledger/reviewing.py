"""How often reviewers err: what they said of items whose truth is known, and what their audits mean given that."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reeve.ledger.seeded import Answered, answered
from reeve.ports import Store
from reeve.records import Judged
from reeve.stats.intervals import Estimate
from reeve.stats.reviewers import Reviewers, corrected_rate, meant_rate
from reeve.stats.risk import Refused
from reeve.units import plural

__all__ = ["ByReviewer", "ReviewersFound", "reviewers_found"]


@dataclass(frozen=True, slots=True)
class ByReviewer:
    """What one person said of items of known truth."""

    reviewer: str  # "": not recorded
    items: Reviewers


@dataclass(frozen=True, slots=True)
class ReviewersFound:
    """How often reviewers err, as far as items of known truth show; a None has its reason in `missing`.

    `sensitivity` is the share of wrong items that they found wrong, `specificity` that of right ones found right, each
    with its exact interval at 95 %. `corrected` is the rate of wrong results behind `wrong` of `audited` uniform
    audits, `meant` what the highest accepted one may stand for where it is certified. `material` says whether there is
    anything that items could be made of.
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

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it: what was found, of whom, what audits mean given that, and what is missing."""
        return tuple(each for each in (self._found, self._by, self._corrected, self._meant, self._missing) if each)

    @property
    def _found(self) -> str:
        items, said = self.items, []
        if self.sensitivity is not None:
            said.append(f"of {items.known_bad} known to be wrong {items.found_bad} found wrong {_of(self.sensitivity)}")
        if self.specificity is not None:
            said.append(
                f"of {items.known_good} known to be right {items.found_good} found right {_of(self.specificity)}"
            )
        spent = f"; their {self.minutes:.3g} min count among yours" if said else ""
        return f"Reviewers: {', '.join(said)}{spent}" if said else ""

    @property
    def _by(self) -> str:
        if len(self.by_reviewer) < 2:
            return ""
        each = (
            f"{one.reviewer or 'not recorded'} {one.items.found_bad} of {one.items.known_bad} wrong and "
            f"{one.items.found_good} of {one.items.known_good} right"
            for one in self.by_reviewer
        )
        return f"By reviewer: {'; '.join(each)}"

    @property
    def _corrected(self) -> str:
        if self.corrected is None:
            return ""
        audits = f"{self.wrong} of {plural(self.audited, 'uniform audit')} found wrong"
        return f"Corrected for that, {audits} mean that {_of(self.corrected, plain=True)} of what was audited is wrong"

    @property
    def _meant(self) -> str:
        if self.meant is None:
            return ""
        rate = f"{self.highest_escape_rate * 100:.3g} %"
        return (
            f"Certificates take audits as answered: a certified {rate} is one of at most {_of(self.meant, plain=True)}"
        )

    @property
    def _missing(self) -> str:
        if not self.missing:
            return ""
        why = "; ".join(self.missing)
        if self.share <= 0:
            how = "`trust.seeded_share` is 0, so no item of known truth is put before anybody"
        elif not self.material:
            how = "`reeve drill` makes what items of known truth are made of"
        else:
            how = f"up to {self.share * 100:.3g} % of what waits for a look are items of known truth, unmarked"
        return f"How often reviewers err is not fully known: {why}. {how[:1].upper() + how[1:]}"


def _of(found: Estimate, *, plain: bool = False) -> str:
    value, ends = f"{found.value * 100:.3g} %", f"{found.low * 100:.3g} to {found.high * 100:.3g} %"
    return f"{value} ({ends})" if plain else f"({value}, {ends})"


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
