"""The end of a hackathon: a private challenge is opened, and the final ranking is there.

The organiser's whole cards are copied beside the public ones, below ``opened/``, and the hidden
signals on them are revealed by a decision, as `harness reveal` does it. Nothing is scored.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.board.decisions import Decision, Decisions, add_decision, read_decisions
from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.board.reveal import closed_signals, reveal_signals
from harness.card.files import CARD_SUFFIX
from harness.challenge import utc
from harness.ci.history import BoardFolder
from harness.errors import UsageError


def open_cards(private: Path, board: BoardFolder, challenge: str) -> None:
    """Copy the private cards of a challenge to the board.

    Parameters
    ----------
    private : Path
        The organiser's results.
    board : BoardFolder
        Receives ``opened/<challenge>/``.

    Raises
    ------
    UsageError
        There is no private card of this challenge.
    """
    entries = CardIndex(private, is_private=True).refresh().entries.get(challenge, ())
    if not entries:
        raise UsageError(
            f"there is no private card of {challenge}",
            expected="results that `harness ci publish` wrote",
            fix="give them by --private-results, and the challenge with --challenge",
        )
    for entry in entries:
        name = f"{entry.key}{CARD_SUFFIX}"
        target = board.opened / challenge / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(private / challenge / name, target)


def carry_decisions(board: BoardFolder) -> None:
    """Bring the decisions on the opened cards up to date; they only grow.

    The hidden signals of opened cards are revealed, and the decisions on the public cards
    apply to the whole ones.
    """
    opened = CardIndex(board.opened, is_private=True).refresh().entries
    for challenge, entries in opened.items():
        if closed := closed_signals(board.opened, challenge):
            reveal_signals(
                *(board.opened, challenge, sorted(closed)),
                reason="the private challenge was opened",
                decided=utc(datetime.now(UTC)),
            )
        there = read_decisions(board.opened, challenge).decisions
        for one in _translated(read_decisions(board.results, challenge), entries):
            if one not in there:
                add_decision(board.opened, challenge, one)


def _translated(made: Decisions, entries: tuple[Entry, ...]) -> Iterator[Decision]:
    """Turn decisions on public parts of cards into decisions on the whole cards.

    Both have the team and the second of the scoring in their names; the short hash differs.
    """
    whole = {_moment(entry.key): entry.key for entry in entries}
    for one in made.decisions:
        card = None if one.card is None else whole.get(_moment(one.card), one.card)
        yield one.model_copy(update={"card": card})


def _moment(key: str) -> str:
    return key.rpartition("-")[0]
