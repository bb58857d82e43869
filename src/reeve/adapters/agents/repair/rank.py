"""Which of several plausible patches to believe: small, of common templates, not made for the tests' own values."""

# ruff: noqa: B905, E501

from __future__ import annotations

import math
from typing import Optional

from .agree import support
from .mine import TestFacts
from .search import Plausible
from .splice import Source

SUSPECT_TEMPLATES = {
    "delete statement": 0.8, "delete block": 1.0, "unwrap block": 0.5, "always": 0.9, "never": 0.9, "guard": 0.7, "only if": 0.5,
    "drop condition": 0.2, "constant for expression": 1.0, "add condition": 0.5, "add filter": 0.4, "return": 0.6,
}  # fmt: skip
SPECIAL_CASE = 1.5
SHARPNESS = 0.5  # how fast belief falls with rank when candidates vote on each other
DISAGREEMENT = 0.8  # what it costs to be alone with one's answers


def rank(
    plausible: list[Plausible], sources: dict[str, Source], facts: TestFacts, answers: list[Optional[list[str]]]
) -> list[Plausible]:
    """Plausible patches, the most credible first; the order is a function of its arguments alone."""
    for one in plausible:
        candidate = one.candidate
        surplus = sum(SUSPECT_TEMPLATES.get(template, 0.0) for template in candidate.template.split(" + "))
        size = 0
        for splice in candidate.splices:
            old = sources[splice.path].text[splice.start : splice.end]
            size += abs(len(splice.new) - len(old))
            surplus += special(splice.new, old, sources[splice.path].text, facts)
        one.rank = candidate.key + surplus + 0.004 * min(size, 100)
    weights = [math.exp(-one.rank / SHARPNESS) for one in plausible]
    for one, share in zip(plausible, support(answers, weights)):
        one.rank += DISAGREEMENT * (1.0 - share) if share is not None else 0.0
    return sorted(plausible, key=lambda one: (one.rank, one.number))


def special(new: str, old: str, text: str, facts: TestFacts) -> float:
    """A surcharge for a value that stands in the failing tests and nowhere in the file."""
    for value in facts.texts:
        if len(value) > 1 and repr(value) in new and repr(value) not in old and value not in text:
            return SPECIAL_CASE
    return 0.0
