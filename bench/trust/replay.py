"""One rule over one life: what landed unseen, what of it was wrong, and how many minutes people spent."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bench.trust.lives import Life
from bench.trust.rules import Rule, Seen
from bench.trust.scores import Scores
from reeve.stats.intervals import Estimate, clopper_pearson

REVIEW_MINUTES = 15.0
"""A reviewer handles about four changes an hour."""

FEWEST_UNSEEN = 20
"""Results of a version that landed unseen below which its own rate is not looked at."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a life. `escapes` landed unseen and were wrong, whether or not an audit found out later.

    `right_after_review` landed after somebody looked; `caught_before` did not, being wrong; `caught_after` are
    escapes that an audit found, `by_suspicion` of them one of the second stream alone.
    """

    life: str
    rule: str
    results: int
    passed: int
    passed_wrong: int
    unseen: int
    escapes: int
    right_after_review: int
    caught_before: int
    audits: int
    caught_after: int
    by_suspicion: int
    versions_unseen: int
    versions_above: int

    def escape_rate(self, confidence: float = 0.95) -> Estimate | None:
        """Wrong of what landed unseen, with its exact interval; None where nothing did."""
        return clopper_pearson(self.escapes, self.unseen, confidence) if self.unseen else None

    @property
    def share_unseen(self) -> float:
        """Of the results that passed."""
        return self.unseen / self.passed

    @property
    def minutes_per_landed(self) -> float | None:
        """Minutes of review and audit for each task that landed and was right."""
        landed = self.right_after_review + self.unseen - self.escapes
        reviews = self.passed - self.unseen + self.audits
        return REVIEW_MINUTES * reviews / landed if landed else None

    @property
    def caught(self) -> float | None:
        """The share of the wrong results that passed which somebody found, before or after they landed."""
        return (self.caught_before + self.caught_after) / self.passed_wrong if self.passed_wrong else None


def replay(life: Life, rule: Rule, highest_rate: float, seed: int) -> Outcome:
    """Play a rule over a life. The draws of audits come from the seed and from nothing that the rule knows."""
    rng, scores, count = np.random.default_rng(seed), Scores(life), Counter[str]()
    unseen, escapes = Counter[str](), Counter[str]()
    for result in life.results:
        uniform, suspicious = rng.random(2).tolist()
        if not result.passed:
            continue
        row = scores.row(result)
        score = scores.score(row)
        lands, drawn = rule.lands(result.version, score), uniform < rule.chance(result.version)
        suspected = lands and suspicious < rule.suspicion_chance(score.chance)
        count.update(passed=1, passed_wrong=result.wrong)
        if lands:
            unseen[result.version] += 1
            escapes[result.version] += result.wrong
            count.update(audits=drawn or suspected, caught_after=result.wrong and (drawn or suspected))
            count.update(by_suspicion=result.wrong and suspected and not drawn)
        else:
            count.update(right_after_review=not result.wrong, caught_before=result.wrong)
        looked_at = not lands or drawn or suspected
        rule.hear(Seen(result.version, result.task, score, lands, drawn, result.wrong if looked_at else None))
        if looked_at:
            scores.found(result, row)
    enough = [version for version, number in unseen.items() if number >= FEWEST_UNSEEN]
    return Outcome(
        life=life.name,
        rule=rule.name,
        results=len(life.results),
        unseen=unseen.total(),
        escapes=escapes.total(),
        versions_unseen=len(enough),
        versions_above=sum(escapes[version] > highest_rate * unseen[version] for version in enough),
        **{name: count[name] for name in COUNTED},
    )


COUNTED = ("passed", "passed_wrong", "right_after_review", "caught_before", "audits", "caught_after", "by_suspicion")
