"""Reports of `harness cluster` and `watch` as HTML pages that need no other file and no host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.card.html import table_html, text_html
from harness.card.records import Distribution
from harness.card.terminal import with_interval
from harness.trigger.cluster_records import ClusterReport, DedicatedTrigger
from harness.trigger.properties import N_ETA, N_PHI
from harness.trigger.watch_records import Alarm, WatchReport

_STYLE = (
    "body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;padding:.2rem .5rem;"
    "text-align:right}td:first-child,th:first-child{text-align:left}"
    "figure{display:inline-block;margin:.5rem}figcaption{font-size:.8rem}"
)
_MOST_CLUSTERS = 20
_WIDTH, _HEIGHT = 280, 120


def cluster_page(report: ClusterReport) -> str:
    """Write the page of a report; whatever others may have named is escaped."""
    title = f"{report.team} on {report.challenge}: after the trigger"
    parts = [_clusters(report), *_found(report)]
    return _page(title, report.verdict, _how(report), report.warnings, parts)


def watch_page(report: WatchReport) -> str:
    """Write the page of a report of the watch: each alarm with its sentence and its pictures."""
    title = f"{report.team} on {report.challenge}: is it the detector?"
    how = (
        f"{sum(report.n_tests.values()):,} properties of {report.n_events:,} events in "
        f"{report.n_sections:,} sections beside {report.n_reference:,} events of the reference. "
        f"Expected false alarms in a day: at most {report.alarms_per_day:g}."
    )
    if report.trial is not None:
        how += f" The fault {report.trial} was put in from section {report.trial_from} on."
    parts = [_alarm(alarm) for alarm in report.alarms]
    return _page(title, report.verdict, how, report.warnings, parts)


def _page(title: str, verdict: str, how: str, warnings: Sequence[str], parts: Sequence[str]) -> str:
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{text_html(title)}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{text_html(title)}</h1>",
            f"<p><strong>{text_html(verdict)}</strong></p>",
            f"<p>{text_html(how)}</p>",
            *(f"<p>{text_html(f'Warning: {one}')}</p>" for one in warnings),
            *parts,
            "</body></html>",
            "",
        ]
    )


def _how(report: ClusterReport) -> str:
    exposure = (
        "only the shape is compared"
        if report.observed_share is None
        else f"the data are {report.observed_share:.3g} of the exposure of data and simulation"
    )
    return (
        f"{report.n_observed:,} accepted events and {report.n_simulated:,} simulated ones from "
        f"the threshold {report.threshold:g} on; {exposure}. The global p-value is that of the "
        f"smallest local one of {len(report.clusters):,} clusters, by {report.n_toys:,} toys with "
        f"seed {report.seed}; below {report.level:g} a cluster is unexpected."
    )


def _clusters(report: ClusterReport) -> str:
    rows = [
        (
            one.name,
            f"{one.n_observed:,}",
            f"{one.expected:.1f}",
            f"{one.expected_interval.lower:.1f} to {one.expected_interval.upper:.1f}",
            f"{one.local_p:.2g}",
            ", ".join(f"{name} {share:.0%}" for name, share in one.composition.items()),
        )
        for one in report.clusters[:_MOST_CLUSTERS]
    ]
    header = ("cluster", "observed", "expected", "95 % interval", "local p", "simulated from")
    n_more = len(report.clusters) - len(rows)
    notes = [f"{n_more:,} more are in the JSON file"] if n_more > 0 else []
    return table_html("Clusters, the most unexpected first", header, rows, notes=notes)


def _found(report: ClusterReport) -> Iterator[str]:
    """Write what an unexpected cluster looks like."""
    if report.unexpected is None:
        return
    yield f"<h2>{text_html(f'Cluster {report.unexpected}')}</h2>"
    if report.trigger is not None:
        yield _trigger(report.trigger)
    yield "<h3>Spectra: observed in the cluster (bars), all expected events (line)</h3>"
    yield from (_spectrum(one) for one in report.spectra)
    names = report.features
    rows = [
        (
            one.source,
            str(one.section),
            str(one.row),
            f"{one.score:g}",
            *(f"{one.features[name]:.4g}" for name in names),
        )
        for one in report.typical
    ]
    yield table_html("Typical events", ("source", "section", "row", "score", *names), rows)


def _trigger(found: DedicatedTrigger) -> str:
    rules = [(f"rule {number}", " and ".join(cuts)) for number, cuts in enumerate(found.rules, 1)]
    shares = [
        (name, f"{one.n_passing:,} of {one.n_events:,}: {with_interval(one.share, one.interval)}")
        for name, one in (
            ("efficiency on the cluster", found.efficiency),
            ("expected accepted events", found.background),
        )
    ]
    rate = (
        []
        if found.rate_hz is None
        else [("background rate", "{1:.3g} Hz [{0:.3g}, {2:.3g}]".format(*found.rate_hz))]
    )
    return table_html(
        "Proposed trigger, behind the one that accepted the events",
        ("", "measured on events that did not choose the cuts"),
        [*rules, *shares, *rate],
    )


def _spectrum(one: Distribution) -> str:
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


def _alarm(alarm: Alarm) -> str:
    """Write an alarm: its sentence, its trend, and the map of a kind of object."""
    figures = [_trend(alarm)]
    if alarm.map:
        figures.append(_map(alarm))
    return f"<h2>{text_html(alarm.sentence)}</h2>{''.join(figures)}"


def _trend(alarm: Alarm) -> str:
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


def _map(alarm: Alarm) -> str:
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
