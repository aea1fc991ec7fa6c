"""Made-up reports of an entry that ran as a trigger, for tests of what shows them."""

from __future__ import annotations

from pathlib import Path

from harness.board.cluster_report import (
    Cluster,
    ClusterReport,
    DedicatedTrigger,
    PassingShare,
    TypicalEvent,
)
from harness.board.streams import StreamSummary
from harness.board.trigger_reports import publish_report
from harness.board.watch_report import Alarm, RateByCondition, WatchReport
from harness.card.accepted import Distribution
from harness.card.figures import Interval
from harness.card.summary import EventObject, ExampleEvent

BETWEEN = Interval(lower=0.1, upper=0.3, level=0.95, method="made up")


def stream(*sources: str, n_accepted: int = 1_000) -> StreamSummary:
    """Summarise a stream of a million events."""
    return StreamSummary(
        sources=sources, n_sources=len(sources), n_events=1_000_000, n_accepted=n_accepted
    )


def make_cluster_report(
    *, is_found: bool = True, challenge: str = "sample", source: str = "sample:background"
) -> ClusterReport:
    """Make a report with one cluster, found or not."""
    one = Cluster(
        name="kmeans-16-1/3",
        n_observed=60,
        n_simulated=40,
        expected=20.0,
        expected_interval=BETWEEN,
        varied={"jets_up": 28.0},
        local_p=1e-7,
        composition={"expected": 1.0},
        means={"met": (150.0, 60.0)},
    )
    objects = [("met", 90.0, 0.0), ("jet", 120.0, 1.2), ("electron", 40.0, -0.7)]
    shown = ExampleEvent(
        process="observed",
        objects=tuple(EventObject(kind=kind, pt=pt, eta=eta, phi=0.5) for kind, pt, eta in objects),
    )
    share = PassingShare(n_passing=20, n_events=100, share=0.2, interval=BETWEEN)
    report = ClusterReport(
        team="team_004",
        challenge=challenge,
        verdict="nothing unexpected, global p = 0.41",
        level=0.00135,
        global_p=0.41,
        varied_p={"jets_up": 0.5},
        n_toys=1_000,
        seed=1,
        data=stream(source),
        expectation=(stream("sample:background@train"),),
        parameters={},
        threshold=60.5,
        n_observed=1_000,
        n_simulated=900,
        observed_share=0.5,
        features=("met",),
        clusters=(one,),
    )
    if not is_found:
        return report
    spectrum = Distribution(
        name="met",
        title="Missing transverse momentum",
        unit="GeV",
        edges=(0.0, 50.0, 100.0, 400.0),
        counts={"observed": (3, 7, 50), "expected": (600, 200, 100)},
    )
    typical = TypicalEvent(
        source=source, section=3, row=17, score=70.0, features={"met": 151.0}, shown=shown
    )
    return report.model_copy(
        update={
            "verdict": "cluster kmeans-16-1/3 is unexpected: 60 events observed, 20.0 expected",
            "global_p": 0.0001,
            "varied_p": {"jets_up": 0.0002},
            "unexpected": one.name,
            "spectra": (spectrum,),
            "typical": (typical, typical.model_copy(update={"row": 18})),
            "trigger": DedicatedTrigger(
                rules=(("met > 98", "sum_pt > 700"),),
                efficiency=share,
                background=share,
                input_share=2e-4,
                rate_hz=(10.0, 20.0, 30.0),
            ),
        }
    )


def make_watch_report(*, is_quiet: bool = False, what: str = "jet") -> WatchReport:
    """Make a report with an alarm of a map, or with none."""
    alarm = Alarm(
        family="occupancy",
        what=what,
        sentence="jets at eta -4.0 to 4.0, phi 0.0 to 0.4 are 88% less since section 20 (3 counts)",
        since=20,
        raised=21,
        observed=3,
        expected=25.0,
        p=1e-9,
        trend=tuple([0.1] * 20 + [0.01] * 20),
        expected_trend=0.1,
        map=tuple(0.1 if place % 16 == 8 else 1.0 for place in range(256)),
    )
    by_pile_up = RateByCondition(
        condition="npv",
        title="Pile-up",
        label="20 to 40",
        n_events=500_000,
        n_accepted=500,
        rate=1e-3,
        interval=Interval(lower=9e-4, upper=1.1e-3, level=0.95, method="made up"),
        reference_rate=1.02e-3,
        reference_interval=Interval(lower=9e-4, upper=1.1e-3, level=0.95, method="made up"),
    )
    return WatchReport(
        team="team_004",
        challenge="sample",
        verdict="as in the reference, in 40 sections" if is_quiet else "1 alarms, at section 21",
        data=stream("sample:background"),
        reference=stream("sample:background@train"),
        n_sections=40,
        n_events=1_000,
        n_reference=1_000,
        alarms_per_day=1.0,
        section_s=23.31,
        n_tests={"rate": 1, "occupancy": 256, "spectrum": 20},
        alarm_p={"rate": 1e-5, "occupancy": 1e-7, "spectrum": 1e-6},
        alarms=() if is_quiet else (alarm,),
        conditions=() if is_quiet else (by_pile_up,),
        trial=None if is_quiet else "dead_region",
        trial_from=None if is_quiet else 20,
    )


def write_report(results: Path, name: str, report: ClusterReport | WatchReport) -> Path:
    """Write a report where a board finds it."""
    return publish_report(results, name, report)
