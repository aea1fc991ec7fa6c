"""Commands on score cards: show, rescore, verify."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    card_argument,
    cards_argument,
    json_option,
    manifest_option,
    private_option,
    results_option,
)
from harness.cli.output import as_dict, console, print_card, print_json
from harness.errors import IntegrityError, Problem


@click.command()
@cards_argument
@private_option
@json_option
def show(card_paths: tuple[Path, ...], private: bool, as_json: bool) -> None:
    """Print score CARDs, one after the other."""
    from harness.card.files import read_card

    for path in card_paths:
        results = path.absolute().parent.parent.parent
        print_card(read_card(path), results=results, as_json=as_json, is_private=private)


@click.command()
@card_argument
@manifest_option
@click.option("--write", is_flag=True, help="Write a new card beside the old one.")
@results_option
@json_option
def rescore(
    card: Path, manifests: tuple[Path, ...], write: bool, results: Path, as_json: bool
) -> None:
    """Compute the metrics of CARD again from its kept scores; say what changed."""
    from harness.card.files import write_card
    from harness.cli.terminal import changes_view
    from harness.scoring.audit import rescore_card

    rescored = rescore_card(card, manifests=manifests)
    if as_json:
        print_json([as_dict(change) for change in rescored.changes])
    else:
        console().print(changes_view(rescored.changes))
    if write:
        packed = card.with_suffix(".scores.zst").read_bytes()
        path = write_card(rescored.card, results, scores=packed)
        click.echo(f"score card: {path}", err=True)


@click.command()
@cards_argument
@manifest_option
@click.option(
    "--submissions",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("submissions"),
    show_default=True,
    help="Folder of the submissions.",
)
@json_option
def verify(
    card_paths: tuple[Path, ...], manifests: tuple[Path, ...], submissions: Path, as_json: bool
) -> None:
    """Hold CARDs against the submission, data and scores that they were made from."""
    from harness.cli.terminal import findings_view
    from harness.scoring.audit import verify_card

    found = {
        str(path): verify_card(path, submissions=submissions, manifests=manifests)
        for path in card_paths
    }
    if as_json:
        print_json({path: [as_dict(item) for item in items] for path, items in found.items()})
    else:
        for path, items in found.items():
            console().print(findings_view(path, items))
    wrong = [
        Problem(what=f"{item.name} does not match: {item.detail}", where=path)
        for path, items in found.items()
        for item in items
        if item.outcome == "different"
    ]
    if wrong:
        raise IntegrityError(*wrong)
