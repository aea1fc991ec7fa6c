"""Reports of entries that ran as triggers: what is new in their streams, and the detector."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.cluster_report import ClusterReport, DedicatedTrigger, PassingShare
from harness.board.formats import DASH
from harness.board.streams import StreamSummary
from harness.board.trigger_reports import NamedReport
from harness.board.watch_report import ETA_RANGE, N_ETA, NOT_KNOWN, Alarm, WatchReport
from harness.card.terminal import with_interval
from harness.card.text import visible
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Facts, Note, Picture, Section, Table
from leaderboard_app.charts import Palette
from leaderboard_app.views.common import axis_title

AFTER_TITLE = "After the trigger"
WATCH_TITLE = "Detector watch"
AFTER_COMMAND = "harness cluster ACCEPTED --expected SIMULATED --publish NAME"
WATCH_COMMAND = "harness watch FOLDER --reference GOOD --publish NAME"
AFTER_LEAD = (
    "An entry ran as a trigger on a stream of events. The accepted events are clustered together "
    "with those that simulation leads to expect, and the numbers in each cluster are compared. The "
    "global p-value holds that many clusters were searched."
)
WATCH_LEAD = (
    "The same stream watches the detector: rates, maps of occupancy and spectra are compared with "
    "those of a time that is known to be good. A report with a trial is a rehearsal: a fault was "
    "put into the events from the middle section on."
)
_MOST_CLUSTERS, _MOST_ALARMS = 5, 3
_SERIES = ("observed", "expected")


def cluster_reports(reports: Sequence[NamedReport]) -> list[tuple[str, ClusterReport]]:
    """Return the reports of `harness cluster`, with their names."""
    return [(one.name, one.report) for one in reports if isinstance(one.report, ClusterReport)]


def watch_reports(reports: Sequence[NamedReport]) -> list[tuple[str, WatchReport]]:
    """Return the reports of `harness watch`, with their names."""
    return [(one.name, one.report) for one in reports if isinstance(one.report, WatchReport)]


# --- is it new? ---------------------------------------------------------------------------------


def after_sections(reports: Sequence[tuple[str, ClusterReport]]) -> list[Section]:
    """Lay out all reports of `harness cluster` of a challenge."""
    table = Table(
        columns=("report", "accepted", "global p", "unexpected cluster"),
        rows=[
            (
                visible(name),
                f"{one.n_observed:,}",
                f"{max(one.global_p, *one.varied_p.values(), 0.0):.2g}",
                "none" if one.unexpected is None else visible(one.unexpected),
            )
            for name, one in reports
        ],
        caption="All reports; of the global p-values the largest, variations included",
    )
    sections = [Section(title="", lead=AFTER_LEAD, blocks=(table,))]
    for name, one in reports:
        sections += _cluster_sections(name, one)
    return sections


def _cluster_sections(name: str, report: ClusterReport) -> list[Section]:
    tone = "good" if report.unexpected is None else "warn"
    blocks: list[Block] = [Note(text=visible(report.verdict), tone=tone)]
    blocks += [Note(text=visible(one), tone="warn") for one in report.warnings]
    blocks += [_cluster_facts(report), _clusters(report)]
    if report.trigger is not None:
        blocks.append(_trigger(report.trigger))
    title = f"{report.team}: {visible(name)}"
    sections = [Section(title=title, blocks=tuple(blocks))]
    if report.spectra:
        lead = "Events in the unexpected cluster, and all that are expected; each of area 1."
        sections.append(
            Section(
                title=f"Spectra of {visible(report.unexpected or name)}",
                lead=lead,
                blocks=tuple(_spectra(report)),
                columns=2,
            )
        )
    shown = [one for one in report.typical if one.shown is not None]
    if shown:
        sections.append(
            Section(
                title="Its most typical events",
                lead="Nearest to the middle of the cluster. Area goes with pT. The missing "
                "transverse momentum has no eta: it is a line at its phi.",
                blocks=tuple(_events(report)),
                columns=2,
            )
        )
    return sections


def _stream_text(stream: StreamSummary) -> str:
    more = stream.n_sources - len(stream.sources)
    named = ", ".join(visible(one) for one in stream.sources)
    and_more = f" and {more:,} more" if more > 0 else ""
    accepted = f"{stream.n_accepted:,} of {stream.n_events:,} events accepted"
    return f"{named}{and_more}: {accepted}"


def _cluster_facts(report: ClusterReport) -> Facts:
    rows = [("Data", _stream_text(report.data))]
    rows += [("Expectation", _stream_text(one)) for one in report.expectation]
    rows += [
        ("Threshold", f"{report.threshold:g}"),
        ("Global p", f"{report.global_p:.2g}, by {report.n_toys:,} toys, seed {report.seed}"),
        ("Unexpected below", f"{report.level:g}"),
    ]
    rows += [(f"Global p with {visible(name)}", f"{p:.2g}") for name, p in report.varied_p.items()]
    return Facts(rows=rows)


def _clusters(report: ClusterReport) -> Table:
    envelope = ("with variations",) if report.varied_p else ()
    rows = [
        (
            visible(one.name),
            f"{one.n_observed:,}",
            f"{one.expected:.1f}",
            f"{one.expected_interval.lower:.1f} to {one.expected_interval.upper:.1f}",
            *(["{:.1f} to {:.1f}".format(*one.envelope)] if report.varied_p else []),
            f"{one.local_p:.2g}",
        )
        for one in report.clusters[:_MOST_CLUSTERS]
    ]
    return Table(
        columns=("cluster", "observed", "expected", "95 % interval", *envelope, "local p"),
        rows=rows,
        caption=f"The most unexpected of {len(report.clusters):,} clusters",
    )


def _trigger(found: DedicatedTrigger) -> Table:
    rows = [
        (f"rule {number}", " and ".join(visible(cut) for cut in cuts))
        for number, cuts in enumerate(found.rules, 1)
    ]
    rows += [
        ("efficiency on the cluster", _share(found.efficiency)),
        ("expected accepted events", _share(found.background)),
        ("share of the whole stream", f"{found.input_share:.3g}"),
    ]
    if found.rate_hz is not None:
        rows.append(("background rate", "{1:.3g} Hz [{0:.3g}, {2:.3g}]".format(*found.rate_hz)))
    return Table(
        columns=("cuts", "measured on events that did not choose them"),
        rows=rows,
        caption="Proposed trigger, behind the one that accepted the events",
        words=frozenset({1}),
    )


def _share(one: PassingShare) -> str:
    return f"{one.n_passing:,} of {one.n_events:,}: {with_interval(one.share, one.interval)}"


def _spectra(report: ClusterReport) -> list[Picture]:
    palette = Palette(names=_SERIES)
    return [
        charts.distribution(
            one.edges,
            {name: one.counts[name] for name in _SERIES if name in one.counts},
            palette,
            title=axis_title(one),
        )
        for one in report.spectra
    ]


def _events(report: ClusterReport) -> list[Picture]:
    shown = [one.shown for one in report.typical if one.shown is not None]
    kinds = tuple(dict.fromkeys(each.kind for one in shown for each in one.objects))
    pictures = []
    for one in shown:
        if one.image is not None:
            pictures.append(charts.image_display([("event", one.image)]))
            continue
        objects = [(each.kind, each.pt, each.eta, each.phi) for each in one.objects]
        pictures.append(charts.event_display(objects, kinds=kinds))
    return pictures


# --- is it the detector? ------------------------------------------------------------------------


def watch_sections(reports: Sequence[tuple[str, WatchReport]]) -> list[Section]:
    """Lay out all reports of `harness watch` of a challenge."""
    rows = []
    for name, one in reports:
        first = next(iter(one.alarms), None)
        rows.append(
            (
                visible(name),
                one.trial or "none",
                DASH if one.trial_from is None else f"{one.trial_from:,}",
                DASH if first is None else f"{first.raised:,}",
                f"{len(one.alarms):,}",
            )
        )
    table = Table(
        columns=("report", "trial", "from section", "first alarm at", "alarms"),
        rows=rows,
        words=frozenset({1}),
        caption="All reports",
    )
    sections = [Section(title="", lead=WATCH_LEAD, blocks=(table,))]
    return [*sections, *(_watch_section(name, one) for name, one in reports)]


def _watch_section(name: str, report: WatchReport) -> Section:
    blocks: list[Block] = [
        Note(text=visible(report.verdict), tone="warn" if report.alarms else "good")
    ]
    blocks += [Note(text=visible(one), tone="warn") for one in report.warnings]
    n_tests = sum(report.n_tests.values())
    rows = [
        ("Data", _stream_text(report.data)),
        ("Reference", _stream_text(report.reference)),
        ("Sections", f"{report.n_sections:,} of {report.section_s:g} s"),
        ("Watched", f"{n_tests:,} properties of events"),
        ("Expected false alarms", f"at most {report.alarms_per_day:g} a day"),
    ]
    if not report.conditions:
        rows.append(("Dependence on pile-up", NOT_KNOWN))
    blocks.append(Facts(rows=rows))
    if report.conditions:
        blocks.append(_by_condition(report))
    for one in report.alarms[:_MOST_ALARMS]:
        blocks += _alarm(one, report)
    n_more = len(report.alarms) - _MOST_ALARMS
    if n_more > 0:
        listed = report.alarms[_MOST_ALARMS : _MOST_ALARMS + 20]
        blocks.append(
            Table(
                columns=("further alarms", "raised at", "p"),
                rows=[(visible(one.sentence), f"{one.raised:,}", f"{one.p:.2g}") for one in listed],
                caption=f"{len(listed)} of {n_more:,} more alarms",
                words=frozenset({0}),
            )
        )
    return Section(title=f"{report.team}: {visible(name)}", blocks=tuple(blocks))


def _by_condition(report: WatchReport) -> Table:
    return Table(
        columns=("bin", "accepted", "rate", "reference"),
        rows=[
            (
                visible(f"{one.title} {one.label} {one.unit}".strip()),
                f"{one.n_accepted:,} of {one.n_events:,}",
                with_interval(one.rate, one.interval),
                with_interval(one.reference_rate, one.reference_interval),
            )
            for one in report.conditions
        ],
        caption="Rate by condition, such as pile-up",
    )


def _alarm(alarm: Alarm, report: WatchReport) -> list[Block]:
    when = f"raised at the end of section {alarm.raised:,}, p = {alarm.p:.2g}"
    what = visible(alarm.what)
    blocks: list[Block] = [Note(text=f"{visible(alarm.sentence)}; {when}")]
    if alarm.trend:
        blocks.append(
            charts.trend(
                alarm.trend, expected=alarm.expected_trend, n_sections=report.n_sections, what=what
            )
        )
    if alarm.map and len(alarm.map) % N_ETA == 0:
        blocks.append(charts.occupancy_map(alarm.map, n_eta=N_ETA, eta=ETA_RANGE, what=f"{what}s"))
    return blocks
