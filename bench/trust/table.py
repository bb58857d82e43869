"""What came of the lives: as a table for a terminal, as the results part of docs/trust.md, and as figures to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from bench.trust.lives import Life
from bench.trust.replay import Outcome

BEGIN, END = "<!-- results: begin (written by `make bench-trust`) -->", "<!-- results: end -->"
PICTURE = "![Share landed unseen and escape rate, for each rule and life](trust.svg)"
HEAD = ("rule", "landed unseen", "escapes", "escape rate (95 %)", "min per landed", "defects caught", "versions above")


def lines(lives: Sequence[Life], outcomes: Sequence[Outcome], highest_rate: float) -> Iterator[str]:
    """Give the table line by line, one part for each life."""
    for life in lives:
        rows = [_cells(each) for each in outcomes if each.life == life.name]
        widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(len(HEAD))]
        yield f"\n{life.name}: {life.source}"
        for row in (HEAD, *rows):
            first, *rest = (
                f"{cell:<{width}}" if not n else f"{cell:>{width}}"
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  ".join((first, *rest)).rstrip()
        yield from (f"- {sentence}" for sentence in findings(outcomes, life, highest_rate))


def page(text: str, lives: Sequence[Life], outcomes: Sequence[Outcome], highest_rate: float) -> str:
    """Put the results between their marks on the page; raises ValueError where the marks are not there once each."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the page does not hold {BEGIN!r} and {END!r} once each, in this order")
    before, rest = text.split(BEGIN)
    return (
        before + BEGIN + "\n\n" + "\n".join(_markdown(lives, outcomes, highest_rate)) + "\n" + END + rest.split(END)[1]
    )


def figures(outcome: Outcome) -> dict[str, object]:
    """Give everything that was counted and what follows from it; None where there is nothing to take a share of."""
    rate = outcome.escape_rate()
    return {
        **asdict(outcome),
        "escape_rate": None if rate is None else {"value": rate.value, "low": rate.low, "high": rate.high},
        "share_unseen": outcome.share_unseen,
        "minutes_per_landed": outcome.minutes_per_landed,
        "defects_caught": outcome.caught,
    }


def findings(outcomes: Sequence[Outcome], life: Life, highest_rate: float) -> Iterator[str]:
    """Say of a life what a reader should not overlook, the unflattering as well."""
    by_rule = {each.rule: each for each in outcomes if each.life == life.name}
    for name in ("reeve", "whole cell only"):
        yield _kept(name, by_rule[name], highest_rate)
    passing, fixed = by_rule["land whatever passes"].escape_rate(), by_rule["fixed threshold .95"].escape_rate()
    if passing is not None:
        above = "above" if passing.value > highest_rate else "below"
        yield f"of what passes {passing.value:.1%} is wrong, {above} {highest_rate:.0%} without any audit"
    if fixed is not None:
        above = "above" if fixed.value > highest_rate else "below"
        outcome = by_rule["fixed threshold .95"]
        versions = f"{outcome.versions_above} of {outcome.versions_unseen} versions were above it"
        yield f"the fixed threshold lets {fixed.value:.1%} escape, {above} {highest_rate:.0%}, and has no means to know; {versions}"
    inherited, restarted = by_rule["inherited"], by_rule["reeve"]
    if inherited.versions_unseen:
        told = f"{inherited.versions_above} of {inherited.versions_unseen} versions were above {highest_rate:.0%}"
        yield f"with inherited trust {told}, against {restarted.versions_above} of {restarted.versions_unseen}"


def _kept(name: str, outcome: Outcome, highest_rate: float) -> str:
    """Say whether a rule kept what the owner asked for, as far as the number of results can tell."""
    rate = outcome.escape_rate()
    if rate is None:
        return f"{name}: nothing landed unseen, no part of any version's results was certified at {highest_rate:.0%}"
    told = f"{name}: {outcome.share_unseen:.1%} landed unseen, {rate.value:.1%} of it wrong ({rate.low:.1%} to {rate.high:.1%})"
    if rate.low > highest_rate:
        return f"{told}: the promise was broken"
    if rate.high > highest_rate:
        return f"{told}: too little landed to tell whether {highest_rate:.0%} was kept"
    return f"{told}: {highest_rate:.0%} was kept"


def _markdown(lives: Sequence[Life], outcomes: Sequence[Outcome], highest_rate: float) -> Iterator[str]:
    sources = {life.name: life for life in lives}
    yield f"{PICTURE}\n"
    for name, some in groupby(outcomes, key=lambda each: each.life):
        yield f"### {name}\n\n{sources[name].source}.\n"
        yield "| " + " | ".join(HEAD) + " |"
        yield "|---|" + "---:|" * (len(HEAD) - 1)
        yield from ("| " + " | ".join(_cells(each)) + " |" for each in some)
        yield ""
        yield from (
            f"- {sentence[0].upper()}{sentence[1:]}." for sentence in findings(outcomes, sources[name], highest_rate)
        )
        yield ""


def _cells(outcome: Outcome) -> tuple[str, ...]:
    rate, minutes, caught = outcome.escape_rate(), outcome.minutes_per_landed, outcome.caught
    return (
        outcome.rule,
        f"{outcome.unseen:,} of {outcome.passed:,} ({outcome.share_unseen:.1%})",
        f"{outcome.escapes:,}",
        "nothing unseen" if rate is None else f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})",
        "nothing landed" if minutes is None else f"{minutes:.1f}",
        "none to catch" if caught is None else f"{caught:.1%}",
        f"{outcome.versions_above} of {outcome.versions_unseen}",
    )
