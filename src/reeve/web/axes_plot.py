"""Success over two axes as a picture: for each agent a grid of minutes and chain, coloured by chance."""

from collections.abc import Sequence
from typing import Any

from reeve.ledger.plain import one_line
from reeve.stats.axes import AgentAxes, Axes, Band, Cell

__all__ = ["axes_panel"]

Spec = dict[str, Any]

CELL = 74  # pixels
A_ROW = 4
NAME_WIDTH = 28
MOST_AGENTS = 24


def axes_panel(both: Axes) -> Spec:
    """Give the Vega-Lite specification of the agents with most runs: one grid each."""
    shown = sorted(both.agents, key=lambda each: (-each.runs, each.agent))[:MOST_AGENTS]
    rows = [_row(agent, cell, both) for agent in shown for cell in agent.cells if cell.observed is not None]
    minutes, steps = _labels(both.minutes_bands, "min"), _labels(both.chain_bands, "steps")
    across = {"field": "steps", "type": "ordinal", "sort": steps, "title": None, "axis": {"labelAngle": 0}}
    along = {"field": "minutes", "type": "ordinal", "sort": minutes[::-1], "title": None}
    shade = {"field": "chance", "type": "quantitative", "title": "chance of success", "scale": _SCALE}
    size = {"width": CELL * len(steps), "height": CELL // 2 * len(minutes)}
    base = {"encoding": {"x": across, "y": along}}
    white = {"condition": {"test": "datum.chance > 0.85 || datum.chance < 0.2", "value": "white"}, "value": "black"}
    layers = [
        {"mark": "rect", **_with(base, color=shade)},
        {"mark": {"type": "text", "fontSize": 11}, **_with(base, text={"field": "words"}, color=white)},
    ]
    return {
        "title": "Success by minutes a person needs, and by length of the action chain: chance, of runs",
        "data": {"values": rows},
        "facet": {"field": "agent", "type": "nominal", "title": None, "sort": [_name(each) for each in shown]},
        "columns": A_ROW,
        "spec": {**size, "layer": layers},
    }


_SCALE = {"domain": [0, 0.5, 1], "range": ["#b2182b", "#f7f7f7", "#2166ac"]}


def _with(base: Spec, **more: Spec) -> Spec:
    return {"encoding": {**base["encoding"], **more}}


def _row(agent: AgentAxes, cell: Cell, both: Axes) -> Spec:
    """Give one cell; without a curve, the share that was observed."""
    chance = cell.observed if cell.chance is None else cell.chance
    return {
        "agent": _name(agent),
        "minutes": _labels(both.minutes_bands, "min")[cell.minutes_band],
        "steps": _labels(both.chain_bands, "steps")[cell.chain_band],
        "chance": chance,
        "words": f"{chance:.0%} of {cell.runs}",
    }


def _labels(bands: Sequence[Band], unit: str) -> list[str]:
    return [f"{band.low:.3g} to {band.high:.3g} {unit}" for band in bands]


def _name(agent: AgentAxes) -> str:
    return one_line(agent.agent, NAME_WIDTH)
