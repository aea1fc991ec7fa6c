"""Submission: everything that one card tells."""

from __future__ import annotations

import streamlit as st

from harness.board.entry import Entry
from harness.board.index import Snapshot
from harness.card.html import text_html
from harness.card.text import visible
from leaderboard_app import page
from leaderboard_app.address import choose
from leaderboard_app.markup import contents_html
from leaderboard_app.state import Shelf, shelf


def show() -> None:
    """Show the card that the address names, or the first of the board."""
    shown = shelf()
    snapshot = shown.snapshot()
    page.begin("Submission")
    columns = st.columns([3, 3, 3])
    with columns[0]:
        challenge = page.choose_challenge(snapshot)
    if challenge is None:
        page.watch(shown, snapshot)
        return
    with columns[1]:
        team = _choose_team(shown, snapshot, challenge)
    with columns[2]:
        entry = _choose_card(shown, snapshot, challenge, team)
    st.html(
        f"<h2 class='lb-h2 lb-name'>{text_html(entry.card.submission.title)}</h2>"
        f"<p class='lb-by'>{text_html(team)}, "
        f"{entry.card.submission.division} division, scored {text_html(entry.card.created)}</p>"
    )
    _downloads(shown, challenge, entry)
    sections = shown.sections(snapshot, challenge, entry)
    if contents_html(sections):
        st.html(contents_html(sections))
    page.show_sections(sections, key=entry.key)
    page.watch(shown, snapshot)


def _choose_team(shown: Shelf, snapshot: Snapshot, challenge: str) -> str:
    board = shown.board(
        snapshot, challenge, shown.ranking(snapshot, challenge).contest.working_point
    )
    teams = [row.team for row in board.rows]
    wanted = st.query_params.get("team")
    moved = shown.moved(snapshot, challenge)
    if wanted in moved:
        st.info(f"{wanted} is called {moved[wanted]} now.")
        wanted = st.query_params["team"] = moved[wanted]
    return choose("Team", teams, key="team")


def _choose_card(shown: Shelf, snapshot: Snapshot, challenge: str, team: str) -> Entry:
    """Choose among the team's cards; names from the address are looked up, never opened."""
    made = shown.ranking(snapshot, challenge)
    entries = [
        entry for entry in shown.entries(snapshot, challenge) if made.contest.team_of(entry) == team
    ]
    counting = {item.entry.key for item in made.listed}
    entries.sort(key=lambda entry: (entry.key in counting, entry.card.order), reverse=True)
    cards = {entry.key.partition("/")[2]: entry for entry in entries}

    def label_of(name: str) -> str:
        entry = cards[name]
        note = "counts" if entry.key in counting else "older"
        return f"{visible(entry.card.created)} ({note})"

    return cards[choose("Card", list(cards), key="card", label_of=label_of)]


def _downloads(shown: Shelf, challenge: str, entry: Entry) -> None:
    team, _, name = entry.key.partition("/")
    with st.container(horizontal=True):
        st.download_button(
            "Download card",
            lambda: shown.whole_card(challenge, entry),
            file_name=f"{challenge}-{team}-{name}.json",
            mime="application/json",
            on_click="ignore",
        )
        for artefact in shown.artefacts(challenge, entry):
            st.download_button(
                f"Download {artefact.name}",
                artefact.read_bytes,
                file_name=artefact.name,
                mime="application/octet-stream",
                on_click="ignore",
                key=f"artefact-{artefact.name}",
            )


show()
