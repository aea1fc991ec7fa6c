"""The end of a hackathon: a private challenge is opened, and the final ranking is there.

The organiser's whole cards are copied beside the public ones, below ``opened/``, and the hidden
signals on them are revealed by a decision, as `harness reveal` does it. Nothing is scored.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.board.decisions import Decision, add_decision, read_decisions
from harness.board.entry import Entry, is_same_scoring
from harness.board.index import CardIndex
from harness.board.reveal import closed_signals, reveal_signals
from harness.card.files import CARD_SUFFIX
from harness.challenge import instant, utc
from harness.ci.history import BoardFolder
from harness.errors import UsageError

_EVER = datetime.min.replace(tzinfo=UTC)


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


def carry_decisions(board: BoardFolder, private: Path | None = None) -> None:
    """Bring the decisions on the opened cards up to date; they only grow.

    The decisions on the public cards, and those in the organiser's own results, apply to the
    opened ones in the order of their times. The hidden signals of opened cards are revealed.

    Parameters
    ----------
    private : Path, optional
        The organiser's results, where they are at hand.
    """
    opened = CardIndex(board.opened, is_private=True).refresh().entries
    shown = CardIndex(board.results, is_private=True).refresh().entries
    for challenge, entries in opened.items():
        made = [
            _on_whole_card(one, shown.get(challenge, ()), entries)
            for one in read_decisions(board.results, challenge).decisions
        ]
        if private is not None:
            made += read_decisions(private, challenge).decisions
        there = read_decisions(board.opened, challenge).decisions
        for one in sorted(made, key=lambda one: instant(one.decided) if one.decided else _EVER):
            if one not in there:
                add_decision(board.opened, challenge, one)
        if closed := closed_signals(board.opened, challenge):
            reveal_signals(
                *(board.opened, challenge, sorted(closed)),
                reason="the private challenge was opened",
                decided=utc(datetime.now(UTC)),
            )


def _on_whole_card(made: Decision, shown: Sequence[Entry], whole: Sequence[Entry]) -> Decision:
    """Turn a decision on the public part of a card into one on the whole card."""
    public = next((entry.card for entry in shown if entry.key == made.card), None)
    if public is None:
        return made
    keys = (entry.key for entry in whole if is_same_scoring(entry.card, public))
    return made.model_copy(update={"card": next(keys, made.card)})
