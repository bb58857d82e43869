"""Plots of trust: each as SVG for light and dark pages, as PNG, and as the rows that it draws, in CSV.

The specifications are those that `horizon_plot` writes, and more of their kind. Names of agents are text and nothing
else in all of them: a picture runs nothing, and no cell of the CSV begins a formula.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import vl_convert

from reeve.ledger.periods import Period
from reeve.ledger.plain import one_line
from reeve.policy.horizon import HorizonReport
from reeve.records import Level
from reeve.stats.horizon import AgentHorizon
from reeve.web.figures import (
    CellFigures,
    HorizonFigures,
    Observed,
    Plot,
    Plots,
    PolicyFigures,
    TrustFigures,
)
from reeve.web.horizon_plot import VERSION, specification

__all__ = ["PLOTS", "plots_of"]

Spec = dict[str, Any]
Row = Mapping[str, Any]
Drawing = tuple[Plot, Sequence[Row], Spec | None]

PLOTS = ("horizon", "calibration", "minutes", "cost", "certificates")
WIDTH, HEIGHT = 520, 260
SQUARE = 300
NAME_WIDTH = 40
MOST_LINES = 24
"""Cells in one picture, those that were heard of last: more lines cannot be told apart."""

SMALLEST_EVIDENCE, LARGEST_EVIDENCE = 1e-3, 1e6  # beyond, a line leaves the picture
FORMULA = ("=", "+", "-", "@", "\t", "\r")
DASHED: Spec = {"strokeDash": [4, 4]}
INKS = {
    "light": {"ink": "#1b1f23", "quiet": "#57606a", "grid": "#e4e7ea", "domain": "#8c959f", "first": "#0550ae"},
    "dark": {"ink": "#dfe4e8", "quiet": "#98a4af", "grid": "#2a3138", "domain": "#6e7a86", "first": "#79b8ff"},
}
COLORS = {
    "light": ["#0550ae", "#b35900", "#116329", "#8250df", "#b31d28", "#0a5c7a", "#7d4e00", "#57606a"],
    "dark": ["#79b8ff", "#f0a35e", "#63d187", "#c9a4ff", "#ff8b85", "#6cc5e6", "#e8b64c", "#98a4af"],
}


def plots_of(found: TrustFigures, report: HorizonReport | None) -> Plots:
    """Draw all of them; of one without data there is the reason."""
    drawn = {
        "horizon": _horizon(found.horizons, report),
        "calibration": _calibration(found),
        "minutes": _over_time(found.periods, "minutes", "Human minutes for each task that landed", "minutes"),
        "cost": _over_time(found.periods, "usd", "Cost of each task that landed", "dollars"),
        "certificates": _certificates(found.policy),
    }
    return {name: _drawn(*drawn[name]) for name in PLOTS}


def _drawn(plot: Plot, rows: Sequence[Row], spec: Spec | None) -> Plot:
    if spec is None:
        return plot
    light, dark = _inked(spec, "light"), _inked(spec, "dark")
    return replace(
        plot,
        svg=vl_convert.vegalite_to_svg(light, vl_version=VERSION),
        svg_dark=vl_convert.vegalite_to_svg(dark, vl_version=VERSION),
        png=vl_convert.vegalite_to_png(light, vl_version=VERSION, scale=2),
        csv=_csv(rows),
    )


def _inked(spec: Spec, scheme: str) -> Spec:
    ink = INKS[scheme]
    axis = {"gridColor": ink["grid"], "domainColor": ink["domain"], "tickColor": ink["domain"]}
    words = {"labelColor": ink["quiet"], "titleColor": ink["ink"]}
    config = {
        "background": "#ffffff" if scheme == "light" else "#0f1316",
        "view": {"stroke": None},
        "axis": axis | words,
        "legend": words | {"labelLimit": 320},
        "title": {"color": ink["ink"], "fontSize": 13, "anchor": "start"},
        "range": {"category": COLORS[scheme]},
        "rule": {"color": ink["quiet"]},
        "point": {"color": ink["first"]},
        "line": {"color": ink["first"]},
    }
    return {"$schema": f"https://vega.github.io/schema/vega-lite/v{VERSION}.json", **spec, "config": config}


def _csv(rows: Sequence[Row]) -> str:
    file = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Give a cell that no spreadsheet takes for a formula: it would run whatever a name says."""
    if isinstance(value, str):
        text = one_line(value)
        return f"'{text}" if text.startswith(FORMULA) else text
    return value


# ---------------------------------------------------------------- horizon


def _horizon(found: HorizonFigures, report: HorizonReport | None) -> Drawing:
    title = "Success by length of task, and time horizon"
    if report is None or not any(each.horizon(0.5).minutes is not None for each in found.agents):
        reasons = [found.reason, *(f"{one_line(each.agent, NAME_WIDTH)}: {each.reason}" for each in found.agents)]
        return Plot(title, "", "; ".join(filter(None, reasons)) or "there is no horizon yet"), [], None
    rows = [_horizon_row(each, at.success) for each in found.agents for at in each.horizons]
    rows += [
        {
            "what": "observed",
            "agent": each.agent,
            "minutes": each.minutes,
            "success": each.succeeded / each.runs,
            "runs": each.runs,
        }
        for each in found.observed
    ]
    spec = {key: value for key, value in specification(report).items() if key not in ("config", "usermeta", "$schema")}
    spec["hconcat"][0]["layer"].append(_marks(found.observed))
    spec = _with_legends_below_each_other(spec)
    says = (
        "Each curve is the chance that an agent succeeds, by the time that the task takes a person; marks are what was "
        "observed, larger for more runs."
    )
    return Plot(title, says), rows, spec


def _horizon_row(agent: AgentHorizon, success: float) -> Row:
    at = agent.horizon(success)
    return {
        "what": "horizon",
        "agent": agent.agent,
        "minutes": at.minutes,
        "success": success,
        "runs": agent.runs,
        "low_minutes": at.low_minutes,
        "high_minutes": at.high_minutes,
        "beyond_the_tasks": at.beyond,
    }


def _with_legends_below_each_other(part: Any) -> Any:
    """Give one line to each name: how wide it becomes depends on the fonts of whoever looks."""
    if isinstance(part, dict):
        return {
            key: value | {"columns": 1} if key == "legend" and value else _with_legends_below_each_other(value)
            for key, value in part.items()
        }
    return [_with_legends_below_each_other(each) for each in part] if isinstance(part, list) else part


def _marks(observed: Sequence[Observed]) -> Spec:
    rows = [
        {
            "agent": one_line(each.agent, NAME_WIDTH),
            "minutes": each.minutes,
            "success": each.succeeded / each.runs,
            "runs": each.runs,
        }
        for each in observed
    ]
    encoding = {
        "x": {"field": "minutes", "type": "quantitative"},
        "y": {"field": "success", "type": "quantitative"},
        "size": {"field": "runs", "type": "quantitative", "legend": None, "scale": {"range": [20, 160]}},
        "color": {"field": "agent", "type": "nominal"},
    }
    return {"data": {"values": rows}, "mark": {"type": "point", "opacity": 0.6}, "encoding": encoding}


# ---------------------------------------------------------------- calibration


def _calibration(found: TrustFigures) -> Drawing:
    title, measured = "Confidence against audited truth", found.calibration
    if measured is None:
        return Plot(title, "", found.no_calibration), [], None
    rows = [
        {
            "from": each.low,
            "to": each.high,
            "mean_confidence": each.mean_chance,
            "right": each.correct.value,
            "low": each.correct.low,
            "high": each.correct.high,
            "results": each.count,
        }
        for each in measured.bins
    ]
    domain = {"domain": [0, 1]}
    x = {
        "field": "mean_confidence",
        "type": "quantitative",
        "title": "confidence that was decided on",
        "scale": domain,
    }
    y = {"field": "right", "type": "quantitative", "title": "share that was right", "scale": domain}
    size = {"field": "results", "type": "quantitative", "legend": None, "scale": {"range": [30, 240]}}
    ends = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    diagonal = {"mean_confidence": 0.0, "right": 0.0}, {"mean_confidence": 1.0, "right": 1.0}
    layers = [
        _layer(diagonal, {"type": "line", **DASHED}, {"x": x, "y": y}),
        _layer(rows, {"type": "rule"}, {"x": x, **ends}),
        _layer(rows, {"type": "point", "filled": True, "opacity": 1}, {"x": x, "y": y, "size": size}),
    ]
    says = (
        f"{measured.count} audited results, {measured.base_rate:.0%} of them right; on the line, confidence says as "
        f"much as it promises. Mean squared error {measured.brier:.3f}; {measured.brier_of_base_rate:.3f} for saying "
        "the same of all."
    )
    return Plot(title, says), rows, {"title": title, "width": SQUARE, "height": SQUARE, "layer": layers}


# ---------------------------------------------------------------- over time


def _over_time(periods: Sequence[Period], of: str, title: str, unit: str) -> Drawing:
    each, so_far = f"{of}_per_landed", f"{of}_per_landed_so_far"
    rows = [
        {
            "begins": _time(period.begins_utc),
            "ends": _time(period.ends_utc),
            "landed": period.landed,
            of: getattr(period, of),
            each: getattr(period, each),
            so_far: getattr(period, so_far),
        }
        for period in periods
    ]
    known = [row for row in rows if row[so_far] is not None]
    if not known:
        none = not any(period.landed for period in periods)
        return Plot(title, "", "nothing has landed yet" if none else "no attempt said what it cost"), [], None
    x = {"field": "begins", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": {"labelOverlap": True}}
    y = {"field": each, "type": "quantitative", "title": f"{unit} for each that landed"}
    points = [row for row in known if row[each] is not None]
    layers = [
        _layer(points, {"type": "point", "filled": True, "size": 40, "opacity": 0.7}, {"x": x, "y": y}),
        _layer(known, {"type": "line", "interpolate": "monotone"}, {"x": x, "y": y | {"field": so_far}}),
    ]
    hours = (periods[0].ends_utc - periods[0].begins_utc) / 3600
    width = f"{hours:g} h" if hours < 24 else f"{hours / 24:g} days"
    says = (
        f"Points: periods of {width}, where something landed. Line: all up to then, now {known[-1][so_far]:.3g} {unit}."
    )
    return Plot(title, says), rows, _panel(title, layers)


def _time(at_utc: float) -> str:
    return datetime.fromtimestamp(at_utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- certificates


def _certificates(policy: PolicyFigures) -> Drawing:
    title = "Evidence of certificates, audit by audit"
    cells = [each for each in policy.cells if any(each.progress)][:MOST_LINES]
    if not cells:
        return Plot(title, "", "nothing was audited yet"), [], None
    rows: list[Row] = [
        {
            "cell": name,
            "level": level.words,
            "audits": level.audits - len(course) + place,
            "e_value": value,
            "needed": level.e_value_needed,
        }
        for name, each in zip(_names(cells), cells, strict=True)
        for level, course in _lines(each)
        for place, value in enumerate(course, start=1)
    ]
    shown = [
        {
            "line": one_line(f"{row['cell']}: {row['level']}", 3 * NAME_WIDTH),
            "audits": row["audits"],
            "share": _within(row["e_value"] / row["needed"]),
        }
        for row in rows
    ]
    x = {"field": "audits", "type": "quantitative", "title": "audits", "axis": {"tickMinStep": 1, "format": "d"}}
    y = {
        "field": "share",
        "type": "quantitative",
        "title": "evidence, of what certifies",
        "scale": {"type": "log"},
        "axis": {"format": "~g", "tickCount": 6},
    }
    legend = {"orient": "bottom", "columns": 1, "title": None, "labelLimit": WIDTH}
    color = {"field": "line", "type": "nominal", "legend": legend}
    bar = [{"share": 1.0, "words": "certified from 1"}]
    layers = [
        _layer(shown, {"type": "line", "point": {"size": 14}}, {"x": x, "y": y, "color": color}),
        _layer(bar, {"type": "rule", **DASHED}, {"y": y}),
    ]
    says = "A level of a cell is certified while its line is at or above 1; a result found wrong takes it down."
    return Plot(title, says), rows, _panel(title, layers)


def _lines(cell: CellFigures) -> list[tuple[Level, tuple[float, ...]]]:
    """Choose the levels of a cell that are drawn: everything, and what may land or is nearest to it."""
    levels = list(zip(cell.trust.levels, cell.progress, strict=True))
    parts = [each for each in levels[1:] if each[1]]
    best = max(parts, key=lambda each: each[0].e_value / each[0].e_value_needed, default=None)
    return [levels[0]] if best is None else [levels[0], best]


def _names(cells: Sequence[CellFigures]) -> list[str]:
    """Name cells; the configuration is told only where the rest is the same."""
    plain = [_named(each) for each in cells]
    return [
        f"{name} ({each.trust.cell.configuration})" if plain.count(name) > 1 else name
        for name, each in zip(plain, cells, strict=True)
    ]


def _named(cell: CellFigures) -> str:
    of = cell.trust.cell
    return f"{of.agent} {of.version}, {of.kind} in {of.repository.rstrip('/').rpartition('/')[2]}"


def _within(value: float) -> float:
    return min(max(value, SMALLEST_EVIDENCE), LARGEST_EVIDENCE)


# ---------------------------------------------------------------- parts


def _panel(title: str, layers: Sequence[Spec]) -> Spec:
    return {"title": title, "width": WIDTH, "height": HEIGHT, "layer": list(layers)}


def _layer(rows: Sequence[Row], mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}
