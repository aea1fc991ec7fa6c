"""Where commands print: results on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from harness.records import ScoreCard


def console(*, is_error: bool = False) -> Console:
    """Return a console as wide as its terminal, or wide enough for a card."""
    from rich.console import Console

    console = Console(stderr=is_error, highlight=False)
    # A card is a table: a pipe or a log file has no width of its own.
    return console if console.is_terminal else Console(stderr=is_error, highlight=False, width=120)


def progress() -> Callable[[str], None]:
    """Return a function that prints one line of progress to standard error."""
    return lambda line: click.echo(line, err=True)


def print_json(value: object) -> None:
    """Print plain values; paths and the like as text."""
    import json

    click.echo(json.dumps(value, indent=1, default=str))


def as_dict(value: DataclassInstance) -> dict[str, object]:
    """Turn a dataclass into plain values."""
    import dataclasses

    return dataclasses.asdict(value)


def print_card(card: ScoreCard, *, as_json: bool) -> None:
    """Print a card as tables or as JSON."""
    from harness.terminal import card_view

    if as_json:
        click.echo(card.model_dump_json(indent=1))
    else:
        console().print(card_view(card))
