"""Commands on scores that harness did not compute: evaluate, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.complete import card_names, challenge_names
from harness.cli.options import FILE, challenge_option, json_option, manifest_option, unsafe_option
from harness.cli.output import print_result

if TYPE_CHECKING:
    from harness.card.run import IsolationKind


@click.command()
@click.argument("scores", type=FILE)
@challenge_option
@manifest_option
@click.option(
    "--against",
    multiple=True,
    type=FILE,
    shell_complete=card_names,
    help="A score card that the scores are compared with; may be given again.",
)
@unsafe_option("Read the file without a sandbox: your own files only.")
@json_option
def evaluate(
    scores: Path,
    *,
    challenge: str,
    manifests: tuple[Path, ...],
    against: tuple[Path, ...],
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Measure what the SCORES in a file are worth: AUC, TPR, intervals; nothing is ranked.

    The file is npy, npz, HDF5, Parquet or CSV with one number for each event of
    harness.data.test_events(challenge), in its order or with ids.
    """
    from harness import evaluate as evaluate_scores
    from harness.scoring.view import evaluation_view

    found = evaluate_scores(
        scores, challenge, against=against, manifests=manifests, isolation=isolation
    )
    print_result(found, evaluation_view(found), as_json=as_json)


@click.command()
@click.argument("first", type=FILE, shell_complete=card_names)
@click.argument("second", type=FILE, shell_complete=card_names)
@click.option(
    "--challenge",
    shell_complete=challenge_names,
    help="For files of scores. [default: that of the card, or sample]",
)
@manifest_option
@unsafe_option("Read files of scores without a sandbox: your own files only.")
@json_option
def compare(
    first: Path,
    second: Path,
    *,
    challenge: str | None,
    manifests: tuple[Path, ...],
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Compare two score cards, or files of scores, over paired replicates of the same events."""
    from harness import compare as compare_scores
    from harness.scoring.view import comparison_view

    found = compare_scores(first, second, challenge, manifests=manifests, isolation=isolation)
    print_result(found, comparison_view(found), as_json=as_json)
