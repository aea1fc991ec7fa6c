"""Pictures of the reports as SVG: spectra, events, trends and maps."""

from __future__ import annotations

import math

from harness.board.watch_report import N_ETA, Alarm
from harness.card.accepted import Distribution
from harness.card.html import text_html
from harness.card.summary import EventObject, ExampleEvent
from harness.trigger.properties import N_PHI

_WIDTH, _HEIGHT = 280, 120
# Of an event: eta beyond this is drawn at the edge.
_MOST_ETA = 4.0
_EVENT_SIDE = 190
_MOST_RADIUS = 14.0
# Of kinds of objects, in the order in which they come: Okabe and Ito, who chose them for all eyes.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MISSING = "met"


def spectrum_svg(one: Distribution) -> str:
    """Draw two histograms, each of area 1, as SVG."""
    shares = {
        name: [count / max(sum(counts), 1) for count in counts]
        for name, counts in one.counts.items()
    }
    highest = max((max(values) for values in shares.values()), default=0.0) or 1.0
    n_bins = len(one.edges) - 1
    step = _WIDTH / n_bins
    bars = "".join(
        f'<rect x="{bin_ * step:.1f}" y="{_HEIGHT * (1 - share / highest):.1f}" '
        f'width="{step:.1f}" height="{_HEIGHT * share / highest:.1f}" fill="#7fb0d8"/>'
        for bin_, share in enumerate(shares["observed"])
        if share
    )
    line = " ".join(
        f"{(bin_ + side) * step:.1f},{_HEIGHT * (1 - share / highest):.1f}"
        for bin_, share in enumerate(shares["expected"])
        for side in (0, 1)
    )
    unit = f" [{one.unit}]" if one.unit else ""
    caption = f"{one.title}{unit}, {one.edges[0]:g} to {one.edges[-1]:g}"
    return (
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{bars}'
        f'<polyline points="{line}" fill="none" stroke="#333"/></svg>'
        f"<figcaption>{text_html(caption)}</figcaption></figure>"
    )


def trend_svg(alarm: Alarm) -> str:
    """Draw counts per event over the sections, and what is expected."""
    low, high = min(*alarm.trend, alarm.expected_trend), max(*alarm.trend, alarm.expected_trend)
    span = (high - low) or 1.0
    step = _WIDTH / max(len(alarm.trend), 1)
    line = " ".join(
        f"{(place + side) * step:.1f},{_HEIGHT * (high - value) / span:.1f}"
        for place, value in enumerate(alarm.trend)
        for side in (0, 1)
    )
    level = _HEIGHT * (high - alarm.expected_trend) / span
    caption = f"counts per event over the sections, {low:.3g} to {high:.3g}; dashed: expected"
    return (
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" role="img">'
        f'<polyline points="{line}" fill="none" stroke="#1f77b4"/>'
        f'<line x1="0" x2="{_WIDTH}" y1="{level:.1f}" y2="{level:.1f}" stroke="#333" '
        f'stroke-dasharray="4"/></svg><figcaption>{text_html(caption)}</figcaption></figure>'
    )


def map_svg(alarm: Alarm) -> str:
    """Draw a map of occupancy: blue where there is less than expected, red where there is more."""
    side = _HEIGHT / N_ETA
    cells = "".join(
        f'<rect x="{place % N_PHI * side:.1f}" y="{(N_ETA - 1 - place // N_PHI) * side:.1f}" '
        f'width="{side:.1f}" height="{side:.1f}" fill="{_colour(ratio)}"/>'
        for place, ratio in enumerate(alarm.map)
    )
    caption = f"{alarm.what}: phi -3.1 to 3.1 across, eta -4 to 4 upwards; blue less, red more"
    return (
        f'<figure><svg width="{_HEIGHT}" height="{_HEIGHT}" role="img">{cells}</svg>'
        f"<figcaption>{text_html(caption)}</figcaption></figure>"
    )


def _colour(ratio: float) -> str:
    """Return a colour from blue (nothing) over white (as expected) to red (twice or more).

    Examples
    --------
    >>> _colour(0.0), _colour(1.0), _colour(3.0)
    ('rgb(0,0,255)', 'rgb(255,255,255)', 'rgb(255,0,0)')
    """
    pale = round(255 * max(0.0, 1 - abs(min(ratio, 2.0) - 1)))
    return f"rgb({pale},{pale},255)" if ratio < 1 else f"rgb(255,{pale},{pale})"


def event_svg(event: ExampleEvent, kinds: tuple[str, ...], title: str) -> str:
    """Draw the objects of an event in eta and phi; areas go with pT.

    The missing transverse momentum has no eta: it is a dashed line at its phi.

    Parameters
    ----------
    kinds : tuple of str
        Kinds of objects of all events that are shown: each has one colour.
    """
    hardest = max((one.pt for one in event.objects if one.kind != _MISSING), default=1.0)
    colours = {kind: _COLOURS[place % len(_COLOURS)] for place, kind in enumerate(kinds)}
    drawn = "".join(_object_svg(one, colours[one.kind], hardest) for one in event.objects)
    listed = ", ".join(f"{one.kind} {one.pt:.0f}" for one in event.objects)
    words = text_html(f"{title}: {listed} GeV")
    return (
        f'<figure><svg width="{_EVENT_SIDE}" height="{_EVENT_SIDE}" role="img" '
        f'aria-label="{words}"><rect width="{_EVENT_SIDE}" height="{_EVENT_SIDE}" fill="none" '
        f'stroke="#bbb"/>{drawn}</svg><figcaption>{words}</figcaption></figure>'
    )


def _object_svg(one: EventObject, colour: str, hardest: float) -> str:
    y = _EVENT_SIDE * (0.5 - one.phi / (2 * math.pi))
    if one.kind == _MISSING:
        return (
            f'<line x1="0" x2="{_EVENT_SIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
            'stroke-width="2" stroke-dasharray="6"/>'
        )
    eta = min(max(one.eta, -_MOST_ETA), _MOST_ETA)
    x = _EVENT_SIDE * (0.5 + eta / (2 * _MOST_ETA))
    radius = max(2.0, _MOST_RADIUS * math.sqrt(max(one.pt, 0.0) / hardest))
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" opacity="0.7"/>'


def colours_html(kinds: tuple[str, ...]) -> str:
    """Say which colour a kind of object has."""
    return " ".join(
        f'<span style="color:{_COLOURS[place % len(_COLOURS)]}">&#9632;</span> {text_html(kind)}'
        for place, kind in enumerate(kinds)
    )
