"""Where commands print: results on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from harness.card.records import ScoreCard


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


def print_card(card: ScoreCard, *, results: Path, as_json: bool, is_private: bool) -> None:
    """Print a card as tables or as JSON; without hidden signals that are not opened.

    Parameters
    ----------
    results : Path
        Where the organiser's decisions on the card's challenge lie.
    is_private : bool
        Whether hidden signals are printed too.
    """
    from harness.board.public import hidden_signals, public_part
    from harness.board.reveal import revealed_signals
    from harness.cli.terminal import card_view

    hidden = hidden_signals(card.challenge)
    if hidden and not is_private:
        revealed = revealed_signals(results, card.challenge.name)
        card = public_part(card, revealed)
        n_hidden = len(hidden - revealed)
        if n_hidden:
            click.echo(f"{n_hidden} hidden: --private shows them, to the organiser", err=True)
    if as_json:
        click.echo(card.model_dump_json(indent=1))
    else:
        console().print(card_view(card))
