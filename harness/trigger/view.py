"""How the results of `harness trigger`, `cluster` and `watch` look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from harness.board.reach import reach_text, span_text
from harness.board.watch_report import NOT_KNOWN
from harness.card.terminal import with_interval
from harness.metrics.intervals import clopper_pearson

if TYPE_CHECKING:
    from harness.board.cluster_report import ClusterReport
    from harness.board.reach import Reach
    from harness.board.watch_report import WatchReport
    from harness.trigger.records import TriggerRun


def run_view(run: TriggerRun) -> Group:
    """Draw what a run accepted."""
    share = run.n_accepted / run.n_events
    interval = clopper_pearson(run.n_accepted, run.n_events)
    lines = [
        f"{run.settings.team}: {run.n_events:,} events in {run.n_sections:,} sections",
        f"accepted: {run.n_accepted:,}, a share of {with_interval(share, interval)}",
    ]
    if run.settings.input_rate_hz is not None:
        rate = run.settings.input_rate_hz
        lines.append(
            f"rate: {share * rate:,.4g} Hz [{interval.lower * rate:,.4g}, "
            f"{interval.upper * rate:,.4g}] of {rate:,.4g} Hz"
        )
    if run.settings.prescale > 1:
        lines.append(f"kept: {run.n_kept:,}, prescale {run.settings.prescale:,}")
    warnings = [Text(f"warning: {one}", style="yellow") for one in run.warnings]
    return Group(*(Text(line) for line in lines), *warnings)


def cluster_view(report: ClusterReport) -> Group:
    """Draw the verdict, the most unexpected clusters and the proposed trigger."""
    lines = [Text(report.verdict, style="bold")]
    for one in report.clusters[:5]:
        low, high = one.expected_interval.lower, one.expected_interval.upper
        lines.append(
            Text(
                f"{one.name}: {one.n_observed:,} observed, {one.expected:.1f} expected "
                f"[{low:.1f}, {high:.1f}], local p = {one.local_p:.2g}"
            )
        )
    found = report.trigger
    if found is not None:
        lines += [Text(f"trigger: {' and '.join(cuts)}") for cuts in found.rules]
        for name, share in (("efficiency", found.efficiency), ("background", found.background)):
            shown = with_interval(share.share, share.interval)
            lines.append(Text(f"{name}: {share.n_passing:,} of {share.n_events:,}, {shown}"))
    return Group(*lines, *(Text(f"warning: {one}", style="yellow") for one in report.warnings))


def watch_view(report: WatchReport) -> Group:
    """Draw the verdict and the sentence of each alarm."""
    lines = [Text(report.verdict, style="bold")]
    lines += [
        Text(f"{one.sentence}; raised at section {one.raised}, p = {one.p:.2g}")
        for one in report.alarms
    ]
    if not report.conditions:
        lines.append(Text(f"dependence on pile-up: {NOT_KNOWN}"))
    for each in report.conditions:
        where = f"{each.title} {each.label} {each.unit}".strip()
        rate = with_interval(each.rate, each.interval)
        before = with_interval(each.reference_rate, each.reference_interval)
        lines.append(Text(f"rate at {where}: {rate}, reference {before}"))
    n_tests = sum(report.n_tests.values())
    lines.append(
        Text(
            f"{n_tests:,} properties of {report.n_events:,} events beside "
            f"{report.n_reference:,} of the reference: at most {report.alarms_per_day:g} false "
            f"alarms a day are expected, in sections of {report.section_s:g} s"
        )
    )
    return Group(*lines, *(Text(f"warning: {one}", style="yellow") for one in report.warnings))


def reach_view(found: Reach) -> Group:
    """Draw how many injected events are found, and how often one is found without any."""
    lines = []
    for name, one in found.signals.items():
        value = reach_text(one.n_injected, one.n_events)
        span = span_text(one.lower, one.upper, one.n_events)
        lines.append(
            f"{name}: {value} injected events [{span}], of which the trigger accepts "
            f"{one.n_accepted / one.n_events:.3g}"
        )
    false = found.false_claims
    share = with_interval(false.n_found / false.n_trials, false.interval)
    lines.append(
        f"3 sigma is claimed without a signal in {false.n_found:,} of {false.n_trials:,} trials, "
        f"{share}"
    )
    for other in found.comparisons:
        p_values = {"": other.global_p, **other.varied_p}
        shown = ", ".join(f"{p:.2g} {name}".strip() for name, p in p_values.items())
        lines.append(f"{other.title}: {other.verdict}, global p = {shown}")
    return Group(Text(f"{found.team}, {found.level:g} global", style="bold"), *map(Text, lines))
