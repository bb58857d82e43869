"""`reeve horizon`."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from reeve.cli.lengths import BEYOND, BEYOND_WORDS, ends_of, length, two_digits
from reeve.cli.options import Json
from reeve.cli.output import NARROW, Column, hanging, listing, print_json, safe, screen
from reeve.errors import InputError
from reeve.ledger.plain import one_line

if TYPE_CHECKING:
    from reeve.policy.horizon import HorizonReport
    from reeve.policy.run_records import RunRecords
    from reeve.stats.axes import Axes, Cell, Effect
    from reeve.stats.horizon import AgentHorizon
    from reeve.stats.plateau import Plateau
    from reeve.stats.trend import Trend

COLUMNS = (
    Column("agent", grows=True),
    Column("runs", right=True),
    Column("successes", right=True),
    Column("p50", right=True),
    Column("95 %"),
    Column("p80", right=True),
    Column("95 %"),
    Column("p95", right=True),
    Column("95 %"),
)
NAME_WIDTH = 60
DRAWN = (".svg", ".png", ".html")


class SecondAxis(StrEnum):
    """What success may be shown by, besides human minutes."""

    CHAIN = "chain"


File = Annotated[
    Path, typer.Argument(metavar="RUNS", help="Run records: JSON lines or CSV, .gz or not.", show_default=False)
]
Penalty = Annotated[float, typer.Option(metavar="X", help="On the slope; the published form had 0.1 before 2026.")]
Resamples = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=1_000_000,
        help="For the intervals; 0: none.",
        show_default="1000; fewer of a huge table",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Resample i is drawn with seed N + i.")]
By = Annotated[
    SecondAxis | None,
    typer.Option(metavar="AXIS", help="`chain`: success by length of the chain of actions too.", show_default=False),
]
Suite = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Runs at another benchmark, for the plateau alone; repeatable."),
]
Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also draw it: .svg, .png or .html.", show_default=False),
]


def horizon(
    runs: File,
    *,
    penalty: Penalty = 1e-5,
    resamples: Resamples = None,
    seed: Seed = 42,
    by: By = None,
    suite: Suite = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say how long a task each agent can do on its own, with which reliability, from anybody's run records."""
    if plot is not None and plot.suffix.lower() not in DRAWN:
        raise InputError(f"drawing to {str(plot)!r}: the name must end in {', '.join(DRAWN)}")
    if not 1e-9 <= penalty <= 100.0:
        raise InputError(
            f"--penalty {penalty:g}: it must lie between 1e-9, below which some curves have no end, and 100"
        )
    # NumPy takes a tenth of a second to import; `reeve --help` imports this module too.
    from reeve.policy.horizon import horizon_report
    from reeve.policy.run_records import read_runs

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = screen(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        reading = bar.add_task("runs read", total=None)
        records = read_runs(runs, lambda count: bar.update(reading, completed=count))
        bar.update(reading, completed=len(records.runs), total=len(records.runs))
        drawing = bar.add_task("resamples", total=None)
        report = horizon_report(
            records,
            penalty=penalty,
            resamples=resamples,
            seed=seed,
            by_chain=by is SecondAxis.CHAIN,
            suites=_suites(suite or []),
            progress=lambda done, total: bar.update(drawing, completed=done, total=total),
        )
    if plot is not None:
        from reeve.web.horizon_plot import draw

        draw(report, plot)
    if as_json:
        print_json(_json(report))
        return
    _print(report)


def _suites(files: Sequence[Path]) -> "dict[str, RunRecords]":
    """Read each file as one suite, named by it."""
    from reeve.policy.run_records import read_runs

    found: dict[str, RunRecords] = {}
    for file in files:
        if str(file) in found:
            raise InputError(f"the suite {str(file)!r} is named twice")
        found[str(file)] = read_runs(file, minutes_needed=False)
    return found


# ---------------------------------------------------------------- for people


def _print(report: "HorizonReport") -> None:
    console = screen()
    agents = sorted(report.horizons.agents, key=lambda each: each.horizon(0.5).minutes or 0.0, reverse=True)
    _table(console, COLUMNS, [_row(each) for each in agents])
    console.print()
    if any(each.beyond for agent in agents for each in agent.horizons):
        console.print(safe(f"{BEYOND} {BEYOND_WORDS}", "dim"))
    for agent in agents:
        if agent.reason:
            hanging(console, safe(f"{one_line(agent.agent, NAME_WIDTH)}: "), safe(agent.reason))
    if report.axes is not None:
        _print_axes(console, report.axes)
    _print_trend(console, report.trend)
    hanging(console, safe("plateau: "), safe(_plateau_words(report.plateau)))
    for rule in report.notes:
        hanging(console, safe("rule: ", "dim"), safe(rule, "dim"))


def _table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    """Print rows as a table, or where the terminal is narrow line by line: no number here says by itself what it is."""
    if console.width >= NARROW:
        listing(console, columns, rows)
        return
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            if cell.plain:
                hanging(console, safe("" if column.grows else f"  {column.title}: ", "dim"), cell)


def _row(agent: "AgentHorizon") -> list[Text]:
    cells = [safe(one_line(agent.agent, NAME_WIDTH)), safe(agent.runs), safe(f"{agent.successes:g}")]
    for each in agent.horizons:
        cells += [safe(length(each.minutes) + BEYOND * each.beyond), safe(ends_of(each), "dim")]
    return cells


def _print_axes(console: Console, both: "Axes") -> None:
    """Print success over minutes and chain, and what each doubling does."""
    bands = [f"{band.low:g} to {band.high:g} steps" for band in both.chain_bands]
    columns = (Column("agent", grows=True), Column("a person needs"), *map(Column, bands))
    rows = []
    for agent in both.agents:
        for place, minutes in enumerate(both.minutes_bands):
            name = one_line(agent.agent, NAME_WIDTH) if place == 0 else ""
            cells = [_cell_words(cell) for cell in agent.cells if cell.minutes_band == place]
            rows.append([safe(name), safe(f"{length(minutes.low)} to {length(minutes.high)}"), *map(safe, cells)])
    console.print()
    _table(console, columns, rows)
    console.print()
    effects = [
        [
            safe(one_line(agent.agent, NAME_WIDTH)),
            safe(_count_range(at.steps, at.low_steps, at.high_steps) + BEYOND * at.beyond),
            *(safe(_effect_words(each)) for each in agent.effects),
        ]
        for agent in both.agents
        for at in agent.chains[:1]
    ]
    if effects:
        names = next(agent.effects for agent in both.agents if agent.effects)
        titles = ("agent", "steps at p50", *(each.variable for each in names))
        _table(console, [Column(title, grows=not place) for place, title in enumerate(titles)], effects)
        console.print(
            safe("per doubling, in log odds of success; steps at the typical minutes of each agent's tasks", "dim")
        )
        console.print()
    for agent in both.agents:
        if agent.reason:
            hanging(console, safe(f"{one_line(agent.agent, NAME_WIDTH)} by chain: "), safe(agent.reason))


def _cell_words(cell: "Cell") -> str:
    if cell.observed is None:
        return "-"
    if cell.chance is None:
        return f"{cell.observed:.0%} of {cell.runs}"
    between = f" ({cell.low:.0%} to {cell.high:.0%})" if cell.low is not None and cell.high is not None else ""
    return f"{cell.chance:.0%}{between} of {cell.runs}"


def _effect_words(effect: "Effect") -> str:
    if effect.low is None or effect.high is None:
        return f"{effect.per_doubling:+.2f}"
    return f"{effect.per_doubling:+.2f} ({effect.low:+.2f} to {effect.high:+.2f})"


def _count_range(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    if low is None and high is None:
        return two_digits(value)
    ends = ("0" if low is None else two_digits(low), "no end" if high is None else two_digits(high))
    return f"{two_digits(value)} ({ends[0]} to {ends[1]})"


def _print_trend(console: Console, trend: "Trend") -> None:
    if trend.doubling_days is None:
        hanging(console, safe("trend: "), safe(trend.reason))
    else:
        through = f"through {', '.join(trend.agents)}"
        low, high = _day_count(trend.low_days), _day_count(trend.high_days)
        doubling = f"p50 doubles every {trend.doubling_days:.0f} days (95 %: {low} to {high}) {through}"
        hanging(console, safe("trend: "), safe(f"{doubling}; {trend.reason}" if trend.reason else doubling))
        for each in trend.projections:
            at = f"p50 {length(each.minutes)} ({length(each.low_minutes)} to {length(each.high_minutes)})"
            hanging(console, safe("       "), safe(f"{each.on}: {at} if it goes on like this"))
    if trend.left_out:
        without = f"without {', '.join(trend.left_out)}, beyond the lengths of the tasks"
        hanging(console, safe("       "), safe(without, "dim"))


def _day_count(days: float | None) -> str:
    return "no end" if days is None else f"{days:.0f}"


def _plateau_words(plateau: "Plateau") -> str:
    if plateau.p_value is None:
        words = "cannot tell"
    elif plateau.since is not None and plateau.lost is not None:
        words = f"agents lost {plateau.lost:.0%} of their growth on {plateau.since} (p = {plateau.p_value:.2g})"
    else:
        words = f"none seen (p = {plateau.p_value:.2g}, power {plateau.power or 0.0:.0%})"
    left_out = [f"{each.name} does not count: {each.reason}" for each in plateau.suites if each.reason]
    return "; ".join([words, *filter(None, [plateau.reason]), *left_out])


# ---------------------------------------------------------------- for programs


def _json(report: "HorizonReport") -> dict[str, Any]:
    found = report.trend
    return {
        "agents": {each.agent: _agent_json(each) for each in report.horizons.agents},
        "trend": {
            "doubling_days": found.doubling_days,
            "ci95_days": _pair(found.low_days, found.high_days),
            "ci95_days_of_tasks_alone": _pair(found.tasks_low_days, found.tasks_high_days),
            "r_squared": found.r_squared,
            "agents": found.agents,
            "left_out": found.left_out,
            "projections": [
                {
                    "date": each.on.isoformat(),
                    "p50_minutes": each.minutes,
                    "ci95_minutes": _pair(each.low_minutes, each.high_minutes),
                }
                for each in found.projections
            ],
            "reason": found.reason or None,
        },
        "plateau": _plateau_json(report.plateau),
        "axes": report.axes,
        "notes": report.notes,
    }


def _plateau_json(found: "Plateau") -> dict[str, Any]:
    return {
        "found": found.found,
        "p_value": found.p_value,
        "power": found.power,
        "since": None if found.since is None else found.since.isoformat(),
        "lost": found.lost,
        "suites": found.suites,
        "reason": found.reason or None,
    }


def _agent_json(agent: "AgentHorizon") -> dict[str, Any]:
    found: dict[str, Any] = {
        "runs": agent.runs,
        "successes": int(agent.successes) if agent.successes.is_integer() else agent.successes,
        "tasks": agent.tasks,
        "tasks_minutes": [agent.shortest_minutes, agent.longest_minutes],
        "slope": agent.slope,
        "intercept": agent.intercept,
    }
    for each in agent.horizons:
        name = f"p{each.success * 100:g}"
        found[f"{name}_minutes"] = each.minutes
        found[f"{name}_ci95_minutes"] = _pair(each.low_minutes, each.high_minutes)
        found[f"{name}_beyond_tasks"] = each.beyond
    return found | {"reason": agent.reason or None}


def _pair(low: float | None, high: float | None) -> list[float | None] | None:
    """Give both ends, one of which may be open; nothing where there is neither."""
    return None if low is None and high is None else [low, high]
