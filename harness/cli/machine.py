"""The command on this machine: doctor."""

from __future__ import annotations

import click

from harness.cli.options import json_option
from harness.cli.output import print_result
from harness.errors import EnvironmentFaultError, Problem


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show what isolation this machine gives, by trying each guard."""
    from harness.sandbox.doctor import probe
    from harness.sandbox.view import isolation_view

    isolation = probe()
    print_result(isolation.guards, isolation_view(isolation), as_json=as_json)
    if not isolation.is_complete:
        broken = [
            Problem(what=f"{tried.claim}: it does not hold: {tried.detail}", where=tried.guard)
            for tried in isolation.guards
            if not tried.is_held
        ]
        raise EnvironmentFaultError(*isolation.problems, *broken)
