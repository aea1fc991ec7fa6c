"""Ranking: who is best, how sure that is, and what each entry costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from harness.board.formats import json_schema, to_json
from harness.board.latex import to_latex
from harness.board.rows import Board
from harness.board.values import to_csv
from harness.challenge import point_text
from leaderboard_app import page
from leaderboard_app.address import entry_address, keep_view
from leaderboard_app.blocks import Note
from leaderboard_app.clock import show_clock
from leaderboard_app.markup import note_html, table_html
from leaderboard_app.state import shelf
from leaderboard_app.table import show_table
from leaderboard_app.views.common import low_statistics_notes
from leaderboard_app.views.headline import headline_html
from leaderboard_app.views.in_trigger import known_menu
from leaderboard_app.views.published import published_tables
from leaderboard_app.views.ranking_table import board_notes, declared_tables

# A table of fewer rows is not as high as a window.
_MANY_ROWS = 10


def show() -> None:
    """Show the ranking of one challenge."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Leaderboard")
    with st.container(key="choices"):
        left, right, _ = st.columns([3, 2, 4], vertical_alignment="bottom", gap="medium")
    with left:
        challenge = page.choose_challenge(snapshot)
    if challenge is None:
        page.watch(shown, snapshot)
        return
    made = shown.ranking(snapshot, challenge)
    contest = made.contest
    with right:
        fpr = page.choose_point(snapshot, challenge, contest)
    board = shown.board(snapshot, challenge, fpr)
    headline = shown.headline(snapshot, challenge)
    with st.container(key="headline"):
        st.html(headline_html(headline))
    if board.synthetic:
        page.synthetic_note(board)
    if fpr != contest.working_point:
        st.html(
            note_html(
                Note(
                    text=f"Ranks are those at {point_text(contest.merit, contest.working_point)}, "
                    "the challenge's working point; the efficiencies shown are at "
                    f"{point_text(contest.merit, fpr).removeprefix('FPR ')}."
                )
            )
        )

    for note in low_statistics_notes(board):
        st.html(note_html(note))

    # Its place is kept until it is drawn, so that nothing moves then: see `assets/app.css`.
    with st.container(key="table" if len(board.rows) >= _MANY_ROWS else "table-few"):
        changed = show_table(
            shown.model(
                snapshot,
                challenge,
                fpr,
                partial(entry_address, challenge),
                compare="compare?" + urlencode({"challenge": challenge}) + "&",
            ),
            version=f"{snapshot.version} {challenge} {fpr}",
            key=f"table-{challenge}",
        )
    if changed is not None:
        keep_view(dict(parse_qsl(changed)))
    _downloads(board)
    for apart in declared_tables(board):
        st.html(table_html(apart))
    for known in known_menu(board, snapshot.summaries.get(challenge)):
        st.html(table_html(known))
    for beside in published_tables(made):
        st.html(table_html(beside))
    st.html("".join(note_html(note) for note in board_notes(board)))
    page.show_unreadable(snapshot)
    if headline.deadline is not None:
        show_clock()
    page.watch(shown, snapshot)


def _downloads(board: Board) -> None:
    name = f"leaderboard-{board.challenge}"
    files: dict[str, tuple[Callable[[], str | bytes], str, str]] = {
        "CSV": (lambda: to_csv(board).encode("utf-8-sig"), f"{name}.csv", "text/csv"),
        "JSON": (lambda: to_json(board), f"{name}.json", "application/json"),
        "LaTeX": (lambda: to_latex(board), f"{name}.tex", "application/x-tex"),
        "Schema of the JSON": (
            lambda: json.dumps(json_schema(), indent=1),
            "board.schema.json",
            "application/json",
        ),
    }
    with st.container(horizontal=True):
        for title, (write, file_name, mime) in files.items():
            st.download_button(
                f"Download {title}" if len(title) < 6 else title,
                write,
                file_name=file_name,
                mime=mime,
                on_click="ignore",
            )


show()
