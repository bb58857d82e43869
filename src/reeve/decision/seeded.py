"""A result whose truth is known waits for a person where any other would, by the same rule; else nobody hears of it."""

from dataclasses import replace

from reeve.records import Action, Decision

__all__ = ["UNUSED", "decide_seeded", "unused"]

UNUSED = "known truth, not used"
"""The rule of a decision by which an item of known truth is put before nobody."""


def decide_seeded(found: Decision, tree: str | None, proved: str) -> Decision:
    """Keep the ordinary decision `found` if it asks about a result that passed; give up the item otherwise.

    `tree` is what the verdict examined, `proved` the one whose truth was proved: only of that anything is known.
    """
    if tree is not None and tree != proved:
        return unused(found, "what was examined is not the tree whose truth was proved")
    if found.action is Action.ASK and found.attempt is not None and found.numbers.get("passed"):
        return found
    return unused(found, f"it would not wait for a person: {found.reason}")


def unused(found: Decision, why: str) -> Decision:
    """Give up an item, in place of another decision about it."""
    return replace(found, action=Action.GIVE_UP, attempt=None, rule=UNUSED, reason=why, fit="")
