"""Status: deadline and phases, what the queue is doing, the newest cards."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from harness.board.index import Snapshot
from harness.errors import DataError
from leaderboard_app import page
from leaderboard_app.clock import show_clock
from leaderboard_app.state import Shelf, shelf
from leaderboard_app.views.status import TITLE, status_sections


def show() -> None:
    """Show where a challenge stands; it looks again every few seconds."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin(TITLE)
    names = list(dict.fromkeys([*snapshot.by_front, *shown.queues()]))
    if not names:
        st.info("No score card and no queue yet. What a queue does is shown here while it works:")
        st.code("harness ci score --all", language="bash")
        page.show_unreadable(snapshot)
        page.watch(shown, snapshot)
        return
    challenge = page.choose_of(snapshot, names, width=420)
    if isinstance(snapshot.decisions.get(challenge), DataError):
        st.error("The organiser's decisions cannot be read, so nothing is ranked.")
    else:
        _follow(shown, snapshot, challenge)
    show_clock()
    page.show_unreadable(snapshot)
    page.watch(shown, snapshot)


def _follow(shown: Shelf, snapshot: Snapshot, challenge: str) -> None:
    @st.fragment(run_every=shown.settings.refresh_s)
    def follow() -> None:
        has_cards = challenge in snapshot.entries
        made = shown.ranking(snapshot, challenge) if has_cards else None
        entries, queues = shown.entries(snapshot, challenge), shown.queues().get(challenge, ())
        sections = status_sections(made, entries, queues, datetime.now(UTC))
        page.show_sections(sections, key="status")

    follow()


show()
