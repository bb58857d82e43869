"""The lives as a picture: how much landed unseen, and how much of that was wrong."""

from collections.abc import Sequence
from typing import Any

import vl_convert

from bench.trust.replay import Outcome

VERSION = "6.4"  # of Vega-Lite, among those that vl-convert brings


def svg(outcomes: Sequence[Outcome], highest_rate: float) -> str:
    """Draw a panel for each life; a rule that landed nothing unseen has no rate and no point."""
    found: str = vl_convert.vegalite_to_svg(specification(outcomes, highest_rate), vl_version=VERSION)
    return found


def specification(outcomes: Sequence[Outcome], highest_rate: float) -> dict[str, Any]:
    rows = [row for each in outcomes if (row := _row(each)) is not None]
    share = {
        "field": "unseen",
        "type": "quantitative",
        "title": "landed unseen, of what passed",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%"},
    }
    rate = {"type": "quantitative", "title": "escape rate: wrong, of what landed unseen", "axis": {"format": "%"}}
    color = {"field": "rule", "type": "nominal", "title": None, "legend": {"orient": "bottom", "columns": 3}}
    layers = [
        {"mark": {"type": "rule", "color": "#888", "strokeDash": [4, 4]}, "encoding": {"y": {"datum": highest_rate}}},
        {
            "mark": "rule",
            "encoding": {"x": share, "y": {"field": "low", **rate}, "y2": {"field": "high"}, "color": color},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": share, "y": {"field": "rate", **rate}, "color": color},
        },
    ]
    lives = list(dict.fromkeys(each.life for each in outcomes))
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VERSION}.json",
        "data": {"values": rows},
        "facet": {"field": "life", "type": "nominal", "title": None, "sort": lives},
        "columns": 2,
        "spec": {"width": 320, "height": 220, "layer": layers},
        "background": "white",
        "config": {"view": {"stroke": None}, "axis": {"gridColor": "#eee"}},
    }


def _row(outcome: Outcome) -> dict[str, Any] | None:
    rate = outcome.escape_rate()
    if rate is None:
        return None
    return {
        "life": outcome.life,
        "rule": outcome.rule,
        "unseen": outcome.share_unseen,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
    }
