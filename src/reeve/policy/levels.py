"""The levels of a cell: which parts of its results are tested, set by the owner's numbers before the first audit."""

from reeve.records import Draw, Level, Policy, Scale

__all__ = ["belongs", "confidence_on", "levels_of"]

SHARE_OF_ALL, SHARE_FITTED, SHARE_OF_VERDICT = 0.5, 0.4, 0.1
"""Of the chance of failing. At 5 % and 95 % these levels take 96, 101 and 132 clean audits, everything alone took 79.

On public records one level of a fitted confidence lets more through than two or three at half or a third of the share
each: what is certified later for the price of another level is more than what that level adds.
"""

SURE_VERDICT = 0.6
"""Of the verdict's own confidence, that is no chance. Among results that pass every visible test, the median of honest
ones is 0.66 and of wrong ones 0.46; with hidden tests 0.79 and 0.60 (bench/results, verifier)."""


def levels_of(owner: Policy) -> tuple[Level, ...]:
    """Return the levels of every cell of an owner, with nothing known of them yet; everything first.

    A fitted confidence is a chance of being right: its level begins where a result is wrong as often as the owner
    allows. That of the verdict's own is for as long as too little is known for a fit.
    """
    return (
        Level(Scale.ALL, 0.0, SHARE_OF_ALL),
        Level(Scale.FIT, 1.0 - owner.highest_escape_rate, SHARE_FITTED),
        Level(Scale.VERDICT, SURE_VERDICT, SHARE_OF_VERDICT),
    )


def belongs(draw: Draw, level: Level) -> bool:
    """Say whether a result is in a level, by the confidence that was recorded before anybody looked at it."""
    confidence = confidence_on(level.scale, draw)
    return confidence is not None and confidence >= level.least


def confidence_on(scale: Scale, draw: Draw) -> float | None:
    """Return the confidence of a result on a scale as it was recorded; None: it had none on it."""
    if scale is Scale.ALL:
        return draw.confidence
    if scale is Scale.FIT:
        return draw.confidence if draw.fit else None
    return draw.evidence.get("verdict", None if draw.fit else draw.confidence)
