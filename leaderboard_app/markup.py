"""Blocks as HTML: every text is escaped here, and directions are kept apart by `bdi`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from harness.board.text import visible
from leaderboard_app.blocks import Cell, Facts, Note, Table


def text_html(text: str) -> str:
    """Escape text that anyone may have written; it can't turn the direction of what follows."""
    return f"<bdi>{escape(visible(text))}</bdi>"


def facts_html(facts: Facts) -> str:
    """Write names and values as a description list."""
    pairs = "".join(
        f"<div><dt>{text_html(name)}</dt><dd>{text_html(value)}</dd></div>"
        for name, value in facts.rows
    )
    return f'<dl class="lb-facts">{pairs}</dl>'


def table_html(table: Table) -> str:
    """Write a table; the first cell of each row is its heading."""
    caption = f"<caption>{text_html(table.caption)}</caption>" if table.caption else ""
    head = "".join(
        f'<th scope="col"{_class(i, table)}>{text_html(name)}</th>'
        for i, name in enumerate(table.columns)
    )
    body = "".join(_row_html(row, table) for row in table.rows)
    return (
        f'<div class="lb-scroll" tabindex="0"><table class="lb-table">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _class(column: int, table: Table) -> str:
    return ' class="lb-words"' if column in table.words else ""


def _row_html(row: Sequence[str], table: Table) -> str:
    first, *rest = row
    cells = "".join(
        f"<td{_class(i, table)}>{text_html(cell)}</td>" for i, cell in enumerate(rest, start=1)
    )
    return f'<tr><th scope="row">{text_html(first)}</th>{cells}</tr>'


def note_html(note: Note) -> str:
    """Write a paragraph."""
    return f'<p class="lb-note lb-{escape(note.tone)}">{text_html(note.text)}</p>'


def cell_text(cell: Cell) -> str:
    """Write one figure of a chart's table."""
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else f"{cell:.6g}"
