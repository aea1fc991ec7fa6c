"""The leaderboard: printed, served or written as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.card.text import visible
from harness.cli.options import challenge_option, manifest_option, private_option, results_option
from harness.cli.output import console, print_json, tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.boards import Boards
    from harness.data.manifest import Manifest
    from leaderboard_app.settings import Settings


@click.command()
@results_option
@manifest_option
@challenge_option
@click.option("--json", "forms", flag_value="json", multiple=True, help="Print JSON.")
@click.option("--csv", "forms", flag_value="csv", multiple=True, help="Print CSV.")
@click.option("--markdown", "forms", flag_value="markdown", multiple=True, help="Print Markdown.")
@click.option("--latex", "forms", flag_value="latex", multiple=True, help="Print a LaTeX table.")
@click.option(
    "--details", is_flag=True, help="In JSON and CSV: authors, times of receipt, decisions too."
)
@click.option("--serve", is_flag=True, help="Start the pages.")
@click.option("--port", type=int, default=8501, show_default=True, help="Port of the pages.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines in.",
)
@click.option(
    "--base-path", default="", help="Path below which a reverse proxy shows the pages, as /board."
)
@click.option(
    "--export",
    "site",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a static site into this folder.",
)
@private_option
def leaderboard(
    results: Path,
    manifests: tuple[Path, ...],
    challenge: str | None,
    forms: tuple[str, ...],
    details: bool,
    serve: bool,
    port: int,
    address: str,
    base_path: str,
    site: Path | None,
    private: bool,
) -> None:
    """Print the ranking, serve its pages, or write them as a static site."""
    from harness.board.boards import Boards
    from harness.data.manifest import load_manifest

    if len(set(forms)) > 1:
        raise UsageError(f"one form at a time, not {' and '.join(f'--{form}' for form in forms)}")
    manifest = load_manifest(*manifests)
    default = manifest.default_name
    boards = Boards(results, manifest.challenges, is_private=private, default=default)
    if site is not None:
        _write_site(boards, site)
    elif serve:
        settings = settings_of(results, manifest, is_private=private)
        _serve_pages(settings, port=port, address=address, base_path=base_path)
    else:
        form = forms[0] if forms else None
        _print_board(boards, manifest, challenge, form=form, has_details=details)


def _write_site(boards: Boards, site: Path) -> None:
    from leaderboard_app.static_site import export_site

    pages = export_site(boards, site)
    tell(f"{len(pages)} pages; begin with {site / 'index.html'}")


def _print_board(
    boards: Boards,
    manifest: Manifest,
    challenge: str | None,
    *,
    form: str | None,
    has_details: bool,
) -> None:
    from harness.board import formats, values
    from harness.board.latex import to_latex
    from harness.board.rows import board_of

    snapshot = boards.refresh()
    for file in snapshot.unreadable:
        tell(f"{visible(file.name)} could not be read: {visible(file.reason)}")
    if challenge is None:
        # A final ranking is what everybody looks for.
        challenge = snapshot.by_front[0] if snapshot.final else manifest.default_name
    if challenge not in snapshot.entries:
        if manifest.challenge(challenge).private == "until_open" and not boards.is_private:
            raise UsageError(
                f"{challenge} shows nothing until it is opened",
                fix="for you alone: --private; for everyone: harness ci open",
            )
        raise UsageError(
            f"there is no card of {challenge}",
            where=str(boards.results / challenge),
            fix=f"score a submission: harness score submissions/team_x --challenge {challenge}",
        )
    board = board_of(boards.ranking(snapshot, challenge), has_details=has_details)
    write = {"csv": values.to_csv, "markdown": formats.to_markdown, "latex": to_latex}
    if form == "json":
        print_json(board)
    elif form is not None:
        # A document: its formats make each cell harmless.
        click.echo(write[form](board))
    else:
        console().print(formats.terminal_view(board))


def settings_of(results: Path, manifest: Manifest, *, is_private: bool) -> Settings:
    """Return the settings of the pages' process."""
    from leaderboard_app.settings import Settings

    return Settings(
        results=str(results),
        is_private=is_private,
        challenges=manifest.challenges,
        default_challenge=manifest.default_name,
    )


def _serve_pages(settings: Settings, *, port: int, address: str, base_path: str) -> None:
    from leaderboard_app.serve import check_place, serve, url_of

    check_place(address, port)
    url = url_of(port=port, address=address, base_path=base_path)
    tell(f"the leaderboard: {url} (Ctrl-C ends it)")
    if settings.is_private:
        tell("it shows hidden signals: for the organiser alone")
    serve(settings, port=port, address=address, base_path=base_path)
