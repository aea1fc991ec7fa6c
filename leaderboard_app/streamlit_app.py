"""The leaderboard's router: `harness leaderboard --serve` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

PAGES = Path(__file__).parent / "app_pages"
ICON = Path(__file__).parent / "assets" / "icon.svg"


def main() -> None:
    """Run the page that the address names."""
    st.set_page_config(page_title="Leaderboard", layout="wide", page_icon=str(ICON))
    page = st.navigation(
        [
            st.Page(PAGES / "ranking.py", title="Ranking", default=True),
            st.Page(PAGES / "trade_off.py", title="Trade-off", url_path="trade_off"),
            st.Page(PAGES / "submission.py", title="Submission", url_path="submission"),
            st.Page(PAGES / "compare.py", title="Compare", url_path="compare"),
            st.Page(PAGES / "data.py", title="Data", url_path="data"),
            st.Page(PAGES / "take_part.py", title="How to take part", url_path="take_part"),
        ],
        position="top",
    )
    page.run()


main()
