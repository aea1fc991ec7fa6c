"""How blocks are put on a page of the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import streamlit as st

from harness.board.contest import Contest, final_title
from harness.board.index import Snapshot
from harness.board.rows import Board, working_points
from harness.board.rows import synthetic_note as note_on_synthetic
from harness.board.trigger_reports import NamedReport
from harness.card.html import text_html
from harness.card.run import ScoredChallenge
from harness.card.text import visible
from harness.challenge import fpr_text, input_rate_khz, point_text
from harness.errors import DataError
from leaderboard_app.address import carried, choose
from leaderboard_app.blocks import Block, Code, Note, Picture, Section, Table
from leaderboard_app.charts.printing import to_pdf, to_png, to_svg
from leaderboard_app.markup import block_html, figures_html, heading_html, note_html, table_html
from leaderboard_app.state import Shelf, shelf

T = TypeVar("T")

PAGES = Path(__file__).parent / "app_pages"
LINKS = {
    "ranking": "Ranking",
    "trade_off": "Trade-off",
    "submission": "Submission",
    "compare": "Compare",
    "data": "Data",
    "after_trigger": "After the trigger",
    "watch": "Detector watch",
    "status": "Status",
    "answers": "Black boxes",
    "take_part": "How to take part",
}


def begin(title: str) -> None:
    """Set up a page: the links to the others, and its title."""
    with st.container(horizontal=True, gap="small", key="pages"):
        for name, label in LINKS.items():
            st.page_link(PAGES / f"{name}.py", label=label, query_params=carried())
    st.title(title, anchor=False)


def watch(shelf: Shelf, snapshot: Snapshot) -> None:
    """Look for new cards while the page is open, and show them when they come."""

    @st.fragment(run_every=shelf.settings.refresh_s)
    def look() -> None:
        if shelf.snapshot().version != snapshot.version:
            st.rerun(scope="app")

    look()


def choose_challenge(snapshot: Snapshot) -> str | None:
    """Let the visitor choose a challenge; None where there is nothing to rank, which it says."""
    names = snapshot.by_front
    if not names:
        st.info("No score card yet. Score a submission and this page shows it within seconds:")
        st.code("harness score submissions/team_x", language="bash")
        show_unreadable(snapshot)
        return None
    chosen = choose_of(snapshot, names)
    if isinstance(snapshot.decisions.get(chosen), DataError):
        st.error("The organiser's decisions cannot be read, so nothing is ranked.")
        show_unreadable(snapshot)
        return None
    return chosen


def choose_of(
    snapshot: Snapshot, names: Sequence[str], *, width: int | Literal["stretch"] = "stretch"
) -> str:
    """Let the visitor choose one of these challenges, by its title where a card or summary has it.

    Parameters
    ----------
    width : int or str
        Of the box, in pixels.
    """
    titles = titles_of(snapshot)
    return choose(
        "Challenge",
        names,
        key="challenge",
        label_of=lambda name: f"{visible(titles.get(name, name))} ({name})",
        width=width,
    )


def titles_of(snapshot: Snapshot) -> dict[str, str]:
    """Return the titles of the challenges that have a card or a summary."""
    titles = {name: summary.title for name, summary in snapshot.summaries.items()}
    titles |= {name: cards[-1].card.challenge.title for name, cards in snapshot.entries.items()}
    return titles | {name: final_title(titles[name]) for name in snapshot.final}


def choose_point(snapshot: Snapshot, challenge: str, contest: Contest) -> float:
    """Let the visitor choose the rate at which efficiencies are shown, where these are ranked."""
    default = contest.working_point
    if not contest.merit.at_working_point:
        return default
    merit = contest.merit
    points = {fpr_text(point): point for point in working_points(snapshot.entries[challenge])}
    points.setdefault(fpr_text(default), default)
    chosen = choose(
        "False positive rate" if input_rate_khz(merit) is None else "Rate of the trigger",
        list(points),
        key="fpr",
        default=fpr_text(default),
        label_of=lambda name: point_text(merit, points[name]).removeprefix("FPR "),
    )
    return points[chosen]


def synthetic_note(shown: Board | ScoredChallenge) -> None:
    """Say that the events are synthetic."""
    text = note_on_synthetic(is_of_collisions=shown.is_of_collisions)
    st.html(note_html(Note(text=text, tone="warn")))


def show_reports(
    title: str,
    reports_of: Callable[[Sequence[NamedReport]], list[tuple[str, T]]],
    lay_out: Callable[[Sequence[tuple[str, T]]], list[Section]],
    *,
    command: str,
    key: str,
) -> None:
    """Show the reports of one kind of a challenge, or how one is made where there is none."""
    shown = shelf()
    snapshot = shown.snapshot()
    begin(title)
    every = {name: reports_of(some) for name, some in snapshot.reports.items()}
    with_some = [name for name, some in every.items() if some]
    names = list(dict.fromkeys([*with_some, *snapshot.by_front]))
    challenge = choose_of(snapshot, names, width=420) if names else None
    found = every.get(challenge, []) if challenge is not None else []
    if found:
        show_sections(lay_out(found), key=key)
    else:
        st.info("No such report of this challenge yet. This command puts one beside the cards:")
        st.code(command, language="bash")
    show_unreadable(snapshot)
    watch(shown, snapshot)


def show_unreadable(snapshot: Snapshot) -> None:
    """List files that are no cards, with the reason."""
    if not snapshot.unreadable:
        return
    n = len(snapshot.unreadable)
    with st.expander(f"{n} file{'s' if n > 1 else ''} could not be read"):
        rows = [[one.name, one.reason] for one in snapshot.unreadable]
        st.html(table_html(Table(columns=("File", "Reason"), rows=rows, words=frozenset({1}))))


def show_sections(sections: Sequence[Section], *, key: str) -> None:
    """Put sections on the page."""
    for i, section in enumerate(sections):
        head = ""
        if section.title:
            head += heading_html(section.title)
        if section.lead:
            head += f"<p class='lb-lead'>{text_html(section.lead)}</p>"
        if section.columns == 1:
            _show_stacked(section.blocks, head, key=f"{key}-{i}")
            continue
        if head:
            st.html(head)
        _show_side_by_side(section, key=f"{key}-{i}")


def _show_side_by_side(section: Section, *, key: str) -> None:
    for start in range(0, len(section.blocks), section.columns):
        columns = st.columns(section.columns, gap="medium")
        row = section.blocks[start : start + section.columns]
        for i, (column, block) in enumerate(zip(columns, row, strict=False)):
            with column:
                _show_stacked([block], "", key=f"{key}-{start + i}")


def _show_stacked(blocks: Sequence[Block], head: str, *, key: str) -> None:
    """Put blocks below each other; neighbours of text go in one piece."""
    html = head
    for i, block in enumerate(blocks):
        if isinstance(block, Picture):
            if html:
                st.html(html)
            html = ""
            show_picture(block, key=f"{key}-{i}")
        elif isinstance(block, Code):
            if html:
                st.html(html)
            html = ""
            with st.expander(visible(block.title)):
                # With a button that copies it.
                st.code(block.text, language=None, wrap_lines=True)
        else:
            html += block_html(block)
    if html:
        st.html(html)


def show_picture(picture: Picture, *, key: str) -> None:
    """Put a chart on the page; below it its files for print, and its figures as a table."""
    st.vega_lite_chart(picture.whole(), width="stretch", key=key, alt=picture.alt)
    _offer_files(picture, key=key)
    st.html(figures_html(picture))


@st.fragment
def _offer_files(picture: Picture, *, key: str) -> None:
    """Make the files of a chart when they are asked for.

    They are handed over whole: Streamlit may drop a file that it makes during a download, as soon
    as any visitor's page looks for new cards.
    """
    words = "As SVG, PDF or PNG, in colours for print"
    if not st.button("Save this chart", key=f"save-{key}", type="tertiary", help=words):
        return
    with st.container(horizontal=True, gap="small"):
        for kind, (write, mime) in _FILES.items():
            st.download_button(
                kind,
                write(picture),
                file_name=f"chart.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                key=f"{kind}-{key}",
            )


_FILES: Mapping[str, tuple[Callable[[Picture], bytes], str]] = {
    "SVG": (to_svg, "image/svg+xml"),
    "PDF": (to_pdf, "application/pdf"),
    "PNG": (to_png, "image/png"),
}
