"""What came of the lives: as a table for a terminal, as the results part of docs/trust.md, and as figures to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from bench.trust.lives import Life
from bench.trust.replay import Outcome

BEGIN, END = "<!-- results: begin (written by `make bench-trust`) -->", "<!-- results: end -->"
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
    """Say of a life what a reader should not overlook, the unflattering first."""
    by_rule = {each.rule: each for each in outcomes if each.life == life.name}
    ours, all_in = by_rule["reeve"], by_rule["land whatever passes"]
    rate, passing = ours.escape_rate(), all_in.escape_rate()
    if rate is None:
        yield f"reeve landed nothing unseen: no part of any version's results was certified at {highest_rate:.0%}"
    elif rate.value > highest_rate:
        yield f"reeve broke its promise: {rate.value:.1%} of what landed unseen was wrong, above {highest_rate:.0%}"
    else:
        yield f"reeve landed {ours.share_unseen:.1%} unseen, {rate.value:.1%} of it wrong (at most {rate.high:.1%})"
    if ours.versions_above:
        yield f"under reeve {ours.versions_above} of {ours.versions_unseen} versions were above {highest_rate:.0%} over their whole life"
    if passing is not None:
        yield f"landing whatever passes lets {passing.value:.1%} escape"
    fixed = by_rule["fixed threshold .95"].escape_rate()
    if fixed is not None and fixed.low > highest_rate:
        yield f"the fixed threshold lets {fixed.value:.1%} escape, and nobody is told"
    inherited = by_rule["reeve, trust inherited"]
    if inherited.versions_above > ours.versions_above:
        yield f"with inherited trust {inherited.versions_above} of {inherited.versions_unseen} versions were above {highest_rate:.0%}, against {ours.versions_above} of {ours.versions_unseen}"


def _markdown(lives: Sequence[Life], outcomes: Sequence[Outcome], highest_rate: float) -> Iterator[str]:
    sources = {life.name: life for life in lives}
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
