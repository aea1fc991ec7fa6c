"""Times of a page in the visitor's time zone, with what is left until then, in the app."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"


@cache
def _script() -> str:
    return "\n".join((ASSETS / name).read_text("utf-8") for name in ("clock.js", "mount_clock.js"))


def show_clock() -> None:
    """Let the times on the page tick; it takes no room."""
    st.components.v2.component("leaderboard_clock", js=_script())(key="clock")
