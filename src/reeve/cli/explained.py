"""A verdict in words: what speaks against the result comes first, for a person who never saw the attempt."""

from rich.console import Console

from reeve.cli.output import STYLES, hanging, safe
from reeve.ledger.plain import one_line, plain
from reeve.records import CheckResult, Outcome, Surplus, Verdict
from reeve.units import duration, plural

__all__ = ["EVIDENCE_SHOWN", "MEANING", "print_verdict", "size_words"]

EVIDENCE_SHOWN = 10

MEANING = {
    "base": "the base must fail what is asked for, else passing proves nothing",
    "required": "the tests of the task, by exact id",
    "regression": "tests that passed before must still pass",
    "hidden": "tests that no attempt could see",
    "collected": "the suite must run, and report every test it had",
    "commands": "commands of the task with their expected result",
    "integrity": "what the patch does to its own examination",
    "contents": "credentials, binary files, size",
    "re-run": "the same tests again: another order, other processes, told in another way",
    "canaries": "tests of ours among the real ones, under random names: some must fail, some must pass",
    "strength": "how many small defects in the changed lines the tests would notice",
    "scope": "what of the patch the checks need at all",
    "protected": "files that checks depend on are examined as they are at the base",
    "flaky": "tests that disagree with themselves count neither way",
    "declined": "what the agent said instead of delivering",
}
"""What each check asks, in half a sentence."""


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print why, then every check: those against the result with all they found, then the rest."""
    console.print(safe(one_line(verdict.reason)))
    console.print(safe(f"{_confidence(verdict)}, {size_words(verdict)}, {duration(verdict.wall_seconds)}", "dim"))
    for title, outcome in (
        ("What speaks against it", Outcome.FAILED),
        ("What could not be proved", Outcome.UNVERIFIED),
        ("What holds", Outcome.PASSED),
    ):
        checks = [check for check in verdict.checks if check.outcome is outcome]
        if checks:
            console.print()
            console.print(safe(title, STYLES.get(outcome, "")))
        for check in checks:
            _check(console, check)


def _check(console: Console, check: CheckResult) -> None:
    line = safe("  ").append_text(safe(f"{check.name:<12}", "bold"))
    line.append_text(safe(MEANING.get(check.name, ""), "dim"))
    console.print(line.append_text(safe(" (weak evidence)", "yellow")) if check.weak else line)
    for sentence in check.evidence[:EVIDENCE_SHOWN]:
        for part in plain(sentence).rstrip().splitlines():
            hanging(console, safe("      "), safe(part))
    if len(check.evidence) > EVIDENCE_SHOWN:
        console.print(safe(f"      and {len(check.evidence) - EVIDENCE_SHOWN} more; --json has all", "dim"))


def _confidence(verdict: Verdict) -> str:
    strength = verdict.strength
    noticed = "" if strength is None else f" (strength {strength.noticed} of {strength.injected})"
    return f"confidence {verdict.confidence:.2f}{noticed}"


def size_words(verdict: Verdict) -> str:
    """Say how large the patch is, and how much of it is needed."""
    if verdict.surplus is None:
        return plural(verdict.lines, "line")
    return f"{plural(verdict.lines, 'line')}, {_needed(verdict.surplus, verdict.lines)}"


def _needed(surplus: Surplus, lines: int) -> str:
    if not surplus.lines:
        return "all needed" if surplus.complete else "no unneeded line found"
    return f"{'' if surplus.complete else 'at most '}{max(0, lines - surplus.lines)} needed"
