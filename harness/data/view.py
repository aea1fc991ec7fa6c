"""Data sets in a terminal: what was fetched, what is here, and what events look like."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.card.summary import ProcessSummary
from harness.card.terminal import DASH, bytes_text, rate_text, table
from harness.card.text import plain
from harness.card.trigger_view import menu_view
from harness.data.describe import Description, PtSummary
from harness.data.fetch import FetchReport
from harness.data.fetch_plan import FetchedFile
from harness.data.inventory import ChallengeStatus, FileStatus
from harness.data.level1.comparing import Comparison


def fetch_view(report: FetchReport) -> RenderableType:
    """Draw what `harness fetch` did, or would do."""
    header = ("file", "action", "size", "events", "checksum", "source and remarks")
    drawn = table(report.challenge, header, [_fetched_row(file) for file in report.files])
    verb = "to download" if report.is_dry_run else "downloaded"
    n_unknown = sum(file.action == "download" and file.n_bytes is None for file in report.files)
    unknown = f" and {n_unknown} files of unknown size" if n_unknown else ""
    summary = (
        f"{verb}: {bytes_text(report.download_bytes)}{unknown}; "
        f"more on the disk, in {report.root}: at least {bytes_text(report.disk_bytes)}"
    )
    return Group(drawn, Text(summary))


def _fetched_row(file: FetchedFile) -> tuple[str, ...]:
    return (
        file.name,
        file.action,
        bytes_text(file.n_bytes),
        "" if file.n_events is None else f"{file.n_events:,}",
        f"{file.checksum} ({file.checksum_origin})" if file.checksum else "none known",
        "; ".join((file.source, *file.remarks)),
    )


def comparison_view(comparison: Comparison) -> RenderableType:
    """Draw in what files are not as assumed."""
    n_events = sum(sum(parts.values()) for parts in comparison.n_events.values())
    names = ", ".join(comparison.n_events) or "none"
    absent = f"; not there: {', '.join(comparison.absent)}" if comparison.absent else ""
    head = Text(
        plain(
            f"{comparison.challenge} in the layout {comparison.layout}: {n_events:,} events of "
            f"{len(comparison.n_events)} data sets ({names}){absent}"
        )
    )
    if not comparison.differences:
        return Group(head, Text("All that was looked at is as assumed."))
    rows = [(one.where, one.found, one.expected) for one in comparison.differences]
    header = ("where", "found", "assumed")
    return Group(head, table(f"{len(rows)} differences", header, rows))


def inventory_view(challenges: Sequence[ChallengeStatus]) -> RenderableType:
    """Draw which challenges there are, and what of them is here."""
    return Group(*(_challenge_table(challenge) for challenge in challenges))


def _challenge_table(challenge: ChallengeStatus) -> Table:
    ready = "ready" if challenge.is_ready else f"not here: harness fetch {challenge.name}"
    is_in_title = "synthetic" in challenge.title
    synthetic = ", synthetic" if challenge.is_synthetic and not is_in_title else ""
    return table(
        f"{challenge.name}: {challenge.title}, version {challenge.version}{synthetic}; {ready}",
        ("file", "role", "events", "cache", "checksum", "state"),
        [_file_row(file) for file in challenge.files],
    )


def _file_row(file: FileStatus) -> tuple[str, ...]:
    return (
        file.name,
        file.role,
        "unknown" if file.n_events is None else f"{file.n_events:,}",
        bytes_text(file.n_bytes) if file.n_bytes else DASH,
        file.checksum or "not published",
        file.state,
    )


def description_view(description: Description) -> RenderableType:
    """Draw occupancies and leading pT of each process."""
    summary = description.summary
    note = "; synthetic events: no prediction for the real data" if summary.synthetic else ""
    tables = [_process_table(description, process) for process in summary.processes]
    head = Text(plain(f"{summary.title}, version {summary.version}{note}"))
    titles = {one.process: one.title for one in summary.processes}
    menu = [] if summary.menu is None else [menu_view(summary.menu, titles)]
    return Group(head, *tables, *menu)


def _process_table(description: Description, process: ProcessSummary) -> Table:
    leading = description.leading_pt.get(process.process)
    header: tuple[str, ...] = ("object", "occupancy of its slots")
    if leading is not None:
        header += ("leading pT [GeV], mean ± s.d.", "10, 50, 90, 99 % quantiles")
    return table(
        f"{process.title}: {process.n_events:,} events",
        header,
        [
            (
                kind,
                " ".join(rate_text(share) for share in occupancy),
                *(() if leading is None else _pt_cells(leading[kind])),
            )
            for kind, occupancy in process.occupancy.items()
        ],
        caption="\n".join(description.remarks[process.process]),
    )


def _pt_cells(pt: PtSummary | None) -> tuple[str, str]:
    if pt is None:
        return DASH, DASH
    quantiles = " ".join(f"{value:.1f}" for value in pt.quantiles_gev.values())
    return f"{pt.mean_gev:.1f} ± {pt.sd_gev:.1f}", quantiles
