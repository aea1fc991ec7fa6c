"""The command that begins a contest: new-hackathon."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import FILE, FOLDER
from harness.cli.output import tell


@click.command("new-hackathon")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--challenge", help="Whose data and limits it begins with. [default: sample, or that of --from]"
)
@click.option("--from", "source", type=FILE, help="A manifest of your own, which is copied.")
@click.option(
    "--package",
    metavar="REQUIREMENT",
    help="What pip installs, as 'harness @ git+https://...@COMMIT'. [default: as this one was]",
)
def new_hackathon(
    folder: Path, challenge: str | None, source: Path | None, package: str | None
) -> None:
    """Write the folder of a contest into DIR: manifest, rules, starter, workflows, scripts.

    DIR must be empty, or not there yet. Its README.md has the commands of the day.
    """
    from harness.ci.hackathon import new_hackathon as write_hackathon
    from harness.ci.requirement import is_local

    made = write_hackathon(folder, challenge=challenge, source=source, package=package)
    tell(f"{made}: read its README.md, then `harness data check` in it", is_error=False)
    if is_local((made / "requirements.txt").read_text(encoding="utf-8")):
        tell(
            "requirements.txt installs harness from a folder of this machine: for other machines, "
            "such as GitHub's, write there an address, or give it by --package"
        )
