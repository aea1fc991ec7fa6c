"""The command on this machine: doctor."""

from __future__ import annotations

import click

from harness.cli.options import json_option
from harness.cli.output import as_dict, console, print_json
from harness.errors import EnvironmentFaultError, Problem


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show what isolation this machine gives, by trying each guard."""
    from harness.cli.terminal import isolation_view
    from harness.sandbox.doctor import probe

    isolation = probe()
    if as_json:
        print_json([as_dict(finding) for finding in isolation.findings])
    else:
        console().print(isolation_view(isolation))
    if not isolation.is_complete:
        broken = [
            Problem(
                what=f"{finding.claim}: it does not hold: {finding.detail}", where=finding.guard
            )
            for finding in isolation.findings
            if not finding.is_held
        ]
        raise EnvironmentFaultError(*isolation.problems, *broken)
