"""Commands on data: fetch, data, data check, data import, data describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    FILE,
    FOLDER,
    challenge_argument,
    json_option,
    manifest_option,
    pairs_of,
    plots_option,
    results_option,
)
from harness.cli.output import print_result, tell
from harness.errors import DataError, UsageError

if TYPE_CHECKING:
    from harness.challenge import Challenge, Part


@click.command()
@challenge_argument
@manifest_option
@click.option("--mirror", help="Address below which the files lie by their names.")
@click.option("--from", "source_folder", type=FOLDER, help="Folder that holds the files already.")
@click.option("--only", metavar="NAME,...", help="These files or data sets alone.")
@click.option("--parts", metavar="PART,...", help="These parts alone: train, validation, test.")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched, how large, where to.")
@click.option("--trust-first-use", is_flag=True, help="Accept a file that has no known checksum.")
@click.option(
    "--repin", is_flag=True, help="Take pinned checksums again: the files were corrected."
)
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
    challenge: str | None,
    manifests: tuple[Path, ...],
    mirror: str | None,
    source_folder: Path | None,
    only: str | None,
    parts: str | None,
    dry_run: bool,
    trust_first_use: bool,
    repin: bool,
    with_blackbox: bool,
    hours: float,
    as_json: bool,
) -> None:
    """Download the files of CHALLENGE, check them, and convert them once for fast reading."""
    from harness.cli.progress import progress_bars
    from harness.data.fetch import fetch as fetch_files
    from harness.data.manifest import load_manifest
    from harness.data.view import fetch_view
    from harness.data.web import Patience

    with progress_bars() as progress:
        report = fetch_files(
            load_manifest(*manifests).challenge(challenge),
            mirror=mirror,
            source_folder=source_folder,
            dry_run=dry_run,
            trust_first_use=trust_first_use,
            repin=repin,
            with_blackbox=with_blackbox,
            progress=progress,
            patience=Patience(total_s=3600.0 * hours),
            only=_listed("--only", only),
            parts=_part_names(_listed("--parts", parts)),
        )
    print_result(report, fetch_view(report), as_json=as_json)


def _listed(option: str, given: str | None) -> tuple[str, ...]:
    """Take names that are separated by commas."""
    if given is None:
        return ()
    names = tuple(name.strip() for name in given.split(","))
    if not all(names):
        raise UsageError(f"{option}: {given!r} has an empty name", expected="NAME or NAME,NAME")
    return names


def _part_names(names: Sequence[str]) -> tuple[Part, ...]:
    from harness.challenge import PARTS

    if wrong := [name for name in names if name not in PARTS]:
        raise UsageError(
            f"--parts: there is no part {wrong[0]!r}", expected=f"some of {', '.join(PARTS)}"
        )
    return tuple(part for part in PARTS if part in names)


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
@challenge_argument
@click.argument("folder", type=FOLDER, required=False)
@manifest_option
@json_option
def check(
    challenge: str | None, folder: Path | None, manifests: tuple[Path, ...], as_json: bool
) -> None:
    """Check the rules of CHALLENGE before a contest: rates, deadline, part, weights.

    It says how many background events may pass at each rate. Exit code 2 if something would spoil
    the contest. With FOLDER it reads the files of a challenge such as cmsl1t or lhco there instead,
    and reports all in which they are not as harness assumes: exit code 5 if there is anything.
    """
    from harness.data.manifest import load_manifest
    from harness.scoring.readiness import check_challenge
    from harness.scoring.view import readiness_view

    rules = load_manifest(*manifests).challenge(challenge)
    if folder is not None:
        _compare(rules, folder, as_json=as_json)
        return
    found = check_challenge(rules)
    print_result(found, readiness_view(found), as_json=as_json)
    if found.problems:
        raise UsageError(*found.problems)


def _compare(rules: Challenge, folder: Path, *, as_json: bool) -> None:
    from harness.cli.progress import progress_bars
    from harness.data.formats import compare_files
    from harness.data.view import comparison_view

    with progress_bars() as progress:
        found = compare_files(rules, folder, progress)
    print_result(found, comparison_view(found), as_json=as_json)
    if found.differences:
        raise DataError(
            f"{len(found.differences)} differences from what harness assumes",
            where=str(folder),
            expected=f"files of {rules.title} as the manifest and docs/data.md describe them",
            fix="send the list to the maintainers; what would be wrong is refused by harness fetch",
        )


@data.command(name="import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", type=FOLDER, required=True, help="Folder to write, which is not there yet.")
@click.option("--name", help="Name of the challenge. [default: that of the folder]")
@click.option(
    "--signal", "signals", multiple=True, metavar="NAME=FILE", help="A signal's own file."
)
@click.option("--class-column", help="Column, or array, that says the process of each event.")
@click.option("--background", help="The class that is background. [default: background or 0]")
@click.option("--hidden", multiple=True, metavar="NAME", help="A signal to be kept secret.")
@click.option("--features", help="Names of the numbers of one object: amplitude,x,y,time")
@click.option("--objects", help="Kinds of object and their slots, in order: trigger=1,hit=6")
@click.option("--title", default="", help="How the challenge is printed. [default: its name]")
@click.option("--licence", default="to be stated", help="Of the data.")
@click.option("--synthetic", is_flag=True, help="The events are simulated.")
@click.option("--part", help="FPGA of the target. [default: a VU9P]")
@json_option
def import_(
    files: tuple[str, ...],
    *,
    out: Path,
    name: str | None,
    signals: tuple[str, ...],
    class_column: str | None,
    background: str | None,
    hidden: tuple[str, ...],
    features: str | None,
    objects: str | None,
    title: str,
    licence: str,
    synthetic: bool,
    part: str | None,
    as_json: bool,
) -> None:
    """Make a challenge of your own events: CSV, Parquet, npy, npz or HDF5.

    FILE holds background, or with --class-column all processes. An array of several in a file is
    named after a colon: run.h5:events. An event is one row, or in an array (objects, features).
    """
    from harness.cli.progress import progress_bars
    from harness.data.importing import ImportRequest
    from harness.data.tables.source import Source
    from harness.scoring.own_challenge import DEFAULT_PART, OwnRules, import_challenge
    from harness.scoring.view import imported_view

    pairs = pairs_of("--signal", signals, "NAME=FILE")
    counts = pairs_of("--objects", (objects or "").split(",") if objects else (), "hit=6")
    if wrong := [one for one in counts.values() if not one.isdecimal()]:
        raise UsageError(f"--objects: {wrong[0]!r} is no number of slots", expected="hit=6")
    request = ImportRequest(
        sources=tuple(map(Source.of, files)),
        signals={name: Source.of(file) for name, file in pairs.items()},
        hidden=frozenset(hidden),
        class_column=class_column,
        background_class=background,
        features=None if features is None else tuple(one.strip() for one in features.split(",")),
        objects={kind: int(n_slots) for kind, n_slots in counts.items()},
    )
    rules = OwnRules(
        name=name or out.absolute().name,
        title=title,
        licence=licence,
        synthetic=synthetic,
        part=part or DEFAULT_PART,
    )
    with progress_bars() as progress:
        found = import_challenge(request, rules, out, progress=progress)
    print_result(found, imported_view(found), as_json=as_json)


@data.command()
@challenge_argument
@manifest_option
@click.option("--out", type=FILE, help="Write the page here.")
def rules(challenge: str | None, manifests: tuple[Path, ...], out: Path | None) -> None:
    """Write the rules that the manifest states for CHALLENGE as a page for the teams."""
    from harness.data.manifest import load_manifest
    from harness.files import write_whole
    from harness.scoring.rules_page import rules_page

    page = rules_page(load_manifest(*manifests).challenge(challenge))
    if out is None:
        tell(page.rstrip("\n"), is_error=False)
    else:
        write_whole(out, page.encode())
        tell(f"the rules: {out}")


@data.command()
@challenge_argument
@manifest_option
@plots_option
@results_option
@json_option
def describe(
    challenge: str | None,
    manifests: tuple[Path, ...],
    plots: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Print occupancies and pT of CHALLENGE by process; write the summary that the pages show."""
    from harness.data.describe import write_plots
    from harness.data.events import open_store
    from harness.data.manifest import load_manifest
    from harness.data.view import description_view
    from harness.files import write_json
    from harness.scoring.menu import describe_all

    rules = load_manifest(*manifests).challenge(challenge)
    description = describe_all(open_store(rules))
    write_json(results / rules.name / "summary.json", description.summary)
    print_result(description.summary, description_view(description), as_json=as_json)
    if plots is not None:
        for path in write_plots(description.summary, plots):
            tell(f"picture: {path}")
