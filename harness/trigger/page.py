"""Reports of `harness cluster` and `watch` as HTML pages that need no other file and no host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.board.cluster_report import ClusterReport, DedicatedTrigger
from harness.board.watch_report import NOT_KNOWN, Alarm, WatchReport
from harness.card.html import table_html, text_html
from harness.card.terminal import with_interval
from harness.trigger.pictures import colours_html, event_svg, map_svg, spectrum_svg, trend_svg

_STYLE = (
    "body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;padding:.2rem .5rem;"
    "text-align:right}td:first-child,th:first-child{text-align:left}"
    "figure{display:inline-block;margin:.5rem;vertical-align:top}"
    "figcaption{font-size:.8rem;max-width:17rem}"
)
_MOST_CLUSTERS = 20


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
    parts = [*(_alarm(alarm) for alarm in report.alarms), _by_condition(report)]
    return _page(title, report.verdict, how, report.warnings, parts)


def _by_condition(report: WatchReport) -> str:
    """Show the rate by pile-up, or what else the challenge has, beside the reference."""
    title = "Rate by condition, such as pile-up"
    if not report.conditions:
        return f"<p>{text_html(f'{title}: {NOT_KNOWN}')}</p>"
    rows = [
        (
            f"{one.title} {one.label} {one.unit}".strip(),
            f"{one.n_accepted:,} of {one.n_events:,}",
            with_interval(one.rate, one.interval),
            with_interval(one.reference_rate, one.reference_interval),
        )
        for one in report.conditions
    ]
    return table_html(title, ("bin", "accepted", "rate", "reference"), rows)


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
            *(["{:.1f} to {:.1f}".format(*one.envelope)] if report.varied_p else []),
            f"{one.local_p:.2g}",
            ", ".join(f"{name} {share:.0%}" for name, share in one.composition.items()),
        )
        for one in report.clusters[:_MOST_CLUSTERS]
    ]
    envelope = ["with variations"] if report.varied_p else []
    header = (
        *("cluster", "observed", "expected", "95 % interval"),
        *envelope,
        *("local p", "simulated from"),
    )
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
    yield from (spectrum_svg(one) for one in report.spectra)
    yield from _displays(report)
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


def _displays(report: ClusterReport) -> Iterator[str]:
    """Draw the typical events, each object in the colour of its kind."""
    shown = [(one, one.shown) for one in report.typical if one.shown is not None]
    objects = [each.kind for _, event in shown for each in event.objects]
    if not objects:
        return
    kinds = tuple(dict.fromkeys(objects))
    yield "<h3>Typical events: eta -4 to 4 across, phi -3.1 to 3.1 upwards, area goes with pT</h3>"
    yield f"<p>{colours_html(kinds)}; the dashed line is the missing transverse momentum</p>"
    for one, event in shown:
        yield event_svg(event, kinds, f"{one.source}, row {one.row}")


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


def _alarm(alarm: Alarm) -> str:
    """Write an alarm: its sentence, its trend, and the map of a kind of object."""
    figures = [trend_svg(alarm)]
    if alarm.map:
        figures.append(map_svg(alarm))
    return f"<h2>{text_html(alarm.sentence)}</h2>{''.join(figures)}"
