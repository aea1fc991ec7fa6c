"""Commands from a pull request to the board: plan, score, comment, publish, local and more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    FC,
    FILE,
    FOLDER,
    challenge_option,
    json_option,
    manifest_option,
    results_option,
    submissions_option,
)
from harness.cli.output import console, print_json, print_result, progress, tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.decisions import DecisionKind
    from harness.challenge import Challenge
    from harness.ci.intake import ScoringSettings
    from harness.ci.private import PrivatePlace
    from harness.ci.session import BoardWork
    from harness.data.manifest import Manifest

_repository_option = click.option(
    "--repository", type=FOLDER, default=Path(), show_default=True, help="A clone."
)
_board_option = click.option(
    "--board",
    "board_folder",
    type=FOLDER,
    default=Path("board"),
    show_default=True,
    help="Folder of the board: results/ and docs/.",
)
_push_option = click.option(
    "--push", is_flag=True, help="Fetch the board's branch first, commit and push it afterwards."
)
_reason_option = click.option("--reason", required=True, help="Why: everybody sees it.")


def _private_results_option(*, required: bool = False) -> Callable[[FC], FC]:
    return click.option(
        "--private-results",
        envvar="HARNESS_PRIVATE_RESULTS",
        required=required,
        metavar="LOCATION",
        help="Where the organiser's whole cards are kept: a path, or an fsspec address.",
    )


def _private_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what is private; the command gets them as one, `private`."""

    @click.option(
        "--private-manifest",
        envvar="HARNESS_PRIVATE_MANIFEST",
        metavar="LOCATION",
        help="Manifest of the private challenge, its data beside it: a path, or an fsspec address.",
    )
    @click.option("--private-challenge", help="Which one of it.")
    @_private_results_option()
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


def _board_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of work on a board; the command gets them as one, `work`."""

    @_repository_option
    @_board_option
    @_push_option
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


_received_option = click.option(
    "--received",
    metavar="TIME",
    help="When new submissions of a shared folder were received, with its zone. [default: now]",
)

# A repository's variable of this name holds for every submission, whatever it declares.
_declared_option = click.option(
    "--challenge",
    envvar="HARNESS_CHALLENGE",
    help="Data set to score all on. [default: `challenges` of each submission.yaml]",
)

_SCORING_OPTIONS = (
    _declared_option,
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


def _scoring_options(command: Callable[..., None]) -> Callable[..., None]:
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
        rules, declared = _challenges(challenge, manifests)
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


def _challenges(
    stated: str | None, manifests: tuple[Path, ...]
) -> tuple[Challenge, Manifest | None]:
    """Return the challenge for all, or the main one and those that submissions may declare."""
    from harness.data.manifest import load_manifest

    manifest = load_manifest(*manifests)
    return manifest.challenge(stated or "sample"), None if stated else manifest


@click.group()
def ci() -> None:
    """From a pull request to the board, step by step; `harness ci local` plays them all."""


@ci.command()
@_repository_option
@click.option("--base", required=True, help="Where the pull request goes to.")
@click.option("--head", required=True, help="What it brings.")
@click.option("--author", help="Account that opened it; without it owners are not checked.")
@_declared_option
@manifest_option
@click.option("--out", type=FILE, help="Write the plan here, too.")
def plan(
    repository: Path,
    base: str,
    head: str,
    author: str | None,
    challenge: str | None,
    manifests: tuple[Path, ...],
    out: Path | None,
) -> None:
    """Say which submissions a pull request changes, and whether it is scored; JSON."""
    from harness.ci.git import Repository
    from harness.ci.plan import make_plan
    from harness.errors import ExitCode
    from harness.files import write_json

    rules, declared = _challenges(challenge, manifests)
    made = make_plan(
        Repository(repository),
        base=base,
        head=head,
        intake=rules.intake,
        author=author,
        challenges=declared,
    )
    if out is not None:
        write_json(out, made)
    print_json(made)
    sys.exit(ExitCode.INVALID if made.kind == "refused" else ExitCode.SCORED)


@ci.command()
@click.option("--plan", "plan_file", type=FILE, help="Score what this plan says.")
@click.option("--all", "is_all", is_flag=True, help="Score every submission of a folder.")
@_repository_option
@submissions_option("Folder for --all.")
@manifest_option
@results_option
@click.option("--out", type=FOLDER, help="Lay summary and cards out here, for the comment.")
@_received_option
@_scoring_options
@json_option
def score(
    plan_file: Path | None,
    is_all: bool,
    repository: Path,
    submissions: Path,
    out: Path | None,
    received: str | None,
    as_json: bool,
    settings: ScoringSettings,
) -> None:
    """Score what a plan says, or all; what fails stops no other."""
    from harness.ci.documents import Plan
    from harness.ci.git import Repository
    from harness.ci.intake import score_folder, score_plan, write_artefact
    from harness.ci.view import scorings_view
    from harness.files import read_json

    if is_all == (plan_file is not None):
        raise UsageError("give either --plan FILE or --all")
    if received is not None and not is_all:
        raise UsageError("--received goes with --all: a branch says itself when it was received")
    if plan_file is None:
        summary = score_folder(submissions, settings, received=received)
    else:
        summary = score_plan(Repository(repository), read_json(plan_file, Plan), settings)
    if out is not None:
        summary = write_artefact(summary, settings.results, out)
    print_result(summary, scorings_view(summary.scorings), as_json=as_json)
    sys.exit(summary.exit_code)


@ci.command()
@submissions_option("A shared folder.")
@results_option
@_received_option
@json_option
def receive(submissions: Path, results: Path, received: str | None, as_json: bool) -> None:
    """Write down which submissions of a folder are new, and when; nothing is scored.

    Run it often: `harness ci score --all` scores later, and the time of the receipt counts.
    """
    from harness.ci.intake import receive_folder
    from harness.ci.view import receipts_view

    handed = receive_folder(submissions, results, received=received, progress=tell)
    found = {one.team: one.received for one in handed}
    print_result(found, receipts_view(found), as_json=as_json)


@ci.command()
@click.option(
    "--artefact",
    required=True,
    help="Folder that `harness ci score --out` wrote; with --post the artefact's name.",
)
@_declared_option
@manifest_option
@results_option
@click.option("--out", type=FILE, help="Write the comment here, too.")
@click.option("--post", is_flag=True, help="Fetch the artefact of the event's run, and post.")
@click.option("--event", type=FILE, envvar="GITHUB_EVENT_PATH", help="The workflow's event.")
@click.option("--forge-repository", envvar="GITHUB_REPOSITORY", help="owner/name.")
@click.option(
    "--api",
    envvar="GITHUB_API_URL",
    default="https://api.github.com",
    show_default=True,
    help="The forge's API.",
)
def comment(
    artefact: str,
    challenge: str | None,
    manifests: tuple[Path, ...],
    results: Path,
    out: Path | None,
    post: bool,
    event: Path | None,
    forge_repository: str | None,
    api: str,
) -> None:
    """Write the comment of a run; its artefact is read as if an attacker had written it.

    The token for --post is read from the variable GITHUB_TOKEN.
    """
    from harness.ci.announce import post_comment
    from harness.ci.comment import comment_on_folder, read_rivals
    from harness.files import write_whole

    rules, declared = _challenges(challenge, manifests)
    rivals = read_rivals(results, rules, () if declared is None else declared.challenges)
    if post:
        made = post_comment(
            rivals, artefact=artefact, event=event, repository=forge_repository, api=api
        )
        tell(str(made))
        body = made.body
    else:
        body = comment_on_folder(Path(artefact), rivals)
    if out is not None:
        write_whole(out, f"{body}\n".encode())
    tell(body, is_error=False)


@ci.command()
@click.argument("clone", type=FOLDER, default=Path())
@click.option("--base", help="Where the pull request would go to. [default: the main branch]")
@click.option("--author", help="Your account at the forge, to check the owners with.")
@manifest_option
@results_option
@click.option(
    "--out",
    type=FOLDER,
    default=Path("build/ci"),
    show_default=True,
    help="Receives comment.md, the artefact and the pages.",
)
@_scoring_options
@json_option
def local(
    clone: Path,
    base: str | None,
    author: str | None,
    out: Path,
    as_json: bool,
    settings: ScoringSettings,
) -> None:
    """Play a pull request from this CLONE through, here: plan, score, comment, merge, publish."""
    from harness.ci.comment import readable
    from harness.ci.local import rehearse

    made = rehearse(clone, out, settings, base=base, author=author)
    if as_json:
        print_json(made.summary)
    else:
        tell(readable(made.comment), is_error=False)
    tell(f"the comment: {out / 'comment.md'}")
    if made.site is not None:
        tell(f"the pages: {made.site / 'index.html'}")
    sys.exit(made.summary.exit_code)


@ci.command()
@click.option("--commit", default="HEAD", show_default=True, help="Of the main branch.")
@_board_options
@_private_options
@_scoring_options
@click.option("--retry", is_flag=True, help="Try again what was given up: the platform failed.")
@json_option
def publish(
    commit: str,
    private: PrivatePlace | None,
    retry: bool,
    as_json: bool,
    work: BoardWork,
    settings: ScoringSettings,
) -> None:
    """Score what is new on the main branch, write cards, export the pages: what counts."""
    from dataclasses import replace

    from harness.ci.publish import publish, published_exit_code
    from harness.ci.view import summaries_view

    settings = replace(settings, is_retrying=retry)
    summaries = publish(work, commit, settings, private=private)
    print_result(summaries, summaries_view(summaries), as_json=as_json)
    sys.exit(published_exit_code(summaries))


@ci.command("open")
@_board_options
@click.option("--challenge", required=True, help="The private challenge.")
@_private_results_option(required=True)
@json_option
def open_private(work: BoardWork, challenge: str, private_results: str, as_json: bool) -> None:
    """Open a private challenge with its hidden signals: the final ranking, printed and as pages."""
    from harness.board import formats
    from harness.board.rows import board_of
    from harness.ci.organise import open_ranking

    board = board_of(open_ranking(work, challenge, private_results))
    if as_json:
        print_json(board)
    else:
        console().print(formats.terminal_view(board))


@ci.command()
@_board_options
@challenge_option
@click.option(
    "--deadline",
    help="With its zone, as 2026-03-01T12:00:00Z or 2026-03-01T13:00:00+01:00. [default: now]",
)
@_reason_option
def freeze(work: BoardWork, challenge: str, deadline: str | None, reason: str) -> None:
    """Freeze the board: what is received after the deadline does not count."""
    from harness.ci.organise import decide

    path = decide(work, challenge, "freeze", reason=reason, deadline=deadline)
    tell(f"freeze: {path}")


@ci.command()
@_board_options
@challenge_option
@_reason_option
def thaw(work: BoardWork, challenge: str, reason: str) -> None:
    """Undo a freeze: the manifest's deadline holds again."""
    from harness.ci.organise import decide

    tell(f"thaw: {decide(work, challenge, 'thaw', reason=reason)}")


@ci.command()
@click.argument("card")
@_board_options
@challenge_option
@_reason_option
@click.option("--undo", is_flag=True, help="Let it count again.")
def retract(card: str, work: BoardWork, challenge: str, reason: str, undo: bool) -> None:
    """Take CARD back, named <team>/<file name without .json>; it stays listed, with the reason."""
    from harness.ci.organise import decide

    kind: DecisionKind = "reinstate" if undo else "retract"
    tell(f"{kind}: {decide(work, challenge, kind, reason=reason, card=card)}")


@ci.command()
@click.argument("old")
@click.argument("new")
@_board_options
@challenge_option
@_reason_option
@click.option("--same-team", "is_same_team", is_flag=True, help="NEW has cards: it is OLD's team.")
@click.option("--undo", is_flag=True, help="Take this rename back.")
def rename(
    old: str, new: str, work: BoardWork, challenge: str, reason: str, is_same_team: bool, undo: bool
) -> None:
    """Give the team OLD the name NEW on every page; its cards and its history come along.

    A folder that a pull request renames needs no such decision: publishing writes it.
    """
    from harness.ci.organise import decide

    kind: DecisionKind = "unrename" if undo else "rename"
    path = decide(
        *(work, challenge, kind), reason=reason, is_same_team=is_same_team, team=old, to=new
    )
    tell(f"{kind}: {path}")


@ci.command()
@click.argument("team")
@_board_options
@challenge_option
@_reason_option
@click.option("--undo", is_flag=True, help="Let its cards count again.")
def withdraw(team: str, work: BoardWork, challenge: str, reason: str, undo: bool) -> None:
    """Take TEAM out of the ranking; it stays listed, with the reason.

    A folder that a pull request deletes needs no such decision: publishing writes it.
    """
    from harness.ci.organise import decide

    kind: DecisionKind = "readmit" if undo else "withdraw"
    tell(f"{kind}: {decide(work, challenge, kind, reason=reason, team=team)}")


@ci.command()
@click.argument("team")
@_board_options
@challenge_option
@_reason_option
@click.option("--undo", is_flag=True, help="Let its cards count again.")
def disqualify(team: str, work: BoardWork, challenge: str, reason: str, undo: bool) -> None:
    """Disqualify TEAM: no card of it counts, nor one that it hands in later, under any name.

    It stays listed, with the reason. Comments on its pull requests say so, too.
    """
    from harness.ci.organise import decide

    kind: DecisionKind = "requalify" if undo else "disqualify"
    tell(f"{kind}: {decide(work, challenge, kind, reason=reason, team=team)}")


@ci.command("rescore-all")
@click.option("--commit", default="HEAD", show_default=True, help="Whose submissions run again.")
@_board_options
@_private_options
@_scoring_options
@json_option
def rescore_all(
    commit: str,
    private: PrivatePlace | None,
    as_json: bool,
    work: BoardWork,
    settings: ScoringSettings,
) -> None:
    """Make each team's cards again after a fix of the harness; old cards stay."""
    from harness.ci.rescore import redone_exit_code, rescore_board
    from harness.ci.view import redone_view

    redone = rescore_board(work, commit, settings, private=private)
    print_result(redone, redone_view(redone), as_json=as_json)
    sys.exit(redone_exit_code(redone))


@ci.command()
@_repository_option
@_board_option
def fetch_board(repository: Path, board_folder: Path) -> None:
    """Bring the board's branch into a folder, or begin one: what comments compare with."""
    from harness.ci.session import fetch_board

    tell(f"the board: {fetch_board(repository, board_folder).folder}")
