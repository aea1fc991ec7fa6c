"""The command on this machine: doctor."""

from __future__ import annotations

import click

from harness.cli.options import json_option
from harness.cli.output import print_result
from harness.errors import EnvironmentFaultError


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show what isolation this machine gives, by trying each guard."""
    from harness.sandbox.doctor import probe
    from harness.sandbox.view import isolation_view

    isolation = probe()
    print_result(isolation.guards, isolation_view(isolation), as_json=as_json)
    if not isolation.is_complete:
        raise EnvironmentFaultError(*isolation.problems)
