"""Trade-off: how much efficiency an entry buys with latency, logic and arithmetic."""

from __future__ import annotations

from functools import partial

import streamlit as st

from leaderboard_app import page
from leaderboard_app.address import choose, entry_address
from leaderboard_app.markup import note_html, table_html
from leaderboard_app.state import shelf
from leaderboard_app.views.common import low_statistics_notes
from leaderboard_app.views.published import published_firmware
from leaderboard_app.views.trade_off import (
    COSTS,
    costs_of,
    efficiencies,
    trade_off_notes,
    trade_off_picture,
)


def show() -> None:
    """Show efficiency against cost."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Trade-off")
    columns = st.columns([3, 2, 2, 2])
    with columns[0]:
        challenge = page.choose_challenge(snapshot)
    if challenge is None:
        page.watch(shown, snapshot)
        return
    contest = shown.ranking(snapshot, challenge).contest
    with columns[1]:
        fpr = page.choose_point(snapshot, challenge, contest)
    board = shown.board(snapshot, challenge, fpr)
    with columns[2]:
        cost = choose("Cost", costs_of(board), key="cost", label_of=lambda name: COSTS[name].name)
    with columns[3]:
        titles = efficiencies(board)
        efficiency = choose(
            "Efficiency", list(titles), key="efficiency", label_of=lambda name: titles[name]
        )
    if board.synthetic:
        page.synthetic_note(board)
    for note in low_statistics_notes(board):
        st.html(note_html(note))
    href = partial(entry_address, challenge)
    page.show_picture(trade_off_picture(board, cost, efficiency, href), key="trade-off")
    st.html("".join(note_html(note) for note in trade_off_notes(board)))
    for beside in published_firmware(board):
        st.html(table_html(beside))
    page.show_unreadable(snapshot)
    page.watch(shown, snapshot)


show()
