"""Horizons as a picture: one Vega-Lite specification, as SVG, PNG or a page that needs no network.

The specification is written out as the JSON that it is: twelve marks, which a library of its own would make no shorter.
"""

from collections.abc import Sequence
from math import exp, log2
from pathlib import Path
from typing import Any

import vl_convert

from reeve.errors import InputError
from reeve.ledger.plain import one_line
from reeve.policy.horizon import HorizonReport
from reeve.stats.horizon import AgentHorizon
from reeve.stats.trend import Trend
from reeve.web.axes_plot import axes_panel

__all__ = ["draw", "specification"]

Spec = dict[str, Any]

VERSION = "6.4"  # of Vega-Lite, among those that vl-convert brings
CURVE_STEPS = 60
WIDTH, HEIGHT = 460, 340
NAME_WIDTH = 40
LESS_THAN = "\ue000"  # stands for "<" while a page is made

TICKS = [1 / 3600, 1 / 60, 1 / 6, 1, 4, 15, 60, 240, 960, 3840, 15360]
LABELS = (
    "datum.value >= 60 ? format(datum.value / 60, ',.0f') + ' h' : "
    "datum.value >= 1 ? format(datum.value, '.0f') + ' min' : format(datum.value * 60, '.2~r') + ' s'"
)
COLOR = {"field": "agent", "type": "nominal", "legend": {"orient": "bottom", "columns": 5, "title": None}}
P50 = "p50, with its interval of 95 %"
TREND_STYLE = {"strokeDash": [4, 4], "color": "#666"}


def draw(report: HorizonReport, path: Path) -> None:
    """Write the picture; the ending of the name says as what. Raises InputError where it cannot be written."""
    spec = specification(report)
    kind = path.suffix.lower()
    if kind == ".png":
        content = vl_convert.vegalite_to_png(spec, vl_version=VERSION, scale=2)
    elif kind == ".svg":
        content = vl_convert.vegalite_to_svg(spec, vl_version=VERSION).encode()
    else:
        content = _page(spec).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"drawing to {str(path)!r}: {error.strerror}") from error


def _page(spec: Spec) -> str:
    """Make a page with all its scripts inside; a name that holds "</script>" must not end one."""
    page: str = vl_convert.vegalite_to_html(_marked(spec), vl_version=VERSION, bundle=True)
    return page.replace(LESS_THAN, "\\u003c")


def _marked(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _marked(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_marked(value) for value in part]
    return part.replace("<", LESS_THAN) if isinstance(part, str) else part


def specification(report: HorizonReport) -> Spec:
    """Give the Vega-Lite specification: success over human minutes, and horizons over dates of release or by rank.

    Below, where it was asked for, success by minutes and chain.
    """
    agents = [each for each in report.horizons.agents if each.horizon(0.5).minutes is not None]
    dated = [each for each in agents if each.agent in report.released]
    above = {
        "hconcat": [_curves(agents), _over_dates(report, dated) if dated else _ranked(agents)],
        "resolve": {"scale": {"color": "shared"}},
    }
    both = report.axes
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VERSION}.json",
        **(
            above
            if both is None
            else {"vconcat": [above, axes_panel(both)], "resolve": {"scale": {"color": "independent"}}}
        ),
        "config": {"view": {"stroke": None}, "axis": {"gridColor": "#eee"}},
        "usermeta": {"embedOptions": {"actions": {"editor": False}}},  # it would send the data to a web site
    }


# ---------------------------------------------------------------- panels


def _curves(agents: Sequence[AgentHorizon]) -> Spec:
    success = {"field": "success", "type": "quantitative", "title": "chance of success", "scale": {"domain": [0, 1]}}
    encoding = {"x": _minutes("minutes", "time the task takes a person"), "y": success, "color": COLOR}
    curves = [row for each in agents for row in _curve(each)]
    halves = [
        {"agent": _name(each), "minutes": each.horizon(0.5).minutes, "success": 0.5}
        for each in agents
        if not each.horizon(0.5).beyond
    ]
    layers = [_layer(curves, {"type": "line"}, encoding), _layer(halves, {"type": "point", "filled": True}, encoding)]
    return _panel("Success by length of task", layers)


def _curve(agent: AgentHorizon) -> list[Spec]:
    """Give points of a curve, as far as there were tasks."""
    first, last = log2(agent.shortest_minutes), log2(agent.longest_minutes)
    rows = []
    for step in range(CURVE_STEPS + 1):
        x = first + (last - first) * step / CURVE_STEPS
        z = min(max((agent.intercept or 0.0) + (agent.slope or 0.0) * x, -500.0), 500.0)
        rows.append({"agent": _name(agent), "minutes": 2.0**x, "success": 1.0 / (1.0 + exp(-z))})
    return rows


def _over_dates(report: HorizonReport, agents: Sequence[AgentHorizon]) -> Spec:
    rows = [_row(each) | {"released": report.released[each.agent].isoformat()} for each in agents]
    released = {"field": "released", "type": "temporal", "title": "date of release", "scale": {"padding": 12}}
    return _panel(
        "Horizon by date of release" + _doubling(report.trend),
        [*_trend(report, released), *_points(rows, "y", {"x": released})],
    )


def _doubling(trend: Trend) -> str:
    """Say how fast it grows with the interval: on a picture that is passed on, the point alone would be believed."""
    if trend.doubling_days is None:
        return ""
    low, high = ("no end" if days is None else f"{days:.0f}" for days in (trend.low_days, trend.high_days))
    return f": doubles every {trend.doubling_days:.0f} days (95 %: {low} to {high})"


def _ranked(agents: Sequence[AgentHorizon]) -> Spec:
    rows = [_row(each) for each in agents]
    by_length = {"field": "p50", "op": "max", "order": "descending"}
    name = {"field": "agent", "type": "nominal", "title": None, "sort": by_length}
    return _panel("Horizon", _points(rows, "x", {"y": name}))


def _points(rows: Sequence[Spec], along: str, across: Spec) -> list[Spec]:
    """Draw horizons with their intervals along one axis; hollow where beyond the lengths that were tried."""
    interval = {along: _minutes("low", P50), f"{along}2": {"field": "high"}, "color": COLOR, **across}
    tooltip = [{"field": name, "type": "nominal"} for name in ("agent", "p50", "low", "high")]
    point = {along: _minutes("p50", P50), "color": COLOR, "tooltip": tooltip, **across}
    layers = [_layer([row for row in rows if row["low"] is not None], {"type": "rule"}, interval)]
    for beyond in (False, True):
        mark = {"type": "point", "size": 60, "filled": not beyond, "opacity": 1}
        layers.append(_layer([row for row in rows if row["beyond"] is beyond], mark, point))
    return layers


def _trend(report: HorizonReport, released: Spec) -> list[Spec]:
    """Draw the line of the trend up to its first projection, and the interval of that."""
    found = report.trend
    if found.doubling_days is None or not found.projections:
        return []
    ahead, first = found.projections[0], report.released[found.agents[0]]
    back = ahead.minutes / 2.0 ** ((ahead.on - first).days / found.doubling_days)
    line = [{"released": day.isoformat(), "p50": value} for day, value in ((first, back), (ahead.on, ahead.minutes))]
    layers = [_layer(line, {"type": "line", **TREND_STYLE}, {"x": released, "y": _minutes("p50", P50)})]
    if ahead.low_minutes is not None and ahead.high_minutes is not None:
        end = [{"released": ahead.on.isoformat(), "low": ahead.low_minutes, "high": ahead.high_minutes}]
        encoding = {"x": released, "y": _minutes("low", P50), "y2": {"field": "high"}}
        layers.append(_layer(end, {"type": "rule", **TREND_STYLE}, encoding))
    return layers


# ---------------------------------------------------------------- parts


def _panel(title: str, layers: Sequence[Spec]) -> Spec:
    return {"title": title, "width": WIDTH, "height": HEIGHT, "layer": list(layers)}


def _layer(rows: Sequence[Spec], mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def _minutes(field: str, title: str) -> Spec:
    axis = {"values": TICKS, "labelExpr": LABELS}
    scale = {"type": "log", "nice": False, "padding": 12}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, "scale": scale}


def _row(agent: AgentHorizon) -> Spec:
    """Give a row of data; without both ends there is no line to draw."""
    at = agent.horizon(0.5)
    low, high = (at.low_minutes, at.high_minutes) if at.low_minutes and at.high_minutes else (None, None)
    return {"agent": _name(agent), "p50": at.minutes, "low": low, "high": high, "beyond": at.beyond}


def _name(agent: AgentHorizon) -> str:
    return one_line(agent.agent, NAME_WIDTH)
