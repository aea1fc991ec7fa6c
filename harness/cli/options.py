"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.complete import card_names, challenge_names, team_folders
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.firmware.backend import FirmwareSettings

FC = TypeVar("FC", bound=Callable[..., object])

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

# The environment variable is as good as the option, in each command.
_CHALLENGE_VARIABLE = "HARNESS_CHALLENGE"
challenge_option = click.option(
    "--challenge",
    envvar=_CHALLENGE_VARIABLE,
    shell_complete=challenge_names,
    help="Which challenge. [default: `default_challenge` of the manifest, or else sample]",
)
declared_option = click.option(
    "--challenge",
    envvar=_CHALLENGE_VARIABLE,
    shell_complete=challenge_names,
    help="Challenge to score on. [default: `challenges` of each submission.yaml]",
)
challenge_argument = click.argument(
    "challenge",
    required=False,
    envvar=_CHALLENGE_VARIABLE,
    shell_complete=challenge_names,
    metavar="[CHALLENGE]",
)
manifest_option = click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=FILE,
    help="A data manifest of your own, beside the shipped one; may be given again.",
)
results_option = click.option(
    "--results",
    type=FOLDER,
    default=Path("results"),
    show_default=True,
    help="Folder of the score cards.",
)
private_option = click.option(
    "--private", is_flag=True, help="Show hidden signals: for the organiser only."
)
plots_option = click.option("--plots", type=FOLDER, help="Write pictures.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
folder_argument = click.argument(
    "folder", type=click.Path(path_type=Path), shell_complete=team_folders
)
cards_argument = click.argument(
    "card_paths", metavar="CARD...", nargs=-1, required=True, type=FILE, shell_complete=card_names
)
reports_option = click.option(
    "--from-reports",
    "reports",
    type=FOLDER,
    help="A vendor's reports of this network, in place of the timing and resources made here.",
)


_BACKEND = (
    click.option(
        "--backend",
        default="rtl",
        show_default=True,
        envvar="HARNESS_BACKEND",
        help="What makes the firmware: rtl, estimate, vitis, vivado.",
    ),
    click.option("--impl", is_flag=True, help="Place and route as well (vitis, vivado)."),
)


def backend_options(command: FC) -> FC:
    """Add the options that choose what makes the firmware: `backend` and `impl`."""
    for option in reversed(_BACKEND):
        command = option(command)
    return command


def submissions_option(what: str = "Folder of the submissions.") -> Callable[[FC], FC]:
    """Return the option that names the folder of the submissions."""
    return click.option(
        "--submissions", type=FOLDER, default=Path("submissions"), show_default=True, help=what
    )


def unsafe_option(what: str = "Run without a sandbox: your own code only.") -> Callable[[FC], FC]:
    """Return the option that gives up the sandbox; the command gets `isolation`."""
    return click.option(
        "--unsafe",
        "isolation",
        is_flag=True,
        callback=lambda _context, _option, is_set: "none" if is_set else "bwrap",
        help=what,
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
_DEPTH = (
    click.option(
        "--latency-cycles",
        type=click.IntRange(min=1, max=1_000),
        help="Make the pipeline this deep. [default: as the submission chose, or as deep as the "
        "target's clock needs]",
    ),
    click.option(
        "--smallest-latency",
        "has_latency_search",
        is_flag=True,
        help="Synthesise pipelines of other depths too, and show the smallest latency in ns.",
    ),
)
_LICENCE = click.option(
    "--host-licence",
    "has_host_licence",
    is_flag=True,
    envvar="HARNESS_HOST_LICENCE",
    help="Let the vendor's tool, and no other step, have this machine's name and network, for its "
    "licence (vitis, vivado).",
)


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what firmware may take, how deep its pipeline is, and what it may see.

    The command gets them as `settings`.
    """

    @wraps(command)
    def limited(
        *,
        time_limit_s: float | None,
        memory_gib: float | None,
        max_lut: int | None,
        latency_cycles: int | None,
        has_latency_search: bool,
        has_host_licence: bool,
        **values: object,
    ) -> None:
        settings = replace(
            _firmware_settings(time_limit_s, memory_gib, max_lut),
            latency_cycles=latency_cycles,
            has_latency_search=has_latency_search,
            has_host_licence=has_host_licence,
        )
        command(**values, settings=settings)

    for option in reversed((*_LIMITS, *_DEPTH, _LICENCE)):
        limited = option(limited)
    return limited


def _firmware_settings(
    time_limit_s: float | None, memory_gib: float | None, max_lut: int | None
) -> FirmwareSettings:
    """Return the settings of the firmware, with what the command line says of them."""
    from harness.firmware.backend import FirmwareSettings
    from harness.sandbox.step import GIB

    settings = FirmwareSettings()
    if time_limit_s is not None:
        settings = replace(
            settings,
            trace_wall_s=time_limit_s,
            synthesis_wall_s=time_limit_s,
            simulation_wall_s=time_limit_s,
            vendor_wall_s=time_limit_s,
        )
    if memory_gib is not None:
        limit = int(memory_gib * GIB)
        settings = replace(settings, memory_bytes=limit, vendor_memory_bytes=limit)
    return settings if max_lut is None else replace(settings, max_lut=max_lut)


def pairs_of(option: str, given: Sequence[str], form: str) -> dict[str, str]:
    """Read ``NAME=VALUE``, each name once.

    Raises
    ------
    UsageError
        One is of another form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise UsageError(f"{option} {text!r} is not understood", expected=form)
        if name in found:
            raise UsageError(f"{option} has {name} twice")
        found[name] = value
    return found
