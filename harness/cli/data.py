"""Commands on data: fetch, data, data describe."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import FOLDER, json_option, manifest_option, plots_option, results_option
from harness.cli.output import print_result, tell
from harness.errors import UsageError


@click.command()
@click.argument("challenge")
@manifest_option
@click.option("--mirror", help="Address below which the files lie by their names.")
@click.option("--from", "source_folder", type=FOLDER, help="Folder that holds the files already.")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched, how large, where to.")
@click.option("--trust-first-use", is_flag=True, help="Accept a file that has no known checksum.")
@click.option("--with-blackbox", is_flag=True, help="Fetch the black box too.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=24.0,
    show_default=True,
    help="Longest time for one file.",
)
@json_option
def fetch(
    challenge: str,
    manifests: tuple[Path, ...],
    mirror: str | None,
    source_folder: Path | None,
    dry_run: bool,
    trust_first_use: bool,
    with_blackbox: bool,
    hours: float,
    as_json: bool,
) -> None:
    """Download the files of CHALLENGE, check them, and convert them once for fast reading."""
    from harness.cli.progress import progress_bars
    from harness.data.download import Patience
    from harness.data.fetch import fetch as fetch_files
    from harness.data.manifest import load_manifest
    from harness.data.view import fetch_view

    with progress_bars() as progress:
        report = fetch_files(
            load_manifest(*manifests).challenge(challenge),
            mirror=mirror,
            source_folder=source_folder,
            dry_run=dry_run,
            trust_first_use=trust_first_use,
            with_blackbox=with_blackbox,
            progress=progress,
            patience=Patience(total_s=3600.0 * hours),
        )
    print_result(report, fetch_view(report), as_json=as_json)


@click.group(invoke_without_command=True)
@manifest_option
@json_option
@click.pass_context
def data(context: click.Context, manifests: tuple[Path, ...], as_json: bool) -> None:
    """List the challenges, what of them is here, sizes and checksums."""
    if context.invoked_subcommand is not None:
        return
    from harness.data.inventory import take_inventory
    from harness.data.manifest import load_manifest
    from harness.data.view import inventory_view

    challenges = take_inventory(load_manifest(*manifests))
    print_result(challenges, inventory_view(challenges), as_json=as_json)


@data.command()
@click.argument("challenge")
@manifest_option
@json_option
def check(challenge: str, manifests: tuple[Path, ...], as_json: bool) -> None:
    """Check the rules of CHALLENGE before a contest: rates, deadline, part, weights.

    It says how many background events may pass at each rate. Exit code 2 if something would spoil
    the contest.
    """
    from harness.data.manifest import load_manifest
    from harness.scoring.readiness import check_challenge
    from harness.scoring.view import readiness_view

    rules = load_manifest(*manifests).challenge(challenge)
    found = check_challenge(rules)
    print_result(found, readiness_view(found), as_json=as_json)
    if found.problems:
        raise UsageError(*found.problems)


@data.command()
@click.argument("challenge")
@manifest_option
@plots_option
@results_option
@json_option
def describe(
    challenge: str, manifests: tuple[Path, ...], plots: Path | None, results: Path, as_json: bool
) -> None:
    """Print occupancies and pT of CHALLENGE by process; write the summary that the pages show."""
    from harness.data.describe import describe as describe_events
    from harness.data.describe import write_plots
    from harness.data.events import open_store
    from harness.data.manifest import load_manifest
    from harness.data.view import description_view
    from harness.files import write_json

    rules = load_manifest(*manifests).challenge(challenge)
    description = describe_events(open_store(rules))
    write_json(results / challenge / "summary.json", description.summary)
    print_result(description.summary, description_view(description), as_json=as_json)
    if plots is not None:
        for path in write_plots(description.summary, plots):
            tell(f"picture: {path}")
