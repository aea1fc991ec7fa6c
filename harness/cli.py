"""The command line: parse, call one function, print, exit with a code that tells whose fault."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import __version__
from harness.errors import (
    EnvironmentFaultError,
    ExitCode,
    HarnessError,
    IntegrityError,
    Problem,
    UsageError,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from harness.challenge import Challenge
    from harness.records import ScoreCard

# The shell's own code for a program that Ctrl-C ended.
_INTERRUPTED = 130

_challenge_option = click.option(
    "--challenge", default="sample", show_default=True, help="Data set to score on."
)
_manifest_option = click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A data manifest of your own, beside the shipped one; may be given again.",
)
_results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of the score cards.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_folder_argument = click.argument("folder", type=click.Path(path_type=Path))
_card_argument = click.argument("card", type=click.Path(path_type=Path, dir_okay=False))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Benchmark of real-time anomaly detection at the LHC.

    Exit codes: 0 done, 1 the submission failed, 2 usage, 3 invalid submission or output, 4 a limit
    of time or memory, 5 this machine or its data, 6 an integrity check failed.
    """


def main() -> None:
    """Run the command line; no failure ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a replacement instead of ending the program.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    sys.exit(_run(lambda: cli.main(standalone_mode=False)))


def _run(command: Callable[[], object]) -> int:
    """Run `command` and turn every way in which it can end into an exit code."""
    try:
        command()
    except HarnessError as error:
        return _fail(error)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo(
            "interrupted: no score card was written; a broken download goes on where it was cut",
            err=True,
        )
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`harness ... | head`): there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(_environment_fault(error))
    except Exception as error:  # noqa: BLE001 - the outermost edge: a fault of ours is told as one
        return _fail(_fault_of_ours(error))
    return ExitCode.SCORED


def _fault_of_ours(error: Exception) -> EnvironmentFaultError:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="harness-fault-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return EnvironmentFaultError(
        Problem(
            what=f"a fault of harness itself: {type(error).__name__}: {error}",
            where=file.name,
            fix="report it with that file; no score card was written",
        )
    )


def _environment_fault(error: OSError) -> EnvironmentFaultError:
    fix = {
        errno.ENOSPC: "make room on the disk and run the command again",
        errno.EROFS: "name a folder that can be written",
        errno.EACCES: "name a folder that you may read and write",
    }.get(error.errno or 0, "")
    return EnvironmentFaultError(
        Problem(what=error.strerror or str(error), where=str(error.filename or ""), fix=fix)
    )


def _fail(error: HarnessError) -> int:
    from harness.terminal import print_error

    print_error(error, _console(is_error=True))
    return error.exit_code


def _console(*, is_error: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=is_error, highlight=False)
    # A card is a table: a pipe or a log file has no width of its own.
    return console if console.is_terminal else Console(stderr=is_error, highlight=False, width=120)


def _progress() -> Callable[[str], None]:
    """Return a function that prints one line of progress to standard error."""
    return lambda line: click.echo(line, err=True)


@cli.command()
@_folder_argument
@_challenge_option
@_manifest_option
@_results_option
@click.option("--quick", is_flag=True, help="A subset, no firmware: for trying, unofficial.")
@click.option("--no-firmware", is_flag=True, help="Leave the firmware out: unofficial.")
@click.option("--unsafe", is_flag=True, help="Run without a sandbox: your own code only.")
@_json_option
def score(
    folder: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    results: Path,
    quick: bool,
    no_firmware: bool,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Score the submission in FOLDER and write its score card."""
    from harness.pipeline import score_submission

    scored = score_submission(
        folder,
        challenge=challenge,
        manifests=manifests,
        results=results,
        is_quick=quick,
        has_firmware=not (quick or no_firmware),
        isolation="none" if unsafe else "bwrap",
        progress=_progress(),
    )
    _print_card(scored.card, as_json=as_json)
    if scored.path is not None:
        click.echo(f"score card: {scored.path}", err=True)


@cli.command()
@_card_argument
@_json_option
def show(card: Path, as_json: bool) -> None:
    """Print a score CARD."""
    from harness.cards import read_card

    _print_card(read_card(card), as_json=as_json)


@cli.command()
@_folder_argument
def validate(folder: Path) -> None:
    """Say all that is wrong with the submission in FOLDER, without running it."""
    from harness.submission.spec import read_submission

    submission = read_submission(folder)
    click.echo(f"{submission.spec.team}: nothing wrong found; {submission.digest}")


@cli.command()
@_card_argument
@_manifest_option
@click.option("--write", is_flag=True, help="Write a new card beside the old one.")
@_results_option
@_json_option
def rescore(
    card: Path, manifests: tuple[Path, ...], write: bool, results: Path, as_json: bool
) -> None:
    """Compute the metrics of CARD again from its kept scores; say what changed."""
    from harness.audit import rescore_card
    from harness.cards import write_card
    from harness.terminal import changes_view

    rescored = rescore_card(card, manifests=manifests)
    if as_json:
        _print_json([_as_dict(change) for change in rescored.changes])
    else:
        _console().print(changes_view(rescored.changes))
    if write:
        packed = card.with_suffix(".scores.zst").read_bytes()
        path = write_card(rescored.card, results, scores=packed)
        click.echo(f"score card: {path}", err=True)


@cli.command()
@click.argument(
    "card_paths", metavar="CARD...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_manifest_option
@click.option(
    "--submissions",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("submissions"),
    show_default=True,
    help="Folder of the submissions.",
)
@_json_option
def verify(
    card_paths: tuple[Path, ...], manifests: tuple[Path, ...], submissions: Path, as_json: bool
) -> None:
    """Hold CARDs against the submission, data and scores that they were made from."""
    from harness.audit import verify_card
    from harness.terminal import findings_view

    found = {
        str(path): verify_card(path, submissions=submissions, manifests=manifests)
        for path in card_paths
    }
    if as_json:
        _print_json({path: [_as_dict(item) for item in items] for path, items in found.items()})
    else:
        for path, items in found.items():
            _console().print(findings_view(path, items))
    wrong = [
        Problem(what=f"{item.name} does not match: {item.detail}", where=path)
        for path, items in found.items()
        for item in items
        if item.outcome == "different"
    ]
    if wrong:
        raise IntegrityError(*wrong)


@cli.command()
@click.argument("team")
@click.option("--open", "is_open", is_flag=True, help="For the open division.")
@click.option(
    "--submissions",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("submissions"),
    show_default=True,
    help="Folder of the submissions.",
)
def new(team: str, is_open: bool, submissions: Path) -> None:
    """Write a skeleton of a submission for TEAM."""
    from harness.submission.skeleton import new_submission

    folder = new_submission(team, submissions, open_division=is_open)
    click.echo(f"{folder}: read its README.md, run its train.py, then `harness score {folder}`")


@cli.command()
@_folder_argument
@_challenge_option
@_manifest_option
@click.option("--backend", default="rtl", show_default=True, help="rtl, estimate, vitis, vivado.")
@click.option("--quick", is_flag=True, help="An estimate in seconds: the backend estimate.")
@click.option("--part", help="Another part than the challenge's.")
@click.option("--clock", "clock_ns", type=float, help="Another clock period [ns].")
@click.option(
    "--export",
    "export_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Lay the firmware project out in this folder.",
)
@click.option("--unsafe", is_flag=True, help="Run without a sandbox: your own code only.")
@_json_option
def synth(
    folder: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    backend: str,
    quick: bool,
    part: str | None,
    clock_ns: float | None,
    export_folder: Path | None,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Make the firmware of the submission in FOLDER: timing, resources, verdict."""
    from harness.pipeline import synthesise_submission
    from harness.terminal import firmware_view

    firmware = synthesise_submission(
        folder,
        challenge=challenge,
        manifests=manifests,
        backend="estimate" if quick else backend,
        part=part,
        clock_period_ns=clock_ns,
        export_folder=export_folder,
        isolation="none" if unsafe else "bwrap",
        progress=_progress(),
    )
    if as_json:
        click.echo(firmware.model_dump_json(indent=1))
    else:
        _console().print(firmware_view(firmware))


@cli.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Show what isolation this machine gives, by trying each guard."""
    from harness.sandbox.doctor import probe
    from harness.terminal import isolation_view

    isolation = probe()
    if as_json:
        _print_json([_as_dict(finding) for finding in isolation.findings])
    else:
        _console().print(isolation_view(isolation))
    if not isolation.is_complete:
        broken = [
            Problem(
                what=f"{finding.claim}: it does not hold: {finding.detail}", where=finding.guard
            )
            for finding in isolation.findings
            if not finding.is_held
        ]
        raise EnvironmentFaultError(*isolation.problems, *broken)


@cli.command()
@_results_option
@_manifest_option
@click.option("--challenge", default="sample", show_default=True, help="Whose board.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown.")
@click.option("--serve", is_flag=True, help="Start the pages.")
@click.option("--port", type=int, default=8501, show_default=True, help="Port of the pages.")
@click.option(
    "--export",
    "site",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a static site into this folder.",
)
@click.option("--private", is_flag=True, help="Show hidden signals: for the organiser alone.")
def leaderboard(
    results: Path,
    manifests: tuple[Path, ...],
    challenge: str,
    form: str | None,
    serve: bool,
    port: int,
    site: Path | None,
    private: bool,
) -> None:
    """Print the ranking, serve its pages, or write them as a static site."""
    from harness.board import formats
    from harness.board.index import CardIndex
    from harness.board.rows import board_of
    from harness.data.manifest import load_manifest
    from harness.ranking import contest_of, rank

    known = {rules.name: rules for rules in load_manifest(*manifests).challenges}
    if serve or site is not None:
        _show_pages(results, known, site=site, port=port, is_private=private)
        return
    entries = CardIndex(results, is_private=private).refresh().entries.get(challenge, ())
    if not entries:
        raise UsageError(
            Problem(
                what=f"there is no card of {challenge}",
                where=str(results / challenge),
                fix="score a submission: harness score submissions/team_x",
            )
        )
    rules = known.get(challenge)
    contest = contest_of(
        entries,
        rules=rules.ranking if rules else None,
        target=rules.target if rules else None,
    )
    board = board_of(rank(entries, contest))
    write = {"json": formats.to_json, "csv": formats.to_csv, "markdown": formats.to_markdown}
    if form is None:
        _console().print(formats.terminal_view(board))
    else:
        click.echo(write[form](board))


def _show_pages(
    results: Path,
    known: Mapping[str, Challenge],
    *,
    site: Path | None,
    port: int,
    is_private: bool,
) -> None:
    """Write the static site, or else serve the pages."""
    from leaderboard_app.serve import serve
    from leaderboard_app.settings import ContestRules, Settings
    from leaderboard_app.static_site import export_site

    contests = {
        name: ContestRules(rules=rules.ranking, target=rules.target)
        for name, rules in known.items()
    }
    settings = Settings(results=str(results), is_private=is_private, contests=contests)
    if site is not None:
        pages = export_site(settings, site)
        click.echo(f"{len(pages)} pages; begin with {site / 'index.html'}", err=True)
        return
    click.echo(f"the leaderboard: http://127.0.0.1:{port} (Ctrl-C ends it)", err=True)
    serve(settings, port=port)


@cli.command()
@click.argument("challenge")
@_manifest_option
@click.option("--mirror", help="Address below which the files lie by their names.")
@click.option(
    "--from",
    "source_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds the files already.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, how large, where to.")
@click.option("--trust-first-use", is_flag=True, help="Accept a file that has no known checksum.")
@click.option("--with-blackbox", is_flag=True, help="Fetch the black box too.")
@_json_option
def fetch(
    challenge: str,
    manifests: tuple[Path, ...],
    mirror: str | None,
    source_folder: Path | None,
    dry_run: bool,
    trust_first_use: bool,
    with_blackbox: bool,
    as_json: bool,
) -> None:
    """Download the files of CHALLENGE, check them, and convert them once for fast reading."""
    from harness.data.fetch import fetch as fetch_files
    from harness.data.manifest import load_manifest
    from harness.data.progress import progress_bars
    from harness.terminal import fetch_view

    with progress_bars() as progress:
        report = fetch_files(
            load_manifest(*manifests).challenge(challenge),
            mirror=mirror,
            source_folder=source_folder,
            dry_run=dry_run,
            trust_first_use=trust_first_use,
            with_blackbox=with_blackbox,
            progress=progress,
        )
    if as_json:
        _print_json(_as_dict(report))
    else:
        _console().print(fetch_view(report))


@cli.group(invoke_without_command=True)
@_manifest_option
@_json_option
@click.pass_context
def data(context: click.Context, manifests: tuple[Path, ...], as_json: bool) -> None:
    """List the challenges, what of them is here, sizes and checksums."""
    if context.invoked_subcommand is not None:
        return
    from harness.data.inventory import take_inventory
    from harness.data.manifest import load_manifest
    from harness.terminal import inventory_view

    challenges = take_inventory(load_manifest(*manifests))
    if as_json:
        _print_json([_as_dict(challenge) for challenge in challenges])
    else:
        _console().print(inventory_view(challenges))


@data.command()
@click.argument("challenge")
@_manifest_option
@click.option("--plots", type=click.Path(path_type=Path, file_okay=False), help="Write pictures.")
@_results_option
@_json_option
def describe(
    challenge: str, manifests: tuple[Path, ...], plots: Path | None, results: Path, as_json: bool
) -> None:
    """Print occupancies and pT of CHALLENGE by process; write the summary that the pages show."""
    from harness.data.describe import describe as describe_events
    from harness.data.describe import write_plots, write_summary
    from harness.data.events import open_store
    from harness.data.manifest import load_manifest
    from harness.terminal import description_view

    rules = load_manifest(*manifests).challenge(challenge)
    description = describe_events(open_store(rules))
    write_summary(description.summary, results / challenge / "summary.json")
    if as_json:
        click.echo(description.summary.model_dump_json(indent=1))
    else:
        _console().print(description_view(description))
    if plots is not None:
        for path in write_plots(description.summary, plots):
            click.echo(f"picture: {path}", err=True)


def _print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=1, default=str))


def _as_dict(value: DataclassInstance) -> dict[str, object]:
    import dataclasses

    return dataclasses.asdict(value)


def _print_card(card: ScoreCard, *, as_json: bool) -> None:
    from harness.terminal import card_view

    if as_json:
        click.echo(card.model_dump_json(indent=1))
    else:
        _console().print(card_view(card))


if __name__ == "__main__":
    main()
