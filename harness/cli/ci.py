"""Commands from a pull request to the board: plan, score, comment, publish, local and more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import challenge_option, json_option, manifest_option, results_option
from harness.cli.output import console, print_json, progress
from harness.errors import Problem, UsageError, field_problems

if TYPE_CHECKING:
    from harness.board.boards import Boards
    from harness.board.decisions import Decision
    from harness.challenge import Challenge
    from harness.ci.comment import Rivals
    from harness.ci.documents import Summary
    from harness.ci.git import Repository
    from harness.ci.history import BoardFolder
    from harness.ci.intake import Handed, Settings

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
    from harness.ci.git import Repository
    from harness.ci.plan import make_plan
    from harness.files import write_json

    made = make_plan(
        Repository(repository),
        base=base,
        head=head,
        intake=_rules(challenge, manifests).intake,
        author=_account(author),
    )
    if out is not None:
        write_json(out, made)
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
    from harness.ci.documents import Plan, Summary
    from harness.ci.git import Repository
    from harness.ci.intake import read_folders, score_handed, score_plan, write_artefact
    from harness.files import read_json

    if is_all == (plan_file is not None):
        raise UsageError(Problem(what="give either --plan FILE or --all"))
    settings = _settings(challenge, manifests, results, how)
    if plan_file is None:
        scorings = score_handed(read_folders(submissions), settings)
        summary = Summary(challenge=challenge, plan=None, scorings=tuple(scorings))
    else:
        summary = score_plan(Repository(repository), read_json(plan_file, Plan), settings)
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

    rivals = _read_rivals(challenge, manifests, results)
    if post:
        body = _post(rivals, artefact, event, forge_repository, api)
    else:
        told = read_folder(Path(artefact))
        body = make_comment(told.summary, told.cards, rivals, remarks=told.remarks)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(body + "\n", encoding="utf-8")
    click.echo(body)


def _post(
    rivals: Rivals, artefact: str, event: Path | None, repository: str | None, api: str
) -> str:
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
    made = announce(forge, read_event(event), rivals, artefact=artefact)
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
        author=_account(author),
        export=lambda board: _write_site(_boards(results, manifests), board.site),
        read_rivals=lambda: _read_rivals(challenge, manifests, results),
    )
    click.echo(made.summary.model_dump_json(indent=1) if as_json else readable(made.comment))
    click.echo(f"the comment: {out / 'comment.md'}", err=True)
    if (out / "board" / "docs" / "index.html").exists():
        click.echo(f"the pages: {out / 'board' / 'docs' / 'index.html'}", err=True)
    sys.exit(exit_code_of(made.summary))


@ci.command()
@_repository_option
@click.option("--commit", default="HEAD", show_default=True, help="Of the main branch.")
@_board_option
@_push_option
@challenge_option
@manifest_option
@click.option(
    "--private-manifest",
    envvar="HARNESS_PRIVATE_MANIFEST",
    metavar="LOCATION",
    help="Manifest of the private challenge, its data beside it: a path, or an fsspec address.",
)
@click.option("--private-challenge", help="Which one of it.")
@click.option(
    "--private-results",
    envvar="HARNESS_PRIVATE_RESULTS",
    metavar="LOCATION",
    help="Where the organiser's whole cards are kept: a path, or an fsspec address.",
)
@_scoring_options
@json_option
def publish(
    repository: Path,
    commit: str,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    private_manifest: str | None,
    private_challenge: str | None,
    private_results: str | None,
    as_json: bool,
    how: _How,
) -> None:
    """Score what is new on the main branch, write cards, export the pages: what counts."""
    from harness.ci.publish import publish_public, read_branch
    from harness.ci.view import scorings_view

    if bool(private_manifest) != bool(private_results):
        raise UsageError(
            Problem(what="a private challenge takes --private-manifest and --private-results")
        )
    with _board_session(repository, board_folder, manifests, push=push) as (board, clone):
        handed = read_branch(clone, clone.resolve(commit))
        settings = _settings(challenge, manifests, board.results, how)
        summaries = [publish_public(handed, settings)]
        if private_manifest and private_results:
            where = _Private(private_manifest, private_challenge, private_results)
            summaries.append(_publish_private(handed, settings, board, where))
    if as_json:
        print_json([summary.model_dump(mode="json") for summary in summaries])
    else:
        for summary in summaries:
            console().print(f"{summary.challenge}:")
            console().print(scorings_view(summary.scorings))
    sys.exit(_exit_published(summaries))


@dataclass(frozen=True, slots=True)
class _Private:
    """Where the private challenge is."""

    manifest: str
    challenge: str | None
    results: str


def _publish_private(
    handed: Sequence[Handed], settings: Settings, board: BoardFolder, where: _Private
) -> Summary:
    from harness.ci.private import open_contest, open_results
    from harness.ci.publish import publish_private

    with (
        open_contest(where.manifest, where.challenge, None) as contest,
        open_results(where.results) as results,
    ):
        manifests = (*settings.manifests, contest.manifest)
        own = replace(settings, rules=contest.rules, manifests=manifests, results=results)
        return publish_private(handed, own, board)


def _exit_published(summaries: Sequence[Summary]) -> int:
    """Tell a platform that failed; a submission that did is no fault of the board's."""
    from harness.errors import ExitCode

    faults = [one for made in summaries for one in made.scorings if one.is_fault_of_platform]
    return ExitCode.ENVIRONMENT if faults else ExitCode.SCORED


@ci.command("open")
@_repository_option
@_board_option
@_push_option
@click.option("--challenge", required=True, help="The private challenge.")
@manifest_option
@click.option(
    "--private-results",
    envvar="HARNESS_PRIVATE_RESULTS",
    required=True,
    metavar="LOCATION",
    help="Where the organiser's whole cards are kept.",
)
@json_option
def open_ranking(
    repository: Path,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    private_results: str,
    as_json: bool,
) -> None:
    """Open the hidden signals of a private challenge: the final ranking, printed and as pages."""
    from harness.board import formats
    from harness.board.rows import board_of
    from harness.ci.opening import open_cards
    from harness.ci.private import open_results

    with (
        _board_session(repository, board_folder, manifests, push=push) as (board, _),
        open_results(private_results) as private,
    ):
        open_cards(private, board, challenge)
    boards = _boards(board.opened, manifests, is_private=True)
    ranking = board_of(boards.ranking(boards.refresh(), challenge))
    if as_json:
        click.echo(formats.to_json(ranking))
    else:
        console().print(formats.terminal_view(ranking))


@ci.command()
@_repository_option
@_board_option
@_push_option
@challenge_option
@manifest_option
@click.option("--deadline", help="UTC, as 2026-03-01T12:00:00Z. [default: now]")
@_reason_option
def freeze(
    repository: Path,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    deadline: str | None,
    reason: str,
) -> None:
    """Freeze the board: what is received after the deadline does not count."""
    decision = _decision("freeze", reason, deadline=deadline or _now())
    _decide(repository, board_folder, manifests, challenge, decision, push=push)


@ci.command()
@_repository_option
@_board_option
@_push_option
@challenge_option
@manifest_option
@_reason_option
def thaw(
    repository: Path,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    reason: str,
) -> None:
    """Undo a freeze: the manifest's deadline holds again."""
    decision = _decision("thaw", reason)
    _decide(repository, board_folder, manifests, challenge, decision, push=push)


@ci.command()
@click.argument("card")
@_repository_option
@_board_option
@_push_option
@challenge_option
@manifest_option
@_reason_option
@click.option("--undo", is_flag=True, help="Let it count again.")
def retract(
    card: str,
    repository: Path,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    reason: str,
    undo: bool,
) -> None:
    """Take CARD back, named <team>/<file name without .json>; it stays listed, with the reason."""
    decision = _decision("reinstate" if undo else "retract", reason, card=card)
    _decide(repository, board_folder, manifests, challenge, decision, push=push)


@ci.command("rescore-all")
@_repository_option
@click.option("--commit", default="HEAD", show_default=True, help="Whose submissions run again.")
@_board_option
@_push_option
@challenge_option
@manifest_option
@_scoring_options
@json_option
def rescore_all(
    repository: Path,
    commit: str,
    board_folder: Path,
    push: bool,
    challenge: str,
    manifests: tuple[Path, ...],
    as_json: bool,
    how: _How,
) -> None:
    """Make each team's newest card anew after a fix of the harness; old cards stay."""
    from harness.ci.publish import read_branch
    from harness.ci.rescore import rescore_all as rescore
    from harness.ci.view import redone_view
    from harness.errors import ExitCode

    with _board_session(repository, board_folder, manifests, push=push) as (board, clone):
        handed = read_branch(clone, clone.resolve(commit))
        redone = rescore(handed, _settings(challenge, manifests, board.results, how))
    if as_json:
        print_json(redone)
    else:
        console().print(redone_view(redone))
    is_failed = any(one.outcome == "failed" for one in redone)
    sys.exit(ExitCode.ENVIRONMENT if is_failed else ExitCode.SCORED)


@ci.command()
@_repository_option
@_board_option
def fetch_board(repository: Path, board_folder: Path) -> None:
    """Bring the board's branch into a folder, or begin one: what comments compare with."""
    from harness.ci.history import open_board

    board = open_board(_clone(repository), board_folder)
    click.echo(f"the board: {board.folder}", err=True)


def _now() -> str:
    from datetime import UTC, datetime

    from harness.challenge import utc

    return utc(datetime.now(UTC))


def _decision(
    kind: str, reason: str, *, deadline: str | None = None, card: str | None = None
) -> Decision:
    from pydantic import ValidationError

    from harness.board.decisions import Decision

    fields = {"kind": kind, "decided": _now(), "reason": reason, "deadline": deadline, "card": card}
    try:
        return Decision.model_validate(fields)
    except ValidationError as error:
        raise UsageError(*field_problems(error, kind)) from error


def _decide(
    repository: Path,
    board_folder: Path,
    manifests: tuple[Path, ...],
    challenge: str,
    decision: Decision,
    *,
    push: bool,
) -> None:
    """Write a decision down, and make the pages anew."""
    from harness.board.decisions import add_decision
    from harness.board.index import CardIndex

    with _board_session(repository, board_folder, manifests, push=push) as (board, _):
        entries = CardIndex(board.results).refresh().entries.get(challenge, ())
        if decision.card is not None and decision.card not in {entry.key for entry in entries}:
            raise UsageError(
                Problem(
                    what=f"there is no card {decision.card[:120]}",
                    where=str(board.results / challenge),
                    expected="<team>/<file name without .json>, as the pages show it",
                )
            )
        path = add_decision(board.results, challenge, decision)
    click.echo(f"{decision.kind}: {path}", err=True)


def _clone(repository: Path) -> Repository:
    """Return the clone, which shows the workflow's token to its forge and to nobody else."""
    import os

    from harness.ci.git import Repository
    from harness.ci.history import credentials_of

    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    credentials = credentials_of(os.environ.get("GITHUB_TOKEN"), server)
    return Repository(repository, credentials=credentials, has_own_settings=True)


@contextmanager
def _board_session(
    repository: Path, board_folder: Path, manifests: tuple[Path, ...], *, push: bool
) -> Iterator[tuple[BoardFolder, Repository]]:
    """Bring the board, let it be changed, make its pages, commit where git keeps it, and push."""
    from harness.ci.history import BoardFolder, commit_board, open_board, push_board

    clone = _clone(repository)
    board = open_board(clone, board_folder) if push else BoardFolder(board_folder)
    yield board, clone
    _write_pages(board, manifests)
    if board.is_kept and commit_board(board, "Results and pages") and push:
        push_board(board, clone)


def _account(name: str | None) -> str | None:
    from pydantic import TypeAdapter, ValidationError

    from harness.challenge import Account

    if not name:
        return None
    try:
        account: str = TypeAdapter(Account).validate_python(name)
    except ValidationError as error:
        raise UsageError(
            Problem(what=f"{name[:80]!r} is no account", expected="a name without spaces")
        ) from error
    return account


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


def _read_rivals(challenge: str, manifests: tuple[Path, ...], results: Path) -> Rivals:
    """Read the cards that a new one is compared with, and the rules that hold."""
    from harness.board.boards import Boards
    from harness.ci.comment import Rivals

    boards = Boards(results, [_rules(challenge, manifests)])
    snapshot = boards.refresh()
    return Rivals(
        rulebook=boards.rulebook(snapshot, challenge),
        entries=snapshot.entries.get(challenge, ()),
    )


def _write_pages(board: BoardFolder, manifests: tuple[Path, ...]) -> None:
    """Write the pages of a board, and below ``final/`` those of what was opened."""
    from harness.ci.opening import carry_decisions

    carry_decisions(board)
    _write_site(_boards(board.results, manifests), board.site)
    _write_site(_boards(board.opened, manifests, is_private=True), board.site / "final")


def _write_site(boards: Boards, site: Path) -> None:
    """Write the pages of boards; nothing where there is no card."""
    from leaderboard_app.static_site import export_site

    if boards.refresh().entries:
        export_site(boards, site)


def _boards(results: Path, manifests: tuple[Path, ...], *, is_private: bool = False) -> Boards:
    from harness.board.boards import Boards
    from harness.data.manifest import load_manifest

    return Boards(results, load_manifest(*manifests).challenges, is_private=is_private)


def _tell(summary: Summary, *, as_json: bool) -> None:
    """Print what came of it, and end with the exit code that it calls for."""
    from harness.ci.intake import exit_code_of
    from harness.ci.view import scorings_view

    if as_json:
        click.echo(summary.model_dump_json(indent=1))
    else:
        console().print(scorings_view(summary.scorings))
    sys.exit(exit_code_of(summary))


def _exit_refused(kind: str) -> None:
    from harness.errors import ExitCode

    if kind == "refused":
        sys.exit(ExitCode.INVALID)
