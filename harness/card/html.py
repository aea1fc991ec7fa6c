"""What is shown as HTML, in a notebook or on a page: text made harmless, tables of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from unicodedata import bidirectional

from harness.card.text import visible

# Hebrew, Arabic and the numbers written among Arabic; what else turns text `visible` takes out.
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def text_html(text: str) -> str:
    """Escape text that anyone may have written; it cannot change the direction of what follows.

    Examples
    --------
    >>> text_html("<b>&")
    '&lt;b&gt;&amp;'
    """
    shown = escape(visible(text))
    return f"<bdi>{shown}</bdi>" if _turns(shown) else shown


def _turns(text: str) -> bool:
    """Whether any of it is written from right to left; of ASCII nothing is."""
    return not text.isascii() and any(bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)


def table_html(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, notes: Iterable[str] = ()
) -> str:
    """Write a table of text that anyone may have written, with a title and notes below it.

    Examples
    --------
    >>> table_html("Rates", ["signal", "TPR"], [["<a>", "1 %"]])[-55:]
    '<tr><td>&lt;a&gt;</td><td>1 %</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{text_html(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{text_html(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    below = "".join(f"<p>{text_html(note)}</p>" for note in notes)
    return (
        f"<p><strong>{text_html(title)}</strong></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )
