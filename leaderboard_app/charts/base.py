"""Colours, axes and legends that all charts share.

A chart is a specification, which depends on what is drawn and not on the figures, and its data.
Specifications are built once for each kind of chart and palette: Altair takes some tens of
milliseconds for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue

from leaderboard_app.blocks import Cell

if TYPE_CHECKING:
    import altair as alt

T = TypeVar("T")
Row = Mapping[str, Cell]
Spec = Mapping[str, JsonValue]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 4])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
GREY = "#8a8a8a"
# The colour of the page's text, light or dark: charts are drawn as SVG, which inherits it.
INK = "currentColor"
ACCENT = "#0072b2"
ALERT = "#d55e00"
LABEL = 13
TITLE = 14
# What is said of a figure that rests on so few events that it is hardly known.
FEW = "low statistics"
# How many specifications are kept: every kind of chart for a dozen palettes.
N_SPECS = 256


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

    names: tuple[str, ...]
    background: str | None = None
    silent: str | None = None

    def colour(
        self, *, has_legend: bool = True, symbol: str | None = None, label: str | None = None
    ) -> alt.Color:
        """Encode the field ``name`` by colour; `symbol` is drawn in the legend, if given.

        `label` is an expression that writes a name in the legend, such as `COUNTED`.
        """
        import altair as alt

        return alt.Color(
            "name:N",
            scale=alt.Scale(domain=self._names(), range=self._values(COLOURS, GREY)),
            legend=self._legend(symbol, label) if has_legend else None,
        )

    def stroke(self, *, has_legend: bool = True) -> alt.Stroke:
        """Encode the field ``name`` by the colour of a symbol's outline."""
        import altair as alt

        return alt.Stroke(
            "name:N",
            scale=alt.Scale(domain=self._names(), range=self._values(COLOURS, GREY)),
            legend=self._legend() if has_legend else None,
        )

    def dash(self, *, has_legend: bool = True, label: str | None = None) -> alt.StrokeDash:
        """Encode the field ``name`` by the pattern of the line."""
        import altair as alt

        return alt.StrokeDash(
            "name:N",
            scale=alt.Scale(domain=self._names(), range=self._values(DASHES, [1, 0])),
            legend=self._legend("stroke", label) if has_legend else None,
        )

    def shape(self, *, has_legend: bool = True) -> alt.Shape:
        """Encode the field ``name`` by the symbol of the point."""
        import altair as alt

        return alt.Shape(
            "name:N",
            scale=alt.Scale(domain=self._names(), range=self._values(SHAPES, "circle")),
            legend=self._legend() if has_legend else None,
        )

    def symbol_of(self, name: str) -> str:
        """Return the symbol of `name`, for data that hold it as their field ``symbol``."""
        return dict(zip(self._names(), self._values(SHAPES, "circle"), strict=True))[name]

    def _names(self) -> list[str]:
        return [*([] if self.background is None else [self.background]), *self.names]

    def _values(self, values: Sequence[T], background: T) -> list[T]:
        cycled = [values[i % len(values)] for i in range(len(self.names))]
        return cycled if self.background is None else [background, *cycled]

    def _legend(self, symbol: str | None = None, label: str | None = None) -> alt.Legend:
        """One legend for colour, pattern and symbol: Vega joins those that are alike."""
        shown = [name for name in self._names() if name != self.silent]
        return legend_of(shown, symbol=symbol, label=label)


def own_symbol() -> alt.Shape:
    """Draw each point with the symbol in its field ``symbol``.

    Where lines have a legend of patterns, one of symbols would be joined with it to blots.
    """
    import altair as alt

    return alt.Shape("symbol:N", scale=None, legend=None)


# A narrower chart, such as on a phone, leaves out what would not fit [pixels].
NARROW = 420
# Writes a name of a legend with its number of events, of the parameter ``events``; in a narrow
# chart a number of five digits or more is rounded to three.
COUNTED = (
    "datum.label + ' (N = ' + format(events[datum.label], "
    f"width < {NARROW} && events[datum.label] > 9999 ? '.3~s' : ',') + ')'"
)
# Pixels of a letter of a legend, of its symbol with the room around it, of the axis on the left
# that a legend may use too; letters of a number of events.
_LETTER, _SYMBOL, _AXIS = 6.5, 28, 40
_COUNT, _SHORT_COUNT = 17, 11


def legend_of(
    names: Sequence[str], *, symbol: str | None = None, label: str | None = None
) -> alt.Legend:
    """Make a legend above the chart; it shows `symbol` where one is given."""
    import altair as alt

    return alt.Legend(
        symbolType=alt.Undefined if symbol is None else symbol,
        orient="top",
        title=None,
        values=list(names),
        labelFontSize=LABEL,
        labelColor=INK,
        labelLimit=260,
        labelExpr=alt.Undefined if label is None else label,
        columns=alt.ExprRef(_columns(names, has_counts=label is not None)),
        symbolStrokeWidth=2.5,
        symbolOpacity=1,
        symbolSize=120,
    )


def _columns(names: Sequence[str], *, has_counts: bool) -> str:
    """Write how many names stand in a row of a legend: as many as the chart is wide for."""
    longest = sorted(map(len, names), reverse=True)[:2]
    letters = sum(longest) / max(len(longest), 1)
    count = f"(width < {NARROW} ? {_SHORT_COUNT} : {_COUNT})" if has_counts else "0"
    each = f"({_SYMBOL} + {_LETTER} * ({letters:g} + {count}))"
    return f"clamp(floor((width + {_AXIS}) / {each}), 1, {max(len(names), 1)})"


def of(name: str) -> alt.Chart:
    """Start a chart of the data set called `name`."""
    import altair as alt

    return alt.Chart(alt.NamedData(name=name))


def finish(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> Spec:
    """Turn a chart into its specification."""
    spec = _without_names(chart.to_dict(validate=False))
    for unused in ("config", "$schema", "usermeta"):
        spec.pop(unused, None)
    return _with_data_in_layers(spec)


def _with_data_in_layers(spec: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Name the data in each layer: Streamlit draws a chart first without the data at its top."""
    data = spec.pop("data", None)
    if data is None:
        return spec
    layers = spec.get("layer")
    if not isinstance(layers, list):
        return {"layer": [{"data": data, **spec}]}
    named = [{"data": data, **one} if isinstance(one, dict) else one for one in layers]
    return {**spec, "layer": named}


def _without_names(spec: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Drop the names that Altair counts up from chart to chart; nothing refers to them."""
    kept = {
        key: value
        for key, value in spec.items()
        if not (key == "name" and str(value).startswith("view_"))
    }
    layers = kept.get("layer")
    if isinstance(layers, list):
        kept["layer"] = [_without_names(one) if isinstance(one, dict) else one for one in layers]
    return kept


def axis(title: str, **more: Any) -> alt.Axis:  # noqa: ANN401 - as Altair types them
    """Make an axis that is legible from the back of the room."""
    import altair as alt

    return alt.Axis(
        title=title,
        labelFontSize=LABEL,
        labelColor=INK,
        titleFontSize=TITLE,
        titleColor=INK,
        **more,
    )


def log_axis(title: str) -> alt.Axis:
    """Make a logarithmic axis of rates: 1e-5, 0.01, 1."""
    form = "datum.value >= 0.01 ? format(datum.value, '~g') : format(datum.value, '~e')"
    return _sparse_axis(title, form)


def count_axis(title: str) -> alt.Axis:
    """Make a logarithmic axis of counts and times: 20, 3k, 1M."""
    return _sparse_axis(title, "format(datum.value, '~s')")


def _sparse_axis(title: str, form: str) -> alt.Axis:
    """Label 1, 2 and 5 of each decade: Vega would label 9 and leave 10 out."""
    leading = "toNumber(slice(format(datum.value, '.0e'), 0, 1))"
    labels = f"indexof([1, 2, 5], {leading}) < 0 ? '' : {form}"
    return axis(title, labelExpr=labels, tickCount=6, labelOverlap="greedy", gridOpacity=0.45)


def hollow_if_few() -> alt.FillOpacityValue:
    """Leave the symbol of a row hollow whose field ``statistics`` is `FEW`."""
    import altair as alt

    is_few = {"test": f"datum.statistics === '{FEW}'", "value": 0}
    return alt.FillOpacityValue(1, condition=is_few)


def interval_tips(level: str = "95 %") -> list[alt.Tooltip]:
    """Show an interval when the pointer is over it."""
    import altair as alt

    return [
        alt.Tooltip("lower:Q", title=f"{level} from", format=".3~g"),
        alt.Tooltip("upper:Q", title="to", format=".3~g"),
    ]


def rule_text(name: str, *, is_left: bool, least_width: int = 0) -> alt.Chart:
    """Write the texts of a data set beside its vertical lines, at the top of the chart.

    Parameters
    ----------
    least_width : int
        A narrower chart has no room for them [pixels].
    """
    import altair as alt

    rows = of(name).transform_filter(f"width >= {least_width}") if least_width else of(name)
    drawn: alt.Chart = rows.mark_text(
        fontSize=LABEL,
        color=INK,
        opacity=0.8,
        baseline="top",
        align="right" if is_left else "left",
        dx=-6 if is_left else 6,
    ).encode(x=alt.X("x:Q"), y=alt.value(4), text=alt.Text("text:N"))
    return drawn


def zero_x(name: str) -> alt.LayerChart:
    """Mark where 0 lies on a logarithmic axis of x: at its left end, set apart by a broken line."""
    import altair as alt

    x = alt.X("x:Q")
    rule = of(name).mark_rule(aria=False, color=GREY, strokeDash=[2, 3], strokeWidth=1).encode(x=x)
    text = (
        of(name)
        .mark_text(aria=False, fontSize=LABEL, color=INK, baseline="top", dy=5)
        .encode(x=x, y=alt.value("height"), text=alt.value("0"))
    )
    drawn: alt.LayerChart = rule + text
    return drawn


def zero_y(name: str) -> alt.LayerChart:
    """Mark where 0 lies on a logarithmic axis of y, as `zero_x` does."""
    import altair as alt

    y = alt.Y("y:Q")
    rule = of(name).mark_rule(aria=False, color=GREY, strokeDash=[2, 3], strokeWidth=1).encode(y=y)
    text = (
        of(name)
        .mark_text(aria=False, fontSize=LABEL, color=INK, align="right", dx=-5)
        .encode(x=alt.value(0), y=y, text=alt.value("0"))
    )
    drawn: alt.LayerChart = rule + text
    return drawn


def number(cell: Cell) -> float:
    """Read a figure of a row; what is no number is 0."""
    return float(cell) if isinstance(cell, int | float) else 0.0
