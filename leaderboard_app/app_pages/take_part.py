"""How to take part: the participant's guide and the glossary."""

from __future__ import annotations

import streamlit as st

from leaderboard_app import page
from leaderboard_app.settings import GLOSSARY, GUIDE
from leaderboard_app.views.guide import guide_page

BRIEF = """
1. Make a submission that scores as it is: `harness new my_team`, then run its `train.py`.
2. Change `model.py`: `network()` returns a Keras network from an event to its anomaly score.
3. Check it in seconds: `harness validate submissions/my_team`.
4. Score it: `harness score submissions/my_team`. The card appears here within seconds.
"""


def show() -> None:
    """Show the guide of docs/, or the short form where docs/ is not installed."""
    page.begin("How to take part")
    if GUIDE.is_file():
        st.markdown(guide_page(GUIDE.read_text(encoding="utf-8")))
    else:
        st.markdown(BRIEF)
    if GLOSSARY.is_file():
        st.subheader("Glossary", anchor=False)
        st.markdown(guide_page(GLOSSARY.read_text(encoding="utf-8")))


show()
