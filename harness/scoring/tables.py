"""The cards and boards of a results folder as tables of pandas, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from harness.board.boards import Boards
from harness.board.frames import board_frame, cards_frame
from harness.data.manifest import load_manifest
from harness.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def cards(
    results: str | PathLike[str] = "results",
    *,
    manifests: Sequence[str | PathLike[str]] = (),
    is_private: bool = False,
) -> pd.DataFrame:
    """Return one row for each card below `results`, those that no longer count too.

    Parameters
    ----------
    results : path
        Folder of the score cards.
    manifests : sequence of path
        Manifests beside the shipped one.
    is_private : bool
        Show hidden signals: for the organiser only.

    Returns
    -------
    pandas.DataFrame
        Rates and AUCs are numbers between 0 and 1, times are in ns; NaN or None where a figure was
        not measured. Empty if there is no card.

    Raises
    ------
    UsageError
        There is no such folder.
    DataError
        The organiser's decisions cannot be read.
    """
    if not Path(results).is_dir():
        raise UsageError(
            "no such folder",
            where=str(results),
            expected="the folder into which `harness score` writes its cards",
            fix="give its path, as harness.cards('my_clone/results')",
        )
    return cards_frame(_boards(results, manifests, is_private=is_private))


def leaderboard(
    challenge: str = "sample",
    results: str | PathLike[str] = "results",
    *,
    manifests: Sequence[str | PathLike[str]] = (),
    is_private: bool = False,
) -> pd.DataFrame:
    """Return the board of a challenge: one row for each team, in the order of the ranks.

    Parameters
    ----------
    challenge : str
        Its name.
    results, manifests, is_private
        As for `cards`.

    Returns
    -------
    pandas.DataFrame
        The columns of ``harness leaderboard --csv``; `rank` is missing where an entry is not
        ranked, and `reasons` says why.

    Raises
    ------
    UsageError
        There is no card of the challenge.
    DataError
        The organiser's decisions cannot be read.
    """
    return board_frame(_boards(results, manifests, is_private=is_private), challenge)


def _boards(
    results: str | PathLike[str], manifests: Sequence[str | PathLike[str]], *, is_private: bool
) -> Boards:
    known = load_manifest(*map(Path, manifests)).challenges
    return Boards(Path(results), known, is_private=is_private)
