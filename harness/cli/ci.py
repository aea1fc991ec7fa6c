"""Commands from a pull request to the board: plan, score, comment, publish, local and more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.ci_options import (
    board_option,
    board_options,
    challenges_for,
    inbox_option,
    private_options,
    received_option,
    repository_option,
    scoring_options,
)
from harness.cli.options import (
    FILE,
    FOLDER,
    declared_option,
    json_option,
    manifest_option,
    results_option,
    submissions_option,
)
from harness.cli.organise import DECISIONS
from harness.cli.output import print_json, print_result, tell
from harness.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from harness.ci.intake import ScoringSettings
    from harness.ci.private import PrivatePlace
    from harness.ci.session import BoardWork


@click.group()
def ci() -> None:
    """From a pull request to the board, step by step; `harness ci local` plays them all."""


for _decision in DECISIONS:
    ci.add_command(_decision)


@ci.command()
@repository_option
@click.option("--base", required=True, help="Where the pull request goes to.")
@click.option("--head", required=True, help="What it brings.")
@click.option("--author", help="Account that opened it; without it owners are not checked.")
@declared_option
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
    from harness.files import write_json

    rules, declared = challenges_for(challenge, manifests)
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
@repository_option
@click.argument("head")
@click.option("--main", default="main", show_default=True, help="Branch that receives it.")
@click.option("--author", help="Account that pushed it; without it owners are not checked.")
@declared_option
@manifest_option
def accept(
    repository: Path,
    head: str,
    main: str,
    author: str | None,
    challenge: str | None,
    manifests: tuple[Path, ...],
) -> None:
    """Merge HEAD, pushed to a bare remote, into the main branch if it brings submissions alone.

    The hook of a remote runs it; the rules are those of a pull request.
    """
    from harness.ci.accept import accept_branch
    from harness.ci.git import Repository
    from harness.ci.view import plan_view

    rules, declared = challenges_for(challenge, manifests)
    made = accept_branch(
        Repository(repository),
        head,
        intake=rules.intake,
        main=main,
        author=author,
        challenges=declared,
    )
    print_result(made, plan_view(made), as_json=False)
    sys.exit(ExitCode.SCORED if made.kind == "submissions" else ExitCode.INVALID)


@ci.command()
@click.option("--plan", "plan_file", type=FILE, help="Score what this plan says.")
@click.option("--all", "is_all", is_flag=True, help="Score every submission of a folder.")
@repository_option
@submissions_option("Folder for --all.")
@manifest_option
@results_option
@click.option("--out", type=FOLDER, help="Lay summary and cards out here, for the comment.")
@received_option
@scoring_options
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
@received_option
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
@declared_option
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

    rules, declared = challenges_for(challenge, manifests)
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
@scoring_options
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
@board_options
@private_options
@scoring_options
@inbox_option
@click.option("--retry", is_flag=True, help="Try again what was given up: the platform failed.")
@json_option
def publish(
    commit: str,
    private: PrivatePlace | None,
    inbox: Path | None,
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
    summaries = publish(work, commit, settings, private=private, inbox=inbox)
    print_result(summaries, summaries_view(summaries), as_json=as_json)
    sys.exit(published_exit_code(summaries))


@ci.command("rescore-all")
@click.option("--commit", default="HEAD", show_default=True, help="Whose submissions run again.")
@inbox_option
@board_options
@private_options
@scoring_options
@json_option
def rescore_all(
    commit: str,
    private: PrivatePlace | None,
    inbox: Path | None,
    as_json: bool,
    work: BoardWork,
    settings: ScoringSettings,
) -> None:
    """Make each team's cards again after a fix of the harness; old cards stay."""
    from harness.ci.rescore import redone_exit_code, rescore_board
    from harness.ci.view import redone_view

    redone = rescore_board(work, commit, settings, private=private, inbox=inbox)
    print_result(redone, redone_view(redone), as_json=as_json)
    sys.exit(redone_exit_code(redone))


@ci.command()
@repository_option
@board_option
def fetch_board(repository: Path, board_folder: Path) -> None:
    """Bring the board's branch into a folder, or begin one: what comments compare with."""
    from harness.ci.session import fetch_board

    tell(f"the board: {fetch_board(repository, board_folder).folder}")
