"""A board as a table of LaTeX, for a talk or a paper."""

from __future__ import annotations

from harness.board.formats import TERMINAL_SKIPS, columns, figures_text
from harness.board.rows import Board, describe_lead
from harness.card.text import visible
from harness.errors import EnvironmentFaultError, install_extra


def to_latex(board: Board) -> str:
    """Write the rows as a ``tabular`` with the rules of booktabs; pandas escapes every cell.

    Raises
    ------
    EnvironmentFaultError
        jinja2, by which pandas writes LaTeX, is not installed.
    """
    import pandas as pd

    shown = [column for column in columns(board) if column.name not in TERMINAL_SKIPS]
    cells = [[column.text(row) for column in shown] for row in board.rows]
    table = pd.DataFrame(cells, columns=[column.title for column in shown], dtype=object)
    try:
        styled = table.style
    except (ImportError, AttributeError) as error:
        raise EnvironmentFaultError(
            "a table of LaTeX needs jinja2, which is not installed",
            fix=install_extra("leaderboard"),
        ) from error
    body = (
        styled.format(escape="latex")
        .format_index(escape="latex", axis="columns")
        .hide(axis="index")
        .to_latex(hrules=True, column_format="".join("l" if one.is_text else "r" for one in shown))
    )
    said = f"{board.title}, {figures_text(board)}. {describe_lead(board)}"
    notes = [visible(said), r"\usepackage{booktabs}"]
    if not body.isascii():
        notes.append("It has letters and signs beyond ASCII: compile it with LuaLaTeX or XeLaTeX.")
    return "".join(f"% {note}\n" for note in notes) + body
