"""The leaderboard: printed, served or written as a static site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.card.text import visible
from harness.cli.options import manifest_option, private_option, results_option
from harness.cli.output import console
from harness.errors import Problem, UsageError

if TYPE_CHECKING:
    from harness.challenge import Challenge
    from leaderboard_app.settings import Settings


@click.command()
@results_option
@manifest_option
@click.option("--challenge", default="sample", show_default=True, help="Whose board.")
@click.option("--json", "forms", flag_value="json", multiple=True, help="Print JSON.")
@click.option("--csv", "forms", flag_value="csv", multiple=True, help="Print CSV.")
@click.option("--markdown", "forms", flag_value="markdown", multiple=True, help="Print Markdown.")
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
    challenge: str,
    forms: tuple[str, ...],
    serve: bool,
    port: int,
    address: str,
    base_path: str,
    site: Path | None,
    private: bool,
) -> None:
    """Print the ranking, serve its pages, or write them as a static site."""
    from harness.board import formats
    from harness.board.decisions import read_decisions, with_decisions
    from harness.board.index import CardIndex
    from harness.board.ranking import contest_of, rank
    from harness.board.rows import board_of
    from harness.data.manifest import load_manifest

    if len(set(forms)) > 1:
        raise UsageError(f"one form at a time, not {' and '.join(f'--{form}' for form in forms)}")
    manifest = load_manifest(*manifests)
    known = {rules.name: rules for rules in manifest.challenges}
    if site is not None:
        pages = write_site(results, known, site, is_private=private)
        click.echo(f"{pages} pages; begin with {site / 'index.html'}", err=True)
        return
    if serve:
        settings = settings_of(results, known, is_private=private)
        _serve_pages(settings, port=port, address=address, base_path=base_path)
        return
    snapshot = CardIndex(results, is_private=private).refresh()
    for file in snapshot.unreadable:
        click.echo(f"{visible(file.name)} could not be read: {visible(file.reason)}", err=True)
    entries = snapshot.entries.get(challenge, ())
    if not entries:
        manifest.challenge(challenge)
        raise UsageError(
            Problem(
                what=f"there is no card of {challenge}",
                where=str(results / challenge),
                fix=f"score a submission: harness score submissions/team_x --challenge {challenge}",
            )
        )
    rules = known.get(challenge)
    if rules and not private:
        rules = without_hidden(rules)
    contest = contest_of(
        entries,
        rules=with_decisions(
            rules.ranking if rules else contest_of(entries).rules,
            read_decisions(results, challenge),
        ),
        target=rules.target if rules else None,
    )
    board = board_of(rank(entries, contest))
    write = {"json": formats.to_json, "csv": formats.to_csv, "markdown": formats.to_markdown}
    if forms:
        click.echo(write[forms[0]](board))
    else:
        console().print(formats.terminal_view(board))


def settings_of(results: Path, known: Mapping[str, Challenge], *, is_private: bool) -> Settings:
    """Return what the pages are told: the manifest's rules with the organiser's decisions.

    What it says to the public names no hidden signal.
    """
    from harness.board.decisions import read_decisions, with_decisions
    from leaderboard_app.settings import ContestRules, Settings

    shown = {name: rules if is_private else without_hidden(rules) for name, rules in known.items()}
    contests = {
        name: ContestRules(
            rules=with_decisions(rules.ranking, read_decisions(results, name)), target=rules.target
        )
        for name, rules in shown.items()
    }
    return Settings(results=str(results), is_private=is_private, contests=contests)


def write_site(
    results: Path, known: Mapping[str, Challenge], site: Path, *, is_private: bool = False
) -> int:
    """Write the static site; return how many pages it has."""
    from leaderboard_app.static_site import export_site

    return len(export_site(settings_of(results, known, is_private=is_private), site))


def without_hidden(challenge: Challenge) -> Challenge:
    """Return a challenge whose rules neither weigh nor name a hidden signal."""
    from harness.board.public import public_rules

    hidden = {file.process for file in challenge.files if file.role == "hidden"}
    return challenge.model_copy(update={"ranking": public_rules(challenge.ranking, hidden)})


def _serve_pages(settings: Settings, *, port: int, address: str, base_path: str) -> None:
    from leaderboard_app.serve import check_place, serve, url_of

    check_place(address, port)
    told = url_of(port=port, address=address, base_path=base_path)
    click.echo(f"the leaderboard: {told} (Ctrl-C ends it)", err=True)
    if settings.is_private:
        click.echo("it shows hidden signals: for the organiser alone", err=True)
    serve(settings, port=port, address=address, base_path=base_path)
