"""Charts as files for a talk or a paper: dark ink on white paper, whatever the page's theme."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import INK

# Inches at 96 units each: the width of a page of text.
_WIDTH = 640
_PRINT_INK = "#111111"
_LINE = "#d5d5d5"
# Dots of a pixel picture on each unit: 288 dots an inch.
_SCALE = 3.0


def printed(picture: Picture) -> dict[str, JsonValue]:
    """Return the whole specification of a chart in colours for white paper."""
    drawn = _inked(picture.whole())
    assert isinstance(drawn, dict)
    ink: dict[str, JsonValue] = {"labelColor": _PRINT_INK, "titleColor": _PRINT_INK}
    drawn.pop("usermeta", None)
    return {
        **drawn,
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": _WIDTH,
        "background": "white",
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {**ink, "gridColor": _LINE, "domainColor": _LINE, "tickColor": _LINE}
            | {"titleFontWeight": 400},
            "legend": ink,
            "title": {"color": _PRINT_INK, "fontSize": 15, "anchor": "start"},
        },
    }


def _inked(part: JsonValue) -> JsonValue:
    """Give what takes the colour of the page's text the colour of ink."""
    if isinstance(part, list):
        return [_inked(one) for one in part]
    if isinstance(part, dict):
        return {key: _inked(value) for key, value in part.items()}
    return _PRINT_INK if part == INK else part


def to_svg(picture: Picture) -> bytes:
    """Write a chart as SVG."""
    return str(_converter().vegalite_to_svg(printed(picture))).encode()


def to_pdf(picture: Picture) -> bytes:
    """Write a chart as PDF, with its texts as text."""
    return bytes(_converter().vegalite_to_pdf(printed(picture)))


def to_png(picture: Picture) -> bytes:
    """Write a chart as PNG."""
    return bytes(_converter().vegalite_to_png(printed(picture), scale=_SCALE))


def _converter() -> Any:  # noqa: ANN401 - a module without types
    import vl_convert

    return vl_convert
