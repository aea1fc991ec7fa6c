"""Charts as files for a talk or a paper: dark ink on white paper, whatever the page's theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from leaderboard_app.blocks import Picture
from leaderboard_app.charts.base import INK


@dataclass(frozen=True, kw_only=True, slots=True)
class Print:
    """How charts look on paper, in the files of the app and of the static site.

    Attributes
    ----------
    width : int
        In units of 1/96 inch: that of a page of text.
    scale : float
        Dots of a pixel picture on each unit: 3 are 288 dots an inch.
    """

    ink: str = "#111111"
    line: str = "#d5d5d5"
    paper: str = "white"
    font: str = "sans-serif"
    width: int = 640
    scale: float = 3.0


PRINT = Print()


_LINES = ("gridColor", "domainColor", "tickColor")


def printed(picture: Picture) -> dict[str, JsonValue]:
    """Return the whole specification of a chart in colours for white paper."""
    drawn = _inked(picture.whole())
    assert isinstance(drawn, dict)
    ink: dict[str, JsonValue] = {"labelColor": PRINT.ink, "titleColor": PRINT.ink}
    drawn.pop("usermeta", None)
    return {
        **drawn,
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": PRINT.width,
        "background": PRINT.paper,
        "config": {
            "font": PRINT.font,
            "view": {"stroke": None},
            "axis": {**ink, **dict.fromkeys(_LINES, PRINT.line), "titleFontWeight": 400},
            "legend": ink,
            "title": {"color": PRINT.ink, "fontSize": 15, "anchor": "start"},
        },
    }


def _inked(part: JsonValue) -> JsonValue:
    """Give what takes the colour of the page's text the colour of ink."""
    if isinstance(part, list):
        return [_inked(one) for one in part]
    if isinstance(part, dict):
        return {key: _inked(value) for key, value in part.items()}
    return PRINT.ink if part == INK else part


def to_svg(picture: Picture) -> bytes:
    """Write a chart as SVG."""
    return str(_converter().vegalite_to_svg(printed(picture))).encode()


def to_pdf(picture: Picture) -> bytes:
    """Write a chart as PDF, with its texts as text."""
    return bytes(_converter().vegalite_to_pdf(printed(picture)))


def to_png(picture: Picture) -> bytes:
    """Write a chart as PNG."""
    return bytes(_converter().vegalite_to_png(printed(picture), scale=PRINT.scale))


def _converter() -> Any:  # noqa: ANN401 - a module without types
    import vl_convert

    return vl_convert
