"""How blocks are put on a page of the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from harness.board.contest import Contest, final_title
from harness.board.index import Snapshot
from harness.board.rows import Board, working_points
from harness.board.rows import synthetic_note as note_on_synthetic
from harness.card.html import text_html
from harness.card.records import ScoredChallenge
from harness.card.text import visible
from harness.challenge import fpr_text, input_rate_khz, point_text
from harness.errors import DataError
from leaderboard_app.blocks import Block, Note, Picture, Section, Table
from leaderboard_app.markup import block_html, figures_html, note_html, table_html
from leaderboard_app.state import Shelf

PAGES = Path(__file__).parent / "app_pages"
ASSETS = Path(__file__).parent / "assets"


def begin(title: str) -> None:
    """Set up a page: its title in the browser, and the look of its blocks."""
    st.html(f"<style>{_asset('blocks.css')}{_asset('app.css')}</style>")
    st.title(title, anchor=False)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


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
    titles = {name: snapshot.entries[name][-1].card.challenge.title for name in names}
    titles |= {name: final_title(titles[name]) for name in snapshot.final}
    chosen = choose(
        "Challenge",
        names,
        key="challenge",
        label_of=lambda name: f"{visible(titles[name])} ({name})",
    )
    if isinstance(snapshot.decisions.get(chosen), DataError):
        st.error("The organiser's decisions cannot be read, so nothing is ranked.")
        show_unreadable(snapshot)
        return None
    return chosen


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


def choose(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str | None = None,
    label_of: Callable[[str], str] = visible,
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """Let the visitor choose one of `options`; the choice is kept in the address as `key`.

    A name in the address that is none of the options is as if it were not there. Where the
    address says nothing, what was chosen on another page is chosen again.

    Parameters
    ----------
    default : str, optional
        Chosen where the address says nothing; the first option if not given.
    """
    first = options[0] if default is None else default
    last = f"{key} last chosen"
    _follow_address(key, lambda: _asked(key, options, st.session_state.get(last, first)))
    if st.session_state.get(key) not in options:
        st.session_state[key] = first
    chosen = str(st.selectbox(label, options, key=key, format_func=label_of, width=width))
    _write_address(key, [chosen], is_default=chosen == first)
    st.session_state[last] = chosen
    return chosen


def choose_several(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: Sequence[str],
    most: int,
    label_of: Callable[[str], str],
) -> list[str]:
    """Let the visitor choose up to `most` options; they are kept in the address as `key`."""

    def asked() -> list[str]:
        wanted = [name for name in st.query_params.get_all(key) if name in options]
        return list(dict.fromkeys(wanted))[:most] or list(default)

    _follow_address(key, asked)
    st.session_state[key] = [name for name in st.session_state[key] if name in options]
    chosen: list[str] = st.multiselect(
        label, options, key=key, max_selections=most, format_func=label_of
    )
    _write_address(key, chosen, is_default=chosen == list(default))
    return chosen


def _asked(key: str, options: Sequence[str], default: str) -> str:
    asked = st.query_params.get(key)
    return asked if asked is not None and asked in options else default


def _follow_address(key: str, read: Callable[[], object]) -> None:
    """Take a choice from the address if it is new there: a link, or the back button."""
    seen, now = f"{key} in the address", st.query_params.get_all(key)
    if key not in st.session_state or st.session_state.get(seen) != now:
        st.session_state[key] = read()
        st.session_state[seen] = now


def _write_address(key: str, values: Sequence[str], *, is_default: bool) -> None:
    """Write a choice into the address; a default only if the address has it already.

    Each change makes an entry in the browser's history: a page that opens makes none.
    """
    written = st.query_params.get_all(key)
    if written != list(values) and (written or not is_default):
        st.query_params[key] = list(values)
    st.session_state[f"{key} in the address"] = st.query_params.get_all(key)


def synthetic_note(shown: Board | ScoredChallenge) -> None:
    """Say that the events are synthetic."""
    text = note_on_synthetic(is_of_collisions=shown.is_of_collisions)
    st.html(note_html(Note(text=text, tone="warn")))


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
            head += f"<h2 class='lb-h2'>{text_html(section.title)}</h2>"
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
        else:
            html += block_html(block)
    if html:
        st.html(html)


def show_picture(picture: Picture, *, key: str) -> None:
    """Put a chart on the page, and its figures as a table below it."""
    st.vega_lite_chart(picture.whole(), width="stretch", key=key, alt=picture.alt)
    st.html(figures_html(picture))
