"""Commands from a pull request to the board: plan, score, comment, publish, local and more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import challenge_option, json_option, manifest_option, results_option
from harness.cli.output import console, progress
from harness.errors import Problem, UsageError

if TYPE_CHECKING:
    from harness.challenge import Challenge
    from harness.ci.comment import Board
    from harness.ci.documents import Summary
    from harness.ci.intake import Settings

_folder = click.Path(path_type=Path, file_okay=False)
_file = click.Path(path_type=Path, dir_okay=False)
_repository_option = click.option(
    "--repository", type=_folder, default=Path(), show_default=True, help="A clone."
)
_board_option = click.option(
    "--board",
    "board_folder",
    type=_folder,
    default=Path("board"),
    show_default=True,
    help="Folder of the board: results/ and docs/.",
)
_push_option = click.option(
    "--push", is_flag=True, help="Fetch the board's branch first, commit and push it afterwards."
)
_reason_option = click.option("--reason", required=True, help="Why: everybody sees it.")


@dataclass(frozen=True, kw_only=True, slots=True)
class _How:
    """What the options of scoring say."""

    jobs: int
    cluster: str | None
    limit_s: float
    budget_s: float | None
    no_firmware: bool
    force: bool


_SCORING_OPTIONS = (
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
    click.option("--budget-s", type=click.FloatRange(1), help="Seconds for all of them."),
    click.option("--no-firmware", is_flag=True, help="Leave the firmware out: unofficial."),
    click.option("--force", is_flag=True, help="Score what has a card, too."),
)


def _scoring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of how submissions are scored; the command gets them as one, `how`."""

    @wraps(command)
    def gathered(**values: object) -> None:
        own = {field.name: values.pop(field.name) for field in fields(_How)}
        command(**values, how=_How(**own))  # type: ignore[arg-type]

    for option in reversed(_SCORING_OPTIONS):
        gathered = option(gathered)
    return gathered


@click.group()
def ci() -> None:
    """From a pull request to the board, step by step; `harness ci local` plays them all."""


@ci.command()
@_repository_option
@click.option("--base", required=True, help="Where the pull request goes to.")
@click.option("--head", required=True, help="What it brings.")
@click.option("--author", help="Account that opened it; without it owners are not checked.")
@challenge_option
@manifest_option
@click.option("--out", type=_file, help="Write the plan here, too.")
def plan(
    repository: Path,
    base: str,
    head: str,
    author: str | None,
    challenge: str,
    manifests: tuple[Path, ...],
    out: Path | None,
) -> None:
    """Say which submissions a pull request changes, and whether it is scored; JSON."""
    from harness.ci.documents import write_document
    from harness.ci.git import Repository
    from harness.ci.plan import make_plan

    made = make_plan(
        Repository(repository),
        base=base,
        head=head,
        intake=_rules(challenge, manifests).intake,
        author=author or None,
    )
    if out is not None:
        write_document(made, out)
    click.echo(made.model_dump_json(indent=1))
    _exit_refused(made.kind)


@ci.command()
@click.option("--plan", "plan_file", type=_file, help="Score what this plan says.")
@click.option("--all", "is_all", is_flag=True, help="Score every submission of a folder.")
@_repository_option
@click.option(
    "--submissions",
    type=_folder,
    default=Path("submissions"),
    show_default=True,
    help="Folder for --all.",
)
@challenge_option
@manifest_option
@results_option
@click.option("--out", type=_folder, help="Lay summary and cards out here, for the comment.")
@_scoring_options
@json_option
def score(
    plan_file: Path | None,
    is_all: bool,
    repository: Path,
    submissions: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    results: Path,
    out: Path | None,
    as_json: bool,
    how: _How,
) -> None:
    """Score what a plan says, or all; what fails stops no other."""
    from harness.ci.documents import Plan, Summary, read_document
    from harness.ci.git import Repository
    from harness.ci.intake import read_folders, score_handed, score_plan, write_artefact

    if is_all == (plan_file is not None):
        raise UsageError(Problem(what="give either --plan FILE or --all"))
    settings = _settings(challenge, manifests, results, how)
    if plan_file is None:
        scorings = score_handed(read_folders(submissions), settings)
        summary = Summary(challenge=challenge, plan=None, scorings=tuple(scorings))
    else:
        summary = score_plan(Repository(repository), read_document(plan_file, Plan), settings)
    if out is not None:
        write_artefact(summary, results, out)
    _tell(summary, as_json=as_json)


@ci.command()
@click.option(
    "--artefact",
    required=True,
    help="Folder that `harness ci score --out` wrote; with --post the artefact's name.",
)
@challenge_option
@manifest_option
@results_option
@click.option("--out", type=_file, help="Write the comment here, too.")
@click.option("--post", is_flag=True, help="Fetch the artefact of the event's run, and post.")
@click.option("--event", type=_file, envvar="GITHUB_EVENT_PATH", help="The workflow's event.")
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
    challenge: str,
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
    from harness.ci.artefact import read_folder
    from harness.ci.comment import make_comment

    board = _read_board(challenge, manifests, results)
    if post:
        body = _post(board, artefact, event, forge_repository, api)
    else:
        told = read_folder(Path(artefact))
        body = make_comment(told.summary, told.cards, board, remarks=told.remarks)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(body + "\n", encoding="utf-8")
    click.echo(body)


def _post(board: Board, artefact: str, event: Path | None, repository: str | None, api: str) -> str:
    import os

    from harness.ci.announce import announce
    from harness.ci.github import Forge, read_event

    token = os.environ.get("GITHUB_TOKEN")
    if event is None or not repository or not token:
        raise UsageError(
            Problem(
                what="--post needs the event, the repository and a token",
                expected="GITHUB_EVENT_PATH, GITHUB_REPOSITORY and GITHUB_TOKEN, as workflows have",
            )
        )
    forge = Forge(repository=repository, token=token, api=api.rstrip("/"))
    made = announce(forge, read_event(event), board, artefact=artefact)
    place = f" on #{made.number}" if made.number else ""
    click.echo(f"comment {made.outcome}{place}. {made.detail}".strip(), err=True)
    return made.body


@ci.command()
@click.argument("clone", type=_folder, default=Path())
@click.option("--base", help="Where the pull request would go to. [default: the main branch]")
@click.option("--author", help="Your account at the forge, to check the owners with.")
@challenge_option
@manifest_option
@results_option
@click.option(
    "--out",
    type=_folder,
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
    challenge: str,
    manifests: tuple[Path, ...],
    results: Path,
    out: Path,
    as_json: bool,
    how: _How,
) -> None:
    """Play a pull request from this CLONE through, here: plan, score, comment, merge, publish."""
    from harness.ci.comment import readable
    from harness.ci.intake import exit_code_of
    from harness.ci.local import rehearse

    settings = _settings(challenge, manifests, results, how)
    made = rehearse(
        clone,
        out,
        settings,
        base=base,
        author=author,
        export=lambda board: _write_site(results, manifests, board.site),
        read_board=lambda: _read_board(challenge, manifests, results),
    )
    click.echo(made.summary.model_dump_json(indent=1) if as_json else readable(made.comment))
    click.echo(f"the comment: {out / 'comment.md'}", err=True)
    if (out / "board" / "docs" / "index.html").exists():
        click.echo(f"the pages: {out / 'board' / 'docs' / 'index.html'}", err=True)
    sys.exit(exit_code_of(made.summary))


def _rules(challenge: str, manifests: tuple[Path, ...]) -> Challenge:
    from harness.data.manifest import load_manifest

    return load_manifest(*manifests).challenge(challenge)


def _settings(challenge: str, manifests: tuple[Path, ...], results: Path, how: _How) -> Settings:
    from harness.ci.intake import Settings

    return Settings(
        rules=_rules(challenge, manifests),
        manifests=manifests,
        results=results,
        jobs=how.jobs,
        cluster=how.cluster,
        limit_s=how.limit_s,
        budget_s=how.budget_s,
        has_firmware=not how.no_firmware,
        is_forced=how.force,
        progress=progress(),
    )


def _read_board(challenge: str, manifests: tuple[Path, ...], results: Path) -> Board:
    """Read the board that cards are held against, with the organiser's decisions."""
    from harness.board.decisions import read_decisions, with_decisions
    from harness.board.index import CardIndex
    from harness.ci.comment import Board

    rules = _rules(challenge, manifests)
    ranking = with_decisions(rules.ranking, read_decisions(results, challenge))
    entries = CardIndex(results).refresh().entries.get(challenge, ())
    return Board(challenge=rules.model_copy(update={"ranking": ranking}), entries=entries)


def _write_site(results: Path, manifests: tuple[Path, ...], site: Path) -> None:
    from harness.cli.board import write_site
    from harness.data.manifest import load_manifest

    known = {rules.name: rules for rules in load_manifest(*manifests).challenges}
    write_site(results, known, site)


def _tell(summary: Summary, *, as_json: bool) -> None:
    """Print what came of it, and end with the exit code that it calls for."""
    from harness.ci.intake import exit_code_of
    from harness.terminal import scorings_view

    if as_json:
        click.echo(summary.model_dump_json(indent=1))
    else:
        console().print(scorings_view(summary.scorings))
    sys.exit(exit_code_of(summary))


def _exit_refused(kind: str) -> None:
    from harness.errors import ExitCode

    if kind == "refused":
        sys.exit(ExitCode.INVALID)
