"""Options that the commands of `harness ci` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import FC, FOLDER, declared_option, manifest_option
from harness.cli.output import progress

if TYPE_CHECKING:
    from harness.challenge import Challenge
    from harness.ci.session import BoardWork
    from harness.data.manifest import Manifest

repository_option = click.option(
    "--repository", type=FOLDER, default=Path(), show_default=True, help="A clone."
)
board_option = click.option(
    "--board",
    "board_folder",
    type=FOLDER,
    default=Path("board"),
    show_default=True,
    help="Folder of the board: results/ and docs/.",
)
push_option = click.option(
    "--push", is_flag=True, help="Fetch the board's branch first, commit and push it afterwards."
)


def private_results_option(*, required: bool = False) -> Callable[[FC], FC]:
    """Return the option that names the place of the organiser's whole cards."""
    return click.option(
        "--private-results",
        envvar="HARNESS_PRIVATE_RESULTS",
        required=required,
        metavar="LOCATION",
        help="Where the organiser's whole cards are kept: a path, or an fsspec address.",
    )


def private_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what is private; the command gets them as one, `private`."""

    @click.option(
        "--private-manifest",
        envvar="HARNESS_PRIVATE_MANIFEST",
        metavar="LOCATION",
        help="Manifest of the private challenge, its data beside it: a path, or an fsspec address.",
    )
    @click.option("--private-challenge", help="Which one of it.")
    @private_results_option()
    @wraps(command)
    def gathered(
        *,
        private_manifest: str | None,
        private_challenge: str | None,
        private_results: str | None,
        **values: object,
    ) -> None:
        from harness.ci.private import private_place

        private = private_place(private_manifest, private_results, private_challenge)
        command(private=private, **values)

    return gathered


def board_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of work on a board; the command gets them as one, `work`."""

    @repository_option
    @board_option
    @push_option
    @manifest_option
    @wraps(command)
    def gathered(
        *,
        repository: Path,
        board_folder: Path,
        push: bool,
        manifests: tuple[Path, ...],
        **values: object,
    ) -> None:
        from harness.ci.history import BoardFolder
        from harness.ci.session import BoardWork

        work = BoardWork(
            repository=repository,
            board=BoardFolder(board_folder),
            manifests=manifests,
            is_pushed=push,
            tell=progress(),
        )
        command(work=work, **values)

    return gathered


inbox_option = click.option(
    "--inbox", type=FOLDER, help="A shared folder of submissions, in place of the main branch."
)
received_option = click.option(
    "--received",
    metavar="TIME",
    help="When new submissions of a shared folder were received, with its zone. [default: now]",
)

_SCORING_OPTIONS = (
    declared_option,
    click.option(
        "--jobs",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        help="Scorings at one time.",
    ),
    click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler, whose workers score."),
    click.option(
        "--limit-s",
        type=click.FloatRange(1),
        default=3600.0,
        show_default=True,
        help="Seconds that one scoring may take.",
    ),
    click.option(
        "--budget-s",
        type=click.FloatRange(1),
        help="Seconds for the whole run; what is not scored by then waits for the next one.",
    ),
    click.option("--no-firmware", is_flag=True, help="Leave the firmware out: unofficial."),
    click.option("--force", "is_forced", is_flag=True, help="Score what has a card, too."),
)


def scoring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of how submissions are scored; the command gets them as `settings`.

    Cards go to the board that is worked on, or to ``--results``.
    """

    @wraps(command)
    def gathered(
        *,
        challenge: str | None,
        jobs: int,
        cluster: str | None,
        limit_s: float,
        budget_s: float | None,
        no_firmware: bool,
        is_forced: bool,
        work: BoardWork | None = None,
        manifests: tuple[Path, ...] = (),
        results: Path = Path("results"),
        **values: object,
    ) -> None:
        import time

        from harness.ci.intake import ScoringSettings

        if work is not None:
            manifests, results = tuple(work.manifests), work.board.results
            values["work"] = work
        rules, declared = challenges_for(challenge, manifests)
        settings = ScoringSettings(
            rules=rules,
            declared=declared,
            manifests=manifests,
            results=results,
            jobs=jobs,
            cluster=cluster,
            limit_s=limit_s,
            deadline=None if budget_s is None else time.time() + budget_s,
            has_firmware=not no_firmware,
            is_forced=is_forced,
            progress=progress(),
        )
        command(settings=settings, **values)

    for option in reversed(_SCORING_OPTIONS):
        gathered = option(gathered)
    return gathered


def challenges_for(
    stated: str | None, manifests: tuple[Path, ...]
) -> tuple[Challenge, Manifest | None]:
    """Return the challenge for all, or the main one and those that submissions may declare."""
    from harness.data.manifest import load_manifest

    manifest = load_manifest(*manifests)
    return manifest.challenge(stated), None if stated else manifest
