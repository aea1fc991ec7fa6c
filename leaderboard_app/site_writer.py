"""What every page of the static site is written with: its frame, its sections, its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from harness import __version__
from harness.board.boards import Boards
from harness.board.rows import Board
from harness.board.trigger_reports import NamedReport
from harness.card.text import visible
from leaderboard_app.blocks import Block, Picture, Section
from leaderboard_app.markup import block_html, heading_html
from leaderboard_app.packing import Shared, figure_data, reused
from leaderboard_app.views.answers import TITLE as ANSWERS_TITLE
from leaderboard_app.views.guide import TITLE as GUIDE_TITLE
from leaderboard_app.views.status import TITLE as STATUS_TITLE
from leaderboard_app.views.trigger_reports import (
    AFTER_TITLE,
    WATCH_TITLE,
    cluster_reports,
    watch_reports,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ASSETS = Path(__file__).parent / "assets"
ANSWERS = "answers.html"
TAKE_PART = "take-part.html"
AFTER_PAGE, WATCH_PAGE = "after-the-trigger.html", "watch.html"
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' 'unsafe-inline' file:; "
    "img-src 'self' data: file:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Writer:
    """What all pages of one site share."""

    folder: Path
    templates: Environment
    specs: Shared
    data: Shared
    boards: Boards
    described: frozenset[str] = frozenset()
    reports: Mapping[str, Sequence[NamedReport]] = field(default_factory=dict)


def templates() -> Environment:
    """Open the templates of the pages, which escape whatever is put into them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(ASSETS / "site"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(writer: Writer, template: str, place: Path, board: Board, **content: object) -> Path:
    """Fill a template and write it at `place`, a path below the site's folder."""
    here = place.as_posix()
    root = "../" * (len(place.parts) - 1)
    nav = [
        ("Ranking", f"{board.challenge}/index.html" if len(place.parts) > 1 else "index.html"),
        ("Trade-off", f"{board.challenge}/trade-off.html"),
        *_compare_link(board),
    ]
    if board.challenge in writer.described:
        nav.append(("Data", f"{board.challenge}/data.html"))
    reports = writer.reports.get(board.challenge, ())
    if cluster_reports(reports):
        nav.append((AFTER_TITLE, f"{board.challenge}/{AFTER_PAGE}"))
    if watch_reports(reports):
        nav.append((WATCH_TITLE, f"{board.challenge}/{WATCH_PAGE}"))
    nav += [
        (STATUS_TITLE, f"{board.challenge}/status.html"),
        (ANSWERS_TITLE, ANSWERS),
        (GUIDE_TITLE, TAKE_PART),
    ]
    text = writer.templates.get_template(template).render(
        policy=POLICY,
        root=root,
        here=here,
        nav=nav,
        challenge=board.challenge,
        version=__version__,
        **content,
    )
    write_text(writer.folder / place, text)
    return writer.folder / place


def _compare_link(board: Board) -> list[tuple[str, str]]:
    """Return the page that compares the leading entry with others, if there is any entry."""
    return [("Compare", f"{board.challenge}/compare/{row.team}.html") for row in board.rows[:1]]


def section_of(writer: Writer, section: Section, data: list[JsonValue]) -> Mapping[str, object]:
    """Make what the template of sections shows; the data of charts are added to `data`."""
    return {
        "heading": safe(heading_html(section.title) if section.title else ""),
        "lead": visible(section.lead),
        "is_wide": section.columns > 1,
        "blocks": [drawn_block(writer, block, data) for block in section.blocks],
    }


def drawn_block(writer: Writer, block: Block, data: list[JsonValue]) -> Markup:
    """Write a block; of a chart its place, and its data are added to `data`."""
    if not isinstance(block, Picture):
        return safe(block_html(block))
    html = figure_html(len(data))
    data.append(reused(writer.data, figure_data(writer.specs, writer.data, block)))
    return html


def figure_html(number: int, *, choice: str = "") -> Markup:
    """Write the place of a chart; its words come with its figures."""
    from markupsafe import Markup

    chosen = Markup(' data-choice="{}"').format(choice) if choice else ""
    return Markup('<figure data-figure="{}"{}></figure>').format(number, chosen)


def in_script(packed: str) -> Markup:
    """Mark packed data as they are in a script element: only its end would mean something."""
    from markupsafe import Markup

    if "</" in packed or "<!" in packed:
        # As rare as it may be: space, which base85 has not, parts the two signs.
        packed = packed.replace("</", "< /").replace("<!", "< !")
    return Markup(packed)  # noqa: S704 - see above


def safe(html: str) -> Markup:
    """Mark text that was escaped already."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704 - from `markup`, which escapes


def write_text(path: Path, text: str, *, newline: str = "\n") -> None:
    """Write a file of the site, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline=newline)
