"""Commands after the trigger: trigger, cluster, watch, reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.options import (
    FILE,
    FOLDER,
    challenge_option,
    json_option,
    manifest_option,
    pairs_of,
    results_option,
    unsafe_option,
)
from harness.cli.output import print_result

if TYPE_CHECKING:
    from harness.board.cluster_report import ClusterReport
    from harness.board.watch_report import WatchReport
    from harness.card.run import IsolationKind

_Report = TypeVar("_Report", "ClusterReport", "WatchReport")
# Seeds of k-means are five times as large, and below 2**32.
_SEED = click.IntRange(0, 2**29)
_POSITIVE = click.FloatRange(min=0, min_open=True)


def _report_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Check the name of a report before the hours that it may take."""
    from harness.board.trigger_reports import check_report_name

    if name is not None:
        check_report_name(name)
    return name


_publish_option = click.option(
    "--publish",
    "published",
    metavar="NAME",
    callback=_report_name,
    help="Write it beside the cards under this name: boards show it.",
)


@click.command()
@click.argument("entry")
@click.argument("events", nargs=-1, required=True)
@click.option("--out", type=FOLDER, required=True, help="Folder of the accepted events.")
@click.option("--fpr", type=_POSITIVE, help="Working point of the card. [default: 1e-3]")
@click.option("--threshold", type=float, help="A threshold of your own, on the score.")
@click.option("--rate", "rate_hz", type=_POSITIVE, help="Steer the threshold to this rate [Hz].")
@click.option(
    "--gain",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.5,
    show_default=True,
    help="Of the controller that steers.",
)
@click.option(
    "--input-rate", "input_rate_hz", type=_POSITIVE, help="Events of the stream in a second [Hz]."
)
@click.option(
    "--prescale",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Keep one of so many accepted events.",
)
@click.option(
    "--section-column",
    help="Dataset or column with the luminosity section. [default: lumi_section, if there]",
)
@click.option(
    "--section-events",
    type=click.IntRange(min=1),
    help="Cut sections of so many events. [default: 10000, where the files say none]",
)
@click.option(
    "--follow",
    "follow_s",
    type=_POSITIVE,
    help="Follow the last folder, until no new file came for so many seconds.",
)
@click.option(
    "--vary", "variation", help="Vary the events first, as --stress does, such as jet_scale_up."
)
@click.option("--program", type=FILE, help="Program of the firmware, if not beside the card.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Chunks of events that are scored at the same time.",
)
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler, whose workers score.")
@results_option
@challenge_option
@manifest_option
@unsafe_option("Interpret the program without a sandbox: your own alone.")
@json_option
def trigger(
    *,
    entry: str,
    events: tuple[str, ...],
    out: Path,
    fpr: float | None,
    threshold: float | None,
    rate_hz: float | None,
    gain: float,
    input_rate_hz: float | None,
    prescale: int,
    section_column: str | None,
    section_events: int | None,
    follow_s: float | None,
    variation: str | None,
    program: Path | None,
    jobs: int,
    cluster: str | None,
    results: Path,
    challenge: str | None,
    manifests: tuple[Path, ...],
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Run a ranked ENTRY as a trigger on EVENTS, section by section, by its firmware's arithmetic.

    ENTRY is a score card or a submission that has one. EVENTS are files (HDF5, Parquet, npy),
    folders of them, or events of the cache such as sample:background or sample:lq[:200], in time
    order. A run that was killed goes on where it was: give the same command again.
    """
    from harness.cli.progress import progress_bars
    from harness.trigger.start import TriggerRequest, start_trigger
    from harness.trigger.view import run_view

    request = TriggerRequest(
        entry=entry,
        events=events,
        out=out,
        results=results,
        challenge=challenge,
        manifests=manifests,
        program=program,
        fpr=fpr,
        threshold=threshold,
        rate_hz=rate_hz,
        gain=gain,
        input_rate_hz=input_rate_hz,
        prescale=prescale,
        section_column=section_column,
        section_events=section_events,
        follow_s=follow_s,
        variation=variation,
        isolation=isolation,
        jobs=jobs,
        cluster=cluster,
    )
    with progress_bars() as progress:
        run = start_trigger(request, progress=progress)
    print_result(run, run_view(run), as_json=as_json)


@click.command()
@click.argument("accepted", type=FOLDER)
@click.option(
    "--expected",
    "expected",
    multiple=True,
    required=True,
    type=FOLDER,
    help="What the same trigger accepted of simulated events; may be given again.",
)
@click.option(
    "--varied",
    multiple=True,
    type=FOLDER,
    help="The expectation with a systematic variation; may be given again.",
)
@click.option("--out", type=FOLDER, help="Write cluster.json and cluster.html here.")
@click.option(
    "--level",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.00135,
    show_default=True,
    help="Global p-value below which a cluster is unexpected.",
)
@click.option(
    "--toys",
    "n_toys",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Trials.",
)
@click.option("--seed", type=_SEED, default=1, show_default=True, help="Of clusters and toys.")
@click.option("--shape-only", is_flag=True, help="Take the number of accepted events as it is.")
@_publish_option
@results_option
@json_option
def cluster(
    accepted: Path,
    *,
    expected: tuple[Path, ...],
    varied: tuple[Path, ...],
    out: Path | None,
    level: float,
    n_toys: int,
    seed: int,
    shape_only: bool,
    published: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Cluster ACCEPTED events and compare them with those that simulation leads to expect.

    Both are folders of `harness trigger` with the same entry. The global p-value corrects for all
    clusters that were searched.
    """
    from harness.trigger.cluster import cluster_events
    from harness.trigger.page import cluster_page
    from harness.trigger.view import cluster_view

    report = cluster_events(
        accepted,
        expected,
        level=level,
        n_toys=n_toys,
        seed=seed,
        is_shape_only=shape_only,
        varied=varied,
    )
    _hand_out("cluster", report, cluster_page, out, published, results)
    print_result(report, cluster_view(report), as_json=as_json)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--reference",
    required=True,
    type=FOLDER,
    help="What the same trigger accepted when all was well.",
)
@click.option(
    "--alarms-per-day",
    "per_day",
    type=_POSITIVE,
    default=1.0,
    show_default=True,
    help="The most false alarms that are expected in a day.",
)
@click.option(
    "--section-seconds",
    "section_s",
    type=_POSITIVE,
    default=23.31,
    show_default=True,
    help="How long a section is [s].",
)
@click.option(
    "--trial",
    type=click.Choice(["dead_region", "hot_cell", "noise", "pt_scale", "pile_up"]),
    help="Put this fault into the events from the middle section on.",
)
@click.option("--out", type=FOLDER, help="Write watch.json and watch.html here.")
@_publish_option
@results_option
@manifest_option
@json_option
def watch(
    folder: Path,
    *,
    reference: Path,
    per_day: float,
    section_s: float,
    trial: str | None,
    out: Path | None,
    published: str | None,
    results: Path,
    manifests: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare a FOLDER of accepted events with a reference, to see whether it is the detector.

    Rate, maps of occupancy, multiplicities, spectra and the score are watched.
    """
    from harness.data.manifest import load_manifest
    from harness.trigger.folder import read_run
    from harness.trigger.page import watch_page
    from harness.trigger.trials import fault_of
    from harness.trigger.view import watch_view
    from harness.trigger.watch import watch_folder

    fault = None
    if trial is not None:
        name = read_run(folder).settings.challenge
        fault = fault_of(trial, load_manifest(*manifests).challenge(name))
    report = watch_folder(
        folder, reference, per_day=per_day, section_s=section_s, fault=fault, trial=trial
    )
    _hand_out("watch", report, watch_page, out, published, results)
    print_result(report, watch_view(report), as_json=as_json)


def _hand_out(
    name: str,
    report: _Report,
    page: Callable[[_Report], str],
    out: Path | None,
    published: str | None,
    results: Path,
) -> None:
    """Write a report and its page into the folder `out`, and beside the cards, where asked for."""
    from harness.board.trigger_reports import publish_report
    from harness.files import write_json, write_whole

    if out is not None:
        write_whole(out / f"{name}.html", page(report).encode())
        write_json(out / f"{name}.json", report)
    if published is not None:
        publish_report(results, published, report)


@click.command()
@click.argument("data", type=FOLDER)
@click.option(
    "--expected", type=FOLDER, required=True, help="What it accepted of simulated background."
)
@click.option(
    "--signal",
    "signals",
    multiple=True,
    required=True,
    metavar="NAME=FOLDER",
    help="What it accepted of a signal; may be given again.",
)
@click.option(
    "--other",
    "others",
    multiple=True,
    metavar="TITLE=FOLDER",
    help="Other background, compared in place of the data; may be given again.",
)
@click.option(
    "--varied",
    nargs=3,
    multiple=True,
    metavar="NAME DATA EXPECTED",
    help="Both folders of background with a systematic variation; may be given again.",
)
@click.option(
    "--trials",
    "n_trials",
    type=click.IntRange(min=1),
    default=150,
    show_default=True,
    help="Of each signal.",
)
@click.option(
    "--null-trials",
    "n_null",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Without a signal.",
)
@click.option("--seed", type=_SEED, default=1, show_default=True, help="Of trials.")
@click.option("--results", type=FOLDER, help="Write it beside the cards in this folder.")
@json_option
def reach(
    data: Path,
    *,
    expected: Path,
    signals: tuple[str, ...],
    others: tuple[str, ...],
    varied: tuple[tuple[str, str, str], ...],
    n_trials: int,
    n_null: int,
    seed: int,
    results: Path | None,
    as_json: bool,
) -> None:
    """Measure how many events of a signal `harness trigger` and `harness cluster` need to find it.

    DATA and all other folders are those of `harness trigger` with one entry and one threshold. DATA
    sets the exposure. A run that was killed goes on where it was: give the same command again.
    """
    from harness.board.reach import reach_path
    from harness.cli.progress import progress_bars
    from harness.files import write_json
    from harness.trigger.reach import ReachOptions, measure_reach
    from harness.trigger.reach_pool import ReachStreams
    from harness.trigger.view import reach_view

    streams = ReachStreams(
        data=data,
        expected=expected,
        signals={
            name: Path(path) for name, path in pairs_of("--signal", signals, "NAME=FOLDER").items()
        },
        others={
            name: Path(path) for name, path in pairs_of("--other", others, "TITLE=FOLDER").items()
        },
        varied={name: (Path(first), Path(second)) for name, first, second in varied},
    )
    options = ReachOptions(n_trials=n_trials, n_null=n_null, seed=seed)
    with progress_bars() as progress:
        found = measure_reach(streams, options, progress=progress)
    if results is not None:
        write_json(reach_path(results, found.challenge, found.team), found)
    print_result(found, reach_view(found), as_json=as_json)
