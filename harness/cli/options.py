"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from harness.firmware.backend import Settings

FC = TypeVar("FC", bound=Callable[..., object])

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
cards_argument = click.argument(
    "card_paths",
    metavar="CARD...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
reports_option = click.option(
    "--from-reports",
    "reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="A vendor's reports of this network, in place of the timing and resources made here.",
)
_POSITIVE = click.FloatRange(min=0, min_open=True)
_LIMITS = (
    click.option(
        "--time-limit",
        "time_limit_s",
        type=_POSITIVE,
        help="Time limit of each tool of the firmware [s].",
    ),
    click.option(
        "--memory-limit",
        "memory_gib",
        type=_POSITIVE,
        help="Memory limit of each step of the firmware [GiB].",
    ),
    click.option(
        "--max-lut",
        type=click.IntRange(min=1),
        help="Do not synthesise what is estimated to take more LUTs.",
    ),
)


def limit_options(command: FC) -> FC:
    """Add the options that limit what firmware may take to make."""
    for option in reversed(_LIMITS):
        command = option(command)
    return command


def firmware_settings(
    time_limit_s: float | None, memory_gib: float | None, max_lut: int | None
) -> Settings:
    """Return the settings of the firmware, with what the command line says of them."""
    from harness.firmware.backend import Settings
    from harness.sandbox.step import GIB

    settings = Settings()
    if time_limit_s is not None:
        settings = replace(
            settings,
            trace_wall_s=time_limit_s,
            synthesis_wall_s=time_limit_s,
            simulation_wall_s=time_limit_s,
        )
    if memory_gib is not None:
        settings = replace(settings, memory_bytes=int(memory_gib * GIB))
    return settings if max_lut is None else replace(settings, max_lut=max_lut)


private_option = click.option(
    "--private", is_flag=True, help="Show hidden signals: for the organiser alone."
)
