"""The end of a hackathon: the hidden signals are opened, and the final ranking is there.

The organiser's whole cards are copied beside the public ones, below ``opened/``; nothing is scored.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.board.decisions import FILE_NAME, Decisions, read_decisions
from harness.board.index import CardIndex
from harness.board.ranking import Entry
from harness.card.files import CARD_SUFFIX
from harness.ci.history import BoardFolder
from harness.errors import Problem, UsageError
from harness.files import write_json


def open_cards(private: Path, board: BoardFolder, challenge: str) -> tuple[Entry, ...]:
    """Copy the private cards of a challenge to the board, with the decisions on its public ones.

    Parameters
    ----------
    private : Path
        The organiser's results.
    board : BoardFolder
        Receives ``opened/<challenge>/``.

    Returns
    -------
    tuple of Entry
        The whole cards.

    Raises
    ------
    UsageError
        There is no private card of this challenge.
    """
    entries = CardIndex(private, is_private=True).refresh().entries.get(challenge, ())
    if not entries:
        raise UsageError(
            Problem(
                what=f"there is no private card of {challenge}",
                expected="results that `harness ci publish` wrote",
                fix="name them with --private-results, and the challenge with --challenge",
            )
        )
    for entry in entries:
        name = f"{entry.key}{CARD_SUFFIX}"
        target = board.opened / challenge / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(private / challenge / name, target)
    made = _translated(read_decisions(board.results, challenge), entries)
    if made.decisions:
        write_json(board.opened / challenge / FILE_NAME, made)
    return entries


def _translated(made: Decisions, entries: tuple[Entry, ...]) -> Decisions:
    """Turn decisions on public parts of cards into decisions on the whole cards.

    Both have the team and the second of the scoring in their names; the short hash differs.
    """
    whole = {_moment(entry.key): entry.key for entry in entries}
    return Decisions(
        decisions=tuple(
            one
            if one.card is None
            else one.model_copy(update={"card": whole.get(_moment(one.card), one.card)})
            for one in made.decisions
        )
    )


def _moment(key: str) -> str:
    return key.rpartition("-")[0]
