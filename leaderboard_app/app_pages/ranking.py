"""Ranking: who is best, how sure that is, and what each entry costs."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import streamlit as st

from harness.board.formats import to_json
from harness.board.rows import Board, describe_lead
from harness.board.values import to_csv
from harness.card.html import text_html
from harness.challenge import point_text
from leaderboard_app import page
from leaderboard_app.address import keep_view
from leaderboard_app.blocks import Note
from leaderboard_app.markup import note_html, table_html
from leaderboard_app.state import shelf
from leaderboard_app.table import show_table
from leaderboard_app.views.in_trigger import known_menu
from leaderboard_app.views.ranking_table import board_notes, declared_tables, low_statistics_notes


def show() -> None:
    """Show the ranking of one challenge."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Leaderboard")
    left, right, aside = st.columns([3, 2, 5], vertical_alignment="bottom", gap="medium")
    with left:
        challenge = page.choose_challenge(snapshot)
    if challenge is None:
        page.watch(shown, snapshot)
        return
    contest = shown.ranking(snapshot, challenge).contest
    with right:
        fpr = page.choose_point(snapshot, challenge, contest)
    board = shown.board(snapshot, challenge, fpr)
    with aside:
        st.html(f"<p class='lb-lead'>{text_html(describe_lead(board))}</p>")
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

    st.html("".join(note_html(note) for note in low_statistics_notes(board)))

    def href(team: str, card: str) -> str:
        return "submission?" + urlencode({"challenge": challenge, "team": team, "card": card})

    changed = show_table(
        shown.model(snapshot, challenge, fpr, href),
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
    st.html("".join(note_html(note) for note in board_notes(board)))
    page.show_unreadable(snapshot)
    page.watch(shown, snapshot)


def _downloads(board: Board) -> None:
    name = f"leaderboard-{board.challenge}"
    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            lambda: to_csv(board).encode("utf-8-sig"),
            file_name=f"{name}.csv",
            mime="text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Download JSON",
            lambda: to_json(board),
            file_name=f"{name}.json",
            mime="application/json",
            on_click="ignore",
        )


show()
