"""Colours, axes and data that all charts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from leaderboard_app.blocks import Cell

if TYPE_CHECKING:
    import altair as alt

T = TypeVar("T")
Row = Mapping[str, Cell]


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 4])


SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


GREY = "#8a8a8a"


ACCENT = "#0072b2"


ALERT = "#d55e00"


LABEL = 13


TITLE = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Names in the order of their colours.

    Attributes
    ----------
    background : str or None
        A further name, in grey.
    silent : str or None
        A name that has a colour and is left out of the legend.
    """

    names: Sequence[str]
    background: str | None = None
    silent: str | None = None

    def colour(self, *, has_legend: bool = True) -> alt.Color:
        """Encode the field ``name`` by colour."""
        import altair as alt

        names, colours = self._with_background(cycle(COLOURS, len(self.names)), GREY)
        return alt.Color(
            "name:N",
            scale=alt.Scale(domain=names, range=colours),
            legend=self._legend() if has_legend else None,
        )

    def dash(self, *, has_legend: bool = True) -> alt.StrokeDash:
        """Encode the field ``name`` by the pattern of the line."""
        import altair as alt

        names, dashes = self._with_background(cycle(DASHES, len(self.names)), [1, 0])
        return alt.StrokeDash(
            "name:N",
            scale=alt.Scale(domain=names, range=dashes),
            legend=self._legend() if has_legend else None,
        )

    def shape(self, *, has_legend: bool = True) -> alt.Shape:
        """Encode the field ``name`` by the symbol of the point."""
        import altair as alt

        names, shapes = self._with_background(cycle(SHAPES, len(self.names)), "circle")
        return alt.Shape(
            "name:N",
            scale=alt.Scale(domain=names, range=shapes),
            legend=self._legend() if has_legend else None,
        )

    def _legend(self) -> alt.Legend:
        """One legend for colour, pattern and symbol: Vega joins those that are alike."""
        names = [self.background, *self.names] if self.background is not None else self.names
        return legend_of([name for name in names if name != self.silent])

    def _with_background(self, values: list[T], background: T) -> tuple[list[str], list[T]]:
        if self.background is None:
            return list(self.names), values
        return [self.background, *self.names], [background, *values]


def legend_of(names: Sequence[str]) -> alt.Legend:
    """Make a legend above the chart."""
    import altair as alt

    return alt.Legend(
        orient="top",
        title=None,
        values=list(names),
        labelFontSize=LABEL,
        labelLimit=220,
        columns=6,
        symbolStrokeWidth=2.5,
        symbolOpacity=1,
        symbolSize=120,
    )


def cycle(values: Sequence[T], n: int) -> list[T]:
    """Take `n` values, from the start again where there are fewer."""
    return [values[i % len(values)] for i in range(n)]


def data_of(rows: Sequence[Row]) -> alt.InlineData:
    """Wrap rows as the data of a chart."""
    import altair as alt

    return alt.InlineData(values=[dict(row) for row in rows])


def axis(title: str, **more: Any) -> alt.Axis:  # noqa: ANN401 - as Altair types them
    """Make an axis that is legible from the back of the room."""
    import altair as alt

    return alt.Axis(title=title, labelFontSize=LABEL, titleFontSize=TITLE, **more)


def log_axis(title: str) -> alt.Axis:
    """Make a logarithmic axis with powers of ten."""
    told = "datum.value >= 0.01 ? format(datum.value, '~g') : format(datum.value, '~e')"
    return axis(title, labelExpr=told, tickCount=6, labelOverlap="greedy", gridOpacity=0.45)


def count_axis(title: str) -> alt.Axis:
    """Make an axis of counts and times: 20, 3k, 1M."""
    return axis(title, format="~s", tickCount=6, labelOverlap="greedy", gridOpacity=0.45)


def rule_text(x: float, text: str, *, is_left: bool) -> alt.Chart:
    """Write a text beside a vertical line, at the top of the chart."""
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(data_of([{"x": x, "text": text}]))
        .mark_text(
            fontSize=LABEL,
            color=GREY,
            baseline="top",
            align="right" if is_left else "left",
            dx=-6 if is_left else 6,
        )
        .encode(x="x:Q", y=alt.value(4), text="text:N")
    )
    return drawn
