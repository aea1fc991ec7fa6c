"""How to take part: the participant's guide and the glossary."""

from __future__ import annotations

import streamlit as st

from leaderboard_app import page
from leaderboard_app.views.guide import TITLE, glossary_text, guide_page, guide_text


def show() -> None:
    """Show the guide of docs/, or the short form where docs/ is not installed."""
    page.begin(TITLE)
    st.markdown(guide_page(guide_text()))
    if glossary := glossary_text():
        st.subheader("Glossary", anchor=False)
        st.markdown(guide_page(glossary))


show()
