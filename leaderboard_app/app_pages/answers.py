"""Black boxes: the answers to those that were opened, and what was true."""

from __future__ import annotations

import streamlit as st

from leaderboard_app import page
from leaderboard_app.state import shelf
from leaderboard_app.views.answers import CLOSED, OPEN_COMMAND, TITLE, answer_sections


def show() -> None:
    """Show every box that was opened; before that say that none was."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin(TITLE)
    if snapshot.answers:
        page.show_sections(answer_sections(snapshot.answers), key="answers")
    else:
        st.info(CLOSED)
        st.code(OPEN_COMMAND, language="bash")
    page.show_unreadable(snapshot)
    page.watch(shown, snapshot)


show()
