"""The leaderboard's router: `harness leaderboard --serve` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from leaderboard_app.page import LINKS, PAGES

ICON = Path(__file__).parent / "assets" / "icon.svg"


def main() -> None:
    """Run the page that the address names."""
    st.set_page_config(page_title="Leaderboard", layout="wide", page_icon=str(ICON))
    pages = [
        st.Page(
            PAGES / f"{name}.py",
            title=title,
            default=name == "ranking",
            url_path=None if name == "ranking" else name,
        )
        for name, title in LINKS.items()
    ]
    # Each page draws the links to the others itself, with the choices that go along.
    st.navigation(pages, position="hidden").run()


main()
