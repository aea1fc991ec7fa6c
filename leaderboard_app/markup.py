"""Blocks as HTML: every text is escaped here, and directions are kept apart by `bdi`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from harness.card.html import text_html
from leaderboard_app.blocks import Cell, Code, Facts, Links, Note, Picture, Section, Table, Until

# A page with fewer sections needs no table of contents.
_MANY_SECTIONS = 4
# A cell of more letters takes several lines on a phone.
_LONG_TEXT = 30


def block_html(block: Facts | Table | Note | Links | Until | Code) -> str:
    """Write a block that is no chart."""
    match block:
        case Facts():
            return facts_html(block)
        case Table():
            return table_html(block)
        case Note():
            return note_html(block)
        case Links():
            return links_html(block)
        case Until():
            return f"<p class='lb-lead'>{text_html(block.title)}: {time_html(block.when)}</p>"
        case Code():
            return code_html(block)


def facts_html(facts: Facts) -> str:
    """Write names and values as a description list."""
    pairs = "".join(
        f"<div><dt>{text_html(name)}<dd>{text_html(value)}</div>" for name, value in facts.rows
    )
    return f'<dl class="lb-facts">{pairs}</dl>'


def table_html(table: Table) -> str:
    """Write a table; the first cell of each row is its heading."""
    caption = f"<caption>{text_html(table.caption)}</caption>" if table.caption else ""
    head = "".join(f"<th>{text_html(name)}" for name in table.columns)
    body = "".join(_row_html(row) for row in table.rows)
    words = "".join(f" lb-words{i}" for i in sorted(table.words))
    words += "".join(f" lb-long{i}" for i in _long_columns(table))
    return (
        f'<div class="lb-scroll" tabindex="0"><table class="lb-table{words}">{caption}'
        f"<thead><tr>{head}<tbody>{body}</table></div>"
    )


def _long_columns(table: Table) -> list[int]:
    """Return which columns hold a text that takes several lines, and room for some words each.

    `assets/blocks.css` knows those of the first eight columns.
    """
    ranges = range(1, len(table.columns))
    return [
        i for i in ranges if any(len(row[i]) > _LONG_TEXT for row in table.rows if i < len(row))
    ]


def _row_html(row: Sequence[str]) -> str:
    """Write a row; HTML lets the ends of cells and rows go, and a big board has many."""
    first, *rest = row
    cells = "".join(f"<td>{text_html(cell)}" for cell in rest)
    return f"<tr><th>{text_html(first)}{cells}"


def links_html(links: Links) -> str:
    """Write texts that lead to other sites, whose addresses the caller made."""
    items = ", ".join(
        text_html(text)
        if address is None
        else f'<a href="{escape(address)}" rel="noreferrer nofollow" target="_blank">'
        f"{text_html(text)}</a>"
        for text, address in links.items
    )
    return f"<p class='lb-note lb-plain'>{text_html(links.title)}: {items}</p>"


def time_html(when: str) -> str:
    """Write a time in UTC; `assets/clock.js` adds it in the visitor's time zone, and what is left.

    Examples
    --------
    >>> time_html("2026-03-01T18:00:00Z")
    '<time class="lb-until" datetime="2026-03-01T18:00:00Z">2026-03-01 18:00 UTC</time>'
    """
    day, _, hour = when.rstrip("Z").partition("T")
    said = text_html(f"{day} {hour[:5]} UTC")
    return f'<time class="lb-until" datetime="{escape(when)}">{said}</time>'


def anchor_of(title: str) -> str:
    """Return the anchor of a section on its page.

    Examples
    --------
    >>> anchor_of("Rate by pile-up"), anchor_of("")
    ('rate-by-pile-up', '')
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def heading_html(title: str) -> str:
    """Write the heading of a section, with its anchor."""
    return f"<h2 class='lb-h2' id='{escape(anchor_of(title))}'>{text_html(title)}</h2>"


def contents_html(sections: Sequence[Section]) -> str:
    """Write links to the sections of a page; nothing where there are few."""
    titles = [one.title for one in sections if anchor_of(one.title)]
    if len(titles) < _MANY_SECTIONS:
        return ""
    links = "".join(
        f'<li><a href="#{escape(anchor_of(title))}">{text_html(title)}</a>' for title in titles
    )
    return f'<nav class="lb-contents" aria-label="Sections of this page"><ul>{links}</ul></nav>'


def code_html(code: Code) -> str:
    """Write text that is copied as a whole: one press selects all of it."""
    title = text_html(code.title)
    text = "\n".join(text_html(line) for line in code.text.split("\n"))
    return (
        f"<details class='lb-code'><summary>{title}</summary>"
        f'<pre tabindex="0">{text}</pre></details>'
    )


def note_html(note: Note) -> str:
    """Write a paragraph."""
    return f'<p class="lb-note lb-{escape(note.tone)}">{text_html(note.text)}</p>'


@lru_cache(maxsize=1024)
def figures_html(picture: Picture) -> str:
    """Write the figures of a chart as a table that opens on demand."""
    rows = picture.table()
    head = "".join(f"<th>{text_html(title)}" for title in picture.fields.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{text_html(cell_text(cell))}" for cell in row.values())
        for row in rows
    )
    return (
        '<details class="lb-figures"><summary>Figures of this chart</summary>'
        f'<div class="lb-scroll" tabindex="0"><table class="lb-table"><thead><tr>{head}'
        f"<tbody>{body}</table></div></details>"
    )


def cell_text(cell: Cell) -> str:
    """Write one figure of a chart's table."""
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else f"{cell:.6g}"
