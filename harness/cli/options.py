"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

challenge_option = click.option(
    "--challenge", default="sample", show_default=True, help="Data set to score on."
)
manifest_option = click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A data manifest of your own, beside the shipped one; may be given again.",
)
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of the score cards.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
folder_argument = click.argument("folder", type=click.Path(path_type=Path))
card_argument = click.argument("card", type=click.Path(path_type=Path, dir_okay=False))
