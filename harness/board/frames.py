"""Boards and cards as tables of pandas: one row for each entry, plain numbers, harmless text."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from harness.board.boards import Boards
from harness.board.entry import shown_on
from harness.board.index import Snapshot
from harness.board.order import Unranked
from harness.board.rows import Board, board_of, row_of
from harness.board.values import table_values
from harness.card.text import visible
from harness.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Values: TypeAlias = dict[str, str | float | int | bool | None]
_LATER = "a later card of the team counts"


def board_frame(boards: Boards, challenge: str) -> pd.DataFrame:
    """Return the board of one challenge, in its order, as a table of pandas.

    Raises
    ------
    UsageError
        There is no card of it.
    """
    import pandas as pd

    snapshot = boards.refresh()
    if challenge not in snapshot.entries:
        known = ", ".join(sorted(snapshot.entries)) or "none"
        raise UsageError(
            f"there is no card of {challenge}",
            where=str(boards.results),
            expected=f"a challenge that has cards: {known}",
        )
    board = board_of(boards.ranking(snapshot, challenge))
    return pd.DataFrame(_values(board))


def _values(board: Board) -> list[Values]:
    """Return the rows of a board, each figure by the name of its column."""
    header, rows = table_values(board)
    found: list[Values] = []
    for cells in rows:
        named = zip(header, cells, strict=True)
        found.append(
            {name: visible(cell) if isinstance(cell, str) else cell for name, cell in named}
        )
    return found


def cards_frame(boards: Boards) -> pd.DataFrame:
    """Return every card of a results folder as a table of pandas, the oldest first.

    Beside the columns of the board: `challenge`, `is_official`, `counts` (of its team, no later
    card does), AUC with its interval for each signal, and `path`.
    """
    import pandas as pd

    snapshot = boards.refresh()
    found = [row for name in sorted(snapshot.entries) for row in _rows_of(boards, snapshot, name)]
    frame = pd.DataFrame(found)
    if found:
        frame = frame.sort_values(["challenge", "created"], kind="stable", ignore_index=True)
    return frame


def _rows_of(boards: Boards, snapshot: Snapshot, challenge: str) -> list[Values]:
    made = boards.ranking(snapshot, challenge)
    older = tuple(Unranked(entry=one, reasons=(_LATER,)) for one in made.superseded)
    board = board_of(made)
    rows = (*board.rows, *(row_of(one, made, board.shown_point) for one in older))
    entries = [item.entry for item in (*made.listed, *older)]
    found: list[Values] = []
    for entry, values in zip(
        entries, _values(board.model_copy(update={"rows": rows})), strict=True
    ):
        card = entry.card
        about: Values = {
            "challenge": challenge,
            **values,
            "is_official": card.is_official,
            "counts": all(entry is not one.entry for one in older),
        }
        physics = shown_on(card, made.contest.target)
        for name, auc in (physics.auc if physics else {}).items():
            about[f"auc_{name}"] = auc.value
            about[f"auc_{name}_lower"] = auc.interval.lower
            about[f"auc_{name}_upper"] = auc.interval.upper
        path = boards.path_of(challenge, entry)
        found.append({**about, "path": None if path is None else str(path)})
    return found
