"""Where commands print: results on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from harness.card.text import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
    from rich.segment import Segment

    from harness.card.records import ScoreCard
    from harness.errors import HarnessError


def console(*, is_error: bool = False) -> Console:
    """Return a console as wide as its terminal, or wide enough for a card."""
    from rich.console import Console

    found = Console(stderr=is_error, highlight=False)
    if not found.is_terminal:
        # A card is a table: a pipe or a log file has no width of its own.
        found = Console(stderr=is_error, highlight=False, width=120)
    found.push_render_hook(cast("RenderHook", _Harmless()))
    return found


class _Harmless:
    """Takes out of all that a console prints what others could have put there to steer it."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is to be printed."""
        return [_Cleaned(one) for one in renderables]


@dataclass(frozen=True, slots=True)
class _Cleaned:
    """What is drawn as it was, with its text made harmless; its colours are the console's own."""

    drawn: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.drawn, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))


def progress() -> Callable[[str], None]:
    """Return a function that prints one line of progress to standard error."""
    return tell


def tell(text: str, *, is_error: bool = True) -> None:
    """Print text to standard error, or output: harmless, whoever wrote it."""
    click.echo(plain(text), err=is_error)


def print_result(value: object, view: RenderableType, *, as_json: bool) -> None:
    """Print a result as JSON, or as its view draws it."""
    if as_json:
        print_json(value)
    else:
        console().print(view)


def print_json(value: object) -> None:
    """Print a document, a dataclass or plain values as JSON; paths and the like as text."""
    import json

    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        click.echo(value.model_dump_json(indent=1, ensure_ascii=True))
    else:
        click.echo(json.dumps(value, indent=1, default=_plain_value))


def _plain_value(value: object) -> object:
    import dataclasses

    from pydantic import BaseModel

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def print_card(card: ScoreCard, *, results: Path, as_json: bool, is_private: bool) -> None:
    """Print a card as tables or as JSON; without hidden signals that are not opened.

    Parameters
    ----------
    results : Path
        Where the organiser's decisions on the card's challenge lie.
    is_private : bool
        Whether hidden signals are printed too.
    """
    from rich.console import Group

    from harness.board.public import hidden_signals, public_part
    from harness.board.reveal import revealed_signals
    from harness.board.view import standing_view
    from harness.card.view import card_view

    hidden = hidden_signals(card.challenge)
    if hidden and not is_private:
        revealed = revealed_signals(results, card.challenge.name)
        card = public_part(card, revealed)
        n_hidden = len(hidden - revealed)
        if n_hidden:
            tell(f"{n_hidden} hidden: --private shows them, to the organiser")
    print_result(card, Group(card_view(card), standing_view(card)), as_json=as_json)


def print_error(error: HarnessError, console: Console) -> None:
    """Print every problem of `error`: what, where, what was expected, what to do."""
    from rich.text import Text

    for problem in error.problems:
        head = f"{problem.where}: {problem.what}" if problem.where else problem.what
        console.print(Text.assemble(("error: ", "bold red"), head), soft_wrap=True)
        for label, text in (("expected", problem.expected), ("to do", problem.fix)):
            if text:
                console.print(Text.assemble((f"  {label}: ", "bold"), text), soft_wrap=True)
