"""A board as a table of LaTeX, for a talk or a paper."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from harness.board.added import AddedFigures
from harness.board.formats import (
    TERMINAL_SKIPS,
    Column,
    columns,
    figures_text,
    signal_cell,
    signal_column,
)
from harness.board.rows import Board, BoardRow, MeritCell, RateCell, SignalCell, describe_lead
from harness.card.text import visible
from harness.errors import EnvironmentFaultError, install_extra

# Signs that mean something to LaTeX.
_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{sign: f"\\{sign}" for sign in "$&#%_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
# Signs of the field that every LaTeX has, so that most tables compile with pdfLaTeX.
_OF_THE_FIELD = {
    "→": r"\to",
    "ℓ": r"\ell",
    "±": r"\pm",
    "√": r"\surd",
    "≤": r"\le",
    "≥": r"\ge",
    "γ": r"\gamma",
    "η": r"\eta",
    "μ": r"\mu",
    "µ": r"\mu",
    "ν": r"\nu",
    "π": r"\pi",
    "τ": r"\tau",
    "φ": r"\phi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "Δ": r"\Delta",
    "−": "-",
    "⁰": "^{0}",
    "⁺": "^{+}",
    "⁻": "^{-}",
    "²": "^{2}",
    "³": "^{3}",
}
# A letter with a bar above it, as of an antiparticle, is one part.
_BAR = "\u0304"
_PARTS = re.compile(f"[A-Za-z]{_BAR}|.", re.DOTALL)
_PLAIN = {"–": "--", "…": r"\ldots{}"}
# One error keeps two digits, by the custom of the Particle Data Group; the other at most three.
_DIGITS, _MOST_DIGITS = 2, 3

_Interval = tuple[float, float, float]


def latex_text(text: str) -> str:
    r"""Write text of others for LaTeX: every sign that means something there is escaped.

    Examples
    --------
    >>> print(latex_text("a_b: 5 % of h⁰ → ττ"), latex_text("bb\u0304"))
    a\_b: 5 \% of h$^{0}$ $\to$ $\tau\tau$ b$\bar{b}$
    """
    signs = _SIGNS | _PLAIN | {sign: f"${word}$" for sign, word in _OF_THE_FIELD.items()}
    escaped = "".join(
        rf"$\bar{{{part[0]}}}$" if part[1:] == _BAR else signs.get(part, part)
        for part in _PARTS.findall(visible(text))
    )
    # Neighbours in mathematics are one formula; a dollar of the text is escaped.
    return re.sub(r"(?<!\\)\$\$", "", escaped)


def latex_interval(value: float, lower: float, upper: float) -> str:
    r"""Write a figure with its asymmetric interval.

    Examples
    --------
    >>> latex_interval(0.1359, 0.0912, 0.2011)
    '$0.136^{+0.065}_{-0.045}$'
    >>> latex_interval(0.0, 0.0, 0.0123), latex_interval(13.6, 13.6, 13.6)
    ('$0.000^{+0.012}_{-0.000}$', '$13.6$')
    """
    errors = [error for error in (upper - value, value - lower) if error > 0]
    if not errors:
        return f"${value:.4g}$"
    decimals = min(_decimals(min(errors), _DIGITS), _decimals(max(errors), _MOST_DIGITS))
    up, down = (f"{error:.{decimals}f}" for error in (upper - value, value - lower))
    return f"${value:.{decimals}f}^{{+{up}}}_{{-{down}}}$"


def _decimals(error: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(error)))


def to_latex(board: Board) -> str:
    """Write the rows as a ``tabular`` with the rules of booktabs, merit and signals with intervals.

    Raises
    ------
    EnvironmentFaultError
        jinja2, by which pandas writes LaTeX, is not installed.
    """
    import pandas as pd

    shown = [column for column in columns(board) if column.name not in TERMINAL_SKIPS]
    spans = _spans(board)
    cells = [[_cell(column, row, spans, board) for column in shown] for row in board.rows]
    titles = [_title(column, spans, board) for column in shown]
    table = pd.DataFrame(cells, columns=titles, dtype=object)
    try:
        styled = table.style
    except (ImportError, AttributeError) as error:
        raise EnvironmentFaultError(
            "a table of LaTeX needs jinja2, which is not installed",
            fix=install_extra("leaderboard"),
        ) from error
    form = "".join("l" if one.is_text else "r" for one in shown)
    body = styled.hide(axis="index").to_latex(hrules=True, column_format=form)
    said = f"{board.title}, {figures_text(board)}. {describe_lead(board)}"
    notes = [
        visible(said),
        "Merit, figures of signals and what is added: with their 95 % intervals.",
        r"\usepackage{booktabs}",
    ]
    if not body.isascii():
        notes.append("It has letters and signs beyond ASCII: compile it with LuaLaTeX or XeLaTeX.")
    return "".join(f"% {note}\n" for note in notes) + body


def _spans(board: Board) -> dict[str, Callable[[BoardRow], _Interval | None]]:
    """Return, by the name of its column, how a figure with its interval is read from a row."""
    return {
        "merit": lambda row: _interval(row.merit),
        "added": lambda row: _interval(row.added),
        **{signal_column(board, name): _of_signal(name) for name in board.signals},
    }


def _of_signal(name: str) -> Callable[[BoardRow], _Interval | None]:
    return lambda row: _interval(signal_cell(row, name))


def _interval(cell: object) -> _Interval | None:
    match cell:
        case RateCell():
            return cell.tpr, cell.lower, cell.upper
        case SignalCell():
            return cell.value, cell.lower, cell.upper
        case MeritCell(value=value, lower=float(lower), upper=float(upper)):
            return value, lower, upper
        case AddedFigures(total=value, lower=float(lower), upper=float(upper)):
            return value, lower, upper
    return None


def _is_percent(name: str, board: Board) -> bool:
    return name == "added" or board.ranked_merit.is_share


def _cell(
    column: Column,
    row: BoardRow,
    spans: dict[str, Callable[[BoardRow], _Interval | None]],
    board: Board,
) -> str:
    if column.name not in spans:
        return latex_text(column.text(row))
    is_percent = _is_percent(column.name, board)
    found = spans[column.name](row)
    if found is None:
        text = column.text(row)
        return latex_text(text.removesuffix(" %") if is_percent else text)
    value, lower, upper = (100 * edge if is_percent else edge for edge in found)
    return latex_interval(value, lower, upper)


def _title(
    column: Column, spans: dict[str, Callable[[BoardRow], _Interval | None]], board: Board
) -> str:
    is_percent = column.name in spans and _is_percent(column.name, board)
    return latex_text(f"{column.title} [%]" if is_percent else column.title)
