"""Commands on score cards: show, rescore, verify."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import (
    FILE,
    cards_argument,
    json_option,
    manifest_option,
    private_option,
    results_option,
    submissions_option,
)
from harness.cli.output import print_card, print_result, tell
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
@click.argument("card", type=FILE)
@manifest_option
@click.option("--write", is_flag=True, help="Write a new card beside the old one.")
@results_option
@json_option
def rescore(
    card: Path, manifests: tuple[Path, ...], write: bool, results: Path, as_json: bool
) -> None:
    """Compute the metrics of CARD again from its kept scores; say what changed."""
    from harness.card.files import write_card
    from harness.scoring.audit import rescore_card
    from harness.scoring.view import changes_view

    rescored = rescore_card(card, manifests=manifests)
    print_result(rescored.changes, changes_view(rescored.changes), as_json=as_json)
    if write:
        packed = card.with_suffix(".scores.zst").read_bytes()
        path = write_card(rescored.card, results, scores=packed)
        tell(f"score card: {path}")


@click.command()
@cards_argument
@manifest_option
@submissions_option()
@json_option
def verify(
    card_paths: tuple[Path, ...], manifests: tuple[Path, ...], submissions: Path, as_json: bool
) -> None:
    """Compare CARDs with the submission, data and scores that they were made from."""
    from rich.console import Group

    from harness.scoring.audit import verify_card
    from harness.scoring.view import findings_view

    found = {
        str(path): verify_card(path, submissions=submissions, manifests=manifests)
        for path in card_paths
    }
    view = Group(*(findings_view(path, items) for path, items in found.items()))
    print_result(found, view, as_json=as_json)
    wrong = [
        Problem(what=f"{item.name} does not match: {item.detail}", where=path)
        for path, items in found.items()
        for item in items
        if item.outcome == "different"
    ]
    if wrong:
        raise IntegrityError(*wrong)
