"""Commands on submissions: validate, score, synth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    FOLDER,
    backend_options,
    declared_option,
    folder_argument,
    json_option,
    limit_options,
    manifest_option,
    private_option,
    reports_option,
    results_option,
    unsafe_option,
)
from harness.cli.output import print_card, print_json, print_result, progress, tell
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from harness.card.run import IsolationKind
    from harness.firmware.backend import FirmwareSettings
    from harness.submission.validate import Submission


@click.command()
@folder_argument
@declared_option
@manifest_option
@backend_options
@click.option("--quick", is_flag=True, help="An estimate in seconds: the backend estimate.")
@click.option("--part", help="Another part than the challenge's.")
@click.option(
    "--clock",
    "clock_ns",
    type=click.FloatRange(min=0, min_open=True),
    help="Another clock period [ns].",
)
@reports_option
@limit_options
@click.option(
    "--export", "export_folder", type=FOLDER, help="Lay the firmware project out in this folder."
)
@unsafe_option()
@json_option
def synth(
    folder: Path,
    *,
    challenge: str | None,
    manifests: tuple[Path, ...],
    backend: str,
    quick: bool,
    part: str | None,
    clock_ns: float | None,
    impl: bool,
    reports: Path | None,
    settings: FirmwareSettings,
    export_folder: Path | None,
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Make the firmware of the submission in FOLDER: timing, resources, verdict.

    A network that misses a limit is a result: exit code 0. If the network has no firmware, nothing
    is measured: the message names each layer in the way, and the exit code is 3.
    """
    from harness.card.figures import NotMeasured
    from harness.card.view import synthesis_view
    from harness.scoring.synthesis import synthesise_submission

    made = synthesise_submission(
        folder,
        challenge=challenge,
        manifests=manifests,
        backend="estimate" if quick else backend,
        part=part,
        clock_period_ns=clock_ns,
        export_folder=export_folder,
        has_implementation=impl,
        reports=reports,
        settings=settings,
        isolation=isolation,
        progress=progress(),
    )
    drawn = synthesis_view(made.firmware, made.physics)
    print_result(made.firmware, drawn, as_json=as_json)
    if isinstance(made.firmware, NotMeasured):
        sys.exit(ExitCode.INVALID)


@click.command()
@folder_argument
@click.option(
    "--deep", is_flag=True, help="Run it on made-up events too, in a sandbox, firmware included."
)
@declared_option
@manifest_option
@unsafe_option()
@json_option
def validate(
    folder: Path,
    *,
    deep: bool,
    challenge: str | None,
    manifests: tuple[Path, ...],
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """List all that is wrong with the submission in FOLDER; without --deep none of it is run."""
    try:
        found, names, notes = _validate(folder, challenge, manifests, isolation if deep else None)
    except HarnessError as error:
        if as_json:
            print_json({"is_valid": False, "problems": error.problems})
        raise
    team, digest = found.spec.team, found.digest
    if as_json:
        about = {"team": team, "digest": digest, "challenges": names}
        print_json({"is_valid": True, "problems": [], "notes": notes, **about})
    else:
        for note in notes:
            tell(f"note: {note}")
        tell(f"{team}: nothing wrong found; {digest}", is_error=False)


def _validate(
    folder: Path,
    challenge: str | None,
    manifests: tuple[Path, ...],
    isolation: IsolationKind | None,
) -> tuple[Submission, list[str], list[str]]:
    """Check a submission, and with an isolation try it; return it, its challenges and notes."""
    from harness.data.manifest import load_manifest
    from harness.scoring.chosen import chosen_challenges
    from harness.submission.notes import notes_on
    from harness.submission.validate import read_submission

    submission = read_submission(folder, progress())
    chosen = chosen_challenges(submission.spec, load_manifest(*manifests), challenge)
    if isolation is not None:
        from harness.scoring.trial import try_submission

        for rules in chosen:
            try_submission(
                folder,
                challenge=rules.name,
                manifests=manifests,
                isolation=isolation,
                progress=progress(),
            )
    has_fpga = any(rules.fpga is not None for rules in chosen)
    notes = notes_on(submission, has_fpga=has_fpga, was_run=isolation is not None)
    return submission, [rules.name for rules in chosen], list(notes)


@click.command()
@folder_argument
@declared_option
@manifest_option
@results_option
@click.option("--quick", is_flag=True, help="A subset, no firmware: for trying, unofficial.")
@click.option("--no-firmware", is_flag=True, help="Leave the firmware out: unofficial.")
@backend_options
@reports_option
@limit_options
@click.option("--stress", is_flag=True, help="Measure how stable the rate is, too.")
@click.option(
    "--fresh",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of fresh events, SIGNAL.h5, by harness simulate: compare their TPR, too.",
)
@unsafe_option()
@private_option
@json_option
def score(
    folder: Path,
    *,
    challenge: str | None,
    manifests: tuple[Path, ...],
    results: Path,
    quick: bool,
    no_firmware: bool,
    backend: str,
    impl: bool,
    reports: Path | None,
    settings: FirmwareSettings,
    stress: bool,
    fresh: Path | None,
    isolation: IsolationKind,
    private: bool,
    as_json: bool,
) -> None:
    """Score the submission in FOLDER on each of its challenges and write its score cards.

    If the network has no firmware, the card says why and is not ranked; the exit code is 0.
    """
    from harness import score as score_folder
    from harness.card.files import card_path
    from harness.scoring.chosen import challenges_of_folder

    for name in challenges_of_folder(folder, challenge, manifests):
        card = score_folder(
            folder,
            name,
            manifests=manifests,
            results=results,
            is_quick=quick,
            has_firmware=not (quick or no_firmware),
            reports=reports,
            backend=backend,
            has_implementation=impl,
            settings=settings,
            has_stress=stress,
            fresh=fresh,
            isolation=isolation,
            progress=progress(),
        )
        print_card(card, results=results, as_json=as_json, is_private=private)
        if not quick:
            tell(f"score card: {card_path(card, results)}")
