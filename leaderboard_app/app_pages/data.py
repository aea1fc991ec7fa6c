"""Data: what the events of a challenge are."""

from __future__ import annotations

import streamlit as st

from harness.card.summary import DataSummary
from harness.card.text import visible
from leaderboard_app import page
from leaderboard_app.address import choose, choose_several
from leaderboard_app.blocks import Note
from leaderboard_app.markup import note_html
from leaderboard_app.state import shelf
from leaderboard_app.views.common import MANY_SIGNALS
from leaderboard_app.views.data import (
    data_sections,
    event_note,
    event_options,
    event_picture,
    signals_in,
)


def _chosen_signals(summary: DataSummary) -> list[str]:
    """Let the visitor choose the signals that pictures show, where there are many."""
    names = signals_in(summary)
    if len(names) <= MANY_SIGNALS:
        return names
    titles = {one.process: one.title or one.process for one in summary.processes}
    return choose_several(
        f"Signals in the pictures, at most {MANY_SIGNALS}",
        names,
        key="signals",
        default=names[:MANY_SIGNALS],
        most=MANY_SIGNALS,
        label_of=lambda name: visible(titles[name]),
    )


def show() -> None:
    """Show the summary of a challenge's events."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Data")
    names = list(dict.fromkeys([*snapshot.by_front, *snapshot.summaries]))
    if not names:
        st.info("No summary of the events yet. Write one with:")
        st.code("harness data describe sample", language="bash")
        page.show_unreadable(snapshot)
        page.watch(shown, snapshot)
        return
    challenge = page.choose_of(snapshot, names, width=420)
    if challenge not in snapshot.summaries:
        st.info("No summary of the events of this challenge yet. Write one with:")
        st.code(f"harness data describe {challenge}", language="bash")
        page.show_unreadable(snapshot)
        page.watch(shown, snapshot)
        return
    summary = snapshot.summaries[challenge]
    page.show_sections(data_sections(summary, _chosen_signals(summary)), key="data")
    options = event_options(summary)
    if options:
        st.html("<h2 class='lb-h2'>Event display</h2>")
        left, right = st.columns([1, 3], gap="medium")
        with left:
            chosen = choose("Event", options, key="event")
            st.html(note_html(Note(text=event_note(summary))))
        with right:
            page.show_picture(event_picture(summary, options.index(chosen)), key="event-display")
    page.show_unreadable(snapshot)
    page.watch(shown, snapshot)


show()
