"""Compare: two to six entries side by side, with paired differences."""

from __future__ import annotations

import streamlit as st

from harness.card.text import visible
from leaderboard_app import page
from leaderboard_app.address import choose_several
from leaderboard_app.state import shelf
from leaderboard_app.views.compare import compare_sections

MOST = 6


def show() -> None:
    """Show the chosen entries."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Compare")
    left, right = st.columns([2, 5])
    with left:
        challenge = page.choose_challenge(snapshot)
    if challenge is None:
        page.watch(shown, snapshot)
        return
    made = shown.ranking(snapshot, challenge)
    listed = [item.entry for item in made.listed]
    entries = {made.contest.team_of(entry): entry for entry in listed}
    with right:
        chosen = choose_several(
            "Entries (the first is what the others are compared with)",
            list(entries),
            key="entries",
            default=list(entries)[:2],
            most=MOST,
            label_of=lambda team: f"{team}: {visible(entries[team].card.submission.title)[:28]}",
        )
    if len(chosen) < 2:
        st.info("Choose at least two entries.")
    else:
        subjects = [shown.subject(snapshot, challenge, entries[team], made) for team in chosen]
        if subjects[0].card.challenge.synthetic:
            page.synthetic_note(subjects[0].card.challenge)
        page.show_sections(compare_sections(subjects), key="compare")
    page.watch(shown, snapshot)


show()
